//! Measures the program beside its rivals; `scripts/bench/` runs it and compares.

mod closing;
mod company;
mod machine;
mod postgres;
mod program;
mod rating;
mod settings;
mod taking_in;
mod usage;
mod usage_queries;

use anyhow::{Result, bail};
use serde_json::Value;
use settings::Settings;
use std::fs;

const HELP: &str = "\
usage: rivals PART
  taking-in   durable, de-duplicated usage in, beside PostgreSQL
  rating      takes usage in and rates it; leaves the usage for DuckDB
  closing     closes a billing period of many accounts; leaves its rated rows for DuckDB
  questions   asks about what `rating` left
  usage-queries
              takes usage of one company in, and asks for results by callback
each writes target/bench/PART.json; RECKONER_BENCH_ROWS, _CLOSED_ROWS, _CLOSED_ACCOUNTS,
_PRESENT, _SECONDS, _CONNECTIONS, _TIMES, _SEED, _DIR and _PROGRAM say how much, where and of which
build";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [part] = &words[..] else { bail!(HELP) };
    let settings = Settings::read()?;
    fs::create_dir_all(&settings.directory)?;
    let found: Value = match part.as_str() {
        "taking-in" => taking_in::measure(&settings)?,
        "rating" => rating::measure(&settings)?,
        "closing" => closing::measure(&settings)?,
        "questions" => rating::ask(&settings)?,
        "usage-queries" => usage_queries::measure(&settings)?,
        _ => bail!(HELP),
    };
    let path = settings.directory.join(format!("{part}.json"));
    fs::write(path, serde_json::to_string_pretty(&found)? + "\n")?;
    Ok(())
}
