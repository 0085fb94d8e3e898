//! How much is measured, and where: all from the environment.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// Rows of a batch: of a request, of a transaction.
pub(crate) const BATCH: u64 = 1_000;

/// What a run is told.
pub(crate) struct Settings {
    /// Where everything of the run lies.
    pub(crate) directory: PathBuf,
    /// The program under test.
    pub(crate) program: PathBuf,
    /// Of the made-up usage.
    pub(crate) seed: u64,
    /// Rows that are rated and asked about.
    pub(crate) rows: u64,
    /// Rows of the billing period that is closed.
    pub(crate) closed_rows: u64,
    /// Its billing accounts.
    pub(crate) closed_accounts: u64,
    /// Rows that are present when taking in is measured the second time.
    pub(crate) present: u64,
    /// How long taking in is measured.
    pub(crate) seconds: u64,
    /// Connections to either side.
    pub(crate) connections: u64,
    /// How often each question is asked.
    pub(crate) times: u64,
    /// URL of the PostgreSQL.
    pub(crate) postgres: String,
}

impl Settings {
    /// Reads `RECKONER_BENCH_*` and `DATABASE_URL`.
    pub(crate) fn read() -> Result<Settings> {
        let directory = text("RECKONER_BENCH_DIR", "target/bench");
        Ok(Settings {
            directory: std::path::absolute(directory)?,
            program: std::path::absolute(text(
                "RECKONER_BENCH_PROGRAM",
                "target/release/reckoner",
            ))?,
            seed: number("RECKONER_BENCH_SEED", 1)?,
            rows: whole_batches(number("RECKONER_BENCH_ROWS", 20_000_000)?),
            closed_rows: whole_batches(number("RECKONER_BENCH_CLOSED_ROWS", 5_000_000)?),
            closed_accounts: number("RECKONER_BENCH_CLOSED_ACCOUNTS", 10_000)?.max(1),
            present: whole_batches(number("RECKONER_BENCH_PRESENT", 10_000_000)?),
            seconds: number("RECKONER_BENCH_SECONDS", 20)?,
            connections: number("RECKONER_BENCH_CONNECTIONS", 4)?,
            times: number("RECKONER_BENCH_TIMES", 9)?,
            postgres: text("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
        })
    }
}

fn whole_batches(rows: u64) -> u64 {
    rows.div_ceil(BATCH).max(1) * BATCH
}

fn text(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn number(name: &str, default: u64) -> Result<u64> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    text.replace('_', "").parse().with_context(|| format!("{name} is no whole number"))
}
