//! The company as it is declared: files in, facts out, and the fold of facts.
//!
//! Everything that can be declared is a [`Thing`]. In a file and in the body of a fact it stands
//! as the same twin; only the files may also say `import`.

mod accepted_agreements;
mod agreements;
mod billing_terms;
mod catalog;
mod check;
mod check_accounts;
mod check_books;
mod files;
mod holdings;
mod instructions;
mod legal_entities;
mod locate;
mod lots;
mod parties;
mod payment_methods;
mod places;
mod plan;
mod plans;
mod price_lists;
mod prices;
mod put;
mod reservations;
mod step;
mod tags;
mod text;
mod transfers;
mod vendor;
mod words;
mod wrong;

#[cfg(test)]
mod tests;

pub use files::{Declared, FileProblem, read_dir, read_texts};
pub use plan::{Bodies, Change, FieldChange, Plan, What, plan};
pub(crate) use put::Folding;
pub use step::Step;

use calendar::Instant;
use domain::accepted_agreements::AcceptedAgreement;
use domain::agreements::Agreement;
use domain::billing_terms::{BillingTerms, HeldPlan, LegalEntity};
use domain::catalog::{Meter, Offer, PriceList};
use domain::company::{AccountFacts, Client, RoleAssignment, Source, Subscription};
use domain::credits::Lot;
use domain::holdings::{Held, Product};
use domain::ids::{
    AcceptedAgreementId, BillingAccountId, InstructionId, LegalEntityId, PaymentMethodId, TenantId,
};
use domain::instructions::Instruction;
use domain::invoice::ExchangeRate;
use domain::payment_methods::PaymentMethod;
use domain::places::{Level, Place, PlaceFacts};
use domain::reservations::HeldReservation;
use domain::tags::Tags;
use domain::tax::{Buyers, TaxRate, TaxedSupply};
use domain::transfers::Transfer;
use domain::{Error, Result, access};
use money::Currency;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::NewFact;
use wrong::Wrong;

/// Fact kind, and key in files, of the directory that the built-in issuer signs for.
pub const TENANT: &str = "tenant";
/// Fact kind, and key in files, of billing accounts.
pub const BILLING_ACCOUNT: &str = "billing_account";
/// Fact kind, and key in files, of who sells or buys in the eyes of the law.
pub const LEGAL_ENTITY: &str = "legal_entity";
/// Fact kind, and key in files, of agreements.
pub const AGREEMENT: &str = "agreement";
/// Fact kind, and key in files, of billing profiles.
pub const BILLING_PROFILE: &str = "billing_profile";
/// Fact kind, and key in files, of invoice sections.
pub const INVOICE_SECTION: &str = "invoice_section";
/// Fact kind, and key in files, of partners' customers.
pub const CUSTOMER: &str = "customer";
/// Fact kind, and key in files, of departments.
pub const DEPARTMENT: &str = "department";
/// Fact kind, and key in files, of enrollment accounts.
pub const ENROLLMENT_ACCOUNT: &str = "enrollment_account";
/// Fact kind, and key in files, of messaging accounts.
pub const MESSAGING_ACCOUNT: &str = "messaging_account";
/// Fact kind, and key in files, of tax rates.
pub const TAX_RATE: &str = "tax_rate";
/// Fact kind, and key in files, of exchange rates.
pub const EXCHANGE_RATE: &str = "exchange_rate";
/// Fact kind, and key in files, of billing terms.
pub const BILLING_TERMS: &str = "billing_terms";
/// Fact kind, and key in files, of products.
pub const PRODUCT: &str = "product";
/// Fact kind, and key in files, of credit and prepayment.
pub const LOT: &str = "lot";
/// Fact kind, and key in files, of what is charged every cycle.
pub const PLAN: &str = "plan";
/// Fact kind, and key in files, of payment methods.
pub const PAYMENT_METHOD: &str = "payment_method";
/// Fact kind, and key in files, of accepted agreements.
pub const ACCEPTED_AGREEMENT: &str = "accepted_agreement";
/// Fact kind, and key in files, of instructions.
pub const INSTRUCTION: &str = "instruction";
/// Fact kind, and key in files, of tags.
pub const TAGS: &str = "tags";
/// Fact kind, and key in files, of reservations.
pub const RESERVATION: &str = "reservation";
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
/// Fact kind of transfers. No file declares them, so it is none of [`KINDS`].
pub const TRANSFER: &str = "transfer";

