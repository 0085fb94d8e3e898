//! Usage details as data sets keep them: one text each. Whose they are and of when stands with the
//! data set.

use crate::told_lines::{MeterNamed, Named};
use crate::usage_details::{DetailCost, DetailKind, DetailTold};
use calendar::{BillingPeriod, Day, Instant, Interval};
use domain::credits::Coverage;
use domain::ids::BillingAccountId;
use domain::numbering::DocumentNumber;
use domain::usage::{ChargeCategory, Dimension};
use domain::{Error, Result};
use money::{Cost, Currency, Fixed18, MoneyError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A detail of a data set. What is empty is left out: there are many.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    name: String,
    day: i32,
    kind: String,
    category: String,
    coverage: String,
    /// Microseconds since 1970.
    service_period: (i64, i64),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    section: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    department: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enrollment_account: Option<Named>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    cost_center: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner_email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subscription: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offer: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meter: Option<MeterNamed>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    meter_region: String,
    description: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    resource: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    dimensions: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reservation: Option<Named>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    item: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    invoice: Option<String>,
    quantity: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    tier: u16,
    cost: KeptCost,
}

/// What it costs, in major units.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptCost {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit_price: Option<String>,
    /// Currency and amount.
    pricing: (String, String),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exchange: Option<String>,
    /// Currency and amount; those that follow are of the same currency.
    billing: (String, String),
    amortised: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<String>,
}

/// Writes a detail and what it costs.
///
/// Errors: [`Error::Internal`].
pub(crate) fn kept(detail: DetailTold, cost: DetailCost) -> Result<String> {
    let DetailTold {
        name,
        billing_account: _,
        period: _,
        day,
        kind,
        category,
        coverage,
        service_period,
        profile,
        section,
        customer,
        department,
        enrollment_account,
        cost_center,
        owner_email,
        subscription,
        offer,
        meter,
        meter_region,
        description,
        resource,
        dimensions,
        tags,
        details,
        reservation,
        item,
        invoice,
        quantity,
        price,
        tier,
        cost: _,
    } = detail;
    let dimensions = dimensions.into_iter().map(|(of, value)| (of.name().to_owned(), value));
    let kept = Kept {
        name,
        day: day.number(),
        kind: kind.name().to_owned(),
        category: category.name().to_owned(),
        coverage: coverage.name().to_owned(),
        service_period: (service_period.start().micros(), service_period.end().micros()),
        profile,
        section,
        customer,
        department,
        enrollment_account,
        cost_center,
        owner_email,
        subscription,
        offer,
        meter,
        meter_region,
        description,
        resource,
        dimensions: dimensions.collect(),
        tags,
        details,
        reservation,
        item,
        invoice: invoice.map(|number| number.to_string()),
        quantity: quantity.to_string(),
        price,
        tier,
        cost: kept_cost(cost),
    };
    serde_json::to_string(&kept).map_err(|e| Error::internal("write a data set", e))
}

fn kept_cost(cost: DetailCost) -> KeptCost {
    let DetailCost { unit_price, pricing, exchange, billing, amortised, list } = cost;
    let text = |fixed: Fixed18| fixed.to_string();
    let of = |cost: Cost| (cost.currency.to_string(), cost.major.to_string());
    KeptCost {
        unit_price: unit_price.map(text),
        pricing: of(pricing),
        exchange: exchange.map(text),
        billing: of(billing),
        amortised: text(amortised.major),
        list: list.map(|list| text(list.major)),
    }
}

/// Reads what [`kept`] wrote.
///
/// Errors: [`Error::Internal`], [`Error::Money`].
pub(crate) fn told(
    text: &str,
    account: &BillingAccountId,
    period: BillingPeriod,
) -> Result<DetailTold> {
    let kept: Kept = serde_json::from_str(text).map_err(unread)?;
    let unknown = |name: &str| Error::internal("read a data set", format!("`{name}` is unknown"));
    let (start, end) = kept.service_period;
    let (start, end) = (Instant::from_micros(start), Instant::from_micros(end));
    let mut dimensions = BTreeMap::new();
    for (name, value) in kept.dimensions {
        dimensions.insert(Dimension::parse(&name).ok_or_else(|| unknown(&name))?, value);
    }
    Ok(DetailTold {
        name: kept.name,
        billing_account: account.clone(),
        period,
        day: Day::from_number(kept.day),
        kind: DetailKind::parse(&kept.kind).ok_or_else(|| unknown(&kept.kind))?,
        category: ChargeCategory::parse(&kept.category).ok_or_else(|| unknown(&kept.category))?,
        coverage: coverage(&kept.coverage).ok_or_else(|| unknown(&kept.coverage))?,
        service_period: Interval::new(start, end).map_err(unread)?,
        profile: kept.profile,
        section: kept.section,
        customer: kept.customer,
        department: kept.department,
        enrollment_account: kept.enrollment_account,
        cost_center: kept.cost_center,
        owner_email: kept.owner_email,
        subscription: kept.subscription,
        offer: kept.offer,
        meter: kept.meter,
        meter_region: kept.meter_region,
        description: kept.description,
        resource: kept.resource,
        dimensions,
        tags: kept.tags,
        details: kept.details,
        reservation: kept.reservation,
        item: kept.item,
        invoice: kept.invoice.map(|text| DocumentNumber::parse(&text)).transpose()?,
        quantity: Fixed18::parse(&kept.quantity).map_err(money)?,
        price: kept.price,
        tier: kept.tier,
        cost: Some(told_cost(kept.cost)?),
    })
}

