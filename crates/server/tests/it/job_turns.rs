//! Jobs take turns: one that fails by no fault of its own is tried again, holds up nobody and is
//! given up at last; each end has its entry in the audit log; one caller has so many at once. And
//! what a change from now on does to later steps.

use crate::books::{Books, on_each_store, refuse, refuse_no_more};
use crate::in_process::declare;
use crate::structure_changes::{
    House, accepted, account, asked, house, house_with, name_of, place, profile, renamed, standing,
    who,
};
use calendar::Instant;
use domain::Kind;
use domain::access::Caller;
use domain::addresses::Draft;
use domain::ids::{InstructionId, SubscriptionId};
use domain::places::{Detail, Level};
use money::Fixed18;
use service::{
    AccountChange, AuditFilter, AuditRow, Condition, FailureKind, InstructionAsked, JobStanding,
    ProfileChange, Put, Reckoner, StructureChange,
};

fn made(id: &str, name: &str) -> StructureChange {
    profile(id, Put::Made, name)
}

/// What the audit log tells of requests for jobs.
async fn audited(reckoner: &Reckoner) -> Vec<AuditRow> {
    let filter = AuditFilter::default();
    let mut all = reckoner.audit(&Caller::Machine, filter, 0, 1_000).await.expect("the log");
    all.retain(|row| row.entry.request_id == "request");
    all
}

on_each_store!(a_fault_that_is_not_the_jobs_own_holds_up_nobody_and_is_tried_again);
async fn a_fault_that_is_not_the_jobs_own_holds_up_nobody_and_is_tried_again(books: Books) {
    let house = house(books).await;
    let House { clock, reckoner, .. } = &house;
    refuse(house.books(), "Cursed");
    let cursed = accepted(reckoner, "ada", made("piers", "Cursed")).await;
    let behind = accepted(reckoner, "ada", made("Piers", "Quays")).await;
    let other = accepted(reckoner, "ada", made("wharf", "Wharf")).await;
    let failing = async |nth: u64| {
        let told = reckoner.carry_out_jobs().await.expect_err("one fails").to_string();
        let expected = format!("try {nth} of 8 of job {} (Change of `North`, request", cursed.id);
        assert!(told.starts_with(&expected), "{told}");
    };
    failing(1).await;
    let stands = async |job| standing(reckoner, "ada", job).await;
    assert_eq!(stands(&other).await, JobStanding::Succeeded);
    assert_eq!(stands(&cursed).await, JobStanding::Running);
    assert_eq!(stands(&behind).await, JobStanding::Running, "the same place in any letter case");
    // Not before its time; each pause is twice the one before, up to a minute.
    let mut now = Instant::parse("2026-06-05").expect("a day");
    for (nth, pause_s) in [(2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 32), (8, 60)] {
        clock.set(now.plus_seconds(pause_s - 1));
        assert_eq!(reckoner.carry_out_jobs().await.expect("nothing is due"), 0, "{nth}");
        now = now.plus_seconds(pause_s);
        clock.set(now);
        failing(nth).await;
    }
    let JobStanding::Failed(failure) = stands(&cursed).await else { panic!("not given up") };
    assert_eq!((failure.kind, failure.field), (FailureKind::Internal, None));
    let says = "was given up after 8 tries that failed on our side; the log has it under request \
                id request; ask anew";
    assert_eq!(failure.problem, says);
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 1);
    assert_eq!(stands(&behind).await, JobStanding::Succeeded);
    assert_eq!(name_of(reckoner, "piers").await.as_deref(), Some("Quays"));
    let failed: Vec<_> =
        audited(reckoner).await.into_iter().filter(|row| row.entry.action == "job.fail").collect();
    let told: Vec<_> = failed.iter().map(|row| (&*row.entry.target, &*row.entry.outcome)).collect();
    assert_eq!(told, [("Change of `North`", &*format!("failed: {says}"))]);
}

on_each_store!(a_fault_that_passes_is_nobodys_failure);
async fn a_fault_that_passes_is_nobodys_failure(books: Books) {
    let house = house(books).await;
    let House { clock, reckoner, .. } = &house;
    refuse(house.books(), "Cursed");
    let cursed = accepted(reckoner, "ada", made("piers", "Cursed")).await;
    reckoner.carry_out_jobs().await.expect_err("it fails");
    refuse_no_more(house.books());
    clock.set(Instant::parse("2026-06-05T00:00:01Z").expect("a time"));
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 1);
    assert_eq!(standing(reckoner, "ada", &cursed).await, JobStanding::Succeeded);
    let told: Vec<_> = audited(reckoner).await.into_iter().map(|row| row.entry.outcome).collect();
    assert_eq!(told, ["done"]);
}

