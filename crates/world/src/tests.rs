//! What must hold in every world.

mod accounts;
mod messaging;

use super::*;
use calendar::BillingPeriod;
use domain::company::Company;
use domain::pricing::PriceBook;
use domain::rating::{Counters, Rated, RatingUnit, rate};
use domain::resolve::{Kept, resolve};
use domain::usage::{LoggedRecord, Position, QuarantineReason};
use money::Fixed18;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn demo() -> World {
    World::demo(7, [1; 32])
}

/// The ids of [`demo`].
fn ids(world: &World) -> Ids {
    let ids = Ids::draw(&mut Draw::new(7, 0), &mut Draw::new(7, 4));
    assert_eq!(ids.tenant(), world.tenant);
    ids
}

fn company_of(world: &World) -> Company {
    world.declared.over(&Company::default())
}

#[test]
fn one_seed_makes_one_world() {
    let (first, second) = (demo(), demo());
    assert_eq!(first.declared, second.declared);
    assert!(first.events().eq(second.events()));
    let other = World::demo(8, [1; 32]);
    assert_ne!(first.own, other.own);
    assert!(!first.events().map(|e| e.quantity).eq(other.events().map(|e| e.quantity)));
}

#[test]
fn only_secrets_come_from_the_callers_bytes() {
    let (first, second) = (demo(), World::demo(7, [2; 32]));
    assert!(first.events().eq(second.events()));
    assert_eq!(first.own, second.own);
    let secrets: BTreeSet<String> =
        first.clients.iter().chain(&second.clients).map(|client| client.secret.clone()).collect();
    assert_eq!(secrets.len(), 14);
    assert!(!format!("{first:?}").contains(&first.clients[0].secret));
}

#[test]
fn the_declaration_stands_by_itself() {
    assert_eq!(demo().declared.problems(&Company::default()), Vec::<String>::new());
    let keys: BTreeSet<_> = demo().declared.things.iter().map(|t| (t.kind(), t.key())).collect();
    assert_eq!(keys.len(), demo().declared.things.len(), "each thing once");
}

#[test]
fn record_ids_are_unique_and_reported_in_order() {
    let world = demo();
    let keys: BTreeSet<_> = world.events().map(|event| event.key).collect();
    assert_eq!(keys.len(), world.events().len());
    assert!((9_000..=19_000).contains(&world.events().len()), "{}", world.events().len());
    assert!(world.events().all(|event| event.reported_at.is_some_and(|at| at <= world.now)));
    assert!(world.events().all(|event| event.reported_at >= Some(event.service_period.end())));
}

#[test]
fn the_own_subscription_fills_more_than_three_pages() {
    let world = demo();
    let rows: BTreeSet<_> = world
        .events()
        .filter(|event| event.subscription == world.own)
        .filter(|event| event.reported_at.is_some_and(|at| world.usage_window.contains(at)))
        .map(|event| (event.service_period.start().day(), event.meter, event.resource))
        .collect();
    assert!(rows.len() > 3_000, "{}", rows.len());
    let periods: BTreeSet<_> =
        rows.iter().map(|(day, ..)| BillingPeriod::of(day.start())).collect();
    assert_eq!(periods.len(), 4, "three past months and the open one");
}

#[test]
fn one_window_is_complete_and_one_waits_for_a_source() {
    let world = demo();
    let company = company_of(&world);
    let payers: BTreeSet<_> = company.subscriptions[&world.own]
        .placements
        .iter()
        .map(|placement| placement.billing_account.clone())
        .collect();
    let waits = |until: Instant| {
        company.sources.values().any(|source| {
            let reported = world
                .events()
                .filter(|event| event.key.source == source.name)
                .filter_map(|event| event.reported_at)
                .max();
            source.billing_accounts.iter().any(|account| payers.contains(account))
                && reported < Some(until)
                && world.now < until.plus_micros(source.grace_micros)
        })
    };
    assert!(!waits(world.usage_window.end()));
    assert!(waits(world.usage_window_incomplete.end()));
    assert!(world.usage_window_incomplete.end() <= world.now);
}

