//! Transfers: who may do what to one in which state, what moves and who pays from then on, and that
//! it moves once however many carry it out. What a crash leaves is the matter of `transfer_crashes`,
//! what does not go well that of `transfer_failures`.

use crate::books::{Books, on_each_store};
use crate::closing::moment;
use crate::in_process::{self, ACCOUNT, SHOP, declare, open};
use crate::long_running::version;
use crate::structure_changes::{account, place, who};
use calendar::{Instant, Interval, SetClock};
use domain::Kind;
use domain::access::{Caller, Scope};
use domain::ids::{PlaceId, RecordId, SubscriptionId};
use domain::places::{Level, Place};
use domain::reservations::End;
use domain::transfers::{Outcome, ProductKind, ProductTransferState, TransferState};
use domain::usage::{UsageRecord, Verdict};
use money::Fixed18;
use service::{
    ChargeQuery, Config, GroupBy, Incoming, Reckoner, ReservationTransaction,
    ReservationTransactionsAsked, TransferAsked, TransferTold,
};

/// Who will pay, and two who pay now.
const COMPANY: &str = r#"
[[billing_account]]
id = "north"
name = "North"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "north"
type = "customer agreement"

[[billing_profile]]
billing_account = "north"
id = "ships"
name = "Ships"
currency = "USD"

[[invoice_section]]
billing_account = "north"
id = "freight"
name = "Freight"
billing_profile = "ships"

[[billing_account]]
id = "union"
name = "Union"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "union"
type = "enterprise agreement"

[agreement.enrollment]
start = 2026-01-01T00:00:00Z
end = 2029-01-01T00:00:00Z
currency = "USD"
country = "US"

[[enrollment_account]]
billing_account = "union"
id = "lab"
name = "Laboratory"

[[source]]
name = "gate"
billing_accounts = ["acme", "north", "union"]

[[client]]
id = "ann"
name = "Ann"
email = "ann@north.example"

[[client]]
id = "owl"
name = "Owl"
email = "Owl@Union.example"

[[client]]
id = "eve"
name = "Eve"
email = "eve@else.example"

[[role_assignment]]
principal = "ann"
role = "Billing Account Owner"
scope = { billing_account = "north" }

[[role_assignment]]
principal = "cy"
role = "Invoice Section Reader"
scope = { place = { billing_account = "north", level = "invoice section", id = "freight" } }

[[role_assignment]]
principal = "owl"
role = "Account Owner"
scope = { place = { billing_account = "union", level = "enrollment account", id = "lab" } }
"#;

/// An hour of `hours` for a dollar, in May and June, bought for `probe`.
pub(crate) const RESERVED: &str = r#"
[[reservation]]
billing_account = "union"
id = "machines"
billed_to = "probe"
meters = ["hours"]
quantity = "1"
currency = "USD"
price = "1464"
from = 2026-05-01T00:00:00Z
until = 2026-07-01T00:00:00Z
"#;

/// Subscriptions that stand in the laboratory.
pub(crate) fn subscriptions(names: &[&str], state: &str) -> String {
    let one = |name: &&str| {
        format!(
            "[[subscription]]\nid = \"{name}\"\nname = \"{name}\"\n\
             placements = [{{ billing_account = \"union\", offer = \"MS-AZR-0003P\" }}]\n\
             states = [{{ state = \"{state}\" }}]\n\
             standings = [{{ place = {{ billing_account = \"union\", \
             level = \"enrollment account\", id = \"lab\" }} }}]\n\n"
        )
    };
    names.iter().map(one).collect()
}

pub(crate) fn company(names: &[&str]) -> String {
    [ACCOUNT, SHOP, COMPANY, &subscriptions(names, "active")].concat()
}

fn freight() -> Place {
    place("north", Level::InvoiceSection, "freight")
}

pub(crate) fn products(names: &[&str]) -> Vec<(ProductKind, String)> {
    names.iter().map(|name| (ProductKind::Subscription, (*name).to_owned())).collect()
}

