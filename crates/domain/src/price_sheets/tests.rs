//! A sheet says what rating does.

use super::*;
use crate::catalog::Aggregation;
use crate::company::Company;
use crate::fixtures::{
    account, card, company, graduated, known, list, meter_id, n, package, per_unit, price, sheet,
    span, t, volume,
};
use crate::ids::OfferId;
use crate::pricing::{Share, Step, Terms, slices};
use crate::timeline::Timeline;
use crate::usage::Dimension;
use money::{Currency, Rounding};
use std::sync::Arc;

fn shown(price: &Price) -> String {
    let one = |tier: SheetTier| {
        let per =
            if tier.block == Fixed18::ONE { String::new() } else { format!("/{}", tier.block) };
        let mark = if tier.zone == SheetZone::Included { " included" } else { "" };
        format!("{}: {}{per}{mark}", tier.from, tier.price)
    };
    tiers(price).unwrap().into_iter().map(one).collect::<Vec<_>>().join(", ")
}

fn including(included: &str, model: PricingModel) -> Price {
    Price { included: n(included), ..price(model) }
}

#[test]
fn what_is_included_lies_below_the_first_tier() {
    let check = |price: Price, expected: &str| assert_eq!(shown(&price), expected);
    check(price(per_unit("0.1")), "0: 0.1");
    check(including("5", per_unit("0.1")), "0: 0 included, 5: 0.1");
    check(including("5", graduated("0: 3, 10: 2")), "0: 0 included, 5: 3, 15: 2");
    check(price(volume("0: 3, 10: 2")), "0: 3, 10: 2");
    check(price(package("1000", "4", Rounding::AwayFromZero)), "0: 4/1000");
    check(price(PricingModel::Percentage { percent: n("2.5") }), "0: 0.025");
}

/// What a quantity costs by a sheet whose tiers each have their own price.
fn by_sheet(price: &Price, quantity: Fixed18) -> Fixed18 {
    let tiers = tiers(price).unwrap();
    let ends = tiers.iter().skip(1).map(|next| next.from.min(quantity)).chain([quantity]);
    let cost = |(tier, end): (&SheetTier, Fixed18)| {
        let used = end.checked_sub(tier.from).unwrap().max(Fixed18::ZERO);
        let blocks = used.blocks(tier.block, Rounding::AwayFromZero).unwrap();
        let used = if tier.block == Fixed18::ONE { used } else { blocks };
        used.checked_mul(tier.price, 18, Rounding::HalfAwayFromZero).unwrap()
    };
    Fixed18::checked_sum(tiers.iter().zip(ends).map(cost)).unwrap()
}

#[test]
fn quantity_by_tier_times_its_price_is_what_rating_makes_of_it() {
    let check = |price: Price, quantities: &[&str]| {
        for quantity in quantities.iter().map(|text| n(text)) {
            let terms = Terms {
                model: &price.model,
                included: price.included,
                share: &Share::Whole,
                places: price.cost_places,
                rounding: price.rounding,
            };
            let step = Step { before: Fixed18::ZERO, quantity, window_total: quantity };
            let mut rated = Vec::new();
            slices(&terms, step, &mut rated).unwrap();
            let rated = Fixed18::checked_sum(rated.iter().map(|slice| slice.cost)).unwrap();
            assert_eq!(by_sheet(&price, quantity), rated, "{quantity} of {price:?}");
        }
    };
    let quantities = ["0", "4", "5", "5.5", "15", "15.25", "4000"];
    check(price(per_unit("0.0089")), &quantities);
    check(including("5", per_unit("0.0089")), &quantities);
    check(including("5", graduated("0: 3, 10: 2, 100: 0.5")), &quantities);
    check(including("5", package("10", "4", Rounding::AwayFromZero)), &quantities);
    check(price(PricingModel::Percentage { percent: n("2.5") }), &quantities);
}

fn with_lists(lists: Vec<PriceList>) -> Company {
    let mut company = company(Aggregation::Sum, Vec::new());
    company.price_lists = lists.into_iter().map(|list| (list.id.clone(), list)).collect();
    company
}

