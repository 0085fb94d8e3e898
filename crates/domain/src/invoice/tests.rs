//! Invoices: from exact sums to what is owed.

use super::*;
use crate::credits::Lot;
use crate::fixtures::*;
use crate::tax::{Liability, TaxRule};
use proptest::prelude::*;

/// Lots, tax and rates of an invoice in a test.
struct Setting {
    id: DocumentId,
    account: BillingAccountId,
    seller: LegalEntityId,
    currency: Currency,
    lots: Vec<Lot>,
    rates: Vec<ExchangeRate>,
    taxes: TaxTable,
    separately: Exclusions,
}

impl Setting {
    /// Dollars, no lots, `standard` taxed at 10 %.
    fn new() -> Setting {
        let rule = TaxRule {
            category: tax_category("standard"),
            seller: legal_entity("us"),
            buyer: legal_entity("them"),
            rate: n("0.1"),
            liability: Liability::Seller,
        };
        Setting {
            id: document("d"),
            account: account("a"),
            seller: legal_entity("us"),
            currency: usd(),
            lots: Vec::new(),
            rates: Vec::new(),
            taxes: TaxTable::from([(tax_category("standard"), rule)]),
            separately: Exclusions::default(),
        }
    }

    fn draft(&self, sums: &LineSums) -> Result<Invoice> {
        let lots: Vec<OpenLot<'_>> =
            self.lots.iter().map(|lot| OpenLot { lot, left: lot.granted }).collect();
        let terms = InvoiceTerms {
            id: &self.id,
            billing_account: &self.account,
            seller: &self.seller,
            period: period("2026-03"),
            currency: self.currency,
            rates: &self.rates,
            lots: &lots,
            separately: &self.separately,
            taxes: &self.taxes,
            rounding: Rounding::default(),
        };
        draft(&terms, sums)
    }
}

/// `section/category:meter`.
fn key(text: &str) -> LineKey {
    let (section, rest) = text.split_once('/').unwrap();
    let (category, meter) = rest.split_once(':').unwrap_or((rest, ""));
    LineKey {
        section: (!section.is_empty()).then(|| InvoiceSectionId::new(section).unwrap()),
        category: ChargeCategory::parse(category).unwrap(),
        subscription: None,
        meter: (!meter.is_empty()).then(|| meter_id(meter)),
        item: String::new(),
        service_period: period("2026-03").interval(),
        tax: tax_category("standard"),
        amends: None,
        buys: None,
        rate: None,
    }
}

/// `s/usage:m 1.005, s/usage:k 2`: charges, summed by line.
fn sums(text: &str) -> LineSums {
    let mut sums = LineSums::default();
    for charge in text.split(',') {
        let (place, cost) = charge.trim().split_once(' ').unwrap();
        let (cost, code) = cost.split_once(' ').unwrap_or((cost, "USD"));
        let currency = Currency::parse(code).unwrap();
        sums.add(key(place), Cost { major: n(cost), currency }).unwrap();
    }
    sums
}

fn lot(kind: LotKind, amount: &str) -> Lot {
    Lot {
        id: lot_id("lot"),
        kind,
        granted: dollars(amount),
        priority: 0,
        holds: period("2026-03").interval(),
        excluded: Exclusions::default(),
    }
}

fn digits(money: Money) -> String {
    money.to_cost().unwrap().major.to_string()
}

/// `charges -credit -prepayment = subtotal +tax = total`.
fn shown(totals: &Totals) -> String {
    let Totals { charges, set_off: _, credit, prepayment, subtotal, tax, total } = totals;
    let [charges, credit, prepayment, subtotal, tax, total] =
        [charges, credit, prepayment, subtotal, tax, total].map(|money| digits(*money));
    format!("{charges} -{credit} -{prepayment} = {subtotal} +{tax} = {total}")
}

#[test]
fn a_line_is_the_booked_sum_of_its_charges_and_keeps_its_rounding() {
    let check = |text: &str, booked: &str, rounding: &str| {
        let invoice = Setting::new().draft(&sums(text)).unwrap();
        let [line] = &invoice.lines[..] else { panic!("{text} makes one line") };
        assert_eq!(digits(line.booked), booked, "{text}");
        assert_eq!(line.rounding().unwrap().major, n(rounding), "{text}");
    };
    check("/usage:m 4.005", "4.01", "0.005");
    check("/usage:m -4.005", "-4.01", "-0.005");
    check("/usage:m 1", "1", "0");
    check("/usage:m 0.001, /usage:m 0.001, /usage:m 0.001", "0", "-0.003");
    check("/usage:m 0.004, /usage:m 0.004", "0.01", "0.002"); // summed first, booked once
    check("/usage:m 0", "0", "0"); // free by price is charged at 0 and shown
}

