//! Who may ask for whose usage, and with which credentials: what each sees is the same in the list
//! of accounts and in the rows of an answer.

use crate::books::{Books, on_each_store};
use crate::contracts::{description, problems};
use crate::installation::Installation;
use crate::program;
use crate::usage_api_asking::{
    Asking, QUERY, columns, made_key, query, rows, with_filter, with_options,
};
use crate::usage_api_company::{ACCOUNTS, COMPANY, SETTINGS, declared, events, months, send};
use crate::usage_api_contract::demo;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SESSION: &str = "/auth/1/session";
const TOKEN: &str = "/auth/1/oauth2/token";
const LIST: &str = "/settings/1/accounts";

fn of<'a>(asking: &Asking<'a>, credential: String) -> Asking<'a> {
    Asking { server: asking.server, credential }
}

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{secret}")))
}

/// The keys of the accounts that somebody is told of, or how that is refused.
async fn listed(asking: &Asking<'_>) -> Result<BTreeSet<String>, u16> {
    let (status, told) = asking.ask(Method::GET, LIST, None).await;
    if status != 200 {
        return Err(status);
    }
    let accounts = told["accounts"].as_array().unwrap_or_else(|| panic!("{told}"));
    let keys = accounts.iter().map(|one| one["key"].as_str().expect("a key").to_owned());
    let all: BTreeSet<String> = keys.collect();
    assert_eq!(all.len(), accounts.len(), "each account once: {told}");
    Ok(all)
}

/// The keys of the accounts in the rows of an answer about everything.
async fn answered(asking: &Asking<'_>, days: (&str, &str)) -> BTreeSet<String> {
    let whole = with_options(query("", days, &["ACCOUNT_KEY"]), json!({}));
    keys_of(&asking.answer(&without_receiver(whole)).await)
}

fn without_receiver(mut query: Value) -> Value {
    query.as_object_mut().expect("an object").remove("callbackUrl");
    query
}

fn keys_of(answer: &Value) -> BTreeSet<String> {
    let at = columns(answer).iter().position(|name| *name == "ACCOUNT_KEY").expect("keys");
    rows(answer).iter().map(|row| row[at].as_str().expect("a key").to_owned()).collect()
}

on_each_store!(credentials_of_every_kind_open_the_same);
async fn credentials_of_every_kind_open_the_same(books: Books) {
    let (_directory, _schema, server) = demo(books);
    let asking = Asking::of_demo(&server);
    let told = |path: &str| server.told(&format!("usage_api.{path}"));
    let accounts = server.context["usage_api"]["accounts"].as_array().expect("accounts");
    let all: BTreeSet<String> =
        accounts.iter().map(|one| one["key"].as_str().expect("a key").to_owned()).collect();
    assert!(all.len() > 3, "{accounts:?}");
    let (name, secret) = (told("basic.username"), told("basic.password"));
    let (status, session) = asking
        .ask(Method::POST, SESSION, Some(&json!({ "username": name, "password": secret })))
        .await;
    assert_eq!(status, 200, "{session}");
    let session = session["token"].as_str().expect("a token").to_owned();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        told("oauth.client_id"),
        told("oauth.client_secret")
    );
    let request = server.client.post(format!("{}{TOKEN}", server.told("base_url")));
    let kind = "application/x-www-form-urlencoded";
    let answer = request.header("content-type", kind).body(form).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    let token: Value = answer.json().await.expect("JSON");
    assert!(token["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{token}");
    assert_eq!(token["token_type"], "Bearer");
    let token = token["access_token"].as_str().expect("a token").to_owned();
    let window = (told("window.from"), told("window.to"));
    let window = (window.0.as_str(), window.1.as_str());
    let seen = answered(&asking, window).await;
    assert!(seen.len() > 1 && seen.is_subset(&all), "{seen:?} of {all:?}");
    for credential in [
        asking.credential.clone(),
        basic(&name, &secret),
        format!("IBSSO {session}"),
        format!("Bearer {token}"),
    ] {
        let kind = credential.split(' ').next().expect("a scheme").to_owned();
        let own = of(&asking, credential);
        assert_eq!(listed(&own).await.as_ref(), Ok(&all), "{kind}");
        assert_eq!(answered(&own, window).await, seen, "{kind}");
    }
    // A session ends once; what it opened is closed.
    let own = of(&asking, format!("IBSSO {session}"));
    assert_eq!(own.ask(Method::DELETE, SESSION, None).await.0, 200);
    assert_eq!(own.ask(Method::DELETE, SESSION, None).await.0, 401);
    assert_eq!(listed(&own).await, Err(401));
    server.stop();
}

