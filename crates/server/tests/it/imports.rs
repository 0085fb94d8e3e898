//! Imports: what the plan says, what waits, and what refuses a whole file.

use crate::books::{Books, on_each_store};
use crate::in_process;
use crate::installation::{Installation, text};

const SOURCE: &str = r#"
[[source]]
name = "files"
billing_accounts = ["acme"]
"#;

const MAPPING: &str = r#"
[columns]
subscription = "Who"
meter = "What"
quantity = "Many"
start = "When"

[constants]
unit = "Hours"
currency = "USD"
"#;

const HEAD: &str = "Who,What,Many,When\n";
const SOUND: &str = "shop,hours,2,2026-03-01T10:00:00Z\nshop,hours,3,2026-03-02T10:00:00Z\n";

struct Files {
    installation: Installation,
    mapping: std::path::PathBuf,
}

impl Files {
    fn new(books: Books) -> Files {
        let installation = Installation::new(books, "USD", &[in_process::SHOP, SOURCE].concat());
        let mapping = installation.file("mapping.toml", MAPPING);
        Files { installation, mapping }
    }

    fn arguments<'a>(&'a self, file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let own = ["import", file, "--source", "files", "--mapping", text(&self.mapping)];
        [own.as_slice(), more].concat()
    }

    fn run(&self, rows: &str, more: &[&str]) -> String {
        let file = self.installation.file("usage.csv", &format!("{HEAD}{rows}"));
        self.installation.run(&self.arguments(text(&file), more))
    }

    fn refused(&self, rows: &str, more: &[&str]) -> String {
        let file = self.installation.file("usage.csv", &format!("{HEAD}{rows}"));
        self.installation.refused(&self.arguments(text(&file), more))
    }

    /// Records that are charged, and their quantity.
    fn charged(&self) -> String {
        let rows = self.installation.query("meter");
        let text = |row: &serde_json::Value, name: &str| row[name].as_str().expect(name).to_owned();
        rows.iter()
            .map(|row| format!("{} {}", text(row, "records"), text(row, "quantity")))
            .collect()
    }
}

async fn the_plan_of_an_import_says_how_many_rows_would_wait_and_why(books: Books) {
    let files = Files::new(books);
    let rows = format!(
        "{SOUND}nobody,hours,1,2026-03-01T10:00:00Z\nshop,minutes,1,2026-03-01T10:00:00Z\n\
         shop,hours,1000000000000000.1,2026-03-01T11:00:00Z\n\
         shop,hours,-170141183460469231731,2026-03-01T12:00:00Z\n"
    );
    let account = ["--billing-account", "acme"];
    let plan = files.run(&rows, &[account.as_slice(), &["--plan"]].concat());
    for line in [
        "6 rows, 6 new, 0 known",
        "  1 of the rows would wait in quarantine: no_subscription (subscription)\n",
        "  1 of the rows would wait in quarantine: unknown_meter (meter)\n",
        "  2 of the rows would wait in quarantine: out_of_range (quantity)\n",
    ] {
        assert!(plan.contains(line), "{line}\n{plan}");
    }
    assert_eq!(files.charged(), "", "a plan changes nothing");
    assert_eq!(files.installation.quarantine(), "");

    files.run(&rows, &[account.as_slice(), &["--yes"]].concat());
    assert_eq!(files.charged(), "2 5", "the others are charged");
    let waiting = files.installation.quarantine();
    let count = |reason: &str| waiting.lines().filter(|line| line.ends_with(reason)).count();
    assert_eq!(count(": no_subscription (subscription)"), 1, "{waiting}");
    assert_eq!(count(": unknown_meter (meter)"), 1, "{waiting}");
    assert_eq!(count(": out_of_range (quantity)"), 2, "{waiting}");
    assert_eq!(waiting.lines().count(), 4, "{waiting}");
    let sound = files.run(SOUND, &["--plan"]);
    assert!(!sound.contains("would wait"), "{sound}");
}

on_each_store!(the_plan_of_an_import_says_how_many_rows_would_wait_and_why);

async fn a_row_that_cannot_be_read_or_placed_refuses_the_whole_file(books: Books) {
    let files = Files::new(books);
    let check = |rows: &str, expected: &[&str]| {
        let told = files.refused(&format!("{SOUND}{rows}"), &["--yes"]);
        for words in expected {
            assert!(told.contains(words), "{words}\n{told}");
        }
        assert_eq!(files.charged(), "", "bad input changes nothing");
        assert_eq!(files.installation.quarantine(), "");
    };
    check("shop,hours,many,2026-03-01T10:00:00Z\n", &["usage.csv: ", "many"]);
    check("shop,hours,1,yesterday\n", &["usage.csv: ", "yesterday"]);
    check(
        "nobody,hours,1,2026-03-01T10:00:00Z\n",
        &["usage.csv: ", "--billing-account", "nobody pays for subscription `nobody`"],
    );
}

on_each_store!(a_row_that_cannot_be_read_or_placed_refuses_the_whole_file);
