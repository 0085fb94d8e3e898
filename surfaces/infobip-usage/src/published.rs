//! For tests: the published descriptions of this contract.

use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;

/// A published file: of `RECKONER_SPECS`, else beside the checkout.
///
/// Where the folder is missing the test says so aloud; under `CI=true` that is a failure.
pub(crate) fn published(file: &str) -> Option<Value> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let folder = std::env::var_os("RECKONER_SPECS").map_or_else(beside, PathBuf::from);
    if !folder.is_dir() {
        writeln!(std::io::stderr(), "LEFT OUT: {file}: no folder {}", folder.display()).unwrap();
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no descriptions under CI");
        return None;
    }
    let text = std::fs::read_to_string(folder.join("infobip").join(file)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// The description of usage queries.
pub(crate) fn billing_usage() -> Option<Value> {
    published("billing-usage-openapi.json")
}

/// The values of the examples of a body, by their titles.
pub(crate) fn examples(body: &Value) -> Vec<(String, Value)> {
    let all = body["content"]["application/json"]["examples"].as_object().unwrap();
    all.iter().map(|(title, example)| (title.clone(), example["value"].clone())).collect()
}
