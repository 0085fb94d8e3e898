//! Budgets: usage that arrives reaches their thresholds, and who is to be told is told once.

use crate::books::{Books, on_each_store};
use crate::closing::{House, account, moment};
use crate::in_process;
use crate::installation::{FLAT, Installation, shop, text};
use crate::program::{self, Server};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use calendar::BillingPeriod;
use domain::Error;
use domain::access::{Caller, Scope};
use domain::budgets::{Budget, Measured, Notification, Operator, TimeGrain};
use domain::ids::{PrincipalId, SubscriptionId};
use domain::spend_filters::{SpendColumn, SpendFilter, SpendTest};
use hmac::{Hmac, KeyInit, Mac};
use money::Fixed18;
use reqwest::Method;
use serde_json::{Value, json};
use service::{
    AuditFilter, BudgetAsked, BudgetPut, BudgetTold, NoticeEnd, Recipient, Reckoner, SpendPlace,
    Tried,
};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).expect("a number")
}

fn acme() -> SpendPlace {
    SpendPlace { scope: Scope::Account(account("acme")), resource_group: None }
}

fn shop_group(group: Option<&str>) -> SpendPlace {
    let scope = Scope::Subscription(SubscriptionId::new("shop").expect("an id"));
    SpendPlace { scope, resource_group: group.map(str::to_owned) }
}

/// A budget from June 2026 on of which somebody is told at a percentage.
fn asked(name: &str, amount: &str, (measured, threshold): (Measured, &str)) -> BudgetAsked {
    let notification = Notification {
        enabled: true,
        operator: Operator::GreaterOrEqual,
        threshold: number(threshold),
        measured,
        emails: vec!["ops@acme.example".to_owned()],
        roles: Vec::new(),
        groups: Vec::new(),
        locale: None,
    };
    let start = BillingPeriod::parse("2026-06").expect("a month");
    let budget = Budget {
        amount: number(amount),
        grain: TimeGrain::Month,
        start,
        end: Budget::usual_end(start),
        filter: SpendFilter::default(),
        notifications: BTreeMap::from([("high".to_owned(), notification)]),
    };
    BudgetAsked { name: name.to_owned(), budget, tag: None }
}

async fn put(reckoner: &Reckoner, place: &SpendPlace, asked: &BudgetAsked) -> BudgetTold {
    let put = reckoner.put_budget(&Caller::Machine, place, asked, "test").await;
    match put.expect("kept") {
        BudgetPut::Made(told) | BudgetPut::Changed(told) => told,
    }
}

async fn checked(reckoner: &Reckoner) -> u64 {
    reckoner.check_budgets("test").await.expect("checked")
}

/// Delivers what is due: which recipients were told what each thing costs.
async fn delivered(reckoner: &Reckoner) -> Vec<String> {
    let mut told = Vec::new();
    for notice in reckoner.claim_notices().await.expect("notices") {
        let to = match &notice.recipient {
            Recipient::Mail(address) => address.clone(),
            Recipient::Group(id) => id.clone(),
        };
        let what = &notice.told;
        told.push(format!(
            "{to}: {} {} {} {}",
            what.budget, what.measured, what.cost, what.currency
        ));
        let end = reckoner.notice_tried(&notice, Tried::Delivered).await.expect("noted");
        assert_eq!(end, NoticeEnd::Delivered);
    }
    told.sort();
    told
}

