//! Closing by schedule, on a business clock that the test sets.

use crate::books::{Books, on_each_store};
use crate::closing::{CALLS, House, USAGE, may, moment, told};
use crate::program::Server;
use crate::{described, in_process};
use calendar::{BillingPeriod, MICROS_PER_SECOND};
use domain::Error;
use domain::access::Caller;
use domain::ids::PrincipalId;
use serde_json::{Value, json};
use service::AuditFilter;

/// What closing by schedule does at a moment: each billing period with what came of its accounts.
async fn at(house: &House, now: &str) -> Vec<String> {
    house.clock.set(moment(now));
    let closings = house.reckoner.close_what_is_due(&Caller::Machine, "schedule").await;
    let closings = closings.unwrap_or_else(|error| panic!("{now}: {error:?}"));
    closings.iter().map(|one| format!("{}: {}", one.period, told(one).join(", "))).collect()
}

async fn what_follows_a_close_is_closed_on_its_day(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    // May was over when the schedule first looked: perhaps files of it are still to be imported.
    assert_eq!(at(&house, "2026-06-05T12:00:00Z").await, [""; 0]);
    assert_eq!(at(&house, "2026-06-25T12:00:00Z").await, [""; 0]);
    house.close(may()).await;
    assert_eq!(at(&house, "2026-07-05T02:59:59Z").await, [""; 0]);
    let june = "2026-06: acme closed reck-00000003, globex closed";
    assert_eq!(at(&house, "2026-07-05T03:00:00Z").await, [june]);
    assert_eq!(at(&house, "2026-07-05T03:00:01Z").await, [""; 0]);
    assert_eq!(at(&house, "2026-07-06T12:00:00Z").await, [""; 0]);
    let house = house.reopened().await;
    let missed = ["2026-07: acme closed, globex closed", "2026-08: acme closed, globex closed"];
    assert_eq!(at(&house, "2026-09-29T00:00:00Z").await, missed);

    let filter = AuditFilter { action: Some("close.seal".to_owned()), ..AuditFilter::default() };
    let sealed =
        house.reckoner.audit(&Caller::Machine, filter, 0, 10).await.expect("the audit log");
    let by: Vec<_> = sealed
        .iter()
        .map(|row| (row.entry.actor.as_str(), row.entry.request_id.as_str()))
        .collect();
    let itself = ("machine", "schedule");
    assert_eq!(by, [("machine", "test"), itself, itself, itself]);
}

on_each_store!(what_follows_a_close_is_closed_on_its_day);

async fn a_new_installation_needs_no_first_close_by_hand(books: Books) {
    let house = House::new(books).await;
    assert_eq!(at(&house, "2026-06-05T12:00:00Z").await, [""; 0]);
    house.send(&USAGE[3..]).await;
    assert_eq!(at(&house, "2026-07-05T02:00:00Z").await, [""; 0]);
    let june = "2026-06: acme closed reck-00000001, globex closed";
    assert_eq!(at(&house, "2026-07-05T03:00:00Z").await, [june]);
}

on_each_store!(a_new_installation_needs_no_first_close_by_hand);

async fn what_waits_is_tried_again_after_an_hour(books: Books) {
    let house = House::new(books).await;
    let terms = |approval: &str| {
        format!(
            "[[billing_terms]]\nbilling_account = \"acme\"\nseller = \"reck\"\n\
             currency = \"USD\"\napproval = \"{approval}\"\n"
        )
    };
    in_process::declare(&house.reckoner, &terms("by_person")).await;
    assert_eq!(at(&house, "2026-06-05T12:00:00Z").await, [""; 0]);
    house.send(&USAGE[3..]).await;
    // Two months are due, and the second does not go before the first.
    let waits = "2026-06: acme waits approval: its drafts wait for a person, globex closed";
    assert_eq!(at(&house, "2026-08-05T03:00:00Z").await, [waits]);
    assert_eq!(at(&house, "2026-08-05T03:59:59Z").await, [""; 0]);
    let before = waits.replace("globex closed", "globex closed before");
    assert_eq!(at(&house, "2026-08-05T04:00:00Z").await, [before]);
    in_process::declare(&house.reckoner, &terms("by_rule")).await;
    let closed = [
        "2026-06: acme closed reck-00000001, globex closed before",
        "2026-07: acme closed, globex closed",
    ];
    assert_eq!(at(&house, "2026-08-05T05:00:00Z").await, closed);
}

