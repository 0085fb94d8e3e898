//! What a usage detail says: the members of each version, which are the columns of the CSV too.
//!
//! Source: `enterprise-reporting.md` sections 2 and 3.3.

use crate::routes::{FIRST_THREE, Version};
use crate::spelled;
use domain::credits::Coverage;
use domain::ids::BillingAccountId;
use domain::usage::Dimension;
use domain::{Error, Result};
use httpkit::ExactNumber;
use money::Fixed18;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use service::{DetailTold, MeterNamed, Named, guarded};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The value of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell<'r> {
    Text(Cow<'r, str>),
    Number(Fixed18),
    Flag(bool),
    /// What the key's holder may not see.
    Hidden,
}

/// A member of a usage detail.
#[derive(Debug)]
pub(crate) struct Member {
    name: &'static str,
    versions: &'static [Version],
    fill: Fill,
}

type Fill = for<'r> fn(&'r Row<'_>) -> Cell<'r>;

/// A usage detail, and what else its members are made of.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    told: &'a DetailTold,
    enrollment: &'a BillingAccountId,
    /// What the source itself said, by names in lower case.
    own: BTreeMap<String, String>,
    /// What one unit came to, in the billing currency.
    rate: Option<Fixed18>,
    date: String,
    tags: String,
}

/// A usage detail as a version tells it.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) row: Row<'a>,
    pub(crate) version: Version,
}

const FIRST: &[Version] = &[Version::V1];
const THIRD: &[Version] = &[Version::V3];

const fn member(name: &'static str, versions: &'static [Version], fill: Fill) -> Member {
    Member { name, versions, fill }
}

static MEMBERS: [Member; 42] = [
    member("serviceName", THIRD, service_name),
    member("serviceTier", THIRD, service_tier),
    member("location", THIRD, location),
    member("chargesBilledSeparately", THIRD, billed_separately),
    member("partNumber", THIRD, part_number),
    member("resourceGuid", THIRD, meter_id),
    member("offerId", THIRD, offer),
    member("cost", FIRST_THREE, cost),
    member("extendedCost", FIRST, cost),
    member("enrollmentNumber", FIRST, enrollment),
    member("accountId", FIRST_THREE, obsolete),
    member("productId", FIRST_THREE, obsolete),
    member("resourceLocationId", FIRST_THREE, obsolete),
    member("consumedServiceId", FIRST_THREE, obsolete),
    member("departmentId", FIRST_THREE, obsolete),
    member("accountOwnerEmail", FIRST_THREE, owner_email),
    member("accountName", FIRST_THREE, account_name),
    member("serviceAdministratorId", FIRST_THREE, service_administrator),
    member("subscriptionId", FIRST_THREE, obsolete),
    member("subscriptionGuid", FIRST_THREE, subscription),
    member("subscriptionName", FIRST_THREE, subscription_name),
    member("date", FIRST_THREE, date),
    member("product", FIRST_THREE, product),
    member("meterId", FIRST_THREE, meter_id),
    member("meterCategory", FIRST_THREE, meter_category),
    member("meterSubCategory", FIRST_THREE, meter_sub_category),
    member("meterRegion", FIRST_THREE, meter_region),
    member("meterName", FIRST_THREE, meter_name),
    member("consumedQuantity", FIRST_THREE, quantity),
    member("resourceRate", FIRST_THREE, rate),
    member("resourceLocation", FIRST_THREE, location),
    member("consumedService", FIRST_THREE, consumed_service),
    member("instanceId", FIRST_THREE, instance),
    member("serviceInfo1", FIRST_THREE, service_info_1),
    member("serviceInfo2", FIRST_THREE, service_info_2),
    member("additionalInfo", FIRST_THREE, additional_info),
    member("tags", FIRST_THREE, tags),
    member("storeServiceIdentifier", FIRST_THREE, store_service),
    member("departmentName", FIRST_THREE, department),
    member("costCenter", FIRST_THREE, cost_center),
    member("unitOfMeasure", FIRST_THREE, unit),
    member("resourceGroup", FIRST_THREE, resource_group),
];

