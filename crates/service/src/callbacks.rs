//! Callbacks: results of usage queries on their way to receivers, until delivered or given up.
//!
//! A callback is owed from the transaction that ends its query. It is claimed, tried and tried
//! again with the same id and the same bytes until the receiver takes it or the schedule is over:
//! then it is a dead letter with its reason, until somebody asks for it again. A program that dies
//! between delivering and noting that delivers again, under the same id.

use crate::kept_questions::KeptAddress;
use crate::usage_results::{KeptResult, ResultHead, UsageResultRead};
use crate::{CallbackRules, Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use calendar::Instant;
use domain::access::UsageSight;
use domain::usage_queries::{Receipt, UsageFormat, receipt_of};
use domain::{Error, Kind, Result};
use std::sync::Arc;
use store::{CallbackAttemptRow, CallbackClaim, CallbackRow, CallbackState, NewCallback};

/// How much longer a callback is claimed than a try may take, in seconds: enough to note it.
const SPARE_S: i64 = 5;
/// Why a result is given up that tells more than its asker may see any more.
const UNSEEN: &str = "who asked may no longer read it";
/// How secrets are told.
///
/// Source: Standard Webhooks 1.0.0, "Signature scheme".
const SECRET: &str = "whsec_";

/// Judges an address: what it really is, or what is wrong with it.
pub type CallbackJudge =
    Arc<dyn Fn(&str) -> std::result::Result<CallbackAddress, String> + Send + Sync>;

/// An address that may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackAddress {
    /// The address, spelled as it is called.
    pub url: String,
    /// Host and port of it: who is not to be asked by too many at once.
    pub receiver: String,
}

/// A callback, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackTold {
    /// Its id, the same with each try: what `webhook-id` says.
    pub id: String,
    /// Where it goes.
    pub url: String,
    /// How far it is.
    pub state: CallbackState,
    /// How often it was tried since it was last asked for.
    pub tries: u64,
    /// When it is tried next: system time; none where it is not.
    pub next_at: Option<Instant>,
    /// Why it is no longer tried, or what came of the last try.
    pub outcome: String,
    /// All tries, oldest first.
    pub attempts: Vec<AttemptTold>,
}

/// One try of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptTold {
    /// From 1.
    pub number: u64,
    /// When it began: system time.
    pub at: Instant,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The status that was answered; none where nothing was.
    pub status: Option<u16>,
    /// What came of it; never what the receiver said.
    pub outcome: String,
}

/// A callback that is to be tried now, by who claimed it.
#[derive(Debug, Clone)]
pub struct DueCallback {
    /// Its id, the same with each try.
    pub id: String,
    /// Where it goes.
    pub url: String,
    row: CallbackRow,
}

/// What a callback carries.
pub struct CallbackLetter {
    /// The secret that it is signed with.
    pub secret: [u8; 32],
    inner: Arc<Inner>,
    path: String,
    head: Arc<ResultHead>,
}

/// What came of trying a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackTried {
    /// When it was begun: system time.
    pub at: Instant,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What was answered.
    pub answer: CallbackAnswer,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackAnswer {
    /// It answered.
    Status {
        /// The status of HTTP.
        status: u16,
        /// In how many seconds it wants to be asked again, if it said so.
        retry_after_s: Option<i64>,
    },
    /// There was no answer, and why.
    None(String),
}

/// What became of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackEnd {
    /// It is delivered.
    Delivered,
    /// It is tried again; why.
    Waits(String),
    /// It is given up; why.
    Dead(String),
    /// Somebody else tries it, or it was cancelled meanwhile.
    Overtaken,
}

impl CallbackTold {
    pub(crate) fn of(row: CallbackRow, attempts: Vec<CallbackAttemptRow>) -> CallbackTold {
        let next_at = (row.state == CallbackState::Pending).then_some(row.due_at);
        let attempt = |row: CallbackAttemptRow| {
            let CallbackAttemptRow { number, at, took_ms, status, outcome } = row;
            AttemptTold { number, at, took_ms, status, outcome }
        };
        CallbackTold {
            id: row.id,
            url: row.url,
            state: row.state,
            tries: row.tries,
            next_at,
            outcome: row.last_outcome,
            attempts: attempts.into_iter().map(attempt).collect(),
        }
    }
}

