//! Who is who: accounts, subscriptions, sources, clients and their roles.

use crate::draw::Draw;
use crate::{DemoClient, secret};
use calendar::{Instant, Interval, MICROS_PER_HOUR};
use domain::access::{Role, Scope};
use domain::catalog::Offer;
use domain::company::{
    BillingAccount, Client, Costing, Placement, RoleAssignment, Source, Subscription,
};
use domain::ids::{BillingAccountId, OfferId, PrincipalId, SourceName, SubscriptionId, TenantId};
use money::Currency;
use service::company::Thing;

/// A retailer that rents machines.
pub(crate) const RETAILER: &str = "harbourlight";
/// A haulier that rents machines, abroad.
pub(crate) const HAULIER: &str = "northfold";
/// A company that sends messages.
pub(crate) const MESSENGER: &str = "brightwire";

/// Pay-as-you-go.
pub(crate) const PAY_AS_YOU_GO: &str = "MS-AZR-0003P";
/// Pay-as-you-go for tests, at lower rates.
pub(crate) const DEV_TEST: &str = "MS-AZR-0023P";
/// Enterprise: priced by an agreed sheet, publishes no card.
pub(crate) const ENTERPRISE: &str = "MS-AZR-0017P";
/// Messages: priced by an agreed sheet, publishes no card.
pub(crate) const MESSAGES: &str = "RK-MSG-0001";

/// The billing profile of the retailer that its price sheet was agreed for.
pub(crate) const ENTERPRISE_PROFILE: &str = "group-it";

/// Sources of usage.
pub(crate) const PLATFORM: &str = "platform-metering";
/// Reports for the retailer too, some days behind.
pub(crate) const EDGE: &str = "edge-metering";
/// Reports for the haulier.
pub(crate) const HAULIER_PLATFORM: &str = "north-metering";
/// Reports messages.
pub(crate) const GATEWAY: &str = "message-gateway";

/// The subscriptions of the demo.
pub(crate) struct Subscriptions {
    pub(crate) own: SubscriptionId,
    pub(crate) analytics: SubscriptionId,
    pub(crate) sandbox: SubscriptionId,
    pub(crate) group_it: SubscriptionId,
    pub(crate) foreign: SubscriptionId,
    pub(crate) campaigns: SubscriptionId,
    pub(crate) alerts: SubscriptionId,
}

/// Makes an id that is known to be well-formed.
pub(crate) fn account(id: &str) -> BillingAccountId {
    BillingAccountId::new(id).expect("a short plain text")
}

/// Makes an id that is known to be well-formed.
pub(crate) fn offer(id: &str) -> OfferId {
    OfferId::new(id).expect("a short plain text")
}

/// Makes a name that is known to be well-formed.
pub(crate) fn source(name: &str) -> SourceName {
    SourceName::new(name).expect("a short plain text")
}

/// Makes a currency of a code in this file.
pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a currency of ISO 4217")
}

/// Makes an instant of a date in this crate.
pub(crate) fn date(text: &str) -> Instant {
    Instant::parse(text).expect("a date in a fixed spelling")
}

pub(crate) fn tenant(draw: &mut Draw) -> TenantId {
    TenantId::new(&draw.guid()).expect("a short plain text")
}

pub(crate) fn subscriptions(draw: &mut Draw) -> Subscriptions {
    let mut id = || SubscriptionId::new(&draw.guid()).expect("a short plain text");
    Subscriptions {
        own: id(),
        analytics: id(),
        sandbox: id(),
        group_it: id(),
        foreign: id(),
        campaigns: id(),
        alerts: id(),
    }
}

/// Accounts, offers, subscriptions, sources.
pub(crate) fn parties(subs: &Subscriptions) -> Vec<Thing> {
    let mut things = Vec::new();
    for (id, name, code, region) in [
        (RETAILER, "Harbourlight Retail", "USD", "US"),
        (HAULIER, "Northfold Haulage", "EUR", "DE"),
        (MESSENGER, "Brightwire Loyalty", "EUR", "DE"),
    ] {
        things.push(Thing::BillingAccount(BillingAccount {
            id: account(id),
            name: name.to_owned(),
            currency: currency(code),
            region: region.to_owned(),
        }));
    }
    for (id, name, has_rate_card) in [
        (PAY_AS_YOU_GO, "Pay-as-you-go", true),
        (DEV_TEST, "Pay-as-you-go for development and test", true),
        (ENTERPRISE, "Enterprise agreement", false),
        (MESSAGES, "Messages by agreement", false),
    ] {
        things.push(Thing::Offer(Offer { id: offer(id), name: name.to_owned(), has_rate_card }));
    }
    things.extend(placed(subs));
    let hour = MICROS_PER_HOUR;
    for (name, of, grace_micros) in [
        (PLATFORM, RETAILER, 6 * hour),
        (EDGE, RETAILER, 72 * hour),
        (HAULIER_PLATFORM, HAULIER, 6 * hour),
        (GATEWAY, MESSENGER, 2 * hour),
    ] {
        things.push(Thing::Source(Source {
            name: source(name),
            billing_accounts: vec![account(of)],
            costing: Costing::Rated,
            grace_micros,
        }));
    }
    things
}

