//! Answers of Azure Billing beside its published descriptions: every operation is asked, those that
//! read on accounts of all kinds; each answer is strictly as its operation says, and what none of
//! the demo's world has stands with a reason in `tests/azure-billing/never_filled.csv`.

use crate::azure_billing_contract::{Contract, FIRST, SECOND};
use crate::azure_billing_downloads::download_all;
use crate::azure_billing_walk::{Got, Walk, ask_all};
use crate::azure_billing_writes::write_all;
use crate::program::Server;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who sees everything, who sees what it owns, who sees shells, who is asked for transfers.
const CALLERS: [&str; 4] = ["operator", "owner", "billing_reader", "recipient"];
/// The demo is asked more in a second than its callers usually may; its lists are short, and yet
/// have further pages.
const SETTINGS: [(&str, &str); 4] = [
    ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "100000"),
    ("RECKONER_LIMITS__REQUEST_BURST", "100000"),
    ("RECKONER_LIMITS__PAGE_ROWS", "1"),
    ("RECKONER_LIMITS__PINNED_ANSWERS", "100000"),
];

/// Version, operation, member and reason on a line.
const NEVER_FILLED: &str = include_str!("../../../../tests/azure-billing/never_filled.csv");
/// What no answer has, by definitions.
const LEFT_OUT: &str = include_str!("../../../../docs/deviations/azure-billing-members.md");

/// What is never filled, with its reason.
fn listed(version: &str) -> BTreeMap<(String, String), String> {
    let mut listed = BTreeMap::new();
    for line in NEVER_FILLED.lines().skip(1) {
        let cells: Vec<&str> = line.splitn(4, ',').collect();
        let [of, operation, member, reason] = cells.as_slice() else { panic!("{line}") };
        if *of == version {
            let reason = reason.trim_matches('"').to_owned();
            assert!(reason.len() > 10, "{line}: a reason");
            let before = listed.insert(((*operation).to_owned(), (*member).to_owned()), reason);
            assert_eq!(before, None, "{line} stands twice");
        }
    }
    listed
}

/// Why no answer has a member, by definition and member.
fn left_out(version: &str) -> BTreeMap<String, String> {
    let mut left_out = BTreeMap::new();
    for line in LEFT_OUT.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells[2] == "both" || cells[2].contains(version) {
            for member in cells[3].split(',').map(|member| member.trim().replace('`', "")) {
                let name = format!("{}.{member}", cells[1].replace('`', ""));
                left_out.insert(name, cells[4].to_owned());
            }
        }
    }
    left_out
}

/// Holds what was got against the list: what is filled must leave it, what is not needs a reason,
/// and the reason is that of the definition where no answer at all has the member.
fn check_filled(contract: &Contract, got: &Got) {
    let (listed, left_out) = (listed(contract.version), left_out(contract.version));
    let (mut found, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut declared = BTreeSet::new();
    for operation in &contract.operations {
        let Some(answers) = got.by_operation.get(&operation.id) else {
            wrong.push(format!("{} was never answered", operation.id));
            continue;
        };
        let mut unfilled = BTreeMap::new();
        let told = operation.answers.get("200").or(operation.answers.get("201"));
        let schema = told.map_or(&Value::Null, |told| &told["schema"]);
        let answers: Vec<&Value> = answers.iter().collect();
        contract.unfilled((schema, ""), &answers, "", &mut unfilled);
        for (member, name) in unfilled {
            let key = (operation.id.clone(), member);
            match (listed.get(&key), left_out.get(&name)) {
                (None, _) => wrong.push(format!("{key:?} is never filled: a reason is missing")),
                (Some(given), Some(why)) if given != why => {
                    wrong.push(format!("{key:?}: `{given}`, but of {name}: `{why}`"));
                }
                (Some(_), _) => {}
            }
            found.insert(key);
            declared.insert(name);
        }
    }
    let filled = listed.keys().filter(|key| !found.contains(*key));
    wrong.extend(filled.map(|key| format!("{key:?} is filled, and must leave the list")));
    let filled = left_out.keys().filter(|name| !declared.contains(*name));
    wrong.extend(filled.map(|name| format!("{name} is filled, and must leave the table")));
    assert!(wrong.is_empty(), "{}:\n{}", contract.version, wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_strictly_as_described_and_what_is_never_filled_has_a_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::demo(&directory.path().join("data"), None, &SETTINGS);
    for version in [FIRST, SECOND] {
        let Some(contract) = Contract::of(version) else { return };
        let mut got = Got::default();
        write_all(&contract, &server, &mut got).await;
        download_all(&contract, &server, &mut got).await;
        for caller in CALLERS {
            let token = server.told(&format!("clients.{caller}.token"));
            let listed = BTreeMap::new();
            let mut walk = Walk { server: &server, version, token, listed };
            ask_all(&contract, &mut walk, &mut got).await;
        }
        assert!(got.wrong.is_empty(), "{version}:\n{}", got.wrong.join("\n"));
        check_filled(&contract, &got);
    }
    server.stop();
}
