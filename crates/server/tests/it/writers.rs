//! Writers at once: closes, payments, refunds and notes at the same moment break no bound, leave no
//! gap in the numbers, and each is done or clearly refused. On PostgreSQL they are two nodes on the
//! same books, each with a data directory of its own; a directory with books in SQLite admits one,
//! which does all of it at once.
//!
//! `RECKONER_HISTORIES` says how many histories, `RECKONER_SEED` which.

use crate::books::{Books, on_each_store};
use crate::histories::{
    Deed, PAYING, company, deed, done, history, issued, ledgers_add_up, payment, send, wanted,
};
use crate::in_process;
use calendar::{BillingPeriod, Instant, SetClock};
use domain::Kind;
use domain::access::Caller;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use service::Reckoner;

/// How often, for each month, everything is done at once.
const ROUNDS: u64 = 3;

async fn no_bound_is_broken_whoever_is_first(books: Books) {
    let first = wanted("RECKONER_SEED", 1);
    for seed in first..first + wanted("RECKONER_HISTORIES", 1) {
        live_at_once(books, seed).await;
    }
}

on_each_store!(no_bound_is_broken_whoever_is_first);

async fn live_at_once(books: Books, seed: u64) {
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
        for round in 0..ROUNDS {
            let newest = 6 * (number as u64 + 1);
            let deeds = deeds(&mut draw, (month.period, round), newest);
            all_at_once(&writers, deeds, &mut draw).await;
            check(&writers).await;
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

/// What is done at the same moment: the month is closed by two, and others pay, take money back and
/// amend invoices.
fn deeds(draw: &mut ChaCha8Rng, (period, round): (BillingPeriod, u64), newest: u64) -> Vec<Deed> {
    let mut deeds = vec![Deed::Close(period), Deed::Close(period)];
    for nth in 0..draw.random_range(4..9) {
        let id = format!("{period}-{round}-{nth}");
        deeds.push(deed(draw, &id, newest));
        let payer = PAYING.choose(draw).copied().expect("there are some");
        deeds.push(Deed::Pay(payment(draw, payer, &format!("in-{id}"))));
    }
    let twice = deeds.choose(draw).cloned();
    deeds.extend(twice);
    deeds.shuffle(draw);
    deeds
}

/// Does all of it at the same moment, each by one of the writers: each is done, or refused because
/// of what stands there, or may be tried again.
async fn all_at_once(writers: &[Reckoner; 2], deeds: Vec<Deed>, draw: &mut ChaCha8Rng) {
    let tasks: Vec<_> = deeds
        .into_iter()
        .map(|deed| {
            let writer = writers.choose(draw).expect("there are two").clone();
            tokio::spawn(async move {
                let told = done(&writer, &deed).await;
                (deed, told)
            })
        })
        .collect();
    for task in tasks {
        let (deed, told) = task.await.expect("no panic");
        if let Err(error) = told {
            let is_clear =
                matches!(error.kind(), Kind::NotFound | Kind::Conflict | Kind::Unavailable);
            assert!(is_clear, "{deed:?}: {error:?}");
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
