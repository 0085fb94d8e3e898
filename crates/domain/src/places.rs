//! Places: what lies below a billing account, and where in it one stands, over time.
//!
//! Every fact holds from an instant. A place never ends, it becomes inactive: old charges stand on
//! it. Source: architecture section 2, invariant 1; `microsoft-billing.md` section 2.

mod check;

pub use check::{Fault, Problem, check_places};

use crate::addresses::Address;
use crate::agreements::{Agreement, AgreementType, Permission};
use crate::holdings::{Held, Product};
use crate::ids::{BillingAccountId, OfferId, PlaceId, ProductId, ResellerId, SubscriptionId};
use crate::timeline::Timeline;
use crate::{Error, Result};
use calendar::{Instant, Interval};
use money::{Currency, Money};
use std::collections::BTreeMap;
use std::fmt;

/// All places, and what stands at them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Billing accounts that have an agreement.
    pub accounts: BTreeMap<BillingAccountId, AccountPlaces>,
    /// Where subscriptions stand, beside their placements; not all are here.
    pub subscriptions: BTreeMap<SubscriptionId, Held>,
    /// Products.
    pub products: BTreeMap<ProductId, Product>,
}

/// What lies below one billing account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPlaces {
    /// What it has signed; its kind never changes.
    pub agreement: Timeline<Agreement>,
    /// Places below it.
    pub places: BTreeMap<PlaceKey, Timeline<PlaceFacts>>,
}

/// A kind of place below a billing account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the glossary's")]
pub enum Level {
    BillingProfile,
    InvoiceSection,
    Customer,
    Department,
    EnrollmentAccount,
    MessagingAccount,
}

impl Level {
    /// All of them.
    pub const ALL: [Level; 6] = [
        Level::BillingProfile,
        Level::InvoiceSection,
        Level::Customer,
        Level::Department,
        Level::EnrollmentAccount,
        Level::MessagingAccount,
    ];

    /// Its name in files and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Level::BillingProfile => "billing profile",
            Level::InvoiceSection => "invoice section",
            Level::Customer => "customer",
            Level::Department => "department",
            Level::EnrollmentAccount => "enrollment account",
            Level::MessagingAccount => "messaging account",
        }
    }

    /// Finds a level by [`Level::name`].
    pub fn parse(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The one agreement, or the two, that have it.
    pub const fn agreements(self) -> &'static [AgreementType] {
        match self {
            Level::BillingProfile => &[AgreementType::Customer, AgreementType::Partner],
            Level::InvoiceSection => &[AgreementType::Customer],
            Level::Customer => &[AgreementType::Partner],
            Level::Department | Level::EnrollmentAccount => &[AgreementType::Enterprise],
            Level::MessagingAccount => &[AgreementType::Messaging],
        }
    }

    /// What it may lie below; none stands for the billing account itself.
    pub const fn parents(self) -> &'static [Option<Level>] {
        match self {
            Level::BillingProfile | Level::Customer | Level::Department => &[None],
            Level::InvoiceSection => &[Some(Level::BillingProfile)],
            Level::EnrollmentAccount => &[None, Some(Level::Department)],
            Level::MessagingAccount => &[None, Some(Level::MessagingAccount)],
        }
    }

    /// Where subscriptions and products of an agreement stand; none is the billing account itself.
    pub const fn of_holdings(agreement: AgreementType) -> Option<Level> {
        match agreement {
            AgreementType::Customer => Some(Level::InvoiceSection),
            AgreementType::Partner => Some(Level::Customer),
            AgreementType::Enterprise => Some(Level::EnrollmentAccount),
            AgreementType::OnlineServices => None,
            AgreementType::Messaging => Some(Level::MessagingAccount),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A place within a known billing account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaceKey {
    /// Of which kind.
    pub level: Level,
    /// Which one.
    pub id: PlaceId,
}

impl fmt::Display for PlaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.level, self.id)
    }
}

/// A place below a billing account: what surfaces ask at, and roles are given at.
///
/// It does not say what it lies below: that is a fact that may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// In which account.
    pub billing_account: BillingAccountId,
    /// Where in it.
    pub key: PlaceKey,
}

impl Place {
    /// Reads what [`fmt::Display`] writes; the level may have hyphens in place of its spaces.
    ///
    /// Errors: [`Error::Invalid`] for `places`.
    pub fn parse(text: &str) -> Result<Place> {
        let mut levels = Level::ALL.into_iter();
        let found = levels.find_map(|level| {
            let names = [level.name().to_owned(), level.name().replace(' ', "-")];
            let mut parts = names.iter().map(|name| text.split_once(format!("/{name}/").as_str()));
            parts.find_map(|parts| parts.map(|(account, id)| (account, level, id)))
        });
        let Some((account, level, id)) = found else {
            let shown: String = text.chars().take(64).collect();
            let names: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
            let problem = format!(
                "`{shown}` must be a billing account, a level and an id with `/` between them, the \
                 level one of {}",
                names.join(", ")
            );
            return Err(Error::invalid("places", problem));
        };
        let key = PlaceKey { level, id: PlaceId::new(id)? };
        Ok(Place { billing_account: BillingAccountId::new(account)?, key })
    }
}

/// `acme/billing profile/p1`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.billing_account, self.key.level, self.key.id)
    }
}

/// What holds of a place from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceFacts {
    /// Its name.
    pub name: String,
    /// What it lies below; none for the billing account itself.
    pub parent: Option<PlaceKey>,
    /// Whether anything may be put there.
    pub state: PlaceState,
    /// Whom the house books it to; may be empty.
    pub cost_center: String,
    /// What only its level has.
    pub detail: Detail,
}