/// The columns of the CSV, in their order: each is a member with a capital in front.
///
/// Source: `enterprise-reporting.md` section 3.4.
pub(crate) const COLUMNS: [&str; 40] = [
    "AccountId",
    "AccountName",
    "AccountOwnerEmail",
    "AdditionalInfo",
    "ConsumedQuantity",
    "ConsumedService",
    "ConsumedServiceId",
    "Cost",
    "CostCenter",
    "Date",
    "DepartmentId",
    "DepartmentName",
    "InstanceId",
    "MeterCategory",
    "MeterId",
    "MeterName",
    "MeterRegion",
    "MeterSubCategory",
    "Product",
    "ProductId",
    "ResourceGroup",
    "ResourceLocation",
    "ResourceLocationId",
    "ResourceRate",
    "ServiceAdministratorId",
    "ServiceInfo1",
    "ServiceInfo2",
    "StoreServiceIdentifier",
    "SubscriptionGuid",
    "SubscriptionId",
    "SubscriptionName",
    "Tags",
    "UnitOfMeasure",
    "PartNumber",
    "ResourceGuid",
    "OfferId",
    "ChargesBilledSeparately",
    "Location",
    "ServiceName",
    "ServiceTier",
];

/// The members of all columns.
pub(crate) fn columns() -> Vec<&'static Member> {
    let of = |column: &&str| MEMBERS.iter().find(|member| member.name.eq_ignore_ascii_case(column));
    COLUMNS.iter().filter_map(of).collect()
}

impl<'a> Row<'a> {
    /// Errors: [`Error::Internal`] for details that cannot be read, [`Error::Money`].
    pub(crate) fn of(told: &'a DetailTold, enrollment: &'a BillingAccountId) -> Result<Row<'a>> {
        let rate = told.cost.as_ref().map(|cost| spelled::rate(cost, told.quantity)).transpose()?;
        let (own, date) = (spelled::own_texts(told)?, spelled::midnight(told.day));
        let tags = if told.tags.is_empty() {
            String::new()
        } else {
            serde_json::to_string(&told.tags).map_err(|e| Error::internal("write tags", e))?
        };
        Ok(Row { told, enrollment, own, rate, date, tags })
    }

    /// The row in the order of some columns, as CSV has it.
    pub(crate) fn in_csv(&self, columns: &[&'static Member]) -> Vec<String> {
        columns.iter().map(|column| in_csv(&(column.fill)(self))).collect()
    }

    /// What the source said, else what the books know.
    fn own_or<'r>(&'r self, name: &str, ours: &'r str) -> Cell<'r> {
        text(self.own.get(name).map_or(ours, String::as_str))
    }

    fn meter(&self, named: fn(&MeterNamed) -> &str) -> &str {
        self.told.meter.as_ref().map_or("", named)
    }
}

/// Text is guarded against formulas as everywhere; flags are spelled as the vendor prints them.
fn in_csv(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Text(text) => guarded(text),
        Cell::Number(number) => number.to_string(),
        Cell::Flag(true) => "True".to_owned(),
        Cell::Flag(false) => "False".to_owned(),
        Cell::Hidden => String::new(),
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Shown { row, version } = self;
        let mut map = serializer.serialize_map(None)?;
        for member in MEMBERS.iter().filter(|member| member.versions.contains(version)) {
            match (member.fill)(row) {
                Cell::Text(text) => map.serialize_entry(member.name, &text)?,
                Cell::Number(number) => map.serialize_entry(member.name, &ExactNumber(number))?,
                Cell::Flag(flag) => map.serialize_entry(member.name, &flag)?,
                Cell::Hidden => {}
            }
        }
        map.end()
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn id_of(one: Option<&Named>) -> Cell<'_> {
    text(one.map_or("", |one| one.id.as_str()))
}

fn name_of(one: Option<&Named>) -> Cell<'_> {
    text(one.map_or("", |one| one.name.as_str()))
}

fn amount(number: Option<Fixed18>) -> Cell<'static> {
    number.map_or(Cell::Hidden, Cell::Number)
}

/// The provider in the path of a resource; empty where there is none.
fn provider(resource: &str) -> &str {
    let mut parts = resource.split('/').skip_while(|part| !part.eq_ignore_ascii_case("providers"));
    parts.nth(1).unwrap_or_default()
}

fn service_name<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("servicename", row.meter(|meter| meter.category.as_str()))
}

fn service_tier<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("servicetier", row.meter(|meter| meter.subcategory.as_str()))
}

fn location<'r>(row: &'r Row<'_>) -> Cell<'r> {
    text(row.told.dimensions.get(&Dimension::Location).map_or("", String::as_str))
}

fn billed_separately<'r>(row: &'r Row<'_>) -> Cell<'r> {
    Cell::Flag(row.told.coverage == Coverage::Separate)
}

fn part_number<'r>(row: &'r Row<'_>) -> Cell<'r> {
    let lineage = row.told.price.as_deref();
    let number = lineage.map(|lineage| spelled::part_number(lineage, row.told.tier));
    Cell::Text(Cow::Owned(number.unwrap_or_default()))
}

