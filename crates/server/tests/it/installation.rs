//! An installation of a small company, declared from files in a directory of its own.

use crate::books::{Books, Schema};
use crate::described;
use crate::program::{self, Server};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Child;
use tempfile::TempDir;

/// The client that may do everything.
const OPERATOR: &str = "9d1f0a00-0000-4000-8000-000000000001";
const TENANT: &str = "6f0c2a4e-0000-4000-8000-000000000001";

/// What every company here has: a tenant, a client that may do everything, an account, an offer.
const BASE: &str = r#"
[[tenant]]
id = "{TENANT}"

[[client]]
id = "{OPERATOR}"
name = "operator"
secret_hashes = ["{HASH}"]

[[role_assignment]]
principal = "{OPERATOR}"
role = "Administrator"
scope = "installation"

[[billing_account]]
id = "acme"
name = "Acme"
currency = "{CURRENCY}"
region = "US"
"#;

/// A shop that pays for calls, which the source `gate` reports.
const SHOP: &str = r#"
[[offer]]
id = "metered"
name = "Metered"
has_rate_card = true

[[meter]]
id = "calls"
name = "Calls"
category = "Voice"
unit = "Calls"

[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{PRICES}]

[[subscription]]
id = "5b0d1e9a-0000-4000-8000-000000000001"
name = "Shop"
placements = [{ billing_account = "acme", offer = "metered" }]

