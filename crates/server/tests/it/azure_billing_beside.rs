//! What Azure Billing serves beside its contract, asked wrongly: the addresses that tell what
//! became of a change that takes its time, and what clients still send in older versions.

use crate::azure_billing_calls::{
    Ask, FIRST, Operation, SECOND, Told, World, older_versions, scenarios,
};
use crate::books::{Books, on_each_store};
use reqwest::Method;
use std::time::Duration;

/// What became of a change: as the resource, as a status. No description has them.
const RESULTS: [Operation; 2] = [
    Operation {
        version: FIRST,
        verb: Method::GET,
        path: "/providers/Microsoft.Billing/operationResults/{operationId}",
        id: "OperationResults_Get",
    },
    Operation {
        version: FIRST,
        verb: Method::GET,
        path: "/providers/Microsoft.Billing/operationStatus/{operationId}",
        id: "OperationStatus_Get",
    },
];

/// Where the link to a file is told.
const DOWNLOAD: Operation = Operation {
    version: FIRST,
    verb: Method::GET,
    path: "/providers/Microsoft.Billing/downloadResults/{operationId}",
    id: "DownloadResults_Get",
};

/// Asks wrong questions, and keeps what is not answered as it must be.
struct Asker {
    world: World,
    wrong: Vec<String>,
}

impl Asker {
    async fn check(&mut self, what: &str, ask: Ask, expected: &str) -> Told {
        let told = self.world.send(&ask).await;
        if told.line() != expected {
            let (line, text) = (told.line(), &told.text);
            self.wrong.push(format!("{what}: {line}, not {expected}: {text:.300}"));
        }
        told
    }

