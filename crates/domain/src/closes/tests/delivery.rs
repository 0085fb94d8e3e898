//! Notes, rebills, and corrections that no line of an invoice shows.

use super::*;
use crate::correction::{Correction, InFavour, LatePolicy};
use crate::delivery::Deliveries;
use crate::ledger::LedgerAccount;
use crate::notes::{self, Note};

/// March of `a`, billed, and what was sent and booked since.
struct Story {
    march: Payer<'static>,
    sent: Sent,
    balances: Balances,
}

impl Story {
    fn of(lots: Vec<Lot>, rows: &[&str]) -> Story {
        let march = payer(&company_of(lots), "2026-03");
        let billed = billed(&march, rows, &Balances::default()).unwrap();
        let mut story = Story { march, sent: Sent::default(), balances: Balances::default() };
        story.take(billed);
        story
    }

    fn take(&mut self, billed: Billed) {
        self.sent.invoices.extend(billed.invoices);
        self.sent.notes.extend(billed.notes);
        self.balances = billed.balances;
    }

    fn charges(&self, rows: &[&str]) -> Charges {
        let rows: Vec<RatedRow> = rows.iter().map(|text| row(text)).collect();
        self.march.charges(&rows, self.march.company.lots_of(&account("a"))).unwrap()
    }

    /// What March is short of when it comes to these rows: `m1 0.5 of a/2026-03`.
    fn found(&self, rows: &[&str]) -> Vec<(Part, Correction)> {
        self.march.corrections(&self.sent, &self.charges(rows)).unwrap()
    }

    /// Closes April, of which nothing is known but what March is short of.
    fn close_april(&mut self, policy: LatePolicy, rows: &[&str]) -> Deliveries {
        let mut april = payer(self.march.company, "2026-04");
        april.terms.late = policy;
        let (found, at) = (self.found(rows), t("2026-05-05"));
        let made = april.deliver(found, &self.sent, &self.balances, at).unwrap();
        let mut charges = Charges::default();
        for (part, correction) in &made.next {
            let (key, cost) = correction.charge();
            charges.add(part.clone(), key, cost).unwrap();
        }
        let billed = april.bill(&charges, &[], &[], &made.billed.balances, at).unwrap();
        self.sent.delivered.extend(made.delivered.clone());
        self.take(made.billed.clone().then(billed));
        made
    }

    fn void(&mut self, place: usize, is_ended: bool) -> Note {
        let invoice = self.sent.invoices[place].clone();
        let id = document(&format!("a/void/{place}"));
        let note = notes::void_note(id, &invoice, &self.sent.notes).unwrap();
        let mut billed = Billed::on(&self.balances);
        billed.take_back(note.clone(), &invoice, t("2026-05-06")).unwrap();
        billed.end_again(&note, |_| is_ended, t("2026-05-06")).unwrap();
        self.take(billed);
        note
    }

    fn rebill(&mut self, place: usize, rows: &[&str]) -> Result<Invoice> {
        let (old, again) = (&self.sent.invoices[place], self.charges(rows));
        let new = self.march.rebill(old, &self.sent, &again, &[], &self.balances)?;
        let mut billed = Billed::on(&self.balances);
        billed.issue(new.clone(), t("2026-05-06"))?;
        self.take(billed);
        Ok(new)
    }
}

fn told(found: &[(Part, Correction)]) -> Vec<String> {
    let one = |(_, correction): &(Part, Correction)| {
        let line = correction.amends.line.map_or("-".to_owned(), |line| line.to_string());
        format!("{} on line {line} of {}", correction.cost.major, correction.amends.document)
    };
    found.iter().map(one).collect()
}

/// March was billed as 5 for `m1` and 3 for `m2`, with a tenth of tax, and comes to these rows now.
fn check(in_favour: InFavour, up_to: i64, now: &[&str], expected: &str) {
    let mut story = Story::of(Vec::new(), &["01 m1 5", "01 m2 3"]);
    let policy = LatePolicy { in_favour, not_billed_up_to: cents(up_to) };
    let made = story.close_april(policy.clone(), now);
    let notes = made.billed.notes.iter().map(|note| format!("note {} ", note.due().unwrap()));
    let left = story.balances.iter().filter_map(|(account, held)| match account {
        LedgerAccount::NotBilled(_) => Some(format!("left {held} ")),
        _ => None,
    });
    let next = (!made.next.is_empty()).then(|| format!("next {}", made.next.len()));
    let shown: String = notes.chain(left).chain(next).collect();
    assert_eq!(shown.trim_end(), expected, "{policy:?} {now:?}");
    assert_eq!(told(&story.found(now)), Vec::<String>::new(), "it is delivered once");
}

