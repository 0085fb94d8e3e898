//! Twins of tenants, billing accounts, subscriptions, sources, clients, roles and names.

use super::NameOfValue;
use super::holdings::{Standing, Stands, State};
use super::lots::interval;
use super::step::Step;
use super::text::{Text, Textual};
use super::wrong::Wrong;
use calendar::{Instant, MICROS_PER_SECOND};
use domain::access;
use domain::company::{self, AccountFacts};
use domain::holdings::Held;
use domain::ids::{
    BillingAccountId, OfferId, PlaceId, PrincipalId, ProductId, SourceName, SubscriptionId,
    TenantId,
};
use domain::places::{Level, Place, PlaceKey};
use domain::usage::Dimension;
use money::Currency;
use serde::{Deserialize, Serialize};

/// The directory that the built-in issuer signs for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tenant {
    id: Text<TenantId>,
}

impl From<Tenant> for TenantId {
    fn from(Tenant { id }: Tenant) -> TenantId {
        id.0
    }
}

impl From<TenantId> for Tenant {
    fn from(id: TenantId) -> Tenant {
        Tenant { id: Text(id) }
    }
}

/// Holder of an agreement, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BillingAccount {
    id: Text<BillingAccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    name: String,
    currency: Text<Currency>,
    region: String,
}

impl TryFrom<BillingAccount> for (Currency, Step<BillingAccountId, AccountFacts>) {
    type Error = Wrong;

    fn try_from(twin: BillingAccount) -> Result<Self, Wrong> {
        let BillingAccount { id, from, name, currency, region } = twin;
        let value = AccountFacts { name, region: country("region", region)? };
        let from = from.map_or(Instant::MIN, |from| from.0);
        Ok((currency.0, Step { of: id.0, from, value }))
    }
}

impl From<(Currency, Step<BillingAccountId, AccountFacts>)> for BillingAccount {
    fn from((currency, step): (Currency, Step<BillingAccountId, AccountFacts>)) -> BillingAccount {
        let Step { of, from, value: AccountFacts { name, region } } = step;
        let from = unless(from, Instant::MIN);
        BillingAccount { id: Text(of), from, name, currency: Text(currency), region }
    }
}

/// Reads a two-letter country, written in capitals.
pub(super) fn country(path: &str, text: String) -> Result<String, Wrong> {
    if text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_uppercase()) {
        Ok(text)
    } else {
        Err(Wrong::new(path, format!("`{text}` is not a two-letter country such as US")))
    }
}

/// The unit usage is recorded against.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscription {
    id: Text<SubscriptionId>,
    name: String,
    placements: Vec<Placement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_by: Option<Text<PrincipalId>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    states: Vec<State>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    standings: Vec<Standing>,
}

/// Who pays, from when (always if left out) until when (for ever if left out).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Placement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Text<Instant>>,
    billing_account: Text<BillingAccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    offer: Text<OfferId>,
}

impl TryFrom<Subscription> for (company::Subscription, Option<Held>) {
    type Error = Wrong;

    fn try_from(twin: Subscription) -> Result<Self, Wrong> {
        let Subscription { id, name, placements: paid, created_by, states, standings } = twin;
        let held = match (standings.is_empty(), created_by.is_some(), states.is_empty()) {
            (true, true, _) => return Err(Wrong::new("created_by", "stands beside `standings`")),
            (true, false, false) => return Err(Wrong::new("states", "stand beside `standings`")),
            (true, false, true) => None,
            (false, _, _) => Some(Stands { created_by, states, standings }.try_into()?),
        };
        let placements = placements(paid)?;
        Ok((company::Subscription { id: id.0, name, placements }, held))
    }
}

/// Who pays over time: sorted, not overlapping, at least once.
pub(super) fn placements(twins: Vec<Placement>) -> Result<Vec<company::Placement>, Wrong> {
    if twins.is_empty() {
        return Err(Wrong::new("placements", "must name who pays, at least once"));
    }
    let mut placed: Vec<company::Placement> = Vec::with_capacity(twins.len());
    for (at, twin) in twins.into_iter().enumerate() {
        let place = format!("placements[{at}]");
        let placement = company::Placement::try_from(twin).map_err(|w| w.below(&place))?;
        let before = placed.last().map_or(Instant::MIN, |last| last.during.end());
        if placement.during.start() < before {
            let problem = format!("must not start before {before}, where the one before ends");
            return Err(Wrong::new(format!("{place}.from"), problem));
        }
        placed.push(placement);
    }
    Ok(placed)
}