/// All kinds that files declare, in the order in which they are shown and become facts.
pub const KINDS: [&str; 29] = [
    TENANT,
    LEGAL_ENTITY,
    BILLING_ACCOUNT,
    AGREEMENT,
    BILLING_PROFILE,
    INVOICE_SECTION,
    CUSTOMER,
    DEPARTMENT,
    ENROLLMENT_ACCOUNT,
    MESSAGING_ACCOUNT,
    TAX_RATE,
    EXCHANGE_RATE,
    BILLING_TERMS,
    OFFER,
    METER,
    PRICE_LIST,
    SUBSCRIPTION,
    PRODUCT,
    LOT,
    PLAN,
    PAYMENT_METHOD,
    ACCEPTED_AGREEMENT,
    INSTRUCTION,
    TAGS,
    RESERVATION,
    SOURCE,
    NAME,
    CLIENT,
    ROLE_ASSIGNMENT,
];

/// The kind of a place of a level.
pub const fn kind_of(level: Level) -> &'static str {
    match level {
        Level::BillingProfile => BILLING_PROFILE,
        Level::InvoiceSection => INVOICE_SECTION,
        Level::Customer => CUSTOMER,
        Level::Department => DEPARTMENT,
        Level::EnrollmentAccount => ENROLLMENT_ACCOUNT,
        Level::MessagingAccount => MESSAGING_ACCOUNT,
    }
}

/// The level of a kind, if it is one of places.
pub fn level_of(kind: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| kind_of(*level) == kind)
}

/// The name of a dimension value from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameOfValue {
    /// A dimension's name, `meter_category`, `meter_subcategory` or `country_prefix`.
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
    /// Holder of an agreement, and what it is billed in.
    BillingAccount(Currency, Step<BillingAccountId, AccountFacts>),
    /// Who sells or buys in the eyes of the law.
    LegalEntity(Step<LegalEntityId, LegalEntity>),
    /// What a billing account has signed.
    Agreement(Step<BillingAccountId, Agreement>),
    /// A place below a billing account.
    Place(Step<Place, PlaceFacts>),
    /// How a supply is taxed.
    TaxRate(Step<TaxedSupply, TaxRate>),
    /// What one unit of a currency is in another.
    ExchangeRate(ExchangeRate),
    /// How a billing account is invoiced.
    BillingTerms(Step<BillingAccountId, BillingTerms>),
    /// A named bundle of terms.
    Offer(Offer),
    /// One thing that is counted.
    Meter(Meter),
    /// A rate card or price sheet.
    PriceList(PriceList),
    /// The unit usage is recorded against, and where it stands, if that is known.
    Subscription(Subscription, Option<Held>),
    /// Something bought and held.
    Product(Product),
    /// Credit or prepayment of a billing account.
    Lot(BillingAccountId, Lot),
    /// What a billing account is charged every cycle.
    Plan(BillingAccountId, HeldPlan),
    /// With what a billing account pays.
    PaymentMethod(BillingAccountId, Step<PaymentMethodId, PaymentMethod>),
    /// A text that was accepted for a billing account.
    AcceptedAgreement(BillingAccountId, Step<AcceptedAgreementId, AcceptedAgreement>),
    /// What may be billed to a billing profile.
    Instruction(BillingAccountId, Step<InstructionId, Instruction>),
    /// What the house notes on a place or holding.
    Tags(Step<access::Scope, Tags>),
    /// Capacity that a billing account has bought for a term.
    Reservation(BillingAccountId, Box<HeldReservation>),
    /// Where usage comes from.
    Source(Source),
    /// The name of a dimension value.
    Name(NameOfValue),
    /// Somebody or something that may sign in.
    Client(Client),
    /// A role at a place.
    RoleAssignment(RoleAssignment),
    /// What moves to another billing account: the one thing that is declared in no file.
    Transfer(Box<Transfer>),
}

