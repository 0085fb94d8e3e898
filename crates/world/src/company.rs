//! The company files of the world, its clients and their roles.

use crate::cards::MeterIds;
use crate::ids::{Ids, MESSENGER, MILL, PARTNER, PRESS, RETAILER, STUDIO};
use crate::{DemoClient, secret};
use calendar::{BillingPeriod, Instant};
use domain::access::{Role, Scope};
use domain::company::{Client, Company, RoleAssignment};
use domain::ids::{OfferId, SourceName};
use money::Currency;
use service::company::{Declared, Thing, read_texts};

/// Pay-as-you-go.
pub(crate) const PAY_AS_YOU_GO: &str = "MS-AZR-0003P";
/// Pay-as-you-go for tests, at lower rates.
pub(crate) const DEV_TEST: &str = "MS-AZR-0023P";

/// Reports for the retailer.
pub(crate) const PLATFORM: &str = "platform-metering";
/// Reports for the retailer too, some days behind.
pub(crate) const EDGE: &str = "edge-metering";
/// Reports for the haulier.
pub(crate) const HAULIER_PLATFORM: &str = "north-metering";
/// Reports messages.
pub(crate) const GATEWAY: &str = "message-gateway";
/// Reports for those who rent little.
pub(crate) const ESTATES: &str = "estate-metering";
/// Reports what others sell through us, at its own cost.
pub(crate) const MARKETPLACE: &str = "marketplace";

/// What has no meter or price in it: see the files themselves.
const FILES: [(&str, &str); 2] =
    [("parties.toml", include_str!("parties.toml")), ("books.toml", include_str!("books.toml"))];

/// Makes an id that is known to be well-formed.
pub(crate) fn offer(id: &str) -> OfferId {
    OfferId::new(id).expect("a short plain text")
}

/// Makes a name that is known to be well-formed.
pub(crate) fn source(name: &str) -> SourceName {
    SourceName::new(name).expect("a short plain text")
}

/// Makes a currency of a code in this crate.
pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a currency of ISO 4217")
}

/// Makes an instant of a date in this crate.
pub(crate) fn date(text: &str) -> Instant {
    Instant::parse(text).expect("a date in a fixed spelling")
}

/// Makes a billing period of a month in this crate.
pub(crate) fn month(text: &str) -> BillingPeriod {
    BillingPeriod::parse(text).expect("a month in a fixed spelling")
}

/// Some things, and beside them what the company files say.
pub(crate) fn declared(mut things: Vec<Thing>, ids: &Ids, meters: &MeterIds) -> Declared {
    let known = Declared::from(things.clone()).over(&Company::default());
    let texts = FILES.map(|(name, text)| (name, with_ids(text, ids, meters)));
    let read = read_texts(texts, &known).expect("the world's own files hold");
    things.extend(read.things);
    Declared::from(things)
}

/// A company file with ids in the place of `<…>`.
fn with_ids(text: &str, ids: &Ids, meters: &MeterIds) -> String {
    let mut text = text.to_owned();
    for (key, id) in ids.iter() {
        text = text.replace(&format!("<{key}>"), id);
    }
    for (key, id) in meters {
        text = text.replace(&format!("<meter {key}>"), id.as_str());
    }
    let others: Vec<&str> =
        meters.iter().filter(|(key, _)| **key != "logs").map(|(_, id)| id.as_str()).collect();
    text.replace("<meters but logs>", &others.join("\", \""))
}

/// Clients, with the secrets that the caller's random bytes give them.
pub(crate) fn clients(ids: &Ids, entropy: [u8; 32]) -> Vec<DemoClient> {
    let mut secrets = secret::Secrets::new(entropy);
    ["owner", "contributor", "reader", "billing_reader", "nobody", "operator", "recipient"]
        .into_iter()
        .map(|name| DemoClient {
            name,
            id: ids.client(name),
            email: (name == "recipient").then(|| "juno@quillmere.example".to_owned()),
            secret: secrets.next(),
        })
        .collect()
}

/// The clients and their roles, as they are declared: with hashes for secrets.
pub(crate) fn declared_clients(clients: &[DemoClient], ids: &Ids) -> Vec<Thing> {
    let mut things = Vec::new();
    for client in clients {
        // Only a person can be what the owner is at the mill, and persons have an address.
        let own = || (client.name == "owner").then(|| "owner@harbourlight.example".to_owned());
        things.push(Thing::Client(Client {
            id: client.id.clone(),
            name: format!("demo {}", client.name.replace('_', " ")),
            email: client.email.clone().or_else(own),
            secret_hashes: vec![secret::hash(&client.secret)],
        }));
        for (role, scope) in roles(client.name, ids) {
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

/// The owner has the highest role on every account but the haulier's and the press's.
fn roles(client: &str, ids: &Ids) -> Vec<(Role, Scope)> {
    let on = |subscription: &str| Scope::Subscription(ids.subscription(subscription));
    let at = |account: &str| Scope::Account(ids.account(account));
    match client {
        "owner" => vec![
            (Role::Owner, on("own")),
            (Role::Owner, on("analytics")),
            (Role::Owner, on("sandbox")),
            (Role::Owner, on("group it")),
            (Role::BillingAccountOwner, at(RETAILER)),
            (Role::EnterpriseAdministrator, at(MILL)),
            (Role::GlobalAdministrator, at(PARTNER)),
            (Role::AccountAdministrator, at(STUDIO)),
            (Role::FinanceManager, at(MESSENGER)),
            (Role::AccountManager, at(MESSENGER)),
        ],
        "contributor" => vec![(Role::Contributor, on("own"))],
        "reader" => vec![(Role::Reader, on("own"))],
        "billing_reader" => vec![(Role::BillingReader, on("own"))],
        "operator" => vec![(Role::Administrator, Scope::Installation)],
        "recipient" => vec![(Role::BillingAccountOwner, at(PRESS))],
        _ => Vec::new(),
    }
}
