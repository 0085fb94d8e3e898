//! Moves: a holding stands somewhere else from an instant on.
//!
//! What a move does to tier counters is rating's: a placement is cut only when payer, profile or
//! offer change (architecture section 4, tier counter).

use crate::Error;
use crate::agreements::AgreementType;
use crate::company::Placement;
use crate::holdings::{BillingFrequency, Held, Holding, HoldingState, Standing, check_holding};
use crate::ids::{OfferId, ResellerId};
use crate::places::{Fault, Level, Place, PlaceFacts, PlaceKey, PlaceState, Places};
use crate::timeline::Timeline;
use calendar::{Instant, Interval};

/// Where a holding goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// From when.
    pub at: Instant,
    /// The place it will stand at.
    pub to: Place,
    /// The billing profile that will pay, where the place does not say it: of partners.
    pub profile: Option<String>,
    /// The offer there; none keeps the one it has.
    pub offer: Option<OfferId>,
    /// Who sold it.
    pub reseller: Option<ResellerId>,
    /// How far it may go.
    pub reach: MoveReach,
}

/// How far a move may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MoveReach {
    /// Within one billing account.
    Account,
    /// To another billing account: a transfer that both sides agreed to.
    Transfer,
}

/// Who pays and where it stands, after a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Sorted by start, not overlapping; equal to those before if neither payer, profile nor offer
    /// change.
    pub placements: Vec<Placement>,
    /// With the new place as the newest step.
    pub standings: Timeline<Standing>,
}

/// Why a holding cannot move. Source: the codes of `microsoft-billing.md` section 10.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody pays for it at that moment.
    #[error("nobody pays for it at {at}")]
    NotPaid {
        /// The moment.
        at: Instant,
    },
    /// It is not in use.
    #[error("it is not active")]
    NotActive,
    /// It was bought once and stays where it was bought.
    #[error("it was bought once and cannot move")]
    OneTimePurchase,
    /// The destination lies in another billing account.
    #[error("{to} lies in another billing account")]
    OtherAccount {
        /// The destination.
        to: PlaceKey,
    },
    /// Holdings of the agreement do not stand at such a place.
    #[error("nothing can stand at {to}")]
    WrongLevel {
        /// The destination.
        to: PlaceKey,
    },
    /// It stands there already.
    #[error("it stands at {to} already")]
    SamePlace {
        /// The destination.
        to: PlaceKey,
    },
    /// The destination is not there, or not yet.
    #[error("{place} does not exist")]
    NotFound {
        /// The destination.
        place: PlaceKey,
    },
    /// The place where it stands, or its profile, is in no state to give it.
    #[error("{place}, where it stands, is {state:?}")]
    Source {
        /// Which place.
        place: PlaceKey,
        /// Its state.
        state: PlaceState,
    },
    /// The destination, or its profile, is in no state to take it.
    #[error("{place}, where it would stand, is {state:?}")]
    Destination {
        /// Which place.
        place: PlaceKey,
        /// Its state.
        state: PlaceState,
    },
    /// What would result does not agree with the places.
    #[error(transparent)]
    Faulty(Fault),
    /// A later fact has been declared already.
    #[error("it has moved or changed after {at}")]
    LaterChange {
        /// The moment of the move.
        at: Instant,
    },
}

/// Moves a holding, or says why it cannot move. Nothing else about it changes.
///
/// Errors: [`Refusal`], the first that applies, in the order of its variants.
pub fn moved(
    places: &Places,
    holding: &Holding<'_>,
    order: &Move,
) -> std::result::Result<Moved, Refusal> {
    let at = order.at;
    let placement = placement_at(holding.placements, at).ok_or(Refusal::NotPaid { at })?;
    if holding.held.state.at(at) != Some(&HoldingState::Active) {
        return Err(Refusal::NotActive);
    }
    if holding.billing_frequency == BillingFrequency::OneTime {
        return Err(Refusal::OneTimePurchase);
    }
    destination(places, placement, order)?;
    let standing = holding.held.standings.at(at);
    let from = standing.and_then(|standing| standing.place.as_ref());
    if from == Some(&order.to) {
        return Err(Refusal::SamePlace { to: order.to.key.clone() });
    }
    let to = order.to.key.clone();
    places.facts_at(&order.to, at).ok_or(Refusal::NotFound { place: to })?;
    if let Some((place, state)) = from.and_then(|from| not_active(places, from, at)) {
        return Err(Refusal::Source { place, state });
    }
    if let Some((place, state)) = not_active(places, &order.to, at) {
        return Err(Refusal::Destination { place, state });
    }
    let next = Standing { place: Some(order.to.clone()), reseller: order.reseller.clone() };
    let payer = paying(places, placement, order);
    agrees(places, &payer, &next, at)?;
    let mut standings = holding.held.standings.clone();
    standings.push("standings", at, next).map_err(|_| Refusal::LaterChange { at })?;
    let placements = replaced(holding.placements, at, payer)?;
    Ok(Moved { placements, standings })
}

