//! Places as the paths of operations name them, and as answers refer to them.

use crate::Billing;
use armkit::{ArmError, Chosen};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::Error;
use domain::ids::BillingAccountId;
use domain::places::{Level, Place, PlaceKey};
use httpkit::Path;
use service::PlaceTold;
use std::collections::HashMap;

macro_rules! account {
    ($tail:literal) => {
        concat!("/providers/Microsoft.Billing/billingAccounts/{billingAccountName}", $tail)
    };
}

/// Where billing accounts are listed.
pub(crate) const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";
/// A billing account.
pub(crate) const ACCOUNT: &str = account!("");
/// A billing profile.
pub(crate) const PROFILE: &str = account!("/billingProfiles/{billingProfileName}");
/// An invoice section.
pub(crate) const SECTION: &str =
    account!("/billingProfiles/{billingProfileName}/invoiceSections/{invoiceSectionName}");
/// A customer.
pub(crate) const CUSTOMER: &str = account!("/customers/{customerName}");
/// A customer with a billing profile beside it.
pub(crate) const PROFILE_CUSTOMER: &str =
    account!("/billingProfiles/{billingProfileName}/customers/{customerName}");
/// A department.
pub(crate) const DEPARTMENT: &str = account!("/departments/{departmentName}");
/// An enrollment account.
pub(crate) const ENROLLMENT_ACCOUNT: &str = account!("/enrollmentAccounts/{enrollmentAccountName}");
/// A subscription of a billing account.
pub(crate) const BILLING_SUBSCRIPTION: &str =
    account!("/billingSubscriptions/{billingSubscriptionName}");
/// Whoever pays.
pub(crate) const DEFAULT_ACCOUNT: &str = "/providers/Microsoft.Billing/billingAccounts/default";
/// A subscription of whoever pays for it.
pub(crate) const DEFAULT_SUBSCRIPTION: &str =
    "/providers/Microsoft.Billing/billingAccounts/default/billingSubscriptions/{subscriptionId}";
/// What hangs on a subscription.
pub(crate) const SUBSCRIPTION: &str = "/subscriptions/{subscriptionId}/providers/Microsoft.Billing";

/// The parameters that name places, outermost first.
const LEVELS: [(&str, Level); 5] = [
    ("billingProfileName", Level::BillingProfile),
    ("invoiceSectionName", Level::InvoiceSection),
    ("customerName", Level::Customer),
    ("departmentName", Level::Department),
    ("enrollmentAccountName", Level::EnrollmentAccount),
];

/// What the path of a request names.
#[derive(Debug)]
pub(crate) struct At {
    /// The operation that is asked for, in the version that is asked for.
    pub(crate) operation: &'static str,
    pub(crate) names: HashMap<String, String>,
}

impl At {
    /// The name at a parameter, as the caller spells it.
    pub(crate) fn name(&self, parameter: &str) -> &str {
        self.names.get(parameter).map_or("", String::as_str)
    }

    /// The billing account's name.
    pub(crate) fn account(&self) -> &str {
        self.name("billingAccountName")
    }

    /// The way down from the billing account; empty for the account itself.
    pub(crate) fn way(&self) -> Vec<(Level, &str)> {
        let named = |(parameter, level): &(&str, Level)| {
            self.names.get(*parameter).map(|name| (*level, name.as_str()))
        };
        LEVELS.iter().filter_map(named).collect()
    }
}

impl FromRequestParts<Billing> for At {
    type Rejection = ArmError;

    async fn from_request_parts(parts: &mut Parts, state: &Billing) -> Result<At, ArmError> {
        let Path(names) = Path::<HashMap<String, String>>::from_request_parts(parts, state).await?;
        let missing = || Error::internal("find an operation", parts.uri.path().to_owned());
        let Chosen { operation, .. } = *parts.extensions.get::<Chosen>().ok_or_else(missing)?;
        Ok(At { operation, names })
    }
}

/// The id of a billing account as a resource.
pub(crate) fn account_id(account: &BillingAccountId) -> String {
    format!("{ACCOUNTS}/{account}")
}

/// The id of a billing profile as a resource.
pub(crate) fn profile_id(profile: &Place) -> String {
    format!("{}{}", account_id(&profile.billing_account), tail(Some(&profile.key)))
}

/// The id of a place as a resource.
pub(crate) fn id(told: &PlaceTold) -> String {
    let Place { billing_account, key } = &told.place;
    let section_of = told.parent.as_ref().filter(|_| key.level == Level::InvoiceSection);
    format!("{}{}{}", account_id(billing_account), tail(section_of), tail(Some(key)))
}

/// The type of a place as a resource, below the provider.
pub(crate) const fn kind(level: Option<Level>) -> &'static str {
    match level {
        None => "billingAccounts",
        Some(Level::BillingProfile) => "billingAccounts/billingProfiles",
        Some(Level::InvoiceSection) => "billingAccounts/billingProfiles/invoiceSections",
        Some(Level::Customer) => "billingAccounts/customers",
        Some(Level::Department) => "billingAccounts/departments",
        Some(Level::EnrollmentAccount) => "billingAccounts/enrollmentAccounts",
        Some(Level::MessagingAccount) => "billingAccounts/messagingAccounts",
    }
}

/// What the id of a place adds to that of the place above it.
pub(crate) fn tail(key: Option<&PlaceKey>) -> String {
    let Some(PlaceKey { level, id }) = key else { return String::new() };
    let collection = kind(Some(*level)).rsplit('/').next().unwrap_or_default();
    format!("/{collection}/{id}")
}
