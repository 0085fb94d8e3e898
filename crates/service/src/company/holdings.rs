//! Twins of products, and of where a subscription or product stands.

use super::parties::{PlaceScope, Placement, placements, unless};
use super::text::Text;
use super::wrong::Wrong;
use calendar::Instant;
use domain::holdings::{self, AutoRenew, BillingFrequency, Held, HoldingState};
use domain::ids::{PrincipalId, ProductId, ResellerId};
use domain::timeline::Timeline;
use serde::{Deserialize, Serialize};

/// Where a holding stands, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standing {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<PlaceScope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reseller: Option<Text<ResellerId>>,
}

/// Whether a holding is in use, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    state: Text<HoldingState>,
}

/// What the books know of a holding: the keys that subscriptions and products share.
pub(super) struct Stands {
    pub(super) created_by: Option<Text<PrincipalId>>,
    pub(super) states: Vec<State>,
    pub(super) standings: Vec<Standing>,
}

impl TryFrom<Stands> for Held {
    type Error = Wrong;

    fn try_from(Stands { created_by, states, standings }: Stands) -> Result<Held, Wrong> {
        let states = states.into_iter().map(|State { from, state }| (start(from), state.0));
        let states: Vec<(Instant, HoldingState)> = states.collect();
        let state = if states.is_empty() {
            Timeline::from(Instant::MIN, HoldingState::Active)
        } else {
            timeline("states", states)?
        };
        let standings = standings.into_iter().map(|Standing { from, place, reseller }| {
            let standing = holdings::Standing {
                place: place.map(Into::into),
                reseller: reseller.map(|reseller| reseller.0),
            };
            (start(from), standing)
        });
        Ok(Held {
            created_by: created_by.map(|principal| principal.0),
            state,
            standings: timeline("standings", standings.collect())?,
        })
    }
}

fn start(from: Option<Text<Instant>>) -> Instant {
    from.map_or(Instant::MIN, |from| from.0)
}

/// The steps of a list, which must rise.
fn timeline<T>(key: &str, steps: Vec<(Instant, T)>) -> Result<Timeline<T>, Wrong> {
    let unsorted = steps.iter().zip(steps.iter().skip(1)).position(|(a, b)| b.0 <= a.0);
    if let Some(before) = unsorted {
        let path = format!("{key}[{}].from", before.saturating_add(1));
        return Err(Wrong::new(path, "must be after the one before"));
    }
    Timeline::new(key, steps).map_err(|_| Wrong::new(key, "must say it at least once"))
}

impl From<Held> for Stands {
    fn from(Held { created_by, state, standings }: Held) -> Stands {
        let is_usual = state == Timeline::from(Instant::MIN, HoldingState::Active);
        let states = state.spans().map(|(during, state)| State {
            from: unless(during.start(), Instant::MIN),
            state: Text(*state),
        });
        let standings = standings.spans().map(|(during, standing)| {
            let holdings::Standing { place, reseller } = standing.clone();
            Standing {
                from: unless(during.start(), Instant::MIN),
                place: place.map(Into::into),
                reseller: reseller.map(Text),
            }
        });
        Stands {
            created_by: created_by.map(Text),
            states: if is_usual { Vec::new() } else { states.collect() },
            standings: standings.collect(),
        }
    }
}

/// Something bought and held.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    id: Text<ProductId>,
    billing_frequency: Text<BillingFrequency>,
    facts: Vec<Facts>,
    placements: Vec<Placement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_by: Option<Text<PrincipalId>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    states: Vec<State>,
    standings: Vec<Standing>,
}

/// A product's name, and what happens at its end, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_renew: Option<Text<AutoRenew>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<Text<Instant>>,
}

impl TryFrom<Product> for holdings::Product {
    type Error = Wrong;

    fn try_from(twin: Product) -> Result<holdings::Product, Wrong> {
        let Product {
            id,
            billing_frequency,
            facts,
            placements: paid,
            created_by,
            states,
            standings,
        } = twin;
        let facts = facts.into_iter().map(|Facts { from, name, auto_renew, ends_at }| {
            let facts = holdings::ProductFacts {
                name,
                auto_renew: auto_renew.map_or(AutoRenew::Off, |auto_renew| auto_renew.0),
                ends_at: ends_at.map(|ends_at| ends_at.0),
            };
            (start(from), facts)
        });
        Ok(holdings::Product {
            id: id.0,
            billing_frequency: billing_frequency.0,
            facts: timeline("facts", facts.collect())?,
            placements: placements(paid)?,
            held: Stands { created_by, states, standings }.try_into()?,
        })
    }
}

impl From<holdings::Product> for Product {
    fn from(product: holdings::Product) -> Product {
        let holdings::Product { id, billing_frequency, facts, placements, held } = product;
        let facts = facts.spans().map(|(during, facts)| {
            let holdings::ProductFacts { name, auto_renew, ends_at } = facts.clone();
            Facts {
                from: unless(during.start(), Instant::MIN),
                name,
                auto_renew: unless(auto_renew, AutoRenew::Off),
                ends_at: ends_at.map(Text),
            }
        });
        let Stands { created_by, states, standings } = held.into();
        Product {
            id: Text(id),
            billing_frequency: Text(billing_frequency),
            facts: facts.collect(),
            placements: placements.into_iter().map(Placement::from).collect(),
            created_by,
            states,
            standings,
        }
    }
}
