//! Messaging accounts: who is told of which.

use crate::books::{Books, on_each_store};
use crate::in_process;
use calendar::{Instant, SetClock};
use domain::access::{Action, Caller};
use domain::ids::{BillingAccountId, PrincipalId};
use domain::places::Place;
use service::{KeyWanted, MessagingAccountTold, Reckoner};

const POST: &str = r#"
[[billing_account]]
id = "post"
name = "Post Office"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "post"
from = 2026-01-01T00:00:00Z
type = "messaging agreement"

[[messaging_account]]
billing_account = "post"
id = "letters"
from = 2026-01-01T00:00:00Z
name = "Letters"

[[messaging_account]]
billing_account = "post"
id = "parcels"
from = 2026-01-01T00:00:00Z
name = "Letters"
messaging_account = "letters"

[[messaging_account]]
billing_account = "post"
id = "parcels"
from = 2026-04-01T00:00:00Z
name = "Parcels"
messaging_account = "letters"
state = "inactive"

[[messaging_account]]
billing_account = "post"
id = "telegrams"
from = 2026-01-01T00:00:00Z
name = "Telegrams"
generation = "legacy"

[[billing_account]]
id = "acme"
name = "Acme"
currency = "USD"
region = "US"
"#;

fn role(who: &str, role: &str, scope: &str) -> String {
    format!("[[role_assignment]]\nprincipal = \"{who}\"\nrole = \"{role}\"\nscope = {scope}\n")
}

fn principal(name: &str) -> Caller {
    Caller::Principal(PrincipalId::new(name).expect("an id"))
}

/// `post Post Office; letters < post Letters`: keys, owners, names; who is not enabled is marked.
fn shown(told: domain::Result<Vec<MessagingAccountTold>>) -> String {
    let told = match told {
        Ok(told) => told,
        Err(error) => return error.to_string(),
    };
    let one = |told: MessagingAccountTold| {
        let MessagingAccountTold { key, owner_key, name, enabled } = told;
        let owner = owner_key.map_or(String::new(), |owner| format!(" < {owner}"));
        format!("{key}{owner} {name}{}", if enabled { "" } else { " (off)" })
    };
    told.into_iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Whoever a key stands for, made by the operator.
async fn key(reckoner: &Reckoner, action: Action, account: &str, places: &[&str]) -> Caller {
    let wanted = KeyWanted {
        name: None,
        principal: PrincipalId::new("job").expect("an id"),
        actions: vec![action],
        billing_accounts: vec![BillingAccountId::new(account).expect("an id")],
        places: places.iter().map(|text| Place::parse(text).expect("a place")).collect(),
        sources: Vec::new(),
        allowed_ranges: Vec::new(),
        valid_from: None,
        lifetime_s: None,
        reason: String::new(),
    };
    let made = reckoner.make_key(&Caller::Machine, wanted, "test").await.expect("a key");
    let header = format!("App {}", made.text);
    reckoner.caller_by_any(Some(&header), None, "test").await.expect("it holds")
}

const NOTHING: &str = "charges:read is not allowed here";

async fn accounts_are_told_to_who_may_ask_for_their_charges(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let clock = SetClock::at(Instant::parse("2026-06-05").expect("a moment"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let level = "messaging account";
    let at = |id: &str| {
        let place = format!("billing_account = \"post\", level = \"{level}\", id = \"{id}\"");
        format!("{{ place = {{ {place} }} }}")
    };
    let roles = [
        role("fay", "Finance Manager", "{ billing_account = \"post\" }"),
        role("abe", "Account Manager", &at("letters")),
        role("sue", "Sub-account User", &at("parcels")),
        role("leo", "Sub-account User", &at("telegrams")),
        role("ava", "Auditor", "{ billing_account = \"acme\" }"),
    ];
    in_process::declare(&reckoner, &format!("{POST}{}", roles.concat())).await;
    let check = async |who: Caller, expected: &str| {
        assert_eq!(shown(reckoner.messaging_accounts(&who).await), expected, "{who:?}");
    };
    let within = "letters < post Letters; parcels < letters Parcels (off)";
    let whole = format!("post Post Office; {within}");
    check(principal("fay"), &whole).await;
    check(principal("abe"), within).await;
    check(principal("sue"), "parcels < letters Parcels (off)").await;
    check(principal("leo"), NOTHING).await;
    check(principal("ava"), NOTHING).await;
    check(principal("nobody"), NOTHING).await;
    let read = Action::ReadCharges;
    let (letters, telegrams) =
        ("post/messaging account/letters", "post/messaging account/telegrams");
    check(key(&reckoner, read, "post", &[]).await, &whole).await;
    check(key(&reckoner, read, "post", &[letters]).await, "letters < post Letters").await;
    check(key(&reckoner, read, "post", &[telegrams]).await, NOTHING).await;
    check(key(&reckoner, read, "acme", &[]).await, NOTHING).await;
    check(key(&reckoner, Action::SendUsage, "post", &[]).await, NOTHING).await;
}

on_each_store!(accounts_are_told_to_who_may_ask_for_their_charges);