impl Thing {
    /// Its kind: one of [`KINDS`], or [`TRANSFER`].
    pub fn kind(&self) -> &'static str {
        match self {
            Thing::Tenant(_) => TENANT,
            Thing::BillingAccount(..) => BILLING_ACCOUNT,
            Thing::LegalEntity(_) => LEGAL_ENTITY,
            Thing::Agreement(_) => AGREEMENT,
            Thing::Place(step) => kind_of(step.of.key.level),
            Thing::TaxRate(_) => TAX_RATE,
            Thing::ExchangeRate(_) => EXCHANGE_RATE,
            Thing::BillingTerms(_) => BILLING_TERMS,
            Thing::Offer(_) => OFFER,
            Thing::Meter(_) => METER,
            Thing::PriceList(_) => PRICE_LIST,
            Thing::Subscription(..) => SUBSCRIPTION,
            Thing::Product(_) => PRODUCT,
            Thing::Lot(..) => LOT,
            Thing::Plan(..) => PLAN,
            Thing::PaymentMethod(..) => PAYMENT_METHOD,
            Thing::AcceptedAgreement(..) => ACCEPTED_AGREEMENT,
            Thing::Instruction(..) => INSTRUCTION,
            Thing::Tags(_) => TAGS,
            Thing::Reservation(..) => RESERVATION,
            Thing::Source(_) => SOURCE,
            Thing::Name(_) => NAME,
            Thing::Client(_) => CLIENT,
            Thing::RoleAssignment(_) => ROLE_ASSIGNMENT,
            Thing::Transfer(_) => TRANSFER,
        }
    }

    /// Its key among its kind: the newest fact of a kind and key holds.
    pub fn key(&self) -> String {
        match self {
            // There is one; another id takes its place.
            Thing::Tenant(_) => TENANT.to_owned(),
            // Without an instant it is the id alone, as before there were instants.
            Thing::BillingAccount(_, Step { of, from, value: _ }) if *from == Instant::MIN => {
                of.to_string()
            }
            Thing::BillingAccount(_, Step { of, from, value: _ }) => format!("{of}/{from}"),
            Thing::LegalEntity(Step { of, from, value: _ }) => format!("{of}/{from}"),
            Thing::Agreement(Step { of, from, value: _ }) => format!("{of}/{from}"),
            Thing::Place(Step { of: Place { billing_account, key }, from, value: _ }) => {
                format!("{billing_account}/{}/{from}", key.id)
            }
            Thing::TaxRate(Step { of, from, value: _ }) => {
                let TaxedSupply { seller, category, buyers } = of;
                match buyers {
                    Buyers::One(buyer) => format!("{seller}/{category}/buyer {buyer}/{from}"),
                    Buyers::Of(country) => format!("{seller}/{category}/country {country}/{from}"),
                    Buyers::All => format!("{seller}/{category}/{from}"),
                }
            }
            Thing::ExchangeRate(rate) => rate.id.clone(),
            Thing::BillingTerms(Step { of, from, value: _ }) => format!("{of}/{from}"),
            Thing::Offer(offer) => offer.id.to_string(),
            Thing::Meter(meter) => meter.id.to_string(),
            Thing::PriceList(list) => list.id.to_string(),
            Thing::Subscription(subscription, _) => subscription.id.to_string(),
            Thing::Product(product) => product.id.to_string(),
            Thing::Lot(account, lot) => format!("{account}/{}", lot.id),
            Thing::Plan(account, plan) => format!("{account}/{}", plan.id),
            Thing::PaymentMethod(account, Step { of, from, value: _ }) => {
                format!("{account}/{of}/{from}")
            }
            Thing::AcceptedAgreement(account, Step { of, from, value: _ }) => {
                format!("{account}/{of}/{from}")
            }
            Thing::Instruction(account, Step { of, from, value: _ }) => {
                format!("{account}/{of}/{from}")
            }
            Thing::Tags(Step { of, from, value: _ }) => format!("{}/{from}", scope_key(of)),
            Thing::Reservation(account, held) => format!("{account}/{}", held.bought.id),
            Thing::Source(source) => source.name.to_string(),
            Thing::Name(NameOfValue { dimension, value, from, name: _ }) => {
                format!("{dimension}/{value}/{from}")
            }
            Thing::Client(client) => client.id.to_string(),
            Thing::RoleAssignment(RoleAssignment { principal, role, scope, until: _ }) => {
                format!("{principal}/{}/{}", role.name(), scope_key(scope))
            }
            Thing::Transfer(transfer) => transfer.id.to_string(),
        }
    }

    /// The body of its fact: its twin as JSON, in one spelling.
    pub fn body(&self) -> String {
        match self.clone() {
            Thing::Tenant(id) => json(&parties::Tenant::from(id)),
            Thing::BillingAccount(currency, step) => {
                json(&parties::BillingAccount::from((currency, step)))
            }
            Thing::LegalEntity(step) => json(&legal_entities::LegalEntity::from(step)),
            Thing::Agreement(step) => json(&agreements::Agreement::from(step)),
            Thing::Place(step) => json(&places::Place::from(step)),
            Thing::TaxRate(step) => json(&legal_entities::TaxRate::from(step)),
            Thing::ExchangeRate(rate) => json(&legal_entities::ExchangeRate::from(rate)),
            Thing::BillingTerms(step) => json(&billing_terms::BillingTerms::from(step)),
            Thing::Offer(offer) => json(&catalog::Offer::from(offer)),
            Thing::Meter(meter) => json(&catalog::Meter::from(meter)),
            Thing::PriceList(list) => json(&price_lists::PriceList::from(list)),
            Thing::Subscription(sub, held) => json(&parties::Subscription::from((sub, held))),
            Thing::Product(product) => json(&holdings::Product::from(product)),
            Thing::Lot(account, lot) => json(&lots::Lot::from((account, lot))),
            Thing::Plan(account, plan) => json(&plans::Plan::from((account, plan))),
            Thing::PaymentMethod(account, step) => {
                json(&payment_methods::PaymentMethod::from((account, step)))
            }
            Thing::AcceptedAgreement(account, step) => {
                json(&accepted_agreements::AcceptedAgreement::from((account, step)))
            }
            Thing::Instruction(account, step) => {
                json(&instructions::Instruction::from((account, step)))
            }
            Thing::Tags(step) => json(&tags::Tags::from(step)),
            Thing::Reservation(account, held) => {
                json(&reservations::Reservation::from((account, *held)))
            }
            Thing::Source(source) => json(&parties::Source::from(source)),
            Thing::Name(name) => json(&parties::Name::from(name)),
            Thing::Client(client) => json(&parties::Client::from(client)),
            Thing::RoleAssignment(role) => json(&parties::RoleAssignment::from(role)),
            Thing::Transfer(transfer) => json(&transfers::Transfer::from(*transfer)),
        }
    }

    /// The fact that declares it.
    ///
    /// What holds from an instant says so; prices and placements carry theirs inside.
    pub fn fact(&self) -> NewFact {
        let effective_from = match self {
            Thing::Name(name) => name.from,
            Thing::BillingAccount(_, step) => step.from,
            Thing::LegalEntity(step) => step.from,
            Thing::Agreement(step) => step.from,
            Thing::Place(step) => step.from,
            Thing::TaxRate(step) => step.from,
            Thing::ExchangeRate(rate) => rate.at,
            Thing::BillingTerms(step) => step.from,
            Thing::PaymentMethod(_, step) => step.from,
            Thing::AcceptedAgreement(_, step) => step.from,
            Thing::Instruction(_, step) => step.from,
            Thing::Tags(step) => step.from,
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
            BILLING_ACCOUNT => checked::<parties::BillingAccount, _>(body, |(currency, step)| {
                Thing::BillingAccount(currency, step)
            }),
            LEGAL_ENTITY => checked::<legal_entities::LegalEntity, _>(body, Thing::LegalEntity),
            AGREEMENT => checked::<agreements::Agreement, _>(body, Thing::Agreement),
            TAX_RATE => checked::<legal_entities::TaxRate, _>(body, Thing::TaxRate),
            EXCHANGE_RATE => checked::<legal_entities::ExchangeRate, _>(body, Thing::ExchangeRate),
            BILLING_TERMS => checked::<billing_terms::BillingTerms, _>(body, Thing::BillingTerms),
            OFFER => twin::<catalog::Offer>(body).map(|twin| Thing::Offer(twin.into())),
            METER => checked::<catalog::Meter, _>(body, Thing::Meter),
            PRICE_LIST => checked::<price_lists::PriceList, _>(body, Thing::PriceList),
            SUBSCRIPTION => checked::<parties::Subscription, _>(body, |(subscription, held)| {
                Thing::Subscription(subscription, held)
            }),
            PRODUCT => checked::<holdings::Product, _>(body, Thing::Product),
            LOT => checked::<lots::Lot, _>(body, |(account, lot)| Thing::Lot(account, lot)),
            PLAN => checked::<plans::Plan, _>(body, |(account, plan)| Thing::Plan(account, plan)),
            PAYMENT_METHOD => {
                checked::<payment_methods::PaymentMethod, _>(body, |(account, step)| {
                    Thing::PaymentMethod(account, step)
                })
            }
            ACCEPTED_AGREEMENT => {
                checked::<accepted_agreements::AcceptedAgreement, _>(body, |(account, step)| {
                    Thing::AcceptedAgreement(account, step)
                })
            }
            INSTRUCTION => checked::<instructions::Instruction, _>(body, |(account, step)| {
                Thing::Instruction(account, step)
            }),
            TAGS => checked::<tags::Tags, _>(body, Thing::Tags),
            RESERVATION => checked::<reservations::Reservation, _>(body, |(account, held)| {
                Thing::Reservation(account, Box::new(held))
            }),
            SOURCE => twin::<parties::Source>(body).map(|twin| Thing::Source(twin.into())),
            NAME => checked::<parties::Name, _>(body, Thing::Name),
            CLIENT => checked::<parties::Client, _>(body, Thing::Client),
            ROLE_ASSIGNMENT => checked::<parties::RoleAssignment, _>(body, Thing::RoleAssignment),
            TRANSFER => checked::<transfers::Transfer, _>(body, |transfer| {
                Thing::Transfer(Box::new(transfer))
            }),
            _ => match level_of(kind) {
                Some(level) => {
                    twin::<places::Place>(body).and_then(|twin| twin.step(level)).map(Thing::Place)
                }
                None => Err(Wrong::new("", "there is no such kind of fact")),
            },
        };
        read.map_err(|Wrong { path, problem }| {
            Error::internal(format!("read {kind} `{key}`"), format!("{path}: {problem}"))
        })
    }
}

fn scope_key(scope: &access::Scope) -> String {
    match scope {
        access::Scope::Installation => "installation".to_owned(),
        access::Scope::Account(account) => format!("{BILLING_ACCOUNT}/{account}"),
        access::Scope::Place(Place { billing_account, key }) => {
            format!("{BILLING_ACCOUNT}/{billing_account}/{}/{}", key.level, key.id)
        }
        access::Scope::Subscription(id) => format!("{SUBSCRIPTION}/{id}"),
        access::Scope::Product(id) => format!("product/{id}"),
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
