//! Any changed byte of what is closed is found: in every column of the books, in every file.

use crate::books::{Books, Schema, on_each_store};
use crate::closing::{House, USAGE};
use crate::in_process;
use crate::notes::step;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// What closed data stands in.
const FINAL: [&str; 11] = [
    "account_closes",
    "close_links",
    "codes",
    "delivered_corrections",
    "documents",
    "facts",
    "ledger_balances",
    "ledger_entries",
    // On PostgreSQL; beside SQLite the log lies in files.
    "log_groups",
    "number_series",
    "objects",
];

/// What no closed period is computed from, nor shown from.
const NOT_FINAL: [&str; 24] = [
    "api_keys",
    "approvals",
    "audit",
    "budget_notices",
    "budgets",
    "callback_attempts",
    "callback_receivers",
    "callbacks",
    "enterprise_keys",
    "jobs",
    "kept_answers",
    "ledgers",
    "log_shards",
    "requests",
    "schema_migrations",
    "sealed",
    "secrets",
    "sessions",
    "settings",
    "spools",
    "sqlite_sequence",
    "usage_exports",
    "usage_queries",
    "watermarks",
];

/// Columns of [`FINAL`] tables that may change: an object's number, and when it is superseded.
const MAY_CHANGE: [(&str, &str); 2] = [("objects", "id"), ("objects", "retired_at")];

/// The books behind the program's back.
enum Backdoor<'a> {
    Sqlite(Connection),
    Postgres(&'a Schema),
}

impl Backdoor<'_> {
    fn of(house: &House) -> Backdoor<'_> {
        match &house.schema {
            Some(schema) => Backdoor::Postgres(schema),
            None => {
                let path = house.directory.path().join("data/books.db");
                let connection = Connection::open(path).expect("the books");
                let collated = connection.create_collation("C", |a, b| a.cmp(b));
                collated.expect("a collation");
                Backdoor::Sqlite(connection)
            }
        }
    }

    /// The first column of each row of an answer; columns that are null are left out.
    fn ask(&self, words: &str) -> Vec<String> {
        match self {
            Backdoor::Postgres(schema) => schema.ask(words),
            Backdoor::Sqlite(connection) => {
                let mut statement = connection.prepare(words).expect("sound words");
                let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0));
                rows.expect("rows").filter_map(|row| row.expect("a row")).collect()
            }
        }
    }

    fn tables(&self) -> Vec<String> {
        self.ask(match self {
            Backdoor::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE type = 'table'",
            Backdoor::Postgres(_) => {
                "SELECT table_name FROM information_schema.tables
                 WHERE table_schema = current_schema()"
            }
        })
    }

    /// The columns of a table, each with its type.
    fn columns(&self, table: &str) -> Vec<(String, String)> {
        let told = self.ask(&match self {
            Backdoor::Sqlite(_) => {
                format!("SELECT name || ' ' || type FROM pragma_table_info('{table}')")
            }
            Backdoor::Postgres(_) => format!(
                "SELECT column_name || ' ' || data_type FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            ),
        });
        let parts = |text: String| {
            let (name, kind) = text.split_once(' ').expect("a type");
            (name.to_owned(), kind.to_owned())
        };
        told.into_iter().map(parts).collect()
    }

    /// Where a row with something in a column stands.
    fn place(&self, table: &str, column: &str) -> Option<String> {
        let live = if table == "objects" { "AND retired_at IS NULL" } else { "" };
        let wanted = format!("FROM {table} WHERE {column} IS NOT NULL {live} LIMIT 1");
        self.ask(&format!("SELECT CAST({} AS TEXT) {wanted}", self.locator())).pop()
    }

    fn locator(&self) -> &'static str {
        match self {
            Backdoor::Sqlite(_) => "rowid",
            Backdoor::Postgres(_) => "ctid",
        }
    }

    /// Turns a bit of a value over, and the second time back; gives where the row stands then.
    fn turn(&self, table: &str, (column, kind): (&str, &str), place: &str) -> String {
        let c = column;
        let changed = match (kind.to_ascii_lowercase().as_str(), self) {
            // Not the lowest bit: the next number, purpose or key may be another row's.
            ("bigint" | "integer", _) => format!("({c} | 64) - ({c} & 64)"),
            ("text", Backdoor::Postgres(_)) => format!(
                "CASE {c} WHEN '' THEN '!' WHEN '!' THEN ''
                 ELSE left({c}, -1) || chr(ascii(right({c}, 1)) # 4) END"
            ),
            ("text", Backdoor::Sqlite(_)) => format!(
                "CASE {c} WHEN '' THEN '!' WHEN '!' THEN ''
                 ELSE substr({c}, 1, length({c}) - 1)
                     || char((unicode(substr({c}, -1)) | 4) - (unicode(substr({c}, -1)) & 4)) END"
            ),
            ("bytea", _) => format!("set_byte({c}, 0, get_byte({c}, 0) # 64)"),
            ("blob", _) => format!(
                "unhex(substr('45670123CDEF89AB', instr('0123456789ABCDEF', substr(hex({c}), 1, 1)),
                              1) || substr(hex({c}), 2))"
            ),
            (other, _) => panic!("{table}.{column} is {other}"),
        };
        let at = self.locator();
        let words = format!(
            "UPDATE {table} SET {c} = {changed} WHERE {at} = '{place}' RETURNING CAST({at} AS TEXT)"
        );
        self.ask(&words).pop().unwrap_or_else(|| panic!("{table}.{column} at {place}"))
    }
}