fn from(day: &str, lineage: &str, model: PricingModel) -> Price {
    Price { lineage: lineage.to_owned(), effective_from: t(day), ..price(model) }
}

fn where_country(value: &str, lineage: &str, model: PricingModel) -> Price {
    let condition = Condition { dimension: Dimension::Country, value: value.to_owned() };
    Price { lineage: lineage.to_owned(), conditions: vec![condition], ..price(model) }
}

/// Prices of March with when they hold, their list price and their base price.
fn sheet_of(company: Company, profile: Option<&str>, signed: Option<&str>) -> Vec<String> {
    sheet_in(company, (profile, signed), span("2026-03-01", "2026-04-01"))
}

/// The same of another billing period.
fn sheet_in(
    company: Company,
    (profile, signed): (Option<&str>, Option<&str>),
    period: Interval,
) -> Vec<String> {
    let book = PriceBook::new(Arc::new(company));
    let (account, offer, meter) = (account("a"), OfferId::new("O").unwrap(), meter_id("m"));
    let buyer = Buyer { billing_account: &account, profile, offer: Some(&offer) };
    let held = held_prices(&book, buyer, &meter, period);
    let told = |price: Option<Fixed18>| price.map_or("-".to_owned(), |price| price.to_string());
    let mut lines = Vec::new();
    for held in held {
        let HeldPrice { list, price, during } = held;
        let tiers_of = |price: Option<&Price>| price.map(|price| tiers(price).unwrap());
        let listed = tiers_of(list_price(&book, buyer, &held)).unwrap_or_default();
        let base = tiers_of(base_price((&book, signed.map(t)), buyer, &held)).unwrap_or_default();
        for tier in tiers(price).unwrap() {
            let (listed, base) = (price_at(&listed, &tier), price_at(&base, &tier));
            let (start, end) = (during.start().day(), during.end().day());
            let (from, cost) = (tier.from, tier.price);
            let (id, listed, base) = (&list.id, told(listed), told(base));
            lines.push(format!("{id} {start} {end} {from}: {cost} list {listed} base {base}"));
        }
    }
    lines
}

#[test]
fn a_sheet_tells_the_prices_that_rating_finds_and_when() {
    let check = |lists: Vec<PriceList>, profile: Option<&str>, expected: &[&str]| {
        assert_eq!(sheet_of(with_lists(lists), profile, None), expected);
    };
    let card = |prices: Vec<Price>| list("card", card("O"), prices);
    let agreed =
        |prices: Vec<Price>| list("agreed", sheet("a", Some("p"), "2026-01", None), prices);
    let month = "2026-03-01 2026-04-01";
    let listed = card(vec![price(per_unit("2"))]);
    let own = agreed(vec![price(per_unit("1"))]);
    check(
        vec![listed.clone(), own.clone()],
        Some("p"),
        &[&format!("agreed {month} 0: 1 list 2 base -")],
    );
    check(vec![listed.clone(), own], None, &[&format!("card {month} 0: 2 list 2 base -")]);
    // What an earlier list asks of some records only, a later one asks of the others.
    let some = agreed(vec![where_country("DE", "de", per_unit("1"))]);
    check(
        vec![listed, some.clone()],
        Some("p"),
        &[
            &format!("agreed {month} 0: 1 list 2 base -"),
            &format!("card {month} 0: 2 list 2 base -"),
        ],
    );
    let never = card(vec![where_country("DE", "german", per_unit("3"))]);
    check(vec![never, some], Some("p"), &[&format!("agreed {month} 0: 1 list 3 base -")]);
    let twice = card(vec![
        from("2026-01-01", "x", per_unit("2")),
        from("2026-03-10", "x", graduated("0: 4, 10: 3")),
        from("2026-04-01", "x", per_unit("5")),
    ]);
    check(
        vec![twice],
        None,
        &[
            "card 2026-03-01 2026-03-10 0: 2 list 2 base -",
            "card 2026-03-10 2026-04-01 0: 4 list 4 base -",
            "card 2026-03-10 2026-04-01 10: 3 list 3 base -",
        ],
    );
}

