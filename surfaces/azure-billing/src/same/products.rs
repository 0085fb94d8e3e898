//! Products: what both versions say of one. They differ in whether they tell how it is renewed.

use crate::resource::{Amount, time};
use crate::same::enrollments::Reseller;
use crate::same::holdings::{Stands, billing_frequency, product_status};
use httpkit::ExactNumber;
use money::Fixed18;
use serde::Serialize;
use service::ProductTold;

/// `ProductProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ProductProperties {
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchase_date: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    billing_frequency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_charge: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_charge_date: Option<String>,
    sku_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller: Option<Reseller>,
    /// Of `2020-05-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auto_renew: Option<&'static str>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<ExactNumber<Fixed18>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability_id: Option<String>,
    /// Of `2019-10-01-preview`.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_product_id: Option<String>,
}

/// But for what a version tells in its own words.
impl From<&ProductTold> for ProductProperties {
    fn from(told: &ProductTold) -> ProductProperties {
        let Stands {
            billing_profile_id,
            billing_profile_display_name,
            customer_id,
            customer_display_name,
            invoice_section_id,
            invoice_section_display_name,
            reseller,
        } = Stands::from(&told.held);
        ProductProperties {
            display_name: told.name.clone(),
            purchase_date: time(told.held.since),
            status: product_status(told.held.state),
            end_date: told.ends_at.and_then(time),
            billing_frequency: billing_frequency(told.billing_frequency),
            last_charge: told.last_charge.map(|last| Amount::from(last.cost)),
            last_charge_date: told.last_charge.and_then(|last| time(last.at)),
            sku_id: told.held.offer.id.to_string(),
            sku_description: told.held.offer.name.clone(),
            tenant_id: told.tenant.as_ref().map(ToString::to_string),
            invoice_section_id,
            invoice_section_display_name,
            billing_profile_id,
            billing_profile_display_name,
            customer_id,
            customer_display_name,
            reseller,
            auto_renew: None,
            product_type_id: None,
            product_type: None,
            quantity: None,
            availability_id: None,
            parent_product_id: None,
        }
    }
}