on_each_store!(what_waits_is_tried_again_after_an_hour);

async fn what_is_parked_is_tried_again_until_it_can_be_closed(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.send(&["5 globex store calls 3 2026-05-04"]).await;
    house.close(may()).await;
    let parked = [
        "2026-05: acme closed before reck-00000001, \
         globex parked quarantine empty: 1 wait: no_price (meter)",
        "2026-06: acme closed reck-00000002, globex parked earlier periods: 2026-05 is parked",
    ];
    assert_eq!(at(&house, "2026-07-05T03:00:00Z").await, parked);
    in_process::declare(&house.reckoner, CALLS).await;
    let closed = [
        "2026-05: acme closed before reck-00000001, globex closed reck-00000003",
        "2026-06: acme closed before reck-00000002, globex closed",
    ];
    assert_eq!(at(&house, "2026-07-05T04:00:00Z").await, closed);
    assert_eq!(at(&house, "2026-07-05T05:00:00Z").await, [""; 0]);
}

on_each_store!(what_is_parked_is_tried_again_until_it_can_be_closed);

async fn the_schedule_and_a_person_at_once_close_once(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    house.clock.set(moment("2026-07-05T03:00:00Z"));
    let june = service::ClosePeriod { period: may().period.next(), ..may() };
    let (by_itself, by_hand) = tokio::join!(
        house.reckoner.close_what_is_due(&Caller::Machine, "schedule"),
        house.close(june),
    );
    let by_itself = by_itself.expect("closed");
    assert!(by_itself.iter().all(|one| one.head == by_hand.head), "{by_itself:?}");
    let sealed = house.reckoner.sealed_periods(&Caller::Machine, 9).await.expect("the chain");
    assert_eq!(sealed.len(), 2, "{sealed:?}");
}

on_each_store!(the_schedule_and_a_person_at_once_close_once);

async fn only_who_may_close_runs_the_schedule(books: Books) {
    let house = House::new(books).await;
    let nobody = Caller::Principal(PrincipalId::new("nobody").expect("an id"));
    let refused = house.reckoner.close_what_is_due(&nobody, "test").await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
}

on_each_store!(only_who_may_close_runs_the_schedule);

#[tokio::test(flavor = "multi_thread")]
async fn moving_the_demos_clock_past_the_day_closes_its_month() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::demo(&directory.path().join("data"), None, &[]);
    let token = server.told("clients.operator.token");
    let now = moment(&server.told("now"));
    let open = BillingPeriod::of(now);
    let get = async |path: String| {
        let answer = server.get(&format!("/admin/v1{path}"), Some(&token)).send().await;
        described::checked("GET", answer.expect("an answer")).await.1
    };
    let post = async |path: &str, body: Value| {
        let url = format!("{}{path}", server.told("admin.url"));
        let answer = server.client.post(url).bearer_auth(&token).json(&body).send().await;
        described::checked("POST", answer.expect("an answer")).await
    };
    if get("/closes".to_owned()).await["closes"] == json!([]) {
        for months in [-3, -2, -1] {
            let period = open.plus_months(months).expect("a period").to_string();
            let (status, told) = post("/closes", json!({ "period": period, "issue": true })).await;
            assert_eq!(status, 200, "{period}: {told}");
        }
    }
    let before = get(format!("/closes/{open}")).await;
    assert_eq!((&before["closed"], &before["parked"]), (&json!(0), &json!(0)), "{before}");
    let due = service::Schedule::default().rule.due_from(open);
    let seconds = due.since(now) / MICROS_PER_SECOND;
    let (status, told) = post("/demo/clock", json!({ "seconds": seconds })).await;
    assert_eq!(status, 204, "{told}");
    // Each question takes its time; the schedule looks every second.
    let mut after = before;
    for _ in 0..100_000 {
        after = get(format!("/closes/{open}")).await;
        if after["open"] == json!(0) && after["running"].is_null() {
            break;
        }
    }
    assert_eq!((&after["open"], after["running"].is_null()), (&json!(0), true), "{after}");
    server.stop();
}