impl DueCallback {
    /// How many bytes it carries.
    pub fn size_bytes(&self) -> u64 {
        self.row.body_bytes
    }
}

impl CallbackLetter {
    /// How many bytes it carries.
    pub fn size_bytes(&self) -> u64 {
        self.head.size_bytes
    }

    /// What it carries, from the beginning; the same each time.
    pub fn body(&self) -> UsageResultRead {
        let (inner, head) = (Arc::clone(&self.inner), Arc::clone(&self.head));
        UsageResultRead::new(inner, self.path.clone(), (UsageFormat::Json, head))
    }
}

impl Reckoner {
    /// Says how addresses of callbacks are judged; once, at the start. Until then there are none
    /// that may be called.
    pub fn judge_callbacks_with(&self, judge: CallbackJudge) {
        // Whoever said it first stays: the program has one way.
        let _ = self.0.queries.judge.set(judge);
    }

    /// What is wrong with an address that a result shall be sent to, if anything.
    pub fn callback_fault(&self, url: &str) -> Option<String> {
        self.judged_callback(url).err()
    }

    pub(crate) fn judged_callback(
        &self,
        url: &str,
    ) -> std::result::Result<CallbackAddress, String> {
        match self.0.queries.judge.get() {
            Some(judge) => judge(url),
            None => Err("cannot be called: this program calls nobody".to_owned()),
        }
    }

    /// Takes up to so many callbacks that are due: nobody else tries them for a while. Those that
    /// tell more than who asked may see now are given up. To be called when the program starts,
    /// and often.
    ///
    /// Errors: [`Error::Unavailable`], [`Error::Internal`] where the books cannot be had.
    #[boxed]
    pub async fn claim_callbacks(&self, most: u64) -> Result<Vec<DueCallback>> {
        let CallbackRules { timeout_s, per_receiver, at_once, .. } = &self.0.config.callbacks;
        let (now, timeout_s) = (self.system_now(), i64::try_from(*timeout_s).unwrap_or(i64::MAX));
        let until = now.plus_seconds(timeout_s.saturating_add(SPARE_S));
        // Nobody takes all places, however many of his receivers hang.
        let per_owner_most = at_once.div_euclid(2).max(1);
        let per_receiver_most = *per_receiver;
        let claim = CallbackClaim {
            now,
            until,
            bytes_per_s: CallbackRules::SLOWEST_BYTES,
            most,
            per_receiver_most,
            per_owner_most,
        };
        let store = Arc::clone(&self.0.store);
        let rows = crate::blocking(move || {
            store.claim_callbacks(claim).map_err(crate::stored("look for callbacks that are due"))
        });
        let rows = rows.await?;
        if !rows.is_empty() {
            self.0.refresh_declared().await?;
        }
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            due.extend(self.judged_by_rights(row).await);
        }
        Ok(due)
    }

    /// A claimed callback, if who asked may see now what it carries; else it is given up. Where
    /// that cannot be told it waits until the claim is over, or was tried in vain.
    async fn judged_by_rights(&self, row: CallbackRow) -> Option<DueCallback> {
        let due = DueCallback { id: row.id.clone(), url: row.url.clone(), row };
        let noted = match self.may_be_delivered(&due.row).await {
            Ok(true) => return Some(due),
            Ok(false) => self.give_up_callback(&due.row).await,
            Err(error) if error.kind() == Kind::Unavailable => Err(error),
            Err(error) => {
                tracing::error!(callback = %due.id, %error, "the rights to a result are not known");
                let why = "the rights to it cannot be told on our side".to_owned();
                let (at, answer) = (self.system_now(), CallbackAnswer::None(why));
                let tried = CallbackTried { at, took_ms: 0, answer };
                self.callback_tried(&due, tried).await.map(drop)
            }
        };
        if let Err(error) = noted {
            tracing::info!(callback = %due.id, %error, "a result waits until its claim is over");
        }
        None
    }

    async fn give_up_callback(&self, row: &CallbackRow) -> Result<()> {
        tracing::warn!(callback = %row.id, why = UNSEEN, "a result is not delivered: given up");
        let (store, row, at) = (Arc::clone(&self.0.store), row.clone(), self.system_now());
        crate::blocking(move || {
            let given_up = store.give_up_callback(&row, UNSEEN, at);
            given_up.map(drop).map_err(crate::stored("give a callback up"))
        })
        .await
    }

    /// What a claimed callback carries.
    ///
    /// Errors: [`Error::Internal`] where it cannot be read, or is not what was owed.
    #[boxed]
    pub async fn callback_letter(&self, due: &DueCallback) -> Result<CallbackLetter> {
        let CallbackRow { body_path, body_bytes, body_hash, .. } = &due.row;
        let gone = |problem: &str| {
            Error::internal(format!("read the result of callback {}", due.id), problem.to_owned())
        };
        let head = self.0.result_head(body_path).await?;
        let head = head.ok_or_else(|| gone("it is not there any more"))?;
        if (head.size_bytes, &head.hash) != (*body_bytes, body_hash) {
            return Err(gone("it is another than was owed"));
        }
        let name = head.secret.clone().ok_or_else(|| gone("it names no secret"))?;
        let secret = self.0.callback_secret(name).await?;
        Ok(CallbackLetter { secret, inner: Arc::clone(&self.0), path: body_path.clone(), head })
    }

    /// Notes what came of trying a claimed callback.
    ///
    /// Errors: [`Error::Unavailable`], [`Error::Internal`] where the books cannot be had; then it
    /// is tried again when the claim is over.
    #[boxed]
    pub async fn callback_tried(
        &self,
        due: &DueCallback,
        tried: CallbackTried,
    ) -> Result<CallbackEnd> {
        let rules = &self.0.config.callbacks;
        let after = after(&due.row, tried, (rules, self.system_now()));
        let (store, row) = (Arc::clone(&self.0.store), due.row.clone());
        let noted = crate::blocking(move || {
            let noted = store.callback_tried(&row, &after);
            noted.map_err(crate::stored("note what came of a callback"))
        });
        Ok(match noted.await? {
            None => CallbackEnd::Overtaken,
            Some((CallbackState::Delivered, _)) => CallbackEnd::Delivered,
            Some((CallbackState::Pending, why)) => CallbackEnd::Waits(why),
            Some((CallbackState::Dead | CallbackState::Cancelled, why)) => CallbackEnd::Dead(why),
        })
    }

    /// Waits until a callback was made or asked for again here.
    pub async fn callback_due(&self) {
        self.0.queries.owed.notified().await;
    }
}

