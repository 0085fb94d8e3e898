//! Entity tags, and changes that are held to them.

use super::{ask, edge, frame, https, text};
use crate::{Excerpt, Group, LookedAt, Path, Refusal, WholeBody, conditional, conditional_here};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::{Extension, Router};
use domain::Error;
use http::Request;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

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

/// The count only where it is asked for.
async fn part(State(count): State<Count>, RawQuery(query): RawQuery) -> Excerpt<Vec<u32>> {
    let whole = vec![*count.lock().unwrap()];
    let shown = query.map_or_else(Vec::new, |_| whole.clone());
    Excerpt { shown, whole }
}

fn app_here() -> Router {
    app_overtaken(0)
}

/// As [`app`], changed at the address itself; others are faster so many times.
fn app_overtaken(times: u32) -> Router {
    let count = Count::default();
    let group = Group::new()
        .get("Things_Get", "/things", "/{name}", get)
        .put("Things_Put", "/things", "/{name}", put)
        .get("Parts_Get", "/parts", "/{name}", part)
        .put("Parts_Put", "/parts", "/{name}", put)
        .post("Things_Raise", "/things", "/{name}/raise", raise);
    let (newest, looks) = (count.clone(), AtomicU32::new(0));
    let group = group.within(|routes| {
        conditional_here(routes, count.clone(), move || {
            let is_overtaken = looks.fetch_add(1, Ordering::Relaxed) < times;
            let newest = u64::from(*newest.lock().unwrap());
            Box::pin(async move { Ok(if is_overtaken { u64::MAX } else { newest }) })
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
async fn a_change_is_held_to_what_an_excerpt_leaves_out() {
    let app = app_here();
    let get =
        async |uri: &str, known: &str| outcome(&app, "GET", uri, ("if-none-match", known)).await;
    let put = async |tag: &str| outcome(&app, "PUT", "/parts/a", ("if-match", tag)).await.0;
    let (part, whole) = ("/parts/a", "/parts/a?$expand=count");
    for (uri, count) in [(part, 0), (whole, 2)] {
        let (status, tag, _) = get(uri, "").await;
        assert_eq!(status, 200, "{uri}");
        assert_eq!(get(uri, &format!("\"other\", W/{tag}")).await.0, 304, "{uri}");
        // One tag is not the other: the answers differ.
        let (_, other, _) = get(if uri == part { whole } else { part }, "").await;
        assert_eq!(get(uri, &other).await.0, 200, "{uri}");
        assert_eq!(put(&format!("W/{tag}")).await, 412, "{uri}");
        assert_eq!(put(&tag).await, 200, "{uri}");
        assert_eq!([put(&tag).await, put(&other).await], [412, 412], "{uri}");
        assert_eq!(put(&get(uri, "").await.1).await, 200, "{uri}");
        assert_eq!(get(whole, "").await.2, format!("[{}]", count + 2));
        assert_eq!(get(part, &tag).await.2, "[]");
    }
}

#[tokio::test]
async fn a_thing_is_made_where_nothing_is() {
    let app = app_here();
    let (_, tag, _) = outcome(&app, "GET", "/things/a", ("x-none", "")).await;
    let check = async |verb: &str, uri: &str, tag: &str, expected: &str| {
        let (status, _, body) = outcome(&app, verb, uri, ("if-none-match", tag)).await;
        let shown = format!("{status} {body}");
        assert!(shown.starts_with(expected), "{verb} {uri} {tag}: {shown}");
    };
    let there = r#"412 {"error":{"code":"changed","message":"If-None-Match: this is there, as "#;
    check("PUT", "/things/a", "*", there).await;
    check("PUT", "/things/a", &tag, there).await;
    check("PUT", "/things/a", &format!("W/{tag}"), there).await;
    check("PUT", "/things/b", "*", "200 a is 1").await;
    check("PUT", "/things/a", &tag, "200 a is 2").await;
    check("POST", "/things/a/raise", "*", "200 a is 3").await;
}

#[tokio::test]
async fn who_is_overtaken_often_looks_again() {
    let app = app_overtaken(100);
    let (_, tag, _) = outcome(&app, "GET", "/things/a", ("x-none", "")).await;
    let (status, _, body) = outcome(&app, "PUT", "/things/a", ("if-match", &tag)).await;
    assert_eq!((status, body.as_str()), (200, "a is 1"));
}

#[tokio::test(start_paused = true)]
async fn who_is_always_overtaken_is_refused_at_last() {
    let app = app_overtaken(u32::MAX);
    let mut put = pin!(outcome(&app, "PUT", "/things/a", ("if-match", "*")));
    let (status, ..) = loop {
        if let Poll::Ready(told) = futures::poll!(put.as_mut()) {
            break told;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    };
    assert_eq!(status, 409);
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
