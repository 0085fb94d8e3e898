//! What `az cloud register` and `az login` read: the cloud's metadata and the subscriptions.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "5b0d1e9a-0000-4000-8000-000000000001";
const TENANT: &str = "6f0c2a4e-0000-4000-8000-000000000001";

async fn what_az_reads_to_sign_in_says_where_everything_is(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let answered = async |path: &str, token: Option<&str>| -> (u16, Value) {
        let answer = server.get(path, token).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    };

    let base = server.told("base_url");
    assert!(!base.ends_with('/'), "az joins with a slash: {base}");
    let (status, endpoints) = answered("/metadata/endpoints?api-version=2022-09-01", None).await;
    assert_eq!(status, 200, "nobody has a token yet: {endpoints}");
    assert_eq!(endpoints["name"], "Reckoner");
    assert_eq!(endpoints["authentication"]["loginEndpoint"], *base);
    let audiences = json!([base, "https://management.azure.com"]);
    assert_eq!(endpoints["authentication"]["audiences"], audiences);
    assert_eq!(endpoints["resourceManager"], *base);
    assert_eq!(endpoints["suffixes"], json!({}));
    let (status, _) = answered("/metadata/endpoints", None).await;
    assert_eq!(status, 400, "without a version");
    // A token for the first audience is one for us.
    let token = installation.token_for(&server, &base).await.expect("a token");

    let subscriptions = "/subscriptions?api-version=2022-12-01";
    let (status, _) = answered(subscriptions, None).await;
    assert_eq!(status, 401);
    let (status, list) = answered(subscriptions, Some(&token)).await;
    let shop = json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}"),
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": "Shop",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
    });
    assert_eq!((status, list), (200, json!({ "value": [shop] })));
    let (status, _) = answered("/subscriptions?api-version=1999-01-01", Some(&token)).await;
    assert_eq!(status, 400, "an unknown version");
    server.stop();
}

on_each_store!(what_az_reads_to_sign_in_says_where_everything_is);
