//! Quantities beyond their bound: the record waits by itself, and every answer says that it does.

use crate::books::{Books, on_each_store};
use crate::installation::{Installation, charges};
use crate::program::Server;
use crate::{described, in_process};
use serde_json::{Value, json};

const SOURCE: &str = r#"
[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

const MOST: &str = "1000000000000000";

/// Sends one record; gives verdict, reason and field.
async fn send(server: &Server, key: &str, id: &str, quantity: &str) -> String {
    let event = json!({
        "id": id, "source": "gate", "subscription": "shop", "meter": "hours",
        "quantity": quantity, "start": "2026-03-01T10:00:00Z",
    });
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key).json(&event);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let word = |name: &str| answer["verdicts"][0][name].as_str().unwrap_or("-").to_owned();
    format!("{} {} {}", word("verdict"), word("reason"), word("field"))
}

/// What a command says on standard error.
fn said(installation: &Installation, arguments: &[&str]) -> String {
    let ended = installation.piped(arguments).wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stderr).expect("text")
}

async fn an_absurd_quantity_waits_alone_and_the_meters_other_charges_stay(books: Books) {
    let installation = Installation::new(books, "USD", &[in_process::SHOP, SOURCE].concat());
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    for at in 0..17 {
        let verdict = send(&server, &key, &format!("e-{at}"), "1").await;
        assert_eq!(verdict, "accepted - -");
    }
    let charged = async || {
        let row = &charges(&server, &token, &["meter"]).await[0];
        format!("{} records: {} = {}", row["records"], row["quantity"], row["cost"])
    };
    assert_eq!(charged().await, "17 records: \"17\" = \"0.000017\"");
    let (beyond, below) = (format!("{MOST}.000000000000000001"), format!("-{MOST}.5"));
    for (at, absurd) in
        [beyond.as_str(), below.as_str(), "170141183460469231731"].iter().enumerate()
    {
        let verdict = send(&server, &key, &format!("absurd-{at}"), absurd).await;
        assert_eq!(verdict, "quarantined out_of_range quantity", "{absurd}");
        assert_eq!(charged().await, "17 records: \"17\" = \"0.000017\"");
    }
    assert_eq!(send(&server, &key, "most", MOST).await, "accepted - -");
    let all = "18 records: \"1000000000000017\" = \"1000000000.000017\"";
    assert_eq!(charged().await, all);

    let left_out = json!([
        { "meter": "hours", "reason": "out_of_range", "field": "quantity", "records": 3 }
    ]);
    let asked = |path: &str, body: Value| {
        let url = format!("{}/{path}", server.told("admin.url"));
        server.client.post(url).bearer_auth(&token).json(&body).send()
    };
    let days = json!({ "billing_account": "acme", "month": "2026-03" });
    for path in ["charges/query", "explain/total"] {
        let answer = asked(path, days.clone()).await.expect("an answer");
        let (_, answer) = described::checked("POST", answer).await;
        assert_eq!(answer["left_out"], left_out, "{path}: {answer}");
    }
    let other = json!({ "billing_account": "acme", "month": "2026-04" });
    let answer = asked("charges/query", other).await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["left_out"], json!([]), "another billing period: {answer}");
    server.stop();

    let note =
        "note: not in these sums: 3 of meter `hours` wait: out_of_range (quantity)".to_owned();
    let march = ["--billing-account", "acme", "--period", "2026-03"];
    for command in ["query", "explain"] {
        let told = said(&installation, &[&[command], march.as_slice()].concat());
        assert_eq!(told.trim(), note, "{command}");
    }
}

on_each_store!(an_absurd_quantity_waits_alone_and_the_meters_other_charges_stay);
