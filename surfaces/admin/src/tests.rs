//! Conversions, and the operations that this surface serves.

use crate::charges::{self, pieces};
use crate::keys::Wanted;
use calendar::Instant;
use money::{Cost, Currency, Fixed18};
use service::{ChargeRow, ChargeTable, KeyWanted};

fn row(key: &str, cost: &str) -> ChargeRow {
    let currency = Currency::parse("USD").unwrap();
    ChargeRow {
        keys: vec![Some(key.to_owned()), None],
        labels: vec![Some(format!("\"{key}\"")), None],
        records: 3,
        unit: Some("1 GB".to_owned()),
        quantity: Some(Fixed18::parse("0.000000000000000001").unwrap()),
        cost: Cost { major: Fixed18::parse(cost).unwrap(), currency },
        amortised: Cost { major: Fixed18::parse("0.5").unwrap(), currency },
    }
}

#[test]
fn days_are_a_month_or_two_bounds() {
    fn check(given: &str, expected: &str) {
        let now = Instant::parse("2026-03-17T09:00:00Z").unwrap();
        let asked: charges::Asked = serde_json::from_str(given).unwrap();
        let days = match asked.query(now) {
            Ok(query) => format!("{} to {}", query.days.start, query.days.end),
            Err(error) => error.to_string(),
        };
        assert_eq!(days, expected, "{given}");
    }
    check("{}", "2026-03-01 to 2026-04-01");
    check(r#"{"month":"2024-02"}"#, "2024-02-01 to 2024-03-01");
    check(r#"{"month":"202402"}"#, "2024-02-01 to 2024-03-01");
    check(r#"{"from":"2026-01-05","until":"2026-01-06"}"#, "2026-01-05 to 2026-01-06");
    check(r#"{"from":"2026-01-05"}"#, "until: must stand with `from`");
    check(r#"{"until":"2026-01-05"}"#, "from: must stand with `until`");
    check(
        r#"{"month":"2026-01","from":"2026-01-05"}"#,
        "month: cannot stand beside `from` and `until`",
    );
    check(
        r#"{"from":"2026-01-05T10:00:00Z","until":"2026-01-06"}"#,
        "from: `2026-01-05T10:00:00Z` is not a day such as 2026-03-01",
    );
    check(r#"{"month":"March"}"#, "month: `March` is not a billing period such as 2026-03");
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    fn check(given: &str, expected: &str) {
        let asked = serde_json::from_str::<charges::Asked>(given).map_err(|e| e.to_string());
        let query = asked.and_then(|a| a.query(Instant::EPOCH).map_err(|e| e.to_string()));
        assert!(query.unwrap_err().starts_with(expected), "{given}");
    }
    check(r#"{"account":"a"}"#, "unknown field `account`");
    check(r#"{"group_by":["colour"]}"#, "group_by[0]: `colour` is none of day, month");
    check(r#"{"filters":[{"on":"colour","values":[]}]}"#, "filters[0].on: `colour` is none of day");
    check(r#"{"top":-1}"#, "invalid value");
    check(r#"{"billing_account":""}"#, "billing_account: must not be empty");
}

#[test]
fn charges_keep_every_digit_as_text() {
    fn check(rows: Vec<ChargeRow>, expected: &str) {
        let columns = vec!["meter".to_owned(), "tag:env".to_owned()];
        let text: String =
            pieces(ChargeTable { columns, rows }, vec![]).map(Result::unwrap).collect();
        assert_eq!(text, expected);
    }
    check(vec![], r#"{"columns":["meter","tag:env"],"rows":[],"left_out":[]}"#);
    check(
        vec![row("a", "-0.100000000000000000"), row("b", "12345678901234567.123456789012345678")],
        concat!(
            r#"{"columns":["meter","tag:env"],"rows":["#,
            r#"{"keys":["a",null],"labels":["\"a\"",null],"records":3,"unit":"1 GB","#,
            r#""quantity":"0.000000000000000001","cost":"-0.1","amortised":"0.5","currency":"USD"},"#,
            r#"{"keys":["b",null],"labels":["\"b\"",null],"records":3,"unit":"1 GB","#,
            r#""quantity":"0.000000000000000001","#,
            r#""cost":"12345678901234567.123456789012345678","#,
            r#""amortised":"0.5","currency":"USD"}],"left_out":[]}"#,
        ),
    );
}

#[test]
fn many_rows_are_one_list_in_pieces() {
    let rows: Vec<_> = (0..2_001).map(|at| row(&at.to_string(), "1")).collect();
    let columns = vec!["meter".to_owned(), "day".to_owned()];
    let pieces: Vec<String> =
        pieces(ChargeTable { columns, rows }, vec![]).map(Result::unwrap).collect();
    assert_eq!(pieces.len(), 5, "head, three pieces, end");
    let answer: serde_json::Value = serde_json::from_str(&pieces.concat()).unwrap();
    let rows = answer["rows"].as_array().unwrap();
    let in_order =
        (0..2_001).all(|at| rows[at]["keys"][0].as_str() == Some(at.to_string().as_str()));
    assert!(rows.len() == 2_001 && in_order);
}

#[test]
fn a_key_is_wanted_in_known_words() {
    fn check(given: &str, expected: &str) {
        let wanted: Wanted = serde_json::from_str(given).unwrap();
        let wanted = match KeyWanted::try_from(wanted) {
            Ok(wanted) => format!("{} {:?} {:?}", wanted.principal, wanted.actions, wanted.sources),
            Err(error) => error.to_string(),
        };
        assert!(wanted.starts_with(expected), "{wanted}");
    }
    check(
        r#"{"principal":"p","actions":["usage:send"],"billing_accounts":["a"],"sources":["s"]}"#,
        r#"p [SendUsage] ["s"]"#,
    );
    check(
        r#"{"principal":"p","actions":["all"],"billing_accounts":["a"]}"#,
        "actions[0]: `all` is none of subscription:read, usage:read",
    );
    check(r#"{"principal":"","actions":[],"billing_accounts":[]}"#, "principal: must not be empty");
}

#[test]
fn every_fault_is_told_at_once_by_the_path_of_its_member() {
    fn check(given: &str, expected: &[&str]) {
        let wanted: Wanted = serde_json::from_str(given).unwrap();
        let Err(httpkit::Refusal::Faults(faults)) = KeyWanted::try_from(wanted) else {
            panic!("{given} has no faults");
        };
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, expected, "{given}");
    }
    check(r#"{"principal":"","actions":[],"billing_accounts":[]}"#, &["principal"]);
    check(
        r#"{"principal":"","actions":["usage:send","all"],"billing_accounts":["a",""],
            "places":["a/department/d1","a/d1"],"sources":[""],
            "allowed_ranges":["10.0.0.1/8","10.0.0.0/8"],"valid_from":"soon"}"#,
        &[
            "principal",
            "actions[1]",
            "billing_accounts[1]",
            "places[1]",
            "sources[0]",
            "allowed_ranges[0]",
            "valid_from",
        ],
    );
}

#[test]
fn the_document_has_every_operation_of_the_table_and_no_other() {
    let document: serde_json::Value = serde_json::from_str(crate::openapi()).unwrap();
    let mut described: Vec<String> = Vec::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            described.push(format!("{} {path} {id}\n", verb.to_uppercase()));
        }
    }
    let (group, _) = crate::table().into_parts();
    let mut served: Vec<String> =
        httpkit::listing(group.operations()).lines().map(|line| format!("{line}\n")).collect();
    served.sort();
    described.sort();
    assert_eq!(described, served);
}

#[test]
fn the_operations_are_these() {
    let expected = "\
GET /admin/v1/audit Audit_List
GET /admin/v1/balance Balances_Get
GET /admin/v1/balance/{period} Balances_OfPeriod
GET /admin/v1/callbacks Callbacks_List
POST /admin/v1/callbacks/{id}/resend Callbacks_Resend
POST /admin/v1/charges/query Charges_Query
GET /admin/v1/closes Closes_List
POST /admin/v1/closes Closes_Run
GET /admin/v1/closes/{period} Closes_Get
GET /admin/v1/company Company_List
POST /admin/v1/company/apply Company_Apply
POST /admin/v1/company/plan Company_Plan
GET /admin/v1/conflicts Conflicts_List
POST /admin/v1/conflicts/settle Conflicts_Settle
GET /admin/v1/drafts Drafts_Get
POST /admin/v1/drafts/approve Drafts_Approve
POST /admin/v1/drafts/take-back Drafts_TakeBack
GET /admin/v1/enterprise-keys EnterpriseKeys_List
POST /admin/v1/enterprise-keys EnterpriseKeys_Make
GET /admin/v1/enterprise-keys/{id} EnterpriseKeys_Get
POST /admin/v1/enterprise-keys/{id}/remake EnterpriseKeys_Remake
POST /admin/v1/enterprise-keys/{id}/revoke EnterpriseKeys_Revoke
GET /admin/v1/explain/document Explain_Document
GET /admin/v1/explain/line Explain_Line
GET /admin/v1/explain/record Explain_Record
POST /admin/v1/explain/total Explain_Total
GET /admin/v1/invoices Invoices_List
GET /admin/v1/invoices/{number} Invoices_Get
POST /admin/v1/invoices/{number}/credit-notes Invoices_Credit
POST /admin/v1/invoices/{number}/rebill Invoices_Rebill
POST /admin/v1/invoices/{number}/void Invoices_Void
POST /admin/v1/invoices/{number}/write-off Invoices_WriteOff
GET /admin/v1/keys Keys_List
POST /admin/v1/keys Keys_Make
POST /admin/v1/keys/{id}/revoke Keys_Revoke
GET /admin/v1/ledger Ledger_List
GET /admin/v1/openapi.json OpenApi_Get
POST /admin/v1/operations/seal Operations_Seal
POST /admin/v1/operations/verify Operations_Verify
POST /admin/v1/payments Payments_Record
GET /admin/v1/quarantine Quarantine_List
POST /admin/v1/quarantine/replay Quarantine_Replay
POST /admin/v1/refunds Refunds_Record
GET /admin/v1/requests Requests_List
POST /admin/v1/requests/{id}/approve Requests_Approve
POST /admin/v1/usage/amend Usage_Amend
POST /admin/v1/usage/withdraw Usage_Withdraw
";
    assert_eq!(httpkit::listing(crate::table().into_parts().0.operations()), expected);
}