impl Inner {
    /// The callback of a query, with all its tries.
    pub(crate) async fn callback_told(&self, query_id: &str) -> Result<Option<CallbackTold>> {
        let (store, id) = (Arc::clone(&self.store), query_id.to_owned());
        crate::blocking(move || {
            let failed = || crate::stored("read a callback");
            let Some(row) = store.callback_of(&id).map_err(failed())? else { return Ok(None) };
            let attempts = store.callback_attempts(&row.id).map_err(failed())?;
            Ok(Some(CallbackTold::of(row, attempts)))
        })
        .await
    }

    /// The callback of a query.
    pub(crate) async fn callback_row_of(&self, query_id: &str) -> Result<Option<CallbackRow>> {
        let (store, id) = (Arc::clone(&self.store), query_id.to_owned());
        crate::blocking(move || store.callback_of(&id).map_err(crate::stored("read a callback")))
            .await
    }

    /// A result that is owed to an address from now on.
    pub(crate) fn callback_to(&self, address: &KeptAddress, kept: &KeptResult) -> NewCallback {
        let KeptAddress { url, receiver } = address;
        let KeptResult { id: _, path, size_bytes, hash } = kept;
        let pause_s = self.config.callbacks.schedule.pause_after(0, None, 0).unwrap_or(0);
        NewCallback {
            id: uuid::Uuid::new_v4().simple().to_string(),
            url: url.clone(),
            url_hash: blake3::hash(url.as_bytes()).to_hex().to_string(),
            receiver: receiver.clone(),
            body_path: path.clone(),
            body_bytes: *size_bytes,
            body_hash: hash.clone(),
            due_at: self.clocks.system.now().plus_seconds(pause_s),
        }
    }

    /// The secret of a name, made at first use.
    pub(crate) async fn callback_secret(&self, name: String) -> Result<[u8; 32]> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            let failed = "read the secret of callbacks";
            let kept = store.ensure_secret(&name, &crate::random_32());
            let kept = kept.map_err(crate::stored(failed))?;
            <[u8; 32]>::try_from(kept.as_slice()).map_err(|e| Error::internal(failed, e))
        })
        .await
    }
}

