//! Billing periods and balance summaries of an enrollment: each member with its type, the sums that
//! must hold, and that a period begins with what the one before ended with.

use crate::books::{Books, on_each_store};
use crate::program::Server;
use money::Fixed18;
use serde_json::Value;

/// Each member of a balance summary. Source: `enterprise-reporting.md` section 3.2.
const AMOUNTS: [&str; 10] = [
    "adjustments",
    "azureMarketplaceServiceCharges",
    "beginningBalance",
    "chargesBilledSeparately",
    "endingBalance",
    "newPurchases",
    "serviceOverage",
    "totalOverage",
    "totalUsage",
    "utilized",
];

async fn told(server: &Server, path: &str) -> (u16, Value) {
    let enrollment = server.told("enterprise.enrollment");
    let path = path.replace("{e}", &enrollment);
    let key = server.told("enterprise.api_key");
    let answer = server.get(&path, Some(&key)).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

fn number(value: &Value) -> Fixed18 {
    assert!(value.is_number(), "{value} is no number");
    Fixed18::parse(&value.to_string()).expect("a decimal")
}

fn sum(parts: impl IntoIterator<Item = Fixed18>) -> Fixed18 {
    Fixed18::checked_sum(parts).expect("a small sum")
}

/// What the summary says and what it must say.
fn check(summary: &Value, enrollment: &str, period: &str) {
    let of = |name: &str| number(&summary[name]);
    let minus = |name: &str| of(name).checked_neg().expect("a small number");
    let mut members: Vec<&str> =
        summary.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    let others =
        ["adjustmentDetails", "billingPeriodId", "currencyCode", "id", "newPurchasesDetails"];
    let mut expected = [AMOUNTS.as_slice(), &others].concat();
    expected.sort_unstable();
    assert_eq!(members, expected, "{summary}");
    let id = format!("enrollments/{enrollment}/billingperiods/{period}/balancesummaries");
    assert_eq!(summary["id"], id.as_str());
    assert_eq!(summary["billingPeriodId"].to_string(), period, "a number");
    assert_eq!(summary["currencyCode"], "USD");
    let ending =
        sum([of("beginningBalance"), of("newPurchases"), of("adjustments"), minus("utilized")]);
    assert_eq!(of("endingBalance"), ending, "{summary}");
    let overage = sum([of("serviceOverage"), of("chargesBilledSeparately")]);
    assert_eq!(of("totalOverage"), overage, "{summary}");
    assert_eq!(of("totalUsage"), sum([of("utilized"), overage]), "{summary}");
    for (whole, details) in
        [("newPurchases", "newPurchasesDetails"), ("adjustments", "adjustmentDetails")]
    {
        let details = summary[details].as_array().expect("details");
        assert!(details.iter().all(|one| one["name"].is_string()), "{summary}");
        let parts = sum(details.iter().map(|one| number(&one["value"])));
        assert_eq!(of(whole), parts, "{summary}");
    }
}

on_each_store!(balances_and_periods_are_told_as_the_books_have_them);
async fn balances_and_periods_are_told_as_the_books_have_them(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &[]);
    balances_add_up_and_follow_one_another(&server).await;
    periods_come_newest_first_and_point_at_what_answers(&server).await;
    periods_that_cannot_be_told_are_refused(&server).await;
    server.stop();
}

async fn balances_add_up_and_follow_one_another(server: &Server) {
    let enrollment = server.told("enterprise.enrollment");
    let mut ended = None;
    for period in ["202608", "202609", "202610", "202611"] {
        let mut same = Vec::new();
        for version in ["v1", "v2", "v3"] {
            let path =
                format!("/{version}/enrollments/{{e}}/billingperiods/{period}/balancesummary");
            let (status, summary) = told(server, &path).await;
            assert_eq!(status, 200, "{summary}");
            check(&summary, &enrollment, period);
            same.push(summary);
        }
        assert!(same.iter().all(|one| *one == same[0]), "alike in all versions: {same:?}");
        let summary = &same[0];
        if let Some(ended) = ended {
            assert_eq!(number(&summary["beginningBalance"]), ended, "{period}: {summary}");
        }
        ended = Some(number(&summary["endingBalance"]));
        as_the_books_say(server, &enrollment, (period, summary)).await;
    }
    let (_, current) = told(server, "/v2/enrollments/{e}/balancesummary").await;
    check(&current, &enrollment, "202611");
}

/// The operator's balance of the period, in its own words.
async fn as_the_books_say(server: &Server, enrollment: &str, (period, summary): (&str, &Value)) {
    let month = format!("{}-{}", &period[..4], &period[4..]);
    let path = format!("/admin/v1/balance/{month}?billing_account={enrollment}");
    let token = server.told("clients.operator.token");
    let answer = server.get(&path, Some(&token)).send().await.expect("an answer");
    let books: Value = answer.json().await.expect("JSON");
    for (ours, theirs) in [
        ("beginning", "beginningBalance"),
        ("ending", "endingBalance"),
        ("utilized", "utilized"),
        ("total_usage", "totalUsage"),
        ("total_overage", "totalOverage"),
        ("marketplace", "azureMarketplaceServiceCharges"),
    ] {
        let kept = books[ours].as_str().expect("an amount");
        assert_eq!(summary[theirs].to_string(), kept, "{period} {theirs}");
    }
}

async fn periods_come_newest_first_and_point_at_what_answers(server: &Server) {
    for version in ["v1", "v2", "v3"] {
        let (status, periods) =
            told(server, &format!("/{version}/enrollments/{{e}}/billingperiods")).await;
        assert_eq!(status, 200, "{periods}");
        let periods = periods.as_array().expect("a list");
        let ids: Vec<&str> =
            periods.iter().map(|one| one["billingPeriodId"].as_str().expect("a text")).collect();
        assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
        assert_eq!(ids[..4], ["202611", "202610", "202609", "202608"]);
        for period in periods {
            let id = period["billingPeriodId"].as_str().expect("a text");
            let reports = [
                ("balanceSummary", "balancesummary"),
                ("usageDetails", "usagedetails"),
                ("marketplaceCharges", "marketplacecharges"),
                ("priceSheet", "pricesheet"),
            ];
            for (member, report) in reports {
                let enrollment = server.told("enterprise.enrollment");
                let path =
                    format!("/{version}/enrollments/{enrollment}/billingperiods/{id}/{report}");
                let pointer = period.get(member).expect("each member is there");
                assert!(pointer.is_null() || *pointer == path.as_str(), "{period}");
                if !pointer.is_null() {
                    assert_eq!(told(server, &path).await.0, 200, "{path}");
                }
            }
        }
        let august = periods.iter().find(|one| one["billingPeriodId"] == "202608");
        let august = august.expect("the first closed month");
        assert_eq!(august["billingStart"], "2026-08-01T00:00:00Z");
        assert_eq!(august["billingEnd"], "2026-08-31T23:59:59Z");
        assert_eq!(august.as_object().expect("an object").len(), 7, "{august}");
    }
}

async fn periods_that_cannot_be_told_are_refused(server: &Server) {
    for (period, expected) in [
        ("201404", 400),
        ("2026-09", 400),
        ("202613", 400),
        ("20269", 400),
        ("september", 400),
        ("202612", 404),
        ("201405", 404), // nothing of the enrollment then
    ] {
        let path = format!("/v2/enrollments/{{e}}/billingPeriods/{period}/balancesummary");
        let (status, body) = told(server, &path).await;
        assert_eq!(status, expected, "{period}: {body}");
        assert!(body["error"]["message"].is_string(), "{body}");
    }
}
