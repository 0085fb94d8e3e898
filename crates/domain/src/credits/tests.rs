//! Drawdown, as stories: charges and lots in a line each, and who paid what.

use super::*;
use crate::fixtures::{cents, dollars, few, lot_id, meter_id, t, usd};
use proptest::prelude::*;

/// `3 2026-03-05 usage:m 10`: line, start of service, category and meter, amount.
fn charge(text: &str) -> DueCharge {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (category, meter) = words[2].split_once(':').unwrap_or((words[2], ""));
    let payable = if category == "prepayment" { Payable::InMoney } else { Payable::ByLots };
    DueCharge {
        line: words[0].parse().unwrap(),
        at: t(words[1]),
        category: ChargeCategory::parse(category).unwrap_or(ChargeCategory::Purchase),
        meter: (!meter.is_empty()).then(|| meter_id(meter)),
        amount: dollars(words[3]),
        payable,
    }
}

/// `c 20 1 2026-03-01 2026-04-01 -m -tax`: id (`p…` is prepayment), amount, priority, from, until,
/// then what it cannot pay: meters or categories.
fn lot(text: &str) -> Lot {
    let words: Vec<&str> = text.split_whitespace().collect();
    Lot {
        id: lot_id(words[0]),
        kind: if words[0].starts_with('p') { LotKind::Prepayment } else { LotKind::Credit },
        granted: dollars(words[1]),
        priority: words[2].parse().unwrap(),
        holds: Interval::new(t(words[3]), t(words[4])).unwrap(),
        excluded: exclusions(&words[5..]),
    }
}

fn exclusions(words: &[&str]) -> Exclusions {
    let mut excluded = Exclusions::default();
    for word in words.iter().map(|word| word.trim_start_matches('-')) {
        match ChargeCategory::parse(word) {
            Some(category) => excluded.categories.insert(category),
            None => excluded.meters.insert(meter_id(word)),
        };
    }
    excluded
}

fn open(lots: &[Lot]) -> Vec<OpenLot<'_>> {
    lots.iter().map(|lot| OpenLot { lot, left: lot.granted }).collect()
}

/// `1: c 10, p 5 left 2`: what paid a line and what is left of it.
fn shown(drawn: &DrawnCharge) -> String {
    let digits = |money: Money| money.to_cost().unwrap().major.to_string();
    let paid = drawn.paid.iter().map(|part| format!("{} {}", part.lot, digits(part.amount)));
    let paid: Vec<String> = paid.collect();
    format!("{}: {} left {}", drawn.line, paid.join(", "), digits(drawn.left))
}

fn run(charges: &[&str], lots: &[Lot], separately: &[&str]) -> Drawn {
    let charges: Vec<DueCharge> = charges.iter().map(|text| charge(text)).collect();
    draw(usd(), &charges, &open(lots), &exclusions(separately)).unwrap()
}

fn check(charges: &[&str], lots: &[&str], expected: &[&str]) {
    let lots: Vec<Lot> = lots.iter().map(|text| lot(text)).collect();
    let drawn = run(charges, &lots, &["-s"]);
    let lines: Vec<String> = drawn.charges.iter().map(shown).collect();
    assert_eq!(lines, expected, "{charges:?} with {lots:?}");
}

#[test]
fn lots_are_drawn_by_priority_then_soonest_end_then_id() {
    let charge = &["1 2026-03-05 usage:m 25"][..];
    check(
        charge,
        &["ca 10 2 2026-01-01 2026-05-01", "cb 10 1 2026-01-01 2026-06-01"],
        &["1: cb 10, ca 10 left 5"],
    );
    check(
        charge,
        &["ca 10 1 2026-01-01 2026-06-01", "cb 10 1 2026-01-01 2026-05-01"],
        &["1: cb 10, ca 10 left 5"],
    );
    check(
        charge,
        &["cb 10 1 2026-01-01 2026-05-01", "ca 10 1 2026-01-01 2026-05-01"],
        &["1: ca 10, cb 10 left 5"],
    );
    // Prepayment and credit stand in one order, and both come before overage.
    check(
        charge,
        &["p 10 1 2026-01-01 2026-06-01", "c 20 2 2026-01-01 2026-06-01"],
        &["1: p 10, c 15 left 0"],
    );
}

