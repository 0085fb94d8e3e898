//! Drafts of an account: what they come to now, and a person's agreement to just that.

use crate::closes::Item;
use crate::invoices::read_period;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calendar::BillingPeriod;
use domain::chain::Digest;
use domain::ids::BillingAccountId;
use httpkit::{Asking, Faults, JsonBody, Parameters, Refusal, RequestId, Unhurried};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{AccountDrafts, Reckoner};

/// What an account's drafts of a billing period come to now.
pub(crate) async fn get(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
    _: Unhurried,
) -> Result<Json<Answer>, Refusal> {
    let mut faults = Faults::default();
    let asked = asked.read(&mut faults);
    let (account, period) = faults.end(asked)?;
    Ok(Json(Answer::from(reckoner.drafts(&caller, &account, period).await?)))
}

/// Agrees to them, as they are now.
pub(crate) async fn approve(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    _: Unhurried,
    JsonBody(asked): JsonBody<Approval>,
) -> Result<Json<Answer>, Refusal> {
    let Approval { billing_account, period, content } = asked;
    let mut faults = Faults::default();
    let asked = Asked { billing_account, period }.read(&mut faults);
    let content = faults.read_if("content", content, |text| Digest::parse(&text));
    let ((account, period), content) = faults.end(asked.zip(content))?;
    let request_id = request_id.to_string();
    let drafts = reckoner.approve_drafts(&caller, &account, period, content, &request_id).await?;
    Ok(Json(Answer::from(drafts)))
}

/// Takes the agreement back.
pub(crate) async fn take_back(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    _: Unhurried,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<StatusCode, Refusal> {
    let mut faults = Faults::default();
    let asked = asked.read(&mut faults);
    let (account, period) = faults.end(asked)?;
    let request_id = request_id.to_string();
    reckoner.take_back_approval(&caller, &account, period, &request_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose drafts, and of when.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: String,
    period: String,
}

impl Asked {
    fn read(&self, faults: &mut Faults) -> Option<(BillingAccountId, BillingPeriod)> {
        let account = faults.read("billing_account", BillingAccountId::new(&self.billing_account));
        let period = faults.read("period", read_period(&self.period));
        account.zip(period)
    }
}

/// Which drafts are agreed to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    billing_account: String,
    period: String,
    /// Only if they still are what was shown with this.
    content: Option<String>,
}

/// What an account's drafts come to.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    billing_account: String,
    period: String,
    /// The digest of all that they say.
    content: String,
    /// Who has agreed to them: `person NAME`, `rule NAME`.
    approved_by: Option<String>,
    /// What they wait for, as long as nobody has.
    reason: Option<String>,
    /// Records that wait in quarantine: they are in no draft.
    in_quarantine: u64,
    drafts: Vec<Item>,
}

impl From<AccountDrafts> for Answer {
    fn from(all: AccountDrafts) -> Answer {
        let AccountDrafts { billing_account, period, documents, content, .. } = all;
        let AccountDrafts { approver, reason, in_quarantine, .. } = all;
        Answer {
            billing_account: billing_account.to_string(),
            period: period.to_string(),
            content: content.to_string(),
            approved_by: approver.map(|approver| approver.to_string()),
            reason,
            in_quarantine,
            drafts: documents.into_iter().map(Item::from).collect(),
        }
    }
}
