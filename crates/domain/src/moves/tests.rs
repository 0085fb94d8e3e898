//! What keeps a holding where it is, and what becomes of its placements.

use super::*;
use crate::fixtures::places::place;
use crate::fixtures::{account, placement, span, t};
use std::collections::BTreeSet;

use Obstacle::{
    AccountInactive, MarketplaceClosed, NoPrice, NoProfile, NoRightAtDestination, NoRightAtSource,
    NoSection, NotActive, NotAtSource, OtherAccount, PaidOnce, PlanStays, ProfileInactive,
    ProfilePastDue, SectionInactive, SourceProfilePastDue, SourceSectionInactive, Unclear,
};
use PlaceState::{Active, Inactive, PastDue, Pending};

/// What nothing stands against.
const FREE: MoveFacts = MoveFacts {
    account: Agreed::Now,
    source: Source::Section { section: Active, profile: Active },
    may_leave: Permission::Allowed,
    destination: THERE,
    moved: Moved {
        state: HoldingState::Active,
        billing_frequency: BillingFrequency::UsageBased,
        plan: PlanOf::Nowhere,
        bought: Bought::Nothing,
        priced: Priced::AsBefore,
    },
};
const THERE: Destination = Destination::Section {
    may_enter: Permission::Allowed,
    section: Active,
    profile: Active,
    marketplace: MarketplacePurchases::All,
};

fn check(facts: MoveFacts, expected: &[Obstacle]) {
    assert_eq!(obstacles(&facts), expected, "{facts:?}");
}

fn at(destination: Destination) -> MoveFacts {
    MoveFacts { destination, ..FREE }
}

fn there(section: PlaceState, profile: PlaceState) -> MoveFacts {
    let (may_enter, marketplace) = (Permission::Allowed, MarketplacePurchases::All);
    at(Destination::Section { may_enter, section, profile, marketplace })
}

fn from(section: PlaceState, profile: PlaceState) -> MoveFacts {
    MoveFacts { source: Source::Section { section, profile }, ..FREE }
}

fn of(change: impl FnOnce(&mut Moved)) -> MoveFacts {
    let mut moved = FREE.moved;
    change(&mut moved);
    MoveFacts { moved, ..FREE }
}

#[test]
fn each_obstacle_has_its_reason_and_is_told_in_one_order() {
    check(FREE, &[]);
    check(MoveFacts { account: Agreed::Later, ..FREE }, &[AccountInactive]);
    check(MoveFacts { may_leave: Permission::NotAllowed, ..FREE }, &[NoRightAtSource]);
    check(MoveFacts { source: Source::Elsewhere, ..FREE }, &[NotAtSource]);
    check(from(Inactive, Active), &[SourceSectionInactive]);
    check(from(Active, PastDue), &[SourceProfilePastDue]);
    // What is closed may be left.
    check(from(Active, Inactive), &[]);
    check(at(Destination::OtherAccount), &[OtherAccount]);
    check(at(Destination::NoProfile), &[NoProfile]);
    check(at(Destination::NoSection), &[NoSection]);
    check(at(Destination::Unclear), &[Unclear]);
    check(there(Active, Inactive), &[ProfileInactive]);
    check(there(Active, Pending), &[ProfileInactive]);
    check(there(Active, PastDue), &[ProfilePastDue]);
    check(there(Inactive, Active), &[SectionInactive]);
    for state in [
        HoldingState::PastDue,
        HoldingState::Suspended,
        HoldingState::Cancelled,
        HoldingState::Expired,
        HoldingState::Deleted,
    ] {
        check(of(|moved| moved.state = state), &[NotActive]);
    }
    check(of(|moved| moved.billing_frequency = BillingFrequency::OneTime), &[PaidOnce]);
    check(of(|moved| moved.plan = PlanOf::ProfileLeft), &[PlanStays]);
    check(of(|moved| moved.priced = Priced::NoMore), &[NoPrice]);
    let all = MoveFacts {
        account: Agreed::Later,
        source: Source::Section { section: Inactive, profile: PastDue },
        may_leave: Permission::NotAllowed,
        moved: Moved {
            state: HoldingState::Cancelled,
            billing_frequency: BillingFrequency::OneTime,
            plan: PlanOf::ProfileLeft,
            bought: Bought::Paid,
            priced: Priced::NoMore,
        },
        destination: Destination::Section {
            may_enter: Permission::Allowed,
            section: Inactive,
            profile: Inactive,
            marketplace: MarketplacePurchases::None,
        },
    };
    let found = obstacles(&all);
    let sorted: BTreeSet<Obstacle> = found.iter().copied().collect();
    assert_eq!(found, Vec::from_iter(sorted));
    assert_eq!(found.len(), 11);
}

