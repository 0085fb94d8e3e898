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

/// A messaging company with two accounts.
const POST: &str = r#"
[[billing_account]]
id = "post"
name = "Post Office"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "post"
from = 2026-01-01T00:00:00Z
type = "messaging agreement"

[[messaging_account]]
billing_account = "post"
id = "letters"
from = 2026-01-01T00:00:00Z
name = "Letters"

[[messaging_account]]
billing_account = "post"
id = "parcels"
from = 2026-01-01T00:00:00Z
name = "Parcels"
messaging_account = "letters"
"#;

on_each_store!(a_key_bound_to_a_place_has_nothing_of_the_rest_of_its_account);
async fn a_key_bound_to_a_place_has_nothing_of_the_rest_of_its_account(books: Books) {
    let installation = Installation::new(books, "USD", &format!("{}{POST}", shop(FLAT)));
    let post = ["key", "--principal", "job", "--billing-account", "post"];
    let place = ["--action", "charges:read", "--place", "post/messaging-account/letters"];
    let by_command = installation.run(&[post.as_slice(), &place].concat()).trim().to_owned();
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let letters = "post/messaging account/letters";
    let bound = json!({ "billing_accounts": ["post", "acme"], "places": [letters] });
    let (id, bound) = made(&server, &token, bound).await.expect("one for a place");
    let (_, whole) =
        made(&server, &token, json!({ "billing_accounts": ["post"] })).await.expect("one");
    let status = async |key: &str, account: &str| {
        let asked = json!({
            "billing_account": account, "from": "2026-01-01", "until": "2026-02-01",
            "group_by": ["meter"],
        });
        ask(&server, key, ("/charges/query", asked)).await.0
    };
    let of = async |key: &str| (status(key, "post").await, status(key, "acme").await);
    assert_eq!(of(&whole).await, (200, 404));
    assert_eq!(of(&bound).await, (404, 200), "acme is no part of the places' account");
    assert_eq!(of(&by_command).await, (404, 404));
    let check = async |more: Value, expected: &str| {
        let told = made(&server, &token, more).await.expect_err("refused");
        assert!(told.starts_with(expected), "{told}");
    };
    let unknown = json!({ "billing_accounts": ["post"], "places": ["post/messaging account/x"] });
    check(unknown, "400 places: `post/messaging account/x` is not declared").await;
    let elsewhere = json!({ "billing_accounts": ["acme"], "places": [letters] });
    check(elsewhere, "400 places: the billing account of `post/messaging account/letters`").await;
    let unreadable = json!({ "billing_accounts": ["post"], "places": ["letters"] });
    check(unreadable, "400 places[0]: `letters` must be a billing account, a level and").await;
    let url = format!("{}/keys", server.told("admin.url"));
    let listed = server.client.get(url).bearer_auth(&token).send().await.expect("an answer");
    let (_, listed) = described::checked("GET", listed).await;
    let keys = listed["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["key_id"] == id.as_str()).expect("the key");
    assert_eq!(key["places"], json!([letters]));
    server.stop();
    let told = installation.run(&["keys"]);
    assert!(told.contains("charges:read for post at post/messaging account/letters,"), "{told}");
}
