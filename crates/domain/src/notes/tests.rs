//! Notes: what can be taken back, and that it is taken back to the cent.

use super::*;
use crate::fixtures::{cents, document, dollars, few, invoice_of, n};
use proptest::prelude::*;

/// Shows a note's lines: `1: 5 +0.5, …`, line of the invoice, net and tax.
fn shown(note: &Note) -> String {
    let digits = |money: Money| money.to_cost().unwrap().major.to_string();
    let line =
        |line: &NoteLine| format!("{}: {} +{}", line.amends, digits(line.net), digits(line.tax));
    note.lines.iter().map(line).collect::<Vec<_>>().join(", ")
}

fn wanted(text: &str) -> Vec<Wanted> {
    let one = |text: &str| {
        let (line, net) = text.trim().split_once(' ').unwrap();
        Wanted { line: line.parse().unwrap(), net: dollars(net) }
    };
    text.split(',').map(one).collect()
}

/// Credit notes one after the other on an invoice over 10 and 20 dollars, taxed at 19 %.
fn check(notes: &[&str], expected: &[&str]) {
    let invoice = invoice_of("d", &["10", "20"], "0.19", &[]);
    let mut made: Vec<Note> = Vec::new();
    for (text, expected) in notes.iter().zip(expected) {
        let id = document(&format!("n-{}", made.len()));
        let note = match *text {
            "void" => void_note(id, &invoice, &made),
            text => credit_note(id, &invoice, &made, &wanted(text)),
        };
        match note {
            Ok(note) => {
                assert_eq!(shown(&note), *expected, "{notes:?}");
                made.push(note);
            }
            Err(error) => assert_eq!(error.to_string(), *expected, "{notes:?}"),
        }
    }
}

#[test]
fn a_line_can_be_taken_back_once() {
    check(&["1 10"], &["1: 10 +1.9"]);
    check(&["1 4", "1 6"], &["1: 4 +0.76", "1: 6 +1.14"]);
    check(&["1 4, 2 1"], &["1: 4 +0.76, 2: 1 +0.19"]);
    check(
        &["1 4", "1 6.01"],
        &["1: 4 +0.76", "line `1 of d`: has 6.00 USD left to take back, not 6.01 USD"],
    );
    check(&["1 6, 1 6"], &["line `1 of d`: has 4.00 USD left to take back, not 6.00 USD"]);
    check(&["3 1"], &["line `3 of d` does not exist"]);
    check(&["1 0"], &["line 1: 0.00 USD is not above zero"]);
    check(&["1 -1"], &["line 1: -1.00 USD is not above zero"]);
}

#[test]
fn a_void_note_takes_back_what_credit_notes_left() {
    check(&["void"], &["1: 10 +1.9, 2: 20 +3.8"]);
    check(&["1 4", "void"], &["1: 4 +0.76", "1: 6 +1.14, 2: 20 +3.8"]);
    check(&["void", "void"], &["1: 10 +1.9, 2: 20 +3.8", "invoice `d`: is void by n-0"]);
    check(&["void", "1 1"], &["1: 10 +1.9, 2: 20 +3.8", "invoice `d`: is void by n-0"]);
}

#[test]
fn a_credit_note_names_something() {
    let invoice = invoice_of("d", &["10"], "0.19", &[]);
    let refused = credit_note(document("n"), &invoice, &[], &[]).unwrap_err();
    assert_eq!(refused.to_string(), "lines: name at least one line to take back");
}

#[test]
fn what_lots_paid_goes_back_to_them_by_a_void_note_only() {
    let invoice = invoice_of("d", &["10"], "0.19", &["c 4"]);
    let refused = credit_note(document("n"), &invoice, &[], &wanted("1 6.01")).unwrap_err();
    assert_eq!(refused.to_string(), "line `1 of d`: has 6.00 USD left to take back, not 6.01 USD");
    let credit = credit_note(document("n"), &invoice, &[], &wanted("1 6")).unwrap();
    assert!(credit.lines[0].lots.is_empty());
    let void = void_note(document("v"), &invoice, &[credit]).unwrap();
    assert_eq!((shown(&void), &void.lines[0].lots), ("1: 0 +0".to_owned(), &invoice.lines[0].paid));
}

#[test]
fn a_rebill_takes_the_place_of_a_void_invoice_of_the_same_payer_and_period() {
    let old = invoice_of("d", &["10"], "0.19", &[]);
    let new = invoice_of("e", &["9"], "0.19", &[]);
    let refused = rebill(new.clone(), &old, &[]).unwrap_err();
    assert!(refused.to_string().starts_with("invoice `d`: is not void"));
    let void = [void_note(document("n"), &old, &[]).unwrap()];
    assert!(rebill(old.clone(), &old, &void).is_err());
    let elsewhere = Invoice { period: old.period.next(), ..new.clone() };
    assert!(rebill(elsewhere, &old, &void).is_err());
    let second = rebill(new, &old, &void).unwrap();
    assert_eq!(second.replaces, Some(document("d")));
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn credit_notes_that_take_back_a_line_take_back_its_tax(
        net in 1_i64..5_000,
        cuts in prop::collection::vec(1_i64..5_000, 0..6),
        rate in 0_i64..100,
    ) {
        let rate = n("0.01").checked_mul(money::Fixed18::from_int(rate), 18, money::Rounding::default());
        let amount = cents(net).to_cost().unwrap().major.to_string();
        let invoice = invoice_of("d", &[&amount], &rate.unwrap().to_string(), &[]);
        let mut bounds: Vec<i64> = cuts.into_iter().filter(|cut| *cut < net).chain([0, net]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let mut notes: Vec<Note> = Vec::new();
        for pair in bounds.windows(2) {
            let wanted = [Wanted { line: 1, net: cents(pair[1] - pair[0]) }];
            let id = document(&format!("n-{}", notes.len()));
            let note = credit_note(id, &invoice, &notes, &wanted).unwrap();
            prop_assert!(!note.lines[0].tax.is_negative());
            notes.push(note);
        }
        let total: i128 = notes.iter().map(|note| note.total().unwrap().minor()).sum();
        prop_assert_eq!(total, invoice.totals().unwrap().total.minor());
        let wanted = [Wanted { line: 1, net: cents(1) }];
        prop_assert!(credit_note(document("one-more"), &invoice, &notes, &wanted).is_err());
    }
}