fn meter_id<'r>(row: &'r Row<'_>) -> Cell<'r> {
    text(row.meter(|meter| meter.id.as_str()))
}

fn offer<'r>(row: &'r Row<'_>) -> Cell<'r> {
    id_of(row.told.offer.as_ref())
}

fn cost<'r>(row: &'r Row<'_>) -> Cell<'r> {
    amount(row.told.cost.as_ref().map(|cost| cost.billing.major))
}

fn enrollment<'r>(row: &'r Row<'_>) -> Cell<'r> {
    text(row.enrollment.as_str())
}

/// A number that nobody keeps any more.
fn obsolete<'r>(_: &'r Row<'_>) -> Cell<'r> {
    Cell::Number(Fixed18::ZERO)
}

fn owner_email<'r>(row: &'r Row<'_>) -> Cell<'r> {
    text(row.told.owner_email.as_deref().unwrap_or_default())
}

fn account_name<'r>(row: &'r Row<'_>) -> Cell<'r> {
    name_of(row.told.enrollment_account.as_ref())
}

fn service_administrator<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("serviceadministratorid", "")
}

fn subscription<'r>(row: &'r Row<'_>) -> Cell<'r> {
    id_of(row.told.subscription.as_ref())
}

fn subscription_name<'r>(row: &'r Row<'_>) -> Cell<'r> {
    name_of(row.told.subscription.as_ref())
}

fn date<'r>(row: &'r Row<'_>) -> Cell<'r> {
    text(&row.date)
}

/// What it is for, behind what kind of thing that is and before where its meter is priced.
fn product<'r>(row: &'r Row<'_>) -> Cell<'r> {
    if let Some(own) = row.own.get("product") {
        return text(own);
    }
    let sub = row.meter(|meter| meter.subcategory.as_str());
    let kind = if sub.is_empty() { row.meter(|meter| meter.category.as_str()) } else { sub };
    let parts = [kind, row.told.description.as_str(), row.told.meter_region.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Cell::Text(Cow::Owned(parts.join(" - ")))
}

fn meter_category<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("metercategory", row.meter(|meter| meter.category.as_str()))
}

fn meter_sub_category<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("metersubcategory", row.meter(|meter| meter.subcategory.as_str()))
}

fn meter_region<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("meterregion", &row.told.meter_region)
}

/// Charges that are no usage have no meter: what they are for is their product.
fn meter_name<'r>(row: &'r Row<'_>) -> Cell<'r> {
    let has_meter = row.told.meter.is_some();
    row.own_or("metername", if has_meter { row.told.description.as_str() } else { "" })
}

fn quantity<'r>(row: &'r Row<'_>) -> Cell<'r> {
    Cell::Number(row.told.quantity)
}

fn rate<'r>(row: &'r Row<'_>) -> Cell<'r> {
    amount(row.rate)
}

fn consumed_service<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("consumedservice", provider(&row.told.resource))
}

fn instance<'r>(row: &'r Row<'_>) -> Cell<'r> {
    text(&row.told.resource)
}

fn service_info_1<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("serviceinfo1", "")
}

fn service_info_2<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("serviceinfo2", "")
}

fn additional_info<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("additionalinfo", "")
}

fn tags<'r>(row: &'r Row<'_>) -> Cell<'r> {
    text(&row.tags)
}

fn store_service<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("storeserviceidentifier", "")
}

fn department<'r>(row: &'r Row<'_>) -> Cell<'r> {
    name_of(row.told.department.as_ref())
}

fn cost_center<'r>(row: &'r Row<'_>) -> Cell<'r> {
    text(&row.told.cost_center)
}

fn unit<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("unitofmeasure", row.meter(|meter| meter.unit.as_str()))
}

