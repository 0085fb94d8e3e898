//! Writers at once: closes, payments, refunds, notes, approvals, declarations and late usage at the
//! same moment break no bound, leave no gap in the numbers, and each is done or clearly refused. On
//! PostgreSQL they are two nodes on the same books, each with a data directory of its own, of which
//! one has the usage log: no usage comes in beside them. A directory with books in SQLite admits
//! one, which does all of it at once.
//!
//! `RECKONER_HISTORIES` says how many histories, `RECKONER_SEED` which.

use crate::books::{Books, on_each_store};
use crate::histories::{issued, ledgers_add_up};
use crate::in_process;
use crate::lives::{
    BY_PERSON, DEEDS, Deed, PAYING, account, close_asked, company, deed, deed_of, done, history,
    payment, record, send,
};
use crate::program::from_environment;
use calendar::{BillingPeriod, Instant, SetClock};
use domain::access::Caller;
use domain::ids::PaymentId;
use domain::usage::{UsageRecord, Verdict};
use domain::{Error, Kind};
use money::Fixed18;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use service::{Incoming, Outcome, PaymentAsked, Reckoner, Way};
use std::collections::BTreeMap;
use std::io::Write;

/// How often, for each month, everything is done at once.
const ROUNDS: u64 = 3;

/// One of the things that are done at the same moment.
#[derive(Debug, Clone)]
enum Work {
    Do(Deed),
    /// Late usage comes in.
    Use(Vec<UsageRecord>),
    /// Facts are declared that change nothing of before.
    Declare(String),
}

impl Work {
    fn kind(&self) -> &'static str {
        match self {
            Work::Use(_) => "usage",
            Work::Declare(_) => "declaration",
            Work::Do(deed) => match deed {
                Deed::Close(_) => "close",
                Deed::Pay(asked) => match asked.way {
                    Way::In(_) => "payment",
                    Way::Out => "refund",
                },
                Deed::Credit(_) => "credit note",
                Deed::Void(_) => "void",
                Deed::Rebill(_) => "rebill",
                Deed::WriteOff(_) => "write-off",
                Deed::Amend(_) => "amendment",
                Deed::Approve(_) => "approval",
                Deed::TakeBack(_) => "approval taken back",
            },
        }
    }

    /// Whether it may be refused in such a way, by what stands there or because others were first.
    fn may_be(&self, refused: Kind) -> bool {
        match self.kind() {
            "payment" | "usage" => refused == Kind::Unavailable,
            "close" | "declaration" => matches!(refused, Kind::Conflict | Kind::Unavailable),
            _ => matches!(refused, Kind::NotFound | Kind::Conflict | Kind::Unavailable),
        }
    }
}

/// How often each kind of work was done, and how often it was tried.
type Counts = BTreeMap<&'static str, (u64, u64)>;

async fn no_bound_is_broken_whoever_is_first(books: Books) {
    let first = from_environment("RECKONER_SEED", 1);
    let mut counts = Counts::new();
    let last = first + from_environment("RECKONER_HISTORIES", 1);
    let never = |counts: &Counts| counts.values().any(|(done, _)| *done == 0);
    // Who is first is the machine's to say: a kind of work that never was gets another chance.
    for seed in first..last + 5 {
        if seed < last || never(&counts) {
            live_at_once(books, seed, &mut counts).await;
        }
    }
    writeln!(std::io::stderr(), "{books:?}: done and tried: {counts:?}").expect("it takes text");
    // Else the test has shown nothing.
    let never: Vec<_> = counts.iter().filter(|(_, (done, _))| *done == 0).collect();
    assert!(never.is_empty(), "never done: {never:?} of {counts:?}");
}

on_each_store!(no_bound_is_broken_whoever_is_first);

