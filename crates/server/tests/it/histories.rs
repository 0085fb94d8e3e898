//! One history, however it is lived through: SQLite or PostgreSQL, one thread or two, usage in any
//! order and batches, with restarts in between, or with a crash at any step. Rows, invoices, what
//! each step was told and the chain's head are the same.
//! What a crash of the whole process leaves is the matter of `killed_books`, and what two writers
//! do to each other that of `writers`.
//!
//! `RECKONER_HISTORIES` says how many, `RECKONER_SEED` which.

use crate::books::{Books, Schema, WhereBooksAre};
use crate::data_sets::data_sets_add_up;
use crate::figures_agree::figures_agree;
use crate::lives::{
    Deed, MONTHS, Month, PAYING, Step, account, company, history, is_drawn, take, take_twice,
};
use crate::program::from_environment;
use crate::{in_process, invoice_lines};
use calendar::{BillingPeriod, Instant, SetClock, SystemClock};
use domain::access::Caller;
use domain::encoding::encode_row;
use domain::ids::LotId;
use domain::ledger::{Balances, Entry, LedgerAccount, Side};
use domain::numbering::check_gap_free;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use service::{DocumentsAsked, Issued, LedgerAsked, Reckoner};
use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tempfile::TempDir;

/// How a history is lived through.
#[derive(Debug, Clone, Copy)]
struct Manner {
    books: Books,
    threads: usize,
    /// Shuffles records, cuts batches, restarts and crashes, all by this.
    disorder: u64,
    ends: Ends,
}

/// How a process ends within a history.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// In good order.
    InOrder,
    /// Without any order after every step, and within some.
    Cut,
}

/// What is left of a history that must not depend on how it was lived through.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// What each deed came to; of a close, the chain's head.
    told: Vec<String>,
    rows: Vec<Vec<u8>>,
    /// Each as JSON, and as CSV.
    invoices: Vec<[String; 2]>,
    /// What verifying notes.
    notes: Vec<String>,
}

/// Where a history is lived.
pub(crate) struct Place {
    directory: TempDir,
    schema: Option<Schema>,
    clock: SetClock,
    threads: usize,
}

impl Place {
    pub(crate) fn new(books: Books, threads: usize) -> Place {
        Place {
            directory: tempfile::tempdir().expect("a directory"),
            schema: books.schema(),
            clock: SetClock::at(Instant::parse("2026-05-01").expect("a moment")),
            threads,
        }
    }

    /// Lets seconds pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.set(SystemClock::now(&self.clock).plus_seconds(seconds));
    }

    /// See [`WhereBooksAre`].
    pub(crate) fn books(&self) -> WhereBooksAre<'_> {
        (self.directory.path(), self.schema.as_ref())
    }

    async fn open(&self) -> Reckoner {
        let threads = self.threads;
        for _ in 0..10_000 {
            let set = |config: &mut service::Config| {
                config.threads = threads;
                config.refresh_seconds = 0;
            };
            let (directory, schema) = (self.directory.path(), self.schema.as_ref());
            match in_process::try_open(directory, schema, &self.clock, set).await {
                // The writer of the one before still gives its last answer.
                Err(domain::Error::Unavailable { .. }) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                opened => return opened.expect("an installation"),
            }
        }
        panic!("the one before does not end");
    }

    /// Runs work as a process does: at its end nothing of it runs any more, tasks are gone where
    /// they stood, and blocking work has ended or never begins.
    pub(crate) fn process<T>(&self, work: impl AsyncFnOnce(Reckoner) -> T) -> T {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async { work(self.open().await).await })
    }

    /// Takes the steps one after the other, with restarts.
    fn live_in_order(
        &self,
        steps: &[(Instant, Step)],
        restarts: Option<ChaCha8Rng>,
    ) -> Vec<String> {
        let mut restarts = restarts;
        self.process(async |reckoner: Reckoner| {
            let (mut reckoner, mut told) = (reckoner, Vec::new());
            for (at, step) in steps {
                self.clock.set(*at);
                told.extend(take_twice(&reckoner, step).await);
                if matches!(step, Step::Do(Deed::Close(_))) {
                    balances_are_chained(&reckoner, *at).await;
                    data_sets_add_up(&reckoner, *at).await;
                }
                if restarts.as_mut().is_some_and(|draw| draw.random_range(0..8) == 0) {
                    reckoner.close().await.expect("closed");
                    drop(reckoner);
                    reckoner = self.open().await;
                }
            }
            reckoner.close().await.expect("closed");
            told
        })
    }

    /// Takes each step in a process of its own that never ends in good order; about half of them
    /// are begun in one before, which is cut off at a moment that is drawn.
    fn live_through_crashes(&self, steps: &[(Instant, Step)], mut draw: ChaCha8Rng) -> Vec<String> {
        let (mut told, mut cut) = (Vec::new(), 0);
        for (at, step) in steps {
            self.clock.set(*at);
            if is_drawn(&mut draw) {
                let magnitude = draw.random_range(0..8_u32);
                let polls = draw.random_range(1..=1_u64 << magnitude);
                let ended = self.process(async |reckoner: Reckoner| {
                    within(polls, take(&reckoner, step)).await.is_some()
                });
                cut += u32::from(!ended);
            }
            told.extend(self.process(async |reckoner: Reckoner| {
                ledgers_add_up(&reckoner).await;
                if matches!(step, Step::Do(_)) {
                    balances_are_chained(&reckoner, *at).await;
                }
                take_twice(&reckoner, step).await
            }));
        }
        // Else the test has shown nothing.
        assert!(cut > 0, "no step was cut off");
        told
    }
}