async fn a_threshold_is_told_once_in_a_window(books: Books) {
    let house = House::new(books).await;
    put(&house.reckoner, &acme(), &asked("Small", "1", (Measured::Actual, "80"))).await;
    assert_eq!(checked(&house.reckoner).await, 0);
    // At 0.333 each.
    house.send(&["1 acme shop hours 2 2026-06-01"]).await;
    assert_eq!(checked(&house.reckoner).await, 0, "0.666 of 1");
    house.send(&["2 acme shop hours 1 2026-06-02"]).await;
    assert_eq!(checked(&house.reckoner).await, 1, "0.999 of 1");
    let once = ["ops@acme.example: Small actual 0.999 USD"];
    assert_eq!(delivered(&house.reckoner).await, once);
    house.send(&["3 acme shop hours 1 2026-06-03"]).await;
    assert_eq!(checked(&house.reckoner).await, 0, "still beyond");
    let house = house.reopened().await;
    assert_eq!(checked(&house.reckoner).await, 0, "after a restart");
    assert_eq!(delivered(&house.reckoner).await, [""; 0]);
    // The window turns, and begins anew.
    house.clock.set(moment("2026-07-02T12:00:00Z"));
    assert_eq!(checked(&house.reckoner).await, 0);
    house.send(&["4 acme shop hours 3 2026-07-01"]).await;
    assert_eq!(checked(&house.reckoner).await, 1);
    assert_eq!(delivered(&house.reckoner).await, once);
    let filter = AuditFilter { action: Some("budget.reached".to_owned()), ..Default::default() };
    let entries = house.reckoner.audit(&Caller::Machine, filter, 0, 9).await.expect("entries");
    assert_eq!(entries.len(), 2, "{entries:?}");
}

on_each_store!(a_threshold_is_told_once_in_a_window);

