//! Facts about groups, frame and edge, asked in process.

mod conditional;
mod edge;
mod pieces;

use crate::{Authenticate, Edge, Forwarded, Frame, Gate, Scheme, Sizes, plain};
use axum::body::Body;
use axum::{Extension, Router};
use domain::Error;
use domain::access::Caller;
use domain::ids::PrincipalId;
use futures::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;
use uuid::Uuid;

/// Small limits: bodies of 16 bytes, addresses of 64, headers of 256, two at once.
fn frame() -> Frame {
    let (timeout, long_timeout) = (Duration::from_secs(60), Duration::from_secs(3_600));
    let sizes = Sizes { body_most_bytes: 16, url_most_bytes: 64, headers_most_bytes: 256 };
    Frame { render: plain, timeout, long_timeout, sizes, gate: Gate::new(2) }
}

/// An edge that knows `Bearer alice` and numbers its requests alike.
fn edge() -> Edge {
    Edge {
        render: plain,
        authenticate: Authenticate::new(|shown| {
            async move {
                let problem = "who is that".to_owned();
                match shown.header.as_deref() {
                    Some("Bearer alice") => Ok(Caller::Principal(PrincipalId::new("alice")?)),
                    _ => Err(Error::Unauthenticated { problem }),
                }
            }
            .boxed()
        }),
        new_id: Arc::new(|| Uuid::from_u128(7)),
        elapsed: Arc::new(|| Duration::ZERO),
        rewrites: vec![],
        observe: Arc::new(|_| {}),
        forwarded: Forwarded::Ignored,
    }
}

fn https(router: Router) -> Router {
    router.layer(Extension(Scheme::Https))
}

async fn ask(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).header("host", "reckoner.test:8443").body(Body::empty()).unwrap()
}
