//! The operator's door: keys for changes that are sent again, entity tags, faults with their paths.

use crate::books::{Books, on_each_store};
use crate::closing::company;
use crate::installation::{FLAT, Installation, shop, text};
use crate::program::Server;
use crate::{described, in_process};
use calendar::{Instant, SetClock};
use domain::access::Caller;
use domain::ids::PrincipalId;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use service::{Begun, Reckoner, Repeatable};

/// An operator at the door of a server.
struct Door<'a> {
    server: &'a Server,
    token: String,
}

impl Door<'_> {
    async fn send(
        &self,
        verb: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let url = format!("{}{path}", self.server.told("admin.url"));
        let mut request = self.server.client.request(verb, url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body.to_owned()).send().await.expect("an answer")
    }

    /// Sends a change with a key; gives status, whether it was answered before, and the body.
    async fn keyed(&self, path: &str, key: &str, body: &Value) -> (u16, bool, Value) {
        let headers = [("idempotency-key", key)];
        let answer = self.send(Method::POST, path, &headers, &body.to_string()).await;
        let is_replayed = answer.headers().contains_key("idempotency-replayed");
        let (status, body) = described::checked("POST", answer).await;
        (status, is_replayed, body)
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
        let answer = self.send(Method::GET, path, headers, "").await;
        let tag = answer.headers().get("etag").map(|tag| tag.to_str().expect("text").to_owned());
        (answer.status().as_u16(), tag.unwrap_or_default(), answer.text().await.expect("text"))
    }
}

async fn door<'a>(installation: &Installation, server: &'a Server) -> Door<'a> {
    Door { server, token: installation.token(server).await }
}

const USAGE: &str = "Who,What,Many,When\n\
    5b0d1e9a-0000-4000-8000-000000000001,calls,2,2026-03-01T10:00:00Z\n";
const MAPPING: &str = "[columns]\nsubscription = \"Who\"\nmeter = \"What\"\nquantity = \"Many\"\n\
    start = \"When\"\n[constants]\nunit = \"Calls\"\ncurrency = \"USD\"\n";

fn event(id: &str) -> Value {
    json!({
        "id": id, "source": "gate", "subscription": "5b0d1e9a-0000-4000-8000-000000000001",
        "meter": "calls", "quantity": "2", "start": "2026-03-01T10:00:00Z",
    })
}

/// A shop whose source has sent one record, `e1`.
async fn with_a_record(books: Books) -> Installation {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let sent = server.client.post(url).bearer_auth(key).json(&event("e1")).send().await;
    assert_eq!(sent.expect("an answer").status().as_u16(), 200);
    server.stop();
    installation
}

async fn a_change_with_a_key_is_done_once(books: Books) {
    let installation = with_a_record(books).await;
    let asked = |quantity: &str| {
        json!({
            "billing_account": "acme", "source": "gate", "id": "e1", "quantity": quantity,
            "reason": "read again",
        })
    };
    let server = installation.serve(&[]);
    let operator = door(&installation, &server).await;
    let first = operator.keyed("/usage/amend", "k1", &asked("7")).await;
    assert!(first.0 == 200 && !first.1, "{first:?}");
    let again = operator.keyed("/usage/amend", "k1", &asked("7")).await;
    assert_eq!((again.0, again.1, &again.2), (200, true, &first.2));
    // Without a key it is done again: the amendment gets an id of its own.
    let url = "/usage/amend";
    let anew = operator.send(Method::POST, url, &[], &asked("7").to_string()).await;
    let anew: Value = anew.json().await.expect("JSON");
    assert_ne!(anew["id"], first.2["id"]);
    // The key stands for that request, and for no other.
    for (path, body) in [("/usage/amend", asked("8")), ("/usage/withdraw", asked("7"))] {
        let (status, _, refused) = operator.keyed(path, "k1", &body).await;
        let told = refused["error"]["message"].as_str().expect("a message");
        assert!(status == 409 && told.contains("`k1`: stands for another request"), "{refused}");
    }
    server.stop();
    let server = installation.serve(&[]);
    let operator = door(&installation, &server).await;
    let later = operator.keyed("/usage/amend", "k1", &asked("7")).await;
    assert_eq!((later.0, later.1, &later.2), (200, true, &first.2), "after a restart");
    let charged = crate::installation::charges(&server, &operator.token, &["meter"]).await;
    assert_eq!(charged[0]["quantity"], "7", "{charged:?}");
    server.stop();
}

