//! What decides about a move: where a holding stands, where it shall stand, and who may do what
//! there.

use crate::holding_moves::{HoldingMove, Known, Reach, SectionAsked};
use crate::structure::is_same;
use crate::structure_changes::Asker;
use domain::access::{Action, Scope, may_at};
use domain::agreements::Permission;
use domain::billing_terms::HeldPlan;
use domain::company::Placement;
use domain::moves::{Agreed, Destination, MoveFacts, Moved, PlanOf, Priced, Source};
use domain::places::{
    Detail, Level, MarketplacePurchases, Place, PlaceFacts, PlaceKey, PlaceState,
};

/// The section that is meant, or why it is none.
type Meant<T> = std::result::Result<T, Destination>;

/// An invoice section with the billing profile that it lies below.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) section: Place,
    pub(crate) profile: Place,
}

/// What is known of a move, and where it leads if it leads anywhere.
pub(crate) struct Weighed {
    pub(crate) facts: MoveFacts,
    pub(crate) to: Option<Spot>,
}

impl Asker<'_> {
    /// Finds everything that decides about a move.
    pub(crate) fn weighed(self, known: Known<'_>, asked: &HoldingMove) -> Weighed {
        let Asker { look, account, .. } = self;
        let from = self.source(known);
        let (destination, to) = match self.meant(asked, from.as_ref()) {
            Ok(spot) => (self.destination(&spot, from.as_ref()), Some(spot)),
            Err(destination) => (destination, None),
        };
        let is_leaving = |from: &Spot| to.as_ref().is_some_and(|to| to.profile != from.profile);
        let leaves = from.as_ref().is_some_and(is_leaving);
        let may_leave = match &from {
            Some(from) => {
                self.may(Action::MoveToSection, &Scope::Place(from.section.clone()))
                    && (!leaves
                        || self.may(Action::MoveToProfile, &Scope::Place(from.profile.clone())))
            }
            None => self.may(Action::MoveToSection, &Scope::Account(account.clone())),
        };
        let agreement = look.company.places.agreement_at(account, look.now);
        let moved = Moved {
            state: known.state_at(look),
            billing_frequency: known.billing_frequency(),
            plan: if leaves { self.plan_of(known, from.as_ref()) } else { PlanOf::Nowhere },
            bought: self.bought,
            priced: self.priced(known, to.as_ref()),
        };
        let facts = MoveFacts {
            account: agreement.map_or(Agreed::Later, |_| Agreed::Now),
            source: self.left(from.as_ref(), asked),
            may_leave: permission(may_leave),
            destination,
            moved,
        };
        Weighed { facts, to }
    }

    fn may(self, action: Action, scope: &Scope) -> bool {
        may_at(&self.look.company, self.caller, action, scope, self.look.now)
    }

    /// Where it stands.
    fn source(self, known: Known<'_>) -> Option<Spot> {
        let standing = known.held()?.standings.at(self.look.now)?;
        let place = standing.place.as_ref()?;
        let is_own =
            place.key.level == Level::InvoiceSection && place.billing_account == *self.account;
        if is_own { self.spot(place.clone()) } else { None }
    }

    fn spot(self, section: Place) -> Option<Spot> {
        let known = self.look.company.places.of(self.account)?;
        let key = known.enclosing(&section.key, Level::BillingProfile, self.look.now)?;
        let profile = Place { billing_account: self.account.clone(), key: key.clone() };
        Some(Spot { section, profile })
    }

    /// What is known of where it stands.
    fn left(self, from: Option<&Spot>, asked: &HoldingMove) -> Source {
        let is_said = |spot: &&Spot| {
            let own = spot.section.key.id.as_str();
            asked.source.as_deref().is_none_or(|said| is_same(own, said))
        };
        match from.filter(is_said) {
            None => Source::Elsewhere,
            Some(Spot { section, profile }) => {
                Source::Section { section: self.state(section), profile: self.state(profile) }
            }
        }
    }

    fn facts(&self, place: &Place) -> Option<&PlaceFacts> {
        self.look.company.places.facts_at(place, self.look.now)
    }

    /// A place that is not there any more is as good as closed.
    fn state(self, place: &Place) -> PlaceState {
        self.facts(place).map_or(PlaceState::Inactive, |facts| facts.state)
    }

    /// What is known of where it shall stand.
    fn destination(self, to: &Spot, from: Option<&Spot>) -> Destination {
        let Spot { section, profile } = to;
        let is_other = from.is_none_or(|from| from.profile != *profile);
        let may_enter = self.may(Action::MoveToSection, &Scope::Place(section.clone()))
            && (!is_other || self.may(Action::MoveToProfile, &Scope::Place(profile.clone())));
        let marketplace = match self.facts(profile).map(|facts| &facts.detail) {
            Some(Detail::BillingProfile(profile)) => profile.marketplace_purchases,
            Some(
                Detail::InvoiceSection
                | Detail::Customer(_)
                | Detail::Department { .. }
                | Detail::EnrollmentAccount
                | Detail::MessagingAccount { .. },
            )
            | None => MarketplacePurchases::None,
        };
        Destination::Section {
            may_enter: permission(may_enter),
            section: self.state(section),
            profile: self.state(profile),
            marketplace,
        }
    }

    /// The section that is meant, or why it is none.
    fn meant(self, asked: &HoldingMove, from: Option<&Spot>) -> Meant<Spot> {
        let HoldingMove { holding: _, source: _, section, profile, reach } = asked;
        let own = self.account.as_str();
        let accounts = section.iter().map(|one| &one.account);
        let mut accounts = accounts.chain(profile.iter().map(|one| &one.account));
        if accounts.any(|account| !is_same(own, account)) {
            return Err(Destination::OtherAccount);
        }
        let profile = profile.as_ref().map(|one| self.profile(&one.profile)).transpose()?;
        let spot = match (section, &profile) {
            (Some(section), _) => self.section(section)?,
            (None, Some(profile)) => self.by_default(profile, from)?,
            (None, None) => return Err(Destination::Unclear),
        };
        let is_said = profile.is_none_or(|profile| profile == spot.profile);
        let is_near = |from: &Spot| *reach == Reach::Account || from.profile == spot.profile;
        if is_said && from.is_none_or(is_near) { Ok(spot) } else { Err(Destination::Unclear) }
    }

    /// A place that the caller may know of.
    fn seen(&self, level: Level, id: &str) -> Option<(Place, &PlaceFacts)> {
        let (place, facts) = self.look.known(self.account, level, id)?;
        self.look.view(self.caller).sight(&Scope::Place(place.clone()))?;
        Some((place, facts))
    }

    fn profile(self, id: &str) -> Meant<Place> {
        let seen = self.seen(Level::BillingProfile, id);
        seen.map(|(place, _)| place).ok_or(Destination::NoProfile)
    }

    fn section(self, asked: &SectionAsked) -> Meant<Spot> {
        let profile = self.profile(&asked.profile)?;
        let seen = self.seen(Level::InvoiceSection, &asked.section);
        let own = seen.filter(|(_, facts)| facts.parent.as_ref() == Some(&profile.key));
        let (section, _) = own.ok_or(Destination::NoSection)?;
        Ok(Spot { section, profile })
    }

    /// The section of a profile where nobody said which: the one where it stands, or the only one
    /// that is active.
    fn by_default(self, profile: &Place, from: Option<&Spot>) -> Meant<Spot> {
        if let Some(from) = from.filter(|from| from.profile == *profile) {
            return Ok(from.clone());
        }
        let view = self.look.view(self.caller);
        let known = self.look.company.places.of(self.account);
        let below = |key: &PlaceKey, facts: &PlaceFacts| {
            let place = Place { billing_account: self.account.clone(), key: key.clone() };
            let is_open = facts.state == PlaceState::Active;
            let is_seen = view.sight(&Scope::Place(place.clone())).is_some();
            (is_open && is_seen).then_some(place)
        };
        let own =
            known.into_iter().flat_map(|of| of.children_at(Some(&profile.key), self.look.now));
        let mut own = own.filter_map(|(key, facts)| below(key, facts));
        match (own.next(), own.next()) {
            (Some(section), None) => Ok(Spot { section, profile: profile.clone() }),
            (None | Some(_), _) => Err(Destination::Unclear),
        }
    }

    /// Where a plan of the product's own id charges it: plans do not move.
    fn plan_of(self, known: Known<'_>, from: Option<&Spot>) -> PlanOf {
        let Asker { look, account, .. } = self;
        let (Known::Product(product), Some(from)) = (known, from) else { return PlanOf::Nowhere };
        let Some(places) = look.company.places.of(account) else { return PlanOf::Nowhere };
        let is_there = |held: &HeldPlan| {
            let place = held.place.as_ref();
            let profile =
                place.and_then(|key| places.enclosing(key, Level::BillingProfile, look.now));
            held.id.as_str() == product.id.as_str()
                && profile == Some(&from.profile.key)
                && held.plan.ends.is_none_or(|day| look.now.day() < day)
        };
        let is_charged = look.company.plans_of(account).iter().any(is_there);
        if is_charged { PlanOf::ProfileLeft } else { PlanOf::Nowhere }
    }

    /// Whether what has a price list now would have none.
    fn priced(self, known: Known<'_>, to: Option<&Spot>) -> Priced {
        let Asker { look, .. } = self;
        let mut placements = known.placements().iter();
        let now = placements.find(|placement| placement.during.contains(look.now));
        let (Some(now), Some(to)) = (now, to) else { return Priced::AsBefore };
        let then = Placement { profile: Some(to.profile.key.id.to_string()), ..now.clone() };
        let has_price = |of: &Placement| look.declared.book.lists(of, look.now).next().is_some();
        if has_price(now) && !has_price(&then) { Priced::NoMore } else { Priced::AsBefore }
    }
}

const fn permission(is_given: bool) -> Permission {
    if is_given { Permission::Allowed } else { Permission::NotAllowed }
}