#[test]
fn a_buyer_that_moves_has_the_prices_of_both_regions() {
    let of = |id: &str, region: &str, model: PricingModel| {
        let mut list = list(id, card("O"), vec![price(model)]);
        if let PriceReach::Offer { region: sold_in, .. } = &mut list.reach {
            *sold_in = region.to_owned();
        }
        list
    };
    let mut company =
        with_lists(vec![of("us", "US", per_unit("1")), of("de", "DE", per_unit("2"))]);
    let steps = [("2026-01-01", "US"), ("2026-03-15", "DE")];
    let steps = steps.map(|(from, region)| (t(from), known("", region)));
    company.accounts.get_mut(&account("a")).unwrap().known = Timeline::new("known", steps).unwrap();
    let expected = [
        "us 2026-03-01 2026-03-15 0: 1 list 1 base -",
        "de 2026-03-15 2026-04-01 0: 2 list 2 base -",
    ];
    assert_eq!(sheet_of(company, None, None), expected);
}

#[test]
fn the_base_price_is_that_of_the_signature_or_of_the_first_price_if_that_is_later() {
    let prices = vec![
        from("2025-06-01", "x", per_unit("4")),
        from("2026-01-01", "x", per_unit("3")),
        from("2026-02-01", "x", per_unit("2")),
    ];
    let check = |signed: Option<&str>, expected: &str| {
        let lists = vec![list("card", card("O"), prices.clone())];
        let told = sheet_of(with_lists(lists), None, signed);
        assert_eq!(told, [format!("card 2026-03-01 2026-04-01 0: 2 list 2 base {expected}")]);
    };
    check(None, "-");
    check(Some("2025-01-01"), "4");
    check(Some("2025-12-31"), "4");
    check(Some("2026-01-15"), "3");
    check(Some("2026-03-15"), "2");
}

#[test]
fn the_base_price_may_stand_in_a_list_that_another_followed() {
    let check = |company: Company, signed: &str, expected: &str| {
        let later = span("2027-02-01", "2027-03-01");
        let told = sheet_in(company, (None, Some(signed)), later);
        let [line] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(line.rsplit_once("base ").unwrap().1, expected, "signed {signed}: {line}");
    };
    let agreed = |id: &str, from: &str, until: Option<&str>, price_of: &str| {
        list(id, sheet("a", None, from, until), vec![price(per_unit(price_of))])
    };
    let (first, next) =
        (agreed("A", "2026-01", Some("2026-12"), "0.011"), agreed("B", "2027-01", None, "0.02"));
    let followed = || with_lists(vec![first.clone(), next.clone()]);
    check(followed(), "2025-06-01", "0.011");
    check(followed(), "2026-01-01", "0.011");
    check(followed(), "2026-12-31T23:59:59Z", "0.011");
    check(followed(), "2027-01-01", "0.02");
    // While nothing priced the meter, it was not available.
    let early = agreed("A", "2026-01", Some("2026-03"), "0.011");
    check(with_lists(vec![early, next.clone()]), "2026-06-01", "0.02");
    let euros = PriceList { currency: Currency::parse("EUR").unwrap(), ..first };
    check(with_lists(vec![euros, next]), "2026-01-01", "0.02");

    // So with the rate card of a region that the buyer has left.
    let sold_in = |id: &str, region: &str, price_of: &str| {
        let offer = OfferId::new("O").unwrap();
        let reach = PriceReach::Offer { offer, region: region.to_owned(), locales: Vec::new() };
        list(id, reach, vec![price(per_unit(price_of))])
    };
    let mut moved = with_lists(vec![sold_in("us", "US", "0.5"), sold_in("de", "DE", "0.7")]);
    let steps = [("2026-01-01", "US"), ("2026-03-15", "DE")];
    let steps = steps.map(|(from, region)| (t(from), known("", region)));
    moved.accounts.get_mut(&account("a")).unwrap().known = Timeline::new("known", steps).unwrap();
    check(moved.clone(), "2025-06-01", "0.5");
    check(moved, "2026-03-15", "0.7");
}
