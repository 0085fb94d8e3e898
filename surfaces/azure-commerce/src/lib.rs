//! Microsoft.Commerce: usage aggregates and rate cards of a subscription.
//!
//! Contract: Microsoft.Commerce `2015-06-01-preview`, and `2016-08-31-preview` for the rate card.
//! Known differences: `docs/deviations/azure-commerce.md`.

mod rate_card;
mod usage_aggregates;

use armkit::{ArmError, LetterCase, correlate, remaining_reads};
use axum::http::HeaderName;
use axum::http::header::HeaderValue;
use domain::access::Caller;
use domain::ids::SubscriptionId;
use httpkit::{Group, House, LimitKey, Limiter, Surface};
use service::Reckoner;
use std::sync::Arc;

/// Where everything of this surface stands.
const PROVIDER: &str = "/subscriptions/{subscription}/providers/Microsoft.Commerce";

/// What handlers work with.
#[derive(Clone)]
struct Commerce {
    reckoner: Reckoner,
    limiter: Arc<Limiter>,
}

/// The surface.
///
/// # Panics
///
/// Never: its paths spell each segment in one way, which a test checks.
pub fn surface(reckoner: &Reckoner, house: &House) -> Surface {
    let group = group();
    let letter_case = LetterCase::new(group.operations()).expect("each segment has one spelling");
    let state = Commerce { reckoner: reckoner.clone(), limiter: Arc::new(house.limiter()) };
    let mut surface = Surface::new("azure-commerce", group, state, house.frame(armkit::render));
    let clock = reckoner.clone();
    let now = Arc::new(move || clock.system_now().to_string());
    surface.router = correlate(surface.router, now);
    surface.rewrites.push(letter_case.into_rewrite());
    surface
}

fn group() -> Group<Commerce> {
    Group::new()
        .get("UsageAggregates_List", PROVIDER, "/UsageAggregates", usage_aggregates::list)
        .get("RateCard_Get", PROVIDER, "/RateCard", rate_card::get)
        .get("RateCard_Download", PROVIDER, "/RateCard/download", rate_card::download)
}

impl Commerce {
    /// Counts a read of the caller on a subscription; gives the header that says what is left.
    /// Subscriptions that the caller may not know of count together.
    fn count_read(
        &self,
        caller: &Caller,
        subscription: &SubscriptionId,
    ) -> Result<(HeaderName, HeaderValue), ArmError> {
        let is_known = self.reckoner.knows(caller, subscription);
        // No segment of a path is a question mark.
        let scope = if is_known { subscription.as_str() } else { "?" }.to_owned();
        let key = LimitKey { principal: caller.actor(), scope };
        Ok(remaining_reads(self.limiter.check(&key)?))
    }
}

/// The subscription of a path; one that cannot be is missing like any other.
fn subscription(given: &str) -> Result<SubscriptionId, ArmError> {
    SubscriptionId::new(given)
        .map_err(|_| ArmError::from(domain::Error::not_found("subscription", given)))
}

#[cfg(test)]
mod tests;
