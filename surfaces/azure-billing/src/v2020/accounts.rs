//! BillingAccounts: those at which, or below which, the caller holds a role.

use super::Expanded;
use super::enrollments::{self, Department, EnrollmentAccount, EnrollmentDetails};
use super::profiles::{self, Profile};
use crate::addresses::Address2020;
use crate::at::{self, At};
use crate::given::{Body, Whole, checked, given};
use crate::listing::Listing;
use crate::reading::{Asked, Family};
use crate::resource::{Resource, account_type, agreement_type};
use crate::same::enrollments::enrollment;
use crate::writing::Writing;
use crate::{Billing, V2020};
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::places::Level;
use httpkit::{Asking, Excerpt, Group, Object};
use serde::Serialize;
use service::{AccountChange, AccountSeen, AccountTold, StructureChange};

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Whatever the kind of agreement.
        .get("BillingAccounts_List", at::ACCOUNTS, "", list)
        .get("BillingAccounts_Get", at::ACCOUNT, "", get)
        .patch(UPDATE, at::ACCOUNT, "", update)
}

const UPDATE: &str = "BillingAccounts_Update";

/// What this version calls the address in `$expand`.
const ADDRESS: &str = "soldTo";

type Account = Resource<BillingAccountProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<List<Account>>, ArmError> {
    let (asked, billing) = (Asked::of(&query, ADDRESS)?, &listing.billing);
    let all = billing.accounts(&caller).await?;
    let page = listing.page(all, |account| account.id.to_string())?;
    let ids = page.value.iter().map(|account| account.id.clone()).collect();
    let mut families = billing.families(&caller, ids, &asked.levels()).await?;
    let day = billing.reckoner.invoice_day();
    let mut family = |account: &AccountTold| families.remove(&account.id).unwrap_or_default();
    Ok(Json(page.map(|account| view(&account, &asked, &family(&account), day))))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Excerpt<Account>, ArmError> {
    let asked = Asked::of(&query, ADDRESS)?;
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let family = billing.family(&caller, &account.id, &asked.levels()).await?;
    let day = billing.reckoner.invoice_day();
    let form = |asked: &Asked| view(&account, asked, &family, day);
    Ok(Excerpt { shown: form(&asked), whole: form(&Asked::whole()) })
}

/// Changes it, which takes its time.
async fn update(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<AccountGiven>>,
) -> Result<Response, ArmError> {
    let AccountGiven { display_name: name, sold_to, .. } = given.properties;
    let address =
        sold_to.map(|Object(one)| checked(one.draft(), "properties.soldTo")).transpose()?;
    let change = AccountChange { name, address };
    billing.accept(&writing, (V2020, UPDATE), StructureChange::Account(change)).await
}

given! {
    /// `BillingAccountProperties`, as they are sent.
    AccountGiven {
        display_name: String,
        sold_to: Object<Address2020>,
    } not taken {
        agreement_type, account_type, account_status, billing_profiles, enrollment_details,
        departments, enrollment_accounts, has_read_access, notification_email_address,
    }
}

/// `BillingAccountProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct BillingAccountProperties {
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sold_to: Option<Address2020>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profiles: Option<Expanded<Profile>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_details: Option<EnrollmentDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    departments: Option<Vec<Department>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_accounts: Option<Vec<EnrollmentAccount>>,
    has_read_access: bool,
}

pub(crate) fn view(
    account: &AccountTold,
    asked: &Asked,
    family: &Family,
    invoice_day: Option<u8>,
) -> Account {
    let seen = account.seen.as_deref();
    let profiles = family.of(Level::BillingProfile).map(|told| {
        profiles::view(told, account.kind, asked.sections.then_some(family), invoice_day)
    });
    let departments = family.of(Level::Department).map(enrollments::department);
    let enrollment_accounts = family.of(Level::EnrollmentAccount).map(enrollments::account);
    let address = seen.and_then(|seen| seen.address.as_ref()).filter(|_| asked.address);
    let details = seen.filter(|_| asked.enrollment).and_then(|seen| {
        let enrollment = seen.agreement.as_ref().and_then(enrollment)?;
        Some(enrollments::details(enrollment, seen.at))
    });
    let properties = BillingAccountProperties {
        display_name: account.name.clone(),
        sold_to: address.cloned().map(Address2020::of),
        agreement_type: account.kind.and_then(agreement_type),
        account_type: account.kind.and_then(account_type),
        account_status: seen.map(status),
        billing_profiles: asked.profiles.then(|| profiles.collect()),
        enrollment_details: details,
        departments: asked.departments.then(|| departments.collect()),
        enrollment_accounts: asked.enrollment_accounts.then(|| enrollment_accounts.collect()),
        has_read_access: seen.is_some(),
    };
    let id = at::account_id(&account.id);
    Resource::new(id, account.id.as_str(), at::kind(None), properties)
}

/// Only an enrollment has an end.
fn status(seen: &AccountSeen) -> &'static str {
    let enrollment = seen.agreement.as_ref().and_then(enrollment);
    let is_over = enrollment.is_some_and(|enrollment| enrollment.term.end() <= seen.at);
    if is_over { "Expired" } else { "Active" }
}
