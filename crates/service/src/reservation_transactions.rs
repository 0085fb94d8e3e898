//! What buying, exchanging, cancelling and giving back reservations was charged, by whom each was
//! bought, and who has it now.
//!
//! A reservation that moved to another billing account was given back by one and bought anew by the
//! other, under another id. What the one paid that has given it both list: the other with who has
//! it now. So what an account was charged itself is what it bought.

use crate::Reckoner;
use crate::structure::{Look, Owner};
use crate::told_lines::Named;
use crate::transfer_moves::fresh_id;
use async_recursion::async_recursion as boxed;
use calendar::{Day, Instant, Interval};
use domain::access::{Action, Caller, Role, Scope};
use domain::catalog::Meter;
use domain::company::Company;
use domain::ids::{BillingAccountId, MeterId, ReservationId, SubscriptionId};
use domain::places::{Level, Place, PlaceKey};
use domain::reservations::{
    End, HeldReservation, Reservation, ReservationCharge, ReservationEvent,
};
use domain::transfers::{ProductEnd, ProductKind};
use domain::usage::Dimension;
use domain::{Error, Result};
use money::{Cost, Fixed18};
use std::collections::BTreeMap;
use std::ops::Range;

/// Which charges for reservations.
#[derive(Debug, Clone)]
pub struct ReservationTransactionsAsked {
    /// Days on which something happened, half-open.
    pub days: Range<Day>,
    /// Of only one, by its id in any letter case.
    pub reservation: Option<ReservationId>,
}

/// One charge for a reservation itself.
///
/// Source: `enterprise-reporting.md` section 3.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationTransaction {
    /// For which one; an order holds one reservation, and has its id.
    pub reservation: ReservationId,
    /// For what.
    pub event: ReservationEvent,
    /// When.
    pub at: Instant,
    /// What it covers in each hour, in the meters' unit.
    pub quantity: Fixed18,
    /// Exact, in major units; below zero where money goes back.
    pub amount: Cost,
    /// The term for which it was bought first: a reservation that moved goes on with what was left.
    pub term: Interval,
    /// The first meter that it covers.
    pub meter: Option<MeterId>,
    /// What that meter counts, if it is declared.
    pub counted: Option<Meter>,
    /// Where usage must be for it to be covered, else where its meter is priced for; if anywhere.
    pub region: Option<String>,
    /// Who bought it, and was charged.
    pub bought_by: BillingAccountId,
    /// Who has it, or what it became, now.
    pub held_by: BillingAccountId,
    /// For what it was bought, as it stood then.
    pub purchaser: Purchaser,
}

/// For what a reservation was bought. Names and whom it is booked to are there for who may read the
/// charges of who bought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchaser {
    /// The subscription that it was bought for.
    pub subscription: SubscriptionId,
    /// Its name; empty where it is not declared.
    pub subscription_name: String,
    /// The enrollment account where that stood.
    pub enrollment_account: Option<Named>,
    /// Who owns that account now.
    pub account_owner: Option<Owner>,
    /// The department where it stood.
    pub department: Option<Named>,
    /// The billing profile that paid.
    pub profile: Option<Named>,
    /// The invoice section where it stood.
    pub section: Option<Named>,
    /// The partner's customer that held it.
    pub customer: Option<Named>,
    /// Whom the house books it to, by the innermost place that says so; may be empty.
    pub cost_center: String,
}

impl Reckoner {
    /// Lists what was charged for reservations, in order of time: of a billing account, of a place
    /// below it, of a subscription, or of the whole installation as far as the caller may know.
    /// What is declared of the future is not charged yet.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] for a place, and for the one reservation
    /// that is asked for, that the caller may not know of; [`Error::Invalid`], [`Error::Money`] for
    /// a reservation that cannot be; [`Error::TooMuch`].
    #[boxed]
    pub async fn reservation_transactions(
        &self,
        caller: &Caller,
        scope: &Scope,
        asked: &ReservationTransactionsAsked,
    ) -> Result<Vec<ReservationTransaction>> {
        let look = self.look();
        let view = look.view(caller);
        let asked_for = (scope, asked.reservation.as_ref());
        let told = look.reservations_of_scope(&view, &[Action::ReadCharges], asked_for)?;
        let moved = Moved::of(&look.company)?;
        let mut all = Listed::new();
        let reads =
            |id: &BillingAccountId| view.may(Action::ReadCharges, &Scope::Account(id.clone()));
        for (account, held) in told {
            look.list((account, held), &moved, &asked.days, &mut all)?;
            let mut before = Listed::new();
            for (by, earlier) in moved.before(&look.company, (account, held)) {
                if by != account && reads(account) {
                    look.list((by, earlier), &moved, &asked.days, &mut before)?;
                }
            }
            for (key, one) in before {
                let told = if reads(&one.bought_by) { one } else { one.told_to_others() };
                all.entry(key).or_insert(told);
            }
            let most = self.limits().answer_rows;
            if all.len() as u64 > most {
                let limit = "charges for reservations of an answer";
                return Err(Error::TooMuch { limit, most, key: "limits.answer_rows" });
            }
        }
        Ok(all.into_values().collect())
    }
}

