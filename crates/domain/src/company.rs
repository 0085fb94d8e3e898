//! The company: everything that has been declared, folded up to one fact.

use crate::accepted_agreements::AcceptedAgreement;
use crate::access::Scope;
use crate::billing_terms::{BillingTerms, HeldPlan, LegalEntity};
use crate::catalog::{Meter, Offer, PriceList, PriceReach};
use crate::credits::Lot;
use crate::ids::{
    AcceptedAgreementId, BillingAccountId, InstructionId, LegalEntityId, MeterId, OfferId,
    PaymentMethodId, PriceListId, PrincipalId, SourceName, SubscriptionId, TenantId, TransferId,
};
use crate::instructions::Instruction;
use crate::invoice::ExchangeRate;
use crate::payment_methods::PaymentMethod;
use crate::reservations::HeldReservation;
use crate::tags::Tags;
use crate::tax::{TaxRate, TaxedSupply};
use crate::timeline::Timeline;
use crate::transfers::Transfer;
use calendar::{Instant, Interval};
use money::Currency;
use std::collections::BTreeMap;

/// All declared facts, folded. Rating reads it; nothing here is computed from usage.
#[derive(Debug, Clone, Default)]
pub struct Company {
    /// Number of the newest fact folded in; 0 for none.
    pub version: u64,
    /// Billing accounts.
    pub accounts: BTreeMap<BillingAccountId, BillingAccount>,
    /// Subscriptions.
    pub subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// Offers.
    pub offers: BTreeMap<OfferId, Offer>,
    /// Meters.
    pub meters: BTreeMap<MeterId, Meter>,
    /// Newest version of each price list.
    pub price_lists: BTreeMap<PriceListId, PriceList>,
    /// Where usage comes from.
    pub sources: BTreeMap<SourceName, Source>,
    /// Names of dimension values: (dimension or `meter_category`, value) → names over time.
    pub names: BTreeMap<(String, String), Vec<(Instant, String)>>,
    /// Who may sign in.
    pub clients: BTreeMap<PrincipalId, Client>,
    /// Who may do what where.
    pub role_assignments: Vec<RoleAssignment>,
    /// The directory that the built-in issuer signs for.
    pub tenant: Option<TenantId>,
    /// Agreements, what lies below billing accounts, and what stands there.
    pub places: crate::places::Places,
    /// Who sells, and who buys where that is not the billing account itself.
    pub legal_entities: BTreeMap<LegalEntityId, Timeline<LegalEntity>>,
    /// How supplies are taxed.
    pub taxes: BTreeMap<TaxedSupply, Timeline<TaxRate>>,
    /// Exchange rates, in order of currencies and instant; an id stands once.
    pub exchange_rates: Vec<ExchangeRate>,
    /// On which terms billing accounts are invoiced; not all are here.
    pub billing_terms: BTreeMap<BillingAccountId, Timeline<BillingTerms>>,
    /// Credit and prepayment of billing accounts, in order of id; an id stands once.
    pub lots: BTreeMap<BillingAccountId, Vec<Lot>>,
    /// What billing accounts are charged every cycle, in order of id; an id stands once each.
    pub plans: BTreeMap<BillingAccountId, Vec<HeldPlan>>,
    /// With what billing accounts pay.
    pub payment_methods: OfAccounts<PaymentMethodId, PaymentMethod>,
    /// What was accepted for billing accounts.
    pub accepted_agreements: OfAccounts<AcceptedAgreementId, AcceptedAgreement>,
    /// What may be billed to billing profiles.
    pub instructions: OfAccounts<InstructionId, Instruction>,
    /// What the house notes on billing accounts, places, subscriptions and products.
    pub tags: BTreeMap<Scope, Timeline<Tags>>,
    /// What billing accounts have reserved, in order of id; an id stands once.
    pub reservations: BTreeMap<BillingAccountId, Vec<HeldReservation>>,
    /// What moves, or was asked to move, from one billing account to another.
    pub transfers: BTreeMap<TransferId, Transfer>,
}

/// Facts over time, by billing account and id.
pub type OfAccounts<I, T> = BTreeMap<BillingAccountId, BTreeMap<I, Timeline<T>>>;

/// Holder of an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingAccount {
    /// Its id.
    pub id: BillingAccountId,
    /// What it is billed in, as long as it lives: its ledger has one currency. Another currency is
    /// another account.
    pub currency: Currency,
    /// What else is known of it, over time.
    pub known: Timeline<AccountFacts>,
}