#[test]
fn charges_are_paid_in_the_order_of_service_then_line() {
    let lots = &["c 10 1 2026-01-01 2026-06-01"];
    check(
        &["1 2026-03-09 usage:m 8", "2 2026-03-05 usage:m 8"],
        lots,
        &["1: c 2 left 6", "2: c 8 left 0"],
    );
    check(
        &["2 2026-03-05 usage:m 8", "1 2026-03-05 usage:m 8"],
        lots,
        &["2: c 2 left 6", "1: c 8 left 0"],
    );
}

#[test]
fn a_lot_pays_from_its_first_instant_and_no_more_at_its_last() {
    let check_at = |at: &str, left: &str| {
        let line = format!("1 {at} usage:m 8");
        check(&[&line], &["c 8 1 2026-03-10 2026-03-20"], &[&format!("1: {left}")]);
    };
    check_at("2026-03-09T23:59:59.999999Z", " left 8");
    check_at("2026-03-10T00:00:00Z", "c 8 left 0");
    check_at("2026-03-19T23:59:59.999999Z", "c 8 left 0");
    check_at("2026-03-20T00:00:00Z", " left 8");
}

#[test]
fn exclusions_hold_by_meter_and_by_category() {
    check(
        &["1 2026-03-05 usage:m 3", "2 2026-03-05 usage:k 4", "3 2026-03-05 purchase 5"],
        &["c 50 1 2026-01-01 2026-06-01 -m -purchase"],
        &["1:  left 3", "2: c 4 left 0", "3:  left 5"],
    );
}

#[test]
fn prepayment_cannot_cover_what_is_billed_separately_but_credit_can() {
    check(&["1 2026-03-05 usage:s 9"], &["p 50 1 2026-01-01 2026-06-01"], &["1:  left 9"]);
    check(&["1 2026-03-05 usage:s 9"], &["c 50 1 2026-01-01 2026-06-01"], &["1: c 9 left 0"]);
}

#[test]
fn no_lot_pays_marketplace_charges_or_buys_prepayment() {
    let lots = &["p 50 1 2026-01-01 2026-06-01", "c 50 1 2026-01-01 2026-06-01"];
    check(&["1 2026-03-05 marketplace:m 9"], lots, &["1:  left 9"]);
    check(&["1 2026-03-05 prepayment 9"], lots, &["1:  left 9"]);
}

#[test]
fn what_is_taken_back_lowers_charges_before_a_lot_pays() {
    let lots = &["c 50 1 2026-01-01 2026-06-01"];
    // Its own meter first, whatever the category, then others in order.
    check(
        &["1 2026-03-01 usage:k 10", "2 2026-03-02 usage:m 10", "3 2026-03-03 adjustment:m -4"],
        lots,
        &["1: c 10 left 0", "2: c 6 left 0", "3:  left 0"],
    );
    check(
        &["1 2026-03-01 usage:k 10", "2 2026-03-02 usage:m 10", "3 2026-03-03 refund:m -14"],
        lots,
        &["1: c 6 left 0", "2:  left 0", "3:  left 0"],
    );
    // More is taken back than charged: the rest stays in the payer's favour, and no credit is used.
    check(
        &["1 2026-03-01 usage:k 10", "2 2026-03-02 refund:m -14"],
        lots,
        &["1:  left 0", "2:  left -4"],
    );
    // Sums that are kept apart are not set off against each other.
    check(
        &["1 2026-03-01 usage:k 10", "2 2026-03-02 refund:s -4", "3 2026-03-03 marketplace:k -2"],
        lots,
        &["1: c 10 left 0", "2:  left -4", "3:  left -2"],
    );
}