fn told_cost(kept: KeptCost) -> Result<DetailCost> {
    let KeptCost { unit_price, pricing, exchange, billing, amortised, list } = kept;
    let fixed = |text: String| Fixed18::parse(&text).map_err(money);
    let of = |(currency, major): (String, String)| {
        let currency = Currency::parse(&currency).map_err(money)?;
        Ok::<_, Error>(Cost { major: fixed(major)?, currency })
    };
    let billing = of(billing)?;
    let in_billing = |text: String| Ok::<_, Error>(Cost { major: fixed(text)?, ..billing });
    Ok(DetailCost {
        unit_price: unit_price.map(fixed).transpose()?,
        pricing: of(pricing)?,
        exchange: exchange.map(fixed).transpose()?,
        billing,
        amortised: in_billing(amortised)?,
        list: list.map(in_billing).transpose()?,
    })
}

fn coverage(name: &str) -> Option<Coverage> {
    let all = [Coverage::Covered, Coverage::Separate, Coverage::Purchase, Coverage::Marketplace];
    all.into_iter().find(|one| one.name() == name)
}

fn money(source: MoneyError) -> Error {
    Error::money("read a data set", source)
}

fn unread(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("read a data set", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::rated::RowKind;

    fn named(id: &str) -> Option<Named> {
        Some(Named { id: id.to_owned(), name: format!("The \"{id}\"\nof all") })
    }

    fn fixed(text: &str) -> Fixed18 {
        Fixed18::parse(text).unwrap()
    }

    fn whole() -> DetailTold {
        let moment = |text: &str| Instant::parse(text).unwrap();
        DetailTold {
            name: "0123456789abcdef0123456789abcdef".to_owned(),
            billing_account: BillingAccountId::new("acme").unwrap(),
            period: BillingPeriod::parse("2026-05").unwrap(),
            day: moment("2026-05-02").day(),
            kind: DetailKind::Rated(RowKind::Covered),
            category: ChargeCategory::Usage,
            coverage: Coverage::Separate,
            service_period: Interval::new(moment("2026-05-02"), moment("2026-05-03")).unwrap(),
            profile: named("profile"),
            section: named("section"),
            customer: named("customer"),
            department: named("department"),
            enrollment_account: named("account"),
            cost_center: "77".to_owned(),
            owner_email: Some("ada@example.org".to_owned()),
            subscription: named("s"),
            offer: named("o"),
            meter: Some(MeterNamed {
                id: "m".to_owned(),
                category: "Machines".to_owned(),
                subcategory: String::new(),
                unit: "Hours".to_owned(),
            }),
            meter_region: "West".to_owned(),
            description: "D2".to_owned(),
            resource: "/subscriptions/s/vm".to_owned(),
            dimensions: BTreeMap::from([(Dimension::Location, "westus".to_owned())]),
            tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
            details: Some("{}".to_owned()),
            reservation: named("r"),
            item: "r purchase".to_owned(),
            invoice: Some(DocumentNumber::parse("RKC-00000007").unwrap()),
            quantity: fixed("0.5"),
            price: Some("lineage".to_owned()),
            tier: 2,
            cost: None,
        }
    }

    fn costs(places: &str) -> DetailCost {
        let (usd, eur) = (Currency::parse("USD").unwrap(), Currency::parse("EUR").unwrap());
        let billing = Cost { major: fixed(places), currency: eur };
        DetailCost {
            unit_price: Some(fixed("8.4")),
            pricing: Cost { major: fixed("4.2"), currency: usd },
            exchange: Some(fixed("0.9")),
            billing,
            amortised: billing,
            list: Some(billing),
        }
    }

    #[test]
    fn what_is_kept_of_a_detail_is_the_detail() {
        let check = |detail: DetailTold, cost: DetailCost| {
            let text = kept(detail.clone(), cost.clone()).unwrap();
            assert!(!text.contains('\n'), "{text}");
            let read = told(&text, &detail.billing_account, detail.period).unwrap();
            assert_eq!(read, DetailTold { cost: Some(cost), ..detail });
        };
        check(whole(), costs("0.000000000000000001"));
        let cost = costs("-3");
        check(
            DetailTold {
                kind: DetailKind::Rounding,
                profile: None,
                meter: None,
                details: None,
                tags: BTreeMap::new(),
                dimensions: BTreeMap::new(),
                resource: String::new(),
                invoice: None,
                price: None,
                ..whole()
            },
            DetailCost { unit_price: None, exchange: None, list: None, ..cost },
        );
    }

    #[test]
    fn every_kind_and_coverage_is_found_by_its_name() {
        let rated = RowKind::ALL.into_iter().map(DetailKind::Rated);
        let others =
            [DetailKind::Charge, DetailKind::Correction, DetailKind::Note, DetailKind::Rounding];
        for kind in rated.chain(others) {
            assert_eq!(DetailKind::parse(kind.name()), Some(kind));
        }
        assert_eq!(DetailKind::parse("other"), None);
        assert_eq!(coverage(Coverage::Marketplace.name()), Some(Coverage::Marketplace));
    }
}