#[test]
fn corrections_reach_the_payer_by_the_policy() {
    use InFavour::{CreditNote, NextInvoice};
    check(NextInvoice, 0, &["01 m1 5", "01 m2 3"], "");
    check(NextInvoice, 0, &["01 m1 5.5", "01 m2 3"], "next 1");
    check(NextInvoice, 0, &["01 m1 4.5", "01 m2 3"], "next 1");
    check(CreditNote, 0, &["01 m1 4.5", "01 m2 3"], "note -0.55 USD");
    check(CreditNote, 0, &["01 m1 4.5", "01 m2 1"], "note -2.75 USD");
    check(CreditNote, 0, &["01 m2 3"], "note -5.50 USD");
    check(CreditNote, 0, &["01 m1 4.5", "01 m2 3.1"], "next 2");
    check(CreditNote, 0, &["01 m1 4.999", "01 m2 3"], "next 1");
    check(NextInvoice, 10, &["01 m1 5.1", "01 m2 3"], "left 0.10 USD");
    check(NextInvoice, 10, &["01 m1 5.1049", "01 m2 3"], "left 0.10 USD");
    check(NextInvoice, 10, &["01 m1 5.11", "01 m2 3"], "next 1");
    check(CreditNote, 10, &["01 m1 4.95", "01 m2 3"], "note -0.06 USD");
    check(CreditNote, 10, &["01 m1 4.95", "01 m2 3.06"], "left 0.01 USD");
}

#[test]
fn what_a_void_invoice_billed_waits_for_a_rebill() {
    let next = || LatePolicy { in_favour: InFavour::NextInvoice, not_billed_up_to: cents(0) };
    let mut story = Story::of(Vec::new(), &["01 m1 10"]);
    // A dollar came late and stands on April's invoice.
    story.close_april(next(), &["01 m1 11"]);
    assert_eq!(
        story.rebill(0, &["01 m1 12"]).unwrap_err().to_string().split(';').next(),
        Some("invoice `a/2026-03`: is not void")
    );
    story.void(0, false);
    assert_eq!(told(&story.found(&["01 m1 12"])), Vec::<String>::new());
    let new = story.rebill(0, &["01 m1 12"]).unwrap();
    assert_eq!(
        (new.id.as_str(), new.replaces.as_ref()),
        ("a/2026-03/rebill/1", Some(&document("a/2026-03")))
    );
    let march = "m1 2026-03-01..2026-04-01";
    let expected =
        [format!("{march} 12 12.00 USD 11.00 USD"), format!("{march} -1 -1.00 USD 0.00 USD")];
    assert_eq!(shown(&new), expected, "April has charged one of them");
    assert!(story.rebill(0, &["01 m1 12"]).unwrap_err().to_string().contains("replaced already"));
    let found = |story: &Story, rows| told(&story.found(rows));
    assert_eq!(found(&story, &["01 m1 12"]), Vec::<String>::new());
    assert_eq!(found(&story, &["01 m1 13"]), ["1 on line 1 of a/2026-03/rebill/1"]);
    // With April's invoice its correction is withdrawn, and found again.
    story.void(1, false);
    assert_eq!(found(&story, &["01 m1 12"]), ["1 on line 1 of a/2026-03/rebill/1"]);
    story.void(2, false);
    let third = story.rebill(2, &["01 m1 12"]).unwrap();
    assert_eq!(third.id.as_str(), "a/2026-03/rebill/2");
    assert_eq!(found(&story, &["01 m1 12"]), Vec::<String>::new());
    story.void(3, false);
    assert!(story.rebill(3, &[]).unwrap_err().to_string().contains("comes to nothing now"));
}

#[test]
fn a_credit_note_is_void_with_its_invoice_and_what_was_not_billed_stays_so() {
    let notes = LatePolicy { in_favour: InFavour::CreditNote, not_billed_up_to: cents(10) };
    let mut story = Story::of(Vec::new(), &["01 m1 10"]);
    story.close_april(notes.clone(), &["01 m1 9"]);
    story.void(0, false);
    let new = story.rebill(0, &["01 m1 9"]).unwrap();
    assert_eq!(new.totals().unwrap().charges, dollars("9"), "all that the month comes to");
    let mut story = Story::of(Vec::new(), &["01 m1 10"]);
    story.close_april(notes, &["01 m1 10.1"]);
    story.void(0, false);
    let new = story.rebill(0, &["01 m1 10.1"]).unwrap();
    assert_eq!(new.totals().unwrap().charges, dollars("10"));
}

#[test]
fn lots_get_back_what_they_paid_and_end_again() {
    let check = |is_ended: bool, expected: (&str, &str)| {
        let lot = Lot { holds: span("2026-03-10", "2026-03-20"), ..march_lot("c 4") };
        let mut story = Story::of(vec![lot], &["10 m1 1.5"]);
        story.void(0, is_ended);
        let held = |account| story.balances.of(&account, usd());
        let (lot, expired) = (LedgerAccount::Credit(lot_id("c")), LedgerAccount::Expired);
        assert_eq!((held(lot), held(expired)), (dollars(expected.0), dollars(expected.1)));
    };
    check(true, ("0", "4"));
    check(false, ("1.5", "2.5"));
}
