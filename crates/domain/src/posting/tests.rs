//! What business events do to the ledger, as stories, and as random lives of an invoice.

use super::*;
use crate::fixtures::*;
use crate::invoice::{LineKey, LineSums};
use crate::ledger::Ledger;
use crate::notes::{Wanted, credit_note, void_note};
use crate::payments::settle;
use money::Cost;
use proptest::prelude::*;

mod history;

/// A payer's books with one invoice in them.
struct Books {
    ledger: Ledger,
    invoice: Invoice,
    notes: Vec<Note>,
    payments: u32,
}

impl Books {
    fn with(invoice: Invoice, lots: &[&str]) -> Books {
        let mut books =
            Books { ledger: Ledger::default(), invoice, notes: Vec::new(), payments: 0 };
        for lot in lots {
            books.post(vec![grant(&march_lot(lot), t("2026-03-01")).unwrap()]).unwrap();
        }
        books.post(super::invoice(&books.invoice, t("2026-04-05")).unwrap()).unwrap();
        books
    }

    fn post(&mut self, entries: Vec<Entry>) -> Result<usize> {
        self.ledger.post(entries)
    }

    fn held(&self, account: &LedgerAccount) -> Money {
        self.ledger.balances().of(account, usd())
    }

    fn owed(&self) -> DocumentAmount {
        let document = self.invoice.id.clone();
        let amount = self.held(&LedgerAccount::Receivable(document.clone()));
        DocumentAmount { document, amount }
    }

    /// One event: `pay 10`, `credit 1 5`, `void`, `write off`, `refund 3`, `apply 2`.
    fn event(&mut self, text: &str) -> Result<usize> {
        let at = t("2026-04-20");
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["pay", amount] | ["refund", amount] => {
                self.payments += 1;
                let id = payment_id(&self.payments.to_string());
                let payment = Payment { id, at, amount: dollars(amount) };
                if words[0] == "refund" {
                    return self.post(vec![refund(&payment)?]);
                }
                let settled = settle(payment.amount, &[self.owed()])?;
                self.post(vec![super::payment(&payment, &settled)?])
            }
            ["apply", amount] => {
                self.payments += 1;
                let to = DocumentAmount { amount: dollars(amount), ..self.owed() };
                self.post(vec![open_credit(&to, self.payments, at)?])
            }
            ["write", "off"] => self.post(vec![write_off(&self.owed(), at)?]),
            ["credit", line, net] => {
                let wanted = [Wanted { line: line.parse().unwrap(), net: dollars(net) }];
                let id = document(&format!("n-{}", self.notes.len()));
                let note = credit_note(id, &self.invoice, &self.notes, &wanted)?;
                self.issue(note, at)
            }
            ["void"] => {
                let id = document(&format!("n-{}", self.notes.len()));
                let note = void_note(id, &self.invoice, &self.notes)?;
                self.issue(note, at)
            }
            _ => panic!("{text} is no event"),
        }
    }

    fn issue(&mut self, note: Note, at: Instant) -> Result<usize> {
        let written_off = self.held(&LedgerAccount::WriteOff(self.invoice.id.clone()));
        let standing = Standing { owed: self.owed().amount, written_off };
        let entries = super::note(&note, &self.invoice, standing, at)?;
        let posted = self.post(entries)?;
        self.notes.push(note);
        Ok(posted)
    }

    /// `owed`, `open` credit, `money` that came in, `off`: written off, and each lot.
    fn shown(&self) -> String {
        let digits =
            |account: &LedgerAccount| self.held(account).to_cost().unwrap().major.to_string();
        let mut words = vec![
            format!("owed {}", digits(&self.owed_account())),
            format!("open {}", digits(&LedgerAccount::OpenCredit)),
            format!("money {}", digits(&LedgerAccount::Payments)),
        ];
        let written_off = LedgerAccount::WriteOff(self.invoice.id.clone());
        for (account, _) in self.ledger.balances().iter() {
            match account {
                LedgerAccount::Credit(lot) | LedgerAccount::Prepayment(lot) => {
                    words.push(format!("{lot} {}", digits(account)));
                }
                account if *account == written_off => {
                    words.push(format!("off {}", digits(account)))
                }
                _ => {}
            }
        }
        words.join(", ")
    }

    fn owed_account(&self) -> LedgerAccount {
        LedgerAccount::Receivable(self.invoice.id.clone())
    }

    /// Revenue of all categories and tax payable.
    fn earned(&self) -> i128 {
        let is_earned = |account: &LedgerAccount| {
            matches!(account, LedgerAccount::Revenue(_) | LedgerAccount::TaxPayable(_))
        };
        let held = self.ledger.balances().iter().filter(|(account, _)| is_earned(account));
        held.map(|(_, held)| held.minor()).sum()
    }
}

