//! What the documents show: the example costs what its README says, and what stands in
//! `docs/*.md` as TOML is read.

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
    fn new(books: Books) -> Example {
        let directory = tempfile::tempdir().expect("a directory");
        Example { directory, schema: books.schema() }
    }

    /// Declares a directory of company files; gives the plan that was shown.
    fn apply(&self, company: &Path) -> String {
        self.run(&["apply", "--yes", text(company)])
    }

    /// A file beside the data.
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    fn run(&self, arguments: &[&str]) -> String {
        let data = self.directory.path().join("data");
        let mut settings = vec![("RECKONER_DATA_DIR", text(&data))];
        settings.extend(self.schema.iter().map(|schema| ("RECKONER_STORE", schema.url.as_str())));
        program::run(arguments, &settings)
    }

    /// Imports a file as the whole of its month; gives the effect that was shown.
    fn import(&self, mapping: &Path, file: &Path) -> String {
        let own = ["import", "--yes", "--source", "metering", "--period", "2026-03"];
        self.run(&[own.as_slice(), &["--mapping", text(mapping), text(file)]].concat())
    }

    /// What is paid by two things that charges can be grouped by.
    fn costs(&self, by: [&str; 2]) -> Vec<[String; 3]> {
        let group_by = by.join(",");
        let own = ["query", "--json", "--period", "2026-03", "--group-by", &group_by];
        let rows: Vec<Value> = serde_json::from_str(&self.run(&own)).expect("JSON");
        let told = |row: &Value, name: &str| match &row[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let cells = |row| [by[0], by[1], "cost"].map(|name| told(row, name));
        rows.iter().map(cells).collect()
    }
}

/// A place in the tree.
fn tree(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// The TOML that stands in a document, all of it together.
fn toml_of(document: &str) -> String {
    let content = std::fs::read_to_string(tree(document)).expect("a document");
    let blocks = content.split("```toml\n").skip(1);
    let blocks: String = blocks.filter_map(|block| block.split("```").next()).collect();
    assert!(!blocks.is_empty(), "{document} shows TOML");
    blocks
}

on_each_store!(the_example_company_costs_what_its_readme_says);
async fn the_example_company_costs_what_its_readme_says(books: Books) {
    let example = Example::new(books);
    let company = tree("examples/company");
    assert!(example.apply(&company).contains("39 to change, 0 unchanged"));
    assert!(example.apply(&company).contains("0 to change, 39 unchanged"));

    let (mapping, usage) = (tree("examples/usage/mapping.toml"), tree("examples/usage"));
    let told = example.import(&mapping, &usage.join("usage.csv"));
    assert!(told.contains("6 rows, 6 new, 0 known, 0 of earlier extracts left out"), "{told}");
    let expected = [
        ["harbor-lab", "data-out", "0"],
        ["harbor-lab", "sms", "2.5"],
        ["harbor-shop", "data-out", "10.085"],
        ["harbor-shop", "sms", "82"],
    ];
    assert_eq!(example.costs(["subscription", "meter"]), expected);

    // The same days again: what the newer extract leaves out does not count any more.
    let told = example.import(&mapping, &usage.join("usage-corrected.csv"));
    assert!(told.contains("5 rows, 1 new, 4 known, 2 of earlier extracts left out"), "{told}");
    let expected = [
        ["harbor-lab", "sms", "2.5"],
        ["harbor-shop", "data-out", "10.085"],
        ["harbor-shop", "sms", "80.6"],
    ];
    assert_eq!(example.costs(["subscription", "meter"]), expected);
    assert!(example.run(&["verify"]).contains("; 0 problems"));
}

on_each_store!(the_toml_of_the_documents_is_read);
async fn the_toml_of_the_documents_is_read(books: Books) {
    let shown = Example::new(books);
    let company = shown.directory.path().join("company");
    std::fs::create_dir(&company).expect("a directory");
    std::fs::write(company.join("all.toml"), toml_of("docs/company-files.md")).expect("a file");
    let plan = shown.apply(&company);
    assert!(plan.contains(" to change, 0 unchanged") && !plan.starts_with("0 "), "{plan}");

    let config = shown.file("configuration", &toml_of("docs/configuration.md"));
    shown.run(&["verify", "--config", text(&config)]);

    shown.apply(&tree("examples/company"));
    let mapping = shown.file("mapping", &toml_of("docs/mapping-files.md"));
    let usage = "day;project;metric;amount;kind;cost;country;team;exported\n\
                 2.3.2026;harbor-shop;data-out;60500;Use;;DE;web;1.4.2026\n\
                 31.3.2026;harbor-shop;data-out;;VAT;4.20;;;1.4.2026\n";
    shown.import(&mapping, &shown.file("usage.csv", usage));
    let expected = [
        ["tax", "passed_through", "4.2"],
        ["usage", "included", "0"],
        ["usage", "unused", "0"],
        ["usage", "usage", "4.995"],
    ];
    assert_eq!(shown.costs(["category", "kind"]), expected);
}