/// Ann asks Owl for the section.
pub(crate) async fn asked(reckoner: &Reckoner) -> TransferTold {
    let profile = PlaceId::new("ships").expect("an id");
    let asked = TransferAsked { recipient_email: "owl@union.example".to_owned(), reseller: None };
    let (ann, section) = (who("ann"), freight());
    let told = reckoner.initiate_transfer(&ann, &section, &profile, &asked, "request");
    told.await.expect("asked")
}

/// The same, and Owl accepts for some subscriptions.
pub(crate) async fn accepted(reckoner: &Reckoner, names: &[&str]) -> TransferTold {
    let (id, owl, products) = (asked(reckoner).await.id, who("owl"), products(names));
    let told = reckoner.accept_transfer(&owl, id.as_str(), &products, "request");
    told.await.expect("accepted")
}

/// `1 union 2026-06-01 100`: hours of the probe, and who pays.
async fn sent(reckoner: &Reckoner, text: &str) -> Verdict {
    let [id, payer, day, quantity] = text.split(' ').collect::<Vec<_>>().try_into().expect(text);
    let mut record = in_process::record(id, quantity);
    record.key.id = RecordId::new(id).expect("an id");
    record.key.billing_account = account(payer);
    record.subscription = SubscriptionId::new("probe").expect("an id");
    let record = UsageRecord { service_period: Interval::at(moment(day)), ..record };
    let records = vec![Incoming::Record(Box::new(record))];
    let mut taken = reckoner.take_in(&Caller::Machine, records).await.expect("taken in");
    taken.pop().expect("a verdict").verdict
}

/// What a payer is charged in June: cost and amortised cost.
async fn charged(reckoner: &Reckoner, payer: &str) -> String {
    let query = ChargeQuery {
        billing_account: Some(account(payer)),
        days: moment("2026-06-01").day()..moment("2026-07-01").day(),
        group_by: vec![GroupBy::Subscription],
        filters: Vec::new(),
        top: None,
    };
    let table = reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    let row = |row: &service::ChargeRow| format!("{} {}", row.cost.major, row.amortised.major);
    table.rows.iter().map(row).collect::<Vec<_>>().join(", ")
}

async fn who_pays_changes_from_an_instant_on(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &company(&["probe"])).await;
    assert_eq!(sent(&reckoner, "1 union 2026-06-01 100").await, Verdict::Accepted);
    assert_eq!(charged(&reckoner, "union").await, "0.0001 0.0001");

    let told = asked(&reckoner).await;
    assert_eq!((told.state, told.products.len()), (TransferState::Pending, 0));
    assert_eq!(told.initiator_email.as_deref(), Some("ann@north.example"));
    let (owl, id) = (who("owl"), told.id.as_str());
    assert_eq!(
        reckoner.received_transfers(&owl).await.expect("a list"),
        std::slice::from_ref(&told)
    );
    assert!(reckoner.received_transfers(&who("eve")).await.expect("a list").is_empty());
    let named = products(&["probe", "nothing"]);
    let found = reckoner.validate_transfer(&owl, id, &named).await.expect("validated");
    let outcomes: Vec<Outcome> = found.iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ready, Outcome::Failed]);
    assert_eq!(found[1].findings[0].code, "SubscriptionNotFound");
    let nothing = reckoner.accept_transfer(&owl, id, &named[1..], "request").await;
    assert_eq!(nothing.expect_err("nothing moves").kind(), Kind::Conflict);

    let told = reckoner.accept_transfer(&owl, id, &named, "request").await.expect("accepted");
    let states: Vec<_> = told.products.iter().map(|one| one.state).collect();
    let (now, next) = (ProductTransferState::InProgress, ProductTransferState::NotStarted);
    assert_eq!((told.state, states), (TransferState::InProgress, vec![now, next]));
    assert_eq!(charged(&reckoner, "north").await, "");
    assert_eq!(reckoner.carry_out_transfers().await.expect("carried out"), 2);
    assert_eq!(reckoner.carry_out_transfers().await.expect("nothing is left"), 0);
    let told = reckoner.transfer_of(&who("ann"), &freight(), id).await.expect("a transfer");
    let states: Vec<_> = told.products.iter().map(|one| one.state).collect();
    let ended = vec![ProductTransferState::Completed, ProductTransferState::Failed];
    assert_eq!((told.state, states), (TransferState::CompletedWithErrors, ended));
    let error = told.products[1].error.as_ref().map(|error| error.code.as_str());
    assert_eq!(error, Some("SubscriptionNotFound"));

    clock.set(moment("2026-06-07"));
    // What was used before stays with who paid then, whenever it comes.
    assert_eq!(sent(&reckoner, "2 union 2026-06-05 100").await, Verdict::Accepted);
    assert_eq!(sent(&reckoner, "3 north 2026-06-06 50").await, Verdict::Accepted);
    let waits = sent(&reckoner, "4 union 2026-06-06 50").await;
    assert!(matches!(waits, Verdict::Quarantined { .. }), "{waits:?}");
    let waits = sent(&reckoner, "5 north 2026-06-05 50").await;
    assert!(matches!(waits, Verdict::Quarantined { .. }), "{waits:?}");
    assert_eq!(charged(&reckoner, "union").await, "0.0002 0.0002");
    assert_eq!(charged(&reckoner, "north").await, "0.00005 0.00005");
    reckoner.close().await.expect("closed");
}