/// An invoice over 10 and 20 dollars with 10 % tax, the lots that pay it, and what happens to it.
fn check(lots: &[&str], events: &[&str], expected: &str) {
    let mut books = Books::with(invoice_of("d", &["10", "20"], "0.1", lots), lots);
    for event in events {
        if let Err(error) = books.event(event) {
            assert_eq!(error.to_string(), expected, "{lots:?} {events:?}");
            return;
        }
    }
    assert_eq!(books.shown(), expected, "{lots:?} {events:?}");
}

#[test]
fn an_invoice_is_owed_until_it_is_paid_and_too_much_is_open_credit() {
    check(&[], &[], "owed 33, open 0, money 0");
    check(&[], &["pay 33"], "owed 0, open 0, money 33");
    check(&[], &["pay 13"], "owed 20, open 0, money 13");
    check(&[], &["pay 13", "pay 25"], "owed 0, open 5, money 38");
    check(&[], &["pay 38", "refund 5"], "owed 0, open 0, money 33");
    let below = "ledger account `open_credit` would be left with -0.01 USD";
    check(&[], &["pay 38", "refund 5.01"], below);
    check(&[], &["refund 0.01"], below);
}

#[test]
fn lots_pay_before_money_and_lower_the_tax() {
    check(&["c 12"], &[], "owed 19.8, open 0, money 0");
    check(&["c 50"], &[], "owed 0, open 0, money 0, c 20");
    check(&["p 12"], &[], "owed 19.8, open 0, money 12"); // bought without an invoice
}

#[test]
fn a_credit_note_lowers_what_is_owed_and_what_was_paid_becomes_open_credit() {
    check(&[], &["credit 2 20"], "owed 11, open 0, money 0");
    check(&[], &["pay 33", "credit 2 20"], "owed 0, open 22, money 33");
    check(&[], &["pay 20", "credit 2 20"], "owed 0, open 9, money 20");
    check(&[], &["pay 33", "credit 2 20", "refund 22"], "owed 0, open 0, money 11");
    check(
        &[],
        &["credit 2 20", "credit 2 1"],
        "line `2 of d`: has 0.00 USD left to take back, not 1.00 USD",
    );
}

#[test]
fn a_void_invoice_is_owed_nothing_and_gives_lots_and_money_back() {
    check(&[], &["void"], "owed 0, open 0, money 0");
    check(&[], &["pay 33", "void"], "owed 0, open 33, money 33");
    check(&["c 12"], &["void"], "owed 0, open 0, money 0, c 12");
    check(&["c 12"], &["pay 19.80", "credit 2 18", "void"], "owed 0, open 19.8, money 19.8, c 12");
}

#[test]
fn what_was_written_off_never_becomes_open_credit() {
    check(&[], &["write off"], "owed 0, open 0, money 0, off 33");
    check(&[], &["pay 13", "write off"], "owed 0, open 0, money 13, off 20");
    check(&[], &["pay 13", "write off", "void"], "owed 0, open 13, money 13");
    check(&[], &["pay 13", "write off", "credit 1 10"], "owed 0, open 0, money 13, off 9");
    check(&[], &["pay 13", "write off", "credit 2 20"], "owed 0, open 2, money 13");
}

/// An invoice over usage and a greater refund: the payer is owed 11 dollars.
fn below_zero() -> Invoice {
    let of = invoice_of("x", &["10"], "0.1", &[]).lines[0].key.clone();
    let mut sums = LineSums::default();
    let mut add = |key: LineKey, major: &str| {
        sums.add(key, Cost { major: n(major), currency: usd() }).unwrap();
    };
    add(of.clone(), "10");
    add(LineKey { category: ChargeCategory::Refund, ..of }, "-20");
    invoice_from("d", &sums, "0.1", &[])
}

#[test]
fn an_invoice_below_zero_is_open_credit_until_it_is_void() {
    let check = |events: &[&str], expected: &str| {
        let mut books = Books::with(below_zero(), &[]);
        let failed = events.iter().find_map(|event| books.event(event).err());
        assert_eq!(failed.map_or_else(|| books.shown(), |e| e.to_string()), expected);
        books.earned()
    };
    assert_eq!(check(&[], "owed 0, open 11, money 0"), -1_100);
    assert_eq!(check(&["void"], "owed 0, open 0, money 0"), 0);
    // Once it is paid out, it cannot be taken back.
    check(&["refund 11", "void"], "ledger account `open_credit` would be left with -11.00 USD");
}

