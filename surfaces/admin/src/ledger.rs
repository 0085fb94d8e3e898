//! Ledgers: entries, and what ledger accounts hold.

use crate::invoices::read_period;
use crate::wire::listed;
use axum::Json;
use axum::extract::State;
use domain::ids::BillingAccountId;
use domain::ledger::{Posting, Side};
use httpkit::{Asking, Faults, Parameters, Refusal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{LedgerAsked, LedgerTold, Reckoner};

/// Lists a payer's entries, newest first, and what its ledger accounts hold now.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let Asked { billing_account, period, limit } = asked;
    let mut faults = Faults::default();
    let account = faults.read("billing_account", BillingAccountId::new(&billing_account));
    let period = faults.read_if("period", period, |text| read_period(&text));
    let asked = account.zip(period);
    let asked = asked.map(|(billing_account, period)| LedgerAsked { billing_account, period });
    let asked = faults.end(asked)?;
    let limit = listed(&reckoner, limit, 100)?;
    Ok(Json(Answer::from(reckoner.ledger(&caller, &asked, limit).await?)))
}

/// Whose ledger, of when, and how many entries.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: String,
    period: Option<String>,
    limit: Option<u64>,
}

/// A ledger.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    entries: Vec<Item>,
    balances: Vec<Held>,
}

impl From<LedgerTold> for Answer {
    fn from(LedgerTold { entries, balances }: LedgerTold) -> Answer {
        let item = |(period, entry): (calendar::BillingPeriod, domain::ledger::Entry)| Item {
            purpose: entry.purpose().to_string(),
            at: entry.at().to_string(),
            period: period.to_string(),
            postings: entry.postings().iter().map(PostingItem::from).collect(),
        };
        let held = |(account, amount): (domain::ledger::LedgerAccount, money::Money)| Held {
            account: account.to_string(),
            amount: amount.digits(),
            currency: amount.currency().to_string(),
        };
        Answer {
            entries: entries.into_iter().map(item).collect(),
            balances: balances.into_iter().map(held).collect(),
        }
    }
}

/// An entry.
#[derive(Serialize, JsonSchema)]
struct Item {
    purpose: String,
    at: String,
    period: String,
    postings: Vec<PostingItem>,
}

/// One side of an entry.
#[derive(Serialize, JsonSchema)]
struct PostingItem {
    account: String,
    side: &'static str,
    amount: String,
    currency: String,
}

impl From<&Posting> for PostingItem {
    fn from(Posting { account, side, amount }: &Posting) -> PostingItem {
        PostingItem {
            account: account.to_string(),
            side: match side {
                Side::Debit => "debit",
                Side::Credit => "credit",
            },
            amount: amount.digits(),
            currency: amount.currency().to_string(),
        }
    }
}

/// What a ledger account holds, on its own side.
#[derive(Serialize, JsonSchema)]
struct Held {
    account: String,
    amount: String,
    currency: String,
}
