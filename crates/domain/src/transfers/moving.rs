//! What may move, and what holds once it has.

use super::reserved::Rebought;
use super::{Finding, FindingLevel, ProductKind, Transfer, TransferState, gravest_first};
use crate::access::{Action, Caller, Scope, View, may_at};
use crate::agreements::AgreementType;
use crate::company::{Company, Placement, Subscription};
use crate::holdings::{Held, HoldingState, Standing};
use crate::ids::{BillingAccountId, OfferId, PlaceId, ResellerId, ReservationId, SubscriptionId};
use crate::offer_terms::TermsInForce;
use crate::payment_methods::PaymentMeans;
use crate::places::{Customer, Detail, Level, Place, PlaceKey, PlaceState};
use crate::pricing::PriceBook;
use crate::reservations::{HeldReservation, ReservationScope};
use crate::timeline::Timeline;
use calendar::{BillingPeriod, Instant, Interval};
use money::Fixed18;
use std::collections::BTreeMap;

/// Judges what moves by a transfer: by what is declared, at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// Everything that is declared.
    pub company: &'a Company,
    /// Its prices.
    pub book: &'a PriceBook,
    /// Where it goes.
    pub transfer: &'a Transfer,
    /// Who gives it.
    pub giver: &'a Caller,
    /// The business moment: who pays changes then.
    pub now: Instant,
    /// All that goes together.
    pub along: &'a [(ProductKind, String)],
}

/// What was found of a holding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Errors first.
    pub findings: Vec<Finding>,
    /// What holds once it has moved; none where an error keeps it.
    pub moved: Option<Moved>,
}

/// What holds of a holding once it has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// A subscription, and where it stands.
    Subscription(Box<(Subscription, Held)>),
    /// A reservation, given back and bought anew.
    Reservation(Box<Rebought>),
}

impl Judged {
    pub(super) fn refused(code: &'static str, message: impl Into<String>) -> Judged {
        Judged { findings: vec![Finding::error(code, message)], moved: None }
    }

    /// What was found, and what moves unless that keeps it.
    pub(super) fn of(findings: Vec<Finding>, moved: Option<Moved>) -> Judged {
        let is_kept = findings.iter().any(|finding| finding.level == FindingLevel::Error);
        Judged { findings: gravest_first(findings), moved: moved.filter(|_| !is_kept) }
    }
}