#[test]
fn who_may_not_move_it_there_is_told_nothing_else_of_the_destination() {
    let destination = Destination::Section {
        may_enter: Permission::NotAllowed,
        section: Inactive,
        profile: PastDue,
        marketplace: MarketplacePurchases::None,
    };
    let mut facts = of(|moved| {
        moved.bought = Bought::Paid;
        moved.priced = Priced::NoMore;
    });
    facts.destination = destination;
    check(facts, &[NoRightAtDestination]);
}

#[test]
fn what_may_not_be_bought_there_stays() {
    use MarketplacePurchases::{All, None, OnlyFree};
    let free = |marketplace, bought, is_free: bool| {
        let mut facts = of(|moved| moved.bought = bought);
        let (may_enter, section, profile) = (Permission::Allowed, Active, Active);
        facts.destination = Destination::Section { may_enter, section, profile, marketplace };
        check(facts, if is_free { &[] } else { &[MarketplaceClosed] });
    };
    for marketplace in [All, OnlyFree, None] {
        free(marketplace, Bought::Nothing, true);
    }
    free(All, Bought::Paid, true);
    free(OnlyFree, Bought::Free, true);
    free(OnlyFree, Bought::Paid, false);
    free(None, Bought::Free, false);
    free(None, Bought::Paid, false);
}

#[test]
fn an_obstacle_is_found_by_what_it_is_kept_as() {
    for obstacle in Obstacle::ALL {
        assert_eq!(Obstacle::parse(obstacle.problem()), Some(obstacle));
    }
    assert_eq!(Obstacle::parse("nothing"), None);
    let sorted: BTreeSet<Obstacle> = Obstacle::ALL.into_iter().collect();
    assert_eq!(Vec::from_iter(sorted), Obstacle::ALL);
}

fn standings(steps: &[(&str, &str)]) -> Timeline<Standing> {
    let steps = steps.iter().map(|(from, section)| {
        let place = Some(place(&format!("mca/section {section}")));
        (t(from), Standing { place, reseller: None })
    });
    Timeline::new("standings", steps).unwrap()
}

/// Who pays when: `from..until profile`, of `mca` unless another account is named.
fn paid(all: &[(&str, &str, &str)]) -> Vec<Placement> {
    let one = |(from, until, by): &(&str, &str, &str)| {
        let (of, profile) = by.split_once(' ').unwrap_or(("mca", *by));
        Placement { profile: Some(profile.to_owned()), ..placement(of, span(from, until)) }
    };
    all.iter().map(one).collect()
}

type Steps<'a> = &'a [(&'a str, &'a str)];
type Paid<'a> = &'a [(&'a str, &'a str, &'a str)];

fn check_cut((before, after): (Steps<'_>, Steps<'_>), known: Paid<'_>, expected: Paid<'_>) {
    let (before, after, own) = (standings(before), standings(after), account("mca"));
    let now = t("2026-06-01");
    let cut = Cut { now, account: &own, before: &before, after: &after, profile: "p2" };
    assert_eq!(moved(&paid(known), &cut), paid(expected), "{known:?}");
}

#[test]
fn a_move_changes_who_pays_from_its_moment_on_and_cuts_nothing_else() {
    let (start, now, end) = ("2026-01-01", "2026-06-01", "2027-01-01");
    let (before, after) = ([(start, "s1")], [(start, "s1"), (now, "s3")]);
    let s3: (Steps<'_>, Steps<'_>) = (&before, &after);
    check_cut(s3, &[(start, end, "p1")], &[(start, now, "p1"), (now, end, "p2")]);
    // Another section of the same profile: no counter is cut.
    check_cut(s3, &[(start, end, "p2")], &[(start, end, "p2")]);
    // What was before stays, what comes later and stands there moves too.
    check_cut(
        s3,
        &[
            (start, "2026-03-01", "p0"),
            ("2026-03-01", "2026-08-01", "p1"),
            ("2026-08-01", end, "p1"),
        ],
        &[
            (start, "2026-03-01", "p0"),
            ("2026-03-01", now, "p1"),
            (now, "2026-08-01", "p2"),
            ("2026-08-01", end, "p2"),
        ],
    );
    // A later step that says where it stands keeps its payer.
    let later = ("2026-09-01", "s2");
    check_cut(
        (&[(start, "s1"), later], &[(start, "s1"), (now, "s3"), later]),
        &[(start, end, "p1")],
        &[(start, now, "p1"), (now, "2026-09-01", "p2"), ("2026-09-01", end, "p1")],
    );
    // Another account that pays later is none of ours.
    check_cut(
        s3,
        &[(start, "2026-08-01", "p1"), ("2026-08-01", end, "mca2 q1")],
        &[(start, now, "p1"), (now, "2026-08-01", "p2"), ("2026-08-01", end, "mca2 q1")],
    );
    // It begins at the very moment.
    check_cut(s3, &[(now, end, "p1")], &[(now, end, "p2")]);
}
