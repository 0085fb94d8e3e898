//! Which price holds.

use super::super::PriceBook;
use super::check::lineage;
use crate::catalog::{Aggregation, Price, PriceList, PriceReach};
use crate::company::{Company, Placement};
use crate::fixtures::{
    account, card, company, known, list, per_unit, placement, price, record, sheet, t,
};
use crate::timeline::Timeline;
use crate::usage::Dimension;
use calendar::Interval;
use money::Currency;
use std::sync::Arc;

fn with_lists(lists: Vec<PriceList>) -> Company {
    let mut company = company(Aggregation::Sum, Vec::new());
    company.price_lists = lists.into_iter().map(|list| (list.id.clone(), list)).collect();
    company
}

fn one(id: &str, reach: PriceReach) -> PriceList {
    list(id, reach, vec![price(per_unit("1"))])
}

fn found(
    company: Company,
    placement: &Placement,
    at: &str,
    dimensions: &[(Dimension, &str)],
) -> String {
    let mut usage = record("1", at, "1");
    usage.dimensions = dimensions.iter().map(|(d, v)| (*d, (*v).to_owned())).collect();
    let book = PriceBook::new(Arc::new(company));
    match book.find(&usage, placement) {
        Ok(found) => format!(
            "{} {} {}",
            found.list.id,
            found.price.lineage,
            found.price.effective_from.day()
        ),
        Err(reason) => reason.name().to_owned(),
    }
}

#[test]
fn an_agreed_sheet_goes_before_the_rate_card_and_a_profiles_before_the_accounts() {
    let here = placement("a", Interval::always());
    let check = |lists: &[PriceList], placement: &Placement, at: &str, expected: &str| {
        let found = found(with_lists(lists.to_vec()), placement, at, &[]);
        assert_eq!(found.split(' ').next(), Some(expected), "{at}");
    };
    let lists = [
        one("card", card("O")),
        one("agreed", sheet("a", None, "2026-02", Some("2026-03"))),
        one("own", sheet("a", Some("p"), "2026-03", None)),
        one("newer", sheet("a", None, "2026-03", None)),
        one("foreign", sheet("b", None, "2026-01", None)),
    ];
    check(&lists, &here, "2026-01-31T23:59:59Z", "card");
    check(&lists, &here, "2026-02-01", "agreed");
    check(&lists, &here, "2026-03-01", "newer");
    let of_profile = Placement { profile: Some("p".to_owned()), ..here.clone() };
    check(&lists, &of_profile, "2026-02-01", "agreed");
    check(&lists, &of_profile, "2026-03-01", "own");
    check(&lists[..2], &here, "2026-04-01", "card");
    check(&lists[1..2], &here, "2026-04-01", "no_price");
}

#[test]
fn a_sheet_without_the_meter_leaves_it_to_the_card() {
    let empty = list("agreed", sheet("a", None, "2026-01", None), Vec::new());
    let here = placement("a", Interval::always());
    let lists = vec![one("card", card("O")), empty];
    assert_eq!(found(with_lists(lists), &here, "2026-03-01", &[]), "card m 0001-01-01");
}

#[test]
fn a_rate_card_holds_for_its_offer_currency_and_region_only() {
    let here = placement("a", Interval::always());
    let check = |change: fn(&mut PriceList), expected: &str| {
        let mut card = one("card", card("O"));
        change(&mut card);
        assert_eq!(found(with_lists(vec![card]), &here, "2026-03-01", &[]), expected);
    };
    check(|_| {}, "card m 0001-01-01");
    check(|list| list.currency = Currency::parse("EUR").unwrap(), "no_price");
    check(|list| list.reach = card("P"), "no_price");
    let region = |list: &mut PriceList| {
        if let PriceReach::Offer { region, .. } = &mut list.reach {
            *region = "DE".to_owned();
        }
    };
    check(region, "no_price");
}

#[test]
fn the_rate_card_of_the_accounts_region_at_the_instant_of_usage_holds() {
    let here = placement("a", Interval::always());
    let of = |id: &str, region: &str| {
        let mut list = one(id, card("O"));
        if let PriceReach::Offer { region: sold_in, .. } = &mut list.reach {
            *sold_in = region.to_owned();
        }
        list
    };
    let check = |at: &str, expected: &str| {
        let mut company = with_lists(vec![of("us", "US"), of("de", "DE")]);
        let steps = [("2026-01-01", "US"), ("2026-03-15", "DE"), ("2026-04-01", "FR")];
        let steps = steps.map(|(from, region)| (t(from), known("", region)));
        company.accounts.get_mut(&account("a")).unwrap().known =
            Timeline::new("known", steps).unwrap();
        let found = found(company, &here, at, &[]);
        assert_eq!(found.split(' ').next(), Some(expected), "{at}");
    };
    check("2025-12-31T23:59:59.999999Z", "no_price");
    check("2026-01-01", "us");
    check("2026-03-14T23:59:59.999999Z", "us");
    check("2026-03-15", "de");
    check("2026-04-01", "no_price");
}

#[test]
fn the_version_of_the_instant_of_usage_holds_from_its_first_moment() {
    let prices = || ["2026-01-01", "2026-03-10"].map(|from| lineage("x", from, &[])).to_vec();
    let here = placement("a", Interval::always());
    let check = |at: &str, expected: &str| {
        let lists = vec![list("card", card("O"), prices())];
        assert_eq!(found(with_lists(lists), &here, at, &[]), expected, "{at}");
    };
    check("2025-12-31T23:59:59.999999Z", "no_price");
    check("2026-01-01", "card x 2026-01-01");
    check("2026-03-09T23:59:59.999999Z", "card x 2026-01-01");
    check("2026-03-10", "card x 2026-03-10");
}

#[test]
fn the_most_conditions_met_win() {
    use Dimension::{Country, Network};
    let year = "2026-01-01";
    let prices: Vec<Price> = vec![
        lineage("any", year, &[]),
        lineage("de", year, &[(Country, "DE")]),
        lineage("de-1", year, &[(Country, "DE"), (Network, "1")]),
        lineage("fr", "2026-03-01", &[(Country, "FR")]),
    ];
    let here = placement("a", Interval::always());
    let check = |dimensions: &[(Dimension, &str)], expected: &str| {
        let lists = vec![list("card", card("O"), prices.clone())];
        let found = found(with_lists(lists), &here, "2026-02-01", dimensions);
        assert_eq!(found, format!("card {expected} 2026-01-01"));
    };
    check(&[], "any");
    check(&[(Country, "DE")], "de");
    check(&[(Country, "DE"), (Network, "1")], "de-1");
    check(&[(Country, "DE"), (Network, "2")], "de");
    check(&[(Network, "1")], "any");
    check(&[(Country, "FR")], "any"); // not in force yet
}
