//! Tokens of other issuers, taken by the whole program: an issuer on loopback that the test serves.

use crate::books::Books;
use crate::installation::{Installation, text};
use crate::program::{Server, now};
use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use identity::{Issuer, TokenRequest};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const AUDIENCE: &str = "api://reckoner";

/// Who of the other issuer may do what: an auditor of the installation.
const DECLARED: &str = r#"
[[role_assignment]]
principal = "corp/alice"
role = "Auditor"
scope = "installation"
"#;

/// An issuer, and whether it answers.
struct Directory {
    url: String,
    issuer: Issuer,
    answers: Arc<AtomicBool>,
}

impl Directory {
    async fn new() -> Directory {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let issuer = new_issuer();
        let answers = Arc::new(AtomicBool::new(true));
        let when_well = |document: Value| {
            let answers = Arc::clone(&answers);
            get(move || async move {
                match answers.load(Ordering::SeqCst) {
                    true => Ok(Json(document)),
                    false => Err(StatusCode::SERVICE_UNAVAILABLE),
                }
            })
        };
        let configuration = Issuer::openid_configuration(&url, "t");
        let router = Router::new()
            .route("/t/v2.0/.well-known/openid-configuration", when_well(configuration))
            .route("/t/discovery/v2.0/keys", when_well(issuer.jwks()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Directory { url, issuer, answers }
    }

    /// A configuration file that names it, asked for keys every second at most.
    fn configured(&self, installation: &Installation) -> String {
        let url = &self.url;
        let file = format!(
            "[[issuers]]\nname = \"corp\"\nurl = \"{url}/t/v2.0\"\naudience = \"{AUDIENCE}\"\n\
             principal_claim = \"oid\"\nask_every_seconds = 1\n"
        );
        text(&installation.file("reckoner.toml", &file)).to_owned()
    }

    fn token(&self, made: &Made<'_>) -> String {
        let Made { tenant, name, audience, age_s, signed_by } = made;
        let base_url = self.url.as_str();
        let request = TokenRequest { base_url, tenant, client_id: name, audience };
        let issuer = signed_by.unwrap_or(&self.issuer);
        let token = issuer.token(request, now().plus_seconds(-age_s), 600);
        token.expect("a token").text.to_string()
    }
}

/// How a token is made.
#[derive(Clone)]
struct Made<'a> {
    tenant: &'a str,
    name: &'a str,
    audience: &'a str,
    age_s: i64,
    signed_by: Option<&'a Issuer>,
}

const GOOD: Made<'static> =
    Made { tenant: "t", name: "alice", audience: AUDIENCE, age_s: 0, signed_by: None };

fn new_issuer() -> Issuer {
    Issuer::from_secret(&Issuer::new_secret().expect("a key")).expect("an issuer")
}

/// Status and message of an answer to somebody who asks for the audit log.
async fn answer(server: &Server, token: &str) -> (u16, String) {
    let request = server.client.get(format!("{}/audit", server.told("admin.url")));
    let answer = request.bearer_auth(token).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    (status, body["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_configured_issuer_count_and_no_others() {
    let directory = Directory::new().await;
    let installation = Installation::new(Books::Sqlite, "USD", DECLARED);
    let config = directory.configured(&installation);
    let server = installation.serve(&[("RECKONER_CONFIG", &config)]);
    let stranger = new_issuer();
    let audience = "not signed in: the token is for another audience";
    let table = [
        ("good", GOOD, 200, ""),
        ("without a role", Made { name: "bob", ..GOOD }, 403, "audit:read is not allowed here"),
        ("another audience", Made { audience: "api://other", ..GOOD }, 401, audience),
        (
            "our own audience",
            Made { audience: "https://management.azure.com", ..GOOD },
            401,
            audience,
        ),
        (
            "another issuer",
            Made { tenant: "u", ..GOOD },
            401,
            "not signed in: the token is of an unknown issuer",
        ),
        ("expired", Made { age_s: 601, ..GOOD }, 401, "not signed in: the credential is expired"),
        (
            "from the future",
            Made { age_s: -120, ..GOOD },
            401,
            "not signed in: the token is not valid yet",
        ),
        (
            "an unknown key",
            Made { signed_by: Some(&stranger), ..GOOD },
            401,
            "not signed in: the token's signature does not hold",
        ),
        ("still good", GOOD, 200, ""),
    ];
    for (fact, made, status, message) in table {
        let found = answer(&server, &directory.token(&made)).await;
        assert_eq!(found, (status, message.to_owned()), "{fact}");
    }
    // The built-in issuer goes on beside it, and neither speaks for the other.
    let own = installation.token(&server).await;
    assert_eq!(answer(&server, &own).await.0, 200);
    server.stop();
}

/// A server whose log is read.
struct Listening {
    child: Child,
    log: std::sync::mpsc::Receiver<String>,
}

impl Listening {
    fn start(installation: &Installation, config: &str) -> Listening {
        let data = installation.data();
        let context = data.with_extension("context.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_reckoner"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data", text(&data)]);
        command.args(["--config", config, "--context", text(&context)]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (tell, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // Nobody listens to what is said after the test.
                let _ = tell.send(line);
            }
        });
        Listening { child, log }
    }

    /// Waits for a line of the log.
    fn wait(&self, wanted: &str) -> String {
        let mut said = Vec::new();
        while let Ok(line) = self.log.recv_timeout(std::time::Duration::from_secs(30)) {
            if line.contains(wanted) {
                return line;
            }
            said.push(line);
        }
        panic!("never said `{wanted}`:\n{}", said.join("\n"));
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_holds_nothing_up() {
    let directory = Directory::new().await;
    let installation = Installation::new(Books::Sqlite, "USD", DECLARED);
    let config = directory.configured(&installation);
    directory.answers.store(false, Ordering::SeqCst);
    let listening = Listening::start(&installation, &config);
    listening.wait("listening on ");
    let line = listening.wait("an issuer's keys cannot be read; its tokens are refused");
    assert!(line.contains(&directory.url) && line.contains("503"), "{line}");

    let context = std::fs::read(installation.data().with_extension("context.json"));
    let context: Value = serde_json::from_slice(&context.expect("a file")).expect("JSON");
    let client = crate::program::client(context["ca_file"].as_str().expect("a file"));
    let url = format!("{}/audit", context["admin"]["url"].as_str().expect("an address"));
    let ask = async || {
        let token = directory.token(&GOOD);
        let answer = client.get(&url).bearer_auth(token).send().await.expect("an answer");
        let (status, retry) =
            (answer.status().as_u16(), answer.headers().get("retry-after").cloned());
        (status, retry.is_some(), answer.json::<Value>().await.expect("JSON"))
    };
    let (status, says_when, body) = ask().await;
    let message = "the token's issuer cannot be reached; try again later";
    assert_eq!((status, says_when), (503, true), "{body}");
    assert_eq!(body["error"]["message"], message);

    // It is asked again after a second at the earliest; until then the answer stays.
    directory.answers.store(true, Ordering::SeqCst);
    let started = now();
    loop {
        let (status, _, body) = ask().await;
        if status == 200 {
            break;
        }
        assert_eq!((status, body["error"]["message"].as_str()), (503, Some(message)));
        assert!(now().since(started) < 20 * calendar::MICROS_PER_SECOND, "it answers again");
    }
}

#[test]
fn an_issuer_that_cannot_be_trusted_stops_the_start() {
    let installation = Installation::new(Books::Sqlite, "USD", "");
    let entry = |lines: &str| format!("[[issuers]]\nname = \"corp\"\naudience = \"a\"\n{lines}\n");
    let table = [
        (entry("url = \"http://login.example\""), "`http://login.example` must be https"),
        (entry("url = \"login\""), "`login` is not an address"),
        (
            entry("url = \"https://a\"\nca_file = \"none.pem\""),
            "none.pem, ca_file of issuer `corp`",
        ),
        (entry("url = \"https://a\"\nask_every_seconds = 0"), "it must be asked every 1 s at most"),
        (entry("url = \"https://a\"\ncolour = \"red\""), "unknown field: found `colour`"),
        (entry(""), "missing field `url`"),
    ];
    for (text_of, expected) in table {
        let config = installation.file("reckoner.toml", &text_of);
        let output = Command::new(env!("CARGO_BIN_EXE_reckoner"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data", text(&installation.data())])
            .args(["--config", text(&config)])
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{text_of}\n{said}");
    }
}
