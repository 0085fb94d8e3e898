//! The company as it is declared: files in, facts out, and the fold of facts.
//!
//! Everything that can be declared is a [`Thing`]. In a file and in the body of a fact it stands
//! as the same twin; only the files may also say `import`.

mod catalog;
mod check;
mod files;
mod locate;
mod parties;
mod plan;
mod price_lists;
mod prices;
mod text;
mod vendor;
mod wrong;

#[cfg(test)]
mod tests;

pub use files::{Declared, FileProblem, read_dir};
pub use plan::{Bodies, Change, FieldChange, Plan, What, plan};

use calendar::Instant;
use domain::catalog::{Meter, Offer, PriceList};
use domain::company::{BillingAccount, Client, Company, RoleAssignment, Source, Subscription};
use domain::ids::TenantId;
use domain::places::Place;
use domain::{Error, Result, access};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{FactRow, NewFact};
use wrong::Wrong;

/// Fact kind, and key in files, of the directory that the built-in issuer signs for.
pub const TENANT: &str = "tenant";
/// Fact kind, and key in files, of billing accounts.
pub const BILLING_ACCOUNT: &str = "billing_account";
/// Fact kind, and key in files, of offers.
pub const OFFER: &str = "offer";
/// Fact kind, and key in files, of meters.
pub const METER: &str = "meter";
/// Fact kind, and key in files, of rate cards and price sheets.
pub const PRICE_LIST: &str = "price_list";
/// Fact kind, and key in files, of subscriptions.
pub const SUBSCRIPTION: &str = "subscription";
/// Fact kind, and key in files, of sources.
pub const SOURCE: &str = "source";
/// Fact kind, and key in files, of names of dimension values.
pub const NAME: &str = "name";
/// Fact kind, and key in files, of clients.
pub const CLIENT: &str = "client";
/// Fact kind, and key in files, of role assignments.
pub const ROLE_ASSIGNMENT: &str = "role_assignment";

/// All kinds, in the order in which they are shown and become facts.
pub const KINDS: [&str; 10] = [
    TENANT,
    BILLING_ACCOUNT,
    OFFER,
    METER,
    PRICE_LIST,
    SUBSCRIPTION,
    SOURCE,
    NAME,
    CLIENT,
    ROLE_ASSIGNMENT,
];

/// The name of a dimension value from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameOfValue {
    /// A dimension's name, or `meter_category`.
    pub dimension: String,
    /// The value.
    pub value: String,
    /// From when.
    pub from: Instant,
    /// The name.
    pub name: String,
}

/// Anything that can be declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// The directory that the built-in issuer signs for.
    Tenant(TenantId),
    /// Holder of an agreement.
    BillingAccount(BillingAccount),
    /// A named bundle of terms.
    Offer(Offer),
    /// One thing that is counted.
    Meter(Meter),
    /// A rate card or price sheet.
    PriceList(PriceList),
    /// The unit usage is recorded against.
    Subscription(Subscription),
    /// Where usage comes from.
    Source(Source),
    /// The name of a dimension value.
    Name(NameOfValue),
    /// Somebody or something that may sign in.
    Client(Client),
    /// A role at a place.
    RoleAssignment(RoleAssignment),
}

