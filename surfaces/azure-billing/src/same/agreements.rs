//! Agreements: the texts that were accepted for a billing account.

use crate::Billing;
use crate::at::{At, account_id};
use crate::listing::Listing;
use crate::resource::{Resource, filled, time};
use armkit::{ArmError, List, Query, expand};
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::accepted_agreements::{AcceptanceMode, AcceptedAgreement, AgreementCategory, Answer};
use domain::access::Caller;
use domain::ids::{AcceptedAgreementId, BillingAccountId};
use httpkit::Asking;
use serde::Serialize;

const EXPAND: [&str; 1] = ["participants"];

type Agreement = Resource<AgreementProperties>;

pub(crate) async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Agreement>>, ArmError> {
    Ok(Json(listing.numbered(all(&listing.billing, &caller, &at, &query).await?)?))
}

/// The same, where the description knows no pages.
pub(crate) async fn whole(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Agreement>>, ArmError> {
    Ok(Json(List { value: all(&billing, &caller, &at, &query).await?, next_link: None }))
}

async fn all(
    billing: &Billing,
    caller: &Caller,
    at: &At,
    query: &Query,
) -> Result<Vec<Agreement>, ArmError> {
    let with_participants = expand(query, &EXPAND)?.contains(&"participants");
    let account = billing.account(caller, at.account(), at.operation).await?;
    let all = billing.reckoner.accepted_agreements(caller, &account.id).await?;
    let told = all.iter().map(|(id, one)| agreement(&account.id, id, one, with_participants));
    Ok(told.collect())
}

pub(crate) async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<Agreement>, ArmError> {
    let with_participants = expand(&query, &EXPAND)?.contains(&"participants");
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let all = billing.reckoner.accepted_agreements(&caller, &account.id).await?;
    let name = at.name("agreementName");
    let found = all.iter().find(|(id, _)| id.as_str().eq_ignore_ascii_case(name));
    let (id, one) = found.ok_or_else(|| Error::not_found("agreement", name))?;
    Ok(Json(agreement(&account.id, id, one, with_participants)))
}

/// `AgreementProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgreementProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_link: Option<String>,
    category: &'static str,
    acceptance_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<Vec<Participants>>,
    status: &'static str,
}

/// `Participants`: one of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Participants {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_date: Option<String>,
    email: String,
}

pub(crate) fn agreement(
    account: &BillingAccountId,
    id: &AcceptedAgreementId,
    one: &AcceptedAgreement,
    with_participants: bool,
) -> Agreement {
    let participants = one.participants.iter().map(|asked| Participants {
        status: answer(asked.answer),
        status_date: time(asked.at),
        email: asked.email.clone(),
    });
    let properties = AgreementProperties {
        agreement_link: filled(&one.link),
        category: category(one.category),
        acceptance_mode: mode(one.mode),
        effective_date: time(one.during.start()),
        expiration_date: time(one.during.end()),
        participants: with_participants.then(|| participants.collect()),
        status: "Published",
    };
    let path = format!("{}/agreements/{id}", account_id(account));
    Resource::new(path, id.as_str(), "billingAccounts/agreements", properties)
}

const fn category(category: AgreementCategory) -> &'static str {
    match category {
        AgreementCategory::CustomerAgreement => "MicrosoftCustomerAgreement",
        AgreementCategory::AffiliatePurchaseTerms => "AffiliatePurchaseTerms",
        AgreementCategory::Other => "Other",
    }
}

const fn mode(mode: AcceptanceMode) -> &'static str {
    match mode {
        AcceptanceMode::Click => "ClickToAccept",
        AcceptanceMode::SignedOnline => "ESignEmbedded",
        AcceptanceMode::SignedOffline => "ESignOffline",
    }
}

const fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Pending => "Pending",
        Answer::Accepted => "Accepted",
        Answer::Declined => "Declined",
    }
}