on_each_store!(a_change_with_a_key_is_done_once);

async fn two_at_once_under_one_key_are_one(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let operator = door(&installation, &server).await;
    let wanted = json!({
        "principal": "job", "actions": ["usage:send"], "billing_accounts": ["acme"],
        "sources": ["gate"],
    });
    let seal = json!(null);
    let both =
        futures::future::join_all((0..8).map(|_| operator.keyed("/operations/seal", "s", &seal)));
    let both = both.await;
    assert!(both.iter().all(|(status, ..)| *status == 204), "{both:?}");
    assert_eq!(both.iter().filter(|(_, is_replayed, _)| !is_replayed).count(), 1, "{both:?}");
    // The text of a key is kept nowhere: who lost it makes another.
    let (status, _, made) = operator.keyed("/keys", "k", &wanted).await;
    assert_eq!(status, 201, "{made}");
    let (status, _, refused) = operator.keyed("/keys", "k", &wanted).await;
    let told = refused["error"]["message"].as_str().expect("a message");
    assert!(status == 409 && told.contains("its answer is not kept"), "{refused}");
    let (_, _, listed) = operator.get("/keys", &[]).await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["keys"].as_array().expect("keys").len(), 1, "{listed}");
    server.stop();
}

on_each_store!(two_at_once_under_one_key_are_one);

async fn what_is_refused_may_be_sent_again_under_its_key(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let operator = door(&installation, &server).await;
    let wanted = |account: &str| json!({ "principal": "p", "actions": ["usage:send"], "billing_accounts": [account] });
    let (status, _, refused) = operator.keyed("/keys", "k", &wanted("initech")).await;
    assert_eq!(status, 400, "{refused}");
    let (status, is_replayed, _) = operator.keyed("/keys", "k", &wanted("acme")).await;
    assert_eq!((status, is_replayed), (201, false));
    for key in ["", "a b", &"k".repeat(256)] {
        let (status, _, refused) = operator.keyed("/operations/seal", key, &json!(null)).await;
        assert_eq!((status, &refused["error"]["field"]), (400, &json!("Idempotency-Key")), "{key}");
    }
    // A question takes no key: it is answered anew.
    let asked = json!({ "month": "2026-03" });
    for _ in 0..2 {
        let (status, is_replayed, _) = operator.keyed("/charges/query", "q", &asked).await;
        assert_eq!((status, is_replayed), (200, false));
    }
    server.stop();
}

on_each_store!(what_is_refused_may_be_sent_again_under_its_key);

async fn keys_are_bounded_in_number_and_age(books: Books) {
    let installation = Installation::new(books, "USD", "");
    let bounds = [("RECKONER_LIMITS__KEPT_ANSWERS", "2")];
    let server = installation.serve(&bounds);
    let operator = door(&installation, &server).await;
    let seal = async |key: &str| operator.keyed("/operations/seal", key, &json!(null)).await;
    assert_eq!((seal("a").await.0, seal("b").await.0, seal("a").await.0), (204, 204, 204));
    let (status, _, refused) = seal("c").await;
    let told = refused["error"]["message"].as_str().expect("a message");
    assert!(status == 429 && told.contains("limits.kept_answers"), "{refused}");
    server.stop();
    // Kept for no time at all: the oldest make room.
    let server = installation.serve(&[bounds[0], ("RECKONER_LIMITS__KEPT_ANSWER_SECONDS", "0")]);
    let operator = door(&installation, &server).await;
    let (status, is_replayed, _) = operator.keyed("/operations/seal", "a", &json!(null)).await;
    assert_eq!((status, is_replayed), (204, false));
    server.stop();
    // An answer that is too large to be kept is not given again.
    let server = installation.serve(&[("RECKONER_LIMITS__KEPT_ANSWER_BYTES", "1")]);
    let operator = door(&installation, &server).await;
    let (status, ..) = operator.keyed("/operations/seal", "d", &json!(null)).await;
    assert_eq!(status, 204);
    let (status, _, refused) = operator.keyed("/operations/seal", "d", &json!(null)).await;
    let told = refused["error"]["message"].as_str().expect("a message");
    assert!(status == 409 && told.contains("its answer is not kept"), "{refused}");
    server.stop();
}

