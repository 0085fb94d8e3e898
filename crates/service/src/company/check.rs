//! What must hold between declared things.

use super::Thing;
use super::check_accounts::{
    check_accepted, check_account, check_instruction, check_payment_method, check_tags,
};
use super::check_books::{
    PlaceFaults, check_agreement, check_exchange_rate, check_held, check_lot, check_place,
    check_plan, check_product_of, check_reservation, check_tax_rate, check_terms,
};
use super::wrong::Wrong;
use calendar::Instant;
use domain::access::{Holder, Role, Scope, check_given, check_left};
use domain::catalog::{OfferTerm, PriceList, PriceReach};
use domain::company::{Company, RoleAssignment, Source, Subscription};
use domain::ids::{BillingAccountId, MeterId, OfferId, SubscriptionId};
use domain::pricing::{Problem, check_price_list};
use money::{Fixed18, Rounding};

/// What is wrong with a thing within a company that holds it; `faults` are those of its places.
pub(super) fn check(company: &Company, faults: &PlaceFaults, thing: &Thing) -> Vec<Wrong> {
    match thing {
        Thing::Tenant(_)
        | Thing::LegalEntity(_)
        | Thing::Offer(_)
        | Thing::Meter(_)
        | Thing::Name(_)
        | Thing::Client(_)
        | Thing::Transfer(_) => Vec::new(),
        Thing::BillingAccount(currency, step) => check_account(company, *currency, step),
        Thing::Agreement(step) => {
            let mut wrongs = check_agreement(company, faults, step);
            wrongs.extend(faults.elsewhere(thing));
            wrongs
        }
        Thing::Place(step) => {
            let mut wrongs = check_place(company, faults, step);
            wrongs.extend(faults.elsewhere(thing));
            wrongs
        }
        Thing::TaxRate(step) => check_tax_rate(company, step),
        Thing::ExchangeRate(rate) => check_exchange_rate(company, rate),
        Thing::BillingTerms(step) => check_terms(company, step),
        Thing::PriceList(list) => check_list(company, list),
        Thing::Subscription(subscription, held) => {
            let mut wrongs = check_subscription(company, subscription);
            let held = held.iter();
            wrongs.extend(held.flat_map(|h| check_held(company, &subscription.placements, h)));
            wrongs
        }
        Thing::Product(product) => check_product_of(company, product),
        Thing::Lot(id, lot) => check_lot(company, id, lot),
        Thing::Plan(id, plan) => check_plan(company, id, plan),
        Thing::PaymentMethod(id, step) => check_payment_method(company, id, step),
        Thing::AcceptedAgreement(id, step) => check_accepted(company, id, step),
        Thing::Instruction(id, step) => check_instruction(company, id, step),
        Thing::Tags(step) => check_tags(company, step),
        Thing::Reservation(id, held) => check_reservation(company, id, held),
        Thing::Source(source) => check_source(company, source),
        Thing::RoleAssignment(assignment) => check_role(company, assignment),
    }
}

pub(super) fn account(company: &Company, path: String, id: &BillingAccountId) -> Option<Wrong> {
    let is_there = company.accounts.contains_key(id);
    (!is_there).then(|| Wrong::new(path, format!("billing account `{id}` does not exist")))
}

pub(super) fn offer(company: &Company, path: String, id: &OfferId) -> Option<Wrong> {
    let is_there = company.offers.contains_key(id);
    (!is_there).then(|| Wrong::new(path, format!("offer `{id}` does not exist")))
}

pub(super) fn meter(company: &Company, path: String, id: &MeterId) -> Option<Wrong> {
    let is_there = company.meters.contains_key(id);
    (!is_there).then(|| Wrong::new(path, format!("meter `{id}` does not exist")))
}

pub(super) fn subscription(company: &Company, path: &str, id: &SubscriptionId) -> Option<Wrong> {
    let is_there = company.subscriptions.contains_key(id);
    (!is_there).then(|| Wrong::new(path, format!("subscription `{id}` does not exist")))
}

fn check_subscription(company: &Company, subscription: &Subscription) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (at, placement) in subscription.placements.iter().enumerate() {
        let place = format!("placements[{at}]");
        wrongs.extend(account(
            company,
            format!("{place}.billing_account"),
            &placement.billing_account,
        ));
        wrongs.extend(offer(company, format!("{place}.offer"), &placement.offer));
    }
    wrongs
}

