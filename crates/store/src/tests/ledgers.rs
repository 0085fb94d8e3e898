//! Ledgers, documents and closes.

use super::{Fresh, at, note, on_both};
use crate::{
    AccountClose, ApprovalRow, AuditFilter, Balance, Booked, Booking, CloseState, Delivery,
    DocumentFilter, LinkRow, NewDocument, NewEntry, RequestRow, Seen, Store, StoreError,
};

const PERIOD: i32 = 202_610;

fn entry(purpose: &str, body: &str) -> NewEntry {
    NewEntry { purpose: purpose.into(), body: body.into() }
}

fn balance(ledger_account: &str, minor: i64) -> Balance {
    Balance { ledger_account: ledger_account.to_owned(), currency: "EUR".to_owned(), minor }
}

pub(crate) fn document(id: &str) -> NewDocument {
    NewDocument {
        id: id.to_owned(),
        kind: "invoice".to_owned(),
        amends: String::new(),
        seller: "us".to_owned(),
        issued_at: at(0),
        due_until: at(86_400),
        approved_by: "all".to_owned(),
        body: id.into(),
        seen: None,
    }
}

/// A booking of one entry by `purpose` on a ledger of that version.
pub(crate) fn booking(account: &str, version: u64, purpose: &str) -> Booking {
    Booking {
        billing_account: account.to_owned(),
        version,
        period: PERIOD,
        entries: vec![entry(purpose, purpose)],
        balances: Vec::new(),
        documents: Vec::new(),
        delivered: Vec::new(),
        closed: None,
        approval: None,
    }
}

fn closed(row_count: u64) -> AccountClose {
    AccountClose {
        at: at(0),
        company_version: 3,
        end_sequence: 17,
        row_count,
        rows_digest: [1; 32],
        entries_digest: [2; 32],
    }
}

/// Everything that a booking can change, as text.
fn all_of(store: &Store, account: &str) -> String {
    let ledger = store.ledger(account).unwrap();
    let entries = store.entries(account, None).unwrap();
    let documents = store.documents(&DocumentFilter::default(), 100).unwrap();
    let (series, closes) = (store.number_series().unwrap(), store.closes(PERIOD).unwrap());
    let audit = store.audit(&AuditFilter::default(), 0, 100).unwrap();
    format!("{ledger:?} {entries:?} {documents:?} {series:?} {closes:?} {audit:?}")
}

#[test]
fn a_booking_is_there_as_a_whole() {
    on_both(|fresh| {
        let store = fresh.open();
        let whole = Booking {
            entries: vec![entry("line 1", "a"), entry("line 2", "b")],
            balances: vec![balance("receivable:d-1", 1_250), balance("revenue:usage", 1_250)],
            documents: vec![document("d-1"), document("d-2")],
            closed: Some(closed(9)),
            ..booking("acme", 0, "")
        };
        let booked = Booked { version: 1, sequences: vec![1, 2], is_new: true };
        assert_eq!(store.book(&whole, &note("close")).unwrap(), booked);
        let ledger = store.ledger("acme").unwrap();
        assert_eq!((ledger.version, &ledger.balances), (1, &whole.balances));
        assert_eq!(store.ledgers().unwrap(), ["acme"]);
        assert_eq!(store.entries("acme", Some(PERIOD)).unwrap().len(), 2);
        assert_eq!(store.entries("acme", Some(PERIOD + 1)).unwrap(), []);
        let purposes = ["line 2", "line 3"].map(Vec::from);
        assert_eq!(store.booked_in("acme", &purposes).unwrap(), [Some(PERIOD), None]);
        let found = store.document("us", 2).unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.body.as_slice()), ("d-2", &b"d-2"[..]));
        assert_eq!(found.digest, *blake3::hash(b"d-2").as_bytes());
        assert_eq!(store.document("us", 3).unwrap(), None);
        let state = store.close_of(PERIOD, "acme").unwrap().unwrap().state;
        assert_eq!(state, CloseState::Closed { closed: closed(9), link: None });
        assert_eq!(store.closes_of("acme").unwrap(), store.closes(PERIOD).unwrap());
    });
}

#[test]
fn the_same_booking_twice_changes_nothing() {
    on_both(|fresh| {
        let store = fresh.open();
        let whole = Booking {
            documents: vec![document("d-1")],
            balances: vec![balance("payments", 7)],
            closed: Some(closed(1)),
            ..booking("acme", 0, "line 1")
        };
        store.book(&whole, &note("close")).unwrap();
        let before = all_of(&store, "acme");
        let again = Booked { version: 1, sequences: vec![1], is_new: false };
        assert_eq!(store.book(&whole, &note("again")).unwrap(), again);
        assert_eq!(all_of(&store, "acme"), before);
    });
}

