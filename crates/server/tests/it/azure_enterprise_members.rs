//! Reports of an enrollment beside the contract's tables: each version of each has each member with
//! its type, and no other; what the demo's world never fills is listed.

use crate::books::{Books, on_each_store};
use crate::program::Server;
use calendar::{BillingPeriod, Instant};
use money::Fixed18;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Where the rows of an answer are.
#[derive(Debug, Clone, Copy)]
enum Rows {
    /// The answer is an array of them.
    List,
    /// In `data`.
    Data,
    /// The answer is one.
    One,
}

/// A report, and where it is told alike.
struct Report {
    paths: &'static [&'static str],
    rows: Rows,
    versions: &'static str,
    /// `name kind, …`, as [`is_of`] knows kinds.
    members: &'static str,
    /// What some versions have beside that.
    more: &'static [(&'static str, &'static str)],
    /// Members that are empty or 0 in all rows of the demo's world.
    never: &'static str,
}

/// Source: `enterprise-reporting.md` section 3.8.
const PURCHASER: &str =
    "accountName string, accountOwnerEmail string, departmentName string, costCenter string";
/// Source: section 3.10.
const RECOMMENDED: &str = "lookBackPeriod string, meterId string, skuName string, term string, \
    region string, costWithNoRI number, totalCostWithRI number, netSavings number, \
    recommendedQuantity number, firstUsageDate day, resourceType string, \
    instanceFlexibilityRatio number, instanceFlexibilityGroup string, normalizedSize string, \
    recommendedQuantityNormalized number, skuProperties properties";