    /// Nobody is told without a token that holds, and nothing is changed.
    async fn sign_in_and_verbs(&mut self, id: &str, ask: &Ask) {
        for who in ["", "wrong audience", "expired"] {
            let what = format!("{id}, signed in by `{who}`");
            let told = self.check(&what, ask.clone().by(who), "401 AuthenticationFailed").await;
            if told.header("www-authenticate") != "Bearer" {
                self.wrong.push(format!("{what}: no challenge"));
            }
        }
        for verb in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let what = format!("{id}, {verb}");
            let told = self.check(&what, ask.clone().with(verb), "405 MethodNotAllowed").await;
            if told.header("allow") != "GET,HEAD" {
                self.wrong.push(format!("{what}: Allow: {}", told.header("allow")));
            }
        }
    }

    /// Names that nobody has, and that are none at all.
    async fn names(&mut self, id: &str, ask: &Ask, parameter: &str) {
        let long = "x".repeat(300);
        for name in ["nothing-here", long.as_str(), "%20", "%00"] {
            let what = format!("{id}, no such {parameter} `{name:.20}`");
            self.check(&what, ask.clone().named(parameter, name), "404 NotFound").await;
        }
    }

    /// What belongs to others is missing, in the words for what nobody has.
    async fn hidden(&mut self, id: &str, ask: &Ask, operation_id: &str) {
        let missing = ask.clone().named("operationId", "nothing-here");
        let missing = self.check(id, missing, "404 NotFound").await;
        for who in ["contributor", "billing_reader", "nobody"] {
            let what = format!("{id}, by {who}");
            let told = self.check(&what, ask.clone().by(who), "404 NotFound").await;
            if told.text.replace(operation_id, "nothing-here") != missing.text {
                self.wrong.push(format!("{what} tells apart: {}", told.text));
            }
        }
    }

    /// The id of a change that has ended.
    async fn changed(&mut self) -> String {
        let mut all = scenarios().into_iter();
        let change = all.find(|one| one.version == FIRST && one.operation == RESULTS_OF);
        let change = self.world.ask(&change.expect("the scenario")).await;
        let accepted = self.check(RESULTS_OF, change, "202").await;
        let place = accepted.header("location").split('?').next().expect("an address").to_owned();
        let id = place.rsplit('/').next().expect("an id").to_owned();
        let result = Ask::of(&RESULTS[0]).by("owner").named("operationId", &id);
        for _ in 0..400 {
            if self.world.send(&result).await.status != 202 {
                return id;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{place} never ends");
    }

    /// The id of a download.
    async fn downloaded(&mut self) -> String {
        let mut all = scenarios().into_iter();
        let asked = all.find(|one| one.operation == DOWNLOADED).expect("the scenario");
        let asked = self.world.ask(&asked).await;
        let accepted = self.check(DOWNLOADED, asked, "202").await;
        assert_eq!(accepted.header("retry-after"), "1");
        let id = accepted.header("odata-entityid").to_owned();
        assert!(accepted.header("location").contains(&format!("/downloadResults/{id}?")), "{id}");
        id
    }

    /// An operation of an older version, with a name that its list has where it needs one.
    async fn older(&self, operation: &Operation) -> Ask {
        let mut ask = Ask::of(operation).by("owner");
        for (parameter, told) in PLACES {
            if operation.path.contains(&format!("{{{parameter}}}")) {
                ask = ask.named(parameter, &self.world.server.told(told));
            }
        }
        let Some(parameter) = last_name(operation) else { return ask };
        let (list, _) = operation.path.rsplit_once('/').expect("a list above");
        let list = Operation { path: list, ..operation.clone() };
        let mut of_list = Ask::of(&list).by("owner");
        of_list.names.clone_from(&ask.names);
        let told = self.world.send(&of_list).await;
        let name = told.body["value"][0]["name"].as_str();
        let name = name.unwrap_or_else(|| panic!("{}: {}", operation.id, told.text));
        ask.named(parameter, name)
    }

    async fn versions(&mut self, id: &str, ask: &Ask) {
        let unasked = ask.clone().without("api-version");
        self.check(id, unasked, "400 MissingApiVersionParameter").await;
        for (version, expected) in [
            ("2001-01-01", "400 InvalidApiVersionParameter"),
            (FIRST, "404 InvalidResourceType"),
            (SECOND, "404 InvalidResourceType"),
        ] {
            let what = format!("{id}, in {version}");
            self.check(&what, ask.clone().asking("api-version", version), expected).await;
        }
    }

    /// Of a foreign place, and by who holds no role.
    async fn foreign(&mut self, operation: &Operation, ask: &Ask) {
        let id = operation.id;
        let (parameter, foreign, expected) = if operation.path.contains("{subscriptionId}") {
            ("subscriptionId", "subscriptions.foreign", "404 SubscriptionNotFound")
        } else if operation.path.contains("{billingAccountName}") {
            ("billingAccountName", "accounts.foreign.billing_account", "404 NotFound")
        } else {
            let expected = if last_name(operation).is_some() { "404 NotFound" } else { "200" };
            self.check(&format!("{id}, without a role"), ask.clone().by("nobody"), expected).await;
            return;
        };
        let foreign = self.world.server.told(foreign);
        let of_foreign = ask.clone().named(parameter, &foreign);
        self.check(&format!("{id}, foreign"), of_foreign, expected).await;
        self.check(&format!("{id}, without a role"), ask.clone().by("nobody"), expected).await;
    }
}

/// The change whose results are asked for: it has a status too.
const RESULTS_OF: &str = "BillingAccounts_Update";
/// What is downloaded.
const DOWNLOADED: &str = "PriceSheet_DownloadByBillingProfile";

/// Parameters of a path that are no last name, and where the demo tells theirs.
const PLACES: [(&str, &str); 2] = [
    ("subscriptionId", "accounts.mca.subscription"),
    ("billingAccountName", "accounts.mca.billing_account"),
];

/// The parameter with which a path ends.
fn last_name(operation: &Operation) -> Option<&'static str> {
    let (_, last) = operation.path.rsplit_once('/')?;
    last.strip_prefix('{')?.strip_suffix('}')
}

on_each_store!(each_wrong_question_beside_the_contract_has_its_own_answer);
async fn each_wrong_question_beside_the_contract_has_its_own_answer(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let world = World::new(directory.path(), schema.as_ref());
    let mut asker = Asker { world, wrong: Vec::new() };
    let (changed, downloaded) = (asker.changed().await, asker.downloaded().await);
    let [result, status] = RESULTS;
    for (operation, asked) in [(result, &changed), (status, &changed), (DOWNLOAD, &downloaded)] {
        let id = operation.id;
        let ask = Ask::of(&operation).by("owner").named("operationId", asked);
        asker.check(id, ask.clone(), "200").await;
        // Links are followed as they are: a version says nothing there.
        asker.check(id, ask.clone().without("api-version"), "200").await;
        asker.check(id, ask.clone().asking("api-version", "2001-01-01"), "200").await;
        asker.sign_in_and_verbs(id, &ask).await;
        asker.names(id, &ask, "operationId").await;
        asker.hidden(id, &ask, asked).await;
    }
    let older = older_versions();
    assert_eq!(older.len(), 6);
    for operation in older {
        let ask = asker.older(&operation).await;
        asker.check(operation.id, ask.clone(), "200").await;
        asker.sign_in_and_verbs(operation.id, &ask).await;
        asker.versions(operation.id, &ask).await;
        asker.foreign(&operation, &ask).await;
        if let Some(parameter) = last_name(&operation) {
            asker.names(operation.id, &ask, parameter).await;
        }
    }
    let Asker { world, wrong } = asker;
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    world.server.stop();
}