async fn live_at_once(books: Books, seed: u64, counts: &mut Counts) {
    let (schema, months) = (books.schema(), history(seed));
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(Instant::parse("2026-10-05").expect("a moment"));
    let open =
        |at: usize| in_process::open(directories[at].path(), schema.as_ref(), &clock, |_| {});
    let one = open(0).await;
    in_process::declare(&one, &company()).await;
    for month in &months {
        send(&one, &month.records).await;
    }
    // The other reads the usage from the log: nothing is sealed, so there are no files yet that one
    // of them has and the other has not.
    let other = match books {
        Books::Sqlite => one.clone(),
        Books::Postgres => open(1).await,
    };
    let writers = [one, other];
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    for (number, month) in months.iter().enumerate() {
        // Something that the first close finds, and that can be taken back and paid back.
        done(&writers[0], &Deed::Approve(month.period)).await.expect("approved");
        for payer in PAYING {
            let amount = Fixed18::parse("30").expect("an amount");
            let paid = payment(&mut draw, payer, &format!("first-{payer}-{}", month.period));
            let paid = Deed::Pay(PaymentAsked { amount, ..paid });
            done(&writers[0], &paid).await.expect("paid");
        }
        for round in 0..ROUNDS {
            let newest = 6 * (number as u64 + 1);
            let mut work = work(&mut draw, (month.period, round), newest);
            // The last closes find nothing that keeps changing.
            if round + 1 < ROUNDS {
                work.extend([
                    Work::Do(Deed::TakeBack(month.period)),
                    next_year(month.period, round),
                ]);
                if matches!(books, Books::Sqlite) {
                    let nth = 10_000 + 10 * (ROUNDS * number as u64 + round);
                    work.push(Work::Use(late(&mut draw, month.period, nth)));
                }
            }
            work.shuffle(&mut draw);
            if number < 2 && round == 0 {
                // It comes before the closes, which wait for one another.
                work.insert(0, Work::Do(Deed::TakeBack(month.period)));
            }
            all_at_once(&writers, work, (&mut draw, &mut *counts)).await;
            check(&writers).await;
        }
        // What has changed since somebody agreed waits: closed it is once somebody agrees again.
        if let Err(error) = done(&writers[0], &Deed::Approve(month.period)).await {
            assert!(matches!(error, domain::Error::PeriodClosed { .. }), "{error:?}");
        }
        let close = Deed::Close(month.period);
        let head = done(&writers[0], &close).await.expect("closed");
        assert_eq!(done(&writers[1], &close).await.expect("closed"), head, "seed {seed}");
    }
    for writer in &writers {
        let checked = writer.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
        assert_eq!(checked.problems, Vec::<String>::new(), "seed {seed}");
    }
}

/// What is done at the same moment: the month is closed by two, its drafts are approved, and others
/// pay, take money back and amend invoices.
fn work(draw: &mut ChaCha8Rng, (period, round): (BillingPeriod, u64), newest: u64) -> Vec<Work> {
    let mut deeds = vec![Deed::Close(period), Deed::Close(period), Deed::Approve(period)];
    // Each kind once, and some more.
    for kind in 0..DEEDS {
        deeds.push(deed_of(draw, kind, &format!("{period}-{round}-of-{kind}"), newest));
    }
    for nth in 0..draw.random_range(4..9) {
        let id = format!("{period}-{round}-{nth}");
        deeds.push(deed(draw, &id, newest));
        let payer = PAYING.choose(draw).copied().expect("there are some");
        deeds.push(Deed::Pay(payment(draw, payer, &format!("in-{id}"))));
    }
    let twice = deeds.choose(draw).cloned();
    deeds.extend(twice);
    deeds.into_iter().map(Work::Do).collect()
}

/// A subscription that begins next year is declared.
fn next_year(period: BillingPeriod, round: u64) -> Work {
    Work::Declare(format!(
        r#"
[[subscription]]
id = "next-{period}-{round}"
name = "Next"
placements = [{{ from = 2027-01-01T00:00:00Z, billing_account = "acme", offer = "metered" }}]
"#
    ))
}

/// Usage of a month, or of those before, that comes only now; the first of some ids is given.
fn late(draw: &mut ChaCha8Rng, period: BillingPeriod, id: u64) -> Vec<UsageRecord> {
    let first = BillingPeriod::parse("2026-05").expect("a month");
    let months: Vec<_> = std::iter::successors(Some(first), |month| Some(month.next()))
        .take_while(|month| *month <= period)
        .collect();
    let mut records = Vec::new();
    for id in id..id + 3 {
        let month = *months.choose(draw).expect("there are some");
        records.push(record(draw, id, month));
    }
    records
}

