//! The context file: how to use a server, for programs that were told where it is.

use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Later surfaces only add members.
#[derive(Serialize, Default)]
pub(crate) struct Context {
    pub(crate) base_url: String,
    pub(crate) http_url: Option<String>,
    pub(crate) ca_file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_id: Option<String>,
    pub(crate) now: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) clients: BTreeMap<String, ClientContext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subscriptions: Option<Subscriptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offer: Option<Offer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage_window: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage_window_incomplete: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) intake: Option<Intake>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enterprise: Option<Enterprise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage_api: Option<UsageApi>,
    /// One account of each kind, with ids of what lies below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accounts: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invoice_window: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) periods: Option<Periods>,
    pub(crate) admin: Admin,
}

#[derive(Serialize)]
pub(crate) struct ClientContext {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
}

/// Billing periods, each as `yyyyMM`.
#[derive(Serialize)]
pub(crate) struct Periods {
    pub(crate) closed: Vec<String>,
    pub(crate) open: String,
}

#[derive(Serialize)]
pub(crate) struct Subscriptions {
    pub(crate) own: String,
    pub(crate) foreign: String,
}

#[derive(Serialize)]
pub(crate) struct Offer {
    pub(crate) id: String,
    pub(crate) currency: String,
    pub(crate) locale: String,
    pub(crate) region: String,
}

#[derive(Serialize)]
pub(crate) struct Window {
    pub(crate) from: String,
    pub(crate) to: String,
}

#[derive(Serialize)]
pub(crate) struct Intake {
    pub(crate) url: String,
    pub(crate) api_key: String,
}

/// An enrollment, with a key of each kind, and the number of another that none of them opens.
#[derive(Serialize)]
pub(crate) struct Enterprise {
    pub(crate) enrollment: String,
    pub(crate) api_key: String,
    pub(crate) department_key: String,
    pub(crate) account_owner_key: String,
    pub(crate) expired_key: String,
    pub(crate) revoked_key: String,
    pub(crate) foreign_enrollment: String,
}

/// A company that sends messages: a credential of each kind, its accounts and a final month.
#[derive(Serialize)]
pub(crate) struct UsageApi {
    pub(crate) base_url: String,
    pub(crate) data_centre: String,
    pub(crate) api_key: String,
    pub(crate) api_key_without_scope: String,
    pub(crate) sub_account_api_key: String,
    pub(crate) basic: UserPassword,
    pub(crate) oauth: ClientSecret,
    pub(crate) accounts: Vec<MessagingAccount>,
    /// Days, the last one exclusive.
    pub(crate) window: Window,
}

#[derive(Serialize)]
pub(crate) struct UserPassword {
    pub(crate) username: String,
    pub(crate) password: String,
}

#[derive(Serialize)]
pub(crate) struct ClientSecret {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// The company itself lies below nothing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessagingAccount {
    pub(crate) key: String,
    pub(crate) owner_key: Option<String>,
    pub(crate) name: String,
}

#[derive(Serialize, Default)]
pub(crate) struct Admin {
    pub(crate) url: String,
}

impl Context {
    /// Writes the file whole or not at all; only its owner may read it.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let beside = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(beside, path)?;
        Ok(())
    }
}
