//! The ledger: what can be posted, what is refused, and what is left where.

use super::*;
use crate::fixtures::{cents, document, dollars, few, lot_id, payment_id, t, tax_category};
use crate::{Error, Kind};
use proptest::prelude::*;

/// `receivable d`, `credit c`, `prepayment p`, `payments`, `open credit`, `usage`, `granted`.
fn place(text: &str) -> LedgerAccount {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("receivable", id) => LedgerAccount::Receivable(document(id)),
        ("credit", id) => LedgerAccount::Credit(lot_id(id)),
        ("prepayment", id) => LedgerAccount::Prepayment(lot_id(id)),
        ("tax", id) => LedgerAccount::TaxPayable(tax_category(id)),
        ("written-off", id) => LedgerAccount::WriteOff(document(id)),
        ("payments", "") => LedgerAccount::Payments,
        ("open", "credit") => LedgerAccount::OpenCredit,
        ("usage", "") => LedgerAccount::Revenue(ChargeCategory::Usage),
        ("granted", "") => LedgerAccount::Granted,
        _ => panic!("{text} is no ledger account"),
    }
}

/// `receivable d 10 | usage 10`: debits, then credits.
fn postings(text: &str) -> Vec<Posting> {
    let side = |text: &str, side| {
        let posting = |text: &str| {
            let (account, amount) = text.trim().rsplit_once(' ').unwrap();
            Posting { account: place(account), side, amount: dollars(amount) }
        };
        let words = text.split(',').filter(|word| !word.trim().is_empty());
        words.map(posting).collect::<Vec<_>>()
    };
    let (debits, credits) = text.split_once('|').unwrap();
    [side(debits, Side::Debit), side(credits, Side::Credit)].concat()
}

fn purpose(text: &str) -> Purpose {
    Purpose::Payment { payment: payment_id(text) }
}

fn entry(id: &str, text: &str) -> Result<Entry> {
    Entry::new(purpose(id), t("2026-04-05"), postings(text))
}

#[test]
fn an_entry_is_balanced_or_it_is_not() {
    let check = |text: &str, expected: &str| {
        let made = entry("p", text).map_or_else(|e| e.to_string(), |_| "made".to_owned());
        assert_eq!(made, expected, "{text}");
    };
    check("receivable d 10 | usage 10", "made");
    check("receivable d 11.90 | usage 10, tax vat 1.90", "made");
    check("receivable d 0 | usage 0", "made");
    check("usage 3 | receivable d 3", "made"); // a charge taken back
    check("receivable d 10 | usage 9.99", "payment p debits 10.00 USD and credits 9.99 USD");
    check("receivable d 10, payments 1 |", "payment p debits 11.00 USD and credits 0.00 USD");
    check("receivable d 10 |", "postings: payment p has less than two");
    check("|", "postings: payment p has less than two");
    check("receivable d -1 | usage -1", "postings: payment p posts -1.00 USD to receivable:d");
}

#[test]
fn each_currency_balances_by_itself() {
    let yen = Money::from_minor(10, Currency::parse("JPY").unwrap());
    let half = Posting { account: place("usage"), side: Side::Credit, amount: yen };
    let mixed = [postings("receivable d 0.10 |"), vec![half]].concat();
    let refused = Entry::new(purpose("p"), t("2026-04-05"), mixed);
    assert!(matches!(refused, Err(Error::Unbalanced { .. })), "{refused:?}");
    let both = [
        postings("receivable d 5 | usage 5"),
        vec![
            Posting { account: place("payments"), side: Side::Debit, amount: yen },
            Posting { account: place("open credit"), side: Side::Credit, amount: yen },
        ],
    ];
    let mut balances = Balances::default();
    balances.post(&[Entry::new(purpose("p"), t("2026-04-05"), both.concat()).unwrap()]).unwrap();
    assert_eq!(balances.of(&place("open credit"), yen.currency()), yen);
    assert!(balances.of(&place("open credit"), cents(0).currency()).is_zero());
}

#[test]
fn a_transfer_below_zero_goes_the_other_way() {
    let check = |amount: &str, debit: &str, credit: &str| {
        let between = Between { debit: place("receivable d"), credit: place("usage") };
        let made = Entry::transfer(purpose("p"), t("2026-04-05"), between, dollars(amount));
        let side = |side| {
            let of_side = |p: &&Posting| p.side == side;
            let found = made.as_ref().unwrap().postings().iter().find(of_side).unwrap();
            format!("{} {}", found.account, found.amount)
        };
        assert_eq!((&*side(Side::Debit), &*side(Side::Credit)), (debit, credit));
    };
    check("7", "receivable:d 7.00 USD", "revenue:usage 7.00 USD");
    check("-7", "revenue:usage 7.00 USD", "receivable:d 7.00 USD");
}

#[test]
fn balances_are_told_on_the_accounts_own_side() {
    let mut ledger = Ledger::default();
    let stories = [
        ("1", "granted 50 | credit c 50"),
        ("2", "receivable d 119 | usage 100, tax vat 19"),
        ("3", "credit c 50 | receivable d 50"),
        ("4", "payments 80 | receivable d 69, open credit 11"),
        ("5", "open credit 1 | payments 1"),
    ];
    for (id, text) in stories {
        assert_eq!(ledger.post(vec![entry(id, text).unwrap()]).unwrap(), 1);
    }
    let check = |account: &str, expected: &str| {
        let held = ledger.balances().of(&place(account), cents(0).currency());
        assert_eq!(held, dollars(expected), "{account}");
    };
    check("receivable d", "0");
    check("credit c", "0");
    check("open credit", "10");
    check("payments", "79");
    check("usage", "100");
    check("tax vat", "19");
    check("granted", "50");
}