/// Whether the new payer and the new place agree from that moment on: whatever was before stays
/// as it is.
fn agrees(
    places: &Places,
    payer: &Placement,
    standing: &Standing,
    at: Instant,
) -> std::result::Result<(), Refusal> {
    let held = Held {
        created_by: None,
        state: Timeline::from(at, HoldingState::Active),
        standings: Timeline::from(at, standing.clone()),
    };
    let (billing_frequency, placements) =
        (BillingFrequency::UsageBased, std::slice::from_ref(payer));
    let holding = Holding { billing_frequency, placements, held: &held };
    let fault = check_holding(places, &holding).into_iter().next();
    fault.map_or(Ok(()), |fault| Err(Refusal::Faulty(fault)))
}

fn placement_at(placements: &[Placement], at: Instant) -> Option<&Placement> {
    placements.iter().find(|placement| placement.during.contains(at))
}

/// Whether the destination is one that this agreement's holdings may go to.
fn destination(
    places: &Places,
    placement: &Placement,
    order: &Move,
) -> std::result::Result<(), Refusal> {
    let to = &order.to;
    let is_same = to.billing_account == placement.billing_account;
    if !is_same && order.reach == MoveReach::Account {
        return Err(Refusal::OtherAccount { to: to.key.clone() });
    }
    let kind = places.of(&to.billing_account).map(|account| account.kind());
    if kind.and_then(Level::of_holdings) != Some(to.key.level) {
        return Err(Refusal::WrongLevel { to: to.key.clone() });
    }
    Ok(())
}

/// The place, or one that it lies below, that is not active.
fn not_active(places: &Places, place: &Place, at: Instant) -> Option<(PlaceKey, PlaceState)> {
    let account = places.of(&place.billing_account)?;
    let moment = Interval::new(at, at.plus_micros(1)).ok()?;
    account.upwards(&place.key, moment).into_iter().find_map(|(key, _)| {
        let PlaceFacts { state, .. } = account.places.get(key)?.at(at)?;
        (*state != PlaceState::Active).then(|| (key.clone(), *state))
    })
}

/// Who pays after the move, from its instant to the end of the placement that it cuts.
fn paying(places: &Places, before: &Placement, order: &Move) -> Placement {
    let account = &order.to.billing_account;
    let kept = if *account == before.billing_account { before.profile.clone() } else { None };
    let profile = match places.of(account) {
        Some(of) if of.kind() == AgreementType::Customer => of
            .enclosing(&order.to.key, Level::BillingProfile, order.at)
            .map(|key| key.id.to_string()),
        _ => order.profile.clone().or(kept),
    };
    Placement {
        during: before.during,
        billing_account: account.clone(),
        profile,
        offer: order.offer.clone().unwrap_or_else(|| before.offer.clone()),
    }
}

/// Puts the new payer in place of the old one's remaining time; nothing is cut if they are equal.
fn replaced(
    placements: &[Placement],
    at: Instant,
    next: Placement,
) -> std::result::Result<Vec<Placement>, Refusal> {
    let is_last = placements.iter().all(|placement| placement.during.start() <= at);
    if !is_last {
        return Err(Refusal::LaterChange { at });
    }
    if placements.contains(&next) {
        return Ok(placements.to_vec());
    }
    let until = next.during.end();
    let halves = |from: Instant| {
        let before = Interval::new(from, at).ok()?;
        Some((before, Interval::new(at, until).ok()?))
    };
    let (kept, rest) = halves(next.during.start()).ok_or(Refusal::NotPaid { at })?;
    let mut all: Vec<Placement> =
        placements.iter().filter(|one| one.during != next.during).cloned().collect();
    let old = placements.iter().find(|one| one.during == next.during && kept.start() < kept.end());
    all.extend(old.map(|old| Placement { during: kept, ..old.clone() }));
    all.push(Placement { during: rest, ..next });
    Ok(all)
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Conflict { what: "move", key: String::new(), problem: refusal.to_string() }
    }
}

#[cfg(test)]
mod tests;
