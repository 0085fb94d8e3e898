//! The example that the documents point to: it applies, imports, and costs what its README says.

use crate::books::{Books, Schema, on_each_store};
use crate::installation::text;
use crate::program;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An installation of the example company.
struct Example {
    directory: TempDir,
    schema: Option<Schema>,
}

impl Example {
    fn run(&self, arguments: &[&str]) -> String {
        let data = self.directory.path().join("data");
        let mut settings = vec![("RECKONER_DATA_DIR", text(&data))];
        settings.extend(self.schema.iter().map(|schema| ("RECKONER_STORE", schema.url.as_str())));
        program::run(arguments, &settings)
    }

    /// Imports a file of the example as the whole of its month; gives the effect that was shown.
    fn import(&self, file: &str) -> String {
        let (mapping, file) = (example("usage/mapping.toml"), example("usage").join(file));
        let own = ["import", "--yes", "--source", "metering", "--period", "2026-03"];
        self.run(&[own.as_slice(), &["--mapping", text(&mapping), text(&file)]].concat())
    }

    /// What each subscription pays for each meter.
    fn costs(&self) -> Vec<[String; 3]> {
        let own = ["query", "--json", "--period", "2026-03", "--group-by", "subscription,meter"];
        let rows: Vec<Value> = serde_json::from_str(&self.run(&own)).expect("JSON");
        let told = |row: &Value, name: &str| match &row[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let cells = |row| ["subscription", "meter", "cost"].map(|name| told(row, name));
        rows.iter().map(cells).collect()
    }
}

/// A place in the example.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

on_each_store!(the_example_company_costs_what_its_readme_says);
async fn the_example_company_costs_what_its_readme_says(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let example_company = Example { directory, schema: books.schema() };
    let company = example("company");
    let apply = || example_company.run(&["apply", "--yes", text(&company)]);
    assert!(apply().contains("12 to change, 0 unchanged"));
    assert!(apply().contains("0 to change, 12 unchanged"));

    let told = example_company.import("usage.csv");
    assert!(told.contains("6 rows, 6 new, 0 known, 0 of earlier extracts left out"), "{told}");
    let expected = [
        ["harbor-lab", "data-out", "0"],
        ["harbor-lab", "sms", "2.5"],
        ["harbor-shop", "data-out", "10.085"],
        ["harbor-shop", "sms", "82"],
    ];
    assert_eq!(example_company.costs(), expected);

    // The same days again: what the newer extract leaves out does not count any more.
    let told = example_company.import("usage-corrected.csv");
    assert!(told.contains("5 rows, 1 new, 4 known, 2 of earlier extracts left out"), "{told}");
    let expected = [
        ["harbor-lab", "sms", "2.5"],
        ["harbor-shop", "data-out", "10.085"],
        ["harbor-shop", "sms", "80.6"],
    ];
    assert_eq!(example_company.costs(), expected);
    assert!(example_company.run(&["verify"]).contains("; 0 problems"));
}
