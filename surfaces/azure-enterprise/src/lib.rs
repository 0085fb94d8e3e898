//! Reports of an enterprise agreement's enrollment: balances, usage, marketplace, prices,
//! reservations.
//!
//! Contract: `enterprise-reporting.md`, versions `v1` to `v4`.
//! Known differences: `docs/deviations/azure-enterprise.md`.

mod asked;
mod balances;
mod exports;
mod fresh;
mod marketplace;
mod periods;
mod prices;
mod reading;
mod refused;
mod reservation_rows;
mod reservations;
mod routes;
#[cfg(test)]
mod samples;
mod spelled;
mod usage;
mod usage_csv;
mod usage_members;

use armkit::LetterCase;
use httpkit::{Group, House, Limiter, Surface};
use routes::Routes;
use service::Reckoner;
use std::sync::Arc;

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct Enterprise {
    pub(crate) reckoner: Reckoner,
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
    let state = Enterprise { reckoner: reckoner.clone(), limiter: Arc::new(house.limiter()) };
    let frame = house.frame(refused::render);
    let mut surface = Surface::new("azure-enterprise", group, state, frame);
    surface.rewrites.push(letter_case.into_rewrite());
    surface
}

/// The groups: one line each.
fn group() -> Group<Enterprise> {
    Routes::new()
        .merge(periods::routes())
        .merge(balances::routes())
        .merge(usage::routes())
        .merge(usage_csv::routes())
        .merge(exports::routes())
        .merge(marketplace::routes())
        .merge(prices::routes())
        .merge(reservations::routes())
        .into_group()
}

#[cfg(test)]
mod tests;