on_each_store!(who_cannot_be_known_is_told_alike);
async fn who_cannot_be_known_is_told_alike(books: Books) {
    let (_directory, _schema, server) = demo(books);
    let asking = Asking::of_demo(&server);
    let told = |path: &str| server.told(&format!("usage_api.{path}"));
    let key = told("api_key");
    let cut = key.get(..key.len() - 1).expect("a key").to_owned();
    let credentials = [
        String::new(),
        "App".to_owned(),
        "App ".to_owned(),
        format!("App {cut}"),
        format!("App {key}x"),
        format!("Application {key}"),
        key.clone(),
        basic(&told("basic.username"), "wrong"),
        basic("nobody", &told("basic.password")),
        "Basic !".to_owned(),
        format!("Basic {}", BASE64_STANDARD.encode("no colon")),
        "IBSSO 2f9b4d31-2d0d-49a8-85f0-9b862bdca394".to_owned(),
        format!("IBSSO {key}"),
        "Bearer nothing".to_owned(),
        format!("App {}", server.told("enterprise.api_key")),
    ];
    let mut bodies = BTreeSet::new();
    for credential in credentials {
        let own = of(&asking, credential.clone());
        let request = own.request(Method::POST, QUERY).json(&json!({}));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 401, "{credential}");
        bodies.insert(answer.text().await.expect("text"));
        assert_eq!(listed(&own).await, Err(401), "{credential}");
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    // Names and secrets that do not hold open no session and make no token.
    let wrong = json!({ "username": told("basic.username"), "password": "wrong" });
    assert_eq!(asking.ask(Method::POST, SESSION, Some(&wrong)).await.0, 401);
    // Where the contract has no passwords, they are none.
    let password = basic(&told("basic.username"), &told("basic.password"));
    let admin = of(&asking, password);
    assert_eq!(admin.ask(Method::GET, "/admin/v1/keys", None).await.0, 401);
    server.stop();
}

on_each_store!(whoever_lacks_the_scope_is_refused_before_anything_is_read);
async fn whoever_lacks_the_scope_is_refused_before_anything_is_read(books: Books) {
    let (_directory, _schema, server) = demo(books);
    let own = Asking::with_key(&server, &server.told("usage_api.api_key_without_scope"));
    let id = "0".repeat(32);
    for (verb, path) in [
        (Method::POST, QUERY.to_owned()),
        (Method::GET, QUERY.to_owned()),
        (Method::GET, format!("{QUERY}/{id}")),
        (Method::DELETE, format!("{QUERY}/{id}")),
        (Method::GET, format!("{QUERY}/{id}/result")),
        (Method::GET, format!("{QUERY}/{id}/attempts")),
        (Method::POST, format!("{QUERY}/{id}/resend")),
        (Method::GET, "/billing/1/usage/callback-secret".to_owned()),
    ] {
        let (status, told) = own.ask(verb.clone(), &path, Some(&json!([]))).await;
        assert_eq!((status, &told["errorCode"]), (403, &json!("E403")), "{verb} {path}");
    }
    assert_eq!(listed(&own).await, Err(403));
    server.stop();
}

on_each_store!(a_query_is_its_askers_alone);
async fn a_query_is_its_askers_alone(books: Books) {
    let (_directory, _schema, server) = demo(books);
    let asking = Asking::of_demo(&server);
    let window = (server.told("usage_api.window.from"), server.told("usage_api.window.to"));
    let days = (window.0.as_str(), window.1.as_str());
    let whole = without_receiver(with_options(query("", days, &["MONTH"]), json!({})));
    let id = asking.submit(&whole).await;
    asking.ended(&id).await;
    let other = Asking::with_key(&server, &server.told("usage_api.sub_account_api_key"));
    let unknown = "0".repeat(32);
    for (asking, id) in [(&other, &id), (&asking, &unknown)] {
        for (verb, tail) in [
            (Method::GET, ""),
            (Method::DELETE, ""),
            (Method::GET, "/result"),
            (Method::GET, "/attempts"),
            (Method::POST, "/resend"),
        ] {
            let (status, told) =
                asking.ask(verb.clone(), &format!("{QUERY}/{id}{tail}"), None).await;
            assert_eq!((status, &told["errorCode"]), (404, &json!("E404")), "{verb} {id}{tail}");
        }
    }
    let (_, own) = asking.ask(Method::GET, QUERY, None).await;
    assert_eq!(own["queries"][0]["requestId"], json!(id), "{own}");
    let (_, none) = other.ask(Method::GET, QUERY, None).await;
    assert_eq!(none["queries"], json!([]), "{none}");
    assert_eq!(none["dataCentre"], json!("local"), "one installation is one data centre");
    // Nor can one sign as another.
    assert_ne!(asking.secret().await, other.secret().await);
    server.stop();
}

