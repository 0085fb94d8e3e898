//! What the operator sees and does of results on their way: also of those whose asker has another
//! key by now.

use crate::books::{Books, on_each_store};
use crate::described::checked;
use crate::program::Server;
use crate::usage_api_asking::{Asking, made_key, query, word};
use crate::usage_api_company::{SETTINGS, events, installation, months, send};
use crate::usage_api_receivers::{Manner, Receiver};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Three tries at once.
const HASTY: [(&str, &str); 1] = [("RECKONER_CALLBACKS__PAUSES_SECONDS", "[0, 0, 0]")];
/// What is given up, and is taken when it is sent again.
const MANNERS: [Manner; 4] =
    [Manner::Answers(500), Manner::Answers(500), Manner::Answers(500), Manner::Takes];

/// Status and body of an answer of the admin API.
async fn operate(server: &Server, token: &str, verb: Method, path: &str) -> (u16, Value) {
    let url = format!("{}{path}", server.told("admin.url"));
    let request = server.client.request(verb.clone(), url).bearer_auth(token);
    checked(verb.as_str(), request.send().await.expect("an answer")).await
}

/// The callbacks that are so far.
async fn listed(server: &Server, token: &str, state: &str) -> Vec<Value> {
    let path = format!("/callbacks?state={state}");
    let (status, told) = operate(server, token, Method::GET, &path).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["next"], Value::Null, "{told}");
    told["callbacks"].as_array().unwrap_or_else(|| panic!("{told}")).clone()
}

on_each_store!(the_operator_sends_again_what_nobody_else_can);
async fn the_operator_sends_again_what_nobody_else_can(books: Books) {
    let installation = installation(books);
    let gate = installation.key("gate");
    let receiver = Receiver::new().await;
    let server = installation.serve(&[SETTINGS.as_slice(), HASTY.as_slice()].concat());
    send(&server, &gate, &events(3, 10)).await;
    let operator = installation.token(&server).await;
    let key = made_key(&server, &operator, &["charges:read"], &[]).await;
    let asking = Asking::with_key(&server, &key);
    let [.., month] = months();
    let days = (month.start().day().to_string(), month.end().day().to_string());
    let url = receiver.url("rotated", &MANNERS);
    let id = asking.submit(&query(&url, (&days.0, &days.1), &["CATEGORY_CODE"])).await;
    let told = asking.settled(&id).await;
    assert_eq!(word(&told, "/callback/status"), "DEAD", "{told}");

    // A key of the company is no operator, and the key that asked is over.
    assert_eq!(operate(&server, &key, Method::GET, "/callbacks").await.0, 403);
    let callback = dead_letter(&server, &operator, &id).await;
    let path = format!("/callbacks/{callback}/resend");
    assert_eq!(operate(&server, &key, Method::POST, &path).await.0, 403);
    revoke(&server, &operator).await;
    assert_eq!(operate(&server, &key, Method::POST, &path).await.0, 401);

    let (status, told) = operate(&server, &operator, Method::POST, &path).await;
    assert_eq!(status, 204, "{told}");
    let calls = receiver.wait("rotated", &MANNERS, 4).await;
    for call in &calls {
        assert_eq!(call.header("webhook-id"), callback);
        assert_eq!(call.body, calls[0].body);
    }
    until_delivered(&server, &operator, &callback).await;
    assert_eq!(listed(&server, &operator, "dead").await, Vec::<Value>::new());
    let audit = "/audit?action=callback.resend";
    let (_, told) = operate(&server, &operator, Method::GET, audit).await;
    let target = format!("callback {callback}");
    assert_eq!(word(&told, "/entries/0/target"), target, "{told}");
    pages_and_refusals(&server, &operator).await;
    server.stop();

    let run = |arguments: &[&str]| installation.run(&[&["callbacks"][..], arguments].concat());
    assert!(run(&[]).contains(&callback), "{}", run(&[]));
    assert_eq!(run(&["--dead"]), "");
    assert_eq!(run(&["--resend", callback.as_str()]), "");
    let told: Value = serde_json::from_str(&run(&["--json"])).expect("JSON");
    assert_eq!(word(&told, "/0/state"), "pending", "{told}");
    let told = installation.refused(&["callbacks", "--resend", "none"]);
    assert!(told.contains("callback `none` does not exist"), "{told}");
}

/// The id of the one dead letter, which is that of a query.
async fn dead_letter(server: &Server, operator: &str, query_id: &str) -> String {
    let dead = listed(server, operator, "dead").await;
    let [one] = dead.as_slice() else { panic!("{dead:?}") };
    assert_eq!(word(one, "/query_id"), query_id, "{one}");
    assert_eq!((word(one, "/state"), &one["tries"]), ("dead", &json!(3)), "{one}");
    assert_eq!((word(one, "/billing_account"), &one["next_at"]), ("acme", &Value::Null), "{one}");
    assert!(word(one, "/owner").starts_with("key "), "{one}");
    assert!(word(one, "/receiver").starts_with("127.0.0.1:"), "{one}");
    assert!(word(one, "/outcome").contains("given up after 3 tries"), "{one}");
    // The address is a matter of who asked.
    assert!(!one.to_string().contains("rotated"), "{one}");
    word(one, "/id").to_owned()
}

/// Ends the key that asked.
async fn revoke(server: &Server, operator: &str) {
    let (_, told) = operate(server, operator, Method::GET, "/keys").await;
    let keys = told["keys"].as_array().unwrap_or_else(|| panic!("{told}"));
    let key = keys.iter().find(|key| key["principal"] == "reports").expect("a key");
    let path = format!("/keys/{}/revoke", word(key, "/key_id"));
    assert_eq!(operate(server, operator, Method::POST, &path).await.0, 204);
}

async fn until_delivered(server: &Server, operator: &str, callback: &str) {
    for _ in 0..1_000 {
        let delivered = listed(server, operator, "delivered").await;
        if delivered.iter().any(|one| word(one, "/id") == callback) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{callback} is not delivered");
}

async fn pages_and_refusals(server: &Server, operator: &str) {
    let (_, told) = operate(server, operator, Method::GET, "/callbacks?limit=1").await;
    assert_eq!(told["callbacks"].as_array().map(Vec::len), Some(1), "{told}");
    assert!(told["next"].is_u64(), "{told}");
    let path = format!("/callbacks?limit=1&after={}", told["next"]);
    let (_, told) = operate(server, operator, Method::GET, &path).await;
    assert_eq!(told, json!({ "callbacks": [], "next": null }));
    for (verb, path, expected) in [
        (Method::GET, "/callbacks?state=lost", 400),
        (Method::GET, "/callbacks?colour=red", 400),
        (Method::POST, "/callbacks/none/resend", 404),
        (Method::POST, "/callbacks/no%00ne/resend", 404),
    ] {
        let (status, told) = operate(server, operator, verb, path).await;
        assert_eq!(status, expected, "{path}: {told}");
    }
}
