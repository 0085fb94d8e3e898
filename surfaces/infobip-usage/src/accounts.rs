//! The list of accounts, in which account keys are found.
//!
//! Source: `account-management-openapi.json`, get-all-accounts.

use crate::Usage;
use crate::viewing::Viewing;
use axum::Json;
use axum::extract::State;
use domain::Error;
use httpkit::{Parameters, Refusal};
use serde::{Deserialize, Serialize};
use service::MessagingAccountTold;

/// How many are told unless it is asked otherwise.
const LIMIT: i32 = 40;

/// Which accounts.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    name: Option<String>,
    limit: Option<i32>,
    enabled: Option<bool>,
}

/// The answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
}

/// An account; the company itself has no owner.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Account {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner_key: Option<String>,
    name: String,
    enabled: bool,
}

/// The accounts whose usage the caller may ask for.
pub(crate) async fn list(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Accounts>, Refusal> {
    let all = usage.reckoner.messaging_accounts(&caller).await?;
    Ok(Json(Accounts { accounts: chosen(all, &asked)? }))
}

/// Those that are asked for; the name is compared whole, in whatever letter case.
///
/// Errors: [`Error::Invalid`] for a limit below 1.
fn chosen(all: Vec<MessagingAccountTold>, asked: &Asked) -> Result<Vec<Account>, Error> {
    let Asked { name, limit, enabled } = asked;
    let limit = limit.unwrap_or(LIMIT);
    let most = usize::try_from(limit).ok().filter(|most| *most > 0);
    let most = most.ok_or_else(|| Error::invalid("limit", "must be at least 1"))?;
    let is_named = |one: &MessagingAccountTold| {
        name.as_ref().is_none_or(|name| one.name.to_lowercase() == name.to_lowercase())
    };
    let is_meant = |one: &MessagingAccountTold| {
        is_named(one) && enabled.is_none_or(|enabled| one.enabled == enabled)
    };
    Ok(all.into_iter().filter(is_meant).take(most).map(Account::from).collect())
}

impl From<MessagingAccountTold> for Account {
    fn from(told: MessagingAccountTold) -> Account {
        let MessagingAccountTold { key, owner_key, name, enabled } = told;
        Account { key, owner_key, name, enabled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(key: &str, owner: Option<&str>, enabled: bool) -> MessagingAccountTold {
        MessagingAccountTold {
            key: key.to_owned(),
            owner_key: owner.map(str::to_owned),
            name: format!("Account {key}"),
            enabled,
        }
    }

    #[test]
    fn accounts_are_chosen_by_name_state_and_number() {
        let check = |asked: Asked, expected: &str| {
            let all =
                vec![told("a", None, true), told("b", Some("a"), false), told("c", None, true)];
            let keys = match chosen(all, &asked) {
                Ok(accounts) => {
                    accounts.iter().map(|one| one.key.as_str()).collect::<Vec<_>>().join(" ")
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(keys, expected, "{asked:?}");
        };
        let name = |name: &str| Some(name.to_owned());
        check(Asked::default(), "a b c");
        check(Asked { enabled: Some(true), ..Asked::default() }, "a c");
        check(Asked { enabled: Some(false), ..Asked::default() }, "b");
        check(Asked { name: name("ACCOUNT b"), ..Asked::default() }, "b");
        check(Asked { name: name("Account"), ..Asked::default() }, "");
        check(Asked { limit: Some(2), ..Asked::default() }, "a b");
        check(Asked { limit: Some(1), enabled: Some(true), name: None }, "a");
        check(Asked { limit: Some(0), ..Asked::default() }, "limit: must be at least 1");
        check(Asked { limit: Some(-1), ..Asked::default() }, "limit: must be at least 1");
    }

    #[test]
    fn forty_accounts_are_told_unless_it_is_asked_otherwise() {
        let all: Vec<_> = (0..60).map(|n| told(&n.to_string(), None, true)).collect();
        assert_eq!(chosen(all, &Asked::default()).unwrap().len(), 40);
    }

    #[test]
    fn the_published_example_is_read_and_written_alike() {
        let published = r#"{"accounts":[{"key":"accountKey","ownerKey":"ownerKey",
            "name":"Account Name","enabled":true}]}"#;
        let read: Accounts = serde_json::from_str(published).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(published).unwrap());
    }
}