fn resource_group<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.own_or("resourcegroup", spelled::resource_group(&row.told.resource))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{costs, disk, enrollment, number};
    use serde_json::Value;
    use service::DetailCost;

    fn told(detail: &DetailTold, version: Version) -> Value {
        let enrollment = enrollment();
        let row = Row::of(detail, &enrollment).expect("a row");
        serde_json::to_value(Shown { row, version }).expect("JSON")
    }

    const IN_ALL: &str = "cost accountId productId resourceLocationId consumedServiceId \
        departmentId accountOwnerEmail accountName serviceAdministratorId subscriptionId \
        subscriptionGuid subscriptionName date product meterId meterCategory meterSubCategory \
        meterRegion meterName consumedQuantity resourceRate resourceLocation consumedService \
        instanceId serviceInfo1 serviceInfo2 additionalInfo tags storeServiceIdentifier \
        departmentName costCenter unitOfMeasure resourceGroup";

    #[test]
    fn a_version_has_its_own_members() {
        let check = |version: Version, more: &str| {
            let told = told(&disk(), version);
            let mut names: Vec<&String> = told.as_object().expect("an object").keys().collect();
            let mut expected: Vec<&str> = IN_ALL.split_whitespace().collect();
            expected.extend(more.split_whitespace());
            names.sort();
            expected.sort_unstable();
            assert_eq!(names, expected, "{}", version.name());
        };
        check(Version::V1, "enrollmentNumber extendedCost");
        check(Version::V2, "");
        check(
            Version::V3,
            "serviceName serviceTier location chargesBilledSeparately partNumber resourceGuid \
             offerId",
        );
    }

    #[test]
    fn members_have_the_types_of_the_contract() {
        let told = told(&disk(), Version::V3);
        let check = |name: &str, expected: &str| assert_eq!(told[name].to_string(), expected);
        check("serviceName", r#""Storage""#);
        check("serviceTier", r#""Premium""#);
        check("location", r#""uswest""#);
        check("chargesBilledSeparately", "false");
        check("partNumber", r#""p10""#);
        check("resourceGuid", r#""disks""#);
        check("offerId", r#""MS-AZR-0017P""#);
        check("cost", "4.2");
        check("accountId", "0");
        check("subscriptionId", "0");
        check("subscriptionGuid", r#""5b0d1e9a-0000-4000-8000-000000000001""#);
        check("date", r#""2026-03-02T00:00:00""#);
        check("product", r#""Premium - P10 Disks - West""#);
        check("meterName", r#""P10 Disks""#);
        check("consumedQuantity", "0.5");
        check("resourceRate", "8.4");
        check("consumedService", r#""Reckoner.Disks""#);
        check("resourceGroup", r#""rg1""#);
        check("serviceInfo1", r#""""#);
        check("serviceInfo2", r#""b""#);
        check("additionalInfo", r#""{\"ImageType\":\"a\"}""#);
        check("tags", r#""{\"env\":\"=prod\"}""#);
        check("departmentName", r#""R&D""#);
        check("costCenter", r#""77""#);
    }

    #[test]
    fn costs_are_told_to_who_may_see_them() {
        let hidden = DetailTold { cost: None, ..disk() };
        for version in [Version::V1, Version::V2, Version::V3] {
            let told = told(&hidden, version);
            for name in ["cost", "extendedCost", "resourceRate"] {
                assert!(told.get(name).is_none(), "{name} in {}", version.name());
            }
            assert_eq!(told["consumedQuantity"].to_string(), "0.5");
        }
    }

    #[test]
    fn a_rate_is_a_price_or_what_one_unit_came_to() {
        let check = |quantity: &str, costs: DetailCost, expected: &str| {
            let detail = DetailTold { quantity: number(quantity), cost: Some(costs), ..disk() };
            assert_eq!(told(&detail, Version::V3)["resourceRate"].to_string(), expected);
        };
        check("0.5", costs(Some("8.4"), "4.2"), "8.4");
        let exchanged = DetailCost { exchange: Some(number("0.9")), ..costs(Some("8.4"), "3.78") };
        check("0.5", exchanged, "7.56");
        check("-3", costs(None, "-10"), "3.333333333333333333");
        check("0", costs(None, "-0.004"), "0");
        check("0.000000000000000001", costs(None, "100000000000000000000"), "0");
    }

    #[test]
    fn columns_are_members_and_text_is_no_formula() {
        let (columns, enrollment) = (columns(), enrollment());
        assert_eq!(columns.len(), COLUMNS.len());
        for (member, column) in columns.iter().zip(COLUMNS) {
            let (first, rest) = member.name.split_at(1);
            assert_eq!(format!("{}{rest}", first.to_ascii_uppercase()), column);
        }
        let separate =
            DetailTold { coverage: Coverage::Separate, cost_center: "-77".to_owned(), ..disk() };
        let cells = Row::of(&separate, &enrollment).expect("a row").in_csv(&columns);
        let check = |column: &str, expected: &str| {
            let at = COLUMNS.iter().position(|name| *name == column).expect("a column");
            assert_eq!(cells[at], expected, "{column}");
        };
        check("CostCenter", "'-77");
        check("Cost", "4.2");
        check("ChargesBilledSeparately", "True");
        check("AccountId", "0");
        check("Tags", r#"{"env":"=prod"}"#);
        let hidden = DetailTold { cost: None, ..disk() };
        let cells = Row::of(&hidden, &enrollment).expect("a row").in_csv(&columns);
        assert_eq!((cells.len(), cells[7].as_str(), cells[23].as_str()), (40, "", ""));
    }
}