/// The name of the secret that results are signed with: that of the whole company, or of the
/// accounts that are seen, so that nobody can sign as somebody who sees others.
pub(crate) fn signer(sight: &UsageSight) -> String {
    let UsageSight { billing_account, whole, places } = sight;
    if *whole {
        return format!("callback secret of {billing_account}");
    }
    // They may be many, and a name in the books is short.
    let mut hasher = blake3::Hasher::new();
    for place in places {
        hasher.update(place.as_str().as_bytes());
        hasher.update(b"\0");
    }
    format!("callback secret of {billing_account} at {}", hasher.finalize().to_hex())
}

/// A secret as it is told.
pub(crate) fn secret_text(secret: &[u8; 32]) -> String {
    format!("{SECRET}{}", BASE64_STANDARD.encode(secret))
}

/// What is noted of a claimed callback that was tried.
fn after(
    row: &CallbackRow,
    tried: CallbackTried,
    (rules, now): (&CallbackRules, Instant),
) -> store::CallbackTried {
    let CallbackTried { at, took_ms, answer } = tried;
    let (status, retry_after_s, receipt, said) = match answer {
        CallbackAnswer::Status { status, retry_after_s } => {
            let receipt = receipt_of(status);
            (Some(status), retry_after_s, receipt, words(status, receipt))
        }
        CallbackAnswer::None(why) => (None, None, Receipt::Refused, why),
    };
    let asked_s = retry_after_s.filter(|_| receipt == Receipt::Busy);
    let tries = u32::try_from(row.tries).unwrap_or(u32::MAX).saturating_add(1);
    let pause_s = rules.schedule.pause_after(tries, asked_s, jitter_permille(&row.id, tries));
    let (state, outcome) = match (receipt, pause_s) {
        (Receipt::Delivered, _) => (CallbackState::Delivered, said),
        (Receipt::Gone, _) => (CallbackState::Dead, said),
        (Receipt::Busy | Receipt::Refused, Some(_)) => (CallbackState::Pending, said),
        (Receipt::Busy | Receipt::Refused, None) => {
            (CallbackState::Dead, format!("given up after {tries} tries, at last because {said}"))
        }
    };
    let due_at = now.plus_seconds(pause_s.unwrap_or(0));
    let disables = receipt == Receipt::Gone;
    store::CallbackTried { at, took_ms, status, outcome, state, due_at, disables }
}

/// What a status comes to, without a word of the receiver's.
fn words(status: u16, receipt: Receipt) -> String {
    match receipt {
        Receipt::Delivered => format!("delivered: it answered {status}"),
        Receipt::Gone => format!("it answered {status}: it wants no more results"),
        Receipt::Busy => format!("it answered {status}: it is busy"),
        Receipt::Refused if (300..400).contains(&status) => {
            format!("it answered {status}, and redirects are not followed")
        }
        Receipt::Refused => format!("it answered {status}"),
    }
}

