//! What must hold between the things that the books need.

use super::check::{account, meter, offer, subscription};
use super::places::parent_key;
use super::wrong::Wrong;
use super::{PRODUCT, SUBSCRIPTION, Step, Thing};
use domain::agreements::{Agreement, Permission};
use domain::billing_terms::{BillingTerms, HeldPlan, Trade};
use domain::catalog::Aggregation;
use domain::company::Company;
use domain::credits::{Exclusions, Lot};
use domain::holdings::{BillingFrequency, Held, Holding, Product, check_holding, check_product};
use domain::ids::{BillingAccountId, LegalEntityId, PlaceId};
use domain::invoice::ExchangeRate;
use domain::places::{Detail, Fault, Level, Place, PlaceFacts, PlaceKey, Places, check_places};
use domain::reservations::{End, HeldReservation, Reservation, ReservationScope};
use domain::tax::{Buyers, TaxRate, TaxedSupply};
use domain::transfers::{ProductEnd, ProductKind, TransferProduct};
use money::Currency;
use std::collections::{BTreeMap, BTreeSet};

/// What does not hold in the places of billing accounts that a declaration touches.
#[derive(Default)]
pub(super) struct PlaceFaults {
    /// Of the places themselves.
    places: BTreeMap<BillingAccountId, Vec<Fault>>,
    /// Of what stands there and is not declared with them.
    elsewhere: BTreeMap<BillingAccountId, Vec<String>>,
    /// Kind and key of the first thing that touches an account: what is wrong elsewhere is told
    /// there.
    first: BTreeMap<BillingAccountId, (&'static str, String)>,
}

impl PlaceFaults {
    /// Looks at each billing account once, however many of its places are declared.
    pub(super) fn find<'a>(
        company: &Company,
        things: impl Iterator<Item = &'a Thing>,
    ) -> PlaceFaults {
        let mut faults = PlaceFaults::default();
        let mut declared = BTreeSet::new();
        for thing in things {
            let (kind, key) = (thing.kind(), thing.key());
            if let Some(account) = touched(thing) {
                faults.first.entry(account.clone()).or_insert((kind, key));
            } else if matches!(thing, Thing::Subscription(..) | Thing::Product(_)) {
                declared.insert((kind, key));
            }
        }
        for id in faults.first.keys() {
            if let (Some(account), Some(places)) = (company.accounts.get(id), company.places.of(id))
            {
                faults.places.insert(id.clone(), check_places(account, places));
            }
        }
        faults.find_elsewhere(company, &declared);
        faults
    }

    /// A place may change below what stands there.
    fn find_elsewhere(&mut self, company: &Company, declared: &BTreeSet<(&'static str, String)>) {
        let Places { accounts: _, subscriptions, products } = &company.places;
        let subscriptions = subscriptions.iter().filter_map(|(id, held)| {
            let placements = company.subscriptions.get(id)?.placements.as_slice();
            let billing_frequency = BillingFrequency::UsageBased;
            let holding = Holding { billing_frequency, placements, held };
            Some((SUBSCRIPTION, id.to_string(), holding))
        });
        let products = products.values().map(|one| (PRODUCT, one.id.to_string(), one.holding()));
        for (kind, key, holding) in subscriptions.chain(products) {
            let mut payers = holding.placements.iter().map(|one| &one.billing_account);
            let Some(payer) = payers.find(|payer| self.first.contains_key(*payer)) else {
                continue;
            };
            let name = format!("{kind} `{key}`");
            if !declared.contains(&(kind, key)) {
                let faults = check_holding(&company.places, &holding).into_iter();
                let problems = faults.map(|fault| format!("{name}: {fault}"));
                self.elsewhere.entry(payer.clone()).or_default().extend(problems);
            }
        }
    }

    /// What is wrong elsewhere and told at this thing.
    pub(super) fn elsewhere(&self, thing: &Thing) -> Vec<Wrong> {
        let told = touched(thing).filter(|account| {
            let first = self.first.get(*account);
            first.is_some_and(|(kind, key)| *kind == thing.kind() && *key == thing.key())
        });
        let problems = told.and_then(|account| self.elsewhere.get(account)).into_iter().flatten();
        problems.map(|problem| Wrong::new("", problem)).collect()
    }

    /// The faults of an account that lie below a field: the rest of the field, and the problem.
    fn below<'a>(
        &'a self,
        account: &BillingAccountId,
        field: &'a str,
    ) -> impl Iterator<Item = (&'a str, String)> {
        let of = self.places.get(account).into_iter().flatten();
        of.filter_map(move |Fault { field: found, problem }| {
            Some((found.strip_prefix(field)?, problem.to_string()))
        })
    }
}

