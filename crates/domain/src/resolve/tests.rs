//! Which kept records count, as stories in a line each.

use super::*;
use crate::fixtures::{position, record, t};
use crate::ids::SubscriptionId;
use crate::usage::{Amendment, UsageRecord};
use proptest::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A story: records separated by blanks, in the order of the log.
///
/// `r` states usage, `x` states it with an extract, `a1=r` amends r, `w=r` withdraws r,
/// `r!` is a conflict of the first r.
fn kept(story: &str) -> Vec<Kept> {
    let mut kept: Vec<Kept> = Vec::new();
    for (sequence, word) in (0..).zip(story.split_whitespace()) {
        let (name, target) = word.split_once('=').unwrap_or((word, ""));
        let is_conflict = name.ends_with('!');
        let name = name.trim_end_matches('!');
        let mut one = record(name, "2026-03-02", "1");
        let amendment = |target: &str| Amendment {
            target: RecordId::new(target).unwrap(),
            actor: "clerk".to_owned(),
            reason: "mistyped".to_owned(),
        };
        match (name.as_bytes()[0], target) {
            (b'x', _) => one.origin = Origin::Extract,
            (b'w', to) => one.act = Act::Withdraw(amendment(to)),
            (_, "") => {}
            (_, to) => one.act = Act::Amend(amendment(to)),
        }
        let first = kept.iter().find(|first| first.logged.record.key == one.key);
        let conflict_of = first.filter(|_| is_conflict).map(|first| first.logged.position);
        let mut hash = DefaultHasher::new();
        one.key.hash(&mut hash);
        let (key_hash, acknowledged_at) = (u128::from(hash.finish()), t("2026-03-03"));
        let logged = LoggedRecord { position: position(sequence), acknowledged_at, record: one };
        kept.push(Kept { logged, key_hash, conflict_of });
    }
    kept
}

/// What counts, by place in the log, and what waits: `0 2 | 1`.
fn shown(resolved: &Resolved) -> String {
    let counts: Vec<_> =
        resolved.records.iter().map(|one| one.position.sequence.to_string()).collect();
    let waits: Vec<_> =
        resolved.quarantine.iter().map(|one| one.position.sequence.to_string()).collect();
    format!("{} | {}", counts.join(" "), waits.join(" "))
}

fn check(story: &str, expected: &str) {
    assert_eq!(shown(&resolve(kept(story), &[], &[])), expected, "{story}");
}

#[test]
fn an_amendment_takes_the_place_of_its_target_and_a_withdrawal_leaves_none() {
    check("r s", "0 1 | ");
    check("r a=r s", "1 2 | ");
    check("r a=r b=r", "2 | ");
    check("r a=r b=a", "2 | ");
    check("r w=r", " | ");
    check("r a=r w=a", " | ");
    check("r w=r a=r", "2 | ");
    check("a=r r", "0 | "); // the target may arrive later
}

#[test]
fn an_amendment_of_nothing_waits() {
    check("r a=q", "0 | 1");
    check("r w=q", "0 | 1");
    check("a=b b=a r", "2 | 0 1");
    check("a=a", " | 0");
    check("b=a a=q", " | 0 1");
}

#[test]
fn an_amendment_keeps_subscription_meter_period_and_source() {
    let check = |change: fn(&mut UsageRecord), expected: &str| {
        let mut story = kept("r a=r");
        change(&mut story[1].logged.record);
        assert_eq!(shown(&resolve(story, &[], &[])), expected);
    };
    check(|one| one.quantity = crate::fixtures::n("7"), "1 | ");
    check(|one| one.service_period = calendar::Interval::at(t("2026-03-31T23:59:59Z")), "1 | ");
    check(|one| one.subscription = SubscriptionId::new("other").unwrap(), "0 | 1");
    check(|one| one.meter = crate::fixtures::meter_id("other"), "0 | 1");
    check(|one| one.service_period = calendar::Interval::at(t("2026-04-01")), "0 | 1");
    check(|one| one.key.source = SourceName::new("other").unwrap(), "0 | 1");
}

