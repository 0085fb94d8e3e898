//! Delivering results of usage queries to the receivers that were named for them.
//!
//! Each try is a task of its own, and only so many go to one receiver at a time, so that one that
//! hangs delays nobody else. What a receiver says is not kept: its status is all that counts.

use crate::deliveries::GroupEntry;
use crate::metrics::Metrics;
use crate::outgoing::{NOT_PUBLIC, Plain, Reachable, receiver};
use crate::telling;
use crate::webhooks::Signer;
use anyhow::{Context, bail};
use axum::body::Bytes;
use calendar::Instant;
use domain::Error;
use futures::StreamExt;
use httpdate::HttpDate;
use httpkit::Elapsed;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Body, Client, RequestBuilder, Response};
use serde::Deserialize;
use service::{
    CallbackAddress, CallbackAnswer, CallbackEnd, CallbackJudge, CallbackLetter, CallbackRules,
    CallbackTried, DueCallback, Reckoner,
};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How often it is looked for callbacks that are due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After how many bytes of an answer's body nobody listens any more: enough for a polite word. What
/// comes in one piece with them is let go with them.
const HEARD_BYTES: usize = 1_024;
/// How long it is listened to.
const HEARD_FOR: Duration = Duration::from_secs(1);
/// How long a try takes at most beside its sending, and listening to the answer: reading a small
/// result.
const BESIDE: Duration = Duration::from_secs(2);
/// How much of a result may be under way without a sign: a portion that is being written, and what
/// both ends of a connection hold by Linux's defaults, 4 MiB and 6 MiB.
const UNSEEN_BYTES: u64 = 11 * 1024 * 1024;
/// What is told of a result that we could not read.
const OURS: &str = "the result cannot be read on our side";
/// The longest time that may be configured for a try.
const TIMEOUT_MOST_S: u64 = 300;

/// The part `callbacks` of the configuration.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Callbacks {
    /// Ranges that may be reached though they are not public.
    allowed_ranges: Vec<String>,
    /// Whether plain http goes to public addresses too.
    allow_http: bool,
    /// Where groups are told.
    pub(crate) groups: Vec<GroupEntry>,
    /// Pauses before each try of a result, the first one too.
    pauses_seconds: Option<Vec<i64>>,
    /// How long a receiver may be silent in one try; the whole try of a large result takes longer,
    /// by its size.
    timeout_seconds: Option<u64>,
    /// Results that are sent to one receiver at once.
    per_receiver: Option<u64>,
    /// Results that one node sends at once.
    at_once: Option<u64>,
}

impl Callbacks {
    /// Which addresses may be reached.
    pub(crate) fn reachable(&self) -> anyhow::Result<Reachable> {
        let plain = if self.allow_http { Plain::Anywhere } else { Plain::NamedRanges };
        Reachable::new(&self.allowed_ranges, plain).context("callbacks.allowed_ranges")
    }

    /// When results are tried, and how many at once.
    pub(crate) fn rules(&self) -> anyhow::Result<CallbackRules> {
        let mut rules = CallbackRules::default();
        if let Some(pauses_s) = &self.pauses_seconds {
            rules.schedule = domain::usage_queries::CallbackSchedule::new(pauses_s.clone())
                .context("callbacks.pauses_seconds")?;
        }
        rules.timeout_s = self.timeout_seconds.unwrap_or(rules.timeout_s);
        rules.per_receiver = self.per_receiver.unwrap_or(rules.per_receiver);
        rules.at_once = self.at_once.unwrap_or(rules.at_once);
        if !(1..=TIMEOUT_MOST_S).contains(&rules.timeout_s) {
            bail!("callbacks.timeout_seconds: must be from 1 to {TIMEOUT_MOST_S}");
        }
        if rules.per_receiver == 0 || rules.at_once == 0 {
            bail!("callbacks.per_receiver and callbacks.at_once: must be at least 1");
        }
        Ok(rules)
    }
}

/// Judges the addresses that results shall be sent to.
pub(crate) fn judge(reachable: Reachable) -> CallbackJudge {
    Arc::new(move |text: &str| {
        let address =
            |url: url::Url| CallbackAddress { receiver: receiver(&url), url: url.to_string() };
        reachable.judge(text).map(address)
    })
}

/// Who delivers results.
pub(crate) struct ResultCourier {
    reachable: Reachable,
    client: Client,
    rules: CallbackRules,
    at_once: usize,
}