/// The billing account whose places a thing changes.
fn touched(thing: &Thing) -> Option<&BillingAccountId> {
    match thing {
        Thing::Agreement(step) => Some(&step.of),
        Thing::Place(step) => Some(&step.of.billing_account),
        _ => None,
    }
}

/// Checks an agreement.
pub(super) fn check_agreement(
    company: &Company,
    faults: &PlaceFaults,
    step: &Step<BillingAccountId, Agreement>,
) -> Vec<Wrong> {
    let Step { of, from, value: _ } = step;
    let mut wrongs = Vec::from_iter(account(company, "billing_account".to_owned(), of));
    let own = format!("agreement[{from}]");
    wrongs.extend(faults.below(of, &own).map(|(rest, problem)| {
        let key = match rest {
            ".currency" => "enrollment.currency",
            ".prepayment" => "enrollment.prepayment",
            ".term" => "enrollment.end",
            _ => "type",
        };
        Wrong::new(key, problem)
    }));
    wrongs
}

/// Checks a place.
pub(super) fn check_place(
    company: &Company,
    faults: &PlaceFaults,
    step: &Step<Place, PlaceFacts>,
) -> Vec<Wrong> {
    let Step { of, from, value } = step;
    let Place { billing_account: id, key } = of;
    if let Some(wrong) = account(company, "billing_account".to_owned(), id) {
        return vec![wrong];
    }
    let Some(timeline) = company.places.timeline(of) else {
        let problem = format!("billing account `{id}` has no agreement");
        return vec![Wrong::new("billing_account", problem)];
    };
    let whole = format!("places[{}/{}]", key.level, key.id);
    let own = format!("{whole}[{from}].");
    let mut wrongs: Vec<Wrong> = faults
        .below(id, &own)
        .map(|(rest, problem)| {
            let key = if rest == "parent" { parent_key(key.level) } else { rest };
            Wrong::new(key, problem)
        })
        .collect();
    // What is wrong with the place as a whole is told once, at its first step.
    if timeline.begins() == *from {
        wrongs.extend(faults.below(id, &whole).filter_map(|(rest, problem)| match rest {
            "" => Some(Wrong::new("", problem)),
            ".from" => Some(Wrong::new("from", problem)),
            ".id" => Some(Wrong::new("id", problem)),
            _ => None,
        }));
    }
    if let Detail::Customer(customer) = &value.detail {
        let plans = customer.plans.iter().enumerate();
        wrongs.extend(plans.filter_map(|(at, id)| offer(company, format!("plans[{at}]"), id)));
    }
    wrongs
}

/// Checks a product.
pub(super) fn check_product_of(company: &Company, product: &Product) -> Vec<Wrong> {
    let facts: Vec<_> = product.facts.spans().map(|(during, _)| during.start()).collect();
    let mut wrongs = Vec::new();
    for (at, placement) in product.placements.iter().enumerate() {
        let path = format!("placements[{at}]");
        let payer = account(company, format!("{path}.billing_account"), &placement.billing_account);
        wrongs.extend(payer);
        wrongs.extend(offer(company, format!("{path}.offer"), &placement.offer));
    }
    wrongs.extend(check_product(&company.places, product).into_iter().map(|fault| {
        let Wrong { mut path, problem } = of_holding(fault, &product.held);
        for (at, from) in facts.iter().enumerate() {
            path = path.replace(&format!("facts[{from}]"), &format!("facts[{at}]"));
        }
        Wrong { path, problem }
    }));
    wrongs
}

/// Checks where a subscription stands.
pub(super) fn check_held(
    company: &Company,
    placements: &[domain::company::Placement],
    held: &Held,
) -> Vec<Wrong> {
    let billing_frequency = BillingFrequency::UsageBased;
    let holding = Holding { billing_frequency, placements, held };
    let faults = check_holding(&company.places, &holding).into_iter();
    faults.map(|fault| of_holding(fault, held)).collect()
}

/// Names standings by their number, as files do.
fn of_holding(Fault { field, problem }: Fault, held: &Held) -> Wrong {
    let mut path = field;
    for (at, (during, _)) in held.standings.spans().enumerate() {
        let from = during.start();
        path = path.replace(&format!("standings[{from}]"), &format!("standings[{at}]"));
    }
    Wrong::new(path, problem)
}

/// Checks a tax rate.
pub(super) fn check_tax_rate(company: &Company, step: &Step<TaxedSupply, TaxRate>) -> Vec<Wrong> {
    let TaxedSupply { seller: id, category: _, buyers } = &step.of;
    let mut wrongs = Vec::from_iter(seller(company, id));
    if let Buyers::One(id) = buyers {
        wrongs.extend(buyer(company, id));
    }
    wrongs
}

