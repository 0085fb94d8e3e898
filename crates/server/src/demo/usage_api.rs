//! The demo's company that sends messages, for clients that ask what it was charged: keys, a user,
//! its accounts and a month that is final.

use crate::commands::request_id;
use crate::context::{
    ClientSecret, Context as ContextFile, MessagingAccount, UsageApi, UserPassword, Window,
};
use crate::telling::say;
use anyhow::Context;
use domain::access::{Action, Caller};
use domain::ids::PrincipalId;
use domain::places::Place;
use serde_json::{Value, json};
use service::{KeyWanted, Reckoner};
use world::World;

/// A receiver of callbacks on this machine.
const RECEIVER: &str = "http://localhost:9000/usage";

/// Makes the keys and tells the rest.
pub(super) async fn told(
    reckoner: &Reckoner,
    world: &World,
    base_url: &str,
) -> anyhow::Result<UsageApi> {
    let company = &world.messaging;
    // The finance manager of the company.
    let owner = world.client("owner").context("the demo's owner")?;
    let (reads, sends) = (Action::ReadCharges, Action::SendUsage);
    let sub_account = vec![company.sub_account.clone()];
    let window = company.closed.interval();
    Ok(UsageApi {
        base_url: base_url.to_owned(),
        data_centre: reckoner.data_centre().to_owned(),
        api_key: key(reckoner, world, ("demo-usage", reads), Vec::new()).await?,
        api_key_without_scope: key(reckoner, world, ("demo-sends", sends), Vec::new()).await?,
        sub_account_api_key: key(reckoner, world, ("demo-sub-account", reads), sub_account).await?,
        basic: UserPassword { username: owner.id.to_string(), password: owner.secret.clone() },
        oauth: ClientSecret {
            client_id: owner.id.to_string(),
            client_secret: owner.secret.clone(),
        },
        accounts: accounts(world),
        window: Window {
            from: window.start().day().to_string(),
            to: window.end().day().to_string(),
        },
    })
}

fn accounts(world: &World) -> Vec<MessagingAccount> {
    let accounts = world.messaging.accounts.iter().cloned();
    accounts
        .map(|world::MessagingAccount { key, owner_key, name }| MessagingAccount {
            key,
            owner_key,
            name,
        })
        .collect()
}

/// A key of the company, or of places in it, that allows one thing. Each has a holder of its own:
/// what one asks for, no other sees.
async fn key(
    reckoner: &Reckoner,
    world: &World,
    (holder, action): (&str, Action),
    places: Vec<Place>,
) -> anyhow::Result<String> {
    let wanted = KeyWanted {
        name: None,
        principal: PrincipalId::new(holder)?,
        actions: vec![action],
        billing_accounts: vec![world.messaging.billing_account.clone()],
        places,
        sources: Vec::new(),
        allowed_ranges: Vec::new(),
        valid_from: None,
        lifetime_s: Some(super::TOKEN_SECONDS.into()),
        reason: "demo".to_owned(),
    };
    Ok(reckoner.make_key(&Caller::Machine, wanted, &request_id()).await?.text)
}

/// A receiver on this machine, where this demo's configuration lets callbacks go there.
pub(super) fn receiver(reckoner: &Reckoner) -> Option<&'static str> {
    reckoner.callback_fault(RECEIVER).is_none().then_some(RECEIVER)
}

/// A command to try, and what this demo allows beside.
pub(super) fn invite(context: &ContextFile, receiver: Option<&'static str>) -> std::io::Result<()> {
    let Some(UsageApi { base_url, api_key, window, .. }) = &context.usage_api else {
        return Ok(());
    };
    let (whither, asked) = asked(window, receiver);
    say!("\n# what messages cost in a final month; {whither}")?;
    say!("# {base_url}/billing/1/usage/query/REQUEST_ID/result")?;
    say!("curl --cacert {} -H 'Authorization: App {api_key}' \\", context.ca_file)?;
    say!("  -H 'Content-Type: application/json' --data-binary '{asked}' \\")?;
    say!("  {base_url}/billing/1/usage/query")?;
    match receiver {
        Some(_) => {
            say!("\ncallbacks may go to this machine, over plain http too: this demo allows it")
        }
        None => Ok(()),
    }
}

/// Where the result of a query goes, and the query: one without a receiver is beyond the contract,
/// and asked as such.
fn asked(window: &Window, receiver: Option<&'static str>) -> (&'static str, Value) {
    let filter = json!({ "dateInterval": { "sentSince": window.from, "sentUntil": window.to } });
    let columns = ["MONTH", "COUNTRY_CODE"];
    match receiver {
        Some(url) => {
            let request = json!({ "filterBy": filter, "aggregateBy": columns });
            let asked = json!({ "callbackUrl": url, "request": request });
            ("the result goes to the callback, and is at", asked)
        }
        None => {
            let options = json!({ "reckoner": {} });
            let request = json!({ "filterBy": filter, "aggregateBy": columns, "options": options });
            ("the result is at", json!({ "request": request }))
        }
    }
}
