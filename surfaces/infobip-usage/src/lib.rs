//! Usage queries of messaging accounts: asked for with a callback, answered behind the answer.
//!
//! Contract: `billing-usage-openapi.json`; of `account-management-openapi.json` sessions, tokens
//! and the list of accounts.
//! Known differences: `docs/deviations/infobip-usage.md`.

mod accounts;
mod asked;
mod columns;
mod members;
#[cfg(test)]
mod published;
mod queries;
mod refused;
mod results;
mod sessions;
mod told;
mod viewing;
mod xml;

use axum::Extension;
use axum::middleware::from_fn;
use httpkit::{Authenticate, Group, House, Limiter, Shown, Surface};
use service::Reckoner;
use std::sync::Arc;

/// The surface's name, which is its folder's.
pub(crate) const NAME: &str = "infobip-usage";
/// Where usage is asked for.
const QUERY: &str = "/billing/1/usage/query";

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct Usage {
    pub(crate) reckoner: Reckoner,
    pub(crate) limiter: Arc<Limiter>,
}

/// The surface. From now on it spells the results of its queries.
pub fn surface(reckoner: &Reckoner, house: &House) -> Surface {
    reckoner.show_usage_with(NAME, results::shape());
    let state = Usage { reckoner: reckoner.clone(), limiter: Arc::new(house.limiter()) };
    let mut frame = house.frame(refused::render);
    frame.sizes.body_most_bytes = frame.sizes.body_most_bytes.min(members::BODY_MOST_BYTES);
    let mut surface = Surface::new(NAME, group(), state, frame);
    let asking = reckoner.clone();
    // Here sessions and a client's own name and secret are credentials too.
    let authenticate = Authenticate::new(move |Shown { header, from, request_id }| {
        let reckoner = asking.clone();
        Box::pin(async move {
            let request_id = request_id.to_string();
            reckoner.caller_by_any(header.as_deref(), from, &request_id).await
        })
    });
    surface.router = surface.router.layer(Extension(authenticate)).layer(from_fn(refused::spell));
    surface
}

/// The operations; those of the contract have its names.
fn group() -> Group<Usage> {
    Group::new()
        .post("query-billing-usage", QUERY, "", queries::submit)
        .get("UsageQueries_List", QUERY, "", queries::list)
        .get("UsageQueries_Get", QUERY, "/{id}", queries::get)
        .delete("UsageQueries_Cancel", QUERY, "/{id}", queries::cancel)
        .get("UsageQueries_Result", QUERY, "/{id}/result", queries::result)
        .get("UsageQueries_Attempts", QUERY, "/{id}/attempts", queries::attempts)
        .post("UsageQueries_Resend", QUERY, "/{id}/resend", queries::resend)
        .get("UsageQueries_Secret", "/billing/1/usage", "/callback-secret", queries::secret)
        .post("create-session", "/auth/1", "/session", sessions::create)
        .delete("destroy-session", "/auth/1", "/session", sessions::destroy)
        .post("create-oauth2-token", "/auth/1", "/oauth2/token", sessions::token)
        .get("get-all-accounts", "/settings/1", "/accounts", accounts::list)
        .rest("/billing/1")
        .rest("/auth/1")
        .rest("/settings/1")
}

#[cfg(test)]
mod tests;
