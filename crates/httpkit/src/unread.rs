//! What is left of a body that nobody read to its end: it is read before the answer goes out. A
//! connection that is closed while its client still sends takes the answer with it.

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use futures::StreamExt;
use futures::stream::{self, Fuse};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// More of a body is not read for its answer's sake, nor for longer: twice the least limit of a
/// surface, so that who is a little above it hears of it.
const MOST_BYTES: usize = 2 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(10);
/// A client of which nothing comes for so long does not send.
const PAUSE: Duration = Duration::from_secs(1);

/// A body that a handler reads, and that can be read on after it.
#[derive(Debug, Clone)]
pub(crate) struct Unread(Arc<Mutex<Fuse<BodyDataStream>>>);

impl Unread {
    /// Stands between a request and its body; none where no body comes, or where its client waits
    /// to be asked for it.
    pub(crate) fn of(request: &mut Request) -> Option<Unread> {
        if !is_coming(request.headers()) {
            return None;
        }
        let body = std::mem::take(request.body_mut());
        let unread = Unread(Arc::new(Mutex::new(body.into_data_stream().fuse())));
        let read = unread.clone();
        let body = stream::poll_fn(move |context| read.stream().poll_next_unpin(context));
        *request.body_mut() = Body::from_stream(body);
        Some(unread)
    }

    fn stream(&self) -> MutexGuard<'_, Fuse<BodyDataStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is left, and keeps nothing of it.
    pub(crate) async fn read(self) {
        let rest = async {
            let mut left = Some(MOST_BYTES);
            while let Some(most) = left {
                let next = poll_fn(|context| self.stream().poll_next_unpin(context));
                let Ok(Some(Ok(bytes))) = timeout(PAUSE, next).await else { break };
                left = most.checked_sub(bytes.len());
            }
        };
        // What comes later is lost with the connection.
        let _ = timeout(LONGEST, rest).await;
    }
}

/// Whether a client sends a body unasked, and none that is too large to be read at all.
fn is_coming(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let is_sent = match length.and_then(|text| text.parse::<usize>().ok()) {
        Some(bytes) => (1..=MOST_BYTES).contains(&bytes),
        None => headers.contains_key(TRANSFER_ENCODING),
    };
    is_sent && !headers.contains_key(EXPECT)
}