impl ResultCourier {
    /// Reads the configuration.
    pub(crate) fn new(
        reachable: Reachable,
        rules: &CallbackRules,
    ) -> anyhow::Result<ResultCourier> {
        let timeout = Duration::from_secs(rules.timeout_s);
        let client = reachable.client(timeout).context("make a client for results")?;
        let at_once = usize::try_from(rules.at_once).unwrap_or(usize::MAX);
        Ok(ResultCourier { reachable, client, rules: rules.clone(), at_once })
    }

    /// Sends a result once.
    ///
    /// Errors: where it cannot be read, which is not the receiver's fault; they name no address.
    async fn send(
        &self,
        reckoner: &Reckoner,
        due: &DueCallback,
        elapsed: &Elapsed,
    ) -> anyhow::Result<CallbackAnswer> {
        // No resolver is asked for a literal address; and what was allowed once may not be now.
        let url = match self.reachable.judge(&due.url) {
            Ok(url) => url,
            Err(problem) => return Ok(CallbackAnswer::None(format!("its address {problem}"))),
        };
        let (begun, now_s) = (elapsed(), reckoner.system_now().seconds());
        // The claim must not end before the try.
        let most = Duration::from_secs(self.rules.try_most_s(due.size_bytes()));
        let most = most.saturating_add(BESIDE);
        let signing = async {
            let letter = reckoner.callback_letter(due).await?;
            signed(&letter, &due.id, now_s).await
        };
        // The receiver's time begins when there is something to send.
        let signed = tokio::time::timeout(most, signing).await.context("it was read too slowly")?;
        let Signed { signature, size_bytes, body, taken } = signed?;
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, size_bytes)
            .header("webhook-id", &due.id)
            .header("webhook-timestamp", now_s.to_string())
            .header("webhook-signature", signature)
            .body(body);
        let silence = Duration::from_secs(self.rules.try_most_s(size_bytes.min(UNSEEN_BYTES)));
        let left = most.saturating_sub(elapsed().saturating_sub(begun));
        match tokio::time::timeout(left, answered(request, &taken, silence)).await {
            Ok(Some(Ok(answer))) => Ok(heard(answer, reckoner.system_now()).await),
            Ok(Some(Err(error))) if is_ours(&error) => Err(error.without_url().into()),
            Ok(Some(Err(error))) => Ok(CallbackAnswer::None(why(&error, due))),
            Ok(None) => Ok(CallbackAnswer::None(too_late(silence))),
            Err(_) => Ok(CallbackAnswer::None(too_slow(most))),
        }
    }

    /// Tries a result once, and notes what came of it.
    async fn try_one(
        &self,
        reckoner: &Reckoner,
        due: &DueCallback,
        (metrics, elapsed): (&Metrics, &Elapsed),
    ) -> Result<CallbackEnd, Error> {
        let (at, begun) = (reckoner.system_now(), elapsed());
        let answer = self.send(reckoner, due, elapsed).await.unwrap_or_else(|error| {
            metrics.housekeeping_failed();
            let (callback, error) = (&due.id, format!("{error:#}"));
            tracing::error!(%callback, %error, "a result cannot be read");
            CallbackAnswer::None(OURS.to_owned())
        });
        let took = elapsed().saturating_sub(begun);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        reckoner.callback_tried(due, CallbackTried { at, took_ms, answer }).await
    }
}

/// A result on its way.
struct Signed {
    signature: String,
    size_bytes: u64,
    body: Body,
    /// Told of each portion that is taken from the body; one of a single piece tells nothing.
    taken: Arc<Notify>,
}

/// Reads a result through once for its signature; one that is of one piece is not read again.
async fn signed(letter: &CallbackLetter, id: &str, now_s: i64) -> Result<Signed, Error> {
    let mut signer = Signer::new(&letter.secret, id, now_s);
    let mut pieces = letter.body();
    let mut first = pieces.next().await?.unwrap_or_else(Bytes::new);
    signer.add(&first);
    let mut is_whole = true;
    while let Some(piece) = pieces.next().await? {
        (is_whole, first) = (false, Bytes::new());
        signer.add(&piece);
    }
    let (size_bytes, taken) = (letter.size_bytes(), Arc::new(Notify::new()));
    let body = if is_whole {
        Body::from(first)
    } else {
        let taken = Arc::clone(&taken);
        Body::wrap_stream(letter.body().into_stream().inspect(move |_| taken.notify_one()))
    };
    Ok(Signed { signature: signer.finish(), size_bytes, body, taken })
}

/// Waits for an answer while there are signs that the request gets on; none where they fail to
/// come. It counts as one that the connection asks for more, so the silence that is allowed covers
/// connecting, what is under way unseen, and the answer.
async fn answered(
    request: RequestBuilder,
    taken: &Notify,
    silence: Duration,
) -> Option<reqwest::Result<Response>> {
    let mut sending = pin!(request.send());
    loop {
        tokio::select! {
            answer = &mut sending => return Some(answer),
            () = taken.notified() => {}
            () = tokio::time::sleep(silence) => return None,
        }
    }
}

