//! A place of its own in the PostgreSQL that tests share.

use ::postgres::{Client, NoTls};
use std::io::Write;

/// A schema that is gone with its value.
pub(crate) struct Schema {
    server: String,
    name: String,
    /// Where books that are kept in it are found.
    pub(crate) url: String,
}

/// A fresh schema at `DATABASE_URL`, else on this machine.
///
/// Where there is no server the test says so aloud; under `CI=true` that is a failure.
pub(crate) fn on_postgres(what: &str) -> Option<Schema> {
    let here = || "postgres://postgres@127.0.0.1:5432/postgres".to_owned();
    let server = std::env::var("DATABASE_URL").unwrap_or_else(|_| here());
    let name = format!("reckoner_{what}_{}", std::process::id());
    if !told(&server, &format!("CREATE SCHEMA {name}")) {
        writeln!(std::io::stderr(), "LEFT OUT on PostgreSQL (no server at DATABASE_URL): {what}")
            .expect("standard error takes text");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no PostgreSQL under CI");
        return None;
    }
    let glue = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{glue}options=-csearch_path%3D{name}");
    Some(Schema { server, name, url })
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

impl Drop for Schema {
    fn drop(&mut self) {
        told(&self.server, &format!("DROP SCHEMA {} CASCADE", self.name));
    }
}