#[test]
fn the_enterprise_identities_hold_by_construction() {
    let lots = [lot("p 100 1 2026-01-01 2027-01-01")];
    let charges = [
        "1 2026-03-01 usage:m 90.50",
        "2 2026-03-02 usage:m 20",
        "3 2026-03-02 usage:s 3.25",
        "4 2026-03-03 marketplace 12",
    ];
    let totals = run(&charges, &lots, &["-s"]).totals().unwrap();
    assert_eq!(totals.utilized, dollars("100"));
    assert_eq!(totals.service_overage, dollars("10.50"));
    assert_eq!(totals.billed_separately, dollars("3.25"));
    assert_eq!(totals.marketplace, dollars("12"));
    assert_eq!(totals.total_overage().unwrap(), dollars("13.75"));
    assert_eq!(totals.total_usage().unwrap(), dollars("113.75")); // marketplace apart
    let summary = BalanceSummary {
        beginning: dollars("60"),
        new_purchases: dollars("40"),
        adjustments: dollars("20"),
        totals,
    };
    assert_eq!(summary.ending().unwrap(), dollars("20"));
}

#[test]
fn lines_are_cut_where_lots_begin_or_end() {
    let march = Interval::new(t("2026-03-01"), t("2026-04-01")).unwrap();
    let check = |lots: &[&str], expected: &[&str]| {
        let lots: Vec<Lot> = lots.iter().map(|text| lot(text)).collect();
        let parts = cuts(march, &lots);
        let starts: Vec<String> = parts.iter().map(|part| part.start().day().to_string()).collect();
        assert_eq!(starts, expected);
        let length: i64 = parts.iter().map(Interval::micros).sum();
        assert_eq!(length, march.micros());
    };
    check(&[], &["2026-03-01"]);
    check(&["c 1 1 2026-03-01 2026-04-01"], &["2026-03-01"]);
    check(
        &[
            "c 1 1 2026-03-10 2026-04-05",
            "d 1 1 2026-02-01 2026-03-20",
            "e 1 1 2026-03-10 2026-05-01",
        ],
        &["2026-03-01", "2026-03-10", "2026-03-20"],
    );
}

#[test]
fn currencies_do_not_mix() {
    let yen = money::Currency::parse("JPY").unwrap();
    let charges = [charge("1 2026-03-05 usage:m 8")];
    assert!(draw(yen, &charges, &[], &Exclusions::default()).is_err());
    let lots = [Lot { granted: Money::from_minor(5, yen), ..lot("c 5 1 2026-01-01 2027-01-01") }];
    assert!(draw(usd(), &charges, &open(&lots), &Exclusions::default()).is_err());
}

fn any_charge() -> impl Strategy<Value = DueCharge> {
    let category = prop::sample::select(ChargeCategory::ALL.to_vec());
    let meter = prop::sample::select(vec![None, Some("m"), Some("k"), Some("s")]);
    let day = 0_i64..40;
    (any::<u32>(), day, category, meter, -3_000_i64..9_000).prop_map(
        |(line, day, category, meter, amount)| DueCharge {
            line,
            at: t("2026-02-25").plus_seconds(day * 86_400),
            category,
            meter: meter.map(meter_id),
            amount: cents(amount),
            payable: Payable::ByLots,
        },
    )
}

fn any_lot() -> impl Strategy<Value = Lot> {
    let words = prop::sample::subsequence(vec!["-m", "-k", "-purchase", "-tax"], 0..3);
    (0_u32..1_000_000, any::<bool>(), 0_i64..12_000, 0_u16..3, 0_i64..40, 0_i64..40, words)
        .prop_map(|(id, is_prepaid, granted, priority, from, length, words)| {
            let start = t("2026-02-20").plus_seconds(from * 86_400);
            Lot {
                id: lot_id(&format!("lot-{id}")),
                kind: if is_prepaid { LotKind::Prepayment } else { LotKind::Credit },
                granted: cents(granted),
                priority,
                holds: Interval::new(start, start.plus_seconds(length * 86_400)).unwrap(),
                excluded: exclusions(&words),
            }
        })
}