/// What is known of a billing account from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its name.
    pub name: String,
    /// Two-letter country: which rate cards hold for it, and where it is taxed unless its buyer is
    /// a legal entity.
    pub region: String,
}

impl BillingAccount {
    /// Its name at a moment; none before anything is known of it.
    pub fn name_at(&self, moment: Instant) -> Option<&str> {
        self.known.at(moment).map(|known| known.name.as_str())
    }

    /// Its two-letter country at a moment; none before anything is known of it.
    pub fn region_at(&self, moment: Instant) -> Option<&str> {
        self.known.at(moment).map(|known| known.region.as_str())
    }
}

/// The unit usage is recorded against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Its name.
    pub name: String,
    /// Who pays for it, and on which offer, over time: sorted by start, not overlapping.
    pub placements: Vec<Placement>,
}

/// Who pays for a subscription during an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// When this holds.
    pub during: Interval,
    /// Who pays.
    pub billing_account: BillingAccountId,
    /// Which billing profile, if the account has several.
    pub profile: Option<String>,
    /// On which offer.
    pub offer: OfferId,
}

impl Subscription {
    /// Who pays at a moment.
    pub fn placement_at(&self, moment: Instant) -> Option<&Placement> {
        self.placements.iter().find(|placement| placement.during.contains(moment))
    }
}

/// Where usage comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// The only billing accounts that it may send for.
    pub billing_accounts: Vec<BillingAccountId>,
    /// Whether its rows are rated by us or carry their cost.
    pub costing: Costing,
    /// How long after a moment we wait for it to report beyond that moment, in microseconds.
    pub grace_micros: i64,
}

/// Who computes the cost of a source's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Costing {
    /// We do, by the catalog.
    Rated,
    /// The source does: its cost is passed through.
    PassedThrough,
}

/// Somebody or something that may sign in with a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: PrincipalId,
    /// Its name.
    pub name: String,
    /// Its mail address, if anybody said; by it others find whom they mean.
    pub email: Option<String>,
    /// SHA-256 hashes of its live secrets, in hexadecimal digits; at most two.
    pub secret_hashes: Vec<String>,
}

/// A role at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Who.
    pub principal: PrincipalId,
    /// What.
    pub role: crate::access::Role,
    /// Where.
    pub scope: crate::access::Scope,
    /// Until when, exclusive: [`Instant::MAX`] for ever, [`Instant::MIN`] once revoked.
    pub until: Instant,
}

impl RoleAssignment {
    /// Whether it gives its role at a business moment.
    pub fn holds_at(&self, moment: Instant) -> bool {
        moment < self.until
    }

    /// Whether it gives its role for ever.
    pub fn is_lasting(&self) -> bool {
        self.until == Instant::MAX
    }

    /// Whether it is the same role of the same principal at the same place, whenever it ends.
    pub fn is_same_grant(&self, other: &RoleAssignment) -> bool {
        let RoleAssignment { principal, role, scope, until: _ } = self;
        *principal == other.principal && *role == other.role && *scope == other.scope
    }
}

impl Company {
    /// The rate cards of an offer and region, whatever their currency and locale.
    pub fn rate_cards<'a>(&'a self, offer: &'a OfferId) -> impl Iterator<Item = &'a PriceList> {
        self.price_lists.values().filter(move |list| match &list.reach {
            PriceReach::Offer { offer: of, .. } => of == offer,
            PriceReach::Account { .. } => false,
        })
    }

    /// The price sheets agreed with a billing account.
    pub fn price_sheets<'a>(
        &'a self,
        account: &'a BillingAccountId,
    ) -> impl Iterator<Item = &'a PriceList> {
        self.price_lists.values().filter(move |list| match &list.reach {
            PriceReach::Offer { .. } => false,
            PriceReach::Account { billing_account, .. } => billing_account == account,
        })
    }

    /// The name of a dimension value at a moment; the value itself where none is known.
    pub fn name_of<'a>(&'a self, dimension: &str, value: &'a str, at: Instant) -> &'a str {
        self.known_name(dimension, value, at).unwrap_or(value)
    }

    /// The name of a dimension value at a moment, where one is known.
    pub fn known_name(&self, dimension: &str, value: &str, at: Instant) -> Option<&str> {
        let names = self.names.get(&(dimension.to_owned(), value.to_owned()))?;
        let known = names.iter().rev().find(|(from, _)| *from <= at)?;
        Some(known.1.as_str())
    }
}
