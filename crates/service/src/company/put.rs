//! The fold: where a declared thing takes its place in the company.

use super::{NameOfValue, Step, Thing};
use domain::access::{Role, Scope};
use domain::agreements::Agreement;
use domain::company::{AccountFacts, BillingAccount, Company, RoleAssignment, Subscription};
use domain::holdings::Held;
use domain::ids::{BillingAccountId, PrincipalId};
use domain::invoice::ExchangeRate;
use domain::places::{AccountPlaces, Place, PlaceFacts};
use domain::timeline::Timeline;
use money::Currency;
use std::collections::{BTreeMap, HashMap};

/// A company in which things take their places, one after the other.
pub(crate) struct Folding {
    /// As far as it has come.
    pub(crate) company: Company,
    roles: RolePlaces,
}

impl Folding {
    /// Begins with what was declared before.
    pub(crate) fn of(company: Company) -> Folding {
        Folding { company, roles: RolePlaces::default() }
    }

    /// Puts what a fact declared in the place of what was declared under its key before.
    pub(crate) fn put(&mut self, thing: Thing, number: u64) {
        let Folding { company, roles } = self;
        put(company, roles, thing, number);
        company.version = company.version.max(number);
    }
}

/// Where each role stands among those of a company, once one is put there: looked up, and not
/// searched for, as there may be very many.
#[derive(Default)]
struct RolePlaces(Option<HashMap<(PrincipalId, Role, Scope), usize>>);

impl RolePlaces {
    fn put(&mut self, given: &mut Vec<RoleAssignment>, role: RoleAssignment) {
        let key = |role: &RoleAssignment| (role.principal.clone(), role.role, role.scope.clone());
        let places = self.0.get_or_insert_with(|| given.iter().map(key).zip(0..).collect());
        let next = given.len();
        let at = *places.entry(key(&role)).or_insert(next);
        match given.get_mut(at) {
            Some(earlier) => *earlier = role,
            None => given.push(role),
        }
    }
}

fn put(company: &mut Company, roles: &mut RolePlaces, thing: Thing, number: u64) {
    match thing {
        Thing::Tenant(id) => company.tenant = Some(id),
        Thing::LegalEntity(step) => step.put(&mut company.legal_entities),
        Thing::BillingAccount(currency, step) => put_account(company, currency, step),
        Thing::Agreement(step) => put_agreement(company, step),
        Thing::Place(step) => put_place(company, step),
        Thing::TaxRate(step) => step.put(&mut company.taxes),
        Thing::ExchangeRate(rate) => put_exchange_rate(company, rate),
        Thing::BillingTerms(step) => step.put(&mut company.billing_terms),
        Thing::Offer(offer) => {
            company.offers.insert(offer.id.clone(), offer);
        }
        Thing::Meter(meter) => {
            company.meters.insert(meter.id.clone(), meter);
        }
        Thing::PriceList(mut list) => {
            list.version = number;
            company.price_lists.insert(list.id.clone(), list);
        }
        Thing::Subscription(subscription, held) => put_subscription(company, subscription, held),
        Thing::Product(product) => {
            company.places.products.insert(product.id.clone(), product);
        }
        Thing::Lot(account, lot) => {
            put_sorted(company.lots.entry(account).or_default(), lot, |lot| &lot.id);
        }
        Thing::Plan(account, plan) => {
            put_sorted(company.plans.entry(account).or_default(), plan, |plan| &plan.id);
        }
        Thing::PaymentMethod(account, step) => {
            step.put(company.payment_methods.entry(account).or_default());
        }
        Thing::AcceptedAgreement(account, step) => {
            step.put(company.accepted_agreements.entry(account).or_default());
        }
        Thing::Instruction(account, step) => {
            step.put(company.instructions.entry(account).or_default());
        }
        Thing::Tags(step) => step.put(&mut company.tags),
        Thing::Reservation(account, held) => {
            let of = company.reservations.entry(account).or_default();
            put_sorted(of, *held, |held| &held.bought.id);
        }
        Thing::Source(source) => {
            company.sources.insert(source.name.clone(), source);
        }
        Thing::Name(name) => put_name(company, name),
        Thing::Client(client) => {
            company.clients.insert(client.id.clone(), client);
        }
        Thing::RoleAssignment(role) => roles.put(&mut company.role_assignments, role),
        Thing::Transfer(transfer) => {
            company.transfers.insert(transfer.id.clone(), *transfer);
        }
    }
}

/// The currency that was declared last holds; the check refuses a second one.
fn put_account(
    company: &mut Company,
    currency: Currency,
    Step { of, from, value }: Step<BillingAccountId, AccountFacts>,
) {
    match company.accounts.get_mut(&of) {
        Some(account) => {
            account.currency = currency;
            account.known.put(from, value);
        }
        None => {
            let known = Timeline::from(from, value);
            company.accounts.insert(of.clone(), BillingAccount { id: of, currency, known });
        }
    }
}

fn put_agreement(company: &mut Company, step: Step<BillingAccountId, Agreement>) {
    let Step { of, from, value } = step;
    match company.places.accounts.get_mut(&of) {
        Some(account) => account.agreement.put(from, value),
        None => {
            let agreement = Timeline::from(from, value);
            let account = AccountPlaces { agreement, places: BTreeMap::new() };
            company.places.accounts.insert(of, account);
        }
    }
}

/// A place whose billing account has no agreement is left out: the check refuses it.
fn put_place(company: &mut Company, Step { of, from, value }: Step<Place, PlaceFacts>) {
    if let Some(account) = company.places.accounts.get_mut(&of.billing_account) {
        Step { of: of.key, from, value }.put(&mut account.places);
    }
}

fn put_exchange_rate(company: &mut Company, rate: ExchangeRate) {
    let rates = &mut company.exchange_rates;
    rates.retain(|earlier| earlier.id != rate.id);
    let order = |rate: &ExchangeRate| (rate.from, rate.to, rate.at);
    let at = rates.partition_point(|earlier| order(earlier) <= order(&rate));
    rates.insert(at, rate);
}

fn put_subscription(company: &mut Company, subscription: Subscription, held: Option<Held>) {
    let id = subscription.id.clone();
    match held {
        Some(held) => company.places.subscriptions.insert(id.clone(), held),
        None => company.places.subscriptions.remove(&id),
    };
    company.subscriptions.insert(id, subscription);
}

/// Puts something where its id belongs, in place of what has the same.
fn put_sorted<T, I: Ord>(sorted: &mut Vec<T>, one: T, id: fn(&T) -> &I) {
    match sorted.binary_search_by(|earlier| id(earlier).cmp(id(&one))) {
        Ok(at) => sorted[at] = one,
        Err(at) => sorted.insert(at, one),
    }
}

fn put_name(company: &mut Company, NameOfValue { dimension, value, from, name }: NameOfValue) {
    let names = company.names.entry((dimension, value)).or_default();
    match names.binary_search_by_key(&from, |(since, _)| *since) {
        Ok(at) => names[at].1 = name,
        Err(at) => names.insert(at, (from, name)),
    }
}