impl Judge<'_> {
    /// Judges one holding; `fresh` is the id of a reservation that is bought anew.
    pub fn judge(&self, (kind, id): (ProductKind, &str), fresh: &ReservationId) -> Judged {
        match kind {
            ProductKind::Subscription => self.subscription(id),
            ProductKind::Reservation => self.reservation(id, fresh),
        }
    }

    fn subscription(&self, id: &str) -> Judged {
        let found = SubscriptionId::new(id).ok().and_then(|id| self.company.subscriptions.get(&id));
        let known = found.map(|one| (one, Scope::Subscription(one.id.clone())));
        let known = known.filter(|(_, scope)| self.knows(scope, self.now));
        let Some((subscription, scope)) = known else {
            return Judged::refused("SubscriptionNotFound", "there is no such subscription");
        };
        if !self.may_give(&scope, self.now) {
            return not_the_owner();
        }
        let Some(placement) = subscription.placement_at(self.now) else {
            return Judged::refused("SubscriptionNotActive", "nobody pays for it");
        };
        let mut findings =
            self.of_payer((ProductKind::Subscription, id), &placement.billing_account);
        findings.extend(self.of_subscription(subscription));
        findings.extend(self.left_behind(subscription, placement));
        let moved = match self.destination() {
            Err(finding) => {
                findings.push(finding);
                None
            }
            Ok(profile) => match self.offer(&placement.offer, &profile) {
                None => {
                    let message = "no price list of its new payer serves it";
                    findings.push(Finding::error("NotAvailableForDestinationMarket", message));
                    None
                }
                Some(offer) => Some(self.moved(subscription, placement, (profile, offer))),
            },
        };
        Judged::of(findings, moved)
    }

    /// Whether the giver may know of something.
    pub(super) fn knows(&self, scope: &Scope, at: Instant) -> bool {
        View::new(self.company, self.giver, at).sight(scope).is_some()
    }

    pub(super) fn may_give(&self, scope: &Scope, at: Instant) -> bool {
        may_at(self.company, self.giver, Action::AcceptTransfers, scope, at)
    }

    /// The billing account that will pay.
    pub(super) fn payer(&self) -> &BillingAccountId {
        &self.transfer.initiator.billing_account
    }

    pub(super) fn goes_along(&self, kind: ProductKind, id: &str) -> bool {
        self.along.iter().any(|(of, other)| *of == kind && other.eq_ignore_ascii_case(id))
    }

    /// What who pays now keeps from moving.
    pub(super) fn of_payer(
        &self,
        (kind, id): (ProductKind, &str),
        account: &BillingAccountId,
    ) -> Vec<Finding> {
        let kind_of = self.company.places.of(account).map(|of| of.kind());
        let is_messaging = kind_of == Some(AgreementType::Messaging);
        let is_elsewhere = self.company.transfers.values().any(|other| {
            let mut open = other.products.iter().filter(|one| one.end.is_none());
            other.id != self.transfer.id
                && other.state == TransferState::InProgress
                && open.any(|one| one.kind == kind && one.id.eq_ignore_ascii_case(id))
        });
        let reasons = [
            (
                account == self.payer(),
                "SameBillingAccount",
                "the billing account that asks pays for it already",
            ),
            (
                is_messaging,
                "ProductTypeNotSupported",
                "what a messaging agreement pays for cannot be transferred",
            ),
            (is_elsewhere, "TransferInProgress", "it moves by another transfer already"),
        ];
        let found = reasons.into_iter().filter(|(is_so, _, _)| *is_so);
        found.map(|(_, code, message)| Finding::error(code, message)).collect()
    }

    fn of_subscription(&self, subscription: &Subscription) -> Vec<Finding> {
        let held = self.company.places.subscriptions.get(&subscription.id);
        let state = held.map_or(Some(&HoldingState::Active), |held| held.state.at(self.now));
        let is_planned = subscription.placements.iter().any(|one| one.during.start() > self.now);
        let mut findings = Vec::new();
        if state != Some(&HoldingState::Active) {
            let message = "only subscriptions that are active can be transferred";
            findings.push(Finding::error("SubscriptionNotActive", message));
        }
        if is_planned {
            let message = "it is declared already who pays for it later";
            findings.push(Finding::error("MovePlanned", message));
        }
        findings
    }

    /// What does not go with a subscription.
    fn left_behind(&self, subscription: &Subscription, placement: &Placement) -> Vec<Finding> {
        let (company, account) = (self.company, &placement.billing_account);
        let own = &subscription.id;
        let is_for_it = |held: &&HeldReservation| {
            let of = &held.bought;
            let is_own = matches!(&of.scope, ReservationScope::Subscription(id) if id == own);
            held.end.is_none() && self.now < of.term.end() && (is_own || of.billed_to == *own)
        };
        let mut reserved = company.reservations_of(account).iter().filter(is_for_it);
        let mut plans = company.plans_of(account).iter().filter(|held| {
            let is_own = held.subscription.as_ref() == Some(own);
            is_own && held.plan.ends.is_none_or(|day| self.now.day() < day)
        });
        let is_of_offers =
            company.places.of(account).map(|of| of.kind()) == Some(AgreementType::OnlineServices);
        let has_credit = self.book.lists(placement, self.now).any(|list| {
            let terms = TermsInForce::of(&list.terms, BillingPeriod::of(self.now));
            terms.credit.is_some_and(|(credit, _)| credit > Fixed18::ZERO)
        });
        let stays = |held: &HeldReservation| {
            !self.goes_along(ProductKind::Reservation, held.bought.id.as_str())
        };
        let reasons = [
            (
                reserved.any(stays),
                "ReservationStaysBehind",
                "a reservation that was bought for it does not go along, and covers it no more",
            ),
            (
                plans.next().is_some(),
                "RecurringChargesStayBehind",
                "who pays now goes on paying the recurring charges that were agreed for it",
            ),
            (
                is_of_offers && has_credit,
                "CreditStaysBehind",
                "the credit of its present offer does not go along",
            ),
        ];
        let found = reasons.into_iter().filter(|(is_so, _, _)| *is_so);
        found.map(|(_, code, message)| Finding::warning(code, message)).collect()
    }

    /// The billing profile that will pay, unless something there keeps everything away.
    pub(super) fn destination(&self) -> Result<PlaceId, Finding> {
        let (places, place) = (&self.company.places, &self.transfer.initiator);
        let inactive = || {
            let message = "the place that it would go to takes nothing now";
            Finding::error("DestinationNotActive", message)
        };
        let profile = match place.key.level {
            // It may lie below another one than when it was asked.
            Level::InvoiceSection => places.of(self.payer()).and_then(|account| {
                let key = account.enclosing(&place.key, Level::BillingProfile, self.now)?;
                Some(key.id.clone())
            }),
            Level::Customer => Some(self.transfer.profile.clone()),
            Level::BillingProfile
            | Level::Department
            | Level::EnrollmentAccount
            | Level::MessagingAccount => None,
        };
        let profile = profile.ok_or_else(inactive)?;
        for one in [place, &self.profile(&profile)] {
            match places.facts_at(one, self.now).map(|facts| facts.state) {
                Some(PlaceState::Active) => {}
                Some(PlaceState::PastDue) => {
                    let message = "the invoices of the place that it would go to are past due";
                    return Err(Finding::error("DestinationPastDue", message));
                }
                Some(PlaceState::Pending | PlaceState::Inactive) | None => return Err(inactive()),
            }
        }
        if !self.pays(&profile) {
            let message = "who asks has no payment method that holds";
            return Err(Finding::error("DestinationPaymentMethodMissing", message));
        }
        let is_one =
            |of: &Customer| of.resellers.iter().any(|one| Some(&one.id) == self.reseller());
        if self.reseller().is_some() && !self.customer().is_some_and(is_one) {
            let message = "the reseller sells nothing to the customer any more";
            return Err(Finding::error("ResellerNotFound", message));
        }
        Ok(profile)
    }

    fn reseller(&self) -> Option<&ResellerId> {
        self.transfer.reseller.as_ref()
    }

    /// A billing profile of the account that will pay.
    pub(super) fn profile(&self, id: &PlaceId) -> Place {
        let key = PlaceKey { level: Level::BillingProfile, id: id.clone() };
        Place { billing_account: self.payer().clone(), key }
    }

    /// The partner's customer that asks, if one does.
    fn customer(&self) -> Option<&Customer> {
        match &self.company.places.facts_at(&self.transfer.initiator, self.now)?.detail {
            Detail::Customer(customer) => Some(customer),
            Detail::BillingProfile(_)
            | Detail::InvoiceSection
            | Detail::Department { .. }
            | Detail::EnrollmentAccount
            | Detail::MessagingAccount { .. } => None,
        }
    }

    /// Whether a profile pays with something that holds. An account of which nobody ever said how
    /// it pays pays its invoices on its terms.
    fn pays(&self, profile: &PlaceId) -> bool {
        let account = self.payer();
        let is_silent = self.company.payment_methods.get(account).is_none_or(BTreeMap::is_empty);
        let method = self.company.default_payment_method_at(account, Some(profile), self.now);
        let is_good = |means: &PaymentMeans| match means {
            PaymentMeans::Card(card) => self.now < card.expires.end(),
            PaymentMeans::Invoice | PaymentMeans::Check => true,
        };
        is_silent || method.is_some_and(|(_, method)| is_good(&method.means))
    }

    /// On which offer a subscription goes on: the one that it is on where a price list of its new
    /// payer serves that; else the customer's plan, or what other subscriptions there are on.
    fn offer(&self, own: &OfferId, profile: &PlaceId) -> Option<OfferId> {
        let plans = self.customer().map_or(&[][..], |customer| customer.plans.as_slice());
        let mut offers = Vec::new();
        if plans.is_empty() || plans.contains(own) {
            offers.push(own.clone());
        }
        if plans.is_empty() {
            offers.extend(self.offers_there());
        } else {
            offers.extend_from_slice(plans);
        }
        offers.into_iter().find(|offer| {
            let placement = Placement {
                during: Interval::at(self.now),
                billing_account: self.payer().clone(),
                profile: Some(profile.to_string()),
                offer: offer.clone(),
            };
            self.book.lists(&placement, self.now).next().is_some()
        })
    }

    /// Offers of the other subscriptions of the account that will pay: those first that stand at
    /// the place itself.
    fn offers_there(&self) -> Vec<OfferId> {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for id in self.book.placed(self.payer()) {
            let placement =
                self.company.subscriptions.get(id).and_then(|one| one.placement_at(self.now));
            let Some(placement) = placement.filter(|one| one.billing_account == *self.payer())
            else {
                continue;
            };
            let held = self.company.places.subscriptions.get(id);
            let standing = held.and_then(|held| held.standings.at(self.now)?.place.as_ref());
            let is_near = standing == Some(&self.transfer.initiator);
            let offers = if is_near { &mut near } else { &mut far };
            offers.push(placement.offer.clone());
        }
        near.append(&mut far);
        near
    }

    /// The subscription from now on, and where it stands. Where its old payer planned it to stand
    /// later is void; an end that was set stays.
    fn moved(
        &self,
        subscription: &Subscription,
        placement: &Placement,
        (profile, offer): (PlaceId, OfferId),
    ) -> Moved {
        let now = self.now;
        let upto =
            |start: Instant, end: Instant| Interval::new(start, end).unwrap_or(Interval::at(start));
        let began = subscription.placements.iter().filter(|one| one.during.start() < now);
        let mut placements: Vec<Placement> = began.cloned().collect();
        for one in placements.iter_mut().filter(|one| one.during.contains(now)) {
            one.during = upto(one.during.start(), now);
        }
        placements.push(Placement {
            during: upto(now, placement.during.end()),
            billing_account: self.payer().clone(),
            profile: Some(profile.to_string()),
            offer,
        });
        let standing = Standing {
            place: Some(self.transfer.initiator.clone()),
            reseller: self.transfer.reseller.clone(),
        };
        let known = self.company.places.subscriptions.get(&subscription.id);
        let stood = known.into_iter().flat_map(|held| held.standings.spans());
        let stood = stood.filter(|(during, _)| during.start() < now);
        let stood = stood.map(|(during, standing)| (during.start(), standing.clone()));
        let standings = Timeline::new("standings", stood.chain([(now, standing.clone())]))
            .unwrap_or_else(|_| Timeline::from(now, standing));
        let active = || Timeline::from(Instant::MIN, HoldingState::Active);
        let held = Held {
            created_by: known.and_then(|held| held.created_by.clone()),
            state: known.map_or_else(active, |held| held.state.clone()),
            standings,
        };
        let subscription = Subscription { placements, ..subscription.clone() };
        Moved::Subscription(Box::new((subscription, held)))
    }
}

/// It is there, and another's to give.
pub(super) fn not_the_owner() -> Judged {
    let message = "only who owns its account may give it";
    Judged::refused("NotIntendedRecipient", message)
}
