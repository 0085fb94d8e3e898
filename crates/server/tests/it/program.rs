//! The program as its users meet it: a process, its standard streams, and requests over loopback.

use crate::books::Schema;
use calendar::{Instant, SystemClock, WallClock};
use reqwest::{Certificate, Client, RequestBuilder};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};

/// Environment of one start: names and values.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

/// The machine's time.
/// A number that the environment tells, or the usual one.
pub(crate) fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a whole number"))
}

pub(crate) fn now() -> Instant {
    WallClock.now()
}

fn program(arguments: &[&str], settings: Settings<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reckoner"));
    // What the tests' own environment says of the program must not reach it.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command.args(arguments).envs(settings.iter().copied()).stdin(Stdio::null());
    command
}

fn is_ours(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("RECKONER_") && name != "RECKONER_LOG")
}

/// Runs a command to its end, and gives what it printed.
pub(crate) fn run(arguments: &[&str], settings: Settings<'_>) -> String {
    let output = program(arguments, settings).output().expect("the program starts");
    let out = String::from_utf8(output.stdout).expect("text");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "reckoner {}:\n{out}\n{err}", arguments.join(" "));
    out
}

/// Runs a command that is to be refused; gives what it said about that.
pub(crate) fn refused(arguments: &[&str], settings: Settings<'_>) -> String {
    let output = program(arguments, settings).output().expect("the program starts");
    let err = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success(), "reckoner {} was not refused: {err}", arguments.join(" "));
    err
}

/// Starts a command and leaves it running.
pub(crate) fn start(arguments: &[&str], settings: Settings<'_>) -> Child {
    let mut command = program(arguments, settings);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

/// Starts a command whose standard streams are the caller's to read.
pub(crate) fn piped(arguments: &[&str], settings: Settings<'_>) -> Child {
    let mut command = program(arguments, settings);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// A server that ends with its value.
pub(crate) struct Server {
    child: Child,
    pub(crate) context: Value,
    pub(crate) client: Client,
    said: Arc<Mutex<String>>,
    listener: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// The demo, on a data directory and on other books than the directory's if they are given.
    pub(crate) fn demo(data: &Path, schema: Option<&Schema>, settings: Settings<'_>) -> Server {
        let store = schema.map(|schema| ["--store", &schema.url]);
        Server::start(data, "demo", store.as_ref().map_or(&[], |own| own), settings)
    }

    /// An installation that is there already, over HTTP and HTTPS.
    pub(crate) fn serve(data: &Path, settings: Settings<'_>) -> Server {
        Server::start(data, "serve", &["--listen-http", "127.0.0.1:0"], settings)
    }

    fn start(data: &Path, command: &str, more: &[&str], settings: Settings<'_>) -> Server {
        let context = data.with_extension("context.json");
        let (data, path) = (data.to_str().expect("a path"), context.to_str().expect("a path"));
        let own = ["--data", data, "--listen", "127.0.0.1:0", "--context", path];
        let arguments = [&[command], own.as_slice(), more].concat();
        let mut command = program(&arguments, settings);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (tell, ready) = mpsc::channel();
        let said = Arc::new(Mutex::new(String::new()));
        // The demo says how to use it on standard output: tokens, which must not be repeated.
        listen(child.stdout.take().expect("a pipe"), None, tell.clone());
        let listener = listen(child.stderr.take().expect("a pipe"), Some(Arc::clone(&said)), tell);
        if ready.recv().is_err() {
            let _ = child.wait();
            panic!("the server ended at once:\n{}", said.lock().expect("no panic"));
        }
        let context = std::fs::read(&context).expect("the context file");
        let context: Value = serde_json::from_slice(&context).expect("JSON");
        let client = client(context["ca_file"].as_str().expect("an authority"));
        Server { child, context, client, said, listener: Some(listener) }
    }

    /// A value of the context file: `clients.owner.token`.
    pub(crate) fn told(&self, path: &str) -> String {
        let pointer = format!("/{}", path.replace('.', "/"));
        let value = self.context.pointer(&pointer).unwrap_or_else(|| panic!("no {path}"));
        value.as_str().unwrap_or_else(|| panic!("{path} is no text")).to_owned()
    }

    /// A GET below the base URL, with a bearer token if one is given.
    pub(crate) fn get(&self, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.client.get(format!("{}{path}", self.told("base_url")));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The most memory that the process has had so far, in bytes.
    pub(crate) fn most_memory_bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1_024
    }

    /// Ends the process as a failing machine would: nothing more of it runs.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("the process is ours");
    }

    /// Asks the process to end and waits for it.
    pub(crate) fn stop(self) {
        self.stop_and_tell();
    }

    /// The same; gives what it said on standard error.
    pub(crate) fn stop_and_tell(mut self) -> String {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill is there");
        assert!(told.success());
        let status = self.child.wait().expect("the process is ours");
        let listener = self.listener.take().expect("stopped once");
        listener.join().expect("no panic");
        let said = self.said.lock().expect("no panic").clone();
        assert!(status.success(), "{status}:\n{said}");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", self.said.lock().expect("no panic"));
        }
    }
}

/// Reads a stream to its end, and tells when the server says that it listens.
fn listen(
    stream: impl Read + Send + 'static,
    kept: Option<Arc<Mutex<String>>>,
    tell: mpsc::Sender<()>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut tell = Some(tell);
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if line.starts_with("listening on ")
                && let Some(tell) = tell.take()
            {
                // Nobody waits any more when the other stream said so first.
                let _ = tell.send(());
            }
            if let Some(kept) = &kept {
                let mut kept = kept.lock().expect("no panic");
                kept.push_str(&line);
                kept.push('\n');
            }
        }
    })
}

/// A client that trusts one authority, and follows no redirects: they are answers here.
pub(crate) fn client(authority: &str) -> Client {
    // Another test of this process may have chosen it before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let pem = std::fs::read(authority).expect("the authority's certificate");
    let certificate = Certificate::from_pem(&pem).expect("a certificate");
    Client::builder()
        .tls_certs_only([certificate])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}