/// Does one thing; tells whether it is done with that. A close may wait for a person, but parks
/// nobody.
async fn attempt(writer: &Reckoner, work: &Work) -> domain::Result<bool> {
    match work {
        Work::Do(Deed::Close(period)) => {
            let asked = close_asked(*period);
            let closing = writer.close_period(&Caller::Machine, &asked, "test").await?;
            for one in &closing.accounts {
                match &one.outcome {
                    Outcome::Closed { .. } | Outcome::ClosedBefore { .. } => {}
                    Outcome::Waits { reason } => {
                        let waits =
                            (one.billing_account.as_str(), reason.starts_with("approval: "));
                        assert_eq!(waits, (BY_PERSON, true), "{reason}");
                    }
                    Outcome::WouldClose { .. } | Outcome::Parked { .. } => panic!("{one:?}"),
                }
            }
            Ok(closing.head.is_some())
        }
        Work::Do(deed) => done(writer, deed).await.map(|_| true),
        Work::Use(records) => {
            let records = records.iter().map(|one| Incoming::Record(Box::new(one.clone())));
            let taken = writer.take_in(&Caller::Machine, records.collect()).await?;
            assert!(taken.iter().all(|one| one.verdict == Verdict::Accepted), "{taken:?}");
            Ok(true)
        }
        Work::Declare(text) => in_process::try_declare(writer, text).await.map(|()| true),
    }
}

/// Does all of it at the same moment, each by one of the writers: each is done, or refused because
/// of what stands there, or may be tried again.
async fn all_at_once(
    writers: &[Reckoner; 2],
    work: Vec<Work>,
    (draw, counts): (&mut ChaCha8Rng, &mut Counts),
) {
    let tasks: Vec<_> = work
        .into_iter()
        .map(|work| {
            let writer = writers.choose(draw).expect("there are two").clone();
            tokio::spawn(async move {
                let told = attempt(&writer, &work).await;
                (work, told)
            })
        })
        .collect();
    for task in tasks {
        let (work, told) = task.await.expect("no panic");
        let (done, tried) = counts.entry(work.kind()).or_default();
        *tried += 1;
        match told {
            Ok(is_done) => *done += u64::from(is_done),
            Err(error) => assert!(work.may_be(error.kind()), "{work:?}: {error:?}"),
        }
    }
}

/// Both see the same books, and nothing in them is broken.
async fn check(writers: &[Reckoner; 2]) {
    for writer in writers {
        ledgers_add_up(writer).await;
    }
    let seen = [issued(&writers[0]).await, issued(&writers[1]).await];
    assert_eq!(seen[0], seen[1]);
}

/// Ten writers want more than there is: the bound holds, whoever comes first.
async fn refunds_at_once_pay_out_no_more_than_there_is(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let clock = SetClock::at(Instant::parse("2026-06-05").expect("a moment"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    in_process::declare(&reckoner, &company()).await;
    let asked = |id: &str, amount: &str, way: Way| PaymentAsked {
        id: PaymentId::new(id).expect("an id"),
        billing_account: account("acme"),
        amount: Fixed18::parse(amount).expect("an amount"),
        way,
    };
    let paid = asked("in", "50", Way::In(Vec::new()));
    reckoner.record_payment(&Caller::Machine, &paid, "test").await.expect("paid");
    let refunds = (0..10).map(|nth| asked(&format!("out-{nth}"), "7", Way::Out));
    let tasks: Vec<_> = refunds
        .map(|refund| {
            let reckoner = reckoner.clone();
            tokio::spawn(
                async move { reckoner.record_payment(&Caller::Machine, &refund, "test").await },
            )
        })
        .collect();
    let (mut paid_out, mut refused) = (0, 0);
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(_) => paid_out += 1,
            // Either the bound, or too many others at once: it may be tried again.
            Err(Error::Overdrawn { .. } | Error::Unavailable { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(paid_out + refused, 10);
    assert!(paid_out <= 7, "{paid_out} × 7 of 50");
    let rest = asked("rest", &format!("{}", 50 - 7 * paid_out), Way::Out);
    reckoner.record_payment(&Caller::Machine, &rest, "test").await.expect("what is left");
    let more = asked("more", "0.01", Way::Out);
    let refusal = reckoner.record_payment(&Caller::Machine, &more, "test").await;
    assert!(matches!(refusal, Err(Error::Overdrawn { .. })), "{refusal:?}");
    let checked = reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
    assert_eq!(checked.problems, Vec::<String>::new());
    reckoner.close().await.expect("closed");
}

on_each_store!(refunds_at_once_pay_out_no_more_than_there_is);
