//! Rating much usage, and asking about it: the program's half. DuckDB's is in `scripts/bench/`.

use crate::machine::{now, since_us};
use crate::program::{Asker, Installation, Sender};
use crate::settings::Settings;
use crate::taking_in::send_all;
use crate::usage::{METERS, Usage, account_id, price_e4};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

const INSTALLATION: &str = "rating";

/// One account in a hundred.
const EVERY: u64 = 100;

/// Takes all rows in, then measures how long a server that stops in good order takes to rate them
/// and to write them down.
pub(crate) fn measure(settings: &Settings) -> Result<Value> {
    let usage = Usage::of(settings.seed, settings.rows);
    let installation = Installation::at(settings, INSTALLATION);
    installation.make(&usage, "")?;
    let (server, secrets) = (installation.serve()?, installation.secrets()?);
    let mut takers = (0..settings.connections)
        .map(|_| Sender::new(&server, &secrets))
        .collect::<Result<Vec<_>>>()?;
    let taken = send_all(&mut takers, usage)?;
    println!("{} rows taken in, {taken} a second", usage.rows);
    let taking_peak_kib = server.peak_kib()?;
    drop(takers);
    // Killed and started again, so that what follows is rating and nothing else.
    drop(server);
    let start = now();
    let server = installation.serve()?;
    let starting_us = since_us(start);
    let start = now();
    let peak_kib = server.stop()?;
    let rating_us = since_us(start);
    println!("rated and written in {} ms", rating_us / 1_000);
    write_usage(&settings.directory.join("usage.csv"), &usage)?;
    let prices: Vec<[u64; 4]> =
        (0..METERS).map(|meter| [0, 1, 2, 3].map(|tier| price_e4(meter, tier))).collect();
    Ok(json!({
        "part": "rating",
        "conditions": {
            "seed": settings.seed,
            "rows": settings.rows,
            "connections": settings.connections,
            "tiers_from": usage.tiers(),
            "prices_e4": prices,
        },
        "reckoner": {
            "taken_in_rows_per_s": taken,
            "taking_in_peak_kib": taking_peak_kib,
            "restart_us": starting_us,
            "rating_us": rating_us,
            "peak_kib": peak_kib,
            "objects_bytes": installation.bytes("objects")?,
        },
    }))
}

/// The usage as DuckDB reads it: what rating needs and no more.
fn write_usage(path: &Path, usage: &Usage) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "account,meter,start_us,id,quantity")?;
    for n in 0..usage.rows {
        let row = usage.row(n);
        let quantity = row.quantity();
        let (account, meter, start) = (row.account, row.meter, row.start_us);
        writeln!(file, "{account},{meter},{start},{:032x},{quantity}", row.id)?;
    }
    Ok(file.flush()?)
}

/// Asks the questions of a server that holds the rated rows, and keeps the answers.
pub(crate) fn ask(settings: &Settings) -> Result<Value> {
    let installation = Installation::at(settings, INSTALLATION);
    let (server, secrets) = (installation.serve()?, installation.secrets()?);
    let asker = Asker::new(&server, &secrets)?;
    let answers = settings.directory.join("answers");
    fs::create_dir_all(&answers)?;
    let mut asked = serde_json::Map::new();
    for (name, question) in questions() {
        let mut times_us = Vec::new();
        for _ in 0..settings.times.max(2) {
            let start = now();
            let answer = asker.charges(&question).with_context(|| name.to_owned())?;
            times_us.push(since_us(start));
            fs::write(answers.join(format!("{name}.json")), answer)?;
        }
        println!("{name}: {times_us:?} µs");
        asked.insert(name.to_owned(), json!({ "times_us": times_us, "question": question }));
    }
    let peak_kib = server.peak_kib()?;
    Ok(json!({
        "part": "questions",
        "conditions": { "seed": settings.seed, "rows": settings.rows, "times": settings.times },
        "reckoner": { "questions": asked, "peak_kib": peak_kib },
    }))
}

fn questions() -> [(&'static str, Value); 3] {
    let days = |more: Value| {
        let mut asked = json!({ "from": "2025-01-01", "until": "2025-04-01" });
        if let (Some(asked), Value::Object(more)) = (asked.as_object_mut(), more) {
            asked.extend(more);
        }
        asked
    };
    let some: Vec<String> = (0..20).map(|n| account_id(n * EVERY + 7)).collect();
    [
        ("month_account", days(json!({ "group_by": ["month", "account"] }))),
        (
            "day_category_country",
            days(json!({
                "group_by": ["day", "meter_category", "country"],
                "filters": [{ "on": "account", "values": some }],
            })),
        ),
        ("top_campaigns", days(json!({ "group_by": ["campaign"], "top": 20 }))),
    ]
}
