//! Numbers without gaps.

use super::*;
use crate::fixtures::legal_entity;

#[test]
fn numbers_follow_each_other_from_1() {
    let seller = legal_entity("acme");
    let check = |last: Option<u64>, expected: &str| {
        assert_eq!(DocumentNumber::after(&seller, last).unwrap().to_string(), expected);
    };
    check(None, "acme-00000001");
    check(Some(1), "acme-00000002");
    check(Some(99_999_999), "acme-100000000");
    assert!(DocumentNumber::after(&seller, Some(u64::MAX)).is_err());
}

#[test]
fn a_gap_or_a_double_is_found_for_each_seller() {
    let check = |text: &str, expected: &str| {
        let number = |text: &str| {
            let (seller, sequence) = text.split_at(1);
            let sequence = sequence.parse().unwrap();
            DocumentNumber { seller: legal_entity(seller), sequence }
        };
        let numbers: Vec<DocumentNumber> = text.split_whitespace().map(number).collect();
        let shown = check_gap_free(&numbers).map_or_else(|e| e.to_string(), |()| "fine".to_owned());
        assert_eq!(shown, expected, "{text}");
    };
    check("", "fine");
    check("a2 a1 b1 a3", "fine");
    check("a1 a3", "document number `a-00000002`: is missing before a-00000003");
    check("a1 b2", "document number `b-00000001`: is missing before b-00000002");
    check("a1 a2 a2", "document number `a-00000002`: is there twice");
}

#[test]
fn a_number_is_read_as_it_is_written() {
    let check = |text: &str, expected: Option<(&str, u64)>| {
        let expected = expected
            .map(|(seller, sequence)| DocumentNumber { seller: legal_entity(seller), sequence });
        assert_eq!(DocumentNumber::parse(text).ok(), expected, "{text}");
    };
    check("acme-00000042", Some(("acme", 42)));
    check("acme-us-7", Some(("acme-us", 7)));
    check("acme-100000000", Some(("acme", 100_000_000)));
    for wrong in ["", "acme", "acme-", "-1", "acme-x", "acme-+1", "acme-99999999999999999999"] {
        check(wrong, None);
    }
}
