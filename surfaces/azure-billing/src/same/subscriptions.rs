//! Subscriptions: what both versions say of one. They differ in whether they tell its cost centre.

use crate::resource::Amount;
use crate::same::enrollments::Reseller;
use crate::same::holdings::{Stands, subscription_status};
use serde::Serialize;
use service::SubscriptionTold;

/// `BillingSubscriptionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct BillingSubscriptionProperties {
    display_name: String,
    subscription_id: String,
    subscription_billing_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_month_charges: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month_to_date_charges: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller: Option<Reseller>,
    sku_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_description: Option<String>,
    /// Of `2020-05-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_center: Option<String>,
}

/// But for what a version tells alone.
impl From<&SubscriptionTold> for BillingSubscriptionProperties {
    fn from(told: &SubscriptionTold) -> BillingSubscriptionProperties {
        let Stands {
            billing_profile_id,
            billing_profile_display_name,
            customer_id,
            customer_display_name,
            invoice_section_id,
            invoice_section_display_name,
            reseller,
        } = Stands::from(&told.held);
        let charges = told.charges.as_ref();
        BillingSubscriptionProperties {
            display_name: told.name.clone(),
            subscription_id: told.id.to_string(),
            subscription_billing_status: subscription_status(told.held.state),
            last_month_charges: charges.and_then(|one| one.last_month).map(Amount::from),
            month_to_date_charges: charges.and_then(|one| one.month_to_date).map(Amount::from),
            billing_profile_id,
            billing_profile_display_name,
            customer_id,
            customer_display_name,
            invoice_section_id,
            invoice_section_display_name,
            reseller,
            sku_id: told.held.offer.id.to_string(),
            sku_description: told.held.offer.name.clone(),
            cost_center: None,
        }
    }
}