/// Source: sections 2, 3.1 to 3.3 and 3.6 to 3.10.
const REPORTS: [Report; 10] = [
    Report {
        paths: &["billingperiods"],
        rows: Rows::List,
        versions: "123",
        members: "billingPeriodId period, billingStart time, billingEnd time, \
            balanceSummary path, usageDetails path, marketplaceCharges path, priceSheet path",
        more: &[],
        never: "",
    },
    Report {
        paths: &[
            "balancesummary",
            "billingPeriods/202608/balancesummary",
            "billingPeriods/202609/balancesummary",
            "billingPeriods/202610/balancesummary",
        ],
        rows: Rows::One,
        versions: "123",
        members: "id string, billingPeriodId integer, currencyCode string, \
            beginningBalance number, endingBalance number, newPurchases number, \
            adjustments number, utilized number, serviceOverage number, \
            chargesBilledSeparately number, totalOverage number, totalUsage number, \
            azureMarketplaceServiceCharges number, newPurchasesDetails parts, \
            adjustmentDetails parts",
        more: &[],
        never: "",
    },
    Report {
        paths: &[
            "usagedetails",
            "billingPeriods/202610/usagedetails",
            "usagedetailsbycustomdate?startTime=2026-10-01&endTime=2026-10-31",
        ],
        rows: Rows::Data,
        versions: "123",
        members: "cost number, accountId integer, productId integer, resourceLocationId integer, \
            consumedServiceId integer, departmentId integer, accountOwnerEmail string, \
            accountName string, serviceAdministratorId string, subscriptionId integer, \
            subscriptionGuid string, subscriptionName string, date day, product string, \
            meterId string, meterCategory string, meterSubCategory string, meterRegion string, \
            meterName string, consumedQuantity number, resourceRate number, \
            resourceLocation string, consumedService string, instanceId string, \
            serviceInfo1 string, serviceInfo2 string, additionalInfo json, tags json, \
            storeServiceIdentifier string, departmentName string, costCenter string, \
            unitOfMeasure string, resourceGroup string",
        more: &[
            ("1", "enrollmentNumber string, extendedCost number"),
            (
                "3",
                "serviceName string, serviceTier string, location string, \
                 chargesBilledSeparately boolean, partNumber string, resourceGuid string, \
                 offerId string",
            ),
        ],
        // Obsolete numbers; the works have no owner, and nothing is said of the others.
        never: "accountId accountOwnerEmail consumedServiceId departmentId productId \
            resourceLocationId serviceAdministratorId serviceInfo1 serviceInfo2 \
            storeServiceIdentifier subscriptionId",
    },
    Report {
        paths: &[
            "marketplacecharges",
            "billingPeriods/202610/marketplacecharges",
            "marketplacechargesbycustomdate?startTime=2026-10-01&endTime=2026-10-31",
        ],
        rows: Rows::List,
        versions: "123",
        members: "id string, subscriptionGuid string, subscriptionName string, meterId string, \
            usageStartDate time, usageEndDate time, offerName string, planName string, \
            publisherName string, resourceGroup string, instanceId string, additionalInfo json, \
            tags json, orderNumber string, unitOfMeasure string, costCenter string, \
            accountId integer, accountName string, accountOwnerId string, departmentId integer, \
            departmentName string, consumedQuantity number, resourceRate number, \
            extendedCost number",
        more: &[("3", "isRecurringCharge boolean")],
        // The works have no owner; what they buy lies in no group and has no tags.
        never: "accountOwnerId resourceGroup tags",
    },
    Report {
        paths: &["pricesheet", "billingPeriods/202610/pricesheet"],
        rows: Rows::List,
        versions: "123",
        members: "id string, billingPeriodId period, meterName string, unitOfMeasure string, \
            includedQuantity number, partNumber string, unitPrice number, currencyCode string",
        more: &[("23", "meterId string"), ("3", "offerId string")],
        // Agreed prices hold on every offer.
        never: "offerId",
    },
    Report {
        paths: &["reservationcharges?startDate=2026-10-01&endDate=2026-10-31"],
        rows: Rows::List,
        versions: "234",
        members: "purchasingEnrollment string, currentEnrollment string, armSkuName string, \
            term string, region string, PurchasingsubscriptionGuid string, \
            PurchasingsubscriptionName string, purchasingSubscriptionGuid string, \
            purchasingSubscriptionName string, eventDate time, reservationOrderId string, \
            reservationOrderName string, description string, eventType string, quantity number, \
            amount number, currency string",
        more: &[("34", PURCHASER), ("4", "billingFrequency string")],
        never: "accountOwnerEmail",
    },
    Report {
        paths: &["reservationdetails?startDate=2026-10-06&endDate=2026-10-31"],
        rows: Rows::List,
        versions: "2",
        members: "reservationOrderId string, reservationId string, usageDate day, \
            skuName string, instanceId string, totalReservedQuantity long, reservedHours long, \
            usedHours long",
        more: &[],
        never: "",
    },
    Report {
        paths: &[
            "reservationsummaries?grain=daily&startdate=2026-10-06&enddate=2026-10-31",
            "reservationsummaries?grain=monthly",
        ],
        rows: Rows::List,
        versions: "2",
        members: "reservationOrderId string, reservationId string, skuName string, \
            reservedHours number, usageDate day, usedHours number, \
            minUtilizationPercentage percentage, avgUtilizationPercentage percentage, \
            maxUtilizationPercentage percentage",
        more: &[],
        never: "",
    },
    Report {
        paths: &[
            "SharedReservationRecommendations?lookBackPeriod=7",
            "SharedReservationRecommendations?lookBackPeriod=30",
            "AggregateReservationRecommendations?lookBackPeriod=60",
        ],
        rows: Rows::List,
        versions: "2",
        members: RECOMMENDED,
        more: &[],
        // A meter is of no family; the reservation covers all usage of it.
        never: "instanceFlexibilityGroup skuProperties",
    },
    Report {
        paths: &[
            "SingleReservationRecommendations?lookBackPeriod=7",
            "ReservationRecommendations?lookBackPeriod=30",
        ],
        rows: Rows::List,
        versions: "2",
        members: RECOMMENDED,
        more: &[("2", "subscriptionId string")],
        never: "instanceFlexibilityGroup skuProperties",
    },
];

/// Source: section 3.5.
const JOB: &str = "id string, enrollmentNumber string, requestedOn ticks, status integer, \
    blobPath string, reportUrl string, startDate day, endDate day";

/// Names with their kinds.
type Members = BTreeMap<&'static str, &'static str>;

fn read(members: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    members.split(", ").map(|member| member.split_once(' ').expect("a name and a kind"))
}

impl Report {
    fn members(&self, version: char) -> Members {
        let more = self.more.iter().filter(|(versions, _)| versions.contains(version));
        read(self.members).chain(more.flat_map(|(_, members)| read(members))).collect()
    }
}

fn number(value: &Value) -> Option<Fixed18> {
    value.is_number().then(|| Fixed18::parse(&value.to_string()).expect("a decimal"))
}

