//! Canonical bytes: what is written is read, what is damaged is refused.

use super::*;
use crate::fixtures::{account, any_record, meter_id, n, record, span, usd};
use crate::ids::ReservationId;
use crate::rated::RowKind;
use crate::usage::{Act, Amendment, Origin};
use proptest::prelude::*;

#[test]
fn the_layout_of_version_1_never_changes() {
    let mut one = record("id-1", "1970-01-01T00:00:01Z", "1.5");
    one.dimensions.insert(Dimension::Country, "DE".to_owned());
    one.stated_cost = Some(Cost { major: n("-1"), currency: usd() });
    let parts: [&[u8]; 21] = [
        &[1],        // version
        b"\x01a",    // billing account
        b"\x03src",  // source
        b"\x04id-1", // id
        &[0],        // reported at: none
        &[0],        // act: use
        b"\x01s",    // subscription
        b"\x00",     // resource
        b"\x01m",    // meter
        &1_500_000_000_000_000_000_i128.to_le_bytes(),
        &1_000_000_i64.to_le_bytes(),
        &1_000_000_i64.to_le_bytes(),
        b"\x01\x05\x02DE", // one dimension: country
        &[0],              // tags
        &[0],              // category: usage
        &[0],              // billable: yes
        &[1],              // stated cost
        &(-1_000_000_000_000_000_000_i128).to_le_bytes(),
        b"\x03USD",
        &[0], // details
        &[0], // origin: event
    ];
    assert_eq!(encode(&one), parts.concat());
    assert_eq!(key_bytes(&one.key), parts[1..4].concat());
    assert_eq!(content(&one), parts[5..].concat());
}

/// A close that was sealed before there were reservations is still what it was.
#[test]
fn a_row_has_a_reservation_behind_it_or_its_bytes_of_old() {
    let row = RatedRow {
        position: None,
        slice: 0,
        kind: RowKind::Covered,
        billing_account: account("a"),
        subscription: SubscriptionId::new("s").unwrap(),
        resource: String::new(),
        meter: meter_id("m"),
        category: ChargeCategory::Usage,
        service_period: span("1970-01-01", "1970-01-01T01:00:00Z"),
        reported_at: Instant::EPOCH,
        quantity: n("1"),
        unit_price: None,
        tier: 0,
        cost: Cost { major: n("0"), currency: usd() },
        price: None,
        counter_before: n("0"),
        dimensions: BTreeMap::new(),
        tags: BTreeMap::new(),
        details: None,
        reserved: None,
    };
    let plain = encode_row(&row);
    let hour = 3_600_000_000_i64;
    let expected: [&[u8]; 16] = [
        &[1, 0, 0, 6], // version, slice, kind: covered
        b"\x01a\x01s\x00\x01m",
        &[0], // category: usage
        &0_i64.to_le_bytes(),
        &hour.to_le_bytes(),
        &1_000_000_000_000_000_000_i128.to_le_bytes(),
        &[0],    // unit price: none
        &[0, 0], // tier
        &0_i128.to_le_bytes(),
        b"\x03USD",
        &[0], // price: none
        &0_i128.to_le_bytes(),
        &[0], // dimensions
        &[0], // tags
        &[0], // details
        &[],
    ];
    assert_eq!(plain, expected.concat());
    let reserved = Reserved {
        reservation: ReservationId::new("r").unwrap(),
        hours: row.service_period,
        amortised: n("2"),
        list_cost: n("3"),
        unused: n("4"),
    };
    let encoded = encode_row(&RatedRow { reserved: Some(Box::new(reserved)), ..row });
    let atoms = |whole: i128| (whole * 1_000_000_000_000_000_000).to_le_bytes();
    let behind: [&[u8]; 6] =
        [b"\x01r", &0_i64.to_le_bytes(), &hour.to_le_bytes(), &atoms(2), &atoms(3), &atoms(4)];
    assert_eq!(encoded, [&[2], &plain[1..], &behind.concat()].concat());
}

