//! Microsoft.Billing: the structure of billing accounts, who may do what there, invoices.
//!
//! Contract: Microsoft.Billing `2019-10-01-preview` and `2020-05-01`, and what clients still send
//! in versions before these (`aliases`).
//! Known differences: `docs/deviations/azure-billing.md`.

mod addresses;
mod aliases;
mod at;
#[cfg(test)]
mod bodies;
#[cfg(test)]
#[path = "../../../tests/arm/definitions.rs"]
mod definitions;
#[cfg(test)]
mod described;
#[cfg(test)]
mod described_holdings;
#[cfg(test)]
mod described_invoices;
#[cfg(test)]
mod described_lines;
mod downloads;
#[cfg(test)]
mod examples;
mod given;
mod invoice_files;
mod invoices;
mod jobs;
mod kinds;
mod listing;
mod operations;
mod reading;
mod resource;
mod roles;
mod same;
mod sheet_file;
mod v2019;
mod v2020;
mod writing;

use armkit::{
    ArmError, Knows, LetterCase, Pages, Unasked, correlate, counted, json_bodies, uncached,
    versions,
};
use domain::access::Caller;
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::{Error, Kind};
use httpkit::{Group, House, Surface, conditional_here};
use operations::Rights;
use service::{AccountTold, Reckoner};
use std::sync::Arc;

/// Where everything of this surface stands but what hangs on a subscription.
pub(crate) const PROVIDER: &str = "/providers/Microsoft.Billing";
/// The first version.
const V2019: &str = "2019-10-01-preview";
/// The second version.
const V2020: &str = "2020-05-01";

/// Operations of [`V2019`] that do not declare `api-version`: served without it too.
///
/// Source: `microsoft-billing.md` section 3.
const IMPLICIT: [&str; 17] = [
    "BillingSubscriptions_Transfer",
    "BillingSubscriptions_ValidateTransfer",
    "InvoiceSections_ElevateToBillingProfile",
    "PartnerTransfers_Cancel",
    "PartnerTransfers_Get",
    "PartnerTransfers_Initiate",
    "PartnerTransfers_List",
    "Products_ValidateTransfer",
    "RecipientTransfers_Accept",
    "RecipientTransfers_Decline",
    "RecipientTransfers_Get",
    "RecipientTransfers_List",
    "RecipientTransfers_Validate",
    "Transfers_Cancel",
    "Transfers_Get",
    "Transfers_Initiate",
    "Transfers_List",
];

/// Addresses of results: clients follow them with whatever version they have.
const ANY_VERSION: [&str; 3] = [jobs::RESULT, jobs::STATUS, downloads::RESULT];

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct Billing {
    pub(crate) reckoner: Reckoner,
    rights: Arc<Rights>,
    pages: Pages,
}

/// The surface.
///
/// # Panics
///
/// Never: each version has one verb on one path once, and its paths spell each segment in one way,
/// which a test checks.
pub fn surface(reckoner: &Reckoner, house: &House) -> Surface {
    let group = group().expect("each version has one verb on one path once");
    // Nobody signs in to follow a link, and a file is not kept in memory for its tag.
    let open = downloads::open().merge(invoice_files::open());
    let operations = group.operations().iter().chain(open.operations());
    let letter_case = LetterCase::new(operations).expect("each segment has one spelling");
    let limiter = Arc::new(house.limiter());
    let (rights, pages) = (Arc::new(Rights::of(&served())), listing::pages(reckoner));
    let state = Billing { reckoner: reckoner.clone(), rights, pages };
    let group = group.within(json_bodies);
    let group = group.within(|routes| {
        let reckoner = reckoner.clone();
        conditional_here(routes, state.clone(), move || {
            let reckoner = reckoner.clone();
            Box::pin(async move { reckoner.newest_version().await })
        })
    });
    let knows = knows(reckoner.clone());
    let group = group.within(|routes| counted(routes, limiter, knows));
    let group = group.merge(open);
    let mut surface = Surface::new("azure-billing", group, state, house.frame(armkit::render));
    let clock = reckoner.clone();
    let now = Arc::new(move || clock.system_now().to_string());
    surface.router = correlate(uncached(surface.router), now);
    surface.rewrites.push(letter_case.into_rewrite());
    surface
}

/// Whether a caller may know of a subscription.
fn knows(reckoner: Reckoner) -> Knows {
    Arc::new(move |caller: &Caller, name: &str| {
        SubscriptionId::new(name).is_ok_and(|subscription| reckoner.knows(caller, &subscription))
    })
}

/// What is served of each version.
fn served() -> Vec<(&'static str, Group<Billing>)> {
    let v2019 = v2019::group().merge(operations::group_2019()).merge(addresses::group_2019());
    let v2020 = v2020::group().merge(operations::group_2020()).merge(addresses::group_2020());
    vec![(V2019, v2019), (V2020, v2020)]
}

/// What is published of each version, the results of what takes its time or is a file, and the
/// further pages of lists that a POST begins.
///
/// Errors: [`Error::Invalid`] when a version has one verb on one path twice.
fn group() -> domain::Result<Group<Billing>> {
    // What answers link to stands in no description.
    let linked = [
        (V2019, jobs::group()),
        (V2019, downloads::group()),
        (V2019, v2019::sections::further()),
        (V2020, v2020::sections::further()),
    ];
    let all = served().into_iter().chain(linked).collect();
    versions(all, aliases::groups(), Unasked { implicit: &IMPLICIT, any: &ANY_VERSION })
}

impl Billing {
    /// The account of a path, for an operation.
    ///
    /// Errors: 404 in the same words for one that is missing and one that the caller holds no role
    /// on; 400 where the operation is not for its kind of agreement.
    pub(crate) async fn account(
        &self,
        caller: &Caller,
        name: &str,
        operation: &str,
    ) -> Result<AccountTold, ArmError> {
        let missing = || Error::not_found("billing account", name);
        let id = BillingAccountId::new(name).map_err(|_| missing())?;
        let found = self.reckoner.billing_account(caller, &id).await;
        let account = found.map_err(|e| if e.kind() == Kind::NotFound { missing() } else { e })?;
        kinds::demand(operation, account.kind)?;
        Ok(account)
    }
}

#[cfg(test)]
mod tests;
