//! Where a test's books are kept: what whole-program tests state holds on each store.

use postgres::{Client, NoTls, SimpleQueryMessage};
use rusqlite::Connection;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// The store of a test's books.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Books {
    Sqlite,
    Postgres,
}

/// A schema of its own in the PostgreSQL that tests share; gone with its value.
pub(crate) struct Schema {
    server: String,
    name: String,
    /// Where books that are kept in it are found.
    pub(crate) url: String,
}

/// An installation's directory, and the schema of its books if they are not in that.
pub(crate) type WhereBooksAre<'a> = (&'a Path, Option<&'a Schema>);

/// Changes books behind the program's back.
fn tell((directory, schema): WhereBooksAre<'_>, of_postgres: &str, of_sqlite: &str) {
    match schema {
        Some(schema) => schema.tell(of_postgres),
        None => {
            let connection = Connection::open(directory.join("data/books.db")).expect("the books");
            let collated = connection.create_collation("C", |a, b| a.cmp(b));
            collated.expect("a collation");
            connection.execute_batch(of_sqlite).expect("sound words");
        }
    }
}

/// Makes books refuse facts that hold a word: a fault that no job has by itself.
pub(crate) fn refuse(books: WhereBooksAre<'_>, word: &str) {
    let of_postgres = format!(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.body LIKE '%{word}%' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON facts FOR EACH ROW EXECUTE FUNCTION refuse()"
    );
    let of_sqlite = format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON facts WHEN NEW.body LIKE '%{word}%'
        BEGIN SELECT RAISE(ABORT, 'refused'); END"
    );
    tell(books, &of_postgres, &of_sqlite);
}

pub(crate) fn refuse_no_more(books: WhereBooksAre<'_>) {
    tell(books, "DROP TRIGGER refuse ON facts", "DROP TRIGGER refuse");
}

/// Leaves the jobs that run their last try.
pub(crate) fn try_but_once_more(books: WhereBooksAre<'_>) {
    let but_one = "UPDATE jobs SET tries = 7 WHERE state = 'running'";
    tell(books, but_one, but_one);
}

impl Books {
    /// A fresh place in PostgreSQL; none for books in SQLite, which lie in the data directory.
    pub(crate) fn schema(self) -> Option<Schema> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        if matches!(self, Books::Sqlite) {
            return None;
        }
        let (server, nth) = (server(), MADE.fetch_add(1, Ordering::Relaxed));
        let name = format!("reckoner_it_{}_{nth}", std::process::id());
        assert!(told(&server, &format!("CREATE SCHEMA {name}")), "PostgreSQL went away");
        let glue = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{glue}options=-csearch_path%3D{name}");
        Some(Schema { server, name, url })
    }

    /// Whether the store can be had here. Where there is no PostgreSQL the test says so aloud;
    /// under `CI=true` that is a failure.
    pub(crate) fn can_be_had(self, rule: &str) -> bool {
        let is_there = matches!(self, Books::Sqlite) || told(&server(), "");
        if !is_there {
            writeln!(std::io::stderr(), "LEFT OUT on PostgreSQL (none at DATABASE_URL): {rule}")
                .expect("standard error takes text");
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no PostgreSQL under CI");
        }
        is_there
    }
}

/// States a rule, a function of [`Books`], as one test on each store.
macro_rules! on_each_store {
    ($rule:ident) => {
        mod $rule {
            use crate::books::Books;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$rule(Books::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgresql() {
                if Books::Postgres.can_be_had(stringify!($rule)) {
                    super::$rule(Books::Postgres).await;
                }
            }
        }
    };
}
pub(crate) use on_each_store;

fn server() -> String {
    let here = || "postgres://postgres@127.0.0.1:5432/postgres".to_owned();
    std::env::var("DATABASE_URL").unwrap_or_else(|_| here())
}

/// Whether there is a server; tells it something.
fn told(server: &str, words: &str) -> bool {
    let tell = || -> bool {
        let Ok(mut client) = Client::connect(server, NoTls) else { return false };
        client.batch_execute(words).expect("sound words");
        true
    };
    // The client runs a runtime of its own, which must not stand inside a test's.
    std::thread::scope(|scope| scope.spawn(tell).join().expect("no panic"))
}

impl Schema {
    /// Changes the books behind the program's back.
    pub(crate) fn tell(&self, words: &str) {
        let words = format!("SET search_path TO {}; {words}", self.name);
        assert!(told(&self.server, &words), "PostgreSQL went away");
    }
}

impl Schema {
    /// The first column of each row of an answer; rows without one are left out.
    pub(crate) fn ask(&self, words: &str) -> Vec<String> {
        // What changes on a disk asks no foreign key.
        let alone = "SET session_replication_role = replica";
        let words = format!("SET search_path TO {}; {alone}; {words}", self.name);
        let ask = || {
            let mut client = Client::connect(&self.server, NoTls).expect("PostgreSQL went away");
            let first = |message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            };
            client
                .simple_query(&words)
                .expect("sound words")
                .into_iter()
                .filter_map(first)
                .collect()
        };
        std::thread::scope(|scope| scope.spawn(ask).join().expect("no panic"))
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        told(&self.server, &format!("DROP SCHEMA {} CASCADE", self.name));
    }
}