#[test]
fn charges_that_differ_in_anything_of_the_key_are_lines_of_their_own() {
    let text = "b/usage:m 1, a/usage:m 2, a/usage:k 3, a/purchase 4, a/usage:m 5";
    let invoice = Setting::new().draft(&sums(text)).unwrap();
    let lines =
        invoice.lines.iter().map(|line| format!("{}: {}", line.number, digits(line.booked)));
    assert_eq!(lines.collect::<Vec<_>>(), ["1: 3", "2: 7", "3: 4", "4: 1"]);
}

#[test]
fn totals_go_from_charges_by_credit_and_prepayment_to_tax() {
    let check = |lots: &[Lot], text: &str, expected: &str| {
        let setting = Setting { lots: lots.to_vec(), ..Setting::new() };
        let invoice = setting.draft(&sums(text)).unwrap();
        assert_eq!(shown(&invoice.totals().unwrap()), expected, "{text}");
    };
    check(&[], "/usage:m 100", "100 -0 -0 = 100 +10 = 110");
    check(&[lot(LotKind::Credit, "30")], "/usage:m 100", "100 -30 -0 = 70 +7 = 77");
    check(&[lot(LotKind::Prepayment, "30")], "/usage:m 100", "100 -0 -30 = 70 +7 = 77");
    check(&[lot(LotKind::Credit, "300")], "/usage:m 100", "100 -100 -0 = 0 +0 = 0");
    check(&[lot(LotKind::Credit, "30")], "/usage:m 10, /refund:m -40", "-30 -0 -0 = -30 +-3 = -33");
}

#[test]
fn prepayment_is_bought_in_money_and_not_with_credit() {
    let setting = Setting { lots: vec![lot(LotKind::Credit, "500")], ..Setting::new() };
    let buys = LineKey { buys: Some(lot_id("p")), ..key("/purchase") };
    let mut sums = sums("/usage:m 20");
    sums.add(buys, Cost { major: n("100"), currency: usd() }).unwrap();
    let totals = setting.draft(&sums).unwrap().totals().unwrap();
    assert_eq!(shown(&totals), "120 -20 -0 = 100 +10 = 110");
}

#[test]
fn marketplace_charges_have_an_invoice_of_their_own() {
    let setting = Setting { lots: vec![lot(LotKind::Credit, "5")], ..Setting::new() };
    let alone = setting.draft(&sums("/marketplace 3")).unwrap();
    assert_eq!(shown(&alone.totals().unwrap()), "3 -0 -0 = 3 +0.3 = 3.3");
    let refused = setting.draft(&sums("/marketplace 3, /usage:m 1")).unwrap_err();
    assert_eq!(refused.to_string(), "invoice: d mixes marketplace charges with others");
}

#[test]
fn an_account_without_charges_has_an_invoice_over_nothing() {
    let invoice = Setting::new().draft(&LineSums::default()).unwrap();
    assert_eq!(shown(&invoice.totals().unwrap()), "0 -0 -0 = 0 +0 = 0");
    assert!(invoice.lines.is_empty() && invoice.taxes.is_empty());
}

