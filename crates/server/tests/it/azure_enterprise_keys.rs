//! Enterprise keys at each route of an enrollment's reports: in which versions it is, whom each kind
//! of key lets read, and that everybody else is told the same.

use crate::books::{Books, Schema, on_each_store};
use crate::program::{Server, now};
use identity::{EnterpriseClaims, Issuer};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    List,
    Object,
    Envelope,
    File,
    Job,
}

/// Whom a route answers: each key of the enrollment, or those of all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    Each,
    Whole,
}

use Readers::{Each, Whole};
use Shape::{Envelope, File, Job, List, Object};

/// Path below the enrollment, versions, who reads it, what it answers. A POST is a job.
type Route = (&'static str, &'static str, Readers, Shape);

/// Source: the route table of `enterprise-reporting.md` section 2, without the two that a job names.
const ROUTES: [Route; 23] = [
    ("/billingperiods", "123", Each, List),
    ("/balancesummary", "123", Whole, Object),
    ("/billingPeriods/202609/balancesummary", "123", Whole, Object),
    ("/usagedetails", "123", Each, Envelope),
    ("/billingPeriods/202609/usagedetails", "123", Each, Envelope),
    ("/usagedetailsbycustomdate?startTime=2026-09-01&endTime=2026-09-02", "123", Each, Envelope),
    ("/usagedetails/download?billingPeriod=202609", "23", Each, File),
    ("/usagedetails/download?startTime=2026-09-01&endTime=2026-09-30", "23", Each, File),
    ("/usagedetails/submit?billingPeriod=202609", "23", Each, Job),
    ("/usagedetails/submit?startTime=2026-08-01&endTime=2026-09-30", "23", Each, Job),
    ("/marketplacecharges", "123", Whole, List),
    ("/billingPeriods/202609/marketplacecharges", "123", Whole, List),
    ("/marketplacechargesbycustomdate?startTime=2026-09-01&endTime=2026-09-30", "123", Whole, List),
    ("/pricesheet", "123", Whole, List),
    ("/billingPeriods/202609/pricesheet", "123", Whole, List),
    ("/reservationcharges?startDate=2026-08-01&endDate=2026-09-30", "234", Whole, List),
    ("/reservationdetails?startDate=2026-09-01&endDate=2026-09-30", "2", Whole, List),
    ("/reservationsummaries?grain=daily&startdate=2026-09-01&enddate=2026-09-30", "2", Whole, List),
    ("/reservationsummaries?grain=monthly", "2", Whole, List),
    ("/SharedReservationRecommendations?lookBackPeriod=7", "2", Whole, List),
    ("/SingleReservationRecommendations?lookBackPeriod=30", "2", Whole, List),
    ("/AggregateReservationRecommendations?lookBackPeriod=60", "2", Whole, List),
    ("/ReservationRecommendations?lookBackPeriod=7", "2", Whole, List),
];

/// The enrollment in the address, the key in the context file, and what routes of each kind of
/// reader answer it: 200 stands for whatever says that it was done.
const KEYS: [(&str, &str, u16, u16); 7] = [
    ("enrollment", "api_key", 200, 200),
    ("enrollment", "department_key", 200, 403),
    ("enrollment", "account_owner_key", 200, 403),
    ("enrollment", "expired_key", 401, 401),
    ("enrollment", "revoked_key", 401, 401),
    ("foreign_enrollment", "api_key", 401, 401),
    ("foreign_enrollment", "department_key", 401, 401),
];

/// A demo whose data are gone with it.
struct Demo {
    server: Server,
    _schema: Option<Schema>,
    _directory: tempfile::TempDir,
}

impl Demo {
    fn new(books: Books, burst: &str) -> Demo {
        let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
        let settings = [
            ("RECKONER_LIMITS__REQUEST_BURST", burst),
            ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1"),
        ];
        let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &settings);
        Demo { server, _schema: schema, _directory: directory }
    }
}