on_each_store!(who_pays_changes_from_an_instant_on);

async fn what_is_left_of_a_reservation_goes_to_its_new_payer(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &[&company(&["probe"]), RESERVED].concat()).await;
    assert_eq!(charged(&reckoner, "union").await, "0 720");
    let id = asked(&reckoner).await.id;
    let named = vec![
        (ProductKind::Reservation, "machines".to_owned()),
        (ProductKind::Subscription, "probe".to_owned()),
    ];
    let accepted = reckoner.accept_transfer(&who("owl"), id.as_str(), &named, "request").await;
    accepted.expect("accepted");
    assert_eq!(reckoner.carry_out_transfers().await.expect("carried out"), 2);
    let told = reckoner.received_transfer(&who("owl"), id.as_str()).await.expect("a transfer");
    assert_eq!(told.state, TransferState::Completed, "{:?}", told.products);
    // Four days and thirteen hours, and the rest.
    assert_eq!(charged(&reckoner, "union").await, "0 109");
    assert_eq!(charged(&reckoner, "north").await, "0 611");
    // A file that does not say so would have it billed twice.
    let known = reckoner.company(&Caller::Machine).await.expect("a company");
    let files = [("company.toml".to_owned(), RESERVED.to_owned())];
    let problems = service::company::read_texts(files, &known).expect_err("given back");
    let expected = format!("cancelled: must be there: transfer `{id}` gave it back");
    assert!(problems[0].to_string().ends_with(&expected), "{}", problems[0]);
    let own = known.reservations_of(&account("union"));
    assert!(own[0].end.is_some());

    // Both list what the one paid that gave it back; the other what it pays itself too.
    let given = ["2026-05-01 1464 union to north", "2026-06-05 -611 union to north"];
    assert_eq!(reserved(&reckoner, "union").await, given[..1]);
    clock.set(moment("2026-06-05T14:00:00Z"));
    assert_eq!(reserved(&reckoner, "union").await, given);
    let bought = "2026-06-05 611 north to north";
    let mut told = reserved(&reckoner, "north").await;
    told.sort();
    assert_eq!(told, [given[0], given[1], bought]);
    reckoner.close().await.expect("closed");
}