on_each_store!(keys_are_bounded_in_number_and_age);

async fn answers_have_tags_and_a_known_one_is_not_sent_again(books: Books) {
    let installation = Installation::new(books, "USD", &company());
    let mapping = MAPPING.replace("Calls", "Hours");
    let usage = USAGE.replace("5b0d1e9a-0000-4000-8000-000000000001,calls", "shop,hours");
    let usage = installation.file("usage.csv", &usage.replace("2026-03", "2026-10"));
    let mapping = installation.file("mapping.toml", &mapping);
    installation.import(&usage, &["--source", "gate", "--mapping", text(&mapping)]);
    installation.run(&["close", "2026-10"]);
    let server = installation.serve(&[]);
    let operator = door(&installation, &server).await;
    let path = "/invoices/reck-00000001";
    let (status, tag, body) = operator.get(path, &[]).await;
    assert_eq!(status, 200, "{body}");
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
    assert_eq!(operator.get(path, &[]).await, (200, tag.clone(), body.clone()));
    let weak = format!("W/{tag}");
    let both = format!("\"x\", {tag}");
    for known in [tag.as_str(), &weak, &both, "*"] {
        let found = operator.get(path, &[("if-none-match", known)]).await;
        assert_eq!(found, (304, tag.clone(), String::new()), "{known}");
    }
    let found = operator.get(path, &[("if-none-match", "\"x\"")]).await;
    assert_eq!(found, (200, tag.clone(), body));
    let missing = operator.get("/invoices/reck-00000009", &[("if-none-match", "*")]).await;
    assert_eq!((missing.0, missing.1.as_str()), (404, ""));
    // What has no tag cannot be held to one.
    let wanted = [("if-match", tag.as_str())];
    let refused = operator.send(Method::POST, "/operations/seal", &wanted, "").await;
    let (status, refused) = described::checked("POST", refused).await;
    assert_eq!((status, &refused["error"]["code"]), (412, &json!("changed")), "{refused}");
    server.stop();
}

on_each_store!(answers_have_tags_and_a_known_one_is_not_sent_again);

