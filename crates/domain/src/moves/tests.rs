//! What a move changes, and what it may not.

use super::*;
use crate::company::Company;
use crate::fixtures::places::{below, held, place, world};
use crate::fixtures::{account, placement, span, t};
use crate::holdings::Held;
use proptest::prelude::*;

const AT: &str = "2026-03-10";

fn year() -> Interval {
    span("2026-01-01", "2027-01-01")
}

fn paid(by: &str, profile: Option<&str>, during: Interval) -> Placement {
    Placement { profile: profile.map(str::to_owned), ..placement(by, during) }
}

fn order(to: &str, reach: MoveReach) -> Move {
    Move { at: t(AT), to: place(to), profile: None, offer: None, reseller: None, reach }
}

/// In section `s1` of profile `p1`, all year.
fn usual() -> (Vec<Placement>, Held) {
    (vec![paid("mca", Some("p1"), year())], held(Some(place("mca/section s1"))))
}

fn told(
    company: &Company,
    (placements, held): &(Vec<Placement>, Held),
    order: &Move,
) -> std::result::Result<Moved, String> {
    let billing_frequency = BillingFrequency::UsageBased;
    let holding = Holding { billing_frequency, placements, held };
    moved(&company.places, &holding, order).map_err(|refusal| refusal.to_string())
}

#[test]
fn a_move_cuts_the_placement_only_where_the_payer_changes() {
    let company = world();
    let (before, after) = (span("2026-01-01", AT), span(AT, "2027-01-01"));
    let check = |order: &Move, expected: &[Placement]| {
        let found = told(&company, &usual(), order).unwrap();
        assert_eq!(found.placements, expected, "{order:?}");
        let (from, standing) = found.standings.newest();
        assert_eq!((from, standing.place.as_ref()), (t(AT), Some(&order.to)));
        let held = Held { standings: found.standings, ..held(None) };
        let (placements, billing_frequency) = (&found.placements, BillingFrequency::UsageBased);
        let holding = Holding { billing_frequency, placements, held: &held };
        assert_eq!(crate::holdings::check_holding(&company.places, &holding), []);
    };
    // within the profile: nothing changes for rating
    check(&order("mca/section s2", MoveReach::Account), &[paid("mca", Some("p1"), year())]);
    // to another profile
    check(
        &order("mca/section s3", MoveReach::Account),
        &[paid("mca", Some("p1"), before), paid("mca", Some("p2"), after)],
    );
    // to another account
    check(
        &order("mca2/section t1", MoveReach::Transfer),
        &[paid("mca", Some("p1"), before), paid("mca2", Some("q1"), after)],
    );
    check(
        &Move { profile: Some("v1".to_owned()), ..order("mpa2/customer b1", MoveReach::Transfer) },
        &[paid("mca", Some("p1"), before), paid("mpa2", Some("v1"), after)],
    );
    // an enrollment has no profiles
    check(
        &order("ea/enrollment n3", MoveReach::Transfer),
        &[paid("mca", Some("p1"), before), paid("ea", None, after)],
    );
    // another offer is another placement
    let offer = OfferId::new("P").unwrap();
    check(
        &Move { offer: Some(offer.clone()), ..order("mca/section s2", MoveReach::Account) },
        &[paid("mca", Some("p1"), before), Placement { offer, ..paid("mca", Some("p1"), after) }],
    );
}

#[test]
fn a_move_at_the_placements_first_instant_leaves_no_empty_piece() {
    let company = world();
    let from_then = (vec![paid("mca", Some("p1"), span(AT, "2027-01-01"))], usual().1);
    let found = told(&company, &from_then, &order("mca/section s3", MoveReach::Account)).unwrap();
    assert_eq!(found.placements, [paid("mca", Some("p2"), span(AT, "2027-01-01"))]);
}