#[test]
fn the_world_has_its_oddities() {
    let world = demo();
    let count = |what: &dyn Fn(&UsageRecord) -> bool| world.events().filter(|e| what(e)).count();
    let late = |event: &UsageRecord| {
        event.reported_at.is_some_and(|at| at.since(event.service_period.end()) > DAY_MICROS)
    };
    assert!((40..400).contains(&count(&late)), "late: {}", count(&late));
    let negative = |event: &UsageRecord| event.quantity.is_negative();
    assert!((3..60).contains(&count(&negative)), "negative: {}", count(&negative));
    let hourly = |event: &UsageRecord| event.service_period.micros() == DAY_MICROS / 24;
    assert!(count(&hourly) > 2_000, "hourly: {}", count(&hourly));
    assert_eq!(count(&|event| event.act != Act::Use), 2);
    assert!(count(&|event| event.billable == domain::usage::Billable::No) > 0);
    assert!(count(&|event| event.subscription == world.foreign) > 500);
}

const DAY_MICROS: i64 = calendar::MICROS_PER_DAY;

/// Rates a billing account's usage of a period.
fn rated(world: &World, book: &PriceBook, account: &BillingAccountId, at: &str) -> Rated {
    let period = BillingPeriod::parse(at).expect("a period");
    let mut kept = Vec::new();
    for (sequence, record) in (0..).zip(world.events()) {
        if record.key.billing_account == *account
            && BillingPeriod::of(record.service_period.start()) == period
        {
            let position = Position { shard: 0, sequence, epoch: 1 };
            let acknowledged_at = world.now;
            let logged = LoggedRecord { position, acknowledged_at, record };
            kept.push(Kept { logged, key_hash: u128::from(sequence), conflict_of: None });
        }
    }
    let resolved = resolve(kept, &[], &[]);
    assert!(resolved.quarantine.is_empty(), "{:?}", resolved.quarantine);
    rate(&RatingUnit {
        book,
        billing_account: account,
        period,
        records: &resolved.records,
        reservations: &[],
        carried: &Counters::default(),
    })
}

#[test]
fn everything_is_priced_but_one_record_and_comes_to_plausible_amounts() {
    let world = demo();
    let book = PriceBook::new(Arc::new(company_of(&world)));
    let mut waiting = Vec::new();
    for (account, least, most) in [
        (RETAILER, 5_000, 15_000),
        (ids::HAULIER, 200, 800),
        (ids::MESSENGER, 1_500, 9_000),
        (ids::MILL, 700, 1_300),
        (ids::PARTNER, 150, 500),
        (ids::STUDIO, 200, 400),
        (ids::PRESS, 100, 250),
    ] {
        let account = ids(&world).account(account);
        for period in ["2026-08", "2026-09", "2026-10", "2026-11"] {
            let rated = rated(&world, &book, &account, period);
            assert!(rated.failed.is_none(), "{account} {period}: {:?}", rated.failed);
            let currencies: BTreeSet<_> = rated.rows.iter().map(|row| row.cost.currency).collect();
            assert_eq!(currencies.len(), 1);
            let total = Fixed18::checked_sum(rated.rows.iter().map(|row| row.cost.major));
            let total = total.expect("a small sum");
            println!("{account} {period}: {total} in {} rows", rated.rows.len());
            let least = if period == "2026-11" { least / 2 } else { least };
            assert!(total >= Fixed18::from_int(least), "{account} {period}: {total}");
            assert!(total <= Fixed18::from_int(most), "{account} {period}: {total}");
            waiting.extend(rated.quarantine);
        }
    }
    let reasons: Vec<_> = waiting.iter().map(|waits| waits.reason).collect();
    assert_eq!(reasons, [QuarantineReason::UnknownMeter]);
}

#[test]
fn every_meter_used_stands_on_the_card_of_an_offer_that_has_one() {
    let world = demo();
    let company = company_of(&world);
    let mut used: BTreeMap<OfferId, BTreeSet<_>> = BTreeMap::new();
    for event in world.events().filter(|event| event.stated_cost.is_none()) {
        let subscription = &company.subscriptions[&event.subscription];
        let placement = subscription.placement_at(event.service_period.start());
        let offer = placement.expect("somebody pays").offer.clone();
        used.entry(offer).or_default().insert(event.meter);
    }
    let mut offers_with_card = 0;
    for (offer, meters) in used {
        let mut cards = company.rate_cards(&offer).peekable();
        offers_with_card += usize::from(cards.peek().is_some());
        for card in cards {
            assert!(meters.iter().all(|meter| card.prices.contains_key(meter)), "{offer}");
        }
    }
    assert_eq!(offers_with_card, 2);
}