async fn a_forecast_is_held_against_its_own_thresholds(books: Books) {
    let house = House::new(books).await;
    let told =
        put(&house.reckoner, &acme(), &asked("June", "10", (Measured::Forecast, "90"))).await;
    assert_eq!(told.forecast, None, "nothing is known yet");
    // 0.333 on each of four days; the fifth runs.
    let days = (1..=4).map(|day| format!("{day} acme shop hours 1 2026-06-0{day}"));
    let days: Vec<String> = days.collect();
    house.send(&days.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(checked(&house.reckoner).await, 1);
    assert_eq!(delivered(&house.reckoner).await, ["ops@acme.example: June forecast 9.99 USD"]);
    let told = house.reckoner.budget(&Caller::Machine, &acme(), "june").await.expect("a budget");
    let digits = |cost: Option<money::Cost>| cost.map(|cost| cost.major.to_string());
    assert_eq!(digits(told.current).as_deref(), Some("1.332"));
    assert_eq!(digits(told.forecast).as_deref(), Some("9.99"));
}

on_each_store!(a_forecast_is_held_against_its_own_thresholds);

async fn two_programs_tell_once(books: Books) {
    let house = House::new(books).await;
    put(&house.reckoner, &acme(), &asked("Small", "1", (Measured::Actual, "50"))).await;
    house.send(&["1 acme shop hours 3 2026-06-01"]).await;
    let beside = tempfile::tempdir().expect("a directory");
    let other = match books {
        Books::Sqlite => house.reckoner.clone(),
        Books::Postgres => {
            let schema = house.schema.as_ref();
            in_process::open(beside.path(), schema, &house.clock, |_| {}).await
        }
    };
    let (one, two) = tokio::join!(house.reckoner.check_budgets("one"), other.check_budgets("two"));
    assert_eq!(one.expect("checked") + two.expect("checked"), 1);
    let (one, two) = tokio::join!(house.reckoner.claim_notices(), other.claim_notices());
    let (one, two) = (one.expect("notices"), two.expect("notices"));
    assert_eq!(one.len() + two.len(), 1, "{one:?} {two:?}");
}

on_each_store!(two_programs_tell_once);

async fn what_was_claimed_and_not_delivered_is_claimed_again(books: Books) {
    let house = House::new(books).await;
    put(&house.reckoner, &acme(), &asked("Small", "1", (Measured::Actual, "50"))).await;
    house.send(&["1 acme shop hours 3 2026-06-01"]).await;
    assert_eq!(checked(&house.reckoner).await, 1);
    let claim = async || house.reckoner.claim_notices().await.expect("notices");
    let first = claim().await;
    assert_eq!((first.len(), claim().await.len()), (1, 0));
    // Whoever claimed it died.
    house.clock.set(moment("2026-06-05T12:10:00Z"));
    let again = claim().await;
    assert_eq!(again[0].id, first[0].id);
    let failed = house.reckoner.notice_tried(&again[0], Tried::Failed("away".to_owned())).await;
    assert_eq!(failed.expect("noted"), NoticeEnd::Waits);
    assert_eq!(claim().await.len(), 0, "it pauses");
    house.clock.set(moment("2026-06-05T12:10:01Z"));
    let third = claim().await;
    let no_way = Tried::NoWay("mail.smtp is not configured".to_owned());
    house.reckoner.notice_tried(&third[0], no_way).await.expect("noted");
    house.clock.set(moment("2026-06-05T12:11:01Z"));
    assert_eq!(delivered(&house.reckoner).await.len(), 1);
    house.clock.set(moment("2026-06-05T15:00:00Z"));
    assert_eq!(claim().await.len(), 0);
}

on_each_store!(what_was_claimed_and_not_delivered_is_claimed_again);

async fn of_a_deleted_budget_nobody_is_told(books: Books) {
    let house = House::new(books).await;
    let small = asked("Small", "1", (Measured::Actual, "50"));
    put(&house.reckoner, &acme(), &small).await;
    house.send(&["1 acme shop hours 3 2026-06-01"]).await;
    assert_eq!(checked(&house.reckoner).await, 1);
    let delete =
        async || house.reckoner.delete_budget(&Caller::Machine, &acme(), "SMALL", "test").await;
    delete().await.expect("deleted");
    assert_eq!(delivered(&house.reckoner).await, [""; 0]);
    assert_eq!(checked(&house.reckoner).await, 0);
    assert!(matches!(delete().await, Err(Error::NotFound { .. })));
    // Another one of that name knows nothing of the first.
    put(&house.reckoner, &acme(), &small).await;
    assert_eq!(checked(&house.reckoner).await, 1);
}

on_each_store!(of_a_deleted_budget_nobody_is_told);

async fn a_budget_is_changed_behind_its_tag(books: Books) {
    let house = House::new(books).await;
    let first = asked("Small", "1", (Measured::Actual, "50"));
    let told = put(&house.reckoner, &acme(), &first).await;
    let again = house.reckoner.budget(&Caller::Machine, &acme(), "small").await.expect("a budget");
    assert_eq!(again, told);
    let tagged = |tag: &str, amount: &str| BudgetAsked {
        tag: Some(tag.to_owned()),
        ..asked("SMALL", amount, (Measured::Actual, "50"))
    };
    let changed = put(&house.reckoner, &acme(), &tagged(&told.tag, "2")).await;
    assert_ne!(changed.tag, told.tag);
    assert_eq!((changed.name.as_str(), changed.budget.amount), ("SMALL", number("2")));
    let put = async |asked: BudgetAsked| {
        house.reckoner.put_budget(&Caller::Machine, &acme(), &asked, "test").await
    };
    let stale = put(tagged(&told.tag, "3")).await;
    assert!(matches!(stale, Err(Error::Conflict { .. })), "{stale:?}");
    let other = BudgetAsked { name: "Other".to_owned(), ..tagged(&told.tag, "3") };
    let none = put(other).await;
    assert!(matches!(none, Err(Error::Conflict { .. })), "{none:?}");
    let all = house.reckoner.budgets(&Caller::Machine, &acme()).await.expect("budgets");
    assert_eq!(all, [changed]);
}

on_each_store!(a_budget_is_changed_behind_its_tag);

async fn a_limit_of_budgets_refuses(books: Books) {
    let house = House::with(books, |config| config.limits.budgets = 1).await;
    let budget = |name: &str| asked(name, "1", (Measured::Actual, "50"));
    put(&house.reckoner, &acme(), &budget("a")).await;
    put(&house.reckoner, &acme(), &budget("a")).await;
    put(&house.reckoner, &shop_group(None), &budget("b")).await;
    let refused = house.reckoner.put_budget(&Caller::Machine, &acme(), &budget("c"), "test").await;
    let refused = refused.expect_err("one too many").to_string();
    assert!(refused.contains("limits.budgets"), "{refused}");
}

on_each_store!(a_limit_of_budgets_refuses);

async fn only_what_a_budget_is_about_counts(books: Books) {
    let house = House::new(books).await;
    let records = [
        ("1", "/subscriptions/shop/resourceGroups/Red/providers/p/t/a", "blue", "1"),
        ("2", "/subscriptions/shop/resourceGroups/Green/providers/p/t/b", "blue", "2"),
        ("3", "", "", "4"),
    ];
    let records = records.map(|(id, resource, team, quantity)| {
        let mut record = in_process::record(id, quantity);
        record.resource = resource.to_owned();
        record.service_period = calendar::Interval::at(moment("2026-06-01"));
        if !team.is_empty() {
            record.tags = BTreeMap::from([("team".to_owned(), team.to_owned())]);
        }
        service::Incoming::Record(Box::new(record))
    });
    house.reckoner.take_in(&Caller::Machine, records.into()).await.expect("taken in");
    let cost = async |place: SpendPlace, filter: SpendFilter| {
        let mut asked = asked("Some", "1000", (Measured::Actual, "50"));
        asked.budget.filter = filter;
        let told = put(&house.reckoner, &place, &asked).await;
        told.current.expect("one currency").major.to_string()
    };
    let test = |on: SpendColumn, value: &str| SpendTest { on, values: vec![value.to_owned()] };
    let only = |test: SpendTest| SpendFilter { alone: vec![test], ..SpendFilter::default() };
    let all = SpendFilter::default();
    assert_eq!(cost(acme(), all.clone()).await, "2.331", "7 x 0.333");
    assert_eq!(cost(shop_group(None), all.clone()).await, "2.331");
    assert_eq!(cost(shop_group(Some("red")), all.clone()).await, "0.333");
    assert_eq!(cost(shop_group(Some("grey")), all).await, "0");
    let blue = test(SpendColumn::Tag("team".to_owned()), "blue");
    let green = test(SpendColumn::ResourceGroup, "GREEN");
    assert_eq!(cost(acme(), only(blue.clone())).await, "0.999");
    assert_eq!(cost(acme(), only(green.clone())).await, "0.666");
    let both = SpendFilter { all: vec![blue.clone(), green.clone()], ..SpendFilter::default() };
    assert_eq!(cost(acme(), both).await, "0.666");
    let other = SpendFilter { alone: vec![blue], not: Some(green), ..SpendFilter::default() };
    assert_eq!(cost(acme(), other).await, "0.333");
    assert_eq!(cost(acme(), only(test(SpendColumn::Meter, "calls"))).await, "0");
}

on_each_store!(only_what_a_budget_is_about_counts);

/// Licences of the account and of its shop, charged on the first of each month.
const LICENCES: &str = r#"
[[plan]]
billing_account = "acme"
id = "office"
name = "Office"
currency = "EUR"
timing = "in_advance"
amounts = [{ from = 2026-05-01, amount = "2" }]

[[plan]]
billing_account = "acme"
id = "till"
name = "Till"
subscription = "shop"
currency = "USD"
timing = "in_advance"
amounts = [{ from = 2026-05-01, amount = "3" }]

[[exchange_rate]]
id = "may"
from = "EUR"
to = "USD"
rate = "1.1"
source = "a bank"
at = 2026-04-30T14:00:00Z
"#;

async fn what_plans_charge_counts_on_its_day(books: Books) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, LICENCES).await;
    let told = async |place: SpendPlace, filter: SpendFilter| {
        let mut asked = asked("Some", "5", (Measured::Actual, "100"));
        asked.budget.filter = filter;
        let told = put(&house.reckoner, &place, &asked).await;
        told.current.expect("one currency").major.to_string()
    };
    let only = |on: SpendColumn, value: &str| {
        let test = SpendTest { on, values: vec![value.to_owned()] };
        SpendFilter { alone: vec![test], ..SpendFilter::default() }
    };
    let all = SpendFilter::default();
    assert_eq!(told(shop_group(None), all.clone()).await, "3");
    assert_eq!(told(shop_group(Some("red")), all.clone()).await, "0");
    assert_eq!(told(acme(), only(SpendColumn::Subscription, "SHOP")).await, "3");
    assert_eq!(told(acme(), only(SpendColumn::Meter, "hours")).await, "0");
    assert_eq!(told(acme(), all).await, "5.2", "2 x 1.1 + 3");
    assert_eq!(checked(&house.reckoner).await, 1);
    // Two days of usage: 0.333 each of 30, and what is charged besides.
    house.send(&["1 acme shop hours 1 2026-06-03", "2 acme shop hours 1 2026-06-04"]).await;
    let some = house.reckoner.budget(&Caller::Machine, &acme(), "some").await.expect("a budget");
    let digits = |cost: Option<money::Cost>| cost.map(|cost| cost.major.to_string());
    assert_eq!(digits(some.current).as_deref(), Some("5.866"));
    // Over 0.666; today and 25 days more at 0.333.
    assert_eq!(digits(some.forecast).as_deref(), Some("14.524"));
}

