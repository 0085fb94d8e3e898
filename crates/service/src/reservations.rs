//! Reservations that a billing account holds.

use crate::Reckoner;
use crate::structure::{Look, PlaceTold, is_same};
use async_recursion::async_recursion as boxed;
use calendar::{Instant, Interval};
use domain::access::{Action, Caller, Scope, View};
use domain::catalog::Meter;
use domain::company::Placement;
use domain::ids::{BillingAccountId, MeterId, ReservationId, SubscriptionId};
use domain::places::{Level, Place};
use domain::reservations::{HeldReservation, ReservationScope, ReservationState};
use domain::usage::Dimension;
use domain::{Error, Result};
use money::Fixed18;

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationTold {
    /// Its id.
    pub id: ReservationId,
    /// The subscription that it was bought for.
    pub billed_to: SubscriptionId,
    /// From when until when it was bought.
    pub term: Interval,
    /// When it ends: with its term, or before that.
    pub ends_at: Instant,
    /// How far it has come.
    pub state: ReservationState,
    /// Whose usage it covers.
    pub covers: ReservedFor,
    /// The first meter that it covers.
    pub meter: Option<MeterId>,
    /// What that meter counts, if it is declared.
    pub counted: Option<Meter>,
    /// Where usage must be for it to be covered; none if anywhere.
    pub location: Option<String>,
    /// What it covers in each hour, in the meters' unit.
    pub quantity: Fixed18,
}

/// Whose usage a reservation covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReservedFor {
    /// One subscription's.
    Subscription(SubscriptionId),
    /// That of a place, as a shell, and of everything below it; none where it is not there.
    Place(Option<Box<PlaceTold>>),
    /// That of all that the billing account pays for.
    Account,
}

impl Reckoner {
    /// Lists the reservations of a billing account that the caller may know of, in order of id:
    /// all, or those whose subscription one billing profile pays for now.
    ///
    /// Errors: none of its own; an account that the caller may not know of has none.
    #[boxed]
    pub async fn reservations_at(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        profile: Option<&Place>,
    ) -> Result<Vec<ReservationTold>> {
        let look = self.look();
        let view = look.view(caller);
        let all = look.company.reservations_of(account);
        let is_told = |held: &&HeldReservation| {
            let payer = look.payer_of(account, held);
            let is_there = profile.is_none_or(|asked| payer.is_some_and(|one| pays(one, asked)));
            is_there && look.sees_reservation(&view, (account, *held), payer)
        };
        Ok(all.iter().filter(is_told).map(|held| look.reservation(held, all)).collect())
    }
}

impl Look {
    /// How the account pays now for the subscription that a reservation was bought for; none if it
    /// does not.
    pub(crate) fn payer_of(
        &self,
        account: &BillingAccountId,
        held: &HeldReservation,
    ) -> Option<&Placement> {
        let subscription = self.company.subscriptions.get(&held.bought.billed_to)?;
        let placement = subscription.placement_at(self.now)?;
        (placement.billing_account == *account).then_some(placement)
    }

    /// Who reads the account's products sees its reservations, and who reads those of a
    /// subscription sees what was bought for it, as long as the account pays for that.
    fn sees_reservation(
        &self,
        view: &View<'_>,
        (account, held): (&BillingAccountId, &HeldReservation),
        payer: Option<&Placement>,
    ) -> bool {
        let bought_for = || Scope::Subscription(held.bought.billed_to.clone());
        view.may(Action::ReadProducts, &Scope::Account(account.clone()))
            || (payer.is_some() && view.may(Action::ReadProducts, &bought_for()))
    }

    /// The reservations at a place whose subscription stands there now, or stood there when it was
    /// bought where the account pays for it no more; of the whole installation those that the
    /// caller may know of. By any of some rights; in order of account and id.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for a place that the caller may not know
    /// of, and for the only one that is asked for where it is not among them.
    pub(crate) fn reservations_of_scope(
        &self,
        view: &View<'_>,
        rights: &[Action],
        (scope, only): (&Scope, Option<&ReservationId>),
    ) -> Result<Vec<(&BillingAccountId, &HeldReservation)>> {
        let may = |scope: &Scope| rights.iter().any(|action| view.may(*action, scope));
        if *scope != Scope::Installation && !may(scope) {
            let action = rights.first().copied().unwrap_or(Action::ReadCharges);
            return Err(match view.sight(scope) {
                Some(_) => Error::Forbidden { action: action.name() },
                None => scope.missing(action),
            });
        }
        let is_there = |account: &BillingAccountId, held: &HeldReservation| {
            let of = &held.bought.billed_to;
            let is_paid = self.payer_of(account, held).is_some();
            match scope {
                Scope::Installation => {
                    may(&Scope::Account(account.clone()))
                        || (is_paid && may(&Scope::Subscription(of.clone())))
                }
                Scope::Account(asked) => asked == account,
                Scope::Place(place) => {
                    let at = if is_paid { self.now } else { held.bought.term.start() };
                    place.billing_account == *account && self.lies_at(scope, of, at)
                }
                Scope::Subscription(asked) => {
                    asked == of && (is_paid || may(&Scope::Account(account.clone())))
                }
                Scope::Product(_) => false,
            }
        };
        let by_account = self.company.reservations.iter();
        let all = by_account.flat_map(|(account, all)| all.iter().map(move |held| (account, held)));
        let is_asked = |held: &HeldReservation| {
            only.is_none_or(|id| is_same(held.bought.id.as_str(), id.as_str()))
        };
        let found: Vec<_> =
            all.filter(|(account, held)| is_asked(held) && is_there(account, held)).collect();
        match only {
            Some(id) if found.is_empty() => Err(Error::not_found("reservation", id.as_str())),
            Some(_) | None => Ok(found),
        }
    }

    /// Whether a subscription stands at a place, or below it, at a moment.
    pub(crate) fn lies_at(&self, scope: &Scope, of: &SubscriptionId, at: Instant) -> bool {
        let action = Action::ReadCharges;
        let held_there = Caller::Link { action, scope: scope.clone() };
        let of = Scope::Subscription(of.clone());
        View::new(&self.company, &held_there, at).may(action, &of)
    }

    fn reservation(&self, held: &HeldReservation, others: &[HeldReservation]) -> ReservationTold {
        let bought = &held.bought;
        let covers = match &bought.scope {
            ReservationScope::Subscription(id) => ReservedFor::Subscription(id.clone()),
            ReservationScope::Place(place) => {
                let shell = self.shell(&place.billing_account, &place.key);
                ReservedFor::Place(shell.map(Box::new))
            }
            ReservationScope::Account(_) => ReservedFor::Account,
        };
        let meter = bought.first_meter();
        let counted = meter.and_then(|id| self.company.meters.get(id));
        let mut conditions = bought.conditions.iter();
        let location = conditions.find(|one| one.dimension == Dimension::Location);
        ReservationTold {
            id: bought.id.clone(),
            billed_to: bought.billed_to.clone(),
            term: bought.term,
            ends_at: held.ends_at(others),
            state: held.state_at(self.now, others),
            covers,
            meter: meter.cloned(),
            counted: counted.cloned(),
            location: location.map(|one| one.value.clone()),
            quantity: bought.quantity,
        }
    }
}

/// Whether a billing profile pays.
fn pays(placement: &Placement, profile: &Place) -> bool {
    profile.key.level == Level::BillingProfile
        && placement.billing_account == profile.billing_account
        && placement.profile.as_deref() == Some(profile.key.id.as_str())
}
