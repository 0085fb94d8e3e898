//! Moves: what keeps a subscription or product from being billed at another invoice section of its
//! payer's account, and what becomes of its placements when it is moved.
//!
//! Source: `microsoft-billing.md` section 10.

use crate::Kind;
use crate::agreements::Permission;
use crate::company::Placement;
use crate::holdings::{BillingFrequency, HoldingState, Standing};
use crate::ids::BillingAccountId;
use crate::places::{MarketplacePurchases, PlaceState};
use crate::timeline::Timeline;
use calendar::{Instant, Interval};
use std::fmt;

/// What keeps a holding where it is; the first of several is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Obstacle {
    /// The account's agreement does not hold yet.
    AccountInactive,
    /// Who asks may move nothing away from where it stands.
    NoRightAtSource,
    /// It does not stand where it was said to, or at no invoice section.
    NotAtSource,
    /// The section where it stands is closed.
    SourceSectionInactive,
    /// The profile that pays owes.
    SourceProfilePastDue,
    /// What was asked for lies in another account.
    OtherAccount,
    /// There is no such profile.
    NoProfile,
    /// There is no such section in the profile.
    NoSection,
    /// What was asked for is no one section that it could be moved to.
    Unclear,
    /// Who asks may move nothing there.
    NoRightAtDestination,
    /// The profile there is closed, or not open yet.
    ProfileInactive,
    /// The profile there owes.
    ProfilePastDue,
    /// The section there is closed, or not open yet.
    SectionInactive,
    /// It is not in use.
    NotActive,
    /// It was paid once and for all.
    PaidOnce,
    /// A plan charges it to the profile where it stands.
    PlanStays,
    /// It buys in the marketplace what may not be bought there.
    MarketplaceClosed,
    /// Nothing of it has a price there.
    NoPrice,
}

impl Obstacle {
    /// All of them.
    pub const ALL: [Obstacle; 18] = [
        Obstacle::AccountInactive,
        Obstacle::NoRightAtSource,
        Obstacle::NotAtSource,
        Obstacle::SourceSectionInactive,
        Obstacle::SourceProfilePastDue,
        Obstacle::OtherAccount,
        Obstacle::NoProfile,
        Obstacle::NoSection,
        Obstacle::Unclear,
        Obstacle::NoRightAtDestination,
        Obstacle::ProfileInactive,
        Obstacle::ProfilePastDue,
        Obstacle::SectionInactive,
        Obstacle::NotActive,
        Obstacle::PaidOnce,
        Obstacle::PlanStays,
        Obstacle::MarketplaceClosed,
        Obstacle::NoPrice,
    ];

    /// What it comes to, in words; also its name where it is kept.
    pub const fn problem(self) -> &'static str {
        match self {
            Obstacle::AccountInactive => "the agreement of its billing account does not hold yet",
            Obstacle::NoRightAtSource => "you may not move it away from where it stands",
            Obstacle::NotAtSource => "it does not stand at this invoice section",
            Obstacle::SourceSectionInactive => "its invoice section is inactive",
            Obstacle::SourceProfilePastDue => "its billing profile is past due",
            Obstacle::OtherAccount => "the destination lies in another billing account",
            Obstacle::NoProfile => "the destination's billing profile does not exist",
            Obstacle::NoSection => "the destination's invoice section does not exist",
            Obstacle::Unclear => {
                "the destination is no one invoice section that it can be moved to"
            }
            Obstacle::NoRightAtDestination => "you may not move it to the destination",
            Obstacle::ProfileInactive => "the destination's billing profile is not active",
            Obstacle::ProfilePastDue => "the destination's billing profile is past due",
            Obstacle::SectionInactive => "the destination's invoice section is not active",
            Obstacle::NotActive => "it is not active",
            Obstacle::PaidOnce => "it was paid once, when it was bought",
            Obstacle::PlanStays => "a plan charges it to its billing profile every cycle",
            Obstacle::MarketplaceClosed => {
                "it buys in the marketplace what the destination does not allow"
            }
            Obstacle::NoPrice => "nothing of it has a price at the destination",
        }
    }

    /// Finds one by [`Obstacle::problem`].
    pub fn parse(problem: &str) -> Option<Obstacle> {
        Obstacle::ALL.into_iter().find(|one| one.problem() == problem)
    }

    /// Of which kind a refusal for it is.
    pub const fn kind(self) -> Kind {
        match self {
            Obstacle::NoRightAtSource | Obstacle::NoRightAtDestination => Kind::Forbidden,
            Obstacle::OtherAccount
            | Obstacle::NoProfile
            | Obstacle::NoSection
            | Obstacle::Unclear => Kind::Invalid,
            Obstacle::AccountInactive
            | Obstacle::NotAtSource
            | Obstacle::SourceSectionInactive
            | Obstacle::SourceProfilePastDue
            | Obstacle::ProfileInactive
            | Obstacle::ProfilePastDue
            | Obstacle::SectionInactive
            | Obstacle::NotActive
            | Obstacle::PaidOnce
            | Obstacle::PlanStays
            | Obstacle::MarketplaceClosed
            | Obstacle::NoPrice => Kind::Conflict,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem())
    }
}