on_each_store!(what_plans_charge_counts_on_its_day);

/// Somebody who reads all of `acme`, and somebody who works on its shop and sees no charges.
const PEOPLE: &str = r#"
[[role_assignment]]
principal = "rita"
role = "Auditor"
scope = { billing_account = "acme" }

[[role_assignment]]
principal = "carl"
role = "Contributor"
scope = { subscription = "shop" }

[[role_assignment]]
principal = "anna"
role = "Administrator"
scope = "installation"
"#;

async fn who_may_keep_budgets_and_read_them(books: Books) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, PEOPLE).await;
    let budget = asked("Small", "1", (Measured::Actual, "50"));
    put(&house.reckoner, &shop_group(None), &budget).await;
    let check = async |who: &str, expected: [&str; 4]| {
        let caller = Caller::Principal(PrincipalId::new(who).expect("an id"));
        let (reckoner, place) = (&house.reckoner, shop_group(None));
        let told = |error: Option<Error>| match error {
            None => "yes",
            Some(Error::Forbidden { .. }) => "forbidden",
            Some(Error::NotFound { .. }) => "missing",
            Some(other) => panic!("{who}: {other:?}"),
        };
        let told = [
            told(reckoner.budget(&caller, &place, "small").await.err()),
            told(reckoner.budgets(&caller, &place).await.err()),
            told(reckoner.put_budget(&caller, &place, &budget, "test").await.err()),
            told(reckoner.delete_budget(&caller, &place, "none", "test").await.err()),
        ];
        assert_eq!(told, expected, "{who}");
    };
    check("anna", ["yes", "yes", "yes", "missing"]).await;
    check("rita", ["yes", "yes", "forbidden", "forbidden"]).await;
    // Charges are not shown to who works on a subscription, unless a policy says so; nor is then
    // told what is held against them.
    check("carl", ["missing", "missing", "forbidden", "missing"]).await;
    check("nobody", ["missing"; 4]).await;
}