/// What an answer comes to. Its body is let go by, the beginning of it at least.
async fn heard(mut answer: Response, now: Instant) -> CallbackAnswer {
    let status = answer.status().as_u16();
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_s = asked.and_then(|text| retry_after_s(text, now));
    let listening = async {
        let mut bytes = 0_usize;
        while bytes < HEARD_BYTES
            && let Ok(Some(piece)) = answer.chunk().await
        {
            bytes = bytes.saturating_add(piece.len());
        }
    };
    // The status has said what counts, whether or not the rest comes.
    let _ = tokio::time::timeout(HEARD_FOR, listening).await;
    CallbackAnswer::Status { status, retry_after_s }
}

/// In how many seconds a receiver wants to be asked again.
///
/// Source: RFC 9110, section 10.2.3: seconds, or a date in one of the three forms of section 5.6.7.
fn retry_after_s(text: &str, now: Instant) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(i64::MAX));
    }
    let at = SystemTime::from(text.parse::<HttpDate>().ok()?).duration_since(UNIX_EPOCH).ok()?;
    let at_s = i64::try_from(at.as_secs()).ok()?;
    Some(at_s.saturating_sub(now.seconds()).max(0))
}

/// Why there was no answer: nothing that a receiver could have put there, and nothing that tells
/// who may name an address which names our resolver knows.
fn why(error: &reqwest::Error, due: &DueCallback) -> String {
    let is_hidden = causes(error).any(|cause| cause.to_string() == NOT_PUBLIC);
    let said = if is_hidden || error.is_dns() {
        tracing::debug!(callback = due.id.as_str(), is_hidden, "a name leads nowhere");
        "its name leads to no address that may be reached"
    } else if error.is_connect() {
        "it could not be reached"
    } else {
        "the connection broke off before there was an answer"
    };
    said.to_owned()
}

fn too_late(silence: Duration) -> String {
    format!("there was no answer within {} s", silence.as_secs())
}

fn too_slow(most: Duration) -> String {
    format!("it was not sent and answered within {} s", most.as_secs())
}

/// Whether it was us who broke off, because the rest of a result could not be read.
fn is_ours(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.is::<Error>())
}

/// What an error came from, the nearest first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |&cause| cause.source())
}

