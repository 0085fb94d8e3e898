//! Corrections: what is billed in the end is what should have been billed.

use super::*;
use crate::fixtures::{document, dollars, few, invoice_from, invoice_of, meter_id, n, usd};
use crate::notes::credit_note;
use proptest::prelude::*;

/// `m001 10, m002 5`: exact sums by meter, as [`invoice_of`] makes its lines.
fn sums(text: &str) -> LineSums {
    let mut sums = LineSums::default();
    let template = invoice_of("x", &["1"], "0", &[]).lines[0].key.clone();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let (meter, major) = part.trim().split_once(' ').unwrap();
        let key = LineKey { meter: Some(meter_id(meter)), ..template.clone() };
        sums.add(key, Cost { major: n(major), currency: usd() }).unwrap();
    }
    sums
}

/// `1 +2, - -3`: the amended line (`-` for none) and the difference.
fn shown(corrections: &[Correction]) -> String {
    let one = |correction: &Correction| {
        let line = correction.amends.line.map_or("-".to_owned(), |line| line.to_string());
        format!("{line} {}", correction.cost.major)
    };
    corrections.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn each_amended_line_has_one_correction() {
    let billed = invoice_from("d", &sums("m001 10, m002 5"), "0.1", &[]);
    let check = |scratch: &str, expected: &str| {
        let made = corrections(&billed, &[], &sums(scratch)).unwrap();
        assert_eq!(shown(&made), expected, "{scratch}");
        assert_eq!(corrections(&billed, &made, &sums(scratch)).unwrap(), [], "twice: {scratch}");
    };
    check("m001 10, m002 5", "");
    check("m001 10.004, m002 5", "1 0.004"); // exact, not booked
    check("m001 12, m002 4", "1 2, 2 -1");
    check("m001 10", "2 -5"); // withdrawn
    check("m001 10, m002 5, m003 7", "- 7"); // a line that was not there
    check("m001 6, m001 6, m002 5", "1 2");
    check("", "1 -10, 2 -5");
}

#[test]
fn a_correction_of_a_correction_goes_on_from_there() {
    let billed = invoice_from("d", &sums("m001 10"), "0.1", &[]);
    let mut all: Vec<Correction> = Vec::new();
    for (scratch, expected) in [("m001 12", "1 2"), ("m001 9", "1 -3"), ("m001 10", "1 1")] {
        let made = corrections(&billed, &all, &sums(scratch)).unwrap();
        assert_eq!(shown(&made), expected, "{scratch}");
        all.extend(made);
    }
}

#[test]
fn a_correction_points_at_its_line_and_is_no_charge_of_the_period_that_bills_it() {
    let march = invoice_from("d", &sums("m001 10"), "0.1", &[]);
    let made = corrections(&march, &[], &sums("m001 12")).unwrap();
    let (key, cost) = made[0].charge();
    assert_eq!((&key.amends, cost.major), (&Some(made[0].amends.clone()), n("2")));
    assert_eq!(key.service_period, march.lines[0].key.service_period);
    // April's invoice bills it; rating April from scratch does not find it, and takes nothing back.
    let mut april = sums("m001 3");
    april.add(key, cost).unwrap();
    let april = invoice_from("e", &april, "0.1", &[]);
    assert_eq!(april.totals().unwrap().charges, dollars("5"));
    assert_eq!(corrections(&april, &made, &sums("m001 3")).unwrap(), []);
}

#[test]
fn the_accounts_policy_decides_how_a_correction_arrives() {
    let billed = invoice_from("d", &sums("m001 10, m002 5"), "0.1", &[]);
    let check = |in_favour: InFavour, limit: &str, scratch: &str, expected: &str| {
        let policy = LatePolicy { in_favour, not_billed_up_to: dollars(limit) };
        let made = corrections(&billed, &[], &sums(scratch)).unwrap();
        let delivery = deliver(&policy, &billed, &made, &[], Rounding::default()).unwrap();
        let shown = match &delivery {
            Delivery::Nothing => "nothing".to_owned(),
            Delivery::NextInvoice => "next invoice".to_owned(),
            Delivery::NotBilled(sum) => format!("not billed {sum}"),
            Delivery::CreditNote(wanted) => {
                let id = document("n");
                let note = credit_note(id, &billed, &[], wanted).unwrap();
                format!("credit note {}", note.total().unwrap())
            }
        };
        assert_eq!(shown, expected, "{in_favour:?} {limit} {scratch}");
    };
    use InFavour::{CreditNote, NextInvoice};
    check(CreditNote, "1", "m001 10, m002 5", "nothing");
    check(NextInvoice, "0", "m001 12, m002 5", "next invoice");
    check(NextInvoice, "2", "m001 12, m002 5", "not billed 2.00 USD");
    check(NextInvoice, "2", "m001 12.005, m002 5", "next invoice"); // booked 2.01
    check(NextInvoice, "2", "m001 12.01, m002 4", "not billed 1.01 USD"); // the sum counts
    check(NextInvoice, "2", "m001 9.99, m002 5", "next invoice"); // what we owe is never left out
    check(CreditNote, "2", "m001 9, m002 4", "credit note 2.20 USD");
    check(CreditNote, "2", "m001 6, m002 6", "next invoice"); // not all of it in their favour
    check(CreditNote, "0", "m001 12, m002 5", "next invoice");
    check(CreditNote, "2", "m001 9.999, m002 5", "next invoice"); // less than a cent
}

#[test]
fn a_credit_note_gives_back_only_what_was_asked_for_in_money() {
    let policy = LatePolicy { in_favour: InFavour::CreditNote, not_billed_up_to: dollars("0") };
    let check = |lots: &[&str], taken: Option<&str>, scratch: &str, expected: bool| {
        let billed = invoice_from("d", &sums("m001 10"), "0.1", lots);
        let note = taken.map(|net| {
            let wanted = [Wanted { line: 1, net: dollars(net) }];
            credit_note(document("n"), &billed, &[], &wanted).unwrap()
        });
        let notes: Vec<Note> = note.into_iter().collect();
        let made = corrections(&billed, &[], &sums(scratch)).unwrap();
        let delivery = deliver(&policy, &billed, &made, &notes, Rounding::default()).unwrap();
        let is_note = matches!(delivery, Delivery::CreditNote(_));
        assert_eq!(is_note, expected, "{lots:?} {taken:?} {scratch}");
    };
    check(&[], None, "m001 0", true);
    check(&["c 6"], None, "m001 6", true);
    check(&["c 6"], None, "m001 5.99", false); // the lot paid the rest
    check(&[], Some("7"), "m001 7", true);
    check(&[], Some("7"), "m001 6.99", false); // an earlier note took it back
}

fn any_scratch() -> impl Strategy<Value = String> {
    let part = (1_u8..6, -900_000_i64..3_000_000).prop_map(|(meter, millionths)| {
        let major = Fixed18::from_atoms(i128::from(millionths) * 1_000_000_000_000);
        format!("m{meter:03} {major}")
    });
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.join(", "))
}

