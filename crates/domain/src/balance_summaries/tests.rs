//! Balances of billing periods, as stories: what was booked in which month, and what it comes to.
//! Random histories stand with those of postings.

use super::*;
use crate::fixtures::*;
use crate::notes::{Wanted, credit_note, void_note};
use crate::posting::{self, Standing};

/// March: 100 prepaid and 20 given, an invoice over 12 and 113; credit is drawn first.
fn march() -> (BalanceBooks, Invoice) {
    let lots = ["c 20", "p 100"];
    let invoice = invoice_of("d", &["12", "113"], "0", &lots);
    let mut books = BalanceBooks::new(usd());
    for lot in lots {
        let entry = posting::grant(&march_lot(lot), t("2026-03-01")).unwrap();
        books.add_entry(period("2026-03"), &entry).unwrap();
    }
    for entry in posting::invoice(&invoice, t("2026-04-05")).unwrap() {
        books.add_entry(period("2026-03"), &entry).unwrap();
    }
    books.add_invoice(period("2026-03"), &invoice).unwrap();
    (books, invoice)
}

/// A note on the invoice, issued in a month.
fn add_note(books: &mut BalanceBooks, of: &str, note: &Note, invoice: &Invoice) {
    let standing = Standing { owed: dollars("5"), written_off: dollars("0") };
    for entry in posting::note(note, invoice, standing, t("2026-04-20")).unwrap() {
        books.add_entry(period(of), &entry).unwrap();
    }
    books.add_note(period(of), note, invoice).unwrap();
}

/// `0 + 100 + 20 − 120 = 0; 5 + 0, 0 apart; grant c 20`: the sums of a month, and its adjustments.
fn shown(books: &BalanceBooks, of: &str) -> String {
    let balance = books.of(period(of), books.held().unwrap()).unwrap();
    assert_eq!(balance.problem().unwrap(), None, "{of}");
    let BalanceSummary { beginning, new_purchases, adjustments, totals } = balance.summary;
    let DrawTotals { utilized, service_overage, billed_separately, marketplace } = totals;
    let ending = balance.summary.ending().unwrap();
    let [beginning, bought, adjusted, utilized, ending] =
        [beginning, new_purchases, adjustments, utilized, ending].map(Money::digits);
    let [overage, separately, apart] =
        [service_overage, billed_separately, marketplace].map(Money::digits);
    let change =
        |one: &LotChange| format!("{} {} {}", one.kind.name(), one.lot, one.amount.digits());
    let changes: Vec<String> = balance.adjustments.iter().map(change).collect();
    format!(
        "{beginning} + {bought} + {adjusted} - {utilized} = {ending}; \
         {overage} + {separately}, {apart} apart; {}",
        changes.join(", ")
    )
}

#[test]
fn a_month_ends_with_what_its_lots_hold() {
    let (mut books, _) = march();
    let expected = "0.00 + 100.00 + 20.00 - 120.00 = 0.00; 5.00 + 0.00, 0.00 apart; grant c 20.00";
    assert_eq!(shown(&books, "2026-03"), expected);
    let lot = march_lot("c2 7");
    for entry in [
        posting::grant(&lot, t("2026-04-01")).unwrap(),
        posting::expiry(&lot, dollars("7")).unwrap(),
    ] {
        books.add_entry(period("2026-04"), &entry).unwrap();
    }
    let april = "0.00 + 0.00 + 0.00 - 0.00 = 0.00; 0.00 + 0.00, 0.00 apart; \
                 grant c2 7.00, expiry c2 -7.00";
    assert_eq!(shown(&books, "2026-03"), expected, "what comes later changes nothing");
    assert_eq!(shown(&books, "2026-04"), april);
    let none = "0.00 + 0.00 + 0.00 - 0.00 = 0.00; 0.00 + 0.00, 0.00 apart; ";
    assert_eq!(shown(&books, "2026-02"), none);
}

#[test]
fn a_note_counts_in_the_month_it_was_issued_in() {
    let (mut books, invoice) = march();
    let march = shown(&books, "2026-03");
    let wanted = [Wanted { line: 2, net: dollars("2") }];
    let credit = credit_note(document("n"), &invoice, &[], &wanted).unwrap();
    add_note(&mut books, "2026-04", &credit, &invoice);
    let taken = "0.00 + 0.00 + 0.00 - 0.00 = 0.00; -2.00 + 0.00, 0.00 apart; ";
    assert_eq!(shown(&books, "2026-04"), taken);
    let void = void_note(document("v"), &invoice, &[credit]).unwrap();
    add_note(&mut books, "2026-05", &void, &invoice);
    let given_back = "0.00 + 0.00 + 120.00 - 0.00 = 120.00; -3.00 + 0.00, 0.00 apart; \
                      given_back c 20.00, given_back p 100.00";
    assert_eq!(shown(&books, "2026-05"), given_back);
    assert_eq!(shown(&books, "2026-03"), march);
    // Behind all of them it is what the last one left.
    let behind = "120.00 + 0.00 + 0.00 - 0.00 = 120.00; 0.00 + 0.00, 0.00 apart; ";
    assert_eq!(shown(&books, "2026-06"), behind);
}

#[test]
fn documents_that_the_ledger_does_not_know_are_a_problem() {
    let (mut books, invoice) = march();
    books.add_invoice(period("2026-03"), &invoice).unwrap();
    let balance = books.of(period("2026-03"), books.held().unwrap()).unwrap();
    let problem = balance.problem().unwrap();
    assert_eq!(problem.as_deref(), Some("it ends with -120.00 USD, but lots hold 0.00 USD"));
    let balance = books.of(period("2026-02"), books.held().unwrap()).unwrap();
    assert_eq!(balance.problem().unwrap(), None, "the month before is sound");
}
