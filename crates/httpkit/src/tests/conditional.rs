//! Entity tags, and changes that are held to them.

use super::{ask, edge, frame, https, text};
use crate::{Group, LookedAt, Path, Refusal, WholeBody, conditional, conditional_here};
use axum::body::Body;
use axum::extract::State;
use axum::{Extension, Router};
use domain::Error;
use http::Request;
use std::pin::pin;
use std::sync::{Arc, Mutex};

type Count = Arc<Mutex<u32>>;

/// One thing, `a`, that counts.
async fn get(State(count): State<Count>, Path(name): Path<String>) -> Result<String, Refusal> {
    match name.as_str() {
        "a" => Ok(format!("a is {}", count.lock().unwrap())),
        _ => Err(Error::not_found("thing", name).into()),
    }
}

async fn raise(State(count): State<Count>, Path(_): Path<String>) -> String {
    // A change takes a while, so that another comes in between.
    tokio::task::yield_now().await;
    let mut count = count.lock().unwrap();
    *count += 1;
    format!("a is {count}")
}

fn app() -> Router {
    let count = Count::default();
    let group = Group::new()
        .get("Things_Get", "/things", "/{name}", get)
        .post("Things_Raise", "/things", "/{name}/raise", raise)
        .post("Things_Tidy", "/things", "", async || "tidy")
        .rest("");
    let group = group.within(|routes| conditional(routes, count.clone()));
    https(edge().around(frame().around(group.into_router()).with_state(count)))
}

fn request(verb: &str, uri: &str, header: (&str, &str)) -> Request<Body> {
    Request::builder().method(verb).uri(uri).header(header.0, header.1).body(Body::empty()).unwrap()
}

/// Status, tag and text.
async fn outcome(
    app: &Router,
    verb: &str,
    uri: &str,
    header: (&str, &str),
) -> (u16, String, String) {
    let response = ask(app, request(verb, uri, header)).await;
    let tag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    (response.status().as_u16(), tag.unwrap_or_default(), text(response).await)
}

