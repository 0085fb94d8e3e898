//! Tax: once for a document, and back to its lines to the cent.

use super::*;
use crate::fixtures::{cents, dollars, few, legal_entity, n, tax_category, usd};
use proptest::prelude::*;

fn rule(category: &str, rate: &str, liability: Liability) -> (TaxCategory, TaxRule) {
    let (seller, buyer) = (legal_entity("us"), legal_entity("them"));
    let category = tax_category(category);
    (category.clone(), TaxRule { category, seller, buyer, rate: n(rate), liability })
}

fn table() -> TaxTable {
    TaxTable::from([
        rule("standard", "0.19", Liability::Seller),
        rule("reduced", "0.07", Liability::Seller),
        rule("reverse", "0.19", Liability::ReverseCharge),
    ])
}

/// `standard 0.10, reduced 3`: category and taxable amount of each line.
fn lines(text: &str) -> Vec<Taxable> {
    let line = |text: &str| {
        let (category, amount) = text.trim().split_once(' ').unwrap();
        Taxable { category: tax_category(category), amount: dollars(amount) }
    };
    text.split(',').map(line).collect()
}

fn check(text: &str, taxes: &str, parts: &str) {
    let rounding = Rounding::default();
    let (made, shares) = tax(&table(), usd(), rounding, &lines(text)).unwrap();
    let digits = |money: Money| money.to_cost().unwrap().major.to_string();
    let made = made
        .iter()
        .map(|tax| format!("{} {} of {}", tax.rule.category, digits(tax.tax), digits(tax.taxable)));
    assert_eq!(made.collect::<Vec<_>>().join(", "), taxes, "{text}");
    assert_eq!(shares.into_iter().map(digits).collect::<Vec<_>>().join(", "), parts, "{text}");
}

#[test]
fn tax_is_rounded_once_for_the_document_and_goes_back_by_largest_remainder() {
    check("standard 100", "standard 19 of 100", "19");
    // Line by line 0.10 would be taxed 0.02 three times: 0.06.
    check(
        "standard 0.10, standard 0.10, standard 0.10",
        "standard 0.06 of 0.3",
        "0.02, 0.02, 0.02",
    );
    check(
        "standard 0.05, standard 0.05, standard 0.05",
        "standard 0.03 of 0.15",
        "0.01, 0.01, 0.01",
    );
    check("standard 0.02, standard 0.02, standard 0.02", "standard 0.01 of 0.06", "0.01, 0, 0");
    check("standard 0.02, standard 0.04, standard 0.01", "standard 0.01 of 0.07", "0, 0.01, 0");
}

#[test]
fn each_category_is_a_tax_of_its_own() {
    check(
        "standard 10, reduced 10, standard 5",
        "reduced 0.7 of 10, standard 2.85 of 15",
        "1.9, 0.7, 0.95",
    );
}

#[test]
fn what_is_taken_back_takes_its_tax_back() {
    check("standard 10, standard -4", "standard 1.14 of 6", "1.9, -0.76");
    check("standard -10", "standard -1.9 of -10", "-1.9");
    check("standard 0.03, standard -0.03", "standard 0 of 0", "0.01, -0.01");
}

#[test]
fn reverse_charge_is_named_and_charges_nothing() {
    check("reverse 100, standard 1", "reverse 0 of 100, standard 0.19 of 1", "0, 0.19");
}

#[test]
fn a_category_without_a_rule_is_refused() {
    let refused = tax(&table(), usd(), Rounding::default(), &lines("exempt 1")).unwrap_err();
    assert_eq!(refused.to_string(), "tax rule `exempt` does not exist");
}

#[test]
fn a_rate_is_a_fraction_whose_tax_is_exact() {
    let check = |rate: &str, expected: &str| {
        let (_, rule) = rule("standard", rate, Liability::Seller);
        let shown = rule.check().map_or_else(|e| e.to_string(), |()| "fine".to_owned());
        assert_eq!(shown, expected, "{rate}");
    };
    check("0", "fine");
    check("1", "fine");
    check("0.08875", "fine");
    check("0.00000000000001", "fine");
    check("19", "tax `standard` rate: 19 is not between 0 and 1");
    check("-0.01", "tax `standard` rate: -0.01 is not between 0 and 1");
    check("0.000000000000001", "tax `standard` rate: 0.000000000000001 has more than 14 places");
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn parts_add_up_to_the_tax_and_the_tax_is_the_rate_on_the_sum(
        amounts in prop::collection::vec(-100_000_i64..1_000_000, 1..20),
        rate in 0_i128..=10_000,
        exponent in prop::sample::select(vec!["USD", "JPY", "BHD", "CLF"]),
    ) {
        let currency = Currency::parse(exponent).unwrap();
        let rate = Fixed18::from_atoms(rate * 100_000_000_000_000);
        let (category, mut rule) = rule("standard", "0", Liability::Seller);
        rule.rate = rate;
        let line = |minor: &i64| {
            let amount = Money::from_minor(i128::from(*minor), currency);
            Taxable { category: category.clone(), amount }
        };
        let lines: Vec<Taxable> = amounts.iter().map(line).collect();
        let table = TaxTable::from([(category.clone(), rule)]);
        let (taxes, parts) = tax(&table, currency, Rounding::default(), &lines).unwrap();
        let sum: i128 = amounts.iter().map(|a| i128::from(*a)).sum();
        let whole = Money::from_minor(sum, currency).to_cost().unwrap().major;
        let exact = whole.checked_mul(rate, 18, Rounding::TowardZero).unwrap();
        let expected = Cost { major: exact, currency }.book(Rounding::default()).unwrap();
        prop_assert_eq!(taxes[0].tax, expected);
        prop_assert_eq!(Money::checked_sum(currency, parts.iter().copied()).unwrap(), expected);
        for (part, line) in parts.iter().zip(&lines) {
            let own = line.amount.to_cost().unwrap().major;
            let own = own.checked_mul(rate, 18, Rounding::TowardZero).unwrap().atoms();
            let unit = 10_i128.pow(18 - currency.exponent());
            prop_assert!((part.to_cost().unwrap().major.atoms() - own).abs() <= unit);
        }
    }

    #[test]
    fn no_amount_has_a_tax_of_more_than_itself(amount in 0_i64..1_000_000) {
        let lines = [Taxable { category: tax_category("standard"), amount: cents(amount) }];
        let (taxes, _) = tax(&table(), usd(), Rounding::default(), &lines).unwrap();
        prop_assert!(taxes[0].tax.minor() <= i128::from(amount));
    }
}
