//! What is written is read back, and what is damaged is refused.

use super::super::{
    SETTLING, encode_corrections, encode_entry, encode_invoice, encode_note, purpose_key,
};
use super::*;
use crate::fixtures::*;
use crate::notes::{Wanted, credit_note, void_note};
use crate::posting;

/// An invoice with every optional part filled, and one without.
fn invoices() -> Vec<Invoice> {
    let plain = invoice_of("d-1", &["12.345", "-3", "0"], "0.19", &["c 1", "p 2"]);
    let mut full = plain.clone();
    full.replaces = Some(document("d-0"));
    for line in &mut full.lines {
        line.key.section = Some(InvoiceSectionId::new("s").unwrap());
        line.key.subscription = Some(SubscriptionId::new("shop").unwrap());
        line.key.item = "a thing".to_owned();
        line.key.amends = Some(LineReference { document: document("d-0"), line: Some(7) });
        line.key.buys = Some(lot_id("p"));
        line.key.rate = Some("ecb".to_owned());
        line.exchange = Some(ExchangeRate {
            id: "ecb".to_owned(),
            from: usd(),
            to: usd(),
            rate: n("1.1"),
            source: "bank".to_owned(),
            at: t("2026-03-01"),
        });
    }
    vec![plain, full]
}

fn notes(of: &Invoice) -> Vec<Note> {
    let wanted = [Wanted { line: 1, net: cents(100) }];
    vec![
        credit_note(document("n-1"), of, &[], &wanted).unwrap().because("too dear"),
        void_note(document("n-2"), of, &[]).unwrap(),
    ]
}

/// A correction of each line, and one of the invoice as a whole.
fn corrections(of: &Invoice) -> Vec<Correction> {
    let lines = of.lines.iter().map(|line| (Some(line.number), line));
    let all = lines.chain(of.lines.first().map(|line| (None, line)));
    all.map(|(number, line)| Correction {
        amends: LineReference { document: of.id.clone(), line: number },
        key: line.key.clone(),
        cost: line.pricing,
    })
    .collect()
}

/// Entries of every purpose.
fn entries() -> Vec<Entry> {
    let (document, lot, payment) = (document("d for e"), lot_id("l"), payment_id("p"));
    let purposes = [
        Purpose::Line { document: document.clone(), line: 3 },
        Purpose::Tax { document: document.clone(), tax: 1 },
        Purpose::Drawdown { document: document.clone(), lot: lot.clone() },
        Purpose::Surplus { document: document.clone() },
        Purpose::OpenCreditApplied { document: document.clone(), number: 2 },
        Purpose::Payment { payment: payment.clone() },
        Purpose::Refund { payment },
        Purpose::Grant { lot: lot.clone() },
        Purpose::Expiry { lot: lot.clone() },
        Purpose::WriteOff { document: document.clone() },
        Purpose::NotBilled { document: document.clone(), number: 4 },
        Purpose::ExpiryAgain { note: document.clone(), lot: lot.clone() },
    ];
    let accounts = [
        LedgerAccount::Receivable(document.clone()),
        LedgerAccount::OpenCredit,
        LedgerAccount::Credit(lot.clone()),
        LedgerAccount::Prepayment(lot),
        LedgerAccount::Granted,
        LedgerAccount::Expired,
        LedgerAccount::Revenue(ChargeCategory::Usage),
        LedgerAccount::TaxPayable(tax_category("standard")),
        LedgerAccount::Payments,
        LedgerAccount::WriteOff(document.clone()),
        LedgerAccount::NotBilled(document),
        LedgerAccount::Granted,
    ];
    let mut all = posting::invoice(&invoices()[0], t("2026-04-05")).unwrap();
    for (purpose, account) in purposes.into_iter().zip(accounts) {
        let postings = vec![
            Posting::debit(account, cents(5)).unwrap(),
            Posting::credit(LedgerAccount::Payments, cents(5)).unwrap(),
        ];
        all.push(Entry::new(purpose, t("2026-04-05"), postings).unwrap());
    }
    all
}

/// Reading gives back what was written; whatever is cut off or hung on is refused, and no damaged
/// byte panics.
fn check<T: PartialEq + std::fmt::Debug>(
    written: &[T],
    write: fn(&T) -> Vec<u8>,
    read: fn(&[u8]) -> Result<T>,
) {
    for one in written {
        let bytes = write(one);
        assert_eq!(&read(&bytes).unwrap(), one);
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "cut off at {end}");
        }
        assert!(read(&[bytes.as_slice(), &[0]].concat()).is_err(), "a byte too many");
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            if let Ok(found) = read(&damaged) {
                assert_ne!(&found, one, "byte {at} does not matter");
            }
        }
    }
}

#[test]
fn what_the_books_write_is_read_back() {
    let notes: Vec<Note> = invoices().iter().flat_map(notes).collect();
    check(&invoices(), encode_invoice, decode_invoice);
    check(&notes, encode_note, decode_note);
    check(&entries(), encode_entry, decode_entry);
    let corrections: Vec<Vec<Correction>> = invoices().iter().map(corrections).collect();
    check(&corrections, |list| encode_corrections(list), decode_corrections);
}

#[test]
fn no_two_purposes_have_one_key() {
    let entries = entries();
    let keys: std::collections::BTreeSet<_> =
        entries.iter().map(|entry| purpose_key(entry.purpose())).collect();
    assert_eq!(keys.len(), entries.len());
}

#[test]
fn what_settles_invoices_stands_together() {
    for entry in entries() {
        let key = purpose_key(entry.purpose());
        let (first, end) = SETTLING;
        let is_within = first <= key.as_slice() && key.as_slice() < end;
        let settles =
            matches!(entry.purpose(), Purpose::Payment { .. } | Purpose::OpenCreditApplied { .. });
        assert_eq!(is_within, settles, "{}", entry.purpose());
    }
}

#[test]
fn ledger_accounts_are_found_by_their_names() {
    for posting in entries().iter().flat_map(Entry::postings) {
        assert_eq!(LedgerAccount::parse(&posting.account.to_string()).unwrap(), posting.account);
    }
    for wrong in ["", "revenue", "revenue:air", "receivable:", "open_credit:x", "lot:a"] {
        assert!(LedgerAccount::parse(wrong).is_err(), "{wrong}");
    }
}