#[tokio::test]
async fn a_change_is_held_to_the_tag_that_it_names() {
    let app = app();
    let none = ("x-none", "");
    let (status, first, body) = outcome(&app, "GET", "/things/a", none).await;
    assert_eq!((status, body.as_str()), (200, "a is 0"));
    let check = async |tag: &str, uri: &str, expected: &str| {
        let (status, _, body) = outcome(&app, "POST", uri, ("if-match", tag)).await;
        let shown = format!("{status} {body}");
        assert!(shown.starts_with(expected), "{tag} {uri}: {shown}");
    };
    let changed = r#"412 {"error":{"code":"changed","message":"If-Match: it has changed and is "#;
    let without = r#"412 {"error":{"code":"changed","message":"If-Match: this has no ETag"#;
    check("\"other\"", "/things/a/raise", changed).await;
    check(&format!("W/{first}"), "/things/a/raise", changed).await;
    check(&first, "/things", without).await;
    check(&first, "/things/b/raise", r#"404 {"error":{"code":"not_found""#).await;
    check(&format!("\"other\", {first}"), "/things/a/raise", "200 a is 1").await;
    check(&first, "/things/a/raise", changed).await;
    check("*", "/things/a/raise", "200 a is 2").await;
    assert_eq!(outcome(&app, "POST", "/things/a/raise", none).await.2, "a is 3");
    let (_, tag, _) = outcome(&app, "GET", "/things/a", none).await;
    assert_ne!(tag, first);
    let known = outcome(&app, "GET", "/things/a", ("if-none-match", &tag)).await;
    assert_eq!(known, (304, tag.clone(), String::new()));
    assert_eq!(outcome(&app, "GET", "/things/a", ("if-none-match", &first)).await.0, 200);
}

#[tokio::test]
async fn of_two_changes_by_one_tag_one_is_made() {
    let app = app();
    let (_, tag, _) = outcome(&app, "GET", "/things/a", ("x-none", "")).await;
    let one = || outcome(&app, "POST", "/things/a/raise", ("if-match", &tag));
    let (first, second) = tokio::join!(one(), one());
    let mut statuses = [first.0, second.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let (_, _, body) = outcome(&app, "GET", "/things/a", ("x-none", "")).await;
    assert_eq!(body, "a is 1");
}

/// Raises it at the version that it was looked at, if it was.
async fn put(
    State(count): State<Count>,
    Path(_): Path<String>,
    looked_at: Option<Extension<LookedAt>>,
    WholeBody(_): WholeBody,
) -> Result<String, Refusal> {
    tokio::task::yield_now().await;
    let mut count = count.lock().unwrap();
    if looked_at.is_some_and(|Extension(LookedAt(version))| version != u64::from(*count)) {
        return Err(Error::Overtaken.into());
    }
    *count += 1;
    Ok(format!("a is {count}"))
}

/// As [`app`], changed at the address itself.
fn app_here() -> Router {
    let count = Count::default();
    let group = Group::new()
        .get("Things_Get", "/things", "/{name}", get)
        .put("Things_Put", "/things", "/{name}", put)
        .post("Things_Raise", "/things", "/{name}/raise", raise);
    let newest = count.clone();
    let group = group.within(|routes| {
        conditional_here(routes, count.clone(), move || {
            let newest = u64::from(*newest.lock().unwrap());
            Box::pin(async move { Ok(newest) })
        })
    });
    https(edge().around(frame().around(group.into_router()).with_state(count)))
}

#[tokio::test]
async fn a_change_at_the_address_itself_is_held_to_the_tag_there() {
    let app = app_here();
    let (_, first, _) = outcome(&app, "GET", "/things/a?v=1", ("x-none", "")).await;
    let check = async |verb: &str, uri: &str, expected: &str| {
        let (status, _, body) = outcome(&app, verb, uri, ("if-match", &first)).await;
        let shown = format!("{status} {body}");
        assert!(shown.starts_with(expected), "{verb} {uri}: {shown}");
    };
    let changed = r#"412 {"error":{"code":"changed","message":"If-Match: it has changed and is "#;
    check("PUT", "/things/b?v=1", r#"404 {"error":{"code":"not_found""#).await;
    check("PUT", "/things/a?v=1&$expand=all", "200 a is 1").await;
    check("PUT", "/things/a?v=1", changed).await;
    // What is no change of one thing is held to nothing.
    check("POST", "/things/a/raise", "200 a is 2").await;
}

#[tokio::test]
async fn of_two_changes_of_one_version_the_second_looks_again() {
    let app = app_here();
    let (_, tag, _) = outcome(&app, "GET", "/things/a", ("x-none", "")).await;
    let one = || outcome(&app, "PUT", "/things/a", ("if-match", &tag));
    let (first, second) = tokio::join!(one(), one());
    let mut statuses = [first.0, second.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    // Any tag will do: both are made, one after the other.
    let any = || outcome(&app, "PUT", "/things/a", ("if-match", "*"));
    let (first, second) = tokio::join!(any(), any());
    assert_eq!([first.0, second.0], [200, 200]);
    assert_eq!(outcome(&app, "GET", "/things/a", ("x-none", "")).await.2, "a is 3");
}

#[tokio::test]
async fn who_is_slow_to_send_holds_up_nobody() {
    for (app, verb, uri) in [(app(), "POST", "/things/a/raise"), (app_here(), "PUT", "/things/a")] {
        let (_, tag, _) = outcome(&app, "GET", "/things/a", ("x-none", "")).await;
        let never = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let slow = Request::builder().method(verb).uri(uri).header("if-match", &tag);
        let mut slow = pin!(ask(&app, slow.body(Body::from_stream(never)).unwrap()));
        for _ in 0..9 {
            assert!(futures::poll!(slow.as_mut()).is_pending());
        }
        let (status, _, body) = outcome(&app, verb, uri, ("if-match", &tag)).await;
        assert_eq!((status, body.as_str()), (200, "a is 1"), "{verb}");
    }
}
