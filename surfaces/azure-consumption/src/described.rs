//! For the tests: the published descriptions of this contract, and things to be shown by them.

use crate::at::Version;
use crate::definitions::Contract;
use crate::details_asked::Metric;
use crate::legacy_details::Shown;
use crate::scopes::{Form, Spot, account_id};
use calendar::{BillingPeriod, Instant, Interval};
use domain::access::Scope;
use domain::agreements::AgreementType;
use domain::credits::Coverage;
use domain::ids::BillingAccountId;
use domain::numbering::DocumentNumber;
use domain::rated::RowKind;
use domain::usage::{ChargeCategory, Dimension};
use money::{Cost, Currency, Fixed18};
use service::{AccountTold, DetailCost, DetailKind, DetailTold, MeterNamed, Named};
use std::collections::BTreeMap;

/// The contract of this surface.
pub(crate) const CONSUMPTION: Contract = Contract {
    folder: "microsoft-consumption",
    file: "consumption.json",
    left_out: "azure-consumption-members.md",
};

pub(crate) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn named(id: &str, name: &str) -> Option<Named> {
    Some(Named { id: id.to_owned(), name: name.to_owned() })
}

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}

/// The account `north`, of a kind of agreement.
pub(crate) fn spot(kind: AgreementType) -> Spot {
    let id = BillingAccountId::new("north").unwrap();
    let account = AccountTold {
        id: id.clone(),
        name: "North".to_owned(),
        currency: usd(),
        kind: Some(kind),
        seen: None,
    };
    Spot {
        id: account_id(&id),
        form: Form::Account,
        scope: Scope::Account(id),
        account,
        profile: None,
        place: None,
        resource_group: None,
        period: None,
    }
}

/// Everything is shown.
pub(crate) fn shown() -> Shown {
    Shown {
        version: Version::V2021,
        metric: Metric::Actual,
        meter_details: true,
        additional_info: true,
    }
}

/// Usage of a disk, of which everything is told.
pub(crate) fn detail() -> DetailTold {
    let at = |text: &str| Instant::parse(text).unwrap();
    let cost = |text: &str| Cost { major: number(text), currency: usd() };
    let group = "/subscriptions/s/resourceGroups/fleet";
    DetailTold {
        name: "d-1".to_owned(),
        billing_account: BillingAccountId::new("north").unwrap(),
        period: BillingPeriod::parse("2026-10").unwrap(),
        day: at("2026-10-03").day(),
        kind: DetailKind::Rated(RowKind::Usage),
        category: ChargeCategory::Usage,
        coverage: Coverage::Covered,
        service_period: Interval::new(at("2026-10-03"), at("2026-10-04")).unwrap(),
        profile: named("ships", "Ships"),
        section: named("freight", "Freight"),
        customer: named("bakery", "Bakery"),
        department: named("research", "Research"),
        enrollment_account: named("lab", "Lab"),
        cost_center: "42".to_owned(),
        owner_email: Some("ada@north.example".to_owned()),
        subscription: named("7d2f1a30-0000-4000-8000-0000000000aa", "Ferry"),
        offer: named("MS-AZR-0017P", "Enterprise"),
        meter: Some(MeterNamed {
            id: "7d2f1a30-0000-4000-8000-000000000001".to_owned(),
            category: "Storage".to_owned(),
            subcategory: "Premium SSD".to_owned(),
            unit: "Hours".to_owned(),
        }),
        meter_region: "West".to_owned(),
        description: "P10 Disks".to_owned(),
        resource: format!("{group}/providers/Microsoft.Compute/disks/d1"),
        dimensions: BTreeMap::from([(Dimension::Location, "westus".to_owned())]),
        tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        details: Some("{\"ImageType\":\"Canonical\"}".to_owned()),
        reservation: named("r-1", "Disks"),
        item: String::new(),
        invoice: Some(DocumentNumber::parse("reck-00000007").unwrap()),
        quantity: number("0.5"),
        price: Some("disks".to_owned()),
        tier: 0,
        cost: Some(DetailCost {
            unit_price: Some(number("8.4")),
            pricing: cost("4.2"),
            exchange: None,
            billing: cost("4.2"),
            amortised: cost("4.3"),
            list: Some(cost("5")),
        }),
    }
}