fn seller(company: &Company, id: &LegalEntityId) -> Option<Wrong> {
    let Some(timeline) = company.legal_entities.get(id) else {
        return Some(Wrong::new("seller", format!("legal entity `{id}` does not exist")));
    };
    let sells = timeline.spans().any(|(_, entity)| entity.trade == Trade::Sells);
    (!sells).then(|| Wrong::new("seller", format!("legal entity `{id}` does not sell")))
}

/// A billing account is a buyer under its own id where nobody else buys for it.
fn buyer(company: &Company, id: &LegalEntityId) -> Option<Wrong> {
    let is_account =
        BillingAccountId::new(id.as_str()).is_ok_and(|id| company.accounts.contains_key(&id));
    let is_there = is_account || company.legal_entities.contains_key(id);
    let problem = || format!("neither a legal entity nor a billing account is called `{id}`");
    (!is_there).then(|| Wrong::new("buyer", problem()))
}

/// Checks an exchange rate.
pub(super) fn check_exchange_rate(company: &Company, rate: &ExchangeRate) -> Vec<Wrong> {
    let same = |other: &&ExchangeRate| {
        other.id != rate.id && (other.from, other.to, other.at) == (rate.from, rate.to, rate.at)
    };
    let rival = company.exchange_rates.iter().find(same);
    let problem = rival.map(|other| format!("exchange rate `{}` holds from then on", other.id));
    problem.into_iter().map(|problem| Wrong::new("at", problem)).collect()
}

/// Checks billing terms.
pub(super) fn check_terms(
    company: &Company,
    step: &Step<BillingAccountId, BillingTerms>,
) -> Vec<Wrong> {
    let Step { of, from: _, value } = step;
    let mut wrongs = Vec::from_iter(account(company, "billing_account".to_owned(), of));
    wrongs.extend(currency(company, of, value.late.not_billed_up_to.currency()));
    wrongs.extend(seller(company, &value.seller));
    wrongs.extend(buyer(company, &value.buyer).filter(|_| value.buyer.as_str() != of.as_str()));
    wrongs.extend(excluded(company, "separately", &value.separately));
    wrongs
}

fn currency(company: &Company, id: &BillingAccountId, found: Currency) -> Option<Wrong> {
    let expected = company.accounts.get(id)?.currency;
    let problem = || format!("billing account `{id}` is billed in {expected}");
    (found != expected).then(|| Wrong::new("currency", problem()))
}

fn excluded(company: &Company, key: &str, exclusions: &Exclusions) -> Vec<Wrong> {
    let meters = exclusions.meters.iter();
    meters.filter_map(|id| meter(company, format!("{key}.meters"), id)).collect()
}

/// Checks a lot. Ids of lots are unique in the installation, since they stand in the ledger.
pub(super) fn check_lot(company: &Company, id: &BillingAccountId, lot: &Lot) -> Vec<Wrong> {
    let mut wrongs = Vec::from_iter(account(company, "billing_account".to_owned(), id));
    wrongs.extend(currency(company, id, lot.granted.currency()));
    wrongs.extend(excluded(company, "excluded", &lot.excluded));
    let mut others = company.lots.iter().filter(|(account, _)| *account != id);
    let twin = others.find(|(_, lots)| lots.iter().any(|other| other.id == lot.id));
    wrongs.extend(twin.map(|(other, _)| {
        Wrong::new("id", format!("billing account `{other}` has a lot `{}` already", lot.id))
    }));
    wrongs
}

/// Checks a held plan.
pub(super) fn check_plan(company: &Company, id: &BillingAccountId, plan: &HeldPlan) -> Vec<Wrong> {
    let mut wrongs = Vec::from_iter(account(company, "billing_account".to_owned(), id));
    if let Some(key) = &plan.place {
        let place = Place { billing_account: id.clone(), key: key.clone() };
        if company.places.timeline(&place).is_none() {
            wrongs.push(Wrong::new("place", format!("{key} does not exist in `{id}`")));
        }
    }
    let of = plan.subscription.as_ref();
    wrongs.extend(of.and_then(|id| subscription(company, "subscription", id)));
    wrongs
}

