//! Approvals: who may let one account's invoices out agrees to its drafts, and the next close finds
//! that, unless the drafts have changed by then.

use crate::books::{Books, on_each_store};
use crate::closing::{House, USAGE, account, company, moment, month, told};
use crate::installation::Installation;
use crate::program::Server;
use crate::{described, in_process};
use calendar::BillingPeriod;
use domain::access::{Action, Caller, KeyGrant};
use domain::chain::Digest;
use domain::ids::PrincipalId;
use domain::invoice_state::InvoiceState;
use serde_json::{Value, json};
use service::{AccountDrafts, AuditFilter, CloseMode};

/// `dora` may let invoices of `acme` go out and not close; `rita` reads them; `clerk` may close and
/// not let them go out.
const PEOPLE: &str = r#"
[[role_assignment]]
principal = "dora"
role = "Approver"
scope = { billing_account = "acme" }

[[role_assignment]]
principal = "rita"
role = "Auditor"
scope = { billing_account = "acme" }

[[role_assignment]]
principal = "emil"
role = "Approver"
scope = "installation"

[[role_assignment]]
principal = "clerk"
role = "Billing Clerk"
scope = "installation"
"#;

fn terms(account: &str, approval: &str) -> String {
    format!(
        "[[billing_terms]]\nbilling_account = \"{account}\"\nseller = \"reck\"\n\
         currency = \"USD\"\napproval = \"{approval}\"\n"
    )
}

/// Two payers whose drafts wait for a person, with usage of May and June.
async fn house_of(books: Books) -> House {
    let house = House::new(books).await;
    let by_person = ["acme", "globex"].map(|payer| terms(payer, "by_person")).concat();
    in_process::declare(&house.reckoner, &[&by_person, PEOPLE].concat()).await;
    house.send(&USAGE).await;
    house
}

/// Drafts in short: `draft acme/2026-05 4.96 USD`, then who has agreed or what they wait for.
fn shown(drafts: domain::Result<AccountDrafts>) -> String {
    let drafts = match drafts {
        Ok(drafts) => drafts,
        Err(error) => return error.to_string(),
    };
    let documents = drafts.documents.iter().map(|told| {
        let state = told.state.map_or("issued", InvoiceState::name);
        format!("{state} {} {}, ", told.id, told.total)
    });
    let by = drafts.approver.map(|approver| approver.to_string());
    documents.collect::<String>() + &by.or(drafts.reason).expect("somebody, or a reason")
}

/// Does one thing: `close PERIOD`, `late ID HOURS DAY`, `clock DAY`, or `WHO VERB ACCOUNT PERIOD`.
async fn step(house: &House, text: &str) -> String {
    let reckoner = &house.reckoner;
    let principal = |name: &str| Caller::Principal(PrincipalId::new(name).expect("an id"));
    let words: Vec<&str> = text.split_whitespace().collect();
    let (who, verb, id, of, more) = match words.as_slice() {
        ["close", period] => {
            let asked = month(period, CloseMode::Final);
            let closing = reckoner.close_period(&principal("clerk"), &asked, "test").await;
            return told(&closing.expect("a close")).join("; ");
        }
        ["late", id, hours, day] => {
            house.send(&[&format!("{id} acme shop hours {hours} {day}")]).await;
            return String::new();
        }
        ["clock", day] => {
            house.clock.set(moment(day));
            return String::new();
        }
        [who, verb, id, of, more @ ..] => (principal(who), *verb, account(id), *of, more),
        _ => panic!("nobody knows how to {text}"),
    };
    let of = BillingPeriod::parse(of).expect("a period");
    match (verb, more) {
        ("drafts", []) => shown(reckoner.drafts(&who, &id, of).await),
        ("take-back", []) => match reckoner.take_back_approval(&who, &id, of, "test").await {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        },
        ("approve", more) => {
            let content = match more {
                [] => None,
                ["seen"] => Some(reckoner.drafts(&who, &id, of).await.expect("drafts").content),
                _ => Some(Digest::of(b"other drafts")),
            };
            shown(reckoner.approve_drafts(&who, &id, of, content, "test").await)
        }
        _ => panic!("nobody knows how to {text}"),
    }
}

