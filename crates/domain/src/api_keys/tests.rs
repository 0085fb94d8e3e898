//! When a key holds, and from where.

use super::*;
use crate::access::Action;
use crate::fixtures::{few, t};
use crate::ids::PrincipalId;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const NOW: &str = "2026-05-01T12:00:00";

fn key(id: &str) -> ApiKey {
    ApiKey {
        name: "reports".to_owned(),
        grant: KeyGrant {
            key_id: id.to_owned(),
            principal: PrincipalId::new("p").unwrap(),
            actions: vec![Action::ReadCharges],
            billing_accounts: [].into(),
            places: [].into(),
            sources: Vec::new(),
        },
        valid_from: t("2026-01-01"),
        expires_at: None,
        revoked_at: None,
        allowed_ranges: Vec::new(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_range_holds_the_addresses_that_share_its_first_bits() {
    let check = |range: &str, inside: &[&str], outside: &[&str]| {
        let range = AddressRange::parse(range).unwrap();
        for (addresses, expected) in [(inside, true), (outside, false)] {
            for address in addresses {
                assert_eq!(range.contains(ip(address)), expected, "{range} {address}");
            }
        }
        assert_eq!(AddressRange::parse(&range.to_string()).unwrap(), range);
    };
    check("192.0.2.7", &["192.0.2.7"], &["192.0.2.6", "192.0.2.8", "::c000:207"]);
    check("192.0.2.0/24", &["192.0.2.0", "192.0.2.255"], &["192.0.1.255", "192.0.3.0"]);
    check("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"], &["9.255.255.255", "11.0.0.0"]);
    check("192.0.2.64/31", &["192.0.2.64", "192.0.2.65"], &["192.0.2.63", "192.0.2.66"]);
    check("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "2001:db8::1"]);
    check("::/0", &["::", "2001:db8::1"], &["0.0.0.0", "192.0.2.1"]);
    check(
        "2001:db8::/32",
        &["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:DB8::1"],
        &["2001:db7:ffff::", "2001:db9::"],
    );
    check("2001:db8::1", &["2001:db8::1"], &["2001:db8::", "2001:db8::2"]);
    // IPv4 in the clothes of IPv6
    check("192.0.2.0/24", &["::ffff:192.0.2.9"], &["::ffff:192.0.3.9"]);
    check("::ffff:192.0.2.9", &["192.0.2.9", "::ffff:192.0.2.9"], &["192.0.2.8"]);
}

#[test]
fn what_is_no_range_is_refused() {
    let check = |text: &str, problem: &str| {
        let told = AddressRange::parse(text).unwrap_err().to_string();
        assert_eq!(told, format!("allowed_ranges: `{text}` {problem}"));
    };
    for text in ["", "host", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", " 1.2.3.4", "::1%eth0"]
    {
        check(text, "is no address");
    }
    for text in ["1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/08", "1.2.3.4/+8", "1.2.3.4/8/8"]
    {
        check(text, "has no prefix between 0 and 32");
    }
    check("::/129", "has no prefix between 0 and 128");
    check("10.0.0.1/8", "has bits beyond its prefix; the range is 10.0.0.0/8");
    check("0.0.0.1/0", "has bits beyond its prefix; the range is 0.0.0.0/0");
    check("2001:db8::1/32", "has bits beyond its prefix; the range is 2001:db8::/32");
}

proptest! {
    #![proptest_config(few())]

    /// Compared with the definition, bit by bit.
    #[test]
    fn an_address_is_inside_if_its_first_bits_are_the_ranges(
        base in any::<u128>(), other in any::<u128>(), prefix in 0..=128_u32, near in 0..128_u32,
        four in any::<bool>(),
    ) {
        let other = if near % 2 == 0 { other } else { base ^ (1 << near) };
        let width = if four { 32 } else { 128 };
        let prefix = prefix.min(width);
        let digit = |bits: u128, place: u32| (bits >> (width - 1 - place)) & 1;
        let address = |bits: u128| if four {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits & u128::from(u32::MAX)).unwrap()))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        };
        // Cleared beyond the prefix, place by place.
        let kept = |place: u32| digit(base, place) << (width - 1 - place);
        let start = (0..prefix).fold(0_u128, |start, place| start | kept(place));
        prop_assume!(address(start).to_canonical() == address(start));
        prop_assume!(address(other).to_canonical() == address(other));
        let range = AddressRange::parse(&format!("{}/{prefix}", address(start))).unwrap();
        let expected = (0..prefix).all(|place| digit(start, place) == digit(other, place));
        prop_assert_eq!(range.contains(address(other)), expected);
        prop_assert!(range.contains(address(start)));
    }
}

#[test]
fn a_key_holds_from_its_start_until_its_end_or_its_revocation() {
    let mut one = key("k");
    one.expires_at = Some(t("2026-06-01"));
    let check = |one: &ApiKey, at: &str, expected: KeyState| {
        assert_eq!(one.state_at(t(at)), expected, "{at}");
    };
    check(&one, "2025-12-31T23:59:59.999999", KeyState::NotYet);
    check(&one, "2026-01-01", KeyState::Live);
    check(&one, "2026-05-31T23:59:59.999999", KeyState::Live);
    check(&one, "2026-06-01", KeyState::Expired);
    one.revoked_at = Some(t("2026-03-01"));
    check(&one, "2026-02-28T23:59:59.999999", KeyState::Live);
    check(&one, "2026-03-01", KeyState::Revoked);
    check(&one, "2026-07-01", KeyState::Revoked);
}

#[test]
fn a_key_is_used_while_it_holds_and_from_where_it_may() {
    let check = |change: &dyn Fn(&mut ApiKey), from: &str, expected: &str| {
        let mut one = key("k");
        change(&mut one);
        let told = check_use(&one, Some(ip(from)), t(NOW));
        let told = told.map_or_else(|error| error.to_string(), |()| "yes".to_owned());
        assert_eq!(told, expected, "{from}");
    };
    let here = |one: &mut ApiKey| {
        one.allowed_ranges =
            ["192.0.2.0/24", "2001:db8::/32"].map(|text| AddressRange::parse(text).unwrap()).into();
    };
    check(&|_| {}, "203.0.113.9", "yes");
    check(&here, "192.0.2.9", "yes");
    check(&here, "2001:db8::9", "yes");
    check(&here, "::ffff:192.0.2.9", "yes");
    let elsewhere = "not signed in: the key may not be used from this address";
    check(&here, "203.0.113.9", elsewhere);
    check(&here, "2001:db9::9", elsewhere);
    let early = |one: &mut ApiKey| one.valid_from = t("2026-05-02");
    check(&early, "192.0.2.9", "not signed in: the key does not hold yet");
    let late = |one: &mut ApiKey| one.expires_at = Some(t(NOW));
    check(&late, "192.0.2.9", "not signed in: the key has expired");
    let revoked = |one: &mut ApiKey| one.revoked_at = Some(t("2026-02-01"));
    check(&revoked, "192.0.2.9", "not signed in: the key is revoked");
}

#[test]
fn two_keys_of_one_name_take_turns() {
    let (first, second) = (key("1"), key("2"));
    let mut expired = key("3");
    expired.expires_at = Some(t("2026-04-01"));
    let mut revoked = key("4");
    revoked.revoked_at = Some(t("2026-04-01"));
    let mut to_come = key("5");
    to_come.valid_from = t("2026-06-01");
    let check = |keys: &[&ApiKey], new: &ApiKey, expected: &str| {
        let keys: Vec<ApiKey> = keys.iter().map(|key| (*key).clone()).collect();
        let told = check_new(&keys, new, t(NOW));
        let told = told.map_or_else(|error| error.to_string(), |()| "yes".to_owned());
        assert_eq!(told, expected);
    };
    let third = "key `9`: `reports` has 2 live keys; revoke one before the next";
    let new = key("9");
    check(&[], &new, "yes");
    check(&[&first], &new, "yes");
    check(&[&first, &expired, &revoked], &new, "yes");
    check(&[&first, &second], &new, third);
    check(&[&first, &to_come], &new, third);
    // Another name, or another principal, has its own two.
    let other_name = ApiKey { name: "exports".to_owned(), ..key("9") };
    check(&[&first, &second], &other_name, "yes");
    let mut other_principal = key("9");
    other_principal.grant.principal = PrincipalId::new("q").unwrap();
    check(&[&first, &second], &other_principal, "yes");
    check(&[&first], &key("1"), "key `1`: exists already");
    check(&[&revoked], &key("4"), "key `4`: exists already");
}

#[test]
fn a_new_key_has_a_name_actions_and_an_end_to_come() {
    let check = |change: &dyn Fn(&mut ApiKey), expected: &str| {
        let mut new = key("k");
        change(&mut new);
        assert_eq!(check_new(&[], &new, t(NOW)).unwrap_err().to_string(), expected);
    };
    check(&|new| new.name = " ".to_owned(), "name: must not be empty");
    check(&|new| new.grant.actions.clear(), "actions: must not be empty");
    let end = "expires_at: must come after the start, and after now";
    check(&|new| new.expires_at = Some(t(NOW)), end);
    check(&|new| new.expires_at = Some(t("2025-12-31")), end);
    check(
        &|new| {
            new.valid_from = t("2026-07-01");
            new.expires_at = Some(t("2026-06-01"));
        },
        end,
    );
}