/// What is known of a move that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveFacts {
    /// Whether the account's agreement holds.
    pub account: Agreed,
    /// Where it stands.
    pub source: Source,
    /// May who asks move it away from there?
    pub may_leave: Permission,
    /// Where it shall stand.
    pub destination: Destination,
    /// What is moved.
    pub moved: Moved,
}

/// Whether an agreement holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreed {
    /// It does.
    Now,
    /// It will.
    Later,
}

/// Where a holding stands that shall be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// At no invoice section, or at another one than was said.
    Elsewhere,
    /// At an invoice section.
    Section {
        /// Of the section.
        section: PlaceState,
        /// Of its profile.
        profile: PlaceState,
    },
}

/// Where a holding shall stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// In another account.
    OtherAccount,
    /// In a profile that is not there.
    NoProfile,
    /// At a section that is not in the profile.
    NoSection,
    /// At none, or at one of several.
    Unclear,
    /// At an invoice section.
    Section {
        /// May who asks move it there?
        may_enter: Permission,
        /// Of the section.
        section: PlaceState,
        /// Of its profile.
        profile: PlaceState,
        /// What may be bought there.
        marketplace: MarketplacePurchases,
    },
}

/// What shall be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Whether it is in use.
    pub state: HoldingState,
    /// How it is billed.
    pub billing_frequency: BillingFrequency,
    /// Where a plan charges it.
    pub plan: PlanOf,
    /// What it buys in the marketplace.
    pub bought: Bought,
    /// Whether anything of it has a price where it shall stand.
    pub priced: Priced,
}

/// Where a plan charges a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanOf {
    /// Nowhere, or wherever it stands.
    Nowhere,
    /// At the profile that it would leave.
    ProfileLeft,
}

/// What a subscription has bought in the marketplace lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bought {
    /// Nothing.
    #[default]
    Nothing,
    /// What costs nothing.
    Free,
    /// What costs something.
    Paid,
}

/// Whether a move takes the price away from what is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priced {
    /// It does not.
    AsBefore,
    /// It does.
    NoMore,
}

/// Everything that keeps a holding where it is, in the order of [`Obstacle`]; nothing if it may be
/// moved. Of a destination nothing is told to who may not move it there.
pub fn obstacles(facts: &MoveFacts) -> Vec<Obstacle> {
    let MoveFacts { account, source, may_leave, destination, moved } = *facts;
    let mut found = Vec::new();
    let mut add = |is_so: bool, obstacle: Obstacle| {
        if is_so {
            found.push(obstacle);
        }
    };
    add(account == Agreed::Later, Obstacle::AccountInactive);
    add(!may_leave.is_allowed(), Obstacle::NoRightAtSource);
    match source {
        Source::Elsewhere => add(true, Obstacle::NotAtSource),
        Source::Section { section, profile } => {
            add(section == PlaceState::Inactive, Obstacle::SourceSectionInactive);
            add(profile == PlaceState::PastDue, Obstacle::SourceProfilePastDue);
        }
    }
    let Moved { state, billing_frequency, plan, bought, priced } = moved;
    match destination {
        Destination::OtherAccount => add(true, Obstacle::OtherAccount),
        Destination::NoProfile => add(true, Obstacle::NoProfile),
        Destination::NoSection => add(true, Obstacle::NoSection),
        Destination::Unclear => add(true, Obstacle::Unclear),
        Destination::Section { may_enter, .. } if !may_enter.is_allowed() => {
            add(true, Obstacle::NoRightAtDestination);
        }
        Destination::Section { may_enter: _, section, profile, marketplace: _ } => {
            add(is_closed(profile), Obstacle::ProfileInactive);
            add(profile == PlaceState::PastDue, Obstacle::ProfilePastDue);
            add(is_closed(section), Obstacle::SectionInactive);
        }
    }
    add(state != HoldingState::Active, Obstacle::NotActive);
    add(billing_frequency == BillingFrequency::OneTime, Obstacle::PaidOnce);
    add(plan == PlanOf::ProfileLeft, Obstacle::PlanStays);
    if let Destination::Section { may_enter: Permission::Allowed, marketplace, .. } = destination {
        add(!may_buy(marketplace, bought), Obstacle::MarketplaceClosed);
        add(priced == Priced::NoMore, Obstacle::NoPrice);
    }
    found
}