/// Delivers results that are due, for as long as the server runs.
pub(crate) async fn deliver(
    reckoner: Reckoner,
    courier: ResultCourier,
    (metrics, elapsed): (Metrics, Elapsed),
) {
    let courier = Arc::new(courier);
    let mut tries = JoinSet::new();
    loop {
        while tries.try_join_next().is_some() {}
        let free = u64::try_from(courier.at_once.saturating_sub(tries.len())).unwrap_or(0);
        let due = if free > 0 { reckoner.claim_callbacks(free).await } else { Ok(Vec::new()) };
        match due {
            Ok(due) => {
                for due in due {
                    let (reckoner, courier) = (reckoner.clone(), Arc::clone(&courier));
                    let (metrics, elapsed) = (metrics.clone(), Arc::clone(&elapsed));
                    tries.spawn(async move {
                        let end = courier.try_one(&reckoner, &due, (&metrics, &elapsed)).await;
                        tell(&due, end, &metrics);
                    });
                }
            }
            Err(error) => failed(&error, "looking for results to deliver", &metrics),
        }
        tokio::select! {
            () = reckoner.callback_due() => {}
            Some(_) = tries.join_next(), if !tries.is_empty() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn tell(due: &DueCallback, end: Result<CallbackEnd, Error>, metrics: &Metrics) {
    let callback = due.id.as_str();
    match end {
        Ok(CallbackEnd::Delivered) => {
            metrics.callback_tried("delivered");
            tracing::info!(callback, "a result is delivered");
        }
        Ok(CallbackEnd::Waits(why)) => {
            metrics.callback_tried("failed");
            tracing::debug!(callback, why, "a result is not delivered yet");
        }
        Ok(CallbackEnd::Dead(why)) => {
            metrics.callback_tried("dead");
            tracing::warn!(callback, why, "a result is not delivered: given up");
        }
        Ok(CallbackEnd::Overtaken) => {
            tracing::info!(callback, "a result was taken up by somebody else, or cancelled");
        }
        Err(error) => failed(&error, "noting what came of a callback", metrics),
    }
}

fn failed(error: &Error, what: &'static str, metrics: &Metrics) {
    if matches!(error, Error::Unavailable { .. }) {
        tracing::info!(%error, "{what} waits");
        return;
    }
    metrics.housekeeping_failed();
    tracing::error!(error = %telling::chain(error), "{what} failed");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_receiver_says_in_seconds_or_by_date_when_to_come_back() {
        let now = Instant::parse("2026-03-15T12:00:00Z").unwrap();
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(retry_after_s(text, now), expected, "{text}");
        };
        check("0", Some(0));
        check("120", Some(120));
        check(" 7 ", Some(7));
        check("99999999999999999999", Some(i64::MAX));
        check("Sun, 15 Mar 2026 12:01:30 GMT", Some(90));
        check("Sun, 15 Mar 2026 11:00:00 GMT", Some(0));
        check("Mon, 16 Mar 2026 12:00:00 GMT", Some(86_400));
        check("Sunday, 15-Mar-26 12:01:30 GMT", Some(90));
        check("Sun Mar 15 12:01:30 2026", Some(90));
        check("Sun Mar  1 12:01:30 2026", Some(0));
        check("Sun, 15 Mar 2026 12:01:30 CET", None);
        check("Sun, 15 Foo 2026 12:01:30 GMT", None);
        check("Sun, 99 Mar 2026 12:01:30 GMT", None);
        check("Mon, 15 Mar 2026 12:01:30 GMT", None);
        check("-1", None);
        check("1.5", None);
        check("soon", None);
        check("", None);
    }

    /// Somebody on loopback who takes whatever comes, and never answers; and who calls there.
    async fn mute() -> RequestBuilder {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok()
                });
            }
        });
        let ranges = ["127.0.0.0/8".to_owned()];
        let reachable = Reachable::new(&ranges, Plain::NamedRanges).unwrap();
        reachable.client(Duration::from_secs(5)).unwrap().post(url)
    }

    #[tokio::test]
    async fn what_we_cannot_read_is_no_fault_of_the_receivers() {
        let damaged = Error::internal("read a result", "it is damaged");
        let pieces = [Ok(Bytes::from_static(b"some")), Err(damaged)];
        let body = Body::wrap_stream(futures::stream::iter(pieces));
        let error = mute().await.body(body).send().await.unwrap_err();
        assert!(is_ours(&error), "{error:?}");
        let pieces = [Ok(Bytes::from_static(b"some")), Err(std::io::Error::other("cut off"))];
        let body = Body::wrap_stream(futures::stream::iter(pieces));
        let error = mute().await.body(body).send().await.unwrap_err();
        assert!(!is_ours(&error), "{error:?}");
    }

    #[tokio::test]
    async fn nobody_waits_for_an_answer_when_nothing_moves() {
        let (taken, silence) = (Arc::new(Notify::new()), Duration::from_secs(1));
        assert!(answered(mute().await.body("all"), &taken, silence).await.is_none());
        // Each piece that is taken in time is waited for: six take longer than may pass without.
        let (moving, is_whole) = (Arc::clone(&taken), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&is_whole);
        let pieces = futures::stream::unfold(0_u32, move |nth| {
            let (moving, ended) = (Arc::clone(&moving), Arc::clone(&ended));
            async move {
                if nth == 6 {
                    ended.store(true, Ordering::Relaxed);
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
                moving.notify_one();
                Some((Ok::<_, Error>(Bytes::from_static(b"some")), nth + 1))
            }
        });
        let body = Body::wrap_stream(pieces);
        assert!(answered(mute().await.body(body), &taken, silence).await.is_none());
        assert!(is_whole.load(Ordering::Relaxed), "it was broken off while it moved");
    }

    #[test]
    fn rules_that_cannot_be_are_refused() {
        let check = |callbacks: Callbacks, expected: bool| {
            assert_eq!(callbacks.rules().is_ok(), expected);
        };
        check(Callbacks::default(), true);
        check(Callbacks { timeout_seconds: Some(0), ..Callbacks::default() }, false);
        check(Callbacks { timeout_seconds: Some(301), ..Callbacks::default() }, false);
        check(Callbacks { per_receiver: Some(0), ..Callbacks::default() }, false);
        check(Callbacks { at_once: Some(0), ..Callbacks::default() }, false);
        check(Callbacks { pauses_seconds: Some(Vec::new()), ..Callbacks::default() }, false);
        check(Callbacks { pauses_seconds: Some(vec![-1]), ..Callbacks::default() }, false);
        check(Callbacks { pauses_seconds: Some(vec![0, 1]), ..Callbacks::default() }, true);
    }
}
