//! Subscriptions and products: what both versions ask for and spell alike.

use crate::Billing;
use crate::at::{self, At, account_id};
use crate::listing::Listing;
use crate::same::enrollments::Reseller;
use armkit::{ArmError, Comparing, Comparison, List, Query, comparisons, filter_of};
use domain::Error;
use domain::access::Caller;
use domain::holdings::{BillingFrequency, HoldingState};
use domain::ids::BillingAccountId;
use domain::places::Place;
use service::{AccountTold, HoldingTold, ProductTold, SubscriptionTold};

/// The billing account of a path, and the place in it; none for the account itself.
pub(crate) async fn asked_at(
    billing: &Billing,
    caller: &Caller,
    at: &At,
) -> Result<(AccountTold, Option<Place>), ArmError> {
    if at.way().is_empty() {
        return Ok((billing.account(caller, at.account(), at.operation).await?, None));
    }
    let (account, told) = billing.place(caller, at).await?;
    Ok((account, Some(told.place)))
}

/// The subscriptions that stand where a path names.
pub(crate) async fn subscriptions(
    billing: &Billing,
    caller: &Caller,
    at: &At,
) -> Result<(BillingAccountId, Vec<SubscriptionTold>), ArmError> {
    let (account, place) = asked_at(billing, caller, at).await?;
    let all = billing.reckoner.subscriptions_at(caller, &account.id, place.as_ref()).await?;
    Ok((account.id, all))
}

/// A page of them, each with what it cost, and how many they are.
pub(crate) async fn subscription_page(
    listing: &Listing,
    caller: &Caller,
    at: &At,
) -> Result<(List<SubscriptionTold>, usize), ArmError> {
    let (account, all) = subscriptions(&listing.billing, caller, at).await?;
    let total_count = all.len();
    let List { value, next_link } = listing.page(all, |told| told.id.to_string())?;
    let value = listing.billing.reckoner.charged(caller, &account, value).await?;
    Ok((List { value, next_link }, total_count))
}

/// The one of them that a parameter of the path names, with what it cost.
pub(crate) async fn subscription(
    billing: &Billing,
    caller: &Caller,
    (at, parameter): (&At, &str),
) -> Result<SubscriptionTold, ArmError> {
    let (account, place) = asked_at(billing, caller, at).await?;
    let id = at.name(parameter);
    let told = billing.reckoner.subscription_at(caller, &account.id, place.as_ref(), id).await;
    told.map_err(|error| missing_below(error, id))
}

/// What is told of a subscription that a billing account does not have: it is one of the account's
/// things there, and not where the request is made.
pub(crate) fn missing_below(error: Error, id: &str) -> ArmError {
    match error {
        Error::NotFound { .. } => Error::not_found("billing subscription", id).into(),
        error => error.into(),
    }
}

/// The products that stand where a path names and that `$filter` asks for.
pub(crate) async fn products(
    billing: &Billing,
    caller: &Caller,
    (at, query): (&At, &Query),
) -> Result<Vec<ProductTold>, ArmError> {
    let (account, place) = asked_at(billing, caller, at).await?;
    let filter = ProductFilter::of(billing, query)?;
    let mut all = billing.reckoner.products_at(caller, &account.id, place.as_ref()).await?;
    all.retain(|told| filter.holds(told));
    Ok(all)
}

/// A page of them.
pub(crate) async fn product_page(
    listing: &Listing,
    caller: &Caller,
    asked: (&At, &Query),
) -> Result<List<ProductTold>, ArmError> {
    let all = products(&listing.billing, caller, asked).await?;
    listing.page(all, |told| told.id.to_string())
}

/// The one of them that the path names.
pub(crate) async fn product(
    billing: &Billing,
    caller: &Caller,
    at: &At,
) -> Result<ProductTold, ArmError> {
    let (account, place) = asked_at(billing, caller, at).await?;
    let id = at.name("productName");
    Ok(billing.reckoner.product_at(caller, &account.id, place.as_ref(), id).await?)
}

