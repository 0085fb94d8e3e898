//! Groups, numbers, tokens and limits by themselves.

use crate::{ExactNumber, Group, LimitKey, Limiter, Purpose, Rate, Sealer, listing};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn a_listing_has_a_line_for_each_operation() {
    let group: Group<()> = Group::new()
        .put("Things_Put", "/b", "/{id}", async || ())
        .get("Things_Get", "/b", "/{id}", async || ())
        .merge(Group::new().patch("Other_Change", "/a", "", async || ()));
    assert_eq!(group.operations().len(), 3);
    assert_eq!(
        listing(group.operations()),
        "PATCH /a Other_Change\nGET /b/{id} Things_Get\nPUT /b/{id} Things_Put\n"
    );
}

#[test]
fn a_group_is_taken_apart_into_operations() {
    let group: Group<()> = Group::new()
        .on("PUT", "Things_Put", "/b/{id}", async || ())
        .merge(Group::new().get("Things_List", "/b", "", async || ()))
        .rest("/c");
    let ids: Vec<&str> = group.into_entries().iter().map(|(operation, _)| operation.id).collect();
    assert_eq!(ids, ["Things_Put", "Things_List"]);
}

/// Keeps its digits as they are.
#[derive(Debug, Clone, PartialEq)]
struct Digits(String);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digits {
    type Err = String;

    fn from_str(text: &str) -> Result<Digits, String> {
        let numeric = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        if numeric { Ok(Digits(text.to_owned())) } else { Err(format!("`{text}` is no number")) }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    quantity: ExactNumber<Digits>,
}

#[test]
fn numbers_keep_every_digit() {
    for digits in ["1.542000000000000299", "0", "-0.000000000000000001", "170141183460469231731"] {
        let row = Row { quantity: ExactNumber(Digits(digits.to_owned())) };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(json, format!(r#"{{"quantity":{digits}}}"#));
        let back: Row = serde_json::from_str(&json).unwrap();
        assert_eq!(back.quantity.0.0, digits);
    }
    let read = |json: &str| serde_json::from_str::<Row>(json).map(|row| row.quantity.0.0);
    assert_eq!(read(r#"{"quantity":" 1.50 "}"#).unwrap(), "1.50");
    assert_eq!(read(r#"{"quantity":2.323760000e-9}"#).unwrap(), "2.323760000e-9");
    assert!(
        read(r#"{"quantity":"many"}"#).unwrap_err().to_string().contains("`many` is no number")
    );
    assert!(read(r#"{"quantity":null}"#).is_err());
    assert!(serde_json::to_string(&ExactNumber(Digits("NaN".to_owned()))).is_err());
}

const LIST: Purpose = Purpose { operation: "Things_List", field: "continuationToken" };

#[test]
fn a_sealed_token_opens_only_as_it_was_made() {
    let sealer = Sealer::new([5; 32], LIST);
    let token = sealer.seal("alice", &("subscription", 7)).unwrap();
    let opened = sealer.open::<(String, u32)>("alice", &token).unwrap();
    assert_eq!(opened, ("subscription".to_owned(), 7));
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    let other = Purpose { operation: "Things_Other", ..LIST };
    let mut changed = token.clone().into_bytes();
    *changed.last_mut().unwrap() ^= 1;
    let refused = [
        sealer.open::<(String, u32)>("alice", &String::from_utf8(changed).unwrap()),
        sealer.open("alice", ""),
        sealer.open("alice", "%%%"),
        sealer.open("alice", &token[1..]),
        sealer.open("alice", &"A".repeat(20_000)),
        sealer.open("bob", &token),
        Sealer::new([6; 32], LIST).open("alice", &token),
        Sealer::new([5; 32], other).open("alice", &token),
    ];
    for refusal in refused {
        let message = refusal.unwrap_err().to_string();
        assert_eq!(message, "continuationToken: is not a token that was given here");
    }
    assert!(sealer.open::<u32>("alice", &token).is_err(), "another payload");
    assert_eq!(format!("{sealer:?}"), "Sealer(Things_List)");
}

#[test]
fn a_burst_is_let_through_and_refills() {
    let seconds = Arc::new(AtomicU64::new(1_000));
    let clock = Arc::clone(&seconds);
    let rate = Rate {
        burst: NonZeroU32::new(3).unwrap(),
        refill_every: Duration::from_secs(10),
        keys_most: 2,
    };
    let elapsed = Arc::new(move || Duration::from_secs(clock.load(Ordering::SeqCst)));
    let limiter = Limiter::new(rate, elapsed);
    let check = |at_s: u64, principal: &str, expected: &str| {
        seconds.store(1_000 + at_s, Ordering::SeqCst);
        let key = LimitKey { principal: principal.to_owned(), scope: String::new() };
        let outcome = match limiter.check(&key) {
            Ok(left) => format!("{left} left"),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expected, "{principal} at {at_s} s");
    };
    check(0, "a", "2 left");
    check(0, "a", "1 left");
    check(0, "a", "0 left");
    check(0, "a", "too many requests; try again in 10 s");
    check(3, "a", "too many requests; try again in 7 s");
    check(10, "a", "0 left");
    check(10, "b", "2 left");
    check(10, "c", "too many requests; try again in 1 s");
    check(500, "c", "2 left");
}