/// North and South have one buyer, and ada owns both.
const ONE_BUYER: &str = r#"
[[legal_entity]]
id = "lines"
name = "Lines"
trade = "buys"
country = "US"

[[billing_terms]]
billing_account = "North"
seller = "reck"
buyer = "lines"
currency = "USD"

[[billing_terms]]
billing_account = "South"
seller = "reck"
buyer = "lines"
currency = "USD"

[[role_assignment]]
principal = "ada"
role = "Billing Account Owner"
scope = { billing_account = "South" }
"#;

on_each_store!(accounts_with_one_buyer_take_turns);
async fn accounts_with_one_buyer_take_turns(books: Books) {
    let house = house(books).await;
    let House { clock, reckoner, .. } = &house;
    declare(reckoner, ONE_BUYER).await;
    refuse(house.books(), "Cursed");
    let moved = async |of: &str, line: &str| {
        let address = Draft {
            lines: [line, "", ""].map(str::to_owned),
            city: "Seattle".to_owned(),
            region: "WA".to_owned(),
            country: "US".to_owned(),
            postal_code: "98101".to_owned(),
            ..Draft::default()
        };
        let change = AccountChange { name: None, address: Some(address) };
        let change = StructureChange::Account(change);
        asked(reckoner, ("ada", of), change, Condition::Always).await.expect("accepted")
    };
    let first = moved("North", "Cursed Pier").await;
    let other = moved("South", "Pier 2").await;
    let again = moved("North", "Cursed Pier").await;
    assert_ne!(again.id, first.id, "it is to be the last");
    let last = moved("South", "Pier 4").await;
    reckoner.carry_out_jobs().await.expect_err("the first fails");
    for job in [&first, &other, &again, &last] {
        assert_eq!(standing(reckoner, "ada", job).await, JobStanding::Running);
    }
    refuse_no_more(house.books());
    clock.set(Instant::parse("2026-06-05T00:00:01Z").expect("a time"));
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 4);
    for id in ["North", "South"] {
        let told = reckoner.billing_account(&who("ada"), &account(id)).await.expect("an account");
        let seen = told.seen.expect("its owner looks");
        let address = seen.address.expect("an address");
        assert_eq!(address.lines[0], "Pier 4", "{id}");
    }
}

on_each_store!(each_end_has_one_entry_that_says_why);
async fn each_end_has_one_entry_that_says_why(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let unchanged = async |name: &str| {
        let change = profile("Ships", Put::Refused, name);
        let by = ("ada", "North");
        asked(reckoner, by, change, Condition::Unchanged).await.expect("accepted")
    };
    unchanged("First").await;
    unchanged("Second").await;
    accepted(reckoner, "ada", profile("Ships", Put::Refused, "First")).await;
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 3);
    let told: Vec<_> = audited(reckoner)
        .await
        .into_iter()
        .map(|row| {
            let entry = row.entry;
            let target = entry.target.split(" (").next().unwrap_or_default().to_owned();
            format!("{}, {}, {target}: {}", entry.actor, entry.action, entry.outcome)
        })
        .collect();
    let ships = "billing profile `Ships` of `North`";
    let later = "billing account `North`: somebody else changed it first; read it again";
    let actor = who("ada").actor();
    let expected = [
        format!("{actor}, billing_profile.change, {ships}: done"),
        format!("{actor}, job.fail, Change of `North`: failed: {later}"),
        format!("{actor}, billing_profile.change, {ships}: done: it holds already"),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (told, expected) in told.iter().zip(&expected) {
        // How a place is spelled is not the matter of this rule.
        let tail = |text: &str| text.rsplit(": ").next().unwrap_or_default().to_owned();
        assert_eq!(tail(told), tail(expected));
        assert_eq!(told.split(", ").nth(1), expected.split(", ").nth(1));
    }
}