#[test]
fn nobody_is_refunded_more_than_they_paid_or_drawn_more_than_there_is() {
    let check = |before: &str, text: &str, expected: &str| {
        let mut ledger = Ledger::default();
        ledger.post(vec![entry("before", before).unwrap()]).unwrap();
        let kept = ledger.balances().clone();
        let posted = ledger.post(vec![entry("p", text).unwrap()]);
        let refused = posted.as_ref().map_or_else(Error::to_string, |_| "posted".to_owned());
        assert_eq!(refused, expected, "{text}");
        if let Err(error) = posted {
            assert_eq!((error.kind(), ledger.balances()), (Kind::Conflict, &kept));
            assert_eq!(ledger.entries().count(), 1, "what is refused leaves no trace");
        }
    };
    let paid = "payments 10 | open credit 10";
    check(paid, "open credit 10 | payments 10", "posted");
    let below = "ledger account `open_credit` would be left with -0.01 USD";
    check(paid, "open credit 10.01 | payments 10.01", below);
    let lot = "granted 10 | credit c 10";
    let below = "ledger account `credit:c` would be left with -1.00 USD";
    check(lot, "credit c 11 | granted 11", below);
    let billed = "receivable d 10 | usage 10";
    check(billed, "payments 10 | receivable d 10", "posted");
    let below = "ledger account `receivable:d` would be left with -0.01 USD";
    check(billed, "payments 10.01 | receivable d 10.01", below);
    check(
        billed,
        "payments 10 | receivable other 10",
        &below.replace(":d", ":other").replace("-0.01", "-10.00"),
    );
}

#[test]
fn bounds_hold_when_the_last_entry_of_a_batch_stands() {
    let credit_first = [
        entry("1", "usage 4 | receivable d 4").unwrap(),
        entry("2", "receivable d 10 | usage 10").unwrap(),
    ];
    let mut balances = Balances::default();
    assert!(balances.post(&credit_first[..1]).is_err());
    balances.post(&credit_first).unwrap();
    assert_eq!(balances.of(&place("receivable d"), cents(0).currency()), dollars("6"));
}

#[test]
fn anything_twice_changes_nothing_and_other_content_is_a_conflict() {
    let mut ledger = Ledger::default();
    let once = entry("p", "payments 10 | open credit 10").unwrap();
    assert_eq!(ledger.post(vec![once.clone(), once.clone()]).unwrap(), 1);
    let balances = ledger.balances().clone();
    assert_eq!(ledger.post(vec![once]).unwrap(), 0);
    assert_eq!(ledger.balances(), &balances);
    let other = entry("p", "payments 11 | open credit 11").unwrap();
    let refused = ledger.post(vec![other]).unwrap_err();
    assert_eq!(refused.to_string(), "entry `payment p`: is posted already with other postings");
}

#[test]
fn sums_out_of_range_are_refused() {
    let most = Money::from_minor(i128::MAX, cents(0).currency());
    let between = || Between { debit: place("payments"), credit: place("usage") };
    let entry = |id: &str, amount| Entry::transfer(purpose(id), t("2026-04-05"), between(), amount);
    let mut balances = Balances::default();
    balances.post(&[entry("1", most).unwrap()]).unwrap();
    let refused = balances.post(&[entry("2", cents(1)).unwrap()]);
    assert!(matches!(refused, Err(Error::Money { .. })), "{refused:?}");
    assert!(entry("3", Money::from_minor(i128::MIN, most.currency())).is_err());
}

fn any_account() -> impl Strategy<Value = LedgerAccount> {
    let texts = ["receivable d", "receivable e", "open credit", "credit c", "payments", "usage"];
    prop::sample::select(texts.to_vec()).prop_map(place)
}

fn any_entry() -> impl Strategy<Value = Entry> {
    (any::<u8>(), any_account(), any_account(), -500_i64..500).prop_map(
        |(id, debit, credit, amount)| {
            let id = purpose(&id.to_string());
            Entry::transfer(id, t("2026-04-05"), Between { debit, credit }, cents(amount)).unwrap()
        },
    )
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn debits_equal_credits_after_every_posting(entries in prop::collection::vec(any_entry(), 0..30)) {
        let mut ledger = Ledger::default();
        for entry in entries {
            let _ = ledger.post(vec![entry]);
            let mut sides = [0_i128; 2];
            for (account, held) in ledger.balances().iter() {
                sides[account.side() as usize] += held.minor();
                let is_bounded = matches!(account.bound(), Bound::NeverBelowZero);
                prop_assert!(!is_bounded || !held.is_negative(), "{account} holds {held}");
            }
            prop_assert_eq!(sides[0], sides[1]);
        }
    }

    #[test]
    fn balances_are_the_fold_of_the_entries(entries in prop::collection::vec(any_entry(), 0..30)) {
        let mut ledger = Ledger::default();
        for entry in entries {
            let _ = ledger.post(vec![entry]);
        }
        let mut again = Balances::default();
        again.post(ledger.entries()).unwrap();
        prop_assert_eq!(&again, ledger.balances());
    }
}