/// An account's charges for reservations: when, how much, who bought it, who has it; each for a
/// term of two months.
async fn reserved(reckoner: &Reckoner, id: &str) -> Vec<String> {
    let days = moment("2026-05-01").day()..moment("2026-07-01").day();
    let asked = ReservationTransactionsAsked { days, reservation: None };
    let scope = Scope::Account(account(id));
    let told = reckoner.reservation_transactions(&Caller::Machine, &scope, &asked).await;
    let shown = |one: &ReservationTransaction| {
        assert_eq!(one.term.whole_months(), Some(2));
        let (amount, day) = (one.amount.major, one.at.day());
        format!("{day} {amount} {} to {}", one.bought_by, one.held_by)
    };
    told.expect("charges").iter().map(shown).collect()
}

on_each_store!(what_is_left_of_a_reservation_goes_to_its_new_payer);

async fn a_reservation_that_has_not_begun_follows_its_subscription(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let july = RESERVED.replace("2026-07-01", "2026-08-01").replace("2026-05-01", "2026-07-01");
    declare(&reckoner, &(company(&["probe"]) + &july)).await;
    let (owl, id) = (who("owl"), asked(&reckoner).await.id);
    let mut named = products(&["probe"]);
    named.push((ProductKind::Reservation, "machines".to_owned()));
    let told = reckoner.accept_transfer(&owl, id.as_str(), &named, "request").await;
    told.expect("accepted");
    assert_eq!(reckoner.carry_out_transfers().await.expect("carried out"), 2);
    let told = reckoner.received_transfer(&owl, id.as_str()).await.expect("a transfer");
    assert_eq!(told.state, TransferState::Completed, "{:?}", told.products);
    let known = reckoner.company(&Caller::Machine).await.expect("a company");
    let (left, bought) = (account("union"), account("north"));
    let begins = moment("2026-07-01");
    let end = End::Cancelled { at: begins, fee: Fixed18::ZERO };
    assert_eq!(known.reservations_of(&left)[0].end, Some(end));
    let bought = &known.reservations_of(&bought)[0].bought;
    assert_eq!((bought.term.start(), bought.billed_to.as_str()), (begins, "probe"));
    assert_eq!(bought.price.major.to_string(), "1464");
    reckoner.close().await.expect("closed");
}

on_each_store!(a_reservation_that_has_not_begun_follows_its_subscription);

async fn what_is_said_of_a_product_is_what_comes_of_it(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let suspended = subscriptions(&["probe"], "suspended");
    let declared = [company(&["tug"]), suspended, RESERVED.to_owned()].concat();
    declare(&reckoner, &declared).await;
    let (owl, id) = (who("owl"), asked(&reckoner).await.id);
    let mut named = products(&["probe", "tug"]);
    named.insert(1, (ProductKind::Reservation, "machines".to_owned()));
    let said = reckoner.validate_transfer(&owl, id.as_str(), &named).await.expect("validated");
    let outcomes: Vec<Outcome> = said.iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Warning, Outcome::Ready], "{said:?}");
    let told = reckoner.accept_transfer(&owl, id.as_str(), &named, "request").await;
    told.expect("accepted");
    assert_eq!(reckoner.carry_out_transfers().await.expect("carried out"), 3);
    let told = reckoner.received_transfer(&owl, id.as_str()).await.expect("a transfer");
    assert_eq!(told.products.len(), said.len());
    for (said, came) in said.iter().zip(&told.products) {
        let expected = match said.outcome {
            Outcome::Ready | Outcome::Warning => ProductTransferState::Completed,
            Outcome::Failed => ProductTransferState::Failed,
        };
        assert_eq!(came.state, expected, "{said:?} {came:?}");
        if let Some(error) = &came.error {
            assert_eq!(error.code, said.findings[0].code);
        }
    }
    reckoner.close().await.expect("closed");
}

on_each_store!(what_is_said_of_a_product_is_what_comes_of_it);

/// Of one subscription something is noted only from August on.
const NOTED: &str = r#"
[[tags]]
scope = { subscription = "probe" }
from = 2026-08-01T00:00:00Z
tags = { team = "moon" }

[[tags]]
scope = { subscription = "tug" }
from = 2026-01-01T00:00:00Z
tags = { team = "lab" }