fn check_source(company: &Company, source: &Source) -> Vec<Wrong> {
    if source.billing_accounts.is_empty() {
        return vec![Wrong::new("billing_accounts", "must name at least one billing account")];
    }
    let accounts = source.billing_accounts.iter().enumerate();
    accounts
        .filter_map(|(at, id)| account(company, format!("billing_accounts[{at}]"), id))
        .collect()
}

pub(super) fn scope(company: &Company, scope: &Scope) -> Option<Wrong> {
    match scope {
        Scope::Installation => None,
        Scope::Account(id) => account(company, "scope".to_owned(), id),
        Scope::Place(place) => match company.places.timeline(place) {
            Some(_) => None,
            None => Some(Wrong::new("scope", format!("{} does not exist", place.key))),
        },
        Scope::Subscription(id) => subscription(company, "scope", id),
        Scope::Product(id) => match company.places.products.get(id) {
            Some(_) => None,
            None => Some(Wrong::new("scope", format!("product `{id}` does not exist"))),
        },
    }
}

fn check_role(company: &Company, assignment: &RoleAssignment) -> Vec<Wrong> {
    // The principal may be one of an issuer elsewhere, so it need not be a client of ours.
    let wrong = scope(company, &assignment.scope);
    let wrong = wrong.or_else(|| home(company, assignment));
    let last = last_administrator(company, assignment).or_else(|| last_there(company, assignment));
    wrong.into_iter().chain(last).collect()
}

/// Refuses to revoke the last owner of a place, and the last role of a billing account or a place
/// below it.
fn last_there(company: &Company, ended: &RoleAssignment) -> Option<Wrong> {
    if ended.until != Instant::MIN {
        return None;
    }
    match check_left(company, ended) {
        Err(domain::Error::Conflict { problem, .. }) => {
            let name = ended.role.name();
            let problem = format!("`{}` {problem} ({name}); give another first", ended.principal);
            Some(Wrong::new("revoked", problem))
        }
        _ => None,
    }
}

/// Refuses a role where it is not at home, and to a program that may not hold it; one that was
/// revoked may stay anywhere. Clients without a mail address are programs.
fn home(company: &Company, assignment: &RoleAssignment) -> Option<Wrong> {
    let client = company.clients.get(&assignment.principal);
    let is_program = client.is_some_and(|client| client.email.is_none());
    let holder = if is_program { Holder::Program } else { Holder::Person };
    let error = check_given(company, assignment, holder).err()?;
    match error {
        _ if assignment.until == Instant::MIN => None,
        domain::Error::Invalid { field, problem } => Some(Wrong::new(field, problem)),
        domain::Error::Conflict { what, key: _, problem } => Some(Wrong::new(what, problem)),
        other => Some(Wrong::new("scope", other)),
    }
}

/// Refuses to end the last role that may do everything for ever: nobody but the machine itself
/// could give it back.
fn last_administrator(company: &Company, ended: &RoleAssignment) -> Option<Wrong> {
    let rules =
        |one: &RoleAssignment| one.role == Role::Administrator && one.scope == Scope::Installation;
    let stays = |one: &RoleAssignment| rules(one) && one.until == Instant::MAX;
    if !rules(ended) || stays(ended) || company.role_assignments.iter().any(stays) {
        return None;
    }
    let key = if ended.until == Instant::MIN { "revoked" } else { "until" };
    let problem = format!(
        "`{}` is the last Administrator of the installation; give another principal that role \
         without an end first",
        ended.principal
    );
    Some(Wrong::new(key, problem))
}

fn check_list(company: &Company, list: &PriceList) -> Vec<Wrong> {
    let mut wrongs = check_reach(company, list);
    for id in list.prices.keys() {
        wrongs.extend(meter(company, format!("prices[meter={id}].meter"), id));
    }
    for problem in check_price_list(list).err().into_iter().flatten() {
        let Problem { meter, lineage, problem } = problem;
        let place = format!("prices[meter={meter}]");
        wrongs.push(Wrong::new(place, format!("lineage `{lineage}`: {problem}")));
    }
    for (at, term) in list.terms.iter().enumerate() {
        let place = format!("terms[{at}]");
        wrongs.extend(check_term(company, term).into_iter().map(|wrong| wrong.below(&place)));
    }
    wrongs
}