impl ReservationTransaction {
    /// The same for who has the reservation now: names stay with who bought it.
    fn told_to_others(self) -> ReservationTransaction {
        let purchaser = Purchaser {
            subscription: self.purchaser.subscription,
            subscription_name: String::new(),
            enrollment_account: None,
            account_owner: None,
            department: None,
            profile: None,
            section: None,
            customer: None,
            cost_center: String::new(),
        };
        ReservationTransaction { purchaser, ..self }
    }
}

/// Charges in order of time, each once.
type Listed = BTreeMap<(Instant, BillingAccountId, ReservationId, usize), ReservationTransaction>;

impl Look {
    /// Lists the charges for one reservation that were made on some days.
    fn list(
        &self,
        (account, held): (&BillingAccountId, &HeldReservation),
        moved: &Moved,
        days: &Range<Day>,
        all: &mut Listed,
    ) -> Result<()> {
        let course = held.course(self.company.reservations_of(account))?;
        let made =
            |charge: &ReservationCharge| charge.at <= self.now && days.contains(&charge.at.day());
        let charges = course.charges.into_iter().enumerate();
        for (number, charge) in charges.filter(|(_, charge)| made(charge)) {
            let key = (charge.at, account.clone(), charge.reservation.clone(), number);
            all.insert(key, self.transaction((account, held), moved, charge));
        }
        Ok(())
    }

    fn transaction(
        &self,
        (account, held): (&BillingAccountId, &HeldReservation),
        moved: &Moved,
        charge: ReservationCharge,
    ) -> ReservationTransaction {
        let bought = &held.bought;
        let key = (account.clone(), bought.id.clone());
        let (held_by, _) = moved.last(&key);
        let first = moved.first(&key);
        let origin = self.company.reservations_of(&first.0).iter();
        let origin = origin.map(|one| &one.bought).find(|one| one.id == first.1);
        let meter = bought.first_meter();
        let counted = meter.and_then(|id| self.company.meters.get(id));
        let ReservationCharge { reservation, event, at, quantity, amount } = charge;
        ReservationTransaction {
            reservation,
            event,
            at,
            quantity,
            amount,
            term: origin.map_or(bought.term, |one| one.term),
            meter: meter.cloned(),
            counted: counted.cloned(),
            region: region(bought, counted),
            bought_by: account.clone(),
            held_by: held_by.clone(),
            purchaser: self.purchaser(account, &bought.billed_to, at),
        }
    }

    /// Where a subscription stood in an account at a moment.
    fn purchaser(&self, account: &BillingAccountId, of: &SubscriptionId, at: Instant) -> Purchaser {
        let way = self.way_up(account, of, at);
        let named = |level: Level| {
            let place = way.iter().find(|place| place.key.level == level)?;
            let facts = self.company.places.facts_at(place, at)?;
            Some(Named { id: place.key.id.to_string(), name: facts.name.clone() })
        };
        let owned = way.iter().find(|place| place.key.level == Level::EnrollmentAccount);
        let owned = owned.map(|place| Scope::Place(place.clone()));
        let facts = way.iter().filter_map(|place| self.company.places.facts_at(place, at));
        let mut cost_centers = facts.map(|facts| &facts.cost_center);
        let cost_center = cost_centers.find(|text| !text.is_empty());
        let subscription = self.company.subscriptions.get(of);
        Purchaser {
            subscription: of.clone(),
            subscription_name: subscription.map(|one| one.name.clone()).unwrap_or_default(),
            enrollment_account: named(Level::EnrollmentAccount),
            account_owner: owned
                .and_then(|scope| self.holder(&scope, Role::EnrollmentAccountOwner)),
            department: named(Level::Department),
            profile: named(Level::BillingProfile),
            section: named(Level::InvoiceSection),
            customer: named(Level::Customer),
            cost_center: cost_center.cloned().unwrap_or_default(),
        }
    }

    /// Where a subscription stood in an account at a moment, then what that lay below; last the
    /// profile that paid, if that is not among them.
    fn way_up(&self, account: &BillingAccountId, of: &SubscriptionId, at: Instant) -> Vec<Place> {
        let company = &self.company;
        let place = |key: PlaceKey| Place { billing_account: account.clone(), key };
        let held = company.places.subscriptions.get(of);
        let standing = held.and_then(|held| held.standings.at(at)?.place.as_ref());
        let standing = standing.filter(|place| place.billing_account == *account);
        let moment = Interval::new(at, at.plus_micros(1)).unwrap_or(Interval::at(at));
        let upwards = company.places.of(account).zip(standing);
        let upwards = upwards.map(|(places, standing)| places.upwards(&standing.key, moment));
        let keys = upwards.unwrap_or_default().into_iter().map(|(key, _)| key.clone());
        let mut way: Vec<Place> = keys.map(place).collect();
        let paid = company.subscriptions.get(of).and_then(|one| one.placement_at(at));
        let paid = paid.filter(|paid| paid.billing_account == *account);
        let profile = paid.and_then(|paid| paid.profile.as_deref());
        let profile = profile.and_then(|profile| self.declared_profile(account, profile));
        way.extend(profile.filter(|profile| !way.contains(profile)));
        way
    }