#[test]
fn a_price_in_another_currency_is_converted_once_behind_the_exact_sum() {
    let rate = |from: &str, to: &str, rate: &str| ExchangeRate {
        id: format!("{from}-{to}"),
        from: Currency::parse(from).unwrap(),
        to: Currency::parse(to).unwrap(),
        rate: n(rate),
        source: "central bank".to_owned(),
        at: t("2026-03-31"),
    };
    let check = |text: &str, rates: &[ExchangeRate], booked: &str, rounding: &str| {
        let currency = rates[0].to;
        let setting = Setting { currency, rates: rates.to_vec(), ..Setting::new() };
        let invoice = setting.draft(&sums(text)).unwrap();
        let line = &invoice.lines[0];
        assert_eq!((&*digits(line.booked), line.exchange.as_ref()), (booked, rates.first()));
        assert_eq!(line.rounding().unwrap().major, n(rounding), "{text}");
        assert_eq!(line.exact.currency, currency);
    };
    check("/usage:m 10 EUR", &[rate("EUR", "USD", "1.0845")], "10.85", "0.005");
    check("/usage:m 0.004 EUR, /usage:m 0.006 EUR", &[rate("EUR", "USD", "1")], "0.01", "0");
    check("/usage:m 10 EUR", &[rate("EUR", "JPY", "163.456")], "1635", "0.44");
    check("/usage:m 1 USD", &[rate("USD", "BHD", "0.37605")], "0.376", "-0.00005");
    // Rounded to 18 places first, this would be half a cent and become a whole one.
    check("/usage:m 0.000000001 EUR", &[rate("EUR", "USD", "4999999.9999999999")], "0", "-0.005");
    // A correction keeps the rate at which its line was billed.
    let older = ExchangeRate { id: "older".to_owned(), ..rate("EUR", "USD", "2") };
    let setting = Setting { rates: vec![rate("EUR", "USD", "1"), older], ..Setting::new() };
    let mut both = sums("/usage:m 10 EUR");
    let kept = LineKey { rate: Some("older".to_owned()), ..key("/usage:m") };
    both.add(kept, Cost { major: n("10"), currency: Currency::parse("EUR").unwrap() }).unwrap();
    let booked: Vec<String> =
        setting.draft(&both).unwrap().lines.iter().map(|line| digits(line.booked)).collect();
    assert_eq!(booked, ["10", "20"]);
    let missing = Setting::new().draft(&sums("/usage:m 1 EUR")).unwrap_err();
    assert_eq!(missing.to_string(), "exchange rate `EUR to USD` does not exist");
}

#[test]
fn a_line_that_cannot_be_booked_is_an_error_of_this_invoice() {
    let mut sums = LineSums::default();
    let most = Cost { major: Fixed18::MAX, currency: usd() };
    sums.add(key("/usage:m"), most).unwrap();
    assert!(matches!(sums.add(key("/usage:m"), most), Err(Error::Money { .. })));
}

fn any_sums() -> impl Strategy<Value = LineSums> {
    let place = prop::sample::select(vec![
        "a/usage:m",
        "a/usage:k",
        "b/usage:m",
        "b/purchase",
        "/refund:m",
        "c/adjustment",
    ]);
    let charge = (place, -50_000_000_i128..200_000_000);
    prop::collection::vec(charge, 0..24).prop_map(|charges| {
        let mut sums = LineSums::default();
        for (place, micros) in charges {
            let major = Fixed18::from_atoms(micros * 1_000_000_000_007);
            sums.add(key(place), Cost { major, currency: usd() }).unwrap();
        }
        sums
    })
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn rated_rows_and_rounding_rows_are_the_invoice(sums in any_sums(), granted in 0_i64..9_000) {
        let lots = vec![Lot { granted: cents(granted), ..lot(LotKind::Credit, "0") }];
        let setting = Setting { lots, ..Setting::new() };
        let invoice = setting.draft(&sums).unwrap();
        let exact = Fixed18::checked_sum(sums.iter().map(|(_, cost)| cost.major)).unwrap();
        let rows = invoice.rounding_rows().unwrap();
        let rounding = Fixed18::checked_sum(rows.iter().map(|row| row.cost.major)).unwrap();
        let charges = invoice.totals().unwrap().charges.to_cost().unwrap().major;
        prop_assert_eq!(exact.checked_add(rounding).unwrap(), charges);
        for line in &invoice.lines {
            let rounding = line.rounding().unwrap().major.checked_abs().unwrap();
            prop_assert!(rounding <= n("0.005"));
        }
    }

    #[test]
    fn sections_categories_and_taxes_add_up_to_the_totals(sums in any_sums(), granted in 0_i64..9_000) {
        let lots = vec![Lot { granted: cents(granted), ..lot(LotKind::Prepayment, "0") }];
        let setting = Setting { lots, ..Setting::new() };
        let invoice = setting.draft(&sums).unwrap();
        let all = invoice.totals().unwrap();
        let sections = invoice.sections().unwrap();
        let sum = |pick: fn(&Totals) -> Money| sections.values().map(|s| pick(s).minor()).sum();
        let check = |pick: fn(&Totals) -> Money| {
            let expected: i128 = sum(pick);
            assert_eq!(pick(&all).minor(), expected);
        };
        check(|t| t.charges);
        check(|t| t.prepayment);
        check(|t| t.subtotal);
        check(|t| t.tax);
        check(|t| t.total);
        for part in sections.values().chain([&all]) {
            let left = part.charges.minor() + part.set_off.minor();
            let left = left - part.credit.minor() - part.prepayment.minor();
            prop_assert_eq!(left, part.subtotal.minor());
            prop_assert_eq!(part.subtotal.minor() + part.tax.minor(), part.total.minor());
        }
        prop_assert_eq!(all.set_off.minor(), 0);
        let categories: i128 = invoice.categories().unwrap().values().map(|m| m.minor()).sum();
        prop_assert_eq!(categories, all.charges.minor());
        let taxes: i128 = invoice.taxes.iter().map(|tax| tax.tax.minor()).sum();
        prop_assert_eq!(taxes, all.tax.minor());
    }
}