/// Charges with distinct lines and lots with distinct ids, and a shuffle of both.
fn any_case() -> impl Strategy<Value = (Vec<DueCharge>, Vec<DueCharge>, Vec<Lot>, Vec<Lot>)> {
    let charges = prop::collection::vec(any_charge(), 0..12).prop_map(|mut charges| {
        for (line, charge) in (1..).zip(&mut charges) {
            charge.line = line;
        }
        charges
    });
    let lots = prop::collection::vec(any_lot(), 0..6).prop_map(|mut lots| {
        lots.sort_by(|a, b| a.id.cmp(&b.id));
        lots.dedup_by(|a, b| a.id == b.id);
        lots
    });
    (charges, lots).prop_flat_map(|(charges, lots)| {
        let shuffled = (Just(charges.clone()).prop_shuffle(), Just(lots.clone()).prop_shuffle());
        (Just(charges), Just(lots), shuffled)
            .prop_map(|(charges, lots, (more, other))| (charges, more, lots, other))
    })
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn nothing_is_overdrawn_and_every_charge_adds_up((charges, _, lots, _) in any_case()) {
        let drawn = draw(usd(), &charges, &open(&lots), &exclusions(&["-s"])).unwrap();
        let mut set_off = 0;
        for (charge, drawn) in charges.iter().zip(&drawn.charges) {
            let paid: i128 = drawn.paid.iter().map(|part| part.amount.minor()).sum();
            let sum = paid - drawn.set_off.minor() + drawn.left.minor();
            prop_assert_eq!(sum, charge.amount.minor());
            prop_assert!(drawn.paid.is_empty() || charge.amount.minor() > 0);
            prop_assert!((charge.amount.minor() > 0) || drawn.left.minor() <= 0);
            prop_assert!((charge.amount.minor() < 0) || drawn.left.minor() >= 0);
            set_off += drawn.set_off.minor();
        }
        prop_assert_eq!(set_off, 0);
        for (lot, used) in drawn.by_lot().unwrap().iter() {
            let granted = lots.iter().find(|one| one.id == lot.1).unwrap().granted;
            prop_assert!(0 < used.minor() && used.minor() <= granted.minor());
        }
    }

    #[test]
    fn a_lot_pays_only_while_it_holds_and_what_it_may((charges, _, lots, _) in any_case()) {
        let separately = exclusions(&["-s"]);
        let drawn = draw(usd(), &charges, &open(&lots), &separately).unwrap();
        for (charge, drawn) in charges.iter().zip(&drawn.charges) {
            for part in &drawn.paid {
                let lot = lots.iter().find(|one| one.id == part.lot).unwrap();
                prop_assert!(lot.holds.contains(charge.at));
                prop_assert!(!lot.excluded.names(charge));
                prop_assert!(charge.category != ChargeCategory::Marketplace);
                prop_assert!(lot.kind == LotKind::Credit || !separately.names(charge));
            }
        }
    }

    #[test]
    fn a_charge_is_left_only_when_no_lot_that_may_pay_it_has_anything(
        (charges, _, lots, _) in any_case()
    ) {
        let drawn = draw(usd(), &charges, &open(&lots), &exclusions(&["-s"])).unwrap();
        let by_lot = drawn.by_lot().unwrap();
        for (charge, drawn) in charges.iter().zip(&drawn.charges).filter(|(_, d)| d.left.minor() > 0) {
            for lot in &lots {
                let used = by_lot.get(&(lot.kind, lot.id.clone())).map_or(0, |used| used.minor());
                let may = drawn.coverage.allows(lot.kind)
                    && lot.holds.contains(charge.at)
                    && !lot.excluded.names(charge);
                prop_assert!(!may || used == lot.granted.minor());
            }
        }
    }

    #[test]
    fn the_order_of_charges_and_lots_does_not_matter((charges, more, lots, other) in any_case()) {
        let separately = exclusions(&["-s"]);
        let one = draw(usd(), &charges, &open(&lots), &separately).unwrap();
        let mut two = draw(usd(), &more, &open(&other), &separately).unwrap();
        prop_assert_eq!(one.by_lot().unwrap(), two.by_lot().unwrap());
        prop_assert_eq!(one.totals().unwrap(), two.totals().unwrap());
        two.charges.sort_by_key(|charge| charge.line);
        prop_assert_eq!(one, two);
    }
}
