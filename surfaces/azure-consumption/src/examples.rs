//! The published examples of what this crate answers by itself: an answer goes through our wire
//! types and comes out with everything that it had; and what we answer is as its description says.

use crate::at::Version;
use crate::balances::{self, BalanceProperties};
use crate::definitions::{Definitions, Example, answers, examples_of};
use crate::described::{CONSUMPTION, detail, shown, spot, usd};
use crate::legacy_details::{LegacyUsageDetailProperties, Shown};
use crate::marketplaces::{self, MarketplaceProperties};
use crate::modern_details::ModernUsageDetailProperties;
use crate::operations::{Rights, told};
use crate::price_sheets::{self, PriceSheetModel};
use crate::resource::Resource;
use crate::tags::{self, TagProperties};
use crate::usage_details::{self, Detailed};
use calendar::{BillingPeriod, Instant};
use domain::agreements::AgreementType;
use domain::balance_summaries::{LotChange, LotChangeKind, PeriodBalance};
use domain::catalog::{Aggregation, Meter};
use domain::credits::{BalanceSummary, DrawTotals};
use domain::ids::{BillingAccountId, LotId, MeterId, OfferId};
use domain::price_sheets::{SheetTier, SheetZone};
use money::{Fixed18, Money};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::{BalanceOfPeriod, DetailTold, PriceRow};
use std::collections::{BTreeMap, BTreeSet};

/// The operations of these types.
const OPERATIONS: [&str; 8] = [
    "Balances_GetByBillingAccount",
    "Balances_GetForBillingPeriodByBillingAccount",
    "Marketplaces_List",
    "Operations_List",
    "PriceSheet_Get",
    "PriceSheet_GetByBillingPeriod",
    "Tags_Get",
    "UsageDetails_List",
];

/// Reads a value as one of our types, and writes that.
type Again = fn(&'static Value) -> serde_json::Result<Value>;

fn again<T: Deserialize<'static> + Serialize>(value: &'static Value) -> serde_json::Result<Value> {
    serde_json::to_value(T::deserialize(value)?)
}

/// The types of answers by their definitions; of lists, those of their items.
const ANSWERS: &[(&str, Again)] = &[
    ("Balance", again::<Resource<BalanceProperties>>),
    ("LegacyUsageDetail", again::<Detailed<LegacyUsageDetailProperties>>),
    ("Marketplace", again::<Resource<MarketplaceProperties>>),
    ("ModernUsageDetail", again::<Detailed<ModernUsageDetailProperties>>),
    ("PriceSheetResult", again::<Resource<PriceSheetModel>>),
    ("TagsResult", again::<Resource<TagProperties>>),
];

/// What answers consist of: their items, and of what definition each is.
fn parts<'a>(known: &Definitions, name: &str, body: &'a Value) -> Vec<(String, &'a Value)> {
    let Some(item) = known.items(name) else { return vec![(name.to_owned(), body)] };
    let of_kind = |value: &Value| match value["kind"].as_str() {
        Some("legacy") => "LegacyUsageDetail".to_owned(),
        Some("modern") => "ModernUsageDetail".to_owned(),
        _ => item.to_owned(),
    };
    let items = body["value"].as_array().unwrap().iter();
    items.map(|value| (of_kind(value), value)).collect()
}

#[test]
fn an_answer_of_every_example_comes_out_of_our_types_as_it_went_in() {
    for version in Version::ALL {
        let Some(mut known) = Definitions::of(&CONSUMPTION, version.name()) else { return };
        let ids = BTreeSet::from(OPERATIONS);
        let (mut lost, mut used) = (BTreeSet::new(), BTreeSet::new());
        for example in &examples_of(&CONSUMPTION, version.name(), &ids).unwrap() {
            let Example { name: file, id, operation: _, told: _ } = example;
            for (name, body) in answers(example) {
                for (name, value) in parts(&known, name, body) {
                    // Members that are not asked for are null in some.
                    let wrong = known.problems(&name, value);
                    let is_null = |one: &String| one.ends_with(".meterDetails: no object");
                    assert!(wrong.iter().all(is_null), "{version:?} {file}: {wrong:?}");
                    let (of, again) = ANSWERS.iter().find(|(of, _)| *of == name).expect(id);
                    used.insert(*of);
                    let value: &'static Value = Box::leak(Box::new(value.clone()));
                    let written =
                        again(value).unwrap_or_else(|error| panic!("{version:?} {file}: {error}"));
                    let schema = json!({ "$ref": format!("#/definitions/{name}") });
                    lost.extend(known.lost(&schema, value, &written));
                }
            }
        }
        let nulls = BTreeSet::from(["LegacyUsageDetailProperties.meterDetails".to_owned()]);
        assert_eq!(lost, nulls, "{version:?}: lost on the way");
        let all: BTreeSet<&str> = ANSWERS.iter().map(|(of, _)| *of).collect();
        assert_eq!(used, all, "{version:?}: types that examples have");
    }
}

/// A charge of which its source told everything.
fn charge() -> DetailTold {
    let names = ["offerName", "additionalInfo", "orderNumber", "publisherName", "planName"];
    let own: BTreeMap<&str, &str> = names.into_iter().map(|name| (name, "x")).collect();
    DetailTold { details: Some(serde_json::to_string(&own).unwrap()), ..detail() }
}