/// Two closed months with a payment, credit, void and rebilled invoice, and delivered corrections;
/// written to files.
async fn closed_house(books: Books) -> House {
    let house = House::new(books).await;
    let terms = "[[billing_terms]]\nbilling_account = \"acme\"\nseller = \"reck\"\n\
                 currency = \"USD\"\napproval = \"by_rule\"\nnot_billed_up_to = \"0.50\"\n";
    in_process::declare(&house.reckoner, terms).await;
    house.send(&USAGE).await;
    let steps = ["close 2026-05", "credit 1 n1 1=1", "pay p1 0.50", "late l1 2 2026-05-02"];
    for text in steps.into_iter().chain(["clock 2026-07-05", "close 2026-06"]) {
        step(&house, text).await;
    }
    // What was there before stays; records and rows are in files from here on.
    house.reopened().await
}

async fn a_changed_column_is_found(books: Books) {
    let house = closed_house(books).await;
    assert_eq!(house.verified().await.0, Vec::<String>::new());
    let door = Backdoor::of(&house);
    let there = door.tables();
    for table in &there {
        let is_known = FINAL.contains(&table.as_str()) || NOT_FINAL.contains(&table.as_str());
        assert!(is_known, "{table}: is it final?");
    }
    let (mut turned, mut unseen) = (0, Vec::new());
    for table in FINAL.into_iter().filter(|table| there.iter().any(|there| there == table)) {
        for (column, kind) in door.columns(table) {
            if MAY_CHANGE.contains(&(table, column.as_str())) {
                continue;
            }
            let Some(place) = door.place(table, &column) else {
                panic!("{table}.{column} holds nothing, so that nothing is shown");
            };
            let place = door.turn(table, (&column, &kind), &place);
            // What cannot even be read is found too.
            let found = house.reckoner.verify(&domain::access::Caller::Machine, |_, _, _| {}).await;
            if found.is_ok_and(|checked| checked.problems.is_empty()) {
                unseen.push(format!("{table}.{column}"));
            }
            door.turn(table, (&column, &kind), &place);
            turned += 1;
        }
    }
    assert_eq!(unseen, Vec::<String>::new(), "changed unnoticed");
    assert!(turned > 60, "{turned} columns");
    assert_eq!(house.verified().await.0, Vec::<String>::new(), "all was turned back");
}

on_each_store!(a_changed_column_is_found);

/// Read when the installation is opened.
const MARKERS: [&str; 2] = ["epoch", "shards"];

