use super::*;
use crate::cloud_events::{Event, Fields};

#[test]
fn the_surface_serves_what_its_list_says() {
    let expected = "POST /intake/v1/events Events_Take\n\
         POST /intake/v1/sources/{source}/reportedUntil Sources_ReportUntil\n";
    assert_eq!(httpkit::listing(group().operations()), expected);
}

#[test]
fn a_flat_event_means_the_same_however_it_is_spelled() {
    let check = |json: &str, expected: &str| {
        match Event::read(json, None) {
            Ok(event) => assert_eq!(event.told(), expected, "{json}"),
            Err(broken) => assert_eq!(broken.told(), expected, "{json}"),
        }
        if let Some(fields) = Fields::read(json) {
            assert_eq!(fields.told(), expected, "{json}, read in one go");
        }
    };
    let same = r#"Some("a") Some("s") m 1.50"#;
    check(r#"{"id":"a","source":"s","meter":"m","quantity":1.50}"#, same);
    check(
        r#"{"quantity":"1.50","meter":"m","source":"s","id":"a"}"#,
        r#"Some("a") Some("s") m "1.50""#,
    );
    check(r#"{"id":"b","id":"a","source":"s","meter":"m","quantity":1.50}"#, same);
    check(r#"{"i\u0064":"\u0061","source":"s","meter":"m","quantity":1.50}"#, same);
    check(
        r#"{"id":"a","source":"s","meter":"m","quantity":"1.5\u0030"}"#,
        r#"Some("a") Some("s") m "1.50""#,
    );
    check(r#"{"source":"s","meter":"m","quantity":1.50}"#, r#"None Some("s") m 1.50"#);
    check(r#"{"id":5,"source":"s","meter":"m","quantity":1.50}"#, r#"None Some("s") m 1.50"#);
    check(
        r#"{"specversion":"1.0","type":"t","id":"a","source":"s",
            "data":{"meter":"m","quantity":1.50}}"#,
        same,
    );
    check(
        r#"{"id":"a","source":"s","meter":"m","quantity":1,"metre":"m"}"#,
        r#"metre of Some("a") Some("s")"#,
    );
    check(r#"{"id":"a","source":"s","quantity":1}"#, r#"meter of Some("a") Some("s")"#);
    check("[]", "event of None None");
    check("{", "event of None None");
}

#[test]
fn the_usual_event_is_read_in_one_go_and_the_unusual_one_is_not() {
    let check = |more: &str, expected: bool| {
        let json = format!(r#"{{"id":"a","source":"s","meter":"m","quantity":"1"{more}}}"#);
        assert_eq!(Fields::read(&json).is_some(), expected, "{json}");
    };
    check("", true);
    check(r#","dimensions":{"country":"CH"},"tags":{"a":"b"},"billable":false"#, true);
    check(r#","time":"2025-01-01T00:00:00Z","subscription":"x","resource":"é""#, true);
    check(r#","resource":"a\u0062""#, false);
    check(r#","id":"b""#, false);
    check(r#","additional_info":{}"#, false);
    check(r#","withdraws":{"id":"1","actor":"a","reason":"r"}"#, false);
    check(r#","data":{}"#, false);
}

#[test]
fn what_cannot_be_read_is_told_by_its_own_name() {
    let check = |more: &str, expected: &str| {
        let flat = format!(r#"{{"id":"a","source":"s","meter":"m","quantity":1,{more}}}"#);
        let inner = format!(
            r#"{{"specversion":"1.0","type":"t","id":"a","source":"s",
                "data":{{"meter":"m","quantity":1,{more}}}}}"#
        );
        for json in [flat, inner] {
            let broken = Event::read(&json, None).err().expect("it cannot be read");
            assert_eq!(broken.told(), format!(r#"{expected} of Some("a") Some("s")"#), "{json}");
        }
    };
    check(r#""start":5"#, "start");
    check(r#""reported_at":{}"#, "reported_at");
    check(r#""amends":{"id":"b"}"#, "amends");
    check(r#""withdraws":true"#, "withdraws");
    check(r#""resource":null"#, "resource");
    check(r#""tags":{"a":1}"#, "tags");
    check(r#""billable":"no""#, "billable");
    check(r#""colour":"red","end":"2026-01-01""#, "colour");
    let check = |json: &str, expected: &str| {
        let broken = Event::read(json, None).err().expect("it cannot be read");
        assert_eq!(broken.told(), expected, "{json}");
    };
    check(
        r#"{"id":"a","source":"s","meter":"m","quantity":1,"time":5}"#,
        r#"time of Some("a") Some("s")"#,
    );
    check(
        r#"{"specversion":"1.0","type":"t","id":"a","source":"s","time":5,
            "data":{"meter":"m","quantity":1}}"#,
        r#"time of Some("a") Some("s")"#,
    );
    check(
        r#"{"specversion":"1.0","type":"t","id":"a","source":"s","data":5}"#,
        r#"data of Some("a") Some("s")"#,
    );
    let long = "x".repeat(1_000);
    let json = format!(r#"{{"id":"a","source":"s","meter":"m","quantity":1,"{long}":1}}"#);
    let told = format!(r#"{}… of Some("a") Some("s")"#, &long[..64]);
    check(&json, &told);
}
