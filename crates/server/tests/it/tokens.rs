//! Tokens: a client proves itself by the form or by the header, as the discovery document says.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use serde_json::Value;

async fn a_client_proves_itself_by_form_or_header(books: Books) {
    let installation = Installation::new(books, "USD", "");
    let server = installation.serve(&[]);
    let (id, secret) = installation.operator();
    let url = Installation::token_url(&server);
    let configuration = url.replace("/oauth2/v2.0/token", "/v2.0/.well-known/openid-configuration");
    let told: Value = server
        .client
        .get(configuration)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let methods = &told["token_endpoint_auth_methods_supported"];
    assert_eq!(*methods, serde_json::json!(["client_secret_post", "client_secret_basic"]));
    let grant = "grant_type=client_credentials&scope=https%3A%2F%2Fmanagement.azure.com%2F.default";
    let in_form = format!("{grant}&client_id={id}&client_secret={secret}");
    // Each byte may be encoded: here the first of the id.
    let encoded = format!("%{:02X}{}", id.as_bytes()[0], &id[1..]);
    let named = format!("{grant}&client_id={id}");
    // As azure-identity sends it: members and query parameters that say nothing to us.
    let more = format!("{in_form}&client_info=1&x-client-SKU=Python&x-client-VER=1.2&empty=");
    let by_query = format!("{url}?client-request-id=1&haschrome=1&client_id=nobody&grant_type=no");
    let table = [
        (None, in_form.as_str(), 200, "", ""),
        (Some((id, secret)), grant, 200, "", ""),
        (Some((encoded.as_str(), secret)), grant, 200, "", ""),
        (Some((id, secret)), &named, 200, "", ""),
        (Some((id, secret)), &in_form, 400, "invalid_request", ""),
        (Some((id, "wrong")), grant, 401, "invalid_client", "Basic"),
        (Some(("nobody", secret)), grant, 401, "invalid_client", "Basic"),
        (None, &named, 401, "invalid_client", ""),
        (None, &more, 200, "", ""),
    ];
    let plain = table.map(|fact| (&url, fact));
    let queried = [
        (&by_query, (None, in_form.as_str(), 200, "", "")),
        (&by_query, (None, &more, 200, "", "")),
    ];
    for (url, (header, form, status, error, scheme)) in plain.into_iter().chain(queried) {
        let form_type = "application/x-www-form-urlencoded";
        let request = server.client.post(url).header("content-type", form_type);
        let request = match header {
            Some((id, secret)) => request.basic_auth(id, Some(secret)),
            None => request,
        };
        let answer = request.body(form.to_owned()).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{header:?} {form}");
        let challenge = answer.headers().get("www-authenticate").map(|v| v.to_str().expect("text"));
        assert_eq!(challenge.unwrap_or_default(), scheme, "{header:?} {form}");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["error"].as_str().unwrap_or_default(), error, "{body}");
        assert_eq!(body["access_token"].is_string(), status == 200, "{body}");
    }
    server.stop();
}

on_each_store!(a_client_proves_itself_by_form_or_header);