    fn declared_profile(&self, account: &BillingAccountId, id: &str) -> Option<Place> {
        let key = self.keys(account, Level::BillingProfile, id).next()?.clone();
        Some(Place { billing_account: account.clone(), key })
    }
}

/// Where usage must be for a reservation to cover it, else where its meter is priced for.
pub(crate) fn region(bought: &Reservation, counted: Option<&Meter>) -> Option<String> {
    let mut conditions = bought.conditions.iter();
    let location = conditions.find(|one| one.dimension == Dimension::Location);
    let own = counted.map(|meter| &meter.region).filter(|region| !region.is_empty());
    location.map(|one| &one.value).or(own).cloned()
}

/// A reservation, by who has it and its id.
type Key = (BillingAccountId, ReservationId);

/// What reservations became that moved to another billing account.
struct Moved(BTreeMap<Key, Key>);

impl Moved {
    /// Errors: [`Error::Invalid`] for an id that cannot be.
    fn of(company: &Company) -> Result<Moved> {
        let mut moved = BTreeMap::new();
        for transfer in company.transfers.values() {
            let to = &transfer.initiator.billing_account;
            for (number, product) in transfer.products.iter().enumerate() {
                let has_moved = product.end == Some(ProductEnd::Moved);
                if product.kind != ProductKind::Reservation || !has_moved {
                    continue;
                }
                let fresh = fresh_id(&transfer.id, number)?;
                let own = company.reservations_of(to).iter();
                let Some(bought) = own.map(|held| &held.bought).find(|one| one.id == fresh) else {
                    continue;
                };
                let of = (product.id.as_str(), bought.term.start());
                moved.extend(given_back(company, of).map(|from| (from, (to.clone(), fresh))));
            }
        }
        Ok(Moved(moved))
    }

    /// What a reservation is now: itself, if it did not move.
    fn last<'a>(&'a self, key: &'a Key) -> &'a Key {
        let steps = std::iter::successors(Some(key), |key| self.0.get(*key));
        // Nothing moves more often than all that has.
        steps.take(self.0.len().saturating_add(1)).last().unwrap_or(key)
    }

    /// What a reservation was first: itself, if it did not move.
    fn first<'a>(&'a self, key: &'a Key) -> &'a Key {
        self.earlier(key).last().unwrap_or(key)
    }

    /// What a reservation was before, newest first.
    fn earlier<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Key> {
        let before = move |key: &&'a Key| {
            self.0.iter().find(|(_, after)| *after == *key).map(|(before, _)| before)
        };
        std::iter::successors(Some(key), before).skip(1).take(self.0.len())
    }

    /// What a reservation was before it came to who has it now; nothing if it has gone on.
    fn before<'a>(
        &self,
        company: &'a Company,
        (account, held): (&BillingAccountId, &HeldReservation),
    ) -> Vec<(&'a BillingAccountId, &'a HeldReservation)> {
        let key = (account.clone(), held.bought.id.clone());
        if self.0.contains_key(&key) {
            return Vec::new();
        }
        let found = |(account, id): &Key| {
            let (account, all) = company.reservations.get_key_value(account)?;
            Some((account, all.iter().find(|held| held.bought.id == *id)?))
        };
        self.earlier(&key).filter_map(found).collect()
    }
}

/// The reservation of an id, in any letter case, that was given back at a moment without a fee.
fn given_back(company: &Company, (id, at): (&str, Instant)) -> Option<Key> {
    let end = Some(End::Cancelled { at, fee: Fixed18::ZERO });
    let by_account = company.reservations.iter();
    let mut all = by_account.flat_map(|(account, all)| all.iter().map(move |held| (account, held)));
    let found =
        all.find(|(_, held)| held.end == end && held.bought.id.as_str().eq_ignore_ascii_case(id));
    found.map(|(account, held)| (account.clone(), held.bought.id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        let (account, id) = text.split_once(' ').unwrap();
        (BillingAccountId::new(account).unwrap(), ReservationId::new(id).unwrap())
    }

    #[test]
    fn what_moved_is_followed_both_ways() {
        let moves = [("a 1", "b 2"), ("b 2", "c 3")];
        let moved = Moved(moves.map(|(from, to)| (key(from), key(to))).into());
        let check = |of: &str, first: &str, last: &str, earlier: &[&str]| {
            let of = key(of);
            assert_eq!((moved.first(&of), moved.last(&of)), (&key(first), &key(last)));
            let before: Vec<Key> = moved.earlier(&of).cloned().collect();
            assert_eq!(before, earlier.iter().map(|text| key(text)).collect::<Vec<_>>());
        };
        check("a 1", "a 1", "c 3", &[]);
        check("b 2", "a 1", "c 3", &["a 1"]);
        check("c 3", "a 1", "c 3", &["b 2", "a 1"]);
        check("d 4", "d 4", "d 4", &[]);
    }
}
