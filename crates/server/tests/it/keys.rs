//! API keys: two of a name take turns, and one is good from its addresses only.

use crate::books::{Books, on_each_store};
use crate::described;
use crate::installation::{FLAT, Installation, shop};
use crate::program::Server;
use reqwest::Method;
use serde_json::{Value, json};

async fn ask(server: &Server, bearer: &str, (path, body): (&str, Value)) -> (u16, Value) {
    let url = format!("{}{path}", server.told("admin.url"));
    let request = server.client.request(Method::POST, url).bearer_auth(bearer).json(&body);
    described::checked("POST", request.send().await.expect("an answer")).await
}

/// Makes a key with something more; its text, or the refusal.
async fn made(server: &Server, token: &str, more: Value) -> Result<(String, String), String> {
    let mut wanted = json!({
        "principal": "job", "actions": ["charges:read"], "billing_accounts": ["acme"],
    });
    let members = wanted.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    let (status, answer) = ask(server, token, ("/keys", wanted)).await;
    let text = |member: &str| answer[member].as_str().expect("a text").to_owned();
    match status {
        201 => Ok((text("key_id"), text("key"))),
        _ => Err(format!("{status} {}", answer["error"]["message"].as_str().expect("a message"))),
    }
}

/// The status of a question asked with a key, told to come from an address.
async fn status(server: &Server, key: &str, from: &str) -> u16 {
    let asked = json!({
        "billing_account": "acme", "from": "2026-01-01", "until": "2026-02-01",
        "group_by": ["meter"],
    });
    let url = format!("{}/charges/query", server.told("admin.url"));
    let mut request = server.client.post(url).bearer_auth(key).json(&asked);
    if !from.is_empty() {
        request = request.header("x-forwarded-for", from);
    }
    let answer = request.send().await.expect("an answer");
    answer.status().as_u16()
}

on_each_store!(two_keys_of_a_name_take_turns);
async fn two_keys_of_a_name_take_turns(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let named = || json!({ "name": "reports" });
    let (first, old) = made(&server, &token, named()).await.expect("the first");
    let (_, new) = made(&server, &token, named()).await.expect("the second");
    let third = made(&server, &token, named()).await.expect_err("a third");
    assert!(third.contains("`reports` has 2 live keys; revoke one before the next"), "{third}");
    assert!(third.starts_with("409 "), "{third}");
    made(&server, &token, json!({})).await.expect("one without a name");
    made(&server, &token, json!({})).await.expect("another");
    made(&server, &token, json!({})).await.expect("and another");
    assert_eq!((status(&server, &old, "").await, status(&server, &new, "").await), (200, 200));
    let (revoked, _) = ask(&server, &token, (&format!("/keys/{first}/revoke"), json!({}))).await;
    assert_eq!(revoked, 204);
    assert_eq!((status(&server, &old, "").await, status(&server, &new, "").await), (401, 200));
    made(&server, &token, named()).await.expect("the next");
    let late = json!({ "valid_from": "2999-01-01T00:00:00Z" });
    let (_, late) = made(&server, &token, late).await.expect("one that holds later");
    assert_eq!(status(&server, &late, "").await, 401);
    server.stop();
}

/// What a key may be used from, what the proxy says, and the status with and without a proxy.
const FROM: &[(&[&str], &str, (u16, u16))] = &[
    (&["127.0.0.0/8"], "", (200, 200)),
    (&["192.0.2.0/24"], "", (401, 401)),
    (&["192.0.2.0/24"], "192.0.2.7", (200, 401)),
    (&["192.0.2.0/24"], "192.0.2.7, 198.51.100.1", (401, 401)),
    (&["192.0.2.0/24", "198.51.100.1"], "203.0.113.9,198.51.100.1", (200, 401)),
    (&["192.0.2.0/24"], "nowhere", (401, 401)),
    (&["2001:db8::/32"], "2001:db8::1", (200, 401)),
    (&[], "nowhere", (200, 200)),
];

on_each_store!(a_key_is_good_from_its_addresses_only);
async fn a_key_is_good_from_its_addresses_only(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let mut keys = Vec::new();
    for proxy in ["trusted", "ignored"] {
        let server = installation.serve(&[("RECKONER_HTTP__FORWARDED", proxy)]);
        let token = installation.token(&server).await;
        for (place, (ranges, from, (behind, direct))) in FROM.iter().enumerate() {
            if keys.len() == place {
                let wanted = json!({ "allowed_ranges": ranges });
                keys.push(made(&server, &token, wanted).await.expect("a key").1);
            }
            let key = &keys[place];
            let expected = if proxy == "trusted" { behind } else { direct };
            assert_eq!(status(&server, key, from).await, *expected, "{ranges:?} {from} {proxy}");
        }
        let bad = json!({ "allowed_ranges": ["10.0.0.1/8"] });
        let bad = made(&server, &token, bad).await.expect_err("no range");
        assert!(bad.starts_with("400 allowed_ranges[0]: `10.0.0.1/8` has bits beyond"), "{bad}");
        server.stop();
    }
}
