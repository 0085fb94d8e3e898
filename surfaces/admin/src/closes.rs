//! Closing billing periods.

use crate::invoices::{digits, read_period};
use axum::Json;
use axum::extract::State;
use domain::ids::BillingAccountId;
use domain::{Error, Result};
use httpkit::{Asking, JsonBody, Refusal, RequestId, Unhurried};
use serde::{Deserialize, Serialize};
use service::{AccountClosing, CloseMode, ClosePeriod, Closing, Drafts, Outcome, Reckoner, Told};

/// Closes a billing period, or shows what closing it would do.
pub(crate) async fn run(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    _: Unhurried,
    JsonBody(asked): JsonBody<Asked>,
) -> std::result::Result<Json<Answer>, Refusal> {
    let asked = ClosePeriod::try_from(asked)?;
    let closing = reckoner.close_period(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(Answer::from(closing)))
}

/// Which billing period, and how.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    period: String,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    issue: bool,
    #[serde(default)]
    leave_out: Vec<String>,
}

impl TryFrom<Asked> for ClosePeriod {
    type Error = Error;

    fn try_from(Asked { period, dry_run, issue, leave_out }: Asked) -> Result<ClosePeriod> {
        let left_out = leave_out.iter().map(|id| BillingAccountId::new(id));
        Ok(ClosePeriod {
            period: read_period(&period)?,
            mode: if dry_run { CloseMode::DryRun } else { CloseMode::Final },
            drafts: if issue { Drafts::GoOut } else { Drafts::Wait },
            left_out: left_out.collect::<Result<_>>()?,
        })
    }
}

/// What closing came to.
#[derive(Serialize)]
pub(crate) struct Answer {
    period: String,
    gates: Vec<String>,
    accounts: Vec<Account>,
    head: Option<String>,
}

impl From<Closing> for Answer {
    fn from(Closing { period, gates, accounts, head }: Closing) -> Answer {
        Answer {
            period: period.to_string(),
            gates,
            accounts: accounts.into_iter().map(Account::from).collect(),
            head: head.map(|head| head.to_string()),
        }
    }
}

/// What it came to for one account.
#[derive(Serialize)]
struct Account {
    billing_account: String,
    outcome: &'static str,
    reason: Option<String>,
    invoices: Vec<Item>,
}

impl From<AccountClosing> for Account {
    fn from(AccountClosing { billing_account, outcome }: AccountClosing) -> Account {
        let (outcome, reason, documents) = match outcome {
            Outcome::Closed { documents } => ("closed", None, documents),
            Outcome::ClosedBefore { documents } => ("closed_before", None, documents),
            Outcome::WouldClose { documents } => ("would_close", None, documents),
            Outcome::Waits { reason } => ("waits", Some(reason), Vec::new()),
            Outcome::Parked { reason } => ("parked", Some(reason), Vec::new()),
        };
        Account {
            billing_account: billing_account.to_string(),
            outcome,
            reason,
            invoices: documents.into_iter().map(Item::from).collect(),
        }
    }
}

/// An invoice, in short.
#[derive(Serialize)]
struct Item {
    id: String,
    number: Option<String>,
    total: String,
    currency: String,
}

impl From<Told> for Item {
    fn from(Told { id, number, total }: Told) -> Item {
        Item {
            id: id.to_string(),
            number: number.map(|number| number.to_string()),
            total: digits(total),
            currency: total.currency().to_string(),
        }
    }
}