async fn every_wrong_member_is_named_by_its_path(books: Books) {
    let installation = Installation::new(books, "USD", "");
    let server = installation.serve(&[]);
    let operator = door(&installation, &server).await;
    let check = async |verb: Method, path: &str, body: Value, expected: &[&str]| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = operator.send(verb.clone(), path, &[], &body).await;
        let (status, refused) = described::checked(verb.as_str(), answer).await;
        let error = &refused["error"];
        let fields: Vec<&str> = error["violations"]
            .as_array()
            .unwrap_or_else(|| panic!("{refused}"))
            .iter()
            .map(|one| one["field"].as_str().expect("a field"))
            .collect();
        assert_eq!((status, fields.as_slice()), (400, expected), "{path} {body}: {refused}");
        assert_eq!(error["field"], expected[0], "{refused}");
    };
    let post = Method::POST;
    let key = json!({
        "principal": "", "actions": ["usage:send", "all"], "billing_accounts": ["acme", ""],
        "allowed_ranges": ["10.0.0.1/8"], "valid_from": "soon",
    });
    let fields =
        ["principal", "actions[1]", "billing_accounts[1]", "allowed_ranges[0]", "valid_from"];
    check(post.clone(), "/keys", key, &fields).await;
    let query = json!({
        "billing_account": "", "from": "2026-01-01", "group_by": ["day", "colour"],
        "filters": [{ "on": "day", "values": [] }, { "on": "colour", "values": [] }],
    });
    let fields = ["billing_account", "until", "group_by[1]", "filters[1].on"];
    check(post.clone(), "/charges/query", query, &fields).await;
    let nested = json!({ "filters": [{ "on": "day", "values": ["a", 1] }] });
    check(post.clone(), "/charges/query", nested, &["filters[0].values[1]"]).await;
    let unknown = json!({ "filters": [{ "on": "day", "values": [], "colour": 1 }] });
    check(post.clone(), "/charges/query", unknown, &["filters[0].colour"]).await;
    check(post.clone(), "/closes", json!({}), &["period"]).await;
    let closes = json!({ "period": "soon", "leave_out": ["acme", ""] });
    check(post.clone(), "/closes", closes, &["period", "leave_out[1]"]).await;
    let amend = json!({
        "billing_account": "", "source": "", "id": "", "quantity": "much", "reason": "r", "as": "",
    });
    let fields = ["billing_account", "source", "id", "quantity", "as"];
    check(post.clone(), "/usage/amend", amend, &fields).await;
    check(post, "/closes", Value::Null, &["body"]).await;
    let get = Method::GET;
    check(get.clone(), "/audit?from=soon&until=later", Value::Null, &["from", "until"]).await;
    check(get.clone(), "/audit?limit=many", Value::Null, &["limit"]).await;
    check(get.clone(), "/audit?colour=red", Value::Null, &["colour"]).await;
    check(get.clone(), "/explain/record?source=gate&id=1", Value::Null, &["billing_account"]).await;
    check(get, "/closes/soon", Value::Null, &["period"]).await;
    server.stop();
}

on_each_store!(every_wrong_member_is_named_by_its_path);

async fn what_was_interrupted_is_not_done_again(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let clock = SetClock::at(Instant::parse("2026-06-05").expect("a moment"));
    let open = || in_process::open(directory.path(), schema.as_ref(), &clock, |_| {});
    let asked = |body: &'static [u8]| Repeatable { key: "k", operation: "POST /x", body };
    let begin = async |reckoner: &Reckoner, body| {
        reckoner.begin_repeatable(&Caller::Machine, asked(body), "the-first").await
    };
    let reckoner = open().await;
    let turn = match begin(&reckoner, b"1").await {
        Ok(Begun::First(turn)) => turn,
        other => panic!("{other:?}"),
    };
    assert!(matches!(begin(&reckoner, b"1").await, Ok(Begun::Running)));
    let interrupted = async |reckoner: &Reckoner| {
        let refused = begin(reckoner, b"1").await.expect_err("nobody knows whether it was done");
        let told = refused.to_string();
        assert!(told.contains("request the-first was interrupted"), "{told}");
    };
    drop(turn);
    interrupted(&reckoner).await;
    reckoner.close().await.expect("closed");
    drop(reckoner);
    let reckoner = open().await;
    interrupted(&reckoner).await;
    let other = begin(&reckoner, b"2").await.expect_err("another request");
    assert!(other.to_string().contains("stands for another request"), "{other}");
    // What one caller keeps is no other's.
    let person = Caller::Principal(PrincipalId::new("p").expect("an id"));
    let theirs = reckoner.begin_repeatable(&person, asked(b"1"), "the-second").await;
    assert!(matches!(theirs, Ok(Begun::First(_))), "{theirs:?}");
    // A day later it is forgotten.
    clock.set(Instant::parse("2026-06-06T00:00:01Z").expect("a moment"));
    assert!(matches!(begin(&reckoner, b"1").await, Ok(Begun::First(_))));
}

on_each_store!(what_was_interrupted_is_not_done_again);

/// A lot for the installation's own account, of an amount.
fn lot(granted: &str) -> Value {
    let text = format!(
        "[[lot]]\nid = \"l\"\nbilling_account = \"acme\"\nkind = \"credit\"\ncurrency = \"USD\"\n\
         granted = \"{granted}\"\nfrom = 2026-03-01T00:00:00Z\nuntil = 2026-04-01T00:00:00Z\n"
    );
    json!([{ "name": "lots.toml", "text": text }])
}

