//! Closing a billing period of many accounts: the program's half. DuckDB adds up the same rows.

use crate::company::SELLER;
use crate::machine::{now, since_us};
use crate::program::{Installation, Sender};
use crate::settings::{BATCH, Settings};
use crate::taking_in::send_all;
use crate::usage::{Payer, Usage};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Days of January.
const DAYS: u64 = 31;

/// Which part of the rows is closed first, by itself: memory must not grow with rows.
const PART: u64 = 5;

/// Takes a month of usage in, closes it, closes it again, and closes the next month after late
/// usage of one account in a thousand. Before that, a fifth of the rows of as many accounts.
pub(crate) fn measure(settings: &Settings) -> Result<Value> {
    let (rows, accounts) = (settings.closed_rows, settings.closed_accounts);
    let usage = Usage { seed: settings.seed, rows, accounts, days: DAYS, payer: Payer::Each };
    let part_rows = (rows / PART).next_multiple_of(BATCH);
    let part = measure_part(settings, Usage { rows: part_rows, ..usage })?;
    let installation = Installation::at(settings, "closing");
    installation.make(&usage, SELLER)?;
    take(settings, &installation, usage)?;
    let (first, closed) = close(&installation, "2025-01")?;
    let (again, _) = close(&installation, "2025-01")?;
    let some = (accounts / 1_000).max(1);
    let late = Usage { seed: settings.seed + 1, rows: BATCH, accounts: some, ..usage };
    let late_accounts = (0..BATCH).map(|n| late.row(n).account).collect::<BTreeSet<_>>().len();
    take(settings, &installation, late)?;
    let (next, corrected) = close(&installation, "2025-02")?;
    ensure!(
        corrected["computed_again"] == json!(late_accounts),
        "{} were computed again for {late_accounts} with late usage",
        corrected["computed_again"]
    );
    let invoices = closed["accounts"].as_array().context("accounts")?.iter();
    let invoices = invoices.filter_map(|account| account["invoices"].as_array().map(Vec::len));
    let total = installation.run(&["query", "--period", "2025-01", "--json"])?;
    Ok(json!({
        "part": "closing",
        "conditions": {
            "seed": settings.seed, "rows": rows, "accounts": accounts,
            "late_accounts": late_accounts, "part_rows": part_rows,
        },
        "reckoner": {
            "part": part, "first": first, "again": again, "next": next,
            "invoices": invoices.sum::<usize>(),
            "computed_again": corrected["computed_again"],
            "total": serde_json::from_str::<Value>(&total)?,
        },
    }))
}

/// Closes a month of fewer rows, in an installation of its own.
fn measure_part(settings: &Settings, usage: Usage) -> Result<Value> {
    let installation = Installation::at(settings, "closing-part");
    installation.make(&usage, SELLER)?;
    take(settings, &installation, usage)?;
    Ok(close(&installation, "2025-01")?.0)
}

/// Takes usage in, and lets the server stop in good order: all of it is rated and written then.
pub(crate) fn take(settings: &Settings, installation: &Installation, usage: Usage) -> Result<()> {
    let (server, secrets) = (installation.serve()?, installation.secrets()?);
    let mut takers = (0..settings.connections)
        .map(|_| Sender::new(&server, &secrets))
        .collect::<Result<Vec<_>>>()?;
    let taken = send_all(&mut takers, usage)?;
    println!("{} rows taken in, {taken} a second", usage.rows);
    server.stop().map(drop)
}

/// Closes a billing period; gives how long it took with how much memory, and what it came to.
fn close(installation: &Installation, period: &str) -> Result<(Value, Value)> {
    let start = now();
    let (told, peak_kib) = installation.measured(&["close", period, "--issue", "--json"])?;
    let spent_us = since_us(start);
    println!("{period} closed in {} ms", spent_us / 1_000);
    Ok((json!({ "spent_us": spent_us, "peak_kib": peak_kib }), serde_json::from_str(&told)?))
}
