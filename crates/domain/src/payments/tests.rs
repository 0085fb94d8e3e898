//! Payments: whole, part and too much.

use super::*;
use crate::fixtures::{cents, document, dollars, few};
use proptest::prelude::*;

fn owed(text: &str) -> Vec<DocumentAmount> {
    let one = |text: &str| {
        let (id, amount) = text.trim().split_once(' ').unwrap();
        DocumentAmount { document: document(id), amount: dollars(amount) }
    };
    text.split(',').map(one).collect()
}

#[test]
fn a_payment_goes_to_documents_in_order_and_the_rest_is_open_credit() {
    let check = |amount: &str, text: &str, expected: &str| {
        let settled = settle(dollars(amount), &owed(text)).unwrap();
        let digits = |money: Money| money.to_cost().unwrap().major.to_string();
        let parts = settled.parts.iter().map(|p| format!("{} {}", p.document, digits(p.amount)));
        let parts: Vec<String> = parts.collect();
        let shown = format!("{} | {}", parts.join(", "), digits(settled.surplus));
        assert_eq!(shown, expected, "{amount} for {text}");
    };
    check("10", "a 10", "a 10 | 0");
    check("4", "a 10", "a 4 | 0");
    check("12.50", "a 10", "a 10 | 2.5");
    check("12.50", "a 10, b 10", "a 10, b 2.5 | 0");
    check("25", "a 10, b 0, c 10", "a 10, c 10 | 5");
    check("5", "a 0", " | 5");
}

#[test]
fn what_is_left_over_makes_good_for_what_was_written_off() {
    let check = |amount: &str, written_off: &str, expected: (&[i128], i128)| {
        let settled = settle(dollars(amount), &owed("a 10")).unwrap();
        let settled = settled.recover(&owed(written_off)).unwrap();
        let recovered: Vec<i128> = settled.recovered.iter().map(|one| one.amount.minor()).collect();
        assert_eq!((recovered.as_slice(), settled.surplus.minor()), expected, "{amount}");
    };
    check("10", "a 3", (&[], 0));
    check("12", "a 3", (&[200], 0));
    check("15", "a 3, b 1", (&[300, 100], 100));
    check("15", "a 0", (&[], 500));
}

#[test]
fn a_payment_is_above_zero_and_of_the_documents_currency() {
    assert!(settle(dollars("0"), &owed("a 1")).is_err());
    assert!(settle(dollars("-1"), &owed("a 1")).is_err());
    let yen = Money::from_minor(5, Currency::parse("JPY").unwrap());
    assert!(settle(yen, &owed("a 1")).is_err());
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn parts_and_surplus_are_the_payment_and_nobody_gets_more_than_owed(
        amount in 1_i64..10_000,
        owed in prop::collection::vec(0_i64..3_000, 0..6),
    ) {
        let owed: Vec<DocumentAmount> = (0..).zip(owed).map(|(id, amount): (u32, i64)| {
            DocumentAmount { document: document(&format!("d-{id}")), amount: cents(amount) }
        }).collect();
        let settled = settle(cents(amount), &owed).unwrap();
        let parts: i128 = settled.parts.iter().map(|part| part.amount.minor()).sum();
        prop_assert_eq!(parts + settled.surplus.minor(), i128::from(amount));
        let all: i128 = owed.iter().map(|one| one.amount.minor()).sum();
        prop_assert_eq!(parts, all.min(i128::from(amount)));
        for part in &settled.parts {
            let owed = owed.iter().find(|one| one.document == part.document).unwrap();
            prop_assert!(0 < part.amount.minor() && part.amount.minor() <= owed.amount.minor());
        }
    }
}