async fn company_files_are_planned_and_applied_beside_running_requests(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let door = door(&installation, &server).await;
    let post = async |path: &str, body: Value| {
        let answer = door.send(Method::POST, path, &[], &body.to_string()).await;
        described::checked("POST", answer).await
    };

    let (status, plan) = post("/company/plan", json!({ "files": lot("5") })).await;
    let added = json!([{
        "kind": "lot", "key": "acme/l", "what": "added", "fields": [], "more_fields": 0,
    }]);
    assert_eq!((status, &plan["changes"]), (200, &added), "{plan}");
    let lots = async || {
        let (status, _, body) = door.get("/company?kind=lot", &[]).await;
        (status, serde_json::from_str::<Value>(&body).expect("JSON"))
    };
    assert_eq!(lots().await, (200, json!({ "declared": [] })), "a plan changes nothing");
    // Another plan than the one that was seen is not applied.
    let other = json!({ "files": lot("6"), "plan": plan["plan"] });
    assert_eq!(post("/company/apply", other).await.0, 409);
    let seen = json!({ "files": lot("5"), "plan": plan["plan"] });
    let (status, applied) = post("/company/apply", seen).await;
    assert_eq!((status, &applied["changes"]), (200, &json!(1)), "{applied}");
    let (_, again) = post("/company/apply", json!({ "files": lot("5") })).await;
    assert_eq!(again, json!({ "changes": 0, "version": applied["version"] }));
    let (_, shown) = lots().await;
    assert_eq!(shown["declared"][0]["body"]["granted"], "5", "{shown}");
    let (_, changed) = post("/company/plan", json!({ "files": lot("7") })).await;
    let field = &changed["changes"][0]["fields"][0];
    assert_eq!(field, &json!({ "path": "granted", "old": "\"5\"", "new": "\"7\"" }), "{changed}");
    // What was shown was 5 → 7; 6 → 7 is another plan.
    assert_eq!(post("/company/apply", json!({ "files": lot("6") })).await.0, 200);
    let stale = json!({ "files": lot("7"), "plan": changed["plan"] });
    assert_eq!(post("/company/apply", stale).await.0, 409);
    assert_eq!(post("/company/apply", json!({ "files": lot("5") })).await.0, 200);
    // Hashes of secrets are nobody's to read.
    let (_, _, clients) = door.get("/company?kind=client", &[]).await;
    assert!(clients.contains("operator") && !clients.contains("hash"), "{clients}");

    // Wrong files change nothing, and say where they are wrong.
    let faults = async |file: &str, says: &str| {
        let files = json!({ "files": [lot("9")[0], { "name": "b.toml", "text": file }] });
        let (status, told) = post("/company/apply", files).await;
        let told = told.to_string();
        assert!(status == 400 && told.contains("files[1].text") && told.contains(says), "{told}");
    };
    faults("[[lot", "b.toml:1").await;
    faults("[[meter]]\nid = \"m\"\n", "b.toml:1: meter[0]").await;
    faults("[[horse]]\n", "is not known; known: ").await;
    let import = "[[price_list]]\nid = \"p\"\nbilling_account = \"acme\"\nfrom = \"2026-03\"\n\
                  currency = \"USD\"\nimport = { format = \"azure-rate-card\", file = \"/etc/passwd\" }\n";
    faults(import, "only `reckoner apply` can read").await;
    assert_eq!(lots().await.1["declared"][0]["body"]["granted"], "5");
    assert_eq!(door.get("/company?kind=horse", &[]).await.0, 400);
    assert_eq!(door.get("/company?after=a", &[]).await.0, 400);
    server.stop();
    assert!(installation.run(&["company", "--kind", "lot"]).contains("acme/l"));
}

on_each_store!(company_files_are_planned_and_applied_beside_running_requests);