on_each_store!(who_may_keep_budgets_and_read_them);

const SHOP: &str = "5b0d1e9a-0000-4000-8000-000000000001";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What callbacks bring: headers and body.
type Called = (HeaderMap, String);

/// Takes callbacks; the first of all fails.
async fn receiver() -> (u16, UnboundedReceiver<Called>) {
    let (tell, told) = unbounded_channel();
    let calls = Arc::new(AtomicU32::new(0));
    let hook = move |headers: HeaderMap, body: String| {
        let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        tell.send((headers, body)).expect("somebody listens");
        let status =
            if is_first { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT };
        async move { status }
    };
    let app = axum::Router::new().route("/hook", axum::routing::post(hook));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (port, told)
}

/// Takes mails.
async fn mail_server() -> (u16, UnboundedReceiver<String>) {
    let (tell, told) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take_mail(stream, tell.clone()));
        }
    });
    (port, told)
}

/// One conversation of SMTP, as far as a client without extensions has it.
async fn take_mail(mut stream: TcpStream, tell: UnboundedSender<String>) {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.example\r\n").await.expect("taken");
    while let Ok(Some(line)) = lines.next_line().await {
        let command = line.to_ascii_uppercase();
        if command == "DATA" {
            write.write_all(b"354 go on\r\n").await.expect("taken");
            let mut mail = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                if line == "." {
                    break;
                }
                mail.push_str(&line);
                mail.push('\n');
            }
            tell.send(mail).expect("somebody listens");
        }
        if command == "QUIT" {
            return;
        }
        write.write_all(b"250 OK\r\n").await.expect("taken");
    }
}

async fn next<T>(told: &mut UnboundedReceiver<T>) -> T {
    let next = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
    next.expect("in time").expect("somebody tells")
}

struct Asking<'a> {
    server: &'a Server,
    token: String,
}

