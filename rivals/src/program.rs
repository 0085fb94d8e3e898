//! The program under test: an installation, its server, its clients' requests.

use crate::company::{self, OPERATOR, TENANT};
use crate::machine;
use crate::settings::Settings;
use crate::usage::Usage;
use anyhow::{Context, Result, bail, ensure};
use reqwest::Client;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A data directory with the made-up company in it.
pub(crate) struct Installation {
    program: PathBuf,
    directory: PathBuf,
}

/// Secrets of an installation.
pub(crate) struct Secrets {
    /// Of the operator.
    pub(crate) operator: String,
    /// The key that usage is sent with.
    pub(crate) key: String,
}

impl Installation {
    /// The installation `name` of a run.
    pub(crate) fn at(settings: &Settings, name: &str) -> Installation {
        Installation { program: settings.program.clone(), directory: settings.directory.join(name) }
    }

    /// Makes it anew and declares the company, and `more` of it.
    pub(crate) fn make(&self, usage: &Usage, more: &str) -> Result<()> {
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory)?;
        }
        let company = self.directory.join("company");
        fs::create_dir_all(&company)?;
        let told = self.run(&["secret"])?;
        let (secret, hash) = (word(&told, "secret ")?, word(&told, "hash ")?);
        for (name, text) in company::files(usage, &hash) {
            fs::write(company.join(name), text)?;
        }
        fs::write(company.join("more.toml"), more)?;
        self.run(&["apply", "--yes", path(&company)?])?;
        let accounts = usage.billing_accounts().into_iter();
        let accounts = accounts.flat_map(|id| ["--billing-account".to_owned(), id]);
        let words = ["key", "--principal", "sender", "--source", "gate"].map(str::to_owned);
        let words: Vec<String> = words.into_iter().chain(accounts).collect();
        let key = self.run(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        fs::write(self.directory.join("secrets"), format!("{secret}\n{}\n", key.trim()))?;
        Ok(())
    }

    /// What it was made with.
    pub(crate) fn secrets(&self) -> Result<Secrets> {
        let text = fs::read_to_string(self.directory.join("secrets"))?;
        let mut lines = text.lines().map(str::to_owned);
        let (operator, key) = lines.next().zip(lines.next()).context("two lines of secrets")?;
        Ok(Secrets { operator, key })
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("RECKONER_")) {
                command.env_remove(name);
            }
        }
        // A run closes what it measures, when it measures it.
        command.env("RECKONER_CLOSE__BY_SCHEDULE", "false");
        command.env("RECKONER_DATA_DIR", path(&self.directory.join("data"))?).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command to its end; gives what it printed.
    pub(crate) fn run(&self, words: &[&str]) -> Result<String> {
        let output = self
            .command()?
            .args(words)
            .output()
            .with_context(|| format!("{} cannot be started", self.program.display()))?;
        let first = words.first().copied().unwrap_or_default();
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "reckoner {first}: {problem}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs a command to its end; gives what it printed, and the most memory it had in KiB.
    pub(crate) fn measured(&self, words: &[&str]) -> Result<(String, u64)> {
        let told = self.directory.join("told");
        let mut command = self.command()?;
        command.args(words).stdout(File::create(&told)?).stderr(Stdio::null());
        let mut child = command.spawn().context("the program cannot be started")?;
        let mut peak_kib = 0;
        loop {
            // The line is gone as soon as the process has ended.
            peak_kib = machine::peak_kib(child.id()).unwrap_or(peak_kib);
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "reckoner {words:?} ended with {status}");
                return Ok((fs::read_to_string(&told)?, peak_kib));
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Serves it with the program's defaults; its log goes to a file beside the data.
    pub(crate) fn serve(&self) -> Result<Server> {
        self.serve_with("")
    }

    /// Serves it with a configuration file of this text.
    pub(crate) fn serve_with(&self, configuration: &str) -> Result<Server> {
        let file = self.directory.join("reckoner.toml");
        fs::write(&file, configuration)?;
        let context = self.directory.join("context.json");
        let mut command = self.command()?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--listen-http", "127.0.0.1:0"]);
        command.args(["--context", path(&context)?, "--config", path(&file)?]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("the server cannot be started")?;
        let said = BufReader::new(child.stderr.take().context("a pipe")?);
        let mut log = File::create(self.directory.join("server.log"))?;
        let (tell, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in said.lines().map_while(std::result::Result::ok) {
                if line.starts_with("listening on ") {
                    // Only the first is waited for.
                    let _ = tell.send(());
                }
                // The log is for whoever looks into a failed run.
                let _ = std::io::Write::write_all(&mut log, format!("{line}\n").as_bytes());
            }
        });
        if ready.recv().is_err() {
            let _ = child.wait();
            let log = self.directory.join("server.log");
            bail!("the server ended at once; see {}", log.display());
        }
        let context: Value = serde_json::from_slice(&fs::read(&context)?)?;
        let url = context["http_url"].as_str().context("an address")?.to_owned();
        let server = Server { child, url };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Bytes of everything below a folder of the data directory.
    pub(crate) fn bytes(&self, folder: &str) -> Result<u64> {
        let mut bytes = 0;
        let mut places = vec![self.directory.join("data").join(folder)];
        while let Some(place) = places.pop() {
            for entry in fs::read_dir(&place)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    places.push(entry.path());
                } else {
                    bytes += entry.metadata()?.len();
                }
            }
        }
        Ok(bytes)
    }
}

