//! The rate card by a signed link: it needs no token, and holds for what was signed, for an hour.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop};
use crate::program::{Server, now};
use calendar::Instant;
use identity::LinkSigner;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use store::{Store, StorePlace};

const SUBSCRIPTION: &str = "5b0d1e9a-0000-4000-8000-000000000001";
/// What links to a card are signed for.
const OPERATION: &str = "azure-commerce/rate-card";
const PARAMS: [(&str, &str); 5] = [
    ("subscription", SUBSCRIPTION),
    ("offer", "metered"),
    ("currency", "USD"),
    ("locale", "en-US"),
    ("region", "US"),
];

fn card_url(server: &Server, version: &str) -> String {
    format!(
        "{}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Commerce/RateCard\
         ?api-version={version}&$filter=OfferDurableId eq 'metered' and Currency eq 'USD' and \
         Locale eq 'en-US' and RegionInfo eq 'US'",
        server.told("base_url")
    )
}

async fn get(client: &Client, url: &str, token: Option<&str>) -> Response {
    let request = client.get(url);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.expect("an answer")
}

/// Signs links as the program does, so that there are some that it would not give out.
pub(crate) fn own_signer(installation: &Installation) -> LinkSigner {
    let place = match installation.books_url() {
        Some(url) => StorePlace::Postgres(url.to_owned()),
        None => StorePlace::Sqlite(installation.data().join("books.db")),
    };
    let kept = || {
        let store = Store::open(&place).expect("the books");
        store.ensure_secret("link key", &[]).expect("kept")
    };
    // The books wait for their store, which a thread that drives asynchronous work must not.
    let kept = std::thread::scope(|scope| scope.spawn(kept).join().expect("no panic"));
    LinkSigner::new(kept.try_into().expect("32 bytes"))
}

pub(crate) async fn check_refused(client: &Client, url: &str, problem: &str) {
    let answer = get(client, url, None).await;
    assert_eq!(answer.status(), 401, "{url}");
    let body: Value = answer.json().await.expect("JSON");
    let message = format!("not signed in: {problem}");
    let code = "AuthenticationFailed";
    assert_eq!(body, json!({ "error": { "code": code, "message": message } }), "{url}");
}

async fn a_link_to_the_card_holds_for_what_was_signed_and_for_an_hour(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let signer = own_signer(&installation);
    let server = installation.serve(&[]);
    let (token, client) = (installation.token(&server).await, server.client.clone());
    let direct = get(&client, &card_url(&server, "2015-06-01-preview"), Some(&token)).await;
    assert_eq!(direct.status(), 200);
    let direct: Value = direct.json().await.expect("JSON");
    assert_eq!(direct["Meters"][0]["MeterRates"], json!({ "0": 0.1 }), "{direct}");

    let by_link = card_url(&server, "2016-08-31-preview");
    assert_eq!(get(&client, &by_link, None).await.status(), 401, "a link is given to who may see");
    let asked_at = now();
    let answer = get(&client, &by_link, Some(&token)).await;
    assert_eq!(answer.status(), 302);
    let link = answer.headers()["location"].to_str().expect("an address").to_owned();
    for token in [None, Some("not.a.token")] {
        let answer = get(&client, &link, token).await;
        assert_eq!(answer.status(), 200, "{token:?}");
        assert_eq!(answer.json::<Value>().await.expect("JSON"), direct, "{token:?}");
    }

    let altered = |from: &str, to: &str| {
        let altered = link.replace(from, to);
        assert_ne!(altered, link, "{from}");
        altered
    };
    let altered = [
        altered("offer=metered", "offer=other"),
        altered("currency=USD", "currency=EUR"),
        altered("&region=US", ""),
        altered("&signature=", "&more=1&signature="),
    ];
    for link in altered {
        check_refused(&client, &link, "the token's signature does not hold").await;
    }
    let (unsigned, _) = link.split_once("&signature=").expect("a signature");
    check_refused(&client, unsigned, "no credential was sent").await;

    let (path, query) = link.split_once('?').expect("a query");
    let signed = |operation: &str, until: Instant| {
        format!("{path}?{}", signer.sign(operation, &PARAMS, until))
    };
    let expires = url_parameter(query, "expires").parse::<i64>().expect("seconds");
    let held = expires - asked_at.seconds();
    assert!((3_600..3_660).contains(&held), "{held} s");
    assert_eq!(get(&client, &signed(OPERATION, now().plus_seconds(60)), None).await.status(), 200);
    check_refused(&client, &signed(OPERATION, now()), "the credential is expired").await;
    let other = signed("another operation", now().plus_seconds(60));
    check_refused(&client, &other, "the token's signature does not hold").await;
    server.stop();
}

pub(crate) fn url_parameter<'a>(query: &'a str, name: &str) -> &'a str {
    let found = query.split('&').filter_map(|pair| pair.split_once('='));
    found.filter(|(given, _)| *given == name).map(|(_, value)| value).next().expect(name)
}

on_each_store!(a_link_to_the_card_holds_for_what_was_signed_and_for_an_hour);
