//! Clients that connect and do not come to a request: none is kept for ever, and none holds up the
//! end of the program.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use crate::program::{Server, now};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a URL of the context file points.
fn connect(server: &Server, url: &str) -> TcpStream {
    let url = server.told(url);
    let (_, address) = url.split_once("://").expect("a URL");
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// What the server sends until it closes the connection.
fn until_closed(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection stayed open: {error}"),
    }
    bytes
}

fn say(mut stream: &TcpStream, words: &str) {
    stream.write_all(words.as_bytes()).expect("the connection is open");
}

async fn a_connection_that_does_not_come_to_a_request_is_closed(books: Books) {
    let installation = Installation::new(books, "USD", "");
    let server = installation.serve(&[("RECKONER_HTTP__IDLE_SECONDS", "1")]);
    let silent = [connect(&server, "http_url"), connect(&server, "base_url")];
    let begun = connect(&server, "http_url");
    say(&begun, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    let used = connect(&server, "http_url");
    say(&used, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    let shook = connect(&server, "base_url");
    say(&shook, "\u{16}\u{3}\u{1}");
    for stream in silent.iter().chain([&begun, &shook]) {
        until_closed(stream);
    }
    let answer = String::from_utf8(until_closed(&used)).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    server.stop();
}

on_each_store!(a_connection_that_does_not_come_to_a_request_is_closed);

#[test]
fn a_request_that_runs_may_take_longer_than_the_wait_for_one() {
    let installation = Installation::new(Books::Sqlite, "USD", "");
    let server = installation.serve(&[("RECKONER_HTTP__IDLE_SECONDS", "1")]);
    let slow = connect(&server, "http_url");
    let head = "POST /tenant/oauth2/v2.0/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\n";
    say(&slow, head);
    // Another connection ends after the whole wait, so that more than it is over here too.
    until_closed(&connect(&server, "http_url"));
    until_closed(&connect(&server, "http_url"));
    say(&slow, "a=b");
    let answer = String::from_utf8(until_closed(&slow)).expect("text");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    server.stop();
}

#[test]
fn connections_are_bounded_and_places_are_given_back() {
    let installation = Installation::new(Books::Sqlite, "USD", "");
    let settings = [("RECKONER_HTTP__CONNECTIONS", "2"), ("RECKONER_HTTP__IDLE_SECONDS", "600")];
    let server = installation.serve(&settings);
    let whole = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    let kept = [connect(&server, "http_url"), connect(&server, "http_url")];
    for stream in &kept {
        say(stream, whole);
        let mut begin = [0; 15];
        (&mut &*stream).read_exact(&mut begin).expect("an answer");
        assert_eq!(&begin, b"HTTP/1.1 200 OK");
    }
    assert_eq!(until_closed(&connect(&server, "http_url")), b"", "there is no third place");
    drop(kept);
    let mut tries = 0;
    loop {
        let next = connect(&server, "http_url");
        let asked = (&next).write_all(b"GET /livez HTTP/1.0\r\nHost: a\r\n\r\n");
        if asked.is_ok() && until_closed(&next).starts_with(b"HTTP/1.0 200 OK") {
            break;
        }
        tries += 1;
        assert!(tries < 1_000, "the places are given back");
    }
    server.stop();
}

#[test]
fn the_end_is_not_held_up_by_connections_without_a_request() {
    let installation = Installation::new(Books::Sqlite, "USD", "");
    let settings =
        [("RECKONER_HTTP__IDLE_SECONDS", "600"), ("RECKONER_HTTP__GRACE_SECONDS", "600")];
    let server = installation.serve(&settings);
    let begun = [connect(&server, "http_url"), connect(&server, "http_url")];
    say(&begun[0], "GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    let silent = connect(&server, "base_url");
    let before = now();
    server.stop();
    let took_ms = now().since(before) / 1_000;
    assert!(took_ms < 10_000, "stopping took {took_ms} ms");
    for stream in begun.iter().chain([&silent]) {
        until_closed(stream);
    }
}
