//! Taking usage in: the same rows, batches and connections to the program and to PostgreSQL.

use crate::machine::{self, now, since_us};
use crate::postgres::{Events, Inserter};
use crate::program::{Installation, Sender};
use crate::settings::{BATCH, Settings};
use crate::usage::Usage;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Time before counting begins, in microseconds.
const WARM_US: u64 = 2_000_000;

/// One connection that takes batches until they are durable.
pub(crate) trait Taker: Send {
    /// Takes rows that it has not seen.
    fn take(&mut self, usage: &Usage, rows: Range<u64>) -> Result<()>;
}

impl Taker for Sender {
    fn take(&mut self, usage: &Usage, rows: Range<u64>) -> Result<()> {
        self.send(usage, rows, "accepted")
    }
}

/// Which rows have been handed out.
pub(crate) struct Stock {
    usage: Usage,
    next: AtomicU64,
}

/// When to stop.
#[derive(Clone, Copy)]
enum Until {
    /// So many rows have been handed out.
    Rows(u64),
    /// So many seconds have been counted.
    Seconds(u64),
}

/// What was counted.
#[derive(Default)]
struct Counted {
    rows: u64,
    from_us: u64,
    to_us: u64,
    latencies_us: Vec<u64>,
}

impl Counted {
    fn rows_per_s(&self) -> u64 {
        self.rows * 1_000_000 / self.to_us.saturating_sub(self.from_us).max(1)
    }

    fn json(mut self) -> Value {
        self.latencies_us.sort_unstable();
        let at = |percent: usize| {
            let place = self.latencies_us.len() * percent / 100;
            self.latencies_us.get(place).copied().unwrap_or(0)
        };
        json!({
            "rows_per_s": self.rows_per_s(),
            "rows": self.rows,
            "batch_p50_us": at(50),
            "batch_p99_us": at(99),
        })
    }
}

impl Stock {
    pub(crate) fn new(usage: Usage) -> Stock {
        Stock { usage, next: AtomicU64::new(0) }
    }