/// By how many thousandths a pause is drawn out: another for each callback and try, so that what
/// failed together is not tried together.
fn jitter_permille(id: &str, tries: u32) -> u16 {
    let [first, second, ..] = *blake3::hash(format!("{id} {tries}").as_bytes()).as_bytes();
    u16::from_le_bytes([first, second]).checked_rem(101).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::usage_queries::CallbackSchedule;

    fn row(tries: u64) -> CallbackRow {
        CallbackRow {
            id: "c".to_owned(),
            query_id: "q".to_owned(),
            owner: "key k".to_owned(),
            billing_account: "100".to_owned(),
            url: "https://hooks.example.org/".to_owned(),
            url_hash: "h".to_owned(),
            receiver: "hooks.example.org:443".to_owned(),
            body_path: "pages/r".to_owned(),
            body_bytes: 2,
            body_hash: "b".to_owned(),
            state: CallbackState::Pending,
            tries,
            due_at: Instant::EPOCH,
            claimed_until: Instant::EPOCH,
            claim: 1,
            last_outcome: String::new(),
            created_at: Instant::EPOCH,
            ended_at: None,
            released: false,
        }
    }

    fn tried(tries: u64, answer: CallbackAnswer) -> store::CallbackTried {
        let tried = CallbackTried { at: Instant::EPOCH, took_ms: 5, answer };
        after(&row(tries), tried, (&CallbackRules::default(), Instant::EPOCH))
    }

    fn status(status: u16) -> CallbackAnswer {
        CallbackAnswer::Status { status, retry_after_s: None }
    }

    #[test]
    fn what_a_receiver_answers_decides_what_becomes_of_a_result() {
        use CallbackState::{Dead, Delivered, Pending};
        let check = |code: u16, expected: (CallbackState, bool), said: &str| {
            let after = tried(0, status(code));
            assert_eq!((after.state, after.disables), expected, "{code}");
            assert_eq!((after.outcome.as_str(), after.status), (said, Some(code)));
        };
        check(200, (Delivered, false), "delivered: it answered 200");
        check(204, (Delivered, false), "delivered: it answered 204");
        check(301, (Pending, false), "it answered 301, and redirects are not followed");
        check(308, (Pending, false), "it answered 308, and redirects are not followed");
        check(400, (Pending, false), "it answered 400");
        check(404, (Pending, false), "it answered 404");
        check(410, (Dead, true), "it answered 410: it wants no more results");
        check(429, (Pending, false), "it answered 429: it is busy");
        check(500, (Pending, false), "it answered 500");
        check(503, (Pending, false), "it answered 503: it is busy");
        let none = tried(0, CallbackAnswer::None("it could not be reached".to_owned()));
        assert_eq!((none.state, none.status), (Pending, None));
        assert_eq!(none.outcome, "it could not be reached");
    }

    #[test]
    fn results_are_tried_ten_times_and_are_dead_letters_then() {
        let schedule = CallbackSchedule::default();
        let check = |tries: u32, expected: Option<i64>| {
            let after = tried(u64::from(tries), status(500));
            match expected {
                Some(pause_s) => {
                    let waits_s = after.due_at.seconds();
                    assert_eq!(after.state, CallbackState::Pending, "{tries}");
                    assert!((pause_s..=pause_s + pause_s / 10).contains(&waits_s), "{waits_s}");
                    assert_eq!(schedule.pause_after(tries + 1, None, 0), Some(pause_s));
                }
                None => {
                    assert_eq!(after.state, CallbackState::Dead, "{tries}");
                    let said = "given up after 10 tries, at last because it answered 500";
                    assert_eq!(after.outcome, said);
                }
            }
        };
        check(0, Some(5));
        check(1, Some(300));
        check(2, Some(1_800));
        check(8, Some(86_400));
        check(9, None);
        assert_eq!(schedule.whole_s(), 75 * 3_600 + 35 * 60 + 5);
    }

    #[test]
    fn only_who_is_busy_says_when_to_come_back() {
        let check = |code: u16, asked: i64, expected: i64| {
            let answer = CallbackAnswer::Status { status: code, retry_after_s: Some(asked) };
            let waits_s = tried(0, answer).due_at.seconds();
            assert_eq!(waits_s, expected, "{code}");
        };
        check(429, 120, 120);
        check(502, 120, 120);
        check(503, 120, 120);
        check(504, 120, 120);
        check(503, 1_000_000, 86_400);
        check(503, 0, 5);
        check(500, 120, 5);
        check(302, 120, 5);
    }

    #[test]
    fn each_set_of_accounts_has_a_secret_of_its_own() {
        use domain::ids::{BillingAccountId, PlaceId};
        let name = |account: &str, whole: bool, places: &[&str]| {
            let billing_account = BillingAccountId::new(account).unwrap();
            let places = places.iter().map(|id| PlaceId::new(id).unwrap()).collect();
            signer(&UsageSight { billing_account, whole, places })
        };
        let whole = name("acme", true, &["a", "b"]);
        assert_eq!(whole, "callback secret of acme");
        assert_eq!(whole, name("acme", true, &["a", "b", "c"]), "a further account is no matter");
        assert_eq!(name("acme", false, &["a", "b"]), name("acme", false, &["b", "a"]));
        let all = [
            whole,
            name("acme", false, &["a"]),
            name("acme", false, &["b"]),
            name("acme", false, &["a", "b"]),
            name("acme", false, &["ab"]),
            name("globex", false, &["a"]),
            name("globex", true, &[]),
        ];
        let others: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(others.len(), all.len(), "{all:?}");
    }

    #[test]
    fn secrets_are_told_as_standard_webhooks_tells_them() {
        let told = secret_text(&[7; 32]);
        assert_eq!(told, "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    }
}