[[tags]]
scope = { subscription = "tug" }
from = 2026-08-01T00:00:00Z
tags = { team = "moon" }
"#;

async fn what_a_house_noted_stays_with_it(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &(company(&["probe", "tug"]) + NOTED)).await;
    accepted(&reckoner, &["probe", "tug"]).await;
    assert_eq!(reckoner.carry_out_transfers().await.expect("carried out"), 2);
    let known = reckoner.company(&Caller::Machine).await.expect("a company");
    for (name, before) in [("probe", ""), ("tug", "lab")] {
        let scope = Scope::Subscription(SubscriptionId::new(name).expect("an id"));
        let noted = |at: &str| {
            let tags = known.tags_at(&scope, moment(at));
            tags.and_then(|tags| tags.values().get("team").cloned()).unwrap_or_default()
        };
        assert_eq!(noted("2026-06-05T12:29:59Z"), before, "{name}");
        for at in ["2026-06-05T12:30:00Z", "2026-08-01", "2026-09-01"] {
            assert_eq!(noted(at), "", "{name} {at}");
        }
    }
    reckoner.close().await.expect("closed");
}

on_each_store!(what_a_house_noted_stays_with_it);

/// Who does what: in this order below.
const DEEDS: [(&str, &str); 7] = [
    ("ann", "cancel"),
    ("owl", "accept"),
    ("owl", "decline"),
    ("ann", "accept"),
    ("eve", "decline"),
    ("cy", "cancel"),
    ("owl", "cancel"),
];

/// What that comes to for a transfer in a state; the last four are the same in each.
const COMES_TO: [(TransferState, [&str; 3]); 8] = [
    (TransferState::Pending, ["canceled", "in progress", "declined"]),
    (TransferState::InProgress, ["Conflict", "Conflict", "Conflict"]),
    (TransferState::Completed, ["Conflict", "Conflict", "Conflict"]),
    (TransferState::CompletedWithErrors, ["Conflict", "Conflict", "Conflict"]),
    (TransferState::Failed, ["Conflict", "Conflict", "Conflict"]),
    (TransferState::Canceled, ["Conflict", "Conflict", "Conflict"]),
    (TransferState::Declined, ["Conflict", "Conflict", "Conflict"]),
    (TransferState::Expired, ["Conflict", "Conflict", "Conflict"]),
];
const WHATEVER: [&str; 4] = ["NotFound", "NotFound", "Forbidden", "NotFound"];

/// A transfer in a state; its subscriptions are `one` and `two`.
async fn brought(reckoner: &Reckoner, state: TransferState, [one, two]: [&str; 2]) -> String {
    declare(reckoner, &subscriptions(&[one, two], "active")).await;
    let (ann, owl) = (who("ann"), who("owl"));
    let told = match state {
        TransferState::Pending | TransferState::Expired => asked(reckoner).await,
        TransferState::Canceled => {
            let id = asked(reckoner).await.id;
            let told = reckoner.cancel_transfer(&ann, &freight(), id.as_str(), "request").await;
            let told = told.expect("canceled");
            assert_eq!(told.canceled_by.as_deref(), Some("ann@north.example"));
            told
        }
        TransferState::Declined => {
            let id = asked(reckoner).await.id;
            reckoner.decline_transfer(&owl, id.as_str(), "request").await.expect("declined")
        }
        TransferState::InProgress | TransferState::Completed => accepted(reckoner, &[one]).await,
        TransferState::CompletedWithErrors => accepted(reckoner, &[one, two]).await,
        TransferState::Failed => accepted(reckoner, &[two]).await,
    };
    match state {
        TransferState::Completed | TransferState::CompletedWithErrors | TransferState::Failed => {
            declare(reckoner, &subscriptions(&[two], "suspended")).await;
            reckoner.carry_out_transfers().await.expect("carried out");
        }
        TransferState::Pending
        | TransferState::InProgress
        | TransferState::Canceled
        | TransferState::Declined
        | TransferState::Expired => {}
    }
    told.id.to_string()
}