/// A running server; it is killed with its value.
pub(crate) struct Server {
    child: Child,
    /// Where plain HTTP is answered.
    pub(crate) url: String,
}

impl Server {
    /// It says that it listens a moment before it answers, and before it can be told to stop.
    fn wait_until_ready(&self) -> Result<()> {
        let (runtime, client) = (runtime()?, client()?);
        let url = format!("{}/readyz", self.url);
        let status = runtime.block_on(async { client.get(url).send().await })?.status();
        ensure!(status.is_success(), "the server is not ready: {status}");
        // The handler of signals is set up beside the first answers.
        std::thread::sleep(std::time::Duration::from_millis(50));
        Ok(())
    }

    /// The most memory that it has had so far, in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64> {
        machine::peak_kib(self.child.id())
    }

    /// Processor time that it has used so far, in microseconds.
    pub(crate) fn processor_us(&self) -> Result<u64> {
        machine::processor_us(self.child.id())
    }

    /// Asks it to stop in good order; gives the most memory it had, looked at until it ended.
    pub(crate) fn stop(mut self) -> Result<u64> {
        let id = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &id]).status()?.success(), "kill failed");
        let mut peak_kib = 0;
        loop {
            // The line is gone as soon as the process has ended.
            peak_kib = machine::peak_kib(self.child.id()).unwrap_or(peak_kib);
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the server ended with {status}");
                return Ok(peak_kib);
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends batches of usage over one connection.
pub(crate) struct Sender {
    runtime: tokio::runtime::Runtime,
    client: Client,
    url: String,
    key: String,
    body: String,
}

impl Sender {
    pub(crate) fn new(server: &Server, secrets: &Secrets) -> Result<Sender> {
        Ok(Sender {
            runtime: runtime()?,
            client: client()?,
            url: format!("{}/intake/v1/events", server.url),
            key: secrets.key.clone(),
            body: String::new(),
        })
    }

    /// Sends rows and demands this verdict on each; it is durable then.
    pub(crate) fn send(
        &mut self,
        usage: &Usage,
        rows: std::ops::Range<u64>,
        verdict: &str,
    ) -> Result<()> {
        let wanted = usize::try_from(rows.end - rows.start)?;
        self.body.clear();
        for n in rows {
            usage.event(n, &mut self.body);
        }
        let request = self.client.post(&self.url).bearer_auth(&self.key);
        let request = request.header("content-type", "application/x-ndjson");
        let request = request.body(self.body.clone());
        let (status, answer) = self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            anyhow::Ok((status, answer.text().await?))
        })?;
        let verdict = format!("\"verdict\":\"{verdict}\"");
        let head: String = answer.chars().take(300).collect();
        ensure!(answer.matches(&verdict).count() == wanted, "{status}: {head}");
        Ok(())
    }
}

/// Asks questions of the operator's.
pub(crate) struct Asker {
    runtime: tokio::runtime::Runtime,
    client: Client,
    url: String,
    token: String,
}

impl Asker {
    pub(crate) fn new(server: &Server, secrets: &Secrets) -> Result<Asker> {
        let (runtime, client) = (runtime()?, client()?);
        let url = format!("{}/{TENANT}/oauth2/v2.0/token", server.url);
        let form = format!(
            "grant_type=client_credentials&client_id={OPERATOR}&client_secret={}\
             &scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
            secrets.operator
        );
        let kind = "application/x-www-form-urlencoded";
        let request = client.post(url).header("content-type", kind).body(form);
        let answer: Value = runtime.block_on(async { request.send().await?.json().await })?;
        let token = answer["access_token"].as_str().with_context(|| answer.to_string())?;
        Ok(Asker { runtime, client, url: server.url.clone(), token: token.to_owned() })
    }

    /// The answer's text.
    pub(crate) fn charges(&self, asked: &Value) -> Result<String> {
        let url = format!("{}/admin/v1/charges/query", self.url);
        let request = self.client.post(url).bearer_auth(&self.token).json(asked);
        let (status, answer) = self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            anyhow::Ok((status, answer.text().await?))
        })?;
        let head: String = answer.chars().take(300).collect();
        ensure!(status.is_success(), "{status}: {head}");
        Ok(answer)
    }
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

pub(crate) fn client() -> Result<Client> {
    // Another sender of this process may have chosen it before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Ok(Client::builder().pool_max_idle_per_host(1).build()?)
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is plain text")
}

fn word(told: &str, name: &str) -> Result<String> {
    let line = told.lines().find_map(|line| line.strip_prefix(name)).context("a line")?;
    Ok(line.trim().to_owned())
}