/// Whether a value is of a kind.
fn is_of(value: &Value, kind: &str) -> bool {
    let is_text = |fits: &dyn Fn(&str) -> bool| value.as_str().is_some_and(fits);
    let most = Fixed18::from_int(100);
    let is_time = |text: &str| text.ends_with('Z') && Instant::parse(text).is_ok();
    let all =
        |fits: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|all| all.iter().all(fits));
    match kind {
        "string" => value.is_string(),
        "json" => is_text(&|text| text.is_empty() || serde_json::from_str::<Value>(text).is_ok()),
        "day" => is_text(&|text| {
            let day = text.strip_suffix("T00:00:00");
            day.is_some_and(|day| day.len() == 10 && Instant::parse(day).is_ok())
        }),
        "time" => is_text(&is_time),
        "ticks" => is_text(&|text| {
            let parts = text.split_once('.');
            parts.is_some_and(|(second, part)| {
                is_time(&format!("{second}Z")) && part.len() == 8 && part.ends_with('Z')
            })
        }),
        "period" => is_text(&|text| text.len() == 6 && BillingPeriod::parse(text).is_ok()),
        "path" => value.is_null() || is_text(&|text| text.starts_with("/v")),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "percentage" => number(value).is_some_and(|share| share >= Fixed18::ZERO && share <= most),
        "long" => {
            let digits = value.to_string();
            value.is_number() && digits.split_once('.').is_some_and(|(_, part)| part.len() >= 15)
        }
        "parts" => all(&|part| part["name"].is_string() && part["value"].is_number()),
        "properties" => all(&|one| one["name"].is_string() && one["value"].is_string()),
        other => panic!("{other} is no kind"),
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) => true,
        Value::Number(_) => number(value).is_some_and(|number| !number.is_zero()),
        Value::String(text) => !text.is_empty() && text != "{}",
        Value::Array(all) => !all.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// That a row has just these members; gives those with something in them.
fn check_row(of: &str, row: &Value, members: &Members) -> BTreeSet<String> {
    let row = row.as_object().unwrap_or_else(|| panic!("{of}: {row} is no object"));
    let names: BTreeSet<&str> = row.keys().map(String::as_str).collect();
    assert_eq!(names, members.keys().copied().collect::<BTreeSet<_>>(), "{of}");
    for (name, kind) in members {
        assert!(is_of(&row[*name], kind), "{of}: {name} is no {kind}: {}", row[*name]);
    }
    row.iter().filter(|(_, value)| is_filled(value)).map(|(name, _)| name.clone()).collect()
}

async fn rows(server: &Server, path: &str, rows: Rows) -> Vec<Value> {
    let key = server.told("enterprise.api_key");
    let answer = server.get(path, Some(&key)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    assert!(answer.headers().get("etag").is_some(), "{path}");
    let mut body: Value = answer.json().await.expect("JSON");
    let found = match rows {
        Rows::One => Some(vec![body]),
        Rows::List => body.as_array().cloned(),
        Rows::Data => body["data"].as_array_mut().map(std::mem::take),
    };
    found.unwrap_or_else(|| panic!("{path}: no rows"))
}

async fn check(server: &Server, report: &Report) {
    let of = server.told("enterprise.enrollment");
    let (mut all, mut filled) = (BTreeSet::new(), BTreeSet::new());
    for version in report.versions.chars() {
        let members = report.members(version);
        for path in report.paths {
            let path = format!("/v{version}/enrollments/{of}/{path}");
            let rows = rows(server, &path, report.rows).await;
            assert!(!rows.is_empty(), "{path}: nothing to see");
            for row in &rows {
                filled.extend(check_row(&path, row, &members));
            }
        }
        all.extend(members.into_keys());
    }
    let never: BTreeSet<&str> =
        all.into_iter().filter(|member| !filled.contains(*member)).collect();
    let listed: BTreeSet<&str> = report.never.split_whitespace().collect();
    assert_eq!(never, listed, "{:?}", report.paths);
}

async fn check_jobs(server: &Server) {
    let (of, key) = (server.told("enterprise.enrollment"), server.told("enterprise.api_key"));
    let members: Members = read(JOB).collect();
    for version in ["v2", "v3"] {
        let submit = format!("{version}/enrollments/{of}/usagedetails/submit?billingPeriod=202610");
        let url = format!("{}/{submit}", server.told("base_url"));
        let answer = server.client.post(url).bearer_auth(&key).send().await.expect("an answer");
        let job: Value = answer.json().await.expect("JSON");
        check_row(&submit, &job, &members);
        let poll = job["reportUrl"].as_str().expect("an address");
        let answer = server.client.get(poll).bearer_auth(&key).send().await.expect("an answer");
        check_row(poll, &answer.json().await.expect("JSON"), &members);
    }
}

on_each_store!(each_member_of_the_tables_is_there_with_its_type);
async fn each_member_of_the_tables_is_there_with_its_type(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &[]);
    for report in &REPORTS {
        check(&server, report).await;
    }
    check_jobs(&server).await;
    server.stop();
}
