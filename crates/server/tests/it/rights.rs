//! Rights over HTTP: every operation of the admin API refuses who may not, and does not tell
//! whether what was asked for is there.
//!
//! The operations are those of the OpenAPI document, and what is sent is made from their schemas, so
//! an operation that is added is asked too.

use crate::books::{Books, on_each_store};
use crate::closing::company;
use crate::described::{self, Operation, operations};
use crate::installation::Installation;
use crate::program::{self, Server};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// Who has no role, and who has the highest at an account that is not asked for.
const STRANGERS: &str = r#"
[[client]]
id = "nobody"
name = "Nobody"
secret_hashes = ["{HASH}"]

[[client]]
id = "stranger"
name = "Stranger"
secret_hashes = ["{HASH}"]

[[role_assignment]]
principal = "stranger"
role = "Administrator"
scope = { billing_account = "globex" }
"#;

/// What is asked for: a thing of `acme`, or one that nobody has.
#[derive(Clone, Copy)]
enum Asked {
    There,
    Missing,
}

/// A sound value of a member, by its name, else by its schema.
fn example(name: &str, schema: &Value, asked: Asked) -> Value {
    let is_there = matches!(asked, Asked::There);
    let text = match name {
        "billing_account" if is_there => "acme",
        "billing_account" => "nowhere",
        "number" | "invoice" | "document" if is_there => "reck-00000001",
        "number" | "invoice" | "document" => "reck-00000009",
        "key_id" | "id" if !is_there => "nothing",
        "period" => "2026-10",
        "source" => "gate",
        "slot" => "primary",
        "quantity" | "amount" | "rate" => "1",
        "currency" => "USD",
        "from" | "at" | "on" => "2026-10-01",
        "until" => "2026-10-02",
        "actions" => return json!(["usage:send"]),
        "billing_accounts" => return json!([if is_there { "acme" } else { "nowhere" }]),
        _ => "",
    };
    if !text.is_empty() {
        return json!(text);
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str(),
        kind => kind.as_str(),
    };
    match kind {
        Some("object") => filled(schema, asked),
        Some("array") => json!([example(name, &schema["items"], asked)]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        _ => json!("x"),
    }
}

/// All required members, and the one that says of whom.
fn filled(schema: &Value, asked: Asked) -> Value {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut members = Map::new();
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if required.contains(&name.as_str()) || name == "billing_account" {
            members.insert(name.clone(), example(name, schema, asked));
        }
    }
    Value::Object(members)
}

/// Sends an operation; gives status and body, with what was asked for taken out of it.
async fn outcome(server: &Server, token: &str, one: &Operation, asked: Asked) -> (u16, String) {
    let mut path = one.path.clone();
    let mut query = Vec::new();
    for parameter in one.told["parameters"].as_array().expect("parameters") {
        let name = parameter["name"].as_str().expect("a name");
        let value = example(name, &parameter["schema"], asked);
        let value = value.as_str().map_or(value.to_string(), str::to_owned);
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), &value),
            Some("query") if parameter["required"] == true || name == "billing_account" => {
                query.push(format!("{name}={value}"));
            }
            _ => {}
        }
    }
    let verb = Method::from_bytes(one.verb.as_bytes()).expect("a verb");
    let url = format!("{}{path}?{}", server.told("base_url"), query.join("&"));
    let mut request = server.client.request(verb, url).bearer_auth(token);
    let body = &one.told["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    if let Some(reference) = body.as_str() {
        let pointer = reference.strip_prefix('#').expect("of the document");
        let schema = described::document().pointer(pointer).expect("a schema");
        request = request.json(&filled(schema, asked));
    }
    let answer = request.send().await.expect("an answer");
    let (status, body) = described::checked(&one.verb, answer).await;
    let mut told = body.to_string();
    for word in ["acme", "nowhere", "reck-00000001", "reck-00000009", "`x`", "`nothing`"] {
        told = told.replace(word, "*");
    }
    (status, told)
}

async fn who_may_not_learns_nothing_from_any_operation(books: Books) {
    let told = program::run(&["secret"], &[]);
    let word = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().to_owned()
    };
    let strangers = STRANGERS.replace("{HASH}", &word("hash"));
    let installation = Installation::new(books, "USD", &[company(), strangers].concat());
    let usage =
        installation.file("usage.csv", "Who,What,Many,When\nshop,hours,2,2026-10-01T10:00:00Z\n");
    let mapping = installation.file(
        "mapping.toml",
        "[columns]\nsubscription = \"Who\"\nmeter = \"What\"\nquantity = \"Many\"\n\
         start = \"When\"\n[constants]\nunit = \"Hours\"\ncurrency = \"USD\"\n",
    );
    let mapping = mapping.to_str().expect("a plain path").to_owned();
    installation.import(&usage, &["--source", "gate", "--mapping", &mapping]);
    installation.run(&["close", "2026-10"]);
    let server = installation.serve(&[]);
    let mut wrong = Vec::new();
    for who in ["nobody", "stranger"] {
        let audience = "https://management.azure.com";
        let token = installation.token_of(&server, (who, &word("secret")), audience).await;
        let token = token.expect("the client is known");
        for one in operations().iter().filter(|one| one.told["security"] != json!([])) {
            let there = outcome(&server, &token, one, Asked::There).await;
            let missing = outcome(&server, &token, one, Asked::Missing).await;
            // An example that is refused before rights are looked at would prove nothing.
            if there != missing || !matches!(there.0, 403 | 404) {
                wrong.push(format!("{who} {}: {there:?}, {missing:?}", one.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What they asked for is there, for who may see it.
    let token = installation.token(&server).await;
    let invoice = server.get("/admin/v1/invoices/reck-1", Some(&token)).send().await;
    assert_eq!(invoice.expect("an answer").status().as_u16(), 200);
    server.stop();
}

on_each_store!(who_may_not_learns_nothing_from_any_operation);