/// A refused booking leaves everything as it was.
fn refused(fresh: &Fresh, wrong: &Booking, says: &str) {
    let store = fresh.open();
    let before = all_of(&store, "acme");
    let error = store.book(wrong, &note("wrong")).expect_err(says);
    assert!(error.to_string().contains(says), "{error}");
    assert_eq!(all_of(&store, "acme"), before, "{says}");
}

#[test]
fn a_booking_is_taken_whole_or_not_at_all() {
    on_both(|fresh| {
        let store = fresh.open();
        let first =
            Booking { documents: vec![document("d-1")], ..booking("acme", 0, "payment p-1") };
        store.book(&first, &note("first")).unwrap();
        drop(store);
        let fresh_entry = |version| booking("acme", version, "payment p-2");
        refused(fresh, &fresh_entry(0), "has moved on: expected 0, found 1");
        refused(fresh, &fresh_entry(2), "has moved on: expected 2, found 1");
        let other = vec![entry("payment p-1", "another body")];
        let other = Booking { entries: other, ..booking("acme", 1, "") };
        refused(fresh, &other, "another entry of the same purpose");
        let some = vec![entry("payment p-1", "payment p-1"), entry("payment p-2", "new")];
        let some = Booking { entries: some, ..booking("acme", 1, "") };
        refused(fresh, &some, "a part of this booking");
        let changed = NewDocument { body: b"changed".to_vec(), ..document("d-1") };
        let changed = Booking { documents: vec![changed], ..fresh_entry(1) };
        refused(fresh, &changed, "was issued already, and differs");
        // The second document fails when the first has its number already.
        let twice = vec![document("d-2"), document("d-2")];
        refused(fresh, &Booking { documents: twice, ..fresh_entry(1) }, "");
        let store = fresh.open();
        let good = Booking { documents: vec![document("d-3")], ..fresh_entry(1) };
        let booked = store.book(&good, &note("good")).unwrap();
        assert_eq!(booked.sequences, [2], "what failed took no number");
    });
}

#[test]
fn a_ledger_account_that_holds_nothing_is_not_listed() {
    on_both(|fresh| {
        let store = fresh.open();
        let put = |version, minor| {
            let balances = vec![balance("open_credit", minor)];
            let booking = Booking { balances, ..booking("acme", version, &minor.to_string()) };
            store.book(&booking, &note("")).unwrap();
            store.ledger("acme").unwrap().balances
        };
        assert_eq!(put(0, 5), [balance("open_credit", 5)]);
        assert_eq!(put(1, -3), [balance("open_credit", -3)]);
        assert_eq!(put(2, 0), []);
        assert_eq!(store.ledger("globex").unwrap().version, 0);
    });
}

#[test]
fn a_closed_period_takes_nothing_more() {
    on_both(|fresh| {
        let store = fresh.open();
        store.park(PERIOD, "acme", ("no price", at(1)), &note("")).unwrap();
        store.park(PERIOD, "acme", ("no price", at(2)), &note("")).unwrap();
        let parked = store.close_of(PERIOD, "acme").unwrap().unwrap().state;
        assert_eq!(parked, CloseState::Parked { reason: "no price".to_owned(), at: at(1) });
        assert_eq!(store.audit(&AuditFilter::default(), 0, 9).unwrap().len(), 1);
        let close = Booking { closed: Some(closed(0)), ..booking("acme", 0, "a") };
        store.book(&close, &note("close")).unwrap();
        drop(store);
        refused(fresh, &booking("acme", 1, "b"), "the period is closed");
        let other = Booking { closed: Some(closed(1)), ..booking("acme", 1, "c") };
        refused(fresh, &other, "the period is closed");
        let store = fresh.open();
        let again = store.park(PERIOD, "acme", ("late", at(3)), &note(""));
        assert!(matches!(again, Err(StoreError::Refused { .. })), "{again:?}");
        let next = Booking { period: PERIOD + 1, ..booking("acme", 1, "b") };
        assert!(store.book(&next, &note("")).unwrap().is_new);
    });
}