#[test]
fn an_answer_is_as_its_description_says() {
    for version in Version::ALL {
        let Some(mut known) = Definitions::of(&CONSUMPTION, version.name()) else { return };
        let shown = Shown { version, ..shown() };
        for (kind, name) in [
            (AgreementType::Enterprise, "LegacyUsageDetail"),
            (AgreementType::Customer, "ModernUsageDetail"),
        ] {
            known.check(name, usage_details::view(&spot(kind), &shown, &detail()));
        }
        let enterprise = spot(AgreementType::Enterprise);
        known.check("Marketplace", marketplaces::view(&enterprise, &charge(), true));
        known.check("Balance", balances::view(&enterprise.id, &balance()).unwrap());
        let prices = PriceSheetModel {
            pricesheets: Some(vec![price_sheets::view(&price(), "/p", true)]),
            next_link: Some("https://reckoner.example/next".to_owned()),
            download: None,
        };
        let sheet = Resource::new("/subscriptions/s", "pricesheets", "default", prices);
        known.check("PriceSheetResult", sheet);
        let values = BTreeSet::from(["prod".to_owned()]);
        let tags = BTreeMap::from([("env".to_owned(), values)]);
        known.check("TagsResult", tags::view(&enterprise.id, tags));
        let rights = Rights::of(&crate::served());
        let operations = told(&rights, version);
        known.check("OperationListResult", json!({ "value": operations }));
        known.check_left_out();
    }
}

fn balance() -> BalanceOfPeriod {
    let money = |minor| Money::from_minor(minor, usd());
    let change = |kind, minor| LotChange {
        at: Instant::parse("2026-10-03").unwrap(),
        lot: LotId::new("lot").unwrap(),
        kind,
        document: None,
        amount: money(minor),
    };
    let totals = DrawTotals {
        utilized: money(14_950),
        service_overage: money(0),
        billed_separately: money(325),
        marketplace: money(1_200),
    };
    let summary = BalanceSummary {
        beginning: money(100_000),
        new_purchases: money(500),
        adjustments: money(2_000),
        totals,
    };
    let period = BillingPeriod::parse("2026-10").unwrap();
    BalanceOfPeriod {
        billing_account: BillingAccountId::new("north").unwrap(),
        at: Instant::parse("2026-11-03").unwrap(),
        currency: usd(),
        is_final: true,
        balance: PeriodBalance {
            period,
            summary,
            purchases: vec![change(LotChangeKind::Purchase, 500)],
            adjustments: vec![change(LotChangeKind::Grant, 2_000)],
            held: summary.ending().unwrap(),
        },
    }
}

#[test]
fn a_balance_adds_up() {
    let told = serde_json::to_value(balances::view("/a", &balance()).unwrap()).unwrap();
    let check = |member: &str, expected: &str| {
        let number = told["properties"][member].to_string();
        assert_eq!(Fixed18::parse(&number), Fixed18::parse(expected), "{member}");
    };
    check("beginningBalance", "1000");
    check("newPurchases", "5");
    check("adjustments", "20");
    check("utilized", "149.5");
    check("endingBalance", "875.5");
    check("totalOverage", "3.25");
    check("totalUsage", "152.75");
    check("azureMarketplaceServiceCharges", "12");
    let id = "/a/providers/Microsoft.Billing/billingPeriods/202610/providers/\
              Microsoft.Consumption/balances/202610";
    assert_eq!(told["id"], id);
}

fn price() -> PriceRow {
    let during = BillingPeriod::parse("2026-10").unwrap().interval();
    PriceRow {
        meter: Meter {
            id: MeterId::new("7d2f1a30-0000-4000-8000-000000000001").unwrap(),
            name: "P10 Disks".to_owned(),
            category: "Storage".to_owned(),
            subcategory: "Premium SSD".to_owned(),
            region: "West".to_owned(),
            unit: "Hours".to_owned(),
            tags: Vec::new(),
            aggregation: Aggregation::Sum,
            names: BTreeMap::new(),
        },
        offer: Some(OfferId::new("MS-AZR-0017P").unwrap()),
        conditions: Vec::new(),
        tier: SheetTier {
            from: Fixed18::ZERO,
            price: Fixed18::parse("8.4").unwrap(),
            block: Fixed18::parse("100").unwrap(),
            zone: SheetZone::Tier,
        },
        included: Fixed18::ONE,
        list_price: Some(Fixed18::parse("9").unwrap()),
        base_price: None,
        currency: usd(),
        during,
        term: None,
        lineage: Some("disks".to_owned()),
        number: Some(0),
    }
}

#[test]
fn a_package_is_priced_as_a_whole() {
    let check = |block: &str, expected: &str| {
        let mut row = price();
        row.tier.block = Fixed18::parse(block).unwrap();
        let told = serde_json::to_value(price_sheets::view(&row, "/p", false)).unwrap();
        assert_eq!(told["unitOfMeasure"], expected);
        assert!(told.get("meterDetails").is_none());
    };
    check("1", "Hours");
    check("100", "100 Hours");
}