/// Whether nothing is put at a place in a state, but for what it owes.
fn is_closed(state: PlaceState) -> bool {
    match state {
        PlaceState::Active | PlaceState::PastDue => false,
        PlaceState::Pending | PlaceState::Inactive => true,
    }
}

fn may_buy(allowed: MarketplacePurchases, bought: Bought) -> bool {
    match (allowed, bought) {
        (MarketplacePurchases::All, _)
        | (_, Bought::Nothing)
        | (MarketplacePurchases::OnlyFree, Bought::Free) => true,
        (MarketplacePurchases::OnlyFree, Bought::Paid)
        | (MarketplacePurchases::None, Bought::Free | Bought::Paid) => false,
    }
}

/// A move as it is made.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// From when on.
    pub now: Instant,
    /// In which account.
    pub account: &'a BillingAccountId,
    /// Where the holding stood, over time.
    pub before: &'a Timeline<Standing>,
    /// Where it stands, over time.
    pub after: &'a Timeline<Standing>,
    /// The profile of the section that it is moved to.
    pub profile: &'a str,
}

/// The placements of a holding that was moved: nothing changes before the moment of the move, and
/// behind it the profile pays while the holding stands where it was moved to. What need not be cut
/// stays whole.
pub fn moved(placements: &[Placement], cut: &Cut<'_>) -> Vec<Placement> {
    let mut all: Vec<Placement> = Vec::new();
    for placement in placements {
        let own = placement.billing_account == *cut.account;
        for (during, profile) in cut.parts(placement.during) {
            let profile = if own { profile } else { None };
            let profile = profile.map(str::to_owned).or_else(|| placement.profile.clone());
            put(&mut all, Placement { during, profile, ..placement.clone() }, placement);
        }
    }
    all
}

/// Puts a part behind the parts before it, or makes the last one longer where it goes on.
fn put(all: &mut Vec<Placement>, part: Placement, of: &Placement) {
    match all.last_mut() {
        Some(last)
            if last.during.end() == part.during.start()
                && part.during.start() > of.during.start()
                && last.profile == part.profile =>
        {
            last.during = joined(last.during, part.during);
        }
        _ => all.push(part),
    }
}

/// Two intervals that follow each other, as one.
fn joined(first: Interval, next: Interval) -> Interval {
    Interval::new(first.start(), next.end()).unwrap_or(first)
}

impl Cut<'_> {
    /// An interval in parts, each with the profile that pays from the move on; none where nothing
    /// changes.
    fn parts(&self, during: Interval) -> Vec<(Interval, Option<&str>)> {
        let behind = Interval::new(self.now, Instant::MAX).ok();
        let Some(rest) = behind.and_then(|behind| behind.intersection(&during)) else {
            return vec![(during, None)];
        };
        let mut parts = Vec::new();
        if during.start() < rest.start() {
            let kept = Interval::new(during.start(), rest.start());
            parts.extend(kept.ok().map(|kept| (kept, None)));
        }
        // Where nothing is known to stand nothing was moved.
        let first = self.after.begins();
        if let Ok(unknown) = Interval::new(rest.start(), first.min(rest.end()))
            && unknown.start() < unknown.end()
        {
            parts.push((unknown, None));
        }
        for (span, standing) in self.after.spans() {
            let Some(part) = span.intersection(&rest) else { continue };
            let is_moved = self.before.at(part.start()) != Some(standing);
            parts.push((part, is_moved.then_some(self.profile)));
        }
        parts
    }
}

#[cfg(test)]
mod tests;