#[test]
fn a_link_seals_what_is_closed_and_follows_the_newest() {
    on_both(|fresh| {
        let store = fresh.open();
        for account in ["acme", "globex"] {
            let close = Booking { closed: Some(closed(0)), ..booking(account, 0, "a") };
            store.book(&close, &note("")).unwrap();
        }
        store.park(PERIOD, "initech", ("no price", at(0)), &note("")).unwrap();
        let link = |number, account: Option<&str>| LinkRow {
            number,
            period: PERIOD,
            billing_account: account.map(str::to_owned),
            body: vec![7],
            head: [u8::try_from(number).unwrap(); 32],
            sealed_at: at(5),
        };
        let sealed = |number, account, accounts| {
            store.seal_close(&link(number, account), accounts, &note("seal"))
        };
        let stale = |outcome| assert!(matches!(outcome, Err(StoreError::Stale { .. })));
        stale(sealed(2, None, 2));
        stale(sealed(1, None, 3));
        sealed(1, None, 2).unwrap();
        stale(sealed(1, None, 2));
        let close = Booking { closed: Some(closed(0)), ..booking("initech", 0, "a") };
        store.book(&close, &note("")).unwrap();
        sealed(2, Some("initech"), 1).unwrap();
        assert_eq!(store.close_links().unwrap(), [link(1, None), link(2, Some("initech"))]);
        let links = store.closes(PERIOD).unwrap().into_iter().map(|row| match row.state {
            CloseState::Closed { link, .. } => (row.billing_account, link),
            CloseState::Parked { .. } => panic!("{} is parked", row.billing_account),
        });
        let expected = [("acme", 1), ("globex", 1), ("initech", 2)];
        assert!(links.eq(expected.map(|(account, link)| (account.to_owned(), Some(link)))));
    });
}

#[test]
fn what_no_line_shows_is_kept_with_its_booking() {
    on_both(|fresh| {
        let store = fresh.open();
        let of = |number, note: &str| Delivery {
            document: "d-1".to_owned(),
            number,
            note: note.to_owned(),
            body: format!("corrections {number}").into(),
        };
        let first = Booking { delivered: vec![of(1, "n-1")], ..booking("acme", 0, "a") };
        store.book(&first, &note("close")).unwrap();
        assert!(!store.book(&first, &note("again")).unwrap().is_new);
        let second = Booking { delivered: vec![of(2, "")], ..booking("acme", 1, "b") };
        store.book(&second, &note("close")).unwrap();
        let kept = store.deliveries("acme").unwrap();
        let delivered: Vec<Delivery> = kept.iter().map(|row| row.delivery.clone()).collect();
        assert_eq!(delivered, [of(1, "n-1"), of(2, "")]);
        assert_eq!(kept[0].digest, *blake3::hash(b"corrections 1").as_bytes());
        assert_eq!(store.deliveries("globex").unwrap(), []);
        // Taken twice it is refused, with all that is booked beside it.
        let twice = Booking { delivered: vec![of(2, "")], ..booking("acme", 2, "c") };
        drop(store);
        refused(fresh, &twice, "");
    });
}

#[test]
fn a_document_tells_what_it_was_computed_from() {
    on_both(|fresh| {
        let store = fresh.open();
        let seen = Some(Seen { company_version: 7, end_sequence: 0 });
        let documents = vec![NewDocument { seen, ..document("d-1") }, document("d-2")];
        store.book(&Booking { documents, ..booking("acme", 0, "a") }, &note("")).unwrap();
        let kept = |kind| {
            let filter = DocumentFilter { kind, ..DocumentFilter::default() };
            let rows = store.documents(&filter, 9).unwrap();
            rows.into_iter().map(|row| row.seen).collect::<Vec<_>>()
        };
        assert_eq!(kept(None), [seen, None]);
        assert_eq!(kept(Some("invoice")), [seen, None]);
        assert_eq!(kept(Some("credit_note")), []);
    });
}

