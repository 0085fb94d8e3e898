//! Terms, taxes and rates as they hold at a moment.

use super::*;
use crate::fixtures::{account, company, t, usd};
use crate::tax::{Buyers, Liability, TaxRate, TaxedSupply};
use crate::timeline::Timeline;
use money::Fixed18;

fn entity(id: &str) -> LegalEntityId {
    LegalEntityId::new(id).unwrap()
}

fn known(trade: Trade, country: &str) -> LegalEntity {
    LegalEntity {
        name: "Known".to_owned(),
        trade,
        country: Country::parse(country).unwrap(),
        address: None,
        registrations: Vec::new(),
    }
}

/// `seller US`, `buyer DE`: legal entities since 2026, each with its id.
fn with(entities: &[(&str, Trade, &str)]) -> Company {
    let mut company = company(crate::catalog::Aggregation::Sum, Vec::new());
    for (id, trade, country) in entities {
        let of = Timeline::from(t("2026-01-01"), known(*trade, country));
        company.legal_entities.insert(entity(id), of);
    }
    company
}

#[test]
fn the_only_seller_sells_where_nothing_is_declared() {
    let check =
        |entities: &[(&str, Trade, &str)], at: &str, expected: std::result::Result<&str, &str>| {
            let found = with(entities).terms_at(&account("a"), t(at));
            let found = found.map(|terms| terms.seller.to_string()).map_err(|e| e.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{entities:?}");
        };
    let (one, two, buyer) =
        (("one", Trade::Sells, "US"), ("two", Trade::Sells, "DE"), ("b", Trade::Buys, "DE"));
    check(&[one], "2026-02-01", Ok("one"));
    check(&[one, buyer], "2026-02-01", Ok("one"));
    let none = "billing account `a`: has no billing terms at 2026-02-01T00:00:00Z, and 0 legal \
                entities sell then";
    check(&[], "2026-02-01", Err(none));
    check(&[buyer], "2026-02-01", Err(none));
    check(&[one, two], "2026-02-01", Err(&none.replace("and 0", "and 2")));
    check(&[one], "2025-12-31", Err(&none.replace("2026-02-01", "2025-12-31")));
}

#[test]
fn declared_terms_hold_from_their_instant() {
    let mut company = with(&[("one", Trade::Sells, "US"), ("two", Trade::Sells, "DE")]);
    let terms = BillingTerms::usual(&entity("two"), &account("a"), usd()).unwrap();
    company.billing_terms.insert(account("a"), Timeline::from(t("2026-03-01"), terms.clone()));
    assert_eq!(company.terms_at(&account("a"), t("2026-03-01")).unwrap(), terms);
    assert!(company.terms_at(&account("a"), t("2026-02-28")).is_err());
    assert!(company.terms_at(&account("b"), t("2026-03-01")).is_err());
    assert!(company.terms_at(&account("nobody"), t("2026-03-01")).is_err());
}

#[test]
fn the_narrowest_tax_rate_holds() {
    let rates = [
        ("standard", Buyers::All, "0.1"),
        ("standard", Buyers::Of(Country::parse("DE").unwrap()), "0.19"),
        ("standard", Buyers::One(entity("a")), "0.07"),
        ("reduced", Buyers::All, "0.05"),
    ];
    let check = |declared: &[usize], buyer: Option<&str>, expected: &str| {
        let mut company = with(&[("one", Trade::Sells, "US")]);
        if let Some(country) = buyer {
            let of = Timeline::from(Instant::MIN, known(Trade::Buys, country));
            company.legal_entities.insert(entity("a"), of);
        }
        for (category, buyers, rate) in declared.iter().map(|at| &rates[*at]) {
            let category = TaxCategory::new(category).unwrap();
            let supply = TaxedSupply { seller: entity("one"), category, buyers: buyers.clone() };
            let rate =
                TaxRate { rate: Fixed18::parse(rate).unwrap(), liability: Liability::Seller };
            company.taxes.insert(supply, Timeline::from(t("2026-01-01"), rate));
        }
        let table = company.taxes_at(&account("a"), t("2026-02-01")).unwrap();
        let found = table.values().map(|rule| format!("{} {}", rule.category, rule.rate));
        assert_eq!(found.collect::<Vec<_>>().join(", "), expected, "{declared:?} {buyer:?}");
    };
    check(&[], None, "");
    check(&[0, 3], None, "reduced 0.05, standard 0.1");
    check(&[0, 1], None, "standard 0.1"); // the account's own country is US
    check(&[0, 1], Some("DE"), "standard 0.19");
    check(&[0, 1, 2], Some("DE"), "standard 0.07");
    check(&[1], None, "");
}

#[test]
fn an_account_is_taxed_where_it_is_at_the_moment() {
    let mut company = with(&[("one", Trade::Sells, "US")]);
    let steps = [("2026-02-01", "US"), ("2026-03-15", "DE")];
    let steps = steps.map(|(from, region)| (t(from), crate::fixtures::known("", region)));
    company.accounts.get_mut(&account("a")).unwrap().known = Timeline::new("known", steps).unwrap();
    let german = Buyers::Of(Country::parse("DE").unwrap());
    for (buyers, rate) in [(Buyers::All, "0.1"), (german, "0.19")] {
        let category = TaxCategory::new("standard").unwrap();
        let supply = TaxedSupply { seller: entity("one"), category, buyers };
        let rate = TaxRate { rate: Fixed18::parse(rate).unwrap(), liability: Liability::Seller };
        company.taxes.insert(supply, Timeline::from(t("2026-01-01"), rate));
    }
    let check = |at: &str, expected: std::result::Result<&str, &str>| {
        let found = company.taxes_at(&account("a"), t(at)).map_err(|error| error.to_string());
        let found = found.map(|table| {
            table.values().map(|rule| rule.rate.to_string()).collect::<Vec<_>>().join(", ")
        });
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{at}");
    };
    let unknown = "billing account `a`: has no region at 2026-01-15T00:00:00Z";
    check("2026-01-15", Err(unknown));
    check("2026-02-01", Ok("0.1"));
    check("2026-03-14T23:59:59.999999Z", Ok("0.1"));
    check("2026-03-15", Ok("0.19"));
}

#[test]
fn the_newest_exchange_rate_before_a_moment_holds() {
    let eur = Currency::parse("EUR").unwrap();
    let rate = |from, to, day: &str| ExchangeRate {
        id: format!("{from}{to}{day}"),
        from,
        to,
        rate: Fixed18::ONE,
        source: "bank".to_owned(),
        at: t(day),
    };
    let exchange_rates = vec![
        rate(usd(), eur, "2026-02-01"),
        rate(usd(), eur, "2026-01-01"),
        rate(eur, usd(), "2026-02-15"),
    ];
    let company = Company { exchange_rates, ..Company::default() };
    let check = |day: &str, expected: Option<&str>| {
        let found = company.exchange_rate_at(usd(), eur, t(day)).map(|rate| rate.id.as_str());
        assert_eq!(found, expected, "{day}");
    };
    check("2025-12-31", None);
    check("2026-01-31", Some("USDEUR2026-01-01"));
    check("2026-02-01", Some("USDEUR2026-02-01"));
    check("2026-03-01", Some("USDEUR2026-02-01"));
}