/// Where a holding stands, as both versions spell it.
pub(crate) struct Stands {
    pub(crate) billing_profile_id: Option<String>,
    pub(crate) billing_profile_display_name: Option<String>,
    pub(crate) customer_id: Option<String>,
    pub(crate) customer_display_name: Option<String>,
    pub(crate) invoice_section_id: Option<String>,
    pub(crate) invoice_section_display_name: Option<String>,
    pub(crate) reseller: Option<Reseller>,
}

impl From<&HoldingTold> for Stands {
    fn from(held: &HoldingTold) -> Stands {
        let (profile, section) = (held.profile.as_ref(), held.section.as_ref());
        let customer = held.customer.as_ref();
        Stands {
            billing_profile_id: profile.map(at::id),
            billing_profile_display_name: profile.map(|one| one.name.clone()),
            customer_id: customer.map(at::id),
            customer_display_name: customer.map(|one| one.name.clone()),
            invoice_section_id: section.map(at::id),
            invoice_section_display_name: section.map(|one| one.name.clone()),
            reseller: held.reseller.as_ref().map(Reseller::from),
        }
    }
}

/// Id and type of a holding below the place where it stands, as the first version has them;
/// `collection` is what such holdings are there.
pub(crate) fn below_place(held: &HoldingTold, collection: &str, id: &str) -> (String, String) {
    match held.section.as_ref().or(held.customer.as_ref()) {
        Some(place) => {
            let kind = at::kind(Some(place.place.key.level));
            (format!("{}/{collection}/{id}", at::id(place)), format!("{kind}/{collection}"))
        }
        None => below_account(held, collection, id),
    }
}

/// The same below the billing account, as the second version has them.
pub(crate) fn below_account(held: &HoldingTold, collection: &str, id: &str) -> (String, String) {
    let kind = at::kind(None);
    (format!("{}/{collection}/{id}", account_id(&held.account)), format!("{kind}/{collection}"))
}

/// Of a subscription.
pub(crate) const fn subscription_status(state: HoldingState) -> &'static str {
    match state {
        HoldingState::Active => "Active",
        HoldingState::PastDue => "Warning",
        HoldingState::Suspended | HoldingState::Cancelled | HoldingState::Expired => "Inactive",
        HoldingState::Deleted => "Deleted",
    }
}

/// Of a product.
pub(crate) const fn product_status(state: HoldingState) -> &'static str {
    match state {
        HoldingState::Active => "Active",
        HoldingState::PastDue => "PastDue",
        HoldingState::Suspended => "Disabled",
        HoldingState::Cancelled => "Cancelled",
        HoldingState::Expired => "Expired",
        HoldingState::Deleted => "Inactive",
    }
}

/// How a product is billed.
pub(crate) const fn billing_frequency(frequency: BillingFrequency) -> &'static str {
    match frequency {
        BillingFrequency::OneTime => "OneTime",
        BillingFrequency::Monthly => "Monthly",
        BillingFrequency::UsageBased => "UsageBased",
    }
}

/// What `$filter` asks of products.
struct ProductFilter(Vec<Asked>);

/// One comparison of it.
enum Asked {
    Of(Property, Comparison),
    /// That it has a tag of this value.
    Tag(String, String),
}

/// What products can be filtered by.
#[derive(Clone, Copy)]
enum Property {
    DisplayName,
    Status,
    BillingFrequency,
    SkuId,
    SkuDescription,
    /// The books have no types of products: it is never what somebody asks for.
    ProductType,
}

/// Properties by their names; tags beside them.
const PROPERTIES: [(&str, Property); 7] = [
    ("billingFrequency", Property::BillingFrequency),
    ("displayName", Property::DisplayName),
    ("productType", Property::ProductType),
    ("productTypeId", Property::ProductType),
    ("skuDescription", Property::SkuDescription),
    ("skuId", Property::SkuId),
    ("status", Property::Status),
];

impl ProductFilter {
    fn of(billing: &Billing, query: &Query) -> Result<ProductFilter, Error> {
        match filter_of(query)? {
            Some(text) => ProductFilter::read(text, billing.reckoner.limits().filter_bytes),
            None => Ok(ProductFilter(Vec::new())),
        }
    }