impl TryFrom<Placement> for company::Placement {
    type Error = Wrong;

    fn try_from(twin: Placement) -> Result<company::Placement, Wrong> {
        let Placement { from, until, billing_account, profile, offer } = twin;
        let during = interval(from, until)?;
        Ok(company::Placement {
            during,
            billing_account: billing_account.0,
            profile,
            offer: offer.0,
        })
    }
}

impl From<(company::Subscription, Option<Held>)> for Subscription {
    fn from((subscription, held): (company::Subscription, Option<Held>)) -> Subscription {
        let company::Subscription { id, name, placements } = subscription;
        let nothing = Stands { created_by: None, states: Vec::new(), standings: Vec::new() };
        let Stands { created_by, states, standings } = held.map_or(nothing, Stands::from);
        let placements = placements.into_iter().map(Placement::from).collect();
        Subscription { id: Text(id), name, placements, created_by, states, standings }
    }
}

impl From<company::Placement> for Placement {
    fn from(placement: company::Placement) -> Placement {
        let company::Placement { during, billing_account, profile, offer } = placement;
        Placement {
            from: unless(during.start(), Instant::MIN),
            until: unless(during.end(), Instant::MAX),
            billing_account: Text(billing_account),
            profile,
            offer: Text(offer),
        }
    }
}

/// The text of a value, unless it is what leaving it out means.
pub(super) fn unless<T: Textual + PartialEq>(value: T, default: T) -> Option<Text<T>> {
    (value != default).then_some(Text(value))
}

/// Where usage comes from.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    name: Text<SourceName>,
    billing_accounts: Vec<Text<BillingAccountId>>,
    #[serde(default, skip_serializing_if = "Costing::is_rated")]
    costing: Costing,
    /// Seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    grace_s: u32,
}

/// Who computes the cost.
#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Costing {
    #[default]
    Rated,
    PassedThrough,
}

impl Costing {
    fn is_rated(&self) -> bool {
        *self == Costing::Rated
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl From<Source> for company::Source {
    fn from(Source { name, billing_accounts, costing, grace_s }: Source) -> company::Source {
        company::Source {
            name: name.0,
            billing_accounts: billing_accounts.into_iter().map(|account| account.0).collect(),
            costing: match costing {
                Costing::Rated => company::Costing::Rated,
                Costing::PassedThrough => company::Costing::PassedThrough,
            },
            grace_micros: i64::from(grace_s).saturating_mul(MICROS_PER_SECOND),
        }
    }
}

/// Grace is kept in whole seconds.
impl From<company::Source> for Source {
    fn from(source: company::Source) -> Source {
        let company::Source { name, billing_accounts, costing, grace_micros } = source;
        Source {
            name: Text(name),
            billing_accounts: billing_accounts.into_iter().map(Text).collect(),
            costing: match costing {
                company::Costing::Rated => Costing::Rated,
                company::Costing::PassedThrough => Costing::PassedThrough,
            },
            grace_s: u32::try_from(grace_micros / MICROS_PER_SECOND).unwrap_or(u32::MAX),
        }
    }
}

/// What has names beside dimensions: of categories and subcategories their codes, of a country's
/// code what is dialled for it.
const NAMED_BESIDE: [&str; 3] = ["meter_category", "meter_subcategory", "country_prefix"];

/// The name of a dimension value from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Name {
    dimension: String,
    value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    name: String,
}

impl TryFrom<Name> for NameOfValue {
    type Error = Wrong;

    fn try_from(Name { dimension, value, from, name }: Name) -> Result<NameOfValue, Wrong> {
        if !NAMED_BESIDE.contains(&dimension.as_str()) {
            Dimension::read(&dimension).map_err(|problem| Wrong::new("dimension", problem))?;
        }
        if value.is_empty() {
            return Err(Wrong::new("value", "must not be empty"));
        }
        Ok(NameOfValue { dimension, value, from: from.map_or(Instant::MIN, |from| from.0), name })
    }
}

impl From<NameOfValue> for Name {
    fn from(NameOfValue { dimension, value, from, name }: NameOfValue) -> Name {
        Name { dimension, value, from: unless(from, Instant::MIN), name }
    }
}

/// Somebody or something that may sign in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    id: Text<PrincipalId>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secret_hashes: Vec<String>,
}

