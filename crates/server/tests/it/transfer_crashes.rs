//! A crash at every step of a transfer: each of its products moves once or is refused once, and it
//! ends once. What a kill of the whole process leaves is the matter of `killed_transfers`.

use crate::azure_billing_transfers::{ACCOUNTS, company, held};
use crate::books::Books;
use crate::closing::account;
use crate::histories::{self, within};
use crate::in_process::declare;
use crate::long_running::version;
use crate::structure_changes::who;
use domain::access::Caller;
use domain::ids::{PlaceId, SubscriptionId};
use domain::places::{Level, Place, PlaceKey};
use domain::transfers::{ProductKind, ProductTransferState, TransferState};
use service::{AuditFilter, Reckoner, TransferAsked};

/// What a transfer leaves that must not depend on where the program was cut off.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    facts: u64,
    state: TransferState,
    products: Vec<(String, ProductTransferState)>,
    /// How often each subscription has changed its payer by now.
    moves: Vec<usize>,
    /// What the audit log tells of carrying it out.
    outcomes: Vec<(String, String)>,
}

/// One side asks and the other gives; the next time the other way round.
struct Sides {
    asks: [&'static str; 5],
    gives: &'static str,
}

impl Sides {
    fn of(nth: u64) -> Sides {
        let (asks, gives) = if nth.is_multiple_of(2) { (1, 0) } else { (0, 1) };
        Sides { asks: ACCOUNTS[asks], gives: ACCOUNTS[gives][4] }
    }

    fn place(&self) -> Place {
        let key = PlaceKey {
            level: Level::InvoiceSection,
            id: PlaceId::new(self.asks[2]).expect("an id"),
        };
        Place { billing_account: account(self.asks[0]), key }
    }

    /// Asks, and gives two that can move around one that cannot. Answers with the name.
    async fn accepted(&self, reckoner: &Reckoner, polls: Option<u64>) -> (String, bool) {
        let [_, profile, _, _, owner] = self.asks;
        let profile = PlaceId::new(profile).expect("an id");
        let recipient_email = format!("{}@mail.test", self.gives);
        let asked = TransferAsked { recipient_email, reseller: None };
        let (caller, place) = (who(owner), self.place());
        let made = reckoner.initiate_transfer(&caller, &place, &profile, &asked, "ask");
        let name = made.await.expect("asked for").id.to_string();
        let accepting = self.accept(reckoner, &name);
        let is_whole = match polls {
            Some(polls) => within(polls, accepting).await.is_some(),
            None => {
                accepting.await;
                true
            }
        };
        (name, is_whole)
    }

    /// Accepts, unless that was done.
    async fn accept(&self, reckoner: &Reckoner, name: &str) {
        let products = ["ferry", "nothing-here", "tug"];
        let products = products.map(|id| (ProductKind::Subscription, id.to_owned()));
        let caller = who(self.gives);
        let told = reckoner.received_transfer(&caller, name).await.expect("it is there");
        if told.state == TransferState::Pending {
            let accepted = reckoner.accept_transfer(&caller, name, &products, "accept").await;
            accepted.expect("accepted");
        }
    }