/// Whether anything may be put at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlaceState {
    /// Yes.
    Active,
    /// Not yet: its owner has not signed in.
    Pending,
    /// Not until its invoices are paid.
    PastDue,
    /// No more.
    Inactive,
}

/// What only one level has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Of a billing profile.
    BillingProfile(Box<BillingProfile>),
    /// Of an invoice section: nothing.
    InvoiceSection,
    /// Of a partner's customer.
    Customer(Customer),
    /// Of a department.
    Department {
        /// What it may spend in a billing period, in minor units; advice, not a bound.
        quota: Option<Money>,
    },
    /// Of an enrollment account: nothing; its owner is a role.
    EnrollmentAccount,
    /// Of a messaging account; its id is its account key.
    MessagingAccount {
        /// Whether usage and reports can be asked for.
        generation: Generation,
    },
}

impl Detail {
    /// Whose detail it is.
    pub const fn level(&self) -> Level {
        match self {
            Detail::BillingProfile(_) => Level::BillingProfile,
            Detail::InvoiceSection => Level::InvoiceSection,
            Detail::Customer(_) => Level::Customer,
            Detail::Department { .. } => Level::Department,
            Detail::EnrollmentAccount => Level::EnrollmentAccount,
            Detail::MessagingAccount { .. } => Level::MessagingAccount,
        }
    }
}

/// How an account, or a part of it, is invoiced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingProfile {
    /// Of its invoices.
    pub currency: Currency,
    /// Where invoices go.
    pub address: Option<Address>,
    /// The customer's own order number, printed on invoices; may be empty.
    pub order_number: String,
    /// May marketplace products be bought?
    pub marketplace_purchases: MarketplacePurchases,
    /// May reservations be bought?
    pub reservation_purchases: Permission,
    /// May those with rights on a subscription alone see its charges?
    pub view_charges: Permission,
}

/// What may be bought in the marketplace. Source: `microsoft-billing.md` section 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MarketplacePurchases {
    /// All products.
    All,
    /// Those that cost nothing.
    OnlyFree,
    /// None.
    None,
}

/// Whom a partner resells to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Azure plans it has; without one it is billed but not listed.
    pub plans: Vec<OfferId>,
    /// Who may sell it plans.
    pub resellers: Vec<Reseller>,
    /// May its users see charges? Not, where nothing is said.
    pub view_charges: Permission,
}

/// Who sells a partner's plans on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reseller {
    /// Its id.
    pub id: ResellerId,
    /// Its name.
    pub name: String,
}

/// Whether a messaging account is of the old kind, which has no usage query and no reports.
///
/// Source: `infobip.md` sections 1 and 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Generation {
    Current,
    Legacy,
}

impl Places {
    /// What a billing account has signed and has below it.
    pub fn of(&self, account: &BillingAccountId) -> Option<&AccountPlaces> {
        self.accounts.get(account)
    }

    /// The agreement of a billing account at a moment.
    pub fn agreement_at(&self, account: &BillingAccountId, at: Instant) -> Option<&Agreement> {
        self.of(account)?.agreement.at(at)
    }

    /// What is known of a place over time.
    pub fn timeline(&self, place: &Place) -> Option<&Timeline<PlaceFacts>> {
        self.of(&place.billing_account)?.places.get(&place.key)
    }

    /// What holds of a place at a moment.
    pub fn facts_at(&self, place: &Place, at: Instant) -> Option<&PlaceFacts> {
        self.timeline(place)?.at(at)
    }
}

impl AccountPlaces {
    /// The kind of its agreement.
    pub fn kind(&self) -> AgreementType {
        self.agreement.newest().1.kind()
    }

    /// The places directly below one, or below the account itself, at a moment; in order of key.
    pub fn children_at<'a>(
        &'a self,
        parent: Option<&'a PlaceKey>,
        at: Instant,
    ) -> impl Iterator<Item = (&'a PlaceKey, &'a PlaceFacts)> {
        let now = self.places.iter().filter_map(move |(key, facts)| Some((key, facts.at(at)?)));
        now.filter(move |(_, facts)| facts.parent.as_ref() == parent)
    }

    /// The place itself, then what it lay below during an interval: each with when it did.
    ///
    /// A place that moved during the interval has both parents here. A loop, which
    /// [`check_places`] refuses, is walked once.
    pub fn upwards<'a>(
        &'a self,
        key: &PlaceKey,
        during: Interval,
    ) -> Vec<(&'a PlaceKey, Interval)> {
        let mut found: Vec<(&PlaceKey, Interval)> = Vec::new();
        let mut waiting = vec![(key, during)];
        while let Some((key, during)) = waiting.pop() {
            let Some((key, timeline)) = self.places.get_key_value(key) else { continue };
            for (span, facts) in timeline.spans() {
                let Some(span) = span.intersection(&during) else { continue };
                if found.iter().any(|(known, when)| *known == key && when.overlaps(&span)) {
                    continue;
                }
                found.push((key, span));
                waiting.extend(facts.parent.as_ref().map(|parent| (parent, span)));
            }
        }
        found
    }

    /// The place of a level that a place lies below, or is, at a moment.
    pub fn enclosing(&self, key: &PlaceKey, level: Level, at: Instant) -> Option<&PlaceKey> {
        let moment = Interval::new(at, at.plus_micros(1)).ok()?;
        let upwards = self.upwards(key, moment).into_iter();
        upwards.map(|(key, _)| key).find(|key| key.level == level)
    }
}

#[cfg(test)]
mod tests;