    fn read(text: &str, most_bytes: u64) -> Result<ProductFilter, Error> {
        let asked = comparisons(text, most_bytes)?.into_iter().map(Asked::read);
        Ok(ProductFilter(asked.collect::<Result<_, _>>()?))
    }

    fn holds(&self, told: &ProductTold) -> bool {
        self.0.iter().all(|asked| asked.holds(told))
    }
}

impl Asked {
    fn read(asked: Comparison) -> Result<Asked, Error> {
        let bare = asked.name.rsplit('/').next().unwrap_or_default();
        if bare.eq_ignore_ascii_case("tags") {
            let tag = asked.value.split_once(':').filter(|_| asked.comparing == Comparing::Equal);
            let wrong = || Error::invalid("$filter", "tags are asked for by `eq 'key:value'`");
            let (key, value) = tag.ok_or_else(wrong)?;
            return Ok(Asked::Tag(key.to_owned(), value.to_owned()));
        }
        let known = PROPERTIES.iter().find(|(name, _)| bare.eq_ignore_ascii_case(name));
        let unknown = || {
            let names: Vec<&str> = PROPERTIES.iter().map(|(name, _)| *name).collect();
            let (name, names) = (&asked.name, names.join(", "));
            let problem = format!("`{name}` cannot be filtered by; supported: {names}, tags");
            Error::invalid("$filter", problem)
        };
        let (_, property) = known.ok_or_else(unknown)?;
        Ok(Asked::Of(*property, asked))
    }

    fn holds(&self, told: &ProductTold) -> bool {
        match self {
            Asked::Tag(key, value) => told.held.tags.get(key).is_some_and(|own| own == value),
            Asked::Of(property, Comparison { name: _, comparing, value }) => {
                let own = property.of(told);
                own.is_some_and(|own| {
                    comparing.holds(own.to_lowercase().cmp(&value.to_lowercase()))
                })
            }
        }
    }
}

impl Property {
    fn of(self, told: &ProductTold) -> Option<String> {
        match self {
            Property::DisplayName => Some(told.name.clone()),
            Property::Status => Some(product_status(told.held.state).to_owned()),
            Property::BillingFrequency => {
                Some(billing_frequency(told.billing_frequency).to_owned())
            }
            Property::SkuId => Some(told.held.offer.id.to_string()),
            Property::SkuDescription => told.held.offer.name.clone(),
            Property::ProductType => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described_holdings::product;

    #[test]
    fn products_are_filtered_by_what_they_are_and_by_their_tags() {
        let check = |text: &str, expected: bool| {
            let filter = ProductFilter::read(text, 4_096).unwrap();
            assert_eq!(filter.holds(&product()), expected, "{text}");
        };
        check("displayName eq 'support'", true);
        check("properties/displayName gt 'T'", false);
        check("properties/status eq 'Active' and billingFrequency eq 'Monthly'", true);
        check("status eq 'Active' and billingFrequency eq 'OneTime'", false);
        check("skuId eq 'payg' and SkuDescription ge 'pay'", true);
        check("tags eq 'team:data'", true);
        check("tags eq 'team:shop'", false);
        check("tags eq 'fleet:data'", false);
        // No product has a type.
        check("properties/productType eq 'Subscription'", false);
        check("productTypeId lt 'Z'", false);
    }

    #[test]
    fn what_no_product_can_be_filtered_by_is_refused() {
        let check = |text: &str, expected: &str| {
            let refused = ProductFilter::read(text, 4_096).err().map(|error| error.to_string());
            assert_eq!(refused.as_deref(), Some(expected), "{text}");
        };
        let tags = "$filter: tags are asked for by `eq 'key:value'`";
        check("tags eq 'team'", tags);
        check("tags gt 'team:data'", tags);
        check(
            "properties/quantity eq 1",
            "$filter: `properties/quantity` cannot be filtered by; supported: billingFrequency, \
             displayName, productType, productTypeId, skuDescription, skuId, status, tags",
        );
    }
}
