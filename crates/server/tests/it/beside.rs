//! Commands beside a running server: they say that it runs, and what to do.

use crate::books::{Books, on_each_store};
use crate::installation::{Installation, text};

const DECLARED: &str = r#"
[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

async fn a_command_beside_a_server_says_that_one_runs(books: Books) {
    let installation = Installation::new(books, "USD", DECLARED);
    let file = installation.file("usage.csv", "");
    let company = installation.beside("company");
    let server = installation.serve(&[]);
    let data = installation.data();
    let key = ["key", "--principal", "p", "--billing-account", "acme", "--source", "gate"];
    let commands: [&[&str]; 7] = [
        &["query", "--from", "2026-01-01", "--until", "2026-02-01", "--group-by", "meter"],
        &["explain", "--billing-account", "acme"],
        &["quarantine"],
        &["conflicts", "--billing-account", "acme"],
        &["apply", "--yes", text(&company)],
        &["import", "--yes", "--source", "gate", text(&file)],
        &key,
    ];
    for command in commands {
        let said = installation.refused(command);
        let expected = format!(
            "a server or another command runs on {}; stop it, or ask the server over HTTP, below \
             /admin/v1",
            data.display()
        );
        assert!(said.contains(&expected), "{}: {said}", command[0]);
        assert!(!said.contains("append"), "{}: nothing was appended: {said}", command[0]);
    }
    server.stop();
    installation.run(&["quarantine"]);
}

on_each_store!(a_command_beside_a_server_says_that_one_runs);