impl Asking<'_> {
    /// Asks below the budgets of the shop; status and body.
    async fn ask(
        &self,
        method: Method,
        version: &str,
        name: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let url = format!(
            "{}/subscriptions/{SHOP}/providers/Microsoft.Consumption/budgets{name}\
             ?api-version={version}",
            self.server.told("base_url")
        );
        let mut request = self.server.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("text");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

fn group() -> String {
    format!(
        "/subscriptions/{SHOP}/resourceGroups/ops/providers/microsoft.insights/actionGroups/ops"
    )
}

/// A budget of one dollar from this month on.
fn whole() -> Value {
    let month = BillingPeriod::of(program::now());
    json!({"properties": {
        "category": "Cost",
        "amount": 1,
        "timeGrain": "Monthly",
        "timePeriod": {"startDate": month.start().to_string()},
        "notifications": {"half": {
            "enabled": true,
            "operator": "GreaterThanOrEqualTo",
            "threshold": 50,
            "contactEmails": ["ops@acme.example"],
            "contactGroups": [group()],
        }},
    }})
}

async fn send_calls(server: &Server, key: &str, id: &str, quantity: &str) {
    let event = json!({
        "id": id,
        "source": "gate",
        "subscription": SHOP,
        "resource": "r",
        "meter": "calls",
        "quantity": quantity,
        "time": BillingPeriod::of(program::now()).start().to_string(),
    });
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key).body(event.to_string());
    let request = request.header("content-type", "application/x-ndjson");
    let answer = request.send().await.expect("an answer");
    let told: Value = answer.json().await.expect("JSON");
    assert_eq!(told["verdicts"][0]["verdict"], "accepted", "{told}");
}

fn signed((headers, body): &Called) -> String {
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let secret = SECRET.strip_prefix("whsec_").expect("its prefix");
    let secret = BASE64_STANDARD.decode(secret).expect("base64");
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&secret).expect("a key");
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
    id
}

async fn usage_that_arrives_tells_by_callback_and_mail(books: Books) {
    let (hook, mut called) = receiver().await;
    let (smtp, mut mailed) = mail_server().await;
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let config = format!(
        "[mail]\nsmtp = \"smtp://127.0.0.1:{smtp}\"\n\
         from = \"Reckoner <billing@reckoner.example>\"\n\
         [callbacks]\nallowed_ranges = [\"127.0.0.0/8\"]\n\
         [[callbacks.groups]]\nid = \"{}\"\nurl = \"http://127.0.0.1:{hook}/hook\"\n\
         secret = \"{SECRET}\"\n",
        group().to_uppercase()
    );
    let config = installation.file("told.toml", &config);
    let settings = [("RECKONER_CONFIG", text(&config))];
    let key = installation.key("gate");
    let server = installation.serve(&settings);
    let asking = Asking { server: &server, token: installation.token(&server).await };
    let (status, made) = asking.ask(Method::PUT, "2021-10-01", "/Half", Some(&whole())).await;
    assert_eq!((status, &made["properties"]["currentSpend"]["amount"]), (201, &json!(0)), "{made}");
    send_calls(&server, &key, "a", "6").await;
    let (first, again) = (next(&mut called).await, next(&mut called).await);
    assert_eq!(signed(&first), signed(&again), "a second try is the same");
    let body: Value = serde_json::from_str(&again.1).expect("JSON");
    assert_eq!(body["type"], "budget.threshold_reached");
    let data = &body["data"];
    let told = ["budget", "notification", "measured", "cost", "currency"].map(|key| &data[key]);
    assert_eq!(told, ["Half", "half", "actual", "0.6", "USD"], "{data}");
    let mail = next(&mut mailed).await.replace("=\n", ""); // lines that were broken in two
    for expected in ["To: ops@acme.example", "From: Reckoner", "Half", "0.6 USD"] {
        assert!(mail.contains(expected), "{expected}: {mail}");
    }
    server.stop();
    // After a restart the first is not told again: the next to be told is another.
    let server = installation.serve(&settings);
    let asking = Asking { server: &server, token: installation.token(&server).await };
    let (status, _) = asking.ask(Method::PUT, "2019-10-01", "/Other", Some(&whole())).await;
    assert_eq!(status, 201);
    let body: Value = serde_json::from_str(&next(&mut called).await.1).expect("JSON");
    assert_eq!(body["data"]["budget"], "Other");
    assert!(next(&mut mailed).await.contains("Other"));
    server.stop();
}