#[test]
fn of_a_conflict_the_first_stands_until_another_is_chosen() {
    let check = |story: &str, settlements: &[(u64, u64)], expected: &str| {
        let settlement = |(first, chosen): &(u64, u64)| Settlement {
            first: position(*first),
            chosen: position(*chosen),
        };
        let settlements: Vec<_> = settlements.iter().map(settlement).collect();
        assert_eq!(shown(&resolve(kept(story), &[], &settlements)), expected, "{story}");
    };
    check("r r! r! s", &[], "0 3 | ");
    check("r r! r! s", &[(0, 0)], "0 3 | ");
    check("r r! r! s", &[(0, 2)], "2 3 | ");
    check("r r! r! s", &[(0, 2), (0, 1)], "1 3 | ");
    check("r r! a=r", &[(0, 1)], "2 | ");
    check("s", &[(7, 9)], "0 | ");
}

#[test]
fn the_newest_extract_that_covers_a_day_says_which_rows_are_there() {
    let source = SourceName::new("src").unwrap();
    let other = SourceName::new("other").unwrap();
    let day = |text: &str| t(text).day();
    let check = |story: &str, extracts: &[(u64, Axis, (&str, &str), &str)], expected: &str| {
        let members = |names: &str| {
            let mut hashes: Vec<u128> = kept(names).iter().map(|one| one.key_hash).collect();
            hashes.sort_unstable();
            hashes
        };
        let members: Vec<_> = extracts.iter().map(|(_, _, _, names)| members(names)).collect();
        let views: Vec<_> = extracts
            .iter()
            .zip(&members)
            .map(|((id, axis, (from, until), _), members)| ExtractView {
                id: *id,
                source: if *id >= 100 { &other } else { &source },
                axis: *axis,
                days: day(from)..day(until),
                members,
            })
            .collect();
        assert_eq!(shown(&resolve(kept(story), &views, &[])), expected, "{story} {extracts:?}");
    };
    let month = ("2026-03-01", "2026-04-01");
    use Axis::{Reported, Usage};
    check("x1 x2 r", &[], "2 | ");
    check("x1 x2 r", &[(1, Usage, month, "x1 x2")], "0 1 2 | ");
    check("x1 x2 r", &[(1, Usage, month, "x1 x2"), (2, Usage, month, "x2")], "1 2 | ");
    check("x1 x2 r", &[(2, Usage, month, "x2"), (1, Usage, month, "x1 x2")], "1 2 | ");
    check("x1 x2 r", &[(1, Usage, month, "x1 x2"), (100, Usage, month, "")], "0 1 2 | ");
    // The records are of 2 March, reported on 3 March.
    let used = ("2026-03-02", "2026-03-03");
    let reported = ("2026-03-03", "2026-03-04");
    check("x1", &[(1, Usage, used, "x1")], "0 | ");
    check("x1", &[(1, Usage, used, "")], " | ");
    check("x1", &[(1, Usage, used, "x1"), (2, Usage, reported, "")], "0 | ");
    check("x1", &[(1, Usage, reported, "x1")], " | ");
    check("x1", &[(1, Reported, reported, "x1")], "0 | ");
    check("x1", &[(1, Reported, reported, "x1"), (2, Reported, used, "")], "0 | ");
    check("x1", &[(1, Reported, used, "x1")], " | ");
    check("x1 a=x1", &[(1, Usage, month, "x1")], "1 | ");
    check("x1 a=x1", &[(1, Usage, month, "")], " | 1");
    check("x1 w=x1", &[(1, Usage, month, "")], " | ");
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn what_counts_does_not_depend_on_the_order_of_the_list(
        words in prop::collection::vec(
            prop::sample::select(vec!["r", "s", "a=r", "b=a", "w=r", "v=b", "c=s", "d=d"]), 0..8),
        seed in any::<u64>(),
    ) {
        let mut words = words;
        words.sort_unstable();
        words.dedup();
        let mut shuffled = kept(&words.join(" "));
        let straight = resolve(shuffled.clone(), &[], &[]);
        let len = shuffled.len().max(1);
        shuffled.rotate_left(usize::try_from(seed).unwrap() % len);
        let mut turned = resolve(shuffled, &[], &[]);
        turned.records.sort_by_key(|one| one.position);
        turned.quarantine.sort_by_key(|one| one.position);
        prop_assert_eq!(straight, turned);
    }
}