#[test]
fn buying_prepayment_fills_the_lot_and_earns_nothing() {
    let key = invoice_of("x", &["10"], "0.1", &[]).lines[0].key.clone();
    let key = LineKey { category: ChargeCategory::Purchase, buys: Some(lot_id("p")), ..key };
    let mut sums = LineSums::default();
    sums.add(key, Cost { major: n("100"), currency: usd() }).unwrap();
    let mut books = Books::with(invoice_from("d", &sums, "0.1", &[]), &[]);
    assert_eq!((&*books.shown(), books.earned()), ("owed 110, open 0, money 0, p 100", 1_000));
    books.event("void").unwrap();
    assert_eq!((&*books.shown(), books.earned()), ("owed 0, open 0, money 0", 0));
}

#[test]
fn a_lot_that_ends_holds_nothing() {
    let mut books = Books::with(invoice_of("d", &["10"], "0.1", &["c 12"]), &["c 12"]);
    let left = books.held(&LedgerAccount::Credit(lot_id("c")));
    let entry = expiry(&march_lot("c 12"), left).unwrap();
    assert_eq!(entry.at(), t("2026-04-01"));
    books.post(vec![entry]).unwrap();
    assert_eq!(books.held(&LedgerAccount::Expired), dollars("2"));
    assert!(books.held(&LedgerAccount::Credit(lot_id("c"))).is_zero());
}

#[test]
fn late_usage_that_is_not_billed_stays_visible() {
    let mut books = Books::with(invoice_of("d", &["10"], "0.1", &[]), &[]);
    let late = DocumentAmount { document: document("d"), amount: dollars("0.30") };
    books.post(vec![not_billed(&late, 1, t("2026-05-05")).unwrap()]).unwrap();
    assert_eq!(books.held(&LedgerAccount::NotBilled(document("d"))), dollars("0.30"));
    assert_eq!((books.owed().amount, books.earned()), (dollars("11"), 1_130));
}

fn any_event() -> impl Strategy<Value = String> {
    let amount = (1_i64..4_000).prop_map(|c| cents(c).to_cost().unwrap().major.to_string());
    prop_oneof![
        4 => amount.clone().prop_map(|a| format!("pay {a}")),
        4 => (1_u32..4, amount.clone()).prop_map(|(line, a)| format!("credit {line} {a}")),
        1 => amount.clone().prop_map(|a| format!("refund {a}")),
        1 => amount.prop_map(|a| format!("apply {a}")),
        1 => Just("write off".to_owned()),
        1 => Just("void".to_owned()),
    ]
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn whatever_happens_the_books_hold(
        amounts in prop::collection::vec(-2_000_i64..4_000, 1..4),
        credit in 0_i64..3_000,
        events in prop::collection::vec(any_event(), 0..12),
    ) {
        let digits = |c: i64| cents(c).to_cost().unwrap().major.to_string();
        let amounts: Vec<String> = amounts.into_iter().map(digits).collect();
        let amounts: Vec<&str> = amounts.iter().map(String::as_str).collect();
        let lot = format!("c {}", digits(credit));
        let lots = [lot.as_str()];
        let mut books = Books::with(invoice_of("d", &amounts, "0.19", &lots), &lots);
        let before = books.earned();
        prop_assert_eq!(before, {
            let totals = books.invoice.totals().unwrap();
            totals.charges.minor() + totals.tax.minor()
        });
        for event in events {
            let _ = books.event(&event);
            let taken: i128 = books.notes.iter().flat_map(|note| &note.lines)
                .map(|line| line.booked().unwrap().minor() + line.tax.minor()).sum();
            prop_assert_eq!(books.earned(), before - taken);
            let is_void = books.notes.iter().any(|note| note.kind == NoteKind::Void);
            prop_assert!(!is_void || (books.earned() == 0 && books.owed().amount.is_zero()));
            // Nobody gets back more than they paid, beyond what an invoice below zero owes them.
            let open = books.held(&LedgerAccount::OpenCredit).minor();
            let money = books.held(&LedgerAccount::Payments).minor();
            let owed_to_them = books.invoice.totals().unwrap().total.minor().min(0).unsigned_abs();
            prop_assert!(open <= money + i128::try_from(owed_to_them).unwrap());
        }
    }
}