fn placed(subs: &Subscriptions) -> Vec<Thing> {
    let always = |of: &str, on: &str, profile: Option<&str>| Placement {
        during: between(date("2026-07-01"), Instant::MAX),
        billing_account: account(of),
        profile: profile.map(str::to_owned),
        offer: offer(on),
    };
    // The sandbox changes its offer in the middle of a billing period.
    let moved = date("2026-10-15");
    let mut before = always(RETAILER, PAY_AS_YOU_GO, None);
    before.during = between(date("2026-07-01"), moved);
    let mut after = always(RETAILER, DEV_TEST, None);
    after.during = between(moved, Instant::MAX);
    [
        (&subs.own, "Web shop", vec![always(RETAILER, PAY_AS_YOU_GO, None)]),
        (&subs.analytics, "Analytics", vec![always(RETAILER, PAY_AS_YOU_GO, None)]),
        (&subs.sandbox, "Sandbox", vec![before, after]),
        (&subs.group_it, "Group IT", vec![always(RETAILER, ENTERPRISE, Some(ENTERPRISE_PROFILE))]),
        (&subs.foreign, "Dispatch", vec![always(HAULIER, PAY_AS_YOU_GO, None)]),
        (&subs.campaigns, "Campaigns", vec![always(MESSENGER, MESSAGES, None)]),
        (&subs.alerts, "Alerts", vec![always(MESSENGER, MESSAGES, None)]),
    ]
    .into_iter()
    .map(|(id, name, placements)| {
        let one = Subscription { id: id.clone(), name: name.to_owned(), placements };
        Thing::Subscription(one, None)
    })
    .collect()
}

fn between(start: Instant, end: Instant) -> Interval {
    Interval::new(start, end).expect("dates in order")
}

/// Clients, with the secrets that the caller's random bytes give them.
pub(crate) fn clients(draw: &mut Draw, entropy: [u8; 32]) -> Vec<DemoClient> {
    let mut secrets = secret::Secrets::new(entropy);
    ["owner", "contributor", "reader", "billing_reader", "nobody", "operator"]
        .into_iter()
        .map(|name| DemoClient {
            name,
            id: PrincipalId::new(&draw.guid()).expect("a short plain text"),
            secret: secrets.next(),
        })
        .collect()
}

/// The clients and their roles, as they are declared: with hashes for secrets.
pub(crate) fn declared_clients(clients: &[DemoClient], subs: &Subscriptions) -> Vec<Thing> {
    let mut things = Vec::new();
    for client in clients {
        things.push(Thing::Client(Client {
            id: client.id.clone(),
            name: format!("demo {}", client.name.replace('_', " ")),
            secret_hashes: vec![secret::hash(&client.secret)],
        }));
        for (role, scope) in roles(client.name, subs) {
            let principal = client.id.clone();
            things.push(Thing::RoleAssignment(RoleAssignment {
                principal,
                role,
                scope,
                until: Instant::MAX,
            }));
        }
    }
    things
}

fn roles(client: &str, subs: &Subscriptions) -> Vec<(Role, Scope)> {
    let on = |subscription: &SubscriptionId| Scope::Subscription(subscription.clone());
    match client {
        "owner" => vec![
            (Role::Owner, on(&subs.own)),
            (Role::Owner, on(&subs.analytics)),
            (Role::Owner, on(&subs.sandbox)),
            (Role::Owner, on(&subs.group_it)),
        ],
        "contributor" => vec![(Role::Contributor, on(&subs.own))],
        "reader" => vec![(Role::Reader, on(&subs.own))],
        "billing_reader" => vec![(Role::BillingReader, on(&subs.own))],
        "operator" => vec![(Role::Administrator, Scope::Installation)],
        _ => Vec::new(),
    }
}
