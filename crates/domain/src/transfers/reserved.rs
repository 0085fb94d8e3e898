//! Reservations that move: given back for what is left of them, and bought anew for the same.
//!
//! The hours until then stay with who paid them. What is left goes back at a whole hour and is
//! charged to the new payer, so that both sides together pay what was agreed, and no more.

use super::moving::{Judge, Judged, Moved, not_the_owner};
use super::{Finding, FindingLevel, ProductEnd, ProductKind, TransferProduct};
use crate::access::Scope;
use crate::agreements::Permission;
use crate::holdings::HoldingState;
use crate::ids::{BillingAccountId, PlaceId, ReservationId, SubscriptionId};
use crate::places::Detail;
use crate::reservations::{End, HeldReservation, Reservation, ReservationScope};
use crate::{Error, Result};
use calendar::{Instant, Interval, MICROS_PER_HOUR};
use money::{Cost, Fixed18};

/// A reservation that was given back by one payer and bought anew by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebought {
    /// Who paid.
    pub from: BillingAccountId,
    /// What that one had.
    pub given_back: HeldReservation,
    /// Who pays.
    pub to: BillingAccountId,
    /// What that one has.
    pub bought: HeldReservation,
}

impl Judge<'_> {
    pub(super) fn reservation(&self, id: &str, fresh: &ReservationId) -> Judged {
        let known = self.found(id).and_then(|(account, held)| {
            let (scope, at) = self.given_at(account, held);
            self.knows(&scope, at).then_some((account, held, scope, at))
        });
        let Some((account, held, scope, at)) = known else {
            return Judged::refused("ReservationNotFound", "there is no such reservation");
        };
        if !self.may_give(&scope, at) {
            return not_the_owner();
        }
        let bought = &held.bought;
        let from = next_hour(self.now).max(bought.term.start());
        let mut findings = self.of_payer((ProductKind::Reservation, id), account);
        findings.extend(self.of_reservation(held, from));
        let profile = self.destination();
        findings.extend(profile.as_ref().err().cloned());
        findings.extend(profile.ok().and_then(|profile| self.policy(&profile)));
        let Some(billed_to) = self.billed_to(&bought.billed_to, from) else {
            let message = "nothing stands where it would go that it could be billed to; let the \
                           subscription go along that it was bought for";
            findings.push(Finding::error("NoSubscriptionOnDestination", message));
            return Judged::of(findings, None);
        };
        let terms = (billed_to, self.scope(bought, from), fresh);
        findings.extend(self.lost(bought, (&terms.0, &terms.1)));
        let moved = self.rebought((account, held), from, terms);
        let is_kept = findings.iter().any(|finding| finding.level == FindingLevel::Error);
        if moved.is_err() && !is_kept {
            let message = "what is left of it cannot be told";
            findings.push(Finding::error("TransferNotAllowed", message));
        }
        let moved = moved.ok().map(|moved| Moved::Reservation(Box::new(moved)));
        Judged::of(findings, moved)
    }

    /// The reservation of an id, in any letter case; the one in the very letter case first.
    fn found(&self, id: &str) -> Option<(&BillingAccountId, &HeldReservation)> {
        let all = || {
            let by_account = self.company.reservations.iter();
            by_account.flat_map(|(account, all)| all.iter().map(move |held| (account, held)))
        };
        let exact = all().find(|(_, held)| held.bought.id.as_str() == id);
        exact.or_else(|| all().find(|(_, held)| held.bought.id.as_str().eq_ignore_ascii_case(id)))
    }

    /// Where, and as of when, somebody must be allowed to give it: at the subscription that it was
    /// bought for, where its payer has that; where this transfer moved that ahead, just before.
    fn given_at(&self, account: &BillingAccountId, held: &HeldReservation) -> (Scope, Instant) {
        let of = &held.bought.billed_to;
        let subscription = self.company.subscriptions.get(of);
        let placements = subscription.map(|found| &found.placements);
        let mut paid = placements.into_iter().flatten().rev().filter(|placement| {
            placement.billing_account == *account && placement.during.start() <= self.now
        });
        let Some(end) = paid.next().map(|placement| placement.during.end()) else {
            return (Scope::Account(account.clone()), self.now);
        };
        let is_of_it = |one: &TransferProduct| {
            one.kind == ProductKind::Subscription && one.id.eq_ignore_ascii_case(of.as_str())
        };
        let mut moved = self
            .transfer
            .products
            .iter()
            .filter(|one| one.end == Some(ProductEnd::Moved) && is_of_it(one));
        if self.now < end {
            (Scope::Subscription(of.clone()), self.now)
        } else if moved.next().is_some() && self.is_paid_there(of, end) {
            (Scope::Subscription(of.clone()), end.plus_micros(-1))
        } else {
            (Scope::Account(account.clone()), self.now)
        }
    }

    fn of_reservation(&self, held: &HeldReservation, from: Instant) -> Vec<Finding> {
        let HeldReservation { bought, refunds, end } = held;
        let currency = self.company.accounts.get(self.payer()).map(|account| account.currency);
        let reasons = [
            (
                end.is_some() || bought.term.end() <= from,
                "ReservationNotActive",
                "it has ended, or is to be given back",
            ),
            (
                refunds.iter().any(|(at, _)| *at > from),
                "MovePlanned",
                "it is declared already what of it is given back later",
            ),
            (
                currency != Some(bought.price.currency),
                "CurrencyNotSupported",
                "who asks is billed in another currency",
            ),
        ];
        let found = reasons.into_iter().filter(|(is_so, _, _)| *is_so);
        found.map(|(_, code, message)| Finding::error(code, message)).collect()
    }

    /// Whether the profile that will pay lets reservations be bought.
    fn policy(&self, profile: &PlaceId) -> Option<Finding> {
        let facts = self.company.places.facts_at(&self.profile(profile), self.now)?;
        let Detail::BillingProfile(of) = &facts.detail else { return None };
        let message = "who asks lets no reservations be bought";
        (of.reservation_purchases == Permission::NotAllowed)
            .then(|| Finding::error("ReservationsNotAllowed", message))
    }

    /// The subscription that it is billed to from then on: its own where that goes along or is
    /// there already, else the first that is active where it goes, or goes there along with it.
    fn billed_to(&self, own: &SubscriptionId, from: Instant) -> Option<SubscriptionId> {
        if self.comes(own, from) {
            return Some(own.clone());
        }
        let there = self.company.places.subscriptions.iter().filter(|(id, held)| {
            let standing = held.standings.at(from).and_then(|one| one.place.as_ref());
            standing == Some(&self.transfer.initiator)
                && held.state.at(from) == Some(&HoldingState::Active)
                && self.is_paid_there(id, from)
        });
        let along = self.along.iter().filter(|(kind, _)| *kind == ProductKind::Subscription);
        let along = along.filter_map(|(_, id)| SubscriptionId::new(id).ok());
        there.map(|(id, _)| id.clone()).chain(along).min()
    }

    /// Whether the new payer will pay for a subscription.
    fn comes(&self, id: &SubscriptionId, from: Instant) -> bool {
        self.goes_along(ProductKind::Subscription, id.as_str()) || self.is_paid_there(id, from)
    }

    fn is_paid_there(&self, id: &SubscriptionId, at: Instant) -> bool {
        let placement = self.company.subscriptions.get(id).and_then(|one| one.placement_at(at));
        placement.is_some_and(|placement| placement.billing_account == *self.payer())
    }

    /// Whose usage it covers from then on: its subscription's where that comes too, else that of
    /// the place that it goes to.
    fn scope(&self, bought: &Reservation, from: Instant) -> ReservationScope {
        match &bought.scope {
            ReservationScope::Subscription(id) if self.comes(id, from) => bought.scope.clone(),
            ReservationScope::Subscription(_)
            | ReservationScope::Place(_)
            | ReservationScope::Account(_) => {
                ReservationScope::Place(self.transfer.initiator.clone())
            }
        }
    }

    /// What is lost by its move.
    fn lost(
        &self,
        bought: &Reservation,
        (billed_to, scope): (&SubscriptionId, &ReservationScope),
    ) -> Vec<Finding> {
        let reasons = [
            (
                *billed_to != bought.billed_to,
                "ReservationSubscriptionStays",
                "the subscription that it was bought for does not go along",
            ),
            (
                *scope != bought.scope,
                "ReservationBenefitChanges",
                "what it covers now it covers no more; it covers usage where it goes",
            ),
        ];
        let found = reasons.into_iter().filter(|(is_so, _, _)| *is_so);
        found.map(|(_, code, message)| Finding::warning(code, message)).collect()
    }

    /// Errors: [`Error::Invalid`], [`Error::Money`] for one that cannot be given back then.
    fn rebought(
        &self,
        (account, held): (&BillingAccountId, &HeldReservation),
        from: Instant,
        (billed_to, scope, fresh): (SubscriptionId, ReservationScope, &ReservationId),
    ) -> Result<Rebought> {
        let end = Some(End::Cancelled { at: from, fee: Fixed18::ZERO });
        let given_back = HeldReservation { end, ..held.clone() };
        let course = given_back.course(self.company.reservations_of(account))?;
        // What goes back is charged last.
        let back = course.charges.last().map_or(Fixed18::ZERO, |charge| charge.amount.major);
        let left = back
            .checked_neg()
            .map_err(|source| Error::money(format!("reservation `{}`", held.bought.id), source))?;
        let term = Interval::new(from, held.bought.term.end())
            .map_err(|problem| Error::invalid("term", problem.to_string()))?;
        let price = Cost { major: left, currency: held.bought.price.currency };
        let id = fresh.clone();
        let bought = Reservation { id, billed_to, term, scope, price, ..held.bought.clone() };
        Ok(Rebought {
            from: account.clone(),
            given_back,
            to: self.payer().clone(),
            bought: HeldReservation { bought, refunds: Vec::new(), end: None },
        })
    }
}

/// The next whole hour, or the moment itself if it is one.
fn next_hour(now: Instant) -> Instant {
    if now.is_whole_hour() { now } else { now.start_of_hour().plus_micros(MICROS_PER_HOUR) }
}