/// What work comes to within so many polls; none if it is cut off behind the last of them.
pub(crate) async fn within<T>(polls: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    let poll = std::future::poll_fn(|context| {
        left = left.saturating_sub(1);
        match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    poll.await
}

/// What every ledger holds is the sum of its entries, and no bound is broken.
pub(crate) async fn ledgers_add_up(reckoner: &Reckoner) {
    let company = reckoner.company(&Caller::Machine).await.expect("the company");
    for id in company.accounts.keys() {
        let asked = LedgerAsked { billing_account: id.clone(), period: None };
        let told = reckoner.ledger(&Caller::Machine, &asked, u64::MAX).await.expect("a ledger");
        let mut sums = Balances::default();
        sums.post(told.entries.iter().map(|(_, entry)| entry)).expect("within bounds");
        assert_eq!(Balances::held(told.balances).expect("each once"), sums, "{id}");
    }
}

/// Each payer's months begin with what the one before ended with, up to the open one, and a closed
/// one ends with what the entries of the ledger up to it leave in lots; so does each lot. Gives how
/// many months of payers are closed.
async fn balances_are_chained(reckoner: &Reckoner, at: Instant) -> usize {
    let mut closed = 0;
    let first = BillingPeriod::parse(MONTHS[0]).expect("a month");
    for id in PAYING.map(account) {
        let asked = LedgerAsked { billing_account: id.clone(), period: None };
        let told = reckoner.ledger(&Caller::Machine, &asked, u64::MAX).await.expect("a ledger");
        let mut before = None;
        let months = std::iter::successors(Some(first), |month| Some(month.next()));
        for period in months.take_while(|month| *month <= BillingPeriod::of(at)) {
            let balance = reckoner.balance_of_period(&Caller::Machine, &id, period).await;
            let balance = balance.unwrap_or_else(|error| panic!("{id} in {period}: {error:?}"));
            let summary = balance.balance.summary;
            let begins = summary.beginning;
            assert_eq!(begins, before.unwrap_or(begins), "{id} in {period}");
            let ends = summary.ending().expect("a sum");
            before = Some(ends);
            if balance.is_final {
                let until = told.entries.iter().filter(|(of, _)| *of <= period);
                let held = in_lots(until.map(|(_, entry)| entry)).into_values().sum::<i128>();
                assert_eq!(ends.minor(), held, "{id} in {period}");
                closed += 1;
            }
        }
        let available = reckoner.available_balance(&Caller::Machine, &id).await.expect("a balance");
        let held = in_lots(told.entries.iter().map(|(_, entry)| entry));
        for lot in available.lots.iter().filter(|lot| held.contains_key(&lot.id)) {
            assert_eq!(lot.booked.minor(), held[&lot.id], "{} of {id}", lot.id);
        }
    }
    closed
}

/// What entries leave in each lot that they touch, in minor units.
fn in_lots<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<LotId, i128> {
    let mut held = BTreeMap::new();
    for posting in entries.flat_map(Entry::postings) {
        if let LedgerAccount::Credit(lot) | LedgerAccount::Prepayment(lot) = &posting.account {
            let minor = posting.amount.minor();
            let gained = if posting.side == Side::Credit { minor } else { -minor };
            *held.entry(lot.clone()).or_insert(0) += gained;
        }
    }
    held
}

/// How long after its end a month is closed.
const CLOSED_AFTER_MICROS: i64 = 4 * 86_400_000_000;

/// The steps of a history, in the order in which they are taken.
fn steps(months: &[Month], way: Manner, draw: &mut ChaCha8Rng) -> Vec<(Instant, Step)> {
    let is_shuffled = way.disorder > 0;
    let first = Instant::parse("2026-05-01").expect("a moment");
    let mut steps = vec![(first, Step::Declare(company()))];
    for month in months {
        let mut records = month.records.clone();
        if is_shuffled {
            records.shuffle(draw);
        }
        let size = if is_shuffled { draw.random_range(1..15_usize) } else { 1_000 };
        let end = month.period.end();
        for batch in records.chunks(size) {
            steps.push((end, Step::Use(batch.to_vec())));
            if is_shuffled && draw.random_range(0..4) == 0 {
                steps.push((end, Step::Seal));
            }
        }
        let at = end.plus_micros(CLOSED_AFTER_MICROS);
        let close = [Step::Do(Deed::Close(month.period))];
        let rest = month.before.iter().chain(&close).chain(&month.after);
        steps.extend(rest.map(|step| (at, step.clone())));
    }
    steps
}

fn live(months: &[Month], way: Manner) -> Left {
    let (place, mut draw) =
        (Place::new(way.books, way.threads), ChaCha8Rng::seed_from_u64(way.disorder));
    let steps = steps(months, way, &mut draw);
    let told = match way.ends {
        Ends::InOrder => place.live_in_order(&steps, (way.disorder > 0).then_some(draw)),
        Ends::Cut => place.live_through_crashes(&steps, draw),
    };
    place.process(async |reckoner: Reckoner| {
        ledgers_add_up(&reckoner).await;
        invoice_lines::are_the_invoices(&reckoner).await;
        let end = months[months.len() - 1].period.end();
        // Within the last month, so that it has charges to date.
        place.clock.set(end.plus_micros(-CLOSED_AFTER_MICROS));
        figures_agree(&reckoner).await;
        let now = end.plus_micros(CLOSED_AFTER_MICROS);
        place.clock.set(now);
        data_sets_add_up(&reckoner, now).await;
        let closed = balances_are_chained(&reckoner, now).await;
        assert_eq!(closed, months.len() * PAYING.len(), "{way:?}: all are closed but the open one");
        let checked = reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
        assert_eq!(checked.problems, Vec::<String>::new(), "{way:?}");
        let left = left(&reckoner, months, (told, checked.notes)).await;
        reckoner.close().await.expect("closed");
        left
    })
}

async fn left(
    reckoner: &Reckoner,
    months: &[Month],
    (told, notes): (Vec<String>, Vec<String>),
) -> Left {
    let mut rows = Vec::new();
    for id in PAYING {
        let days = months[0].period.start().day()..months[months.len() - 1].period.end().day();
        let all = reckoner
            .explain_total(&Caller::Machine, &account(id), days, &[], usize::MAX)
            .await
            .expect("explained");
        let mut own: Vec<_> = all.rows.into_iter().map(|explained| explained.row).collect();
        own.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        rows.extend(own.iter().map(encode_row));
    }
    let documents = issued(reckoner).await;
    let written = documents.iter().map(|one| [admin::invoice_json(one).expect("JSON"), csv(one)]);
    Left { told, rows, invoices: written.collect(), notes }
}

/// All invoices and notes, whose numbers have no gap.
pub(crate) async fn issued(reckoner: &Reckoner) -> Vec<Issued> {
    let asked = DocumentsAsked::default();
    let documents = reckoner.issued(&Caller::Machine, &asked, 1_000).await.expect("documents");
    let number = |one: &Issued| match one {
        Issued::Invoice(document) => document.number.clone(),
        Issued::Note(note) => note.number.clone(),
    };
    check_gap_free(&documents.iter().map(number).collect::<Vec<_>>()).expect("no gap");
    documents
}

fn csv(issued: &Issued) -> String {
    let sheet = match issued {
        Issued::Invoice(document) => documents::invoice_lines(&document.invoice).expect("lines"),
        Issued::Note(note) => documents::note_lines(&note.note).expect("lines"),
    };
    let mut bytes = Vec::new();
    documents::write_csv(&sheet, &mut bytes).expect("CSV");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_history_comes_to_the_same_however_it_is_lived_through() {
    let rule = "a history comes to the same however it is lived through";
    let (first, is_shared) =
        (from_environment("RECKONER_SEED", 1), Books::Postgres.can_be_had(rule));
    for seed in first..first + from_environment("RECKONER_HISTORIES", 3) {
        let months = history(seed);
        let one = Manner { books: Books::Sqlite, threads: 1, disorder: 0, ends: Ends::InOrder };
        let expected = live(&months, one);
        assert!(!expected.invoices.is_empty() && !expected.rows.is_empty(), "seed {seed}");
        let two = Manner { threads: 2, disorder: seed, ..one };
        let mut others = vec![two];
        if is_shared {
            others.push(Manner { books: Books::Postgres, disorder: seed + 1, ..two });
        }
        // Crashes take their time: on one store or the other, by the seed.
        let is_on_shared = is_shared && seed % 2 == 0;
        let books = if is_on_shared { Books::Postgres } else { Books::Sqlite };
        others.push(Manner { books, disorder: seed + 2, ends: Ends::Cut, ..two });
        for other in others {
            assert_eq!(live(&months, other), expected, "seed {seed}, {other:?}");
        }
    }
}