impl Thing {
    /// Its kind: one of [`KINDS`].
    pub fn kind(&self) -> &'static str {
        match self {
            Thing::Tenant(_) => TENANT,
            Thing::BillingAccount(_) => BILLING_ACCOUNT,
            Thing::Offer(_) => OFFER,
            Thing::Meter(_) => METER,
            Thing::PriceList(_) => PRICE_LIST,
            Thing::Subscription(_) => SUBSCRIPTION,
            Thing::Source(_) => SOURCE,
            Thing::Name(_) => NAME,
            Thing::Client(_) => CLIENT,
            Thing::RoleAssignment(_) => ROLE_ASSIGNMENT,
        }
    }

    /// Its key among its kind: the newest fact of a kind and key holds.
    pub fn key(&self) -> String {
        match self {
            // There is one; another id takes its place.
            Thing::Tenant(_) => TENANT.to_owned(),
            Thing::BillingAccount(account) => account.id.to_string(),
            Thing::Offer(offer) => offer.id.to_string(),
            Thing::Meter(meter) => meter.id.to_string(),
            Thing::PriceList(list) => list.id.to_string(),
            Thing::Subscription(subscription) => subscription.id.to_string(),
            Thing::Source(source) => source.name.to_string(),
            Thing::Name(NameOfValue { dimension, value, from, name: _ }) => {
                format!("{dimension}/{value}/{from}")
            }
            Thing::Client(client) => client.id.to_string(),
            Thing::RoleAssignment(RoleAssignment { principal, role, scope, until: _ }) => {
                let scope = match scope {
                    access::Scope::Installation => "installation".to_owned(),
                    access::Scope::Account(account) => format!("{BILLING_ACCOUNT}/{account}"),
                    access::Scope::Place(Place { billing_account, key }) => {
                        format!("{BILLING_ACCOUNT}/{billing_account}/{}/{}", key.level, key.id)
                    }
                    access::Scope::Subscription(id) => format!("{SUBSCRIPTION}/{id}"),
                    access::Scope::Product(id) => format!("product/{id}"),
                };
                format!("{principal}/{}/{scope}", role.name())
            }
        }
    }

    /// The body of its fact: its twin as JSON, in one spelling.
    pub fn body(&self) -> String {
        match self.clone() {
            Thing::Tenant(id) => json(&parties::Tenant::from(id)),
            Thing::BillingAccount(account) => json(&parties::BillingAccount::from(account)),
            Thing::Offer(offer) => json(&catalog::Offer::from(offer)),
            Thing::Meter(meter) => json(&catalog::Meter::from(meter)),
            Thing::PriceList(list) => json(&price_lists::PriceList::from(list)),
            Thing::Subscription(sub) => json(&parties::Subscription::from(sub)),
            Thing::Source(source) => json(&parties::Source::from(source)),
            Thing::Name(name) => json(&parties::Name::from(name)),
            Thing::Client(client) => json(&parties::Client::from(client)),
            Thing::RoleAssignment(role) => json(&parties::RoleAssignment::from(role)),
        }
    }

    /// The fact that declares it.
    ///
    /// Only names hold from an instant; prices and placements carry their own instants inside.
    pub fn fact(&self) -> NewFact {
        let effective_from = match self {
            Thing::Name(name) => name.from,
            _ => Instant::MIN,
        };
        NewFact { kind: self.kind().to_owned(), key: self.key(), effective_from, body: self.body() }
    }

    /// Reads the body of a fact.
    ///
    /// Errors: [`Error::Internal`] when it is not of our making.
    pub fn read(kind: &str, key: &str, body: &str) -> Result<Thing> {
        let read = match kind {
            TENANT => twin::<parties::Tenant>(body).map(|twin| Thing::Tenant(twin.into())),
            BILLING_ACCOUNT => checked::<parties::BillingAccount, _>(body, Thing::BillingAccount),
            OFFER => twin::<catalog::Offer>(body).map(|twin| Thing::Offer(twin.into())),
            METER => checked::<catalog::Meter, _>(body, Thing::Meter),
            PRICE_LIST => checked::<price_lists::PriceList, _>(body, Thing::PriceList),
            SUBSCRIPTION => checked::<parties::Subscription, _>(body, Thing::Subscription),
            SOURCE => twin::<parties::Source>(body).map(|twin| Thing::Source(twin.into())),
            NAME => checked::<parties::Name, _>(body, Thing::Name),
            CLIENT => checked::<parties::Client, _>(body, Thing::Client),
            ROLE_ASSIGNMENT => checked::<parties::RoleAssignment, _>(body, Thing::RoleAssignment),
            _ => Err(Wrong::new("", "there is no such kind of fact")),
        };
        read.map_err(|Wrong { path, problem }| {
            Error::internal(format!("read {kind} `{key}`"), format!("{path}: {problem}"))
        })
    }
}

fn json(twin: &impl Serialize) -> String {
    serde_json::to_string(twin).expect("a twin holds texts, whole numbers and text keys only")
}

fn twin<T: DeserializeOwned>(body: &str) -> std::result::Result<T, Wrong> {
    let mut reader = serde_json::Deserializer::from_str(body);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Wrong::new(error.path().to_string(), error.inner()))
}

fn checked<T, D>(body: &str, thing: fn(D) -> Thing) -> std::result::Result<Thing, Wrong>
where
    T: DeserializeOwned,
    D: TryFrom<T, Error = Wrong>,
{
    D::try_from(twin::<T>(body)?).map(thing)
}

/// Folds a fact into the company: the newest of a kind and key holds.
///
/// Facts come in the order of their numbers. The version of a price list is its fact's number.
/// Errors: [`Error::Internal`] when the fact's body is not of our making.
pub fn fold(company: &mut Company, fact: &FactRow) -> Result<()> {
    put(company, Thing::read(&fact.kind, &fact.key, &fact.body)?, fact.number);
    company.version = company.version.max(fact.number);
    Ok(())
}

/// Puts a thing in the place of what was declared under its key before.
pub(super) fn put(company: &mut Company, thing: Thing, number: u64) {
    match thing {
        Thing::Tenant(id) => company.tenant = Some(id),
        Thing::BillingAccount(account) => {
            company.accounts.insert(account.id.clone(), account);
        }
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
        Thing::Subscription(subscription) => {
            company.subscriptions.insert(subscription.id.clone(), subscription);
        }
        Thing::Source(source) => {
            company.sources.insert(source.name.clone(), source);
        }
        Thing::Name(name) => put_name(company, name),
        Thing::Client(client) => {
            company.clients.insert(client.id.clone(), client);
        }
        Thing::RoleAssignment(assignment) => {
            let given = &mut company.role_assignments;
            match given.iter_mut().find(|earlier| earlier.is_same_grant(&assignment)) {
                Some(earlier) => *earlier = assignment,
                None => given.push(assignment),
            }
        }
    }
}

fn put_name(company: &mut Company, NameOfValue { dimension, value, from, name }: NameOfValue) {
    let names = company.names.entry((dimension, value)).or_default();
    match names.binary_search_by_key(&from, |(since, _)| *since) {
        Ok(at) => names[at].1 = name,
        Err(at) => names.insert(at, (from, name)),
    }
}