impl TryFrom<Client> for company::Client {
    type Error = Wrong;

    fn try_from(twin: Client) -> Result<company::Client, Wrong> {
        let Client { id, name, email, secret_hashes } = twin;
        // Whether anybody reads mail there is not known here.
        let is_address = |text: &str| {
            text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        };
        if let Some(email) = email.as_deref().filter(|email| !is_address(email)) {
            return Err(Wrong::new("email", format!("`{email}` is no mail address")));
        }
        if secret_hashes.len() > 2 {
            return Err(Wrong::new("secret_hashes", "at most two secrets may be live"));
        }
        for (at, hash) in secret_hashes.iter().enumerate() {
            let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if hash.len() != 64 || !hash.bytes().all(is_digit) {
                let problem = "is not a SHA-256 in 64 lower-case hexadecimal digits";
                return Err(Wrong::new(format!("secret_hashes[{at}]"), problem));
            }
        }
        Ok(company::Client { id: id.0, name, email, secret_hashes })
    }
}

impl From<company::Client> for Client {
    fn from(company::Client { id, name, email, secret_hashes }: company::Client) -> Client {
        Client { id: Text(id), name, email, secret_hashes }
    }
}

/// A role at a place, until it ends (for ever if nothing is said) or once it is revoked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleAssignment {
    principal: Text<PrincipalId>,
    role: Text<access::Role>,
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "is_false")]
    revoked: bool,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// `"installation"`, or a table with one of the others.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    Installation,
    BillingAccount(Text<BillingAccountId>),
    Place(PlaceScope),
    Subscription(Text<SubscriptionId>),
    Product(Text<ProductId>),
}

impl From<Scope> for access::Scope {
    fn from(scope: Scope) -> access::Scope {
        match scope {
            Scope::Installation => access::Scope::Installation,
            Scope::BillingAccount(account) => access::Scope::Account(account.0),
            Scope::Place(place) => access::Scope::Place(place.into()),
            Scope::Subscription(subscription) => access::Scope::Subscription(subscription.0),
            Scope::Product(product) => access::Scope::Product(product.0),
        }
    }
}

impl From<access::Scope> for Scope {
    fn from(scope: access::Scope) -> Scope {
        match scope {
            access::Scope::Installation => Scope::Installation,
            access::Scope::Account(account) => Scope::BillingAccount(Text(account)),
            access::Scope::Place(place) => Scope::Place(place.into()),
            access::Scope::Subscription(id) => Scope::Subscription(Text(id)),
            access::Scope::Product(id) => Scope::Product(Text(id)),
        }
    }
}

/// A place below a billing account.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceScope {
    billing_account: Text<BillingAccountId>,
    level: Text<Level>,
    id: Text<PlaceId>,
}

impl From<PlaceScope> for Place {
    fn from(PlaceScope { billing_account, level, id }: PlaceScope) -> Place {
        let key = PlaceKey { level: level.0, id: id.0 };
        Place { billing_account: billing_account.0, key }
    }
}

impl From<Place> for PlaceScope {
    fn from(Place { billing_account, key: PlaceKey { level, id } }: Place) -> PlaceScope {
        PlaceScope { billing_account: Text(billing_account), level: Text(level), id: Text(id) }
    }
}

impl TryFrom<RoleAssignment> for company::RoleAssignment {
    type Error = Wrong;

    fn try_from(twin: RoleAssignment) -> Result<company::RoleAssignment, Wrong> {
        let RoleAssignment { principal, role, scope, until, revoked } = twin;
        let until = match (until, revoked) {
            (Some(_), true) => {
                return Err(Wrong::new("until", "must not stand beside `revoked = true`"));
            }
            (Some(until), false) => until.0,
            (None, true) => Instant::MIN,
            (None, false) => Instant::MAX,
        };
        let scope = scope.into();
        Ok(company::RoleAssignment { principal: principal.0, role: role.0, scope, until })
    }
}

impl From<company::RoleAssignment> for RoleAssignment {
    fn from(assignment: company::RoleAssignment) -> RoleAssignment {
        let company::RoleAssignment { principal, role, scope, until } = assignment;
        let scope = scope.into();
        let revoked = until == Instant::MIN;
        let until = if revoked { None } else { unless(until, Instant::MAX) };
        RoleAssignment { principal: Text(principal), role: Text(role), scope, until, revoked }
    }
}