/// Checks a reservation, and those of its account that it changes. Ids of reservations are unique
/// in the installation, since charges are grouped by them.
pub(super) fn check_reservation(
    company: &Company,
    id: &BillingAccountId,
    held: &HeldReservation,
) -> Vec<Wrong> {
    let Reservation { id: own, billed_to, term, scope, meters, price, .. } = &held.bought;
    let mut wrongs = Vec::from_iter(account(company, "billing_account".to_owned(), id));
    wrongs.extend(currency(company, id, price.currency));
    for (at, id) in meters.iter().enumerate() {
        let path = format!("meters[{at}]");
        let sums = |of: &domain::catalog::Meter| of.aggregation == Aggregation::Sum;
        if company.meters.get(id).is_some_and(|of| !sums(of)) {
            wrongs.push(Wrong::new(path, format!("meter `{id}` is not added up")));
        } else {
            wrongs.extend(meter(company, path, id));
        }
    }
    wrongs.extend(check_billed_to(company, id, held));
    wrongs.extend(check_given_back(company, held));
    wrongs.extend(match scope {
        ReservationScope::Subscription(id) => subscription(company, "scope", id),
        ReservationScope::Place(place) => company
            .places
            .timeline(place)
            .is_none()
            .then(|| Wrong::new("scope", format!("{} does not exist in `{id}`", place.key))),
        ReservationScope::Account(_) => None,
    });
    if !may_reserve(company, id, &held.bought) {
        let problem = format!("no reservations may be bought there at {}", term.start());
        wrongs.push(Wrong::new("from", problem));
    }
    let mut others = company.reservations.iter().filter(|(account, _)| *account != id);
    let twin = others.find(|(_, held)| held.iter().any(|other| other.bought.id == *own));
    wrongs.extend(twin.map(|(other, _)| {
        Wrong::new("id", format!("billing account `{other}` has a reservation `{own}` already"))
    }));
    wrongs.extend(check_courses(company, id, held));
    wrongs.extend(subscription(company, "billed_to", billed_to));
    wrongs
}

/// Whoever buys pays for the subscription that it is bought for. Of one that was given back before
/// it began another may pay then.
fn check_billed_to(
    company: &Company,
    id: &BillingAccountId,
    held: &HeldReservation,
) -> Option<Wrong> {
    let HeldReservation { bought, refunds: _, end } = held;
    let start = bought.term.start();
    if matches!(end, Some(End::Cancelled { at, fee: _ }) if *at <= start) {
        return None;
    }
    let payer = company.subscriptions.get(&bought.billed_to)?.placement_at(start);
    let is_own = payer.is_some_and(|placement| placement.billing_account == *id);
    let problem = || format!("billing account `{id}` does not pay for it at {start}");
    (!is_own).then(|| Wrong::new("billed_to", problem()))
}

/// What a transfer gave back is not taken up again: its new payer is charged for what was left.
fn check_given_back(company: &Company, held: &HeldReservation) -> Option<Wrong> {
    let HeldReservation { bought, refunds: _, end } = held;
    let own = bought.id.as_str();
    let is_other = |id: &str| {
        let mut all = company.reservations.values().flatten();
        id != own && all.any(|other| other.bought.id.as_str() == id)
    };
    let gave_it = |product: &TransferProduct| {
        let TransferProduct { kind, id, end } = product;
        *kind == ProductKind::Reservation
            && *end == Some(ProductEnd::Moved)
            && id.eq_ignore_ascii_case(own)
            && !is_other(id)
    };
    let mut transfers = company.transfers.values().filter(|_| end.is_none());
    let by = transfers.find(|transfer| transfer.products.iter().any(gave_it))?;
    let problem = format!("must be there: transfer `{}` gave it back", by.id);
    Some(Wrong::new("cancelled", problem))
}

/// What happens to an account's reservations must be possible: to this one, and to those that are
/// given back for it.
fn check_courses(company: &Company, id: &BillingAccountId, held: &HeldReservation) -> Vec<Wrong> {
    let all = company.reservations_of(id);
    let mut wrongs = Vec::new();
    for one in all {
        let Err(error) = one.course(all) else { continue };
        let is_own = one.bought.id == held.bought.id;
        wrongs.push(match (is_own, error) {
            (true, domain::Error::Invalid { field, problem }) => Wrong::new(field, problem),
            (true, other) => Wrong::new("", other),
            (false, other) => Wrong::new("", format!("reservation `{}`: {other}", one.bought.id)),
        });
    }
    wrongs
}

/// Whether the enrollment, or the billing profile that pays, lets reservations be bought.
fn may_reserve(company: &Company, id: &BillingAccountId, bought: &Reservation) -> bool {
    let at = bought.term.start();
    if let Some(Agreement::Enterprise(enrollment)) = company.places.agreement_at(id, at) {
        return enrollment.policies.reservation_purchases.is_allowed();
    }
    let placement =
        company.subscriptions.get(&bought.billed_to).and_then(|one| one.placement_at(at));
    let profile = placement.and_then(|one| PlaceId::new(one.profile.as_deref()?).ok());
    let facts = profile.and_then(|profile| {
        let key = PlaceKey { level: Level::BillingProfile, id: profile };
        company.places.facts_at(&Place { billing_account: id.clone(), key }, at)
    });
    match facts.map(|facts| &facts.detail) {
        Some(Detail::BillingProfile(of)) => of.reservation_purchases == Permission::Allowed,
        _ => true,
    }
}
