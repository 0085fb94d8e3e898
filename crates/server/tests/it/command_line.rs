//! The command line: what it refuses, it names; what nobody reads any more, it ends quietly.

use crate::books::Books;
use crate::in_process;
use crate::installation::{Installation, text};

const SOURCE: &str = r#"
[[source]]
name = "files"
billing_accounts = ["acme"]
"#;

/// A command, and what its refusal must say.
type Fact = (&'static [&'static str], &'static [&'static str]);

const FACTS: &[Fact] = &[
    (
        &["import", "{usage}", "--source", "nosuch", "--mapping", "{mapping}", "--plan"],
        &["import ", "usage.csv: source: `nosuch` is not declared"],
    ),
    (
        &["import", "{usage}", "--source", "files", "--mapping", "{missing}", "--plan"],
        &["mapping file ", "missing.toml: No such file"],
    ),
    (
        &["import", "{usage}", "--source", "files", "--mapping", "{usage}", "--plan"],
        &["mapping file ", "usage.csv: "],
    ),
    (
        &["import", "{usage}", "--source", "files", "--mapping", "{broken}", "--plan"],
        &["mapping file ", "broken.toml: file: mapping: no dimension `colour`"],
    ),
    (
        &[
            "import",
            "{usage}",
            "--source",
            "files",
            "--mapping",
            "{mapping}",
            "--plan",
            "--from",
            "2026-03-01T13:00:00Z",
            "--until",
            "2026-03-05",
        ],
        &["--from: `2026-03-01T13:00:00Z` is not the start of a UTC day; say 2026-03-01 or"],
    ),
    (&["explain"], &["required arguments were not provided", "--billing-account"]),
    (
        &["query", "--from", "2026-10-01T13:00:00Z", "--until", "2026-10-02"],
        &[
            "--from: `2026-10-01T13:00:00Z` is not the start of a UTC day; say 2026-10-01 or 2026-10-02",
        ],
    ),
    (
        &["query", "--from", "2026-10-01", "--until", "2026-10-02T00:00:00.000001Z"],
        &["--until: `2026-10-02T00:00:00.000001Z` is not the start of a UTC day"],
    ),
    (&["query", "--from", "soon", "--until", "2026-10-02"], &["--from: ", "soon"]),
    (
        &["query", "--group-by", "foo"],
        &[
            "group_by: `foo` is none of day, month, account",
            "of the dimensions traffic_type, direction, sender",
            "location",
        ],
    ),
];

fn installation() -> Installation {
    let installation =
        Installation::new(Books::Sqlite, "USD", &[in_process::SHOP, SOURCE].concat());
    let rows: String =
        (0..5_000).map(|at| format!("shop,hours,{at},2026-03-01T10:00:00Z,user-{at}\n")).collect();
    installation.file("usage.csv", &format!("Who,What,Many,When,By\n{rows}"));
    let mapping = "[columns]\nsubscription = \"Who\"\nmeter = \"What\"\nquantity = \"Many\"\n\
        start = \"When\"\n[constants]\nunit = \"Hours\"\ncurrency = \"USD\"\n[dimensions]\n";
    installation.file("mapping.toml", &format!("{mapping}user = \"By\"\n"));
    installation.file("broken.toml", &format!("{mapping}colour = \"By\"\n"));
    installation
}

/// Names files of the installation: `{usage}` and the like.
fn filled(installation: &Installation, argument: &str) -> String {
    let name = |name: &str| text(&installation.beside(name)).to_owned();
    match argument {
        "{usage}" => name("usage.csv"),
        "{mapping}" => name("mapping.toml"),
        "{broken}" => name("broken.toml"),
        "{missing}" => name("missing.toml"),
        other => other.to_owned(),
    }
}

#[test]
fn what_is_wrong_with_a_command_is_named() {
    let installation = installation();
    let mut wrong = Vec::new();
    for (arguments, expected) in FACTS {
        let arguments: Vec<_> = arguments.iter().map(|one| filled(&installation, one)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let told = installation.refused(&arguments);
        let missing = expected.iter().filter(|words| !told.contains(**words));
        wrong.extend(missing.map(|words| format!("{arguments:?}: no {words}\n{told}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let help = installation.run(&["explain", "--help"]);
    assert!(help.contains("Of which billing account"), "{help}");
    assert!(help.contains("Usage: reckoner explain [OPTIONS]"), "{help}");
    let whole = ["query", "--from", "2026-10-01T00:00:00Z", "--until", "2026-10-02"];
    installation.run(&whole); // a day's first moment is that day
}

#[test]
fn a_reader_that_has_enough_ends_a_query_quietly() {
    let installation = installation();
    let file = |name: &str| installation.beside(name);
    let (usage, mapping) = (file("usage.csv"), file("mapping.toml"));
    installation.import(&usage, &["--source", "files", "--mapping", text(&mapping)]);
    for output in ["table", "csv", "json"] {
        let own = ["query", "--from", "2026-03-01", "--until", "2026-04-01"];
        let arguments = [own.as_slice(), &["--group-by", "user", "--output", output]].concat();
        let whole = installation.run(&arguments);
        assert!(whole.len() > 100_000, "{output} is longer than a pipe holds: {}", whole.len());
        let mut child = installation.piped(&arguments);
        // The reader goes away before the first byte is written.
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{output}: {}\n{told}", ended.status);
        assert!(told.trim().is_empty(), "{output}: {told}");
    }
}

/// What prints to standard output, whatever there is to print.
const PRINTING: &[&[&str]] = &[
    &["explain", "--billing-account", "acme", "--from", "2026-03-01", "--until", "2026-04-01"],
    &["explain", "--billing-account", "acme", "--json"],
    &["quarantine"],
    &["quarantine", "--json"],
    &["quarantine", "--replay"],
    &["conflicts", "--billing-account", "acme", "--json"],
    &["callbacks"],
    &["callbacks", "--json"],
    &["verify"],
    &["apply", "--plan", "{company}"],
    &["apply", "--plan", "--json", "{company}"],
    &["apply", "--yes", "{company}"],
    &["secret"],
    &["key", "--principal", "sender", "--billing-account", "acme", "--source", "files"],
];

#[test]
fn a_reader_that_goes_away_breaks_no_command() {
    let installation = installation();
    let file = |name: &str| installation.beside(name);
    let (usage, mapping) = (file("usage.csv"), file("mapping.toml"));
    installation.import(&usage, &["--source", "files", "--mapping", text(&mapping)]);
    let company = installation.company_path();
    let mut wrong = Vec::new();
    for arguments in PRINTING {
        let given = arguments.iter().map(|one| match *one {
            "{company}" => company.as_str(),
            other => other,
        });
        let given: Vec<&str> = given.collect();
        let mut child = installation.piped(&given);
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&ended.stderr);
        if !ended.status.success() || told.contains("panicked") {
            wrong.push(format!("{}: {}\n{told}", arguments.join(" "), ended.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
