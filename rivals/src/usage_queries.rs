//! Usage queries, each from its submission until the receiver has the whole result: the program's
//! half. DuckDB groups the same rated rows.

use crate::closing::take;
use crate::company::OPERATOR;
use crate::machine::{now, since_us};
use crate::program::{Installation, Secrets, Server, client, runtime};
use crate::settings::Settings;
use crate::usage::{Payer, Usage, account_id};
use anyhow::{Context, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

/// Results may be called back to where they are received.
const CONFIGURATION: &str = "[callbacks]\nallowed_ranges = [\"127.0.0.1/32\"]\n";
/// How long a result is waited for.
const PATIENCE: Duration = Duration::from_secs(600);
/// One account in a hundred.
const EVERY: u64 = 100;

/// Takes all rows in for one company; then, of a server that has done nothing before, asks each
/// question as often as was told.
pub(crate) fn measure(settings: &Settings) -> Result<Value> {
    let usage = Usage { payer: Payer::Company, ..Usage::of(settings.seed, settings.rows) };
    let installation = Installation::at(settings, "usage-queries");
    installation.make(&usage, "")?;
    take(settings, &installation, usage)?;
    let (server, secrets) = (installation.serve_with(CONFIGURATION)?, installation.secrets()?);
    let started_kib = server.peak_kib()?;
    let caller = Caller::new(&server, &secrets)?;
    let answers = settings.directory.join("answers");
    fs::create_dir_all(&answers)?;
    let mut asked = serde_json::Map::new();
    for (name, question) in questions() {
        let (mut times_us, mut result) = (Vec::new(), Vec::new());
        for _ in 0..settings.times.max(2) {
            let start = now();
            result = caller.result(&question).with_context(|| name.to_owned())?;
            times_us.push(since_us(start));
        }
        let told: Value = serde_json::from_slice(&result)?;
        ensure!(told["status"] == json!("SUCCESS"), "{name}: {}", told["failureMessage"]);
        fs::write(answers.join(format!("usage-{name}.json")), &result)?;
        println!("{name}: {times_us:?} µs");
        let (rows, bytes) = (told["response"]["totalRows"].clone(), result.len());
        let found = json!({ "times_us": times_us, "rows": rows, "bytes": bytes });
        asked.insert(name.to_owned(), found);
    }
    let peak_kib = server.peak_kib()?;
    Ok(json!({
        "part": "usage-queries",
        "conditions": { "seed": settings.seed, "rows": settings.rows, "times": settings.times },
        "reckoner": { "questions": asked, "started_kib": started_kib, "peak_kib": peak_kib },
    }))
}

/// What is asked, each with exact totals, so that DuckDB's sums can be told from wrong ones.
fn questions() -> [(&'static str, Value); 3] {
    let asked = |columns: &[&str], accounts: &[String]| {
        let mut filter = json!({
            "dateInterval": { "sentSince": "2025-01-01", "sentUntil": "2025-04-01" },
        });
        if let (false, Some(filter)) = (accounts.is_empty(), filter.as_object_mut()) {
            filter.insert("accountKeys".to_owned(), json!(accounts));
        }
        json!({
            "filterBy": filter,
            "aggregateBy": columns,
            "options": { "reckoner": { "longRange": true, "exactTotals": true } },
        })
    };
    let some: Vec<String> = (0..20).map(|n| account_id(n * EVERY + 7)).collect();
    let by_day = ["DAY", "ACCOUNT_KEY", "CATEGORY_CODE", "COUNTRY_CODE"];
    let by_campaign = ["MONTH", "ACCOUNT_KEY", "CATEGORY_CODE", "CAMPAIGN_ID"];
    [
        ("month_account", asked(&["MONTH", "ACCOUNT_KEY", "CATEGORY_CODE"], &[])),
        ("day_category_country", asked(&by_day, &some)),
        ("month_campaign", asked(&by_campaign, &[])),
    ]
}

/// Asks for results, and receives them.
struct Caller {
    runtime: tokio::runtime::Runtime,
    client: Client,
    url: String,
    secret: String,
    receiver: Receiver,
}

impl Caller {
    fn new(server: &Server, secrets: &Secrets) -> Result<Caller> {
        Ok(Caller {
            runtime: runtime()?,
            client: client()?,
            url: format!("{}/billing/1/usage/query", server.url),
            secret: secrets.operator.clone(),
            receiver: Receiver::start()?,
        })
    }

    /// The bytes of a result.
    fn result(&self, question: &Value) -> Result<Vec<u8>> {
        let asked = json!({ "callbackUrl": self.receiver.url, "request": question });
        let request = self.client.post(&self.url).basic_auth(OPERATOR, Some(&self.secret));
        let request = request.json(&asked);
        let (status, answer) = self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            anyhow::Ok((status, answer.text().await?))
        })?;
        ensure!(status.as_u16() == 201, "{status}: {answer}");
        self.receiver.results.recv_timeout(PATIENCE).context("no result came")
    }
}

/// Where results are sent to.
struct Receiver {
    url: String,
    results: mpsc::Receiver<Vec<u8>>,
}

impl Receiver {
    fn start() -> Result<Receiver> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}/results", listener.local_addr()?);
        let (tell, results) = mpsc::channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(std::result::Result::ok) {
                let tell = tell.clone();
                // A connection that breaks off leaves a result out, which somebody waits for.
                std::thread::spawn(move || receive(connection, &tell).is_ok());
            }
        });
        Ok(Receiver { url, results })
    }
}

/// Takes one result after another from a connection.
fn receive(connection: TcpStream, tell: &mpsc::Sender<Vec<u8>>) -> Result<()> {
    let mut answers = connection.try_clone()?;
    let mut asked = BufReader::new(connection);
    loop {
        let (mut size_bytes, mut line) = (0, String::new());
        while asked.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                size_bytes = value.trim().parse::<usize>()?;
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        let mut body = vec![0; size_bytes];
        asked.read_exact(&mut body)?;
        tell.send(body)?;
        answers.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