on_each_store!(usage_that_arrives_tells_by_callback_and_mail);

async fn budgets_are_kept_read_and_deleted_by_both_versions(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let asking = Asking { server: &server, token: installation.token(&server).await };
    for version in ["2019-10-01", "2021-10-01", "2023-05-01"] {
        let ask = async |method: Method, name: &str, body: Option<Value>| {
            asking.ask(method, version, name, body.as_ref()).await
        };
        let (status, made) = ask(Method::PUT, "/May", Some(whole())).await;
        assert_eq!(status, 201, "{version} {made}");
        let shown = ["id", "name", "type"].map(|key| made[key].as_str().unwrap_or_default());
        let id = format!("/subscriptions/{SHOP}/providers/Microsoft.Consumption/budgets/May");
        assert_eq!(shown, [id.as_str(), "May", "Microsoft.Consumption/budgets"]);
        assert_eq!(made["properties"]["currentSpend"]["unit"], "USD");
        assert_eq!(ask(Method::GET, "/may", None).await, (200, made.clone()));
        // What was shown may be sent back.
        let (status, changed) = ask(Method::PUT, "/May", Some(made.clone())).await;
        assert_eq!(status, 200, "{version} {changed}");
        assert_ne!(changed["eTag"], made["eTag"]);
        let (status, refused) = ask(Method::PUT, "/May", Some(made)).await;
        assert_eq!((status, &refused["error"]["code"]), (409, &json!("Conflict")), "{refused}");
        let (status, listed) = ask(Method::GET, "", None).await;
        assert_eq!((status, listed), (200, json!({ "value": [changed] })));
        assert_eq!(ask(Method::DELETE, "/May", None).await, (200, Value::Null));
        assert_eq!(ask(Method::DELETE, "/May", None).await.0, 404);
        assert_eq!(ask(Method::GET, "/May", None).await.0, 404);
        assert_eq!(ask(Method::GET, "", None).await, (200, json!({ "value": [] })));
    }
    server.stop();
}

on_each_store!(budgets_are_kept_read_and_deleted_by_both_versions);