async fn each_state_allows_what_it_allows(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &company(&[])).await;
    let mut nth = 0_u32;
    for (state, own) in COMES_TO {
        for ((name, deed), expected) in DEEDS.into_iter().zip(own.into_iter().chain(WHATEVER)) {
            nth += 1;
            let (one, two) = (format!("one-{nth}"), format!("two-{nth}"));
            let id = brought(&reckoner, state, [one.as_str(), two.as_str()]).await;
            if state == TransferState::Expired {
                clock.set(clock_after(&clock, 31));
            }
            let told = reckoner.received_transfer(&who("owl"), &id).await.expect("a transfer");
            assert_eq!(told.state, state);
            let (caller, products) = (who(name), products(&[one.as_str()]));
            let told = match deed {
                "cancel" => reckoner.cancel_transfer(&caller, &freight(), &id, "request").await,
                "accept" => reckoner.accept_transfer(&caller, &id, &products, "request").await,
                _ => reckoner.decline_transfer(&caller, &id, "request").await,
            };
            let found = match told {
                Ok(told) => told.state.name().to_owned(),
                Err(error) => format!("{:?}", error.kind()),
            };
            assert_eq!(found, expected, "{name} {deed} {state:?}");
        }
    }
    reckoner.close().await.expect("closed");
}

fn clock_after(clock: &SetClock, days: i64) -> Instant {
    calendar::BusinessClock::now(clock).plus_seconds(days * 86_400)
}

on_each_store!(each_state_allows_what_it_allows);

async fn what_cannot_be_asked_is_refused(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &company(&["probe"])).await;
    let check = async |name: &str, at: &Place, profile: &str, email: &str, expected: &str| {
        let profile = PlaceId::new(profile).expect("an id");
        let asked = TransferAsked { recipient_email: email.to_owned(), reseller: None };
        let told = reckoner.initiate_transfer(&who(name), at, &profile, &asked, "request").await;
        let found = match told {
            Ok(told) => told.profile.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{name} {at:?} {profile} {email}");
    };
    let (owl, section) = ("owl@union.example", freight());
    check("ann", &section, "Ships", owl, "ships").await;
    check("ann", &section, "docks", owl, "billing profile `docks` does not exist").await;
    check("ann", &section, "ships", "owl", "recipient_email: must be a mail address").await;
    check("cy", &section, "ships", owl, "transfers:request is not allowed here").await;
    check("owl", &section, "ships", owl, "invoice section `freight` does not exist").await;
    let nowhere = place("north", Level::InvoiceSection, "none");
    check("ann", &nowhere, "ships", owl, "invoice section `none` does not exist").await;
    let profile = place("north", Level::BillingProfile, "ships");
    check("ann", &profile, "ships", owl, "billing profile `ships` does not exist").await;
    // Readers of the section do not read who was asked.
    let read = reckoner.transfers_of(&who("cy"), &section).await.expect_err("forbidden");
    assert_eq!(read.kind(), Kind::Forbidden);
    let all = reckoner.transfers_of(&who("ann"), &section).await.expect("a list");
    assert_eq!(all.len(), 1);
    let other = place("north", Level::BillingProfile, "ships");
    let read = reckoner.transfer_of(&who("ann"), &other, all[0].id.as_str()).await;
    assert_eq!(read.expect_err("elsewhere").kind(), Kind::NotFound);
    let (owl, id) = (who("owl"), all[0].id.as_str());
    for wrong in ["\u{0}", "", "a\u{7}b"] {
        let named = products(&["probe", wrong]);
        let told = reckoner.validate_transfer(&owl, id, &named).await;
        assert_eq!(told.expect_err("no id").kind(), Kind::Invalid, "{wrong:?}");
        let told = reckoner.accept_transfer(&owl, id, &named, "request").await;
        assert_eq!(told.expect_err("no id").kind(), Kind::Invalid, "{wrong:?}");
    }
    reckoner.close().await.expect("closed");
}

on_each_store!(what_cannot_be_asked_is_refused);