on_each_store!(keys_open_what_is_theirs_and_nothing_else);
async fn keys_open_what_is_theirs_and_nothing_else(books: Books) {
    let demo = Demo::new(books, "100000");
    let server = &demo.server;
    each_route_answers_in_its_versions_whom_it_is_for(server).await;
    whatever_is_wrong_with_a_key_is_told_alike(server).await;
    addresses_are_read_without_regard_to_case(server).await;
    an_answer_that_is_known_is_not_sent_again(server).await;
    policies_decide_who_sees_costs(server).await;
    demo.server.stop();
}

on_each_store!(keys_are_made_and_end_one_by_one);
async fn keys_are_made_and_end_one_by_one(books: Books) {
    let demo = Demo::new(books, "10");
    let server = &demo.server;
    the_keys_of_an_owner_come_and_go_alone(server).await;
    keys_are_made_at_ones_own_place_only(server).await;
    each_key_has_a_limit_of_its_own(server).await;
    demo.server.stop();
}

fn enterprise(server: &Server, member: &str) -> String {
    server.told(&format!("enterprise.{member}"))
}

async fn ask(server: &Server, verb: Method, path: &str, header: Option<&str>) -> Response {
    let request = server.client.request(verb, format!("{}{path}", server.told("base_url")));
    let request = match header {
        Some(header) => request.header(AUTHORIZATION, header),
        None => request,
    };
    request.send().await.expect("an answer")
}

