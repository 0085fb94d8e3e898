//! Transfers that do not go well: what cannot move any more is told with its code, and the rest goes
//! on; what fails by a fault of ours is tried again, and keeps no other transfer.

use crate::books::{Books, on_each_store, refuse, refuse_no_more};
use crate::closing::moment;
use crate::in_process::{declare, open};
use crate::structure_changes::who;
use crate::transfers::{RESERVED, accepted, asked, company, products, subscriptions};
use calendar::{SetClock, SystemClock};
use domain::Kind;
use domain::access::Caller;
use domain::ids::TransferId;
use domain::transfers::{ProductKind, TransferState};
use service::{AuditFilter, Reckoner};

/// The billing profile that would pay lets nothing be reserved from the next hour on.
const NOTHING_RESERVED: &str = r#"
[[billing_profile]]
billing_account = "north"
id = "ships"
from = 2026-06-05T13:00:00Z
name = "Ships"
currency = "USD"
reservation_purchases = "not_allowed"
"#;

/// Accepts a transfer of `probe`, of its reservation and of `tug`, declares something, and carries
/// it out: what comes of each, and what the audit log tells of the one that stays.
async fn check(books: Books, then: &str, expected: [&str; 3], why: &str) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &(company(&["probe", "tug"]) + RESERVED)).await;
    let (owl, id) = (who("owl"), asked(&reckoner).await.id);
    let mut named = products(&["probe", "tug"]);
    named.insert(1, (ProductKind::Reservation, "machines".to_owned()));
    let told = reckoner.accept_transfer(&owl, id.as_str(), &named, "request").await;
    told.expect("accepted");
    declare(&reckoner, then).await;
    assert_eq!(reckoner.carry_out_transfers().await.expect("carried out"), 3);
    let told = reckoner.received_transfer(&owl, id.as_str()).await.expect("a transfer");
    assert_eq!(told.state, TransferState::CompletedWithErrors, "{then}");
    let came = told.products.iter().map(|one| {
        let code = one.error.as_ref().map(|error| format!(" {}", error.code));
        format!("{:?}{}", one.state, code.unwrap_or_default())
    });
    assert_eq!(came.collect::<Vec<_>>(), expected, "{then}");
    let action = Some("transfer.refuse".to_owned());
    let filter = AuditFilter { action, ..AuditFilter::default() };
    let rows = reckoner.audit(&Caller::Machine, filter, 0, 10).await.expect("the log");
    let targets: Vec<&str> = rows.iter().map(|row| row.entry.target.as_str()).collect();
    assert!(matches!(targets.as_slice(), [one] if one.contains(why)), "{why}: {targets:?}");
    reckoner.close().await.expect("closed");
}

on_each_store!(what_cannot_move_is_told_with_its_code_and_the_rest_goes_on);
async fn what_cannot_move_is_told_with_its_code_and_the_rest_goes_on(books: Books) {
    let suspended = "only subscriptions that are active can be transferred";
    let (goes, stays) = ("Completed", "Failed SubscriptionNotActive");
    check(books, &subscriptions(&["tug"], "suspended"), [goes, goes, stays], suspended).await;
    // Its reservation is billed to what goes.
    check(books, &subscriptions(&["probe"], "suspended"), [stays, goes, goes], suspended).await;
    // What does not fit beside what is declared is the operator's to know.
    let unfit = "Failed TransferNotAllowed";
    let why = "no reservations may be bought there at 2026-06-05T13:00:00Z";
    check(books, NOTHING_RESERVED, [goes, unfit, goes], why).await;
}

async fn state(reckoner: &Reckoner, id: &TransferId) -> TransferState {
    let told = reckoner.received_transfer(&who("owl"), id.as_str()).await;
    told.expect("a transfer").state
}

on_each_store!(a_fault_of_ours_is_tried_again_and_keeps_no_other_transfer);
async fn a_fault_of_ours_is_tried_again_and_keeps_no_other_transfer(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &company(&["cursed", "sound"])).await;
    let cursed = accepted(&reckoner, &["cursed"]).await.id;
    let sound = accepted(&reckoner, &["sound"]).await.id;
    let books = (directory.path(), schema.as_ref());
    refuse(books, "cursed");
    // After how many seconds it is asked for, and whether it is tried then: pauses double.
    let rounds = [(0, true), (0, false), (1, true), (1, false), (1, true), (3, false), (1, true)];
    for (seconds, is_tried) in rounds {
        clock.set(SystemClock::now(&clock).plus_seconds(seconds));
        let found = reckoner.carry_out_transfers().await.map_err(|error| error.kind());
        let expected = if is_tried { Err(Kind::Internal) } else { Ok(0) };
        assert_eq!(found, expected, "{seconds} s later");
        assert_eq!(state(&reckoner, &cursed).await, TransferState::InProgress);
        assert_eq!(state(&reckoner, &sound).await, TransferState::Completed);
    }
    refuse_no_more(books);
    clock.set(SystemClock::now(&clock).plus_seconds(7));
    assert_eq!(reckoner.carry_out_transfers().await.expect("it rests"), 0);
    clock.set(SystemClock::now(&clock).plus_seconds(1));
    assert_eq!(reckoner.carry_out_transfers().await.expect("carried out"), 1);
    assert_eq!(state(&reckoner, &cursed).await, TransferState::Completed);
    reckoner.close().await.expect("closed");
}