/// Says whose objects these are: asked before anything is swept, and by nothing else.
const OWNER: &str = "installation";

fn is_marker(file: &Path) -> bool {
    MARKERS.iter().any(|name| file.ends_with(name))
}

/// Every file below a directory, if there is one.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

async fn a_changed_byte_of_a_file_is_found(books: Books) {
    let house = closed_house(books).await;
    let data = house.directory.path().join("data");
    let mut draw = ChaCha8Rng::seed_from_u64(7);
    let (mut tried, mut unseen) = (0, Vec::new());
    let all = [files(&data.join("objects")), files(&data.join("log"))].concat();
    for file in all.iter().filter(|file| !is_marker(file) && !file.ends_with(OWNER)) {
        let whole = std::fs::read(file).expect("a file");
        // What is not written yet is nothing that was closed.
        let written = whole.len() - whole.iter().rev().take_while(|byte| **byte == 0).count();
        if written == 0 {
            continue;
        }
        let drawn = (0..6).map(|_| draw.random_range(0..written)).collect::<Vec<_>>();
        for place in [0, written - 1].into_iter().chain(drawn) {
            let mut changed = whole.clone();
            changed[place] ^= 1 << draw.random_range(0..8);
            std::fs::write(file, &changed).expect("a file");
            let found = house.reckoner.verify(&domain::access::Caller::Machine, |_, _, _| {}).await;
            if found.is_ok_and(|checked| checked.problems.is_empty()) {
                unseen.push(format!("byte {place} of {written} in {}", file.display()));
            }
            tried += 1;
        }
        std::fs::write(file, &whole).expect("a file");
    }
    assert_eq!(unseen, Vec::<String>::new(), "changed unnoticed");
    assert!(tried > 30, "{tried} bytes");
    assert_eq!(house.verified().await.0, Vec::<String>::new(), "all was put back");
    let House { directory, schema, clock, reckoner } = house;
    reckoner.close().await.expect("closed");
    drop(reckoner);
    for marker in all.iter().filter(|file| is_marker(file)) {
        let whole = std::fs::read(marker).expect("a file");
        let mut changed = whole.clone();
        changed[0] ^= 1;
        std::fs::write(marker, &changed).expect("a file");
        let opened = in_process::try_open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
        assert!(opened.is_err(), "opened with another {}", marker.display());
        std::fs::write(marker, &whole).expect("a file");
    }
}

on_each_store!(a_changed_byte_of_a_file_is_found);

/// A roll-up whose bytes are whole and whose row has no checksum, but that was made of other rows.
async fn a_roll_up_that_lies_is_found(books: Books) {
    let house = closed_house(books).await;
    step(&house, "late l2 7 2026-05-03").await;
    let house = house.reopened().await;
    assert_eq!(house.verified().await.0, Vec::<String>::new());
    let door = Backdoor::of(&house);
    let old = "FROM objects WHERE table_name = 'rated_day' AND period = 202605
               AND retired_at IS NOT NULL ORDER BY id DESC LIMIT 1";
    let [bucket, path, facts] = ["CAST(bucket AS TEXT)", "path", "facts"].map(|column| {
        let found = door.ask(&format!("SELECT {column} {old}")).pop();
        found.expect("what was rated before is not swept yet").replace('\'', "''")
    });
    door.ask(&format!("DELETE FROM objects WHERE path = '{path}' RETURNING path"));
    let changed = door.ask(&format!(
        "UPDATE objects SET path = '{path}', facts = '{facts}', checksum = NULL
         WHERE table_name = 'rated_day' AND period = 202605 AND bucket = {bucket}
             AND retired_at IS NULL RETURNING path"
    ));
    assert_eq!(changed.len(), 1);
    drop(door);
    let problems = house.reopened().await.verified().await.0;
    let lies = "it does not come to what its rated rows come to";
    assert!(problems.len() == 1 && problems[0].contains(lies), "{problems:?}");
}

on_each_store!(a_roll_up_that_lies_is_found);