async fn so_many_wait_for_an_answer_at_one_place(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let two = |set: &mut Config| set.limits.pending_transfers = 2;
    let reckoner = open(directory.path(), schema.as_ref(), &clock, two).await;
    declare(&reckoner, &company(&[])).await;
    let first = asked(&reckoner).await.id;
    asked(&reckoner).await;
    let (ann, section) = (who("ann"), freight());
    let profile = PlaceId::new("ships").expect("an id");
    let email = "owl@union.example".to_owned();
    let asked = TransferAsked { recipient_email: email, reseller: None };
    let again = || reckoner.initiate_transfer(&ann, &section, &profile, &asked, "request");
    let refused = again().await.expect_err("too many");
    assert_eq!(refused.kind(), Kind::TooMany);
    let says = "pending transfers to one place are at most 2; try again in 2592001 s";
    assert!(refused.to_string().starts_with(says), "{refused}");
    assert!(refused.to_string().contains("`limits.pending_transfers`"), "{refused}");
    let told = reckoner.cancel_transfer(&ann, &section, first.as_str(), "request").await;
    told.expect("canceled");
    again().await.expect("asked");
    again().await.expect_err("too many");
    clock.set(clock_after(&clock, 31));
    again().await.expect("none waits any more");
    reckoner.close().await.expect("closed");
}

on_each_store!(so_many_wait_for_an_answer_at_one_place);

/// An owner of the account that will pay.
fn owner(name: &str, more: &str) -> String {
    format!(
        "[[role_assignment]]\nprincipal = \"{name}\"\nrole = \"Billing Account Owner\"\n\
         scope = {{ billing_account = \"north\" }}\n{more}\n"
    )
}

async fn who_asked_must_be_allowed_to_when_it_is_accepted(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &company(&["probe"])).await;
    let (owl, named, id) = (who("owl"), products(&["probe"]), asked(&reckoner).await.id);
    // An account has an owner.
    declare(&reckoner, &(owner("bea", "") + &owner("ann", "revoked = true"))).await;
    let told = reckoner.validate_transfer(&owl, id.as_str(), &named).await;
    assert_eq!(told.expect_err("not allowed").kind(), Kind::Conflict);
    let told = reckoner.accept_transfer(&owl, id.as_str(), &named, "request").await;
    assert_eq!(told.expect_err("not allowed").kind(), Kind::Conflict);
    let told = reckoner.received_transfer(&owl, id.as_str()).await.expect("a transfer");
    assert_eq!(told.state, TransferState::Pending);
    declare(&reckoner, &owner("ann", "")).await;
    let told = reckoner.accept_transfer(&owl, id.as_str(), &named, "request").await;
    assert_eq!(told.expect("accepted").state, TransferState::InProgress);
    reckoner.close().await.expect("closed");
}

on_each_store!(who_asked_must_be_allowed_to_when_it_is_accepted);

async fn what_two_programs_carry_out_moves_once(books: Books) {
    let schema = books.schema();
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:30:00Z"));
    let open = |at: usize| open(directories[at].path(), schema.as_ref(), &clock, |_| {});
    let one = open(0).await;
    let names = ["first", "second", "third", "fourth"];
    declare(&one, &company(&names)).await;
    // A directory with books in SQLite admits one.
    let other = match books {
        Books::Sqlite => one.clone(),
        Books::Postgres => open(1).await,
    };
    let id = accepted(&one, &names).await.id;
    let before = version(&one).await;
    let (own, others) = tokio::join!(one.carry_out_transfers(), other.carry_out_transfers());
    own.and(others).expect("carried out");
    // What others were faster at is gone on with in the next round; here there is nothing left.
    one.carry_out_transfers().await.expect("nothing is left");
    let told = one.received_transfer(&who("owl"), id.as_str()).await.expect("a transfer");
    assert_eq!(told.state, TransferState::Completed);
    assert_eq!(version(&one).await - before, 8);
}

on_each_store!(what_two_programs_carry_out_moves_once);