/// Sums by meter, without those that are zero.
fn by_meter<'a>(charges: impl Iterator<Item = (&'a LineKey, Cost)>) -> BTreeMap<String, Fixed18> {
    let mut sums: BTreeMap<String, Fixed18> = BTreeMap::new();
    for (key, cost) in charges {
        let sum = sums.entry(key.meter.as_ref().unwrap().to_string()).or_default();
        *sum = sum.checked_add(cost.major).unwrap();
    }
    sums.retain(|_, sum| !sum.is_zero());
    sums
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn original_and_corrections_are_from_scratch_and_twice_changes_nothing(
        original in any_scratch(),
        later in prop::collection::vec(any_scratch(), 1..5),
    ) {
        let invoice = invoice_from("d", &sums(&original), "0.19", &[]);
        let mut all: Vec<Correction> = Vec::new();
        for scratch in later {
            let scratch = sums(&scratch);
            let made = corrections(&invoice, &all, &scratch).unwrap();
            all.extend(made);
            prop_assert_eq!(&corrections(&invoice, &all, &scratch).unwrap()[..], &[][..]);
            let billed = invoice.lines.iter().map(|line| (&line.key, line.pricing));
            let corrected = all.iter().map(|correction| (&correction.key, correction.cost));
            prop_assert_eq!(by_meter(billed.chain(corrected)), by_meter(scratch.iter()));
        }
    }

    #[test]
    fn the_order_of_earlier_corrections_does_not_matter(
        original in any_scratch(),
        later in prop::collection::vec(any_scratch(), 3),
    ) {
        let invoice = invoice_from("d", &sums(&original), "0.19", &[]);
        let mut all: Vec<Correction> = Vec::new();
        for scratch in &later[..2] {
            all.extend(corrections(&invoice, &all, &sums(scratch)).unwrap());
        }
        let one = corrections(&invoice, &all, &sums(&later[2])).unwrap();
        all.reverse();
        prop_assert_eq!(one, corrections(&invoice, &all, &sums(&later[2])).unwrap());
    }
}