/// Who asks: the role and where it holds, or the places that a key is bound to.
enum Asker {
    Role(&'static str, Option<usize>),
    Key(&'static [usize]),
}

/// Who asks, and whose usage that is: `c` of the company itself, else numbers of its accounts.
/// The last account is of the old kind, which has no such questions.
const SEES: [(Asker, Result<&str, u16>); 11] = [
    (Asker::Role("Finance Manager", None), Ok("c012")),
    (Asker::Role("Account Manager", None), Ok("c012")),
    (Asker::Role("Auditor", None), Ok("c012")),
    (Asker::Role("Sub-account User", Some(0)), Ok("0")),
    (Asker::Role("Sub-account User", Some(2)), Ok("2")),
    (Asker::Role("Sub-account User", Some(3)), Err(403)),
    (Asker::Key(&[]), Ok("c012")),
    (Asker::Key(&[1]), Ok("1")),
    (Asker::Key(&[0, 2]), Ok("02")),
    (Asker::Key(&[3]), Err(403)),
    (Asker::Key(&[1, 3]), Ok("1")),
];

/// The keys that letters stand for.
fn keys(letters: &str) -> BTreeSet<String> {
    let key = |letter: char| match letter.to_digit(10) {
        None => COMPANY.0.to_owned(),
        Some(nth) => ACCOUNTS[usize::try_from(nth).expect("small")].0.to_owned(),
    };
    letters.chars().map(key).collect()
}

on_each_store!(each_role_and_key_sees_what_is_its_own);
async fn each_role_and_key_sees_what_is_its_own(books: Books) {
    let secret = program::run(&["secret"], &[]);
    let word = |name: &str| {
        let line = secret.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().to_owned()
    };
    let mut text = declared();
    for (nth, (asker, _)) in SEES.iter().enumerate() {
        let Asker::Role(role, place) = asker else { continue };
        let scope = match place {
            None => "{ billing_account = \"acme\" }".to_owned(),
            Some(account) => format!(
                "{{ place = {{ billing_account = \"acme\", level = \"messaging account\", \
                 id = \"{}\" }} }}",
                ACCOUNTS[*account].0
            ),
        };
        text += &format!(
            "[[client]]\nid = \"asker-{nth}\"\nname = \"asker {nth}\"\n\
             secret_hashes = [\"{}\"]\n\n\
             [[role_assignment]]\nprincipal = \"asker-{nth}\"\nrole = \"{role}\"\n\
             scope = {scope}\n\n",
            word("hash")
        );
    }
    text += &format!(
        "[[client]]\nid = \"stranger\"\nname = \"stranger\"\nsecret_hashes = [\"{}\"]\n",
        word("hash")
    );
    let installation = Installation::new(books, "USD", &text);
    let gate = installation.key("gate");
    let server = installation.serve(&SETTINGS);
    let operator = installation.token(&server).await;
    send(&server, &gate, &events(7, 300)).await;
    let [first, _, last] = months();
    let days = (first.start().day().to_string(), last.end().day().to_string());
    let days = (days.0.as_str(), days.1.as_str());
    for (nth, (asker, expected)) in SEES.iter().enumerate() {
        let credential = match asker {
            Asker::Role(..) => basic(&format!("asker-{nth}"), &word("secret")),
            Asker::Key(places) => {
                let places: Vec<&str> = places.iter().map(|nth| ACCOUNTS[*nth].0).collect();
                let key = made_key(&server, &operator, &["charges:read"], &places).await;
                format!("App {key}")
            }
        };
        let asking = Asking { server: &server, credential };
        let expected = expected.map(keys);
        assert_eq!(listed(&asking).await, expected, "asker {nth}");
        let Ok(expected) = expected else {
            let (status, _) = asking.ask(Method::POST, QUERY, Some(&json!({}))).await;
            assert_eq!(status, 403, "asker {nth}");
            continue;
        };
        assert_eq!(answered(&asking, days).await, expected, "asker {nth}");
        // Whoever names accounts is told of those that are both named and seen.
        let all: Vec<&str> = ACCOUNTS.iter().map(|(key, ..)| *key).chain(["nowhere"]).collect();
        let named = with_options(query("", days, &["ACCOUNT_KEY"]), json!({}));
        let named = without_receiver(with_filter(named, "accountKeys", json!(all)));
        let told = keys_of(&asking.answer(&named).await);
        let mut within = expected.clone();
        within.remove(COMPANY.0);
        assert_eq!(told, within, "asker {nth}");
    }
    let stranger = Asking { server: &server, credential: basic("stranger", &word("secret")) };
    assert_eq!(listed(&stranger).await, Err(403));
    server.stop();
}

on_each_store!(accounts_are_listed_as_published);
async fn accounts_are_listed_as_published(books: Books) {
    let (_directory, _schema, server) = demo(books);
    let asking = Asking::of_demo(&server);
    let (status, told) = asking.ask(Method::GET, LIST, None).await;
    assert_eq!(status, 200, "{told}");
    if let Some(description) = description("infobip/account-management-openapi.json") {
        let schemas = &description["components"]["schemas"];
        let mut names = schemas.as_object().expect("schemas").keys();
        let name = names.find(|name| name.ends_with(".AccountsResponse")).expect("a schema");
        let schema = json!({
            "$ref": format!("#/components/schemas/{name}"),
            "components": { "schemas": schemas },
        });
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        assert_eq!(problems(&validator, &told), Vec::<String>::new(), "{told}");
    }
    // The context file tells of the same accounts.
    let known = server.context["usage_api"]["accounts"].as_array().expect("accounts");
    let own = |one: &Value| {
        let owner = one["ownerKey"].as_str().unwrap_or_default();
        [one["key"].as_str().expect("a key"), owner, one["name"].as_str().expect("a name")]
            .map(str::to_owned)
    };
    let known: BTreeSet<[String; 3]> = known.iter().map(own).collect();
    let accounts = told["accounts"].as_array().expect("accounts");
    assert_eq!(accounts.iter().map(own).collect::<BTreeSet<_>>(), known);
    let count = async |query: &str| {
        let (status, told) = asking.ask(Method::GET, &format!("{LIST}{query}"), None).await;
        (status, told["accounts"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(count("?limit=1").await, (200, 1));
    assert_eq!(count("?name=Marketing").await, (200, 1));
    assert_eq!(count("?name=no%20such%20account").await, (200, 0));
    assert_eq!(count("?enabled=true").await, (200, known.len()));
    assert_eq!(count("?enabled=false").await, (200, 0));
    assert_eq!(count("?limit=0").await.0, 400);
    assert_eq!(count("?enabled=maybe").await.0, 400);
    server.stop();
}

/// From where a session is opened and used, whether it is bound, and how it is answered.
const FROM: [(&str, &str, bool, u16); 4] = [
    ("192.0.2.7", "192.0.2.7", true, 200),
    ("192.0.2.7", "192.0.2.8", true, 401),
    ("192.0.2.7", "192.0.2.8", false, 200),
    ("192.0.2.7", "2001:db8::1", true, 401),
];

on_each_store!(a_session_holds_where_it_was_opened_unless_it_is_unsafe);
async fn a_session_holds_where_it_was_opened_unless_it_is_unsafe(books: Books) {
    let installation = Installation::new(books, "USD", &declared());
    let server = installation.serve(&[("RECKONER_HTTP__FORWARDED", "trusted")]);
    let (name, secret) = installation.operator();
    for (opened, used, is_bound, expected) in FROM {
        let body = json!({ "username": name, "password": secret, "unsafe": !is_bound });
        let request = server.client.post(format!("{}{SESSION}", server.told("base_url")));
        let request = request.header("x-forwarded-for", opened).json(&body);
        let told: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let token = told["token"].as_str().unwrap_or_else(|| panic!("{told}"));
        let asking = Asking { server: &server, credential: format!("IBSSO {token}") };
        let request = asking.request(Method::GET, LIST).header("x-forwarded-for", used);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), expected, "{opened} {used} {is_bound}");
    }
    server.stop();
}

#[test]
fn letters_stand_for_accounts() {
    assert_eq!(keys("c0").len(), 2);
    assert!(keys("c").contains("acme") && keys("2").contains(ACCOUNTS[2].0));
}