/// What each step comes to.
async fn life(house: &House, steps: &[(&str, &str)]) {
    for (text, expected) in steps {
        assert_eq!(step(house, text).await, *expected, "{text}");
    }
}

/// Who agreed to each invoice, in the order of numbers.
async fn approvers(house: &House) -> Vec<String> {
    house.invoices().await.into_iter().map(|invoice| invoice.approved_by).collect()
}

async fn who_may_not_close_approves_one_account(books: Books) {
    let house = house_of(books).await;
    let dora = "approved acme/2026-05 4.96 USD, person dora";
    let waits = "approval: its drafts wait for a person";
    let may_not = "invoices:issue is not allowed here";
    let missing = "billing account `acme` does not exist";
    let both = format!("acme waits {waits}; globex waits {waits}");
    let draft = format!("draft acme/2026-05 4.96 USD, {waits}");
    let steps = [
        ("close 2026-05", both.as_str()),
        ("rita drafts acme 2026-05", draft.as_str()),
        ("rita approve acme 2026-05", may_not),
        ("rita take-back acme 2026-05", may_not),
        ("clerk approve acme 2026-05", may_not),
        ("nobody drafts acme 2026-05", missing),
        ("nobody approve acme 2026-05", missing),
        ("nobody take-back acme 2026-05", missing),
        ("dora approve globex 2026-05", "billing account `globex` does not exist"),
        ("dora approve acme 2026-05", dora),
        ("dora approve acme 2026-05", dora),
        ("emil approve acme 2026-05", dora),
        ("rita drafts acme 2026-05", dora),
    ];
    life(&house, &steps).await;
    // Twice is once.
    let filter = AuditFilter { action: Some("draft.approve".to_owned()), ..AuditFilter::default() };
    let audited = house.reckoner.audit(&Caller::Machine, filter, 0, 9).await.expect("the log");
    let audited: Vec<_> =
        audited.iter().map(|row| (&*row.entry.actor, &*row.entry.target)).collect();
    assert_eq!(audited, [("dora", "drafts of acme in 202605")]);

    let house = house.reopened().await;
    let one = format!("acme closed reck-00000001; globex waits {waits}");
    let steps = [
        ("close 2026-05", one.as_str()),
        ("dora drafts acme 2026-05", "period 2026-05 is closed"),
        ("dora approve acme 2026-05", "period 2026-05 is closed"),
        ("dora take-back acme 2026-05", "close `acme 202605`: the period is closed"),
        ("emil approve globex 2026-05", "approved globex/2026-05 0.00 USD, person emil"),
        ("close 2026-05", "acme closed before reck-00000001; globex closed reck-00000002"),
    ];
    life(&house, &steps).await;
    assert_eq!(approvers(&house).await, ["person dora", "person emil"]);
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(who_may_not_close_approves_one_account);

async fn what_changes_after_an_approval_waits_again(books: Books) {
    let house = house_of(books).await;
    in_process::declare(&house.reckoner, &terms("globex", "by_rule")).await;
    let changed = "approval: the drafts have changed since dora approved them; approve them again";
    let draft = format!("draft acme/2026-05 5.26 USD, {changed}");
    let may = format!("acme waits {changed}; globex closed reck-00000001");
    let june = format!("acme waits {changed}; globex closed");
    let steps = [
        ("dora approve acme 2026-05", "approved acme/2026-05 4.96 USD, person dora"),
        ("late l1 2 2026-05-02", ""),
        ("dora drafts acme 2026-05", draft.as_str()),
        ("close 2026-05", may.as_str()),
        ("emil approve acme 2026-05", "approved acme/2026-05 5.26 USD, person emil"),
        ("close 2026-05", "acme closed reck-00000002; globex closed before reck-00000001"),
        // Corrections of what is closed belong to the drafts: 2 × 0.1234567 more of May.
        ("clock 2026-07-05", ""),
        ("dora approve acme 2026-06", "approved acme/2026-06 0.39 USD, person dora"),
        ("late l2 2 2026-05-03", ""),
        ("close 2026-06", june.as_str()),
        ("dora approve acme 2026-06", "approved acme/2026-06 0.69 USD, person dora"),
        // What only the moment of the close decides is no change.
        ("clock 2026-07-09", ""),
        ("close 2026-06", "acme closed reck-00000003; globex closed before"),
    ];
    life(&house, &steps).await;
    let by = ["rule billing terms", "person emil", "person dora"];
    assert_eq!(approvers(&house).await, by);
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(what_changes_after_an_approval_waits_again);

async fn an_approval_can_be_taken_back_until_the_close(books: Books) {
    let house = house_of(books).await;
    let waits = "approval: its drafts wait for a person";
    let both = format!("acme waits {waits}; globex waits {waits}");
    let none = "approval `acme/2026-05` does not exist";
    let steps = [
        ("dora take-back acme 2026-05", none),
        ("dora approve acme 2026-05", "approved acme/2026-05 4.96 USD, person dora"),
        ("dora take-back acme 2026-05", ""),
        ("dora take-back acme 2026-05", none),
        ("close 2026-05", both.as_str()),
    ];
    life(&house, &steps).await;
}

on_each_store!(an_approval_can_be_taken_back_until_the_close);

async fn an_approval_ends_with_the_right_to_give_it(books: Books) {
    let house = house_of(books).await;
    let approved = "approved acme/2026-05 4.96 USD, person dora";
    assert_eq!(step(&house, "dora approve acme 2026-05").await, approved);
    let revoked = "[[role_assignment]]\nprincipal = \"dora\"\nrole = \"Approver\"\n\
                   scope = { billing_account = \"acme\" }\nrevoked = true\n";
    in_process::declare(&house.reckoner, revoked).await;
    let waits = "draft acme/2026-05 4.96 USD, approval: its drafts wait for a person";
    assert_eq!(step(&house, "emil drafts acme 2026-05").await, waits);
    let approved = "approved acme/2026-05 4.96 USD, person emil";
    assert_eq!(step(&house, "emil approve acme 2026-05").await, approved);
    let key = Caller::Key(KeyGrant {
        key_id: "k".to_owned(),
        principal: PrincipalId::new("job").expect("an id"),
        actions: vec![Action::IssueInvoices, Action::ReadInvoices],
        billing_accounts: [account("globex")].into(),
        places: [].into(),
        sources: Vec::new(),
    });
    let (globex, period) = (account("globex"), month("2026-05", CloseMode::DryRun).period);
    let told = house.reckoner.approve_drafts(&key, &globex, period, None, "test").await;
    assert_eq!(told.expect_err("no person").to_string(), "invoices:issue is not allowed here");
}

on_each_store!(an_approval_ends_with_the_right_to_give_it);

async fn only_whole_drafts_that_were_looked_at_are_approved(books: Books) {
    let house = house_of(books).await;
    in_process::declare(&house.reckoner, &terms("globex", "by_rule")).await;
    let changed = "drafts `acme/2026-05`: the drafts have changed; look at them again";
    let open = "drafts `acme/2026-06`: period over: it ends at 2026-07-01T00:00:00Z; \
                approve it then";
    let steps = [
        ("dora approve acme 2026-05 wrong", changed),
        ("dora approve acme 2026-05 seen", "approved acme/2026-05 4.96 USD, person dora"),
        ("dora approve acme 2026-06", open),
        (
            "emil approve globex 2026-05",
            "invoice `globex/2026-05`: is approved; it cannot be approved",
        ),
        ("emil approve nobody 2026-05", "billing account `nobody` does not exist"),
    ];
    life(&house, &steps).await;
    // A source that still may report has not said all that there is.
    let source = "[[source]]\nname = \"silent\"\nbilling_accounts = [\"acme\"]\n\
                  grace_s = 864000\n";
    in_process::declare(&house.reckoner, source).await;
    let told = step(&house, "dora approve acme 2026-05").await;
    let expected = "drafts `acme/2026-05`: sources complete: silent can still report before";
    assert!(told.starts_with(expected), "{told}");
}

on_each_store!(only_whole_drafts_that_were_looked_at_are_approved);

/// Asks the admin API; a body is sent, no body is a question.
async fn ask(server: &Server, token: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}{path}", server.told("admin.url"));
    let (verb, request) = match body {
        None => ("GET", server.client.get(url)),
        Some(body) => ("POST", server.client.post(url).json(&body)),
    };
    let answer = request.bearer_auth(token).send().await.expect("an answer");
    described::checked(verb, answer).await
}

async fn the_program_shows_and_approves_drafts(books: Books) {
    let by_person = company().replacen("by_rule", "by_person", 1);
    let installation = Installation::new(books, "USD", &by_person);
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let event = json!({
        "id": "1", "source": "gate", "subscription": "shop", "meter": "hours",
        "quantity": "3", "start": "2026-10-02T10:00:00Z",
    });
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let sent = server.client.post(url).bearer_auth(key).json(&event).send().await;
    assert_eq!(sent.expect("an answer").status().as_u16(), 200);
    let token = installation.token(&server).await;
    let of = json!({ "billing_account": "acme", "period": "2026-10" });
    let with = |content: &Value| {
        let mut asked = of.clone();
        asked["content"] = content.clone();
        Some(asked)
    };

    let path = "/drafts?billing_account=acme&period=2026-10";
    let (status, drafts) = ask(&server, &token, path, None).await;
    let draft = json!({ "id": "acme/2026-10", "number": null, "state": "draft", "total": "1.19",
        "currency": "USD" });
    assert_eq!((status, &drafts["drafts"]), (200, &json!([draft])), "{drafts}");
    assert_eq!(drafts["approved_by"], Value::Null);
    let approve = "/drafts/approve";
    let (status, told) = ask(&server, &token, approve, with(&json!("5e1d"))).await;
    assert_eq!((status, &told["error"]["field"]), (400, &json!("content")), "{told}");
    let other = json!("0".repeat(64));
    assert_eq!(ask(&server, &token, approve, with(&other)).await.0, 409);
    let (status, approved) = ask(&server, &token, approve, with(&drafts["content"])).await;
    let by = format!("person {}", installation.operator().0);
    assert_eq!((status, &approved["approved_by"]), (200, &json!(by)), "{approved}");
    assert_eq!(approved["drafts"][0]["state"], "approved");
    assert_eq!(ask(&server, &token, path, None).await, (200, approved));
    let take_back = "/drafts/take-back";
    let done = ask(&server, &token, take_back, Some(of.clone())).await;
    assert_eq!(done, (204, Value::Null));
    assert_eq!(ask(&server, &token, take_back, Some(of)).await.0, 404);
    server.stop();

    let told = installation.run(&["drafts", "acme", "2026-10"]);
    let waits = "acme in 2026-10: waits: approval: its drafts wait for a person\n";
    assert!(told.starts_with(waits), "{told}");
    let content = drafts["content"].as_str().expect("a digest");
    assert!(told.contains(&format!("acme/2026-10  1.19 USD\ncontent {content}")), "{told}");
    let told = installation.run(&["approve", "acme", "2026-10", "--content", content, "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["approved_by"], "person machine", "{told}");
    installation.run(&["approve", "acme", "2026-10", "--take-back"]);
    installation.run(&["approve", "acme", "2026-10"]);
    let told = installation.run(&["close", "2026-10"]);
    assert!(told.contains("acme: closed\n  reck-00000001  1.19 USD"), "{told}");
    let told = installation.refused(&["drafts", "acme", "2026-10"]);
    assert!(told.contains("period 2026-10 is closed"), "{told}");
}

on_each_store!(the_program_shows_and_approves_drafts);