async fn what_no_budget_can_say_is_refused_by_its_member(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let asking = Asking { server: &server, token: installation.token(&server).await };
    let check = async |pointer: &str, value: Value, target: &str| {
        let mut body = whole();
        let (parent, member) = pointer.rsplit_once('/').expect("a member");
        body.pointer_mut(parent).expect("a parent")[member] = value;
        let (status, told) = asking.ask(Method::PUT, "2021-10-01", "/Bad", Some(&body)).await;
        assert_eq!((status, told["error"]["code"].as_str()), (400, Some("BadRequest")), "{told}");
        let message = told["error"]["message"].as_str().expect("a message");
        assert!(message.starts_with(&format!("{target}: ")), "{pointer}: {message}");
    };
    let p = "properties";
    check("/properties/amount", json!(0), "properties.amount").await;
    check("/properties/amount", json!("much"), "properties.amount").await;
    check("/properties/category", json!("Usage"), "properties.category").await;
    check("/properties/timeGrain", json!("Weekly"), "properties.timeGrain").await;
    check("/properties/colour", json!("red"), "properties.colour").await;
    let start = format!("{p}.timePeriod.startDate");
    check("/properties/timePeriod/startDate", json!("2017-05-01"), &start).await;
    check("/properties/timePeriod/startDate", json!("2026-01-02"), &start).await;
    check(
        "/properties/timePeriod/startDate",
        json!("2099-01-01"),
        "properties.timePeriod.startDate",
    )
    .await;
    let end = format!("{p}.timePeriod.endDate");
    check("/properties/timePeriod/endDate", json!("2017-06-01"), &end).await;
    let test = |name: &str| json!({"name": name, "operator": "In", "values": ["x"]});
    let unknown = json!({"dimensions": test("PublisherType")});
    check("/properties/filter", unknown, "properties.filter.dimensions.name").await;
    let one = json!({"and": [{"tags": test("team")}]});
    check("/properties/filter", one, "properties.filter.and").await;
    let half = "/properties/notifications/half";
    let at = |member: &str| format!("properties.notifications.half.{member}");
    check(&format!("{half}/threshold"), json!(1001), &at("threshold")).await;
    check(&format!("{half}/operator"), json!("LessThan"), &at("operator")).await;
    check(&format!("{half}/contactEmails"), json!(["nobody"]), &at("contactEmails")).await;
    check(&format!("{half}/contactGroups"), json!(["ops"]), &at("contactGroups")).await;
    check(&format!("{half}/contactRoles"), json!(["Emperor"]), &at("contactRoles")).await;
    check(&format!("{half}/locale"), json!("xx-yy"), &at("locale")).await;
    let many: Value = (0..6)
        .map(|nth| (nth.to_string(), whole()["properties"]["notifications"]["half"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    check("/properties/notifications", many, "properties.notifications").await;
    let (status, told) = asking.ask(Method::PUT, "2021-10-01", "/a.b", Some(&whole())).await;
    assert_eq!((status, &told["error"]["code"]), (400, &json!("BadRequest")), "{told}");
    assert_eq!(asking.ask(Method::GET, "2021-10-01", "", None).await.1, json!({ "value": [] }));
    server.stop();
}

on_each_store!(what_no_budget_can_say_is_refused_by_its_member);

async fn forecasts_tell_what_is_over_and_what_is_expected(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    send_calls(&server, &key, "a", "10").await;
    let ask = async |version: &str, filter: &str| {
        let path = format!(
            "/subscriptions/{SHOP}/providers/Microsoft.Consumption/forecasts\
             ?api-version={version}&$filter={}",
            filter.replace(' ', "%20").replace('\'', "%27")
        );
        let answer = server.get(&path, Some(&token)).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.expect("JSON"))
    };
    let month = BillingPeriod::of(program::now());
    let first = month.start().day();
    let only = format!("properties/usageDate eq '{first}'");
    let (status, told) = ask("2019-10-01", &only).await;
    assert_eq!(status, 200, "{told}");
    // On the first of a month nothing is over yet, and too little known to expect anything.
    if program::now().day() > first {
        let item = &told["value"][0];
        assert_eq!(item["name"], format!("daily-{first}"));
        assert_eq!(
            item["properties"],
            json!({
                "usageDate": first.to_string(),
                "grain": "Daily",
                "charge": 1,
                "currency": "USD",
                "chargeType": "Actual",
            })
        );
    }
    let (status, months) = ask("2019-10-01", "properties/grain eq 'Monthly'").await;
    assert_eq!(status, 200, "{months}");
    for item in months["value"].as_array().expect("items") {
        assert_eq!(item["properties"]["chargeType"], "Forecast");
        let levels = item["properties"]["confidenceLevels"].as_array().expect("levels");
        assert_eq!(levels.len(), 2);
    }
    let (status, refused) = ask("2019-10-01", "properties/colour eq 'red'").await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("BadRequest")));
    assert_eq!(ask("2021-10-01", &only).await.0, 404, "it is of the older version");
    server.stop();
}

on_each_store!(forecasts_tell_what_is_over_and_what_is_expected);

#[test]
fn callbacks_to_private_addresses_are_refused_at_the_start() {
    let installation = Installation::new(Books::Sqlite, "USD", &shop(FLAT));
    let check = |url: &str, allowed: &str, expected: &str| {
        let config = format!(
            "[callbacks]\nallowed_ranges = [{allowed}]\n[[callbacks.groups]]\nid = \"{}\"\n\
             url = \"{url}\"\n",
            group()
        );
        let config = installation.file("callbacks.toml", &config);
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", text(&config)];
        let said = installation.refused(&arguments);
        assert!(said.contains(expected), "{url}: {said}");
    };
    check("https://10.1.2.3/hook", "", "is not public");
    check("http://hooks.example.org/hook", "", "must be https");
    check("https://hooks.example.org/hook", "\"10.0.0.1/8\"", "callbacks.allowed_ranges");
}
