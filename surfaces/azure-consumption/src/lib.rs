//! Microsoft.Consumption: what was used and what it cost, balances, prices, budgets.
//!
//! Contract: Microsoft.Consumption `2019-10-01` and `2021-10-01`; `2023-05-01`, which `az` sends,
//! is answered in the shapes of the second.
//! Known differences: `docs/deviations/azure-consumption.md`.

mod aggregated_cost;
mod amounts;
mod at;
mod balances;
mod budgets;
mod budgets_given;
mod charges;
mod credits;
mod days;
#[cfg(test)]
#[path = "../../../tests/arm/definitions.rs"]
mod definitions;
#[cfg(test)]
mod described;
mod details_asked;
mod events;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod examples_money;
mod forecasts;
mod kinds;
mod legacy_details;
mod listing;
mod lots;
mod marketplaces;
mod modern_details;
mod operations;
mod price_sheets;
mod recommendation_details;
mod recommendations;
mod reservation_transactions;
mod reservation_usage;
mod reservations;
mod resource;
mod scopes;
mod tags;
mod usage_details;

use armkit::{
    Knows, LetterCase, Pages, Unasked, correlate, counted, json_bodies, render, uncached, versions,
};
use at::Version;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, StatusCode};
use axum::middleware::map_response;
use axum::response::Response;
use domain::access::Caller;
use domain::ids::SubscriptionId;
use httpkit::{Group, House, Surface, conditional_here};
use operations::Rights;
use service::Reckoner;
use std::sync::Arc;

/// Where everything of this surface hangs, below its scope.
pub(crate) const PROVIDER: &str = "/providers/Microsoft.Consumption";

/// When to ask again, as the descriptions of both versions name it.
const CONSUMPTION_RETRY: HeaderName =
    HeaderName::from_static("x-ms-ratelimit-microsoft.consumption-retry-after");

/// What each group serves of a version.
const GROUPS: [fn(Version) -> Group<Consumption>; 14] = [
    aggregated_cost::group,
    balances::group,
    budgets::group,
    charges::group,
    credits::group,
    events::group,
    forecasts::group,
    lots::group,
    marketplaces::group,
    operations::group,
    price_sheets::group,
    reservations::group,
    tags::group,
    usage_details::group,
];

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct Consumption {
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
    let letter_case = LetterCase::new(group.operations()).expect("each segment has one spelling");
    let limiter = Arc::new(house.limiter());
    let (rights, pages) = (Arc::new(Rights::of(&served())), listing::pages(reckoner));
    let state = Consumption { reckoner: reckoner.clone(), rights, pages };
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
    let mut surface = Surface::new("azure-consumption", group, state, house.frame(render));
    let clock = reckoner.clone();
    let now = Arc::new(move || clock.system_now().to_string());
    surface.router = correlate(uncached(surface.router), now).layer(map_response(retry_told));
    surface.rewrites.push(letter_case.into_rewrite());
    surface
}

/// Whether a caller may know of a subscription.
fn knows(reckoner: Reckoner) -> Knows {
    Arc::new(move |caller: &Caller, name: &str| {
        SubscriptionId::new(name).is_ok_and(|subscription| reckoner.knows(caller, &subscription))
    })
}

/// Says once more when to ask again, under the name that the contract has for it.
async fn retry_told(mut response: Response) -> Response {
    if response.status() == StatusCode::TOO_MANY_REQUESTS
        && let Some(seconds) = response.headers().get(RETRY_AFTER).cloned()
    {
        response.headers_mut().insert(CONSUMPTION_RETRY, seconds);
    }
    response
}

/// What is served of each version, at the addresses of the contract.
fn served() -> Vec<(Version, Group<Consumption>)> {
    let all = |version: Version| {
        let groups = GROUPS.iter().map(|group| group(version));
        (version, groups.fold(Group::new(), Group::merge))
    };
    Version::ALL.into_iter().map(all).collect()
}

/// What is served of each name of a version, with the scopes of each operation written out, and
/// beside the contract what its clients ask at other addresses.
///
/// Errors: [`domain::Error::Invalid`] when a version has one verb on one path twice.
fn group() -> domain::Result<Group<Consumption>> {
    let mut all = Vec::new();
    for name in at::VERSIONS {
        for (version, group) in served() {
            if Version::of(name) == version {
                all.push((name, scopes::written_out(group)));
            }
        }
        if Version::of(name) == Version::V2021 {
            all.push((name, balances::beside_the_second()));
        }
    }
    versions(all, Vec::new(), Unasked::default())
}

#[cfg(test)]
mod tests;