/// Status and body of a report of the enrollment.
async fn report(server: &Server, key: &str, path: &str) -> (u16, Value) {
    let path = format!("/{path}").replace("{e}", &enterprise(server, "enrollment"));
    let answer = ask(server, Method::GET, &path, Some(&format!("bearer {key}"))).await;
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

/// What of an answer is not as its shape says; nothing if all is.
async fn misshapen(answer: Response, shape: Shape) -> Option<String> {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_owned();
    if shape == File {
        let text = answer.text().await.expect("text");
        let heads = text.lines().nth(2).unwrap_or_default().to_owned();
        let is_right = kind == "application/octet-stream" && heads.starts_with("AccountId,");
        return (!is_right).then(|| format!("{kind}: {heads}"));
    }
    let body: Value = answer.json().await.expect("JSON");
    let has = |members: &[&str]| members.iter().all(|member| body.get(member).is_some());
    let is_right = match shape {
        List => body.is_array(),
        Object => has(&["id", "billingPeriodId", "currencyCode"]),
        Envelope => body["id"].is_string() && body["data"].is_array() && has(&["nextLink"]),
        Job => body["status"].is_u64() && has(&["id", "reportUrl", "blobPath", "requestedOn"]),
        File => false,
    };
    (!is_right || !kind.starts_with("application/json")).then(|| format!("{kind}: {body:.300}"))
}

async fn each_route_answers_in_its_versions_whom_it_is_for(server: &Server) {
    let (mut wrong, mut unauthorized) = (Vec::new(), BTreeSet::new());
    for (path, versions, readers, shape) in ROUTES {
        let verb = if shape == Job { Method::POST } else { Method::GET };
        for version in "012345".chars() {
            for (enrollment, key, each, whole) in KEYS {
                let number = enterprise(server, enrollment);
                let header = format!("Bearer {}", enterprise(server, key));
                let address = format!("/v{version}/enrollments/{number}{path}");
                let answer = ask(server, verb.clone(), &address, Some(&header)).await;
                let status = answer.status().as_u16();
                let expected = match readers {
                    _ if !versions.contains(version) => 404,
                    Each => each,
                    Whole => whole,
                };
                let is_done = expected == 200 && (status == 200 || (status == 202 && shape == Job));
                if !is_done && status != expected {
                    wrong.push(format!("v{version}{path} {enrollment} {key}: {status}"));
                } else if answer.headers().get("x-ms-request-id").is_none() {
                    wrong.push(format!("v{version}{path} {key}: no request id"));
                } else if is_done {
                    let found = misshapen(answer, shape).await;
                    wrong.extend(found.map(|found| format!("v{version}{path} {key}: {found}")));
                } else {
                    let body: Value = answer.json().await.expect("JSON");
                    let error = &body["error"];
                    if !error["code"].is_string() || !error["message"].is_string() {
                        wrong.push(format!("v{version}{path} {key}: {body}"));
                    }
                    if status == 401 {
                        unauthorized.insert(body.to_string());
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(unauthorized.len(), 1, "{unauthorized:?}");
}

async fn whatever_is_wrong_with_a_key_is_told_alike(server: &Server) {
    let enrollment = enterprise(server, "enrollment");
    let good = enterprise(server, "api_key");
    let claims = EnterpriseClaims {
        key_id: "7d2f1a30-0000-4000-8000-000000000001".to_owned(),
        enrollment: enrollment.clone(),
        department: String::new(),
        account: String::new(),
        not_before: now(),
        expires: now().plus_seconds(3_600),
    };
    let other = Issuer::from_secret(&Issuer::new_secret().expect("a key")).expect("an issuer");
    let other = other.enterprise_key(&claims).expect("a text").to_string();
    let cut = good.rsplit_once('.').expect("three parts").0.to_owned();
    let token = server.told("clients.owner.token");
    let api_key = server.told("intake.api_key");
    let headers: [Option<String>; 11] = [
        None,
        Some(String::new()),
        Some("bearer".to_owned()),
        Some("bearer nothing".to_owned()),
        Some(format!("basic {good}")),
        Some(good.clone()),
        Some(format!("bearer {cut}")),
        Some(format!("bearer {good}x")),
        Some(format!("bearer {other}")),
        Some(format!("bearer {token}")),
        Some(format!("bearer {api_key}")),
    ];
    let mut told = BTreeSet::new();
    for number in [enrollment.as_str(), "40071285", "99999999", "0", "%FF", "a b"] {
        let path = format!("/v2/enrollments/{}/billingperiods", number.replace(' ', "%20"));
        for header in &headers {
            let answer = ask(server, Method::GET, &path, header.as_deref()).await;
            assert_eq!(answer.status(), 401, "{number} {header:?}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            told.insert(answer.text().await.expect("text"));
        }
        if number != enrollment {
            let answer = ask(server, Method::GET, &path, Some(&format!("bearer {good}"))).await;
            assert_eq!(answer.status(), 401, "{number}");
            told.insert(answer.text().await.expect("text"));
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    // An enterprise key opens nothing else.
    for path in ["/subscriptions?api-version=2022-12-01", "/admin/v1/balance?billing_account=x"] {
        let answer = server.get(path, Some(&good)).send().await.expect("an answer");
        assert_eq!(answer.status(), 401, "{path}");
    }
}

async fn addresses_are_read_without_regard_to_case(server: &Server) {
    let (enrollment, key) = (enterprise(server, "enrollment"), enterprise(server, "api_key"));
    let days = "starttime=2026-09-01&ENDTIME=2026-09-01";
    for path in [
        format!("/V1/Enrollments/{enrollment}/BillingPeriods"),
        format!("/v3/enrollments/{enrollment}/billingPeriods/202609/BalanceSummary"),
        format!("/v3/ENROLLMENTS/{enrollment}/UsageDetailsByCustomDate?{days}"),
    ] {
        for scheme in ["bearer", "Bearer", "BEARER"] {
            let request = server.get(&path, None).header("api-version", "1.0");
            let request = request.header(AUTHORIZATION, format!("{scheme} {key}"));
            let request = request.header(CONTENT_TYPE, "application/json");
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{scheme} {path}");
        }
    }
}

async fn an_answer_that_is_known_is_not_sent_again(server: &Server) {
    let (enrollment, key) = (enterprise(server, "enrollment"), enterprise(server, "api_key"));
    let mut tags = BTreeSet::new();
    let paths = [
        "v1/{e}/billingperiods",
        "v1/{e}/balancesummary",
        "v2/{e}/balancesummary",
        "v2/{e}/billingperiods/202609/balancesummary",
        "v2/{e}/billingperiods/202610/balancesummary",
    ];
    for path in paths {
        let path = format!("/{}", path.replace("{e}", &format!("enrollments/{enrollment}")));
        let request = |tag: Option<&str>| {
            let request = server.get(&path, Some(&key));
            match tag {
                Some(tag) => request.header(IF_NONE_MATCH, tag),
                None => request,
            }
        };
        let first = request(None).send().await.expect("an answer");
        assert_eq!(first.status(), 200, "{path}");
        let tag = first.headers()[ETAG].to_str().expect("a tag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for known in [tag.clone(), tag.replace('"', ""), format!("\"other\", {tag}")] {
            let again = request(Some(&known)).send().await.expect("an answer");
            assert_eq!(again.status(), 304, "{path} {known}");
            assert_eq!(again.headers()[ETAG].to_str().expect("a tag"), tag);
            assert_eq!(again.text().await.expect("nothing"), "");
        }
        let other = request(Some("\"other\"")).send().await.expect("an answer");
        assert_eq!(other.status(), 200, "{path}");
        tags.insert(tag);
    }
    assert_eq!(tags.len(), paths.len(), "each question has a tag of its own");
}

async fn policies_decide_who_sees_costs(server: &Server) {
    // The demo's enrollment shows costs to department administrators, not to account owners.
    let facts =
        [("api_key", true, 2), ("department_key", true, 1), ("account_owner_key", false, 1)];
    for (key, shows, accounts) in facts {
        let path = "v3/enrollments/{e}/billingPeriods/202609/usagedetails";
        let (status, body) = report(server, &enterprise(server, key), path).await;
        assert_eq!(status, 200, "{key}: {body}");
        let rows = body["data"].as_array().expect("rows");
        assert!(!rows.is_empty(), "{key}");
        for row in rows {
            for member in ["cost", "resourceRate"] {
                let is_seen = row.get(member).is_some_and(|cost| !cost.is_null());
                assert_eq!(is_seen, shows, "{key}: {row}");
            }
            assert!(row["consumedQuantity"].is_number(), "{key}: {row}");
        }
        let names = rows.iter().filter_map(|row| row["accountName"].as_str());
        let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
        assert!(names.len() <= accounts, "{key}: {names:?}");
        let (_, periods) =
            report(server, &enterprise(server, key), "v1/enrollments/{e}/billingperiods").await;
        let periods = periods.as_array().expect("periods");
        assert!(periods.iter().any(|period| period["usageDetails"].is_string()), "{key}");
        for member in ["balanceSummary", "marketplaceCharges", "priceSheet"] {
            let is_told = periods.iter().any(|period| period[member].is_string());
            assert_eq!(is_told, key == "api_key", "{key}: {member}");
        }
    }
}

/// Sends an operation of the admin API; status and body.
async fn operate(
    server: &Server,
    who: &str,
    verb: Method,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let url = format!("{}{path}", server.told("admin.url"));
    let token = server.told(&format!("clients.{who}.token"));
    let mut request = server.client.request(verb.clone(), url).bearer_auth(token);
    if verb == Method::POST {
        request = request.json(&body);
    }
    crate::described::checked(verb.as_str(), request.send().await.expect("an answer")).await
}

async fn the_keys_of_an_owner_come_and_go_alone(server: &Server) {
    let enrollment = enterprise(server, "enrollment");
    let path = "v1/enrollments/{e}/billingperiods";
    let text = |body: &Value, member: &str| body[member].as_str().expect("a text").to_owned();
    let own = format!("/enterprise-keys?billing_account={enrollment}");
    let (status, listed) = operate(server, "owner", Method::GET, &own, json!({})).await;
    assert_eq!(status, 200, "{listed}");
    let keys = listed["keys"].as_array().expect("keys");
    let known: Vec<(&str, &str)> = keys
        .iter()
        .map(|key| (key["slot"].as_str().expect("a slot"), key["state"].as_str().expect("a state")))
        .collect();
    assert_eq!(known, [("secondary", "revoked"), ("primary", "live")], "{listed}");
    assert!(keys.iter().all(|key| key.get("key").is_none()), "{listed}");

    // The first one is taken, the other was revoked.
    let wanted = |slot: &str| json!({ "billing_account": enrollment, "slot": slot });
    let make = "/enterprise-keys";
    let (taken, _) = operate(server, "owner", Method::POST, make, wanted("primary")).await;
    assert_eq!(taken, 409);
    let (status, second) = operate(server, "owner", Method::POST, make, wanted("secondary")).await;
    assert_eq!(status, 201, "{second}");
    let (first, second_key) = (enterprise(server, "api_key"), text(&second, "key"));
    for key in [&first, &second_key] {
        assert_eq!(report(server, key, path).await.0, 200);
    }

    // It is shown again as it was; made anew alone; the other goes on.
    let first_id = keys[1]["key_id"].as_str().expect("an id");
    let one = format!("/enterprise-keys/{first_id}");
    let (_, shown) = operate(server, "owner", Method::GET, &one, json!({})).await;
    assert_eq!(text(&shown, "key"), first);
    let anew = format!("{one}/remake");
    let (status, third) = operate(server, "owner", Method::POST, &anew, json!({})).await;
    assert_eq!((status, text(&third, "slot").as_str()), (201, "primary"), "{third}");
    assert_eq!(operate(server, "owner", Method::POST, &anew, json!({})).await.0, 409);
    let third_key = text(&third, "key");
    let holds = [(&first, 401), (&second_key, 200), (&third_key, 200)];
    for (key, expected) in holds {
        assert_eq!(report(server, key, path).await.0, expected);
    }

    let revoke = format!("/enterprise-keys/{}/revoke", text(&second, "key_id"));
    for _ in 0..2 {
        assert_eq!(operate(server, "owner", Method::POST, &revoke, json!({})).await.0, 204);
    }
    let holds = [(&first, 401), (&second_key, 401), (&third_key, 200)];
    for (key, expected) in holds {
        assert_eq!(report(server, key, path).await.0, expected);
    }
}

async fn keys_are_made_at_ones_own_place_only(server: &Server) {
    let enrollment = enterprise(server, "enrollment");
    let department = server.told("accounts.ea.department");
    let of_department = json!({
        "billing_account": enrollment, "department": department, "slot": "secondary",
    });
    let of_nobody = json!({
        "billing_account": enrollment, "department": "nowhere", "slot": "primary",
    });
    let of_retailer = json!({
        "billing_account": server.told("accounts.mca.billing_account"), "slot": "primary",
    });
    let both = json!({
        "billing_account": enrollment, "department": department,
        "enrollment_account": server.told("accounts.ea.enrollment_account"), "slot": "primary",
    });
    let third = json!({ "billing_account": enrollment, "slot": "tertiary" });
    let facts = [
        // An enterprise administrator makes keys of the enrollment only.
        ("owner", &of_department, 403),
        ("recipient", &of_department, 404),
        ("nobody", &of_department, 404),
        // The department's second key has expired, so that its slot is free.
        ("operator", &of_department, 201),
        ("operator", &of_department, 409),
        ("operator", &of_nobody, 404),
        ("operator", &of_retailer, 400),
        ("operator", &both, 400),
        ("operator", &third, 400),
    ];
    for (who, wanted, expected) in facts {
        let make = "/enterprise-keys";
        let (status, body) = operate(server, who, Method::POST, make, wanted.clone()).await;
        assert_eq!(status, expected, "{who} {wanted}: {body}");
    }
}

async fn each_key_has_a_limit_of_its_own(server: &Server) {
    let path = format!("/v1/enrollments/{}/billingperiods", enterprise(server, "enrollment"));
    let mut limited = None;
    for _ in 0..40 {
        let key = format!("bearer {}", enterprise(server, "account_owner_key"));
        let answer = ask(server, Method::GET, &path, Some(&key)).await;
        if answer.status() == 429 {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.expect("a limit");
    let wait = &limited.headers()["x-ms-ratelimit-microsoft.consumption-retry-after"];
    let wait: u64 = wait.to_str().expect("text").parse().expect("seconds");
    assert!(wait >= 1, "{wait}");
    let body: Value = limited.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], "TooManyRequests");
    let other = format!("bearer {}", enterprise(server, "department_key"));
    assert_eq!(ask(server, Method::GET, &path, Some(&other)).await.status(), 200);
}
