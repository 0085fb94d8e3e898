//! Every operation of Azure Billing that is served has its scenario, which answers as it says, and
//! is served for the kinds of agreement that it is for.

use crate::azure_billing_calls::{FIRST, SECOND, Scenario, World, scenarios, served};
use crate::books::{Books, on_each_store};
use crate::contracts::description;
use std::collections::BTreeSet;

/// Each operation with its answer by kind.
const KINDS: &str = include_str!("../../../../tests/azure-billing/kinds.csv");

/// The kinds of agreement as the contract spells them, and the demo's account of each.
const ACCOUNTS: [(&str, &str); 4] = [
    ("MicrosoftCustomerAgreement", "mca"),
    ("EnterpriseAgreement", "ea"),
    ("MicrosoftPartnerAgreement", "mpa"),
    ("MicrosoftOnlineServicesProgram", "mosp"),
];

/// The ids of a version's operations in its published description.
fn published(version: &str) -> Option<BTreeSet<String>> {
    let description = description(&format!("microsoft-billing/{version}/billing.json"))?;
    let paths = description["paths"].as_object().expect("paths");
    let verbs = paths.values().flat_map(|verbs| verbs.as_object().expect("verbs").values());
    let ids = verbs.map(|told| told["operationId"].as_str().expect("an id").to_owned());
    Some(ids.collect())
}

#[test]
fn each_published_operation_is_served_and_has_a_scenario() {
    for version in [FIRST, SECOND] {
        let of_version = |of: &str| of == version;
        let served = served().into_iter().filter(|one| of_version(one.version));
        let served: BTreeSet<String> = served.map(|one| one.id.to_owned()).collect();
        let told = scenarios().into_iter().filter(|one| of_version(&one.version));
        let told: Vec<String> = told.map(|one| one.operation).collect();
        let count = told.len();
        let told: BTreeSet<String> = told.into_iter().collect();
        assert_eq!(count, told.len(), "{version}: each has one scenario");
        assert_eq!(served, told, "{version}: served, and with a scenario");
        let Some(published) = published(version) else { return };
        assert_eq!(published, served, "{version}: published, and served");
    }
}

on_each_store!(each_scenario_answers_as_it_says_and_each_kind_of_agreement_has_its_operations);
async fn each_scenario_answers_as_it_says_and_each_kind_of_agreement_has_its_operations(
    books: Books,
) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let world = World::new(directory.path(), schema.as_ref());
    let (scenarios, mut wrong) = (scenarios(), Vec::new());
    for scenario in &scenarios {
        wrong.extend(world.run(scenario).await);
    }
    let mut lines = KINDS.lines();
    let kinds: Vec<&str> = lines.next().expect("a header").split(',').skip(2).collect();
    assert_eq!(kinds, ACCOUNTS.map(|(kind, _)| kind));
    for line in lines {
        wrong.extend(of_kinds(&world, &scenarios, line).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.server.stop();
}

/// Asks an operation of an account of each kind: what it is not for is refused naming the kind.
/// What is not served yet is not asked.
async fn of_kinds(world: &World, scenarios: &[Scenario], line: &str) -> Vec<String> {
    let cells: Vec<&str> = line.split(',').collect();
    let [version, operation, answers @ ..] = cells.as_slice() else { panic!("{line}") };
    let is_asked = |one: &&Scenario| one.version == *version && one.operation == *operation;
    let Some(scenario) = scenarios.iter().find(is_asked) else { return Vec::new() };
    let mut wrong = Vec::new();
    for ((kind, account), expected) in ACCOUNTS.iter().zip(answers) {
        let mut ask = world.ask(scenario).await;
        let is_of_any = ask.names.keys().all(|parameter| parameter == "invoiceName");
        if is_of_any && !ask.names.is_empty() {
            ask = ask.named("invoiceName", &world.invoice_of(account).await);
        }
        for (parameter, member) in
            [("billingAccountName", "billing_account"), ("subscriptionId", "subscription")]
        {
            if ask.names.contains_key(parameter) {
                let name = world.server.told(&format!("accounts.{account}.{member}"));
                ask = ask.named(parameter, &name);
            }
        }
        let told = world.send(&ask).await;
        let of_kind = format!("agreement type `{kind}`");
        let is_refused = told.line() == "400 BadRequest" && told.text.contains(&of_kind);
        if is_refused != (*expected == "400") {
            wrong.push(format!("{line}: {kind}: {} {}", told.line(), told.text));
        }
    }
    wrong
}