#[test]
fn account_and_meter_are_read_without_the_rest() {
    let one = record("1", "2026-03-01", "1");
    let check = |change: &dyn Fn(&mut UsageRecord)| {
        let mut other = one.clone();
        change(&mut other);
        let bytes = encode(&other);
        let expected = (other.key.billing_account.as_str(), other.meter.as_str());
        assert_eq!(account_and_meter(&bytes).unwrap(), expected, "{other:?}");
    };
    let amendment = Amendment {
        target: RecordId::new("0").unwrap(),
        actor: "x".to_owned(),
        reason: String::new(),
    };
    check(&|_| {});
    check(&|r| r.reported_at = Some(Instant::EPOCH));
    check(&|r| r.act = Act::Amend(amendment.clone()));
    check(&|r| r.act = Act::Withdraw(amendment.clone()));
    check(&|r| r.resource = "x".repeat(300));
    assert!(account_and_meter(&encode(&one)[..5]).is_err());
    assert!(account_and_meter(&[9]).is_err());
}

#[test]
fn content_is_all_but_key_and_reported_time() {
    let one = record("1", "2026-03-01", "1");
    let mut bytes = vec![9];
    let content_at = encode_into(&one, &mut bytes);
    assert_eq!(bytes[content_at..], content(&one), "the end of the record's own bytes");
    let check = |change: &dyn Fn(&mut UsageRecord), same: bool| {
        let mut other = one.clone();
        change(&mut other);
        assert_eq!(content(&one) == content(&other), same, "{other:?}");
    };
    let amendment = Amendment {
        target: RecordId::new("0").unwrap(),
        actor: "x".to_owned(),
        reason: "y".to_owned(),
    };
    check(&|r| r.key.id = RecordId::new("2").unwrap(), true);
    check(&|r| r.reported_at = Some(Instant::EPOCH), true);
    check(&|r| r.act = Act::Amend(amendment.clone()), false);
    check(&|r| r.subscription = SubscriptionId::new("s2").unwrap(), false);
    check(&|r| r.resource = "vm".to_owned(), false);
    check(&|r| r.meter = MeterId::new("m2").unwrap(), false);
    check(&|r| r.quantity = n("1.000000000000000001"), false);
    check(&|r| r.service_period = Interval::at(Instant::EPOCH), false);
    check(&|r| drop(r.dimensions.insert(Dimension::User, String::new())), false);
    check(&|r| drop(r.tags.insert("t".to_owned(), String::new())), false);
    check(&|r| r.category = ChargeCategory::Tax, false);
    check(&|r| r.billable = Billable::No, false);
    check(&|r| r.stated_cost = Some(Cost::zero(usd())), false);
    check(&|r| r.details = Some("{}".to_owned()), false);
    check(&|r| r.origin = Origin::Extract, false);
}

#[test]
fn keys_that_run_together_stay_apart() {
    let key = |source: &str, id: &str| RecordKey {
        billing_account: BillingAccountId::new("a").unwrap(),
        source: SourceName::new(source).unwrap(),
        id: RecordId::new(id).unwrap(),
    };
    assert_ne!(key_bytes(&key("ab", "c")), key_bytes(&key("a", "bc")));
}

#[test]
fn other_versions_and_trailing_bytes_are_refused() {
    let mut bytes = encode(&record("1", "2026-03-01", "1"));
    bytes.push(0);
    assert!(decode(&bytes).is_err());
    bytes.pop();
    bytes[0] = 2;
    assert_eq!(
        decode(&bytes).unwrap_err().to_string(),
        "version: 2 is not a record version we read"
    );
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn reading_gives_back_what_was_written(one in any_record()) {
        prop_assert_eq!(decode(&encode(&one)).unwrap(), one);
    }

    #[test]
    fn whatever_is_cut_off_is_refused(one in any_record()) {
        let bytes = encode(&one);
        for end in 0..bytes.len() {
            prop_assert!(decode(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn a_damaged_byte_never_panics_and_has_one_spelling(
        one in any_record(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut bytes = encode(&one);
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(read) = decode(&bytes) {
            // Only letters that ids fold may come back spelled otherwise.
            prop_assert_eq!(decode(&encode(&read)).unwrap(), read);
        }
    }

    #[test]
    fn garbage_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = RECORD_VERSION;
        }
        let _ = decode(&bytes);
    }
}