/// What is wrong with a term of an offer: with its numbers first.
fn check_term(company: &Company, term: &OfferTerm) -> Vec<Wrong> {
    let (name, mut wrongs, excluded): (_, Vec<Wrong>, &[MeterId]) = match term {
        OfferTerm::MonetaryCredit { effective_from: _, credit, excluded } => {
            let wrong = below_zero("credit", *credit);
            ("monetary_credit", wrong.into_iter().collect(), excluded.as_slice())
        }
        OfferTerm::MonetaryCommitment { effective_from: _, discounts, excluded } => {
            ("monetary_commitment", check_discounts(discounts), excluded.as_slice())
        }
        OfferTerm::RecurringCharge { effective_from: _, amount } => {
            // Source: the description of RateCard: `RecurringCharge` is an integer.
            let whole = amount.round(0, Rounding::TowardZero).is_ok_and(|whole| whole == *amount);
            let fraction = (!whole).then(|| {
                let problem = format!("`{amount}` has a fraction: rate cards spell whole numbers");
                Wrong::new("amount", problem)
            });
            let wrongs = below_zero("amount", *amount).or(fraction).into_iter().collect();
            ("recurring_charge", wrongs, &[][..])
        }
    };
    for (nth, id) in excluded.iter().enumerate() {
        wrongs.extend(meter(company, format!("excluded[{nth}]"), id));
    }
    wrongs.into_iter().map(|wrong| wrong.below(name)).collect()
}

fn below_zero(key: &str, amount: Fixed18) -> Option<Wrong> {
    (amount < Fixed18::ZERO).then(|| Wrong::new(key, format!("`{amount}` is less than 0")))
}

/// Discounts are fractions, each from a larger committed amount than the one before.
fn check_discounts(discounts: &[(Fixed18, Fixed18)]) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let mut before: Option<Fixed18> = None;
    for (nth, (from, discount)) in discounts.iter().enumerate() {
        let out_of_order = before.filter(|before| from <= before).map(|before| {
            Wrong::new("from", format!("`{from}` must be more than {before}, the bound before it"))
        });
        let no_fraction = !(Fixed18::ZERO..=Fixed18::ONE).contains(discount);
        let no_fraction = no_fraction.then(|| {
            Wrong::new("discount", format!("`{discount}` is no fraction between 0 and 1"))
        });
        let found = below_zero("from", *from).or(out_of_order).into_iter().chain(no_fraction);
        let place = format!("discounts[{nth}]");
        wrongs.extend(found.map(|wrong| wrong.below(&place)));
        before = Some(*from);
    }
    wrongs
}

fn check_reach(company: &Company, list: &PriceList) -> Vec<Wrong> {
    match &list.reach {
        PriceReach::Offer { offer: id, .. } => match company.offers.get(id) {
            None => offer(company, "offer".to_owned(), id).into_iter().collect(),
            Some(offer) if !offer.has_rate_card => {
                vec![Wrong::new("offer", format!("offer `{id}` publishes no rate card"))]
            }
            Some(_) => rival(company.rate_cards(id), list).into_iter().collect(),
        },
        PriceReach::Account { billing_account: id, .. } => match company.accounts.get(id) {
            None => account(company, "billing_account".to_owned(), id).into_iter().collect(),
            Some(account) if account.currency != list.currency => {
                let problem = format!("billing account `{id}` is billed in {}", account.currency);
                vec![Wrong::new("currency", problem)]
            }
            Some(_) => rival(company.price_sheets(id), list).into_iter().collect(),
        },
    }
}

/// Another list that would hold for the same subscriptions at the same time.
fn rival<'a>(lists: impl Iterator<Item = &'a PriceList>, list: &PriceList) -> Option<Wrong> {
    lists
        .filter(|other| other.id != list.id && other.currency == list.currency)
        .find(|other| reaches_meet(&other.reach, &list.reach))
        .map(|other| Wrong::new("", format!("price list `{}` holds there already", other.id)))
}

fn reaches_meet(left: &PriceReach, right: &PriceReach) -> bool {
    match (left, right) {
        (
            PriceReach::Offer { offer: _, region: left, locales: _ },
            PriceReach::Offer { offer: _, region: right, locales: _ },
        ) => left == right,
        (
            PriceReach::Account { billing_account: _, profile, from, until },
            PriceReach::Account {
                billing_account: _,
                profile: other_profile,
                from: other_from,
                until: other_until,
            },
        ) => {
            profile == other_profile
                && other_until.is_none_or(|end| *from <= end)
                && until.is_none_or(|end| *other_from <= end)
        }
        (PriceReach::Offer { .. }, PriceReach::Account { .. })
        | (PriceReach::Account { .. }, PriceReach::Offer { .. }) => false,
    }
}