on_each_store!(one_caller_has_so_many_jobs_at_once);
async fn one_caller_has_so_many_jobs_at_once(books: Books) {
    let House { reckoner, .. } = &house_with(books, |set| set.limits.running_jobs = 2).await;
    accepted(reckoner, "ada", made("piers", "Piers")).await;
    let second = accepted(reckoner, "ada", made("wharf", "Wharf")).await;
    let third = || asked(reckoner, ("ada", "North"), renamed("Norden"), Condition::Always);
    let refused = third().await.expect_err("too many");
    assert_eq!(refused.kind(), Kind::TooMany);
    let says = "running operations of one caller are at most 2; try again in 1 s";
    assert!(refused.to_string().starts_with(says), "{refused}");
    assert!(refused.to_string().contains("`limits.running_jobs`"), "{refused}");
    assert_eq!(accepted(reckoner, "ada", made("wharf", "Wharf")).await.id, second.id);
    let of_bob =
        asked(reckoner, ("bob", "North"), profile("Ships", Put::Made, "Bobs"), Condition::Always);
    of_bob.await.expect("another caller");
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 3);
    third().await.expect("accepted");
}

/// Steps that are declared for July: one says another name, one another order number.
const LATER: &str = r#"
[[billing_profile]]
billing_account = "North"
id = "Ships"
from = 2026-07-01T00:00:00Z
name = "Fleet"
currency = "USD"

[[billing_profile]]
billing_account = "North"
id = "later"
from = 2026-07-01T00:00:00Z
name = "Later"
currency = "USD"

[[instruction]]
billing_account = "North"
id = "autumn"
from = 2026-07-01T00:00:00Z
billing_profile = "Ships"
amount = "5"
currency = "USD"
starts = 2026-09-01T00:00:00Z
ends = 2026-10-01T00:00:00Z
created_at = 2026-05-12T08:30:00Z

[[tags]]
scope = { subscription = "ferry" }
from = 2026-07-01T00:00:00Z
tags = { fleet = "baltic" }
"#;

/// Name and order number of a billing profile of North.
async fn shown(reckoner: &Reckoner, id: &str) -> (String, String) {
    let way = [(Level::BillingProfile, id)];
    let told = reckoner.place(&who("ada"), &account("North"), &way).await.expect("a place");
    let seen = told.seen.expect("its owner looks");
    let Detail::BillingProfile(detail) = seen.facts.detail else { panic!("no profile") };
    (told.name, detail.order_number)
}

on_each_store!(a_change_from_now_on_and_a_later_step_undo_neither);
async fn a_change_from_now_on_and_a_later_step_undo_neither(books: Books) {
    let House { reckoner, clock, .. } = &house(books).await;
    declare(reckoner, LATER).await;
    let change = StructureChange::Profile(ProfileChange {
        id: "Ships".to_owned(),
        put: Put::Refused,
        name: Some("Ferries".to_owned()),
        address: None,
        order_number: Some("PO-7".to_owned()),
        tags: None,
    });
    accepted(reckoner, "ada", change).await;
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 1);
    let pair = |name: &str| (name.to_owned(), "PO-7".to_owned());
    assert_eq!(shown(reckoner, "Ships").await, pair("Ferries"));
    let ferry = SubscriptionId::new("ferry").expect("an id");
    let booked = reckoner.set_cost_center(&who("bob"), &ferry, "1010", "request").await;
    booked.expect("set");
    // What is declared for later has its name already.
    let refused = asked(reckoner, ("ada", "North"), made("LATER", "Mine"), Condition::Always).await;
    let says = "billing profile `LATER`: is declared from 2026-07-01T00:00:00Z on; take another \
                name";
    assert_eq!(refused.expect_err("refused").to_string(), says);
    let ships = place("North", Level::BillingProfile, "Ships");
    let instant = |text| Instant::parse(text).expect("a day");
    let asked = InstructionAsked {
        amount: Fixed18::parse("7").expect("an amount"),
        starts: instant("2026-09-01"),
        ends: instant("2026-10-01"),
    };
    let autumn = InstructionId::new("Autumn").expect("an id");
    let put = reckoner.put_instruction(&who("bob"), &ships, &autumn, &asked, "request").await;
    let says = "instruction `autumn`: is declared from 2026-07-01T00:00:00Z on; take another name";
    assert_eq!(put.expect_err("refused").to_string(), says);
    clock.set(instant("2026-07-02"));
    assert_eq!(shown(reckoner, "Ships").await, pair("Fleet"), "each step has what it says");
    let billed = reckoner.billed_to(&who("bob"), &ferry).await.expect("where it is billed");
    assert_eq!(billed.cost_center, "1010");
}