#[test]
fn each_refusal_says_why() {
    let company = world();
    let check = |held: (Vec<Placement>, Held), order: &Move, expected: &str| {
        assert_eq!(told(&company, &held, order).unwrap_err(), expected, "{order:?}");
    };
    let other = order("mca2/section t1", MoveReach::Account);
    check(usual(), &other, "invoice section `t1` lies in another billing account");
    let level = "nothing can stand at billing profile `p2`";
    check(usual(), &order("mca/profile p2", MoveReach::Account), level);
    let level = "nothing can stand at department `d1`";
    check(usual(), &order("ea/department d1", MoveReach::Transfer), level);
    let same = "it stands at invoice section `s1` already";
    check(usual(), &order("mca/section s1", MoveReach::Account), same);
    let missing = "invoice section `nowhere` does not exist";
    check(usual(), &order("mca/section nowhere", MoveReach::Account), missing);
    let to = order("mca/section s2", MoveReach::Account);
    let ended = vec![paid("mca", Some("p1"), span("2026-01-01", "2026-02-01"))];
    check((ended, usual().1), &to, "nobody pays for it at 2026-03-10T00:00:00Z");
    let mut idle = usual();
    idle.1.state = Timeline::from(Instant::MIN, HoldingState::Suspended);
    check(idle, &to, "it is not active");
    // A partner says which profile pays, and its customers have resellers of their own.
    let partner = order("mpa/customer c1", MoveReach::Transfer);
    let lies = "customer `c1` lies in `mpa`";
    check(usual(), &partner, &format!("placements[0].profile: is no profile; {lies}"));
    let reseller = Some(ResellerId::new("r9").unwrap());
    let partner = Move { profile: Some("u1".to_owned()), reseller, ..partner };
    let wrong = "standings[2026-03-10T00:00:00Z].reseller: `r9` is no reseller of customer `c1`";
    check(usual(), &partner, wrong);
    let later = "it has moved or changed after 2026-03-10T00:00:00Z";
    let mut moved_later = usual();
    let elsewhere = Standing { place: Some(place("mca/section s3")), reseller: None };
    moved_later.1.standings.push("standings", t("2026-04-01"), elsewhere).unwrap();
    check(moved_later, &to, later);
    let payers = vec![
        paid("mca", Some("p1"), span("2026-01-01", "2026-04-01")),
        paid("mca", Some("p1"), span("2026-04-01", "2027-01-01")),
    ];
    check((payers, usual().1), &to, later);
}

#[test]
fn what_was_bought_once_stays() {
    let (placements, held) = usual();
    let to = order("mca/section s2", MoveReach::Account);
    let check = |billing_frequency: BillingFrequency, expected: Option<Refusal>| {
        let holding = Holding { billing_frequency, placements: &placements, held: &held };
        assert_eq!(moved(&world().places, &holding, &to).err(), expected);
    };
    check(BillingFrequency::OneTime, Some(Refusal::OneTimePurchase));
    check(BillingFrequency::Monthly, None);
    check(BillingFrequency::UsageBased, None);
}

#[test]
fn both_ends_and_their_profiles_are_active() {
    let check = |story: &str, expected: &str| {
        let mut company = world();
        let kind = AgreementType::Customer;
        company.places.accounts.insert(account("mca"), below(kind, story));
        let to = order("mca/section s3", MoveReach::Account);
        let found = told(&company, &usual(), &to);
        assert_eq!(found.map_or_else(|e| e, |_| "yes".to_owned()), expected, "{story}");
    };
    let tree = "profile p1, profile p2, section s1 < profile p1, section s3 < profile p2";
    check(tree, "yes");
    let with = |change: &str| format!("{tree}, {change} from 2026-03-01");
    check(&with("profile p1 is past due"), "billing profile `p1`, where it stands, is PastDue");
    check(
        &with("section s1 < profile p1 is inactive"),
        "invoice section `s1`, where it stands, is Inactive",
    );
    check(
        &with("profile p2 is past due"),
        "billing profile `p2`, where it would stand, is PastDue",
    );
    check(
        &with("profile p2 is inactive"),
        "billing profile `p2`, where it would stand, is Inactive",
    );
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    /// Whatever way a subscription goes, each moment that was paid is paid once afterwards, and
    /// places and payers agree.
    #[test]
    fn no_moment_is_lost_or_paid_twice(
        path in prop::collection::vec((0..6_usize, 0..300_i64), 0..6),
    ) {
        let company = world();
        let places = [
            "mca/section s1", "mca/section s2", "mca/section s3",
            "mca2/section t1", "ea/enrollment n1", "ea/enrollment n4",
        ];
        let (mut placements, mut held) = usual();
        for (to, day) in path {
            let at = t("2026-01-01").plus_micros(day * calendar::MICROS_PER_DAY);
            let order = Move { at, ..order(places[to], MoveReach::Transfer) };
            if let Ok(moved) = told(&company, &(placements.clone(), held.clone()), &order) {
                placements = moved.placements;
                held.standings = moved.standings;
            }
        }
        prop_assert_eq!(placements[0].during.start(), year().start());
        prop_assert_eq!(placements[placements.len() - 1].during.end(), year().end());
        for pair in placements.windows(2) {
            prop_assert_eq!(pair[0].during.end(), pair[1].during.start());
        }
        let billing_frequency = BillingFrequency::UsageBased;
        let holding = Holding { billing_frequency, placements: &placements, held: &held };
        prop_assert_eq!(crate::holdings::check_holding(&company.places, &holding), []);
    }
}
