//! BillingAccounts: those at which, or below which, the caller holds a role.

use super::departments::{self, Department};
use super::enrollment_accounts::{self, EnrollmentAccount};
use super::profiles::{self, Profile};
use crate::addresses::Address2019;
use crate::at::{self, At};
use crate::given::{Body, Whole, checked, given};
use crate::reading::{Asked, Family};
use crate::resource::{Resource, account_type, agreement_type};
use crate::same::enrollments::{EnrollmentFacts, enrollment};
use crate::writing::Writing;
use crate::{Billing, V2019};
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::agreements::{Enrollment, EnrollmentPolicies};
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
const ADDRESS: &str = "address";

type Account = Resource<BillingAccountProperties>;

async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<List<Account>>, ArmError> {
    let asked = Asked::of(&query, ADDRESS)?;
    let all = billing.accounts(&caller).await?;
    let ids = all.iter().map(|account| account.id.clone()).collect();
    let mut families = billing.families(&caller, ids, &asked.levels()).await?;
    let day = billing.reckoner.invoice_day();
    let mut family = |account: &AccountTold| families.remove(&account.id).unwrap_or_default();
    let value = all.iter().map(|account| view(account, &asked, &family(account), day)).collect();
    Ok(Json(List { value, next_link: None }))
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
    let address =
        given.properties.address.map(|Object(one)| checked(one.draft(), "properties.address"));
    let change = AccountChange { name: None, address: address.transpose()? };
    billing.accept(&writing, (V2019, UPDATE), StructureChange::Account(change)).await
}

given! {
    /// `BillingAccountProperties`, as they are sent.
    AccountGiven {
        address: Object<Address2019>,
    } not taken {
        display_name, agreement_type, customer_type, account_type, billing_profiles,
        enrollment_details, departments, enrollment_accounts, organization_id,
    }
}

/// `BillingAccountProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct BillingAccountProperties {
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address2019>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profiles: Option<Vec<Profile>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_details: Option<EnrollmentDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    departments: Option<Vec<Department>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_accounts: Option<Vec<EnrollmentAccount>>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<String>,
}

/// `Enrollment`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize))]
#[cfg_attr(test, serde(default, bound(deserialize = "'de: 'static")))]
pub(crate) struct EnrollmentDetails {
    #[serde(flatten)]
    facts: EnrollmentFacts,
    policies: Policies,
}

/// `EnrollmentPolicies`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct Policies {
    account_owner_view_charges: bool,
    department_admin_view_charges: bool,
    marketplaces_enabled: bool,
    reserved_instances_enabled: bool,
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
    let departments = family.of(Level::Department).map(|told| departments::view(told, None));
    let enrollment_accounts =
        family.of(Level::EnrollmentAccount).map(|told| enrollment_accounts::view(told, None));
    let address = seen.and_then(|seen| seen.address.as_ref()).filter(|_| asked.address);
    let properties = BillingAccountProperties {
        display_name: account.name.clone(),
        address: address.cloned().map(Address2019::of),
        agreement_type: account.kind.and_then(agreement_type),
        customer_type: account.kind.and_then(account_type),
        account_type: account.kind.and_then(account_type),
        billing_profiles: asked.profiles.then(|| profiles.collect()),
        enrollment_details: seen.filter(|_| asked.enrollment).and_then(enrollment_details),
        departments: asked.departments.then(|| departments.collect()),
        enrollment_accounts: asked.enrollment_accounts.then(|| enrollment_accounts.collect()),
        organization_id: None,
    };
    let id = at::account_id(&account.id);
    Resource::new(id, account.id.as_str(), at::kind(None), properties)
}

fn enrollment_details(seen: &AccountSeen) -> Option<EnrollmentDetails> {
    let enrollment: &Enrollment = seen.agreement.as_ref().and_then(enrollment)?;
    let EnrollmentPolicies {
        department_administrators_view_charges,
        account_owners_view_charges,
        marketplace_purchases,
        reservation_purchases,
    } = enrollment.policies;
    let policies = Policies {
        account_owner_view_charges: account_owners_view_charges.is_allowed(),
        department_admin_view_charges: department_administrators_view_charges.is_allowed(),
        marketplaces_enabled: marketplace_purchases.is_allowed(),
        reserved_instances_enabled: reservation_purchases.is_allowed(),
    };
    Some(EnrollmentDetails { facts: EnrollmentFacts::new(enrollment, seen.at), policies })
}