#[test]
fn documents_are_found_by_when_they_were_issued_and_told_without_their_bytes() {
    on_both(|fresh| {
        let store = fresh.open();
        let note_on = |id: &str, amends: &str, at_s: i64| NewDocument {
            kind: "credit_note".to_owned(),
            amends: amends.to_owned(),
            issued_at: at(at_s),
            ..document(id)
        };
        let documents = vec![document("d-1"), note_on("n-1", "d-1", 60)];
        store.book(&Booking { documents, ..booking("acme", 0, "a") }, &note("")).unwrap();
        let issued = |from_s: i64, until_s: i64, account: Option<&str>| {
            let issued = Some(calendar::Interval::new(at(from_s), at(until_s)).unwrap());
            let billing_account = account.map(str::to_owned);
            let filter = DocumentFilter { billing_account, issued, ..DocumentFilter::default() };
            let rows = store.documents(&filter, 9).unwrap();
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        for account in [None, Some("acme")] {
            assert_eq!(issued(0, 61, account), ["d-1", "n-1"]);
            assert_eq!(issued(0, 60, account), ["d-1"]);
            assert_eq!(issued(1, 61, account), ["n-1"]);
        }
        assert!(issued(0, 61, Some("beta")).is_empty());
        let heads = store.document_heads("acme").unwrap();
        let heads: Vec<(&str, &str, u64)> =
            heads.iter().map(|one| (one.id.as_str(), one.amends.as_str(), one.sequence)).collect();
        assert_eq!(heads, [("d-1", "", 1), ("n-1", "d-1", 2)]);
        assert!(store.document_heads("beta").unwrap().is_empty());
        let entries = |from: &str, until: &str| {
            let range = (from.as_bytes(), until.as_bytes());
            store.entries_between("acme", range).unwrap().len()
        };
        assert_eq!((entries("a", "b"), entries("b", "c"), entries("", "a")), (1, 0, 0));
    });
}

#[test]
fn an_approval_is_of_one_content_until_its_account_is_closed() {
    on_both(|fresh| {
        let store = fresh.open();
        let approval = |content: u8, by: &str, at_s: i64| ApprovalRow {
            period: PERIOD,
            billing_account: "acme".to_owned(),
            content: [content; 32],
            approved_by: by.to_owned(),
            approved_at: at(at_s),
        };
        let (first, other) = (approval(1, "dora", 0), approval(2, "emil", 9));
        assert_eq!(store.approve_drafts(&first, &note("")).unwrap(), first);
        let again = approval(1, "dora", 5);
        assert_eq!(store.approve_drafts(&again, &note("")).unwrap(), first, "it is approved");
        assert_eq!(store.approval(PERIOD, "acme").unwrap(), Some(first.clone()));
        assert_eq!(store.approve_drafts(&other, &note("")).unwrap(), other, "of other drafts");
        assert_eq!(store.approval(PERIOD, "acme").unwrap(), Some(other.clone()));
        assert_eq!(store.approval(PERIOD, "globex").unwrap(), None);
        assert_eq!(store.approval(PERIOD + 1, "acme").unwrap(), None);
        let counts_on = |approval| Booking {
            closed: Some(closed(1)),
            approval: Some(approval),
            ..booking("acme", 0, "counts on it")
        };
        let gone = store.book(&counts_on(first), &note("")).unwrap_err();
        assert!(matches!(gone, StoreError::Stale { what: "approval", .. }), "{gone}");
        assert!(store.take_back_approval(PERIOD, "acme", &note("")).unwrap());
        assert!(!store.take_back_approval(PERIOD, "acme", &note("")).unwrap());
        let booking = Booking { closed: Some(closed(1)), ..booking("acme", 0, "a") };
        store.book(&booking, &note("")).unwrap();
        let refused = |done: crate::Result<()>| {
            assert!(matches!(done, Err(StoreError::Refused { what: "close", .. })), "{done:?}");
        };
        refused(store.approve_drafts(&other, &note("")).map(drop));
        refused(store.take_back_approval(PERIOD, "acme", &note("")).map(drop));
        let audited = |action: &str| {
            let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
            store.audit(&filter, 0, 9).unwrap().len()
        };
        assert_eq!((audited("draft.approve"), audited("draft.take_back")), (2, 1));
    });
}

#[test]
fn a_request_is_asked_once_and_approved_once() {
    on_both(|fresh| {
        let store = fresh.open();
        let asked = |at_s: i64| RequestRow {
            id: "r-1".to_owned(),
            action: "invoices:void".to_owned(),
            billing_account: "acme".to_owned(),
            asked_by: "principal clerk".to_owned(),
            body: b"what".to_vec(),
            asked_at: at(at_s),
            expires_at: at(at_s + 100),
            approved_by: String::new(),
            approved_at: None,
        };
        let by = |at_s| crate::Note { at: at(at_s), ..note("") };
        assert_eq!(store.ask(&asked(0), &by(0)).unwrap(), asked(0));
        assert_eq!(store.ask(&asked(50), &by(50)).unwrap(), asked(0), "it still holds");
        assert_eq!(store.requests("acme", 9).unwrap(), [asked(0)]);
        assert_eq!(store.requests("", 9).unwrap().len(), 1);
        assert_eq!(store.requests("globex", 9).unwrap(), []);
        store.approve("r-1", "boss", &by(60)).unwrap();
        assert!(store.approve("r-1", "other", &by(61)).is_err());
        let approved = store.request("r-1").unwrap().unwrap();
        assert_eq!((approved.approved_by.as_str(), approved.approved_at), ("boss", Some(at(60))));
        // Once it has expired it is asked anew, and nobody has approved that.
        assert_eq!(store.ask(&asked(100), &by(100)).unwrap(), asked(100));
        assert_eq!(store.request("r-1").unwrap(), Some(asked(100)));
        assert!(store.approve("r-1", "boss", &by(200)).is_err(), "too late");
        assert_eq!(store.request("r-2").unwrap(), None);
    });
}