#[test]
fn every_cent_of_a_line_lies_in_one_of_its_charges() {
    let check = |costs: &[&str], expected: &[usize]| {
        let costs: Vec<Cost> =
            costs.iter().map(|cost| Cost { major: n(cost), currency: usd() }).collect();
        let mut sums = LineSums::default();
        for cost in &costs {
            sums.add(key("/usage:m"), *cost).unwrap();
        }
        let invoice = Setting::new().draft(&sums).unwrap();
        let line = &invoice.lines[0];
        let most = u64::try_from(line.booked.minor().unsigned_abs()).unwrap();
        let places = (1..=most).map(|cent| line.charge_of_cent(&costs, cent).unwrap().unwrap());
        assert_eq!(places.collect::<Vec<_>>(), expected, "{costs:?}");
        for none in [0, most + 1] {
            assert!(line.charge_of_cent(&costs, none).is_err(), "cent {none} of {costs:?}");
        }
    };
    check(&["0.02", "0.01"], &[0, 0, 1]);
    check(&["0.004", "0.004", "0.004"], &[0]);
    check(&["0.005"], &[0]);
    check(&["0.015", "0.001"], &[0, 0]);
    check(&["-0.02", "0.01", "0.03"], &[2, 2]);
    check(&["-0.01", "-0.02"], &[0, 1, 1]);
    check(&["0.001"], &[]);
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn every_figure_is_the_sum_of_its_lines(sums in any_sums(), granted in 0_i64..9_000) {
        let lots = vec![Lot { granted: cents(granted), ..lot(LotKind::Credit, "0") }];
        let setting = Setting { lots, ..Setting::new() };
        let invoice = setting.draft(&sums).unwrap();
        let mut figures = vec![Figure::Total, Figure::Rounding];
        figures.extend(invoice.taxes.iter().map(|tax| Figure::Tax(tax.rule.category.clone())));
        figures.extend(invoice.sections().unwrap().into_keys().map(Figure::Section));
        figures.extend(invoice.lines.iter().map(|line| Figure::Line(line.number)));
        for figure in figures {
            prop_assert_eq!(&Figure::parse(&figure.to_string()).unwrap(), &figure);
            let addends = invoice.addends(&figure).unwrap();
            let shares = addends.parts.iter().map(|part| part.share.major);
            prop_assert_eq!(Fixed18::checked_sum(shares).unwrap(), addends.amount.major);
            if let Ok(Some(led)) = addends.leads_to(Some(1)) {
                let (unit, share) = led.unit.unwrap();
                let cent = invoice.line(led.line).unwrap().cent_of_share(unit, share).unwrap();
                prop_assert!(cent >= 1);
            }
        }
    }
}

#[test]
fn the_cents_of_a_figure_lie_in_its_lines_in_their_order() {
    let invoice = Setting::new().draft(&sums("a/usage:m 1, b/usage:k 2")).unwrap();
    let check = |figure: &str, cent: u64, expected: Option<(u32, u64)>| {
        let addends = invoice.addends(&Figure::parse(figure).unwrap()).unwrap();
        let led = addends.leads_to(Some(cent)).ok().flatten();
        let led = led.map(|led| (led.line, led.unit.unwrap()));
        let led = led.map(|(line, (unit, share))| {
            (line, invoice.line(line).unwrap().cent_of_share(unit, share).unwrap())
        });
        assert_eq!(led, expected, "cent {cent} of {figure}");
    };
    // With tax the lines ask for 1.10 and 2.20.
    check("total", 1, Some((1, 1)));
    check("total", 110, Some((1, 100)));
    check("total", 111, Some((2, 1)));
    check("total", 330, Some((2, 200)));
    check("total", 331, None);
    check("total", 0, None);
    check("tax=standard", 100, Some((1, 100)));
    check("tax=standard", 101, Some((2, 1)));
    check("section=b", 220, Some((2, 200)));
    check("rounding", 1, None);
}