    fn handed_out(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Lets takers take, each on a thread of its own.
    fn run<T: Taker>(&self, takers: &mut [T], until: Until) -> Result<Counted> {
        let start = now();
        let one = |taker: &mut T| self.run_one(taker, until, start);
        let parts = std::thread::scope(|scope| {
            let threads: Vec<_> =
                takers.iter_mut().map(|taker| scope.spawn(move || one(taker))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a taker panicked"))?)
                .collect::<Result<Vec<Counted>>>()
        })?;
        let mut all = Counted { from_us: WARM_US, ..Counted::default() };
        for part in parts {
            all.rows += part.rows;
            all.to_us = all.to_us.max(part.to_us);
            all.latencies_us.extend(part.latencies_us);
        }
        Ok(all)
    }

    fn run_one(
        &self,
        taker: &mut impl Taker,
        until: Until,
        start: std::time::Instant,
    ) -> Result<Counted> {
        let mut counted = Counted::default();
        loop {
            if let Until::Seconds(seconds) = until
                && since_us(start) >= WARM_US + seconds * 1_000_000
            {
                return Ok(counted);
            }
            let from = self.next.fetch_add(BATCH, Ordering::Relaxed);
            if matches!(until, Until::Rows(rows) if from >= rows) {
                self.next.fetch_sub(BATCH, Ordering::Relaxed);
                return Ok(counted);
            }
            let before_us = since_us(start);
            taker.take(&self.usage, from..from + BATCH)?;
            counted.to_us = since_us(start);
            if before_us >= WARM_US {
                counted.rows += BATCH;
                counted.latencies_us.push(counted.to_us - before_us);
            }
        }
    }
}

/// Sends all rows of a run to a server and says how fast.
pub(crate) fn send_all(takers: &mut [Sender], usage: Usage) -> Result<u64> {
    let (stock, start) = (Stock::new(usage), now());
    stock.run(takers, Until::Rows(usage.rows))?;
    Ok(usage.rows * 1_000_000 / since_us(start).max(1))
}

/// Measures both sides, with nothing present and with much.
pub(crate) fn measure(settings: &Settings) -> Result<Value> {
    let rows = settings.present.max(1_000_000) * 2;
    let usage = Usage::of(settings.seed, rows);
    let before = machine::syncs_per_s(&settings.directory)?;
    println!("fsync rate: {before} a second (4 KiB appended each)");
    let ours = ours(settings, usage)?;
    let theirs = theirs(settings, usage)?;
    let after = machine::syncs_per_s(&settings.directory)?;
    Ok(json!({
        "part": "taking in",
        "conditions": {
            "seed": settings.seed,
            "batch": BATCH,
            "connections": settings.connections,
            "seconds": settings.seconds,
            "present": settings.present,
            "syncs_per_s_before": before,
            "syncs_per_s_after": after,
        },
        "reckoner": ours,
        "postgresql": theirs,
    }))
}

fn ours(settings: &Settings, usage: Usage) -> Result<Value> {
    let installation = Installation::at(settings, "taking-in");
    installation.make(&usage, "")?;
    let (server, secrets) = (installation.serve()?, installation.secrets()?);
    let mut takers = (0..settings.connections)
        .map(|_| Sender::new(&server, &secrets))
        .collect::<Result<Vec<_>>>()?;
    let stock = Stock::new(usage);
    let counted = Until::Seconds(settings.seconds);
    let empty = stock.run(&mut takers, counted)?;
    println!("reckoner, 0 present: {} rows a second", empty.rows_per_s());
    let (start, from) = (now(), stock.handed_out());
    stock.run(&mut takers, Until::Rows(settings.present))?;
    let filled = stock.handed_out().saturating_sub(from);
    let filling = filled * 1_000_000 / since_us(start).max(1);
    let (spent, sent) = (server.processor_us()?, stock.handed_out());
    let own = machine::processor_us(std::process::id())?;
    let full = stock.run(&mut takers, counted)?;
    let sent = stock.handed_out() - sent;
    let per_row = |us: u64| us * 1_000 / sent.max(1);
    let spent_ns = per_row(server.processor_us()? - spent);
    let own_ns = per_row(machine::processor_us(std::process::id())? - own);
    println!("processor time a row: server {spent_ns} ns, sender {own_ns} ns");
    println!("reckoner, {} present: {} rows a second", settings.present, full.rows_per_s());
    let one = stock.run(takers.get_mut(..1).context("a connection")?, counted)?;
    println!("reckoner, the same over one connection: {} rows a second", one.rows_per_s());
    // What was acknowledged is known: the first and the last batch are duplicates now.
    let last = stock.handed_out();
    let first = takers.first_mut().context("a connection")?;
    first.send(&usage, 0..BATCH, "duplicate")?;
    first.send(&usage, last - BATCH..last, "duplicate")?;
    let peak_kib = server.peak_kib()?;
    let sent = json!({ "rows": last, "log_bytes": installation.bytes("log")? });
    drop(takers);
    drop(server);
    Ok(json!({
        "empty": empty.json(), "full": full.json(), "full_over_one": one.json(),
        "server_ns_per_row": spent_ns, "sender_ns_per_row": own_ns,
        "peak_kib": peak_kib, "filling_rows_per_s": filling, "sent": sent,
    }))
}

fn theirs(settings: &Settings, usage: Usage) -> Result<Value> {
    let mut events = Events::make(settings)?;
    let mut takers =
        (0..settings.connections).map(|_| Inserter::new(settings)).collect::<Result<Vec<_>>>()?;
    let watch = machine::Watch::start("postgres");
    let counted = Until::Seconds(settings.seconds);
    let stock = Stock::new(usage);
    let empty = stock.run(&mut takers, counted)?;
    println!("PostgreSQL, 0 present: {} rows a second", empty.rows_per_s());
    let held = events.count()?;
    ensure!(held == stock.handed_out(), "PostgreSQL holds {held} rows");
    events.fill(&usage, settings.present)?;
    let stock = Stock { usage, next: AtomicU64::new(settings.present) };
    let spent = machine::together_processor_us("postgres")?;
    let full = stock.run(&mut takers, counted)?;
    let spent = machine::together_processor_us("postgres")?.saturating_sub(spent);
    let spent_ns = spent * 1_000 / (stock.handed_out() - settings.present).max(1);
    println!("processor time a row: PostgreSQL {spent_ns} ns");
    println!("PostgreSQL, {} present: {} rows a second", settings.present, full.rows_per_s());
    let one = stock.run(takers.get_mut(..1).context("a connection")?, counted)?;
    println!("PostgreSQL, the same over one connection: {} rows a second", one.rows_per_s());
    let held = events.count()?;
    ensure!(held == stock.handed_out(), "PostgreSQL holds {held} rows");
    let (version, configured) = (events.version()?, events.settings()?);
    let peak_kib = watch.end();
    drop(takers);
    events.end()?;
    Ok(json!({
        "empty": empty.json(), "full": full.json(), "full_over_one": one.json(),
        "server_ns_per_row": spent_ns, "peak_kib": peak_kib, "version": version,
        "settings": configured,
    }))
}