    async fn left(&self, reckoner: &Reckoner, name: &str, seen: &Seen) -> Left {
        let caller = who(self.asks[4]);
        let told = reckoner.transfer_of(&caller, &self.place(), name).await.expect("it is there");
        let products = told.products.into_iter().map(|one| (one.id, one.state)).collect();
        let now = Seen::now(reckoner).await;
        let moves = now.moves.iter().zip(&seen.moves).map(|(now, before)| now - before);
        let filter = AuditFilter::default();
        let entries = reckoner.audit(&Caller::Machine, filter, seen.entry, 10_000).await;
        let outcomes = entries.expect("the log").into_iter();
        Left {
            facts: now.facts - seen.facts,
            state: told.state,
            products,
            moves: moves.collect(),
            outcomes: outcomes.map(|row| (row.entry.action, row.entry.outcome)).collect(),
        }
    }
}

/// The books before a transfer.
struct Seen {
    facts: u64,
    entry: u64,
    /// How many placements each subscription has.
    moves: Vec<usize>,
}

impl Seen {
    async fn now(reckoner: &Reckoner) -> Seen {
        let company = reckoner.company(&Caller::Machine).await.expect("the company");
        let placements = |id: &str| {
            let id = SubscriptionId::new(id).expect("an id");
            company.subscriptions[&id].placements.len()
        };
        let rows = reckoner.audit(&Caller::Machine, AuditFilter::default(), 0, 100_000).await;
        Seen {
            facts: version(reckoner).await,
            entry: rows.expect("the log").last().map_or(0, |row| row.number),
            moves: ["ferry", "tug"].map(placements).into(),
        }
    }
}

/// In which step the program is cut off, behind how many polls.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Accepting(u64),
    CarryingOut(u64),
}

/// Lives through a transfer with a program that may be cut off and one after it. Answers whether
/// the first came to the end of its step after all.
fn live(place: &histories::Place, nth: u64, cut: Option<Cut>) -> (bool, Left) {
    let sides = Sides::of(nth);
    // Each transfer has moments of its own.
    place.pass(7_200);
    let (seen, name, is_whole) = place.process(async |reckoner: Reckoner| {
        let seen = Seen::now(&reckoner).await;
        let polls = match cut {
            Some(Cut::Accepting(polls)) => Some(polls),
            Some(Cut::CarryingOut(_)) | None => None,
        };
        let (name, mut is_whole) = sides.accepted(&reckoner, polls).await;
        if let Some(Cut::CarryingOut(polls)) = cut {
            is_whole = within(polls, reckoner.carry_out_transfers()).await.is_some();
        }
        (seen, name, is_whole)
    });
    let left = place.process(async |reckoner: Reckoner| {
        sides.accept(&reckoner, &name).await;
        reckoner.carry_out_transfers().await.expect("carried out");
        reckoner.carry_out_transfers().await.expect("nothing is left to do");
        sides.left(&reckoner, &name, &seen).await
    });
    (is_whole, left)
}

fn a_transfer_ends_once_wherever_the_program_is_cut_off(books: Books) {
    let place = histories::Place::new(books, 1);
    place.process(async |reckoner: Reckoner| {
        declare(&reckoner, &[company(), held("ferry"), held("tug")].concat()).await;
        reckoner.close().await.expect("closed");
    });
    let mut nth = 1;
    let (_, expected) = live(&place, nth, None);
    let ended = |id: &str, state| (id.to_owned(), state);
    assert_eq!(expected.state, TransferState::CompletedWithErrors);
    assert_eq!(
        expected.products,
        [
            ended("ferry", ProductTransferState::Completed),
            ended("nothing-here", ProductTransferState::Failed),
            ended("tug", ProductTransferState::Completed),
        ]
    );
    assert_eq!(expected.moves, [1, 1], "each changes its payer once");
    for step in [Cut::Accepting, Cut::CarryingOut] {
        for polls in 1.. {
            nth += 1;
            let (is_whole, left) = live(&place, nth, Some(step(polls)));
            assert_eq!(left, expected, "{:?}", step(polls));
            if is_whole {
                // Else the test has shown nothing.
                assert!(polls > 1, "{:?} was never cut off", step(polls));
                break;
            }
        }
    }
}

#[test]
fn a_transfer_ends_once_wherever_the_program_is_cut_off_on_sqlite() {
    a_transfer_ends_once_wherever_the_program_is_cut_off(Books::Sqlite);
}

#[test]
fn a_transfer_ends_once_wherever_the_program_is_cut_off_on_postgresql() {
    if Books::Postgres.can_be_had("a transfer ends once") {
        a_transfer_ends_once_wherever_the_program_is_cut_off(Books::Postgres);
    }
}
