//! One suite, run on SQLite and on PostgreSQL.

mod answers;
mod backups;
mod books;
mod broken;
mod callbacks;
mod catalogue;
mod jobs;
mod ledgers;
mod log_places;
mod races;
mod schema;
mod sessions;
mod usage_queries;

use crate::pool::connect;
use crate::sqlite::Role;
use crate::{NewFact, Note, Store, StorePlace};
use calendar::Instant;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// A fresh place for books, gone with the test.
pub(crate) struct Fresh {
    pub(crate) place: StorePlace,
    _folder: Option<TempDir>,
    schema: Option<String>,
}

/// Runs a rule on a fresh place of each kind.
pub(crate) fn on_both(rule: impl Fn(&Fresh)) {
    rule(&Fresh::sqlite());
    on_postgres(rule);
}

/// Runs a rule on a fresh place in PostgreSQL, or says aloud that it is left out.
pub(crate) fn on_postgres(rule: impl Fn(&Fresh)) {
    match server() {
        Some(url) => rule(&Fresh::postgres(url)),
        None => {
            // Past the test harness, which swallows what a passing test prints.
            let rule = std::thread::current().name().unwrap_or("a rule").to_owned();
            let told = format!("LEFT OUT on PostgreSQL (no server at DATABASE_URL): {rule}\n");
            std::io::stderr().write_all(told.as_bytes()).expect("standard error takes text");
            let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!ci, "under CI=true nothing may be left out");
        }
    }
}

fn server() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let url = std::env::var("DATABASE_URL")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
        postgres::Client::connect(&url, postgres::NoTls).is_ok().then_some(url)
    });
    found.as_deref()
}

impl Fresh {
    pub(crate) fn sqlite() -> Fresh {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let place = StorePlace::Sqlite(folder.path().join("books.db"));
        Fresh { place, _folder: Some(folder), schema: None }
    }

    fn postgres(url: &str) -> Fresh {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::SeqCst);
        let schema = format!("reckoner_test_{}_{number}", std::process::id());
        admin(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"));
        let glue = if url.contains('?') { '&' } else { '?' };
        let place =
            format!("{url}{glue}options=-csearch_path%3D{schema}&application_name={schema}");
        Fresh { place: StorePlace::Postgres(place), _folder: None, schema: Some(schema) }
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.place).expect("the books open")
    }

    /// Changes the books behind the store's back.
    pub(crate) fn tamper(&self, sql: &str) {
        let mut connection = connect(&self.place, Role::Writer).expect("the books can be reached");
        connection.script(sql).expect("the tampering is sound SQL");
    }

    /// Ends every connection to these books, as a failing network would, and waits for it.
    pub(crate) fn cut(&self) {
        let name = self.schema.as_deref().expect("only PostgreSQL can be cut off");
        admin(&format!(
            "DO $$ BEGIN
                PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                WHERE application_name = '{name}';
            END $$"
        ));
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(schema) = &self.schema {
            self.cut();
            admin(&format!("DROP SCHEMA {schema} CASCADE"));
        }
    }
}

fn admin(sql: &str) {
    let url = server().expect("the server was there a moment ago");
    let mut client = postgres::Client::connect(url, postgres::NoTls).expect("the server answers");
    client.batch_execute(sql).expect("the administrator's SQL is sound");
}

pub(crate) fn at(seconds: i64) -> Instant {
    Instant::EPOCH.plus_seconds(1_772_000_000 + seconds)
}

pub(crate) fn note(reason: &str) -> Note {
    Note {
        actor: "ada".to_owned(),
        reason: reason.to_owned(),
        request_id: "request-1".to_owned(),
        at: at(0),
    }
}

pub(crate) fn fact(key: &str) -> NewFact {
    NewFact {
        kind: "meter".to_owned(),
        key: key.to_owned(),
        effective_from: at(60),
        body: format!(r#"{{"name":"{key}"}}"#),
    }
}