[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

/// Every call costs the same.
pub(crate) const FLAT: &str = r#"{ meter = "calls", model = { per_unit = "0.1" } }"#;

/// A second source of the same account.
pub(crate) const FILES: &str = r#"
[[source]]
name = "files"
billing_accounts = ["acme"]
"#;

/// Declares the shop with these prices.
pub(crate) fn shop(prices: &str) -> String {
    SHOP.replace("{PRICES}", prices)
}

/// A data directory, its books' place if they are not in it, and the secret of its operator.
pub(crate) struct Installation {
    directory: TempDir,
    schema: Option<Schema>,
    secret: String,
}

impl Installation {
    /// Makes the installation and declares the company.
    pub(crate) fn new(books: Books, currency: &str, declared: &str) -> Installation {
        let directory = tempfile::tempdir().expect("a directory");
        let told = program::run(&["secret"], &[]);
        let word = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.trim().to_owned()
        };
        let base = BASE.replace("{TENANT}", TENANT).replace("{OPERATOR}", OPERATOR);
        let base = base.replace("{HASH}", &word("hash")).replace("{CURRENCY}", currency);
        let schema = books.schema();
        let installation = Installation { directory, schema, secret: word("secret") };
        std::fs::create_dir(installation.company()).expect("a directory");
        let file = installation.company().join("company.toml");
        std::fs::write(file, base + declared).expect("a company file");
        installation.apply();
        installation
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The books' address, if they are not in the data directory.
    pub(crate) fn books_url(&self) -> Option<&str> {
        self.schema.as_ref().map(|schema| schema.url.as_str())
    }

    fn company(&self) -> PathBuf {
        self.directory.path().join("company")
    }

    /// A file beside the installation.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The company files' directory, as text.
    pub(crate) fn company_path(&self) -> String {
        text(&self.company()).to_owned()
    }

    /// The company file that the installation was made with.
    pub(crate) fn company_text(&self) -> String {
        std::fs::read_to_string(self.company().join("company.toml")).expect("a company file")
    }

    /// Writes a company file; [`Installation::apply`] declares it.
    pub(crate) fn declare(&self, name: &str, declared: &str) {
        std::fs::write(self.company().join(name), declared).expect("a company file");
    }

    /// Declares the company files; gives what the program said.
    pub(crate) fn apply(&self) -> String {
        let company = self.company();
        self.run(&["apply", "--yes", text(&company)])
    }

    /// Starts a command whose standard streams are the caller's to read.
    pub(crate) fn piped(&self, arguments: &[&str]) -> Child {
        self.told(&[], |settings| program::piped(arguments, settings))
    }

    /// Runs a command to its end, and gives what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.told(&[], |settings| program::run(arguments, settings))
    }

    /// Runs a command that is to be refused; gives what it said about that.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        self.told(&[], |settings| program::refused(arguments, settings))
    }

    /// Starts a command and leaves it running.
    pub(crate) fn start(&self, arguments: &[&str], settings: program::Settings<'_>) -> Child {
        self.told(settings, |settings| program::start(arguments, settings))
    }

    /// A path beside the installation.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Serves it.
    pub(crate) fn serve(&self, settings: program::Settings<'_>) -> Server {
        self.told(settings, |settings| Server::serve(&self.data(), settings))
    }

    /// Says by the environment where the installation is.
    fn told<T>(&self, more: program::Settings<'_>, what: impl Fn(program::Settings<'_>) -> T) -> T {
        let data = self.data();
        let mut settings = vec![("RECKONER_DATA_DIR", text(&data))];
        settings.extend(self.schema.iter().map(|schema| ("RECKONER_STORE", schema.url.as_str())));
        settings.extend_from_slice(more);
        what(&settings)
    }

    /// Imports a file; gives what the program said of the effect.
    pub(crate) fn import(&self, file: &Path, more: &[&str]) -> String {
        let own = ["import", "--yes", text(file)];
        self.run(&[own.as_slice(), more].concat())
    }

    /// All charges by whatever is asked for, as `query` prints them.
    pub(crate) fn query(&self, group_by: &str) -> Vec<Value> {
        let own = ["query", "--from", "2010-01-01", "--until", "2030-01-01", "--output", "json"];
        let out = self.run(&[own.as_slice(), &["--group-by", group_by]].concat());
        serde_json::from_str(&out).expect("JSON")
    }

    /// Records that cannot be rated, as `quarantine` lists them.
    pub(crate) fn quarantine(&self) -> String {
        self.run(&["quarantine"])
    }

    /// An API key that may send as a source.
    pub(crate) fn key(&self, source: &str) -> String {
        let own = ["key", "--principal", "sender", "--billing-account", "acme"];
        self.run(&[own.as_slice(), &["--source", source]].concat()).trim().to_owned()
    }

    /// Id and secret of the client that may do everything.
    pub(crate) fn operator(&self) -> (&'static str, &str) {
        (OPERATOR, &self.secret)
    }

    /// The address of the token endpoint.
    pub(crate) fn token_url(server: &Server) -> String {
        format!("{}/{TENANT}/oauth2/v2.0/token", server.told("base_url"))
    }

    /// A token of the operator's, from the token endpoint.
    pub(crate) async fn token(&self, server: &Server) -> String {
        let token = self.token_for(server, "https://management.azure.com").await;
        token.expect("the operator is known")
    }

    /// A token of the operator's for an audience; none if it is refused.
    pub(crate) async fn token_for(&self, server: &Server, audience: &str) -> Option<String> {
        self.token_of(server, (OPERATOR, &self.secret), audience).await
    }

    /// A token of any client's, by its id and secret, for an audience; none if it is refused.
    pub(crate) async fn token_of(
        &self,
        server: &Server,
        (client, secret): (&str, &str),
        audience: &str,
    ) -> Option<String> {
        let url = Installation::token_url(server);
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={secret}\
             &scope={}%2F.default",
            audience.replace(':', "%3A").replace('/', "%2F")
        );
        let kind = "application/x-www-form-urlencoded";
        let request = server.client.post(url).header("content-type", kind).body(form);
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        answer["access_token"].as_str().map(str::to_owned)
    }
}

/// A path that is plain text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// All charges of a server by whatever is asked for: keys, records, quantity, cost.
pub(crate) async fn charges(server: &Server, token: &str, group_by: &[&str]) -> Vec<Value> {
    let asked = json!({ "from": "2010-01-01", "until": "2030-01-01", "group_by": group_by });
    let url = format!("{}/charges/query", server.told("admin.url"));
    let request = server.client.post(url).bearer_auth(token).json(&asked);
    let answer = request.send().await.expect("an answer");
    let (_, answer) = described::checked("POST", answer).await;
    answer["rows"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}
