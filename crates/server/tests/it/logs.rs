//! What the program says while it serves: by default one line for each request, with its id.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use serde_json::Value;

async fn each_request_has_a_line_with_its_id(books: Books) {
    let installation = Installation::new(books, "USD", "");
    let server = installation.serve(&[]);
    let answer = server.get("/admin/v1/keys?canary=1", None).send().await.expect("an answer");
    assert_eq!(answer.status(), 401);
    let id = answer.headers()["x-ms-request-id"].to_str().expect("text").to_owned();
    let said = server.stop_and_tell();
    let lines: Vec<Value> =
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_it: Vec<&Value> = lines.iter().filter(|line| line.to_string().contains(&id)).collect();
    let [line] = of_it.as_slice() else { panic!("one line has the id {id}:\n{said}") };
    assert_eq!(line["target"], "access");
    assert_eq!(line["fields"]["path"], "/admin/v1/keys");
    assert_eq!(line["fields"]["status"], 401);
    assert!(!said.contains("canary"), "{said}");
}

on_each_store!(each_request_has_a_line_with_its_id);
