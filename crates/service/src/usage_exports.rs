//! Exports of usage details: asked for with a key, made ready behind the answer, read by a link
//! that needs no key.
//!
//! The books keep what was asked and by whose key, so an export survives a restart. Making one
//! ready makes the data sets that answer it and holds the first; nothing else is written, and
//! whoever has the link reads these, by the rights that the key's owner has then. Everything counts
//! from the moment of asking: an hour to be ready and to be read in, a day to be told.
//!
//! Source: enterprise-reporting, section 3.5.

use crate::account_closes::with_causes;
use crate::detail_reads::periods;
use crate::usage_details::{DetailFilter, DetailKind, DetailSpan, DetailTold, DetailsAsked};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Day, Instant, MICROS_PER_SECOND};
use domain::access::{Action, Caller, EnterpriseGrant, Scope};
use domain::credits::Coverage;
use domain::ids::{BillingAccountId, PlaceId, PrincipalId};
use domain::places::{Level, Place, PlaceKey};
use domain::rated::RowKind;
use domain::{Error, Kind, Result};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use store::{UsageExportKept, UsageExportLimits, UsageExportRow, UsageExportState};
use tokio::sync::Notify;

/// How long an export may be made ready and read: an hour.
const HELD_S: i64 = 3_600;
/// How long it is told what became of one: a day.
const TOLD_S: i64 = 86_400;
/// Exports that are read at once.
const EXPORTS_AT_ONCE: u64 = 100;
/// What links are signed for.
const LINK: &str = "usage exports";
/// The parameter of a link that names its export.
const EXPORT: &str = "export";

/// An export, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageExportTold {
    /// Its id.
    pub id: String,
    /// Of when.
    pub span: DetailSpan,
    /// How far it is.
    pub standing: UsageExportStanding,
    /// When it was asked for: system time.
    pub requested_at: Instant,
    /// Until when it can be read: system time.
    pub readable_until: Instant,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageExportStanding {
    /// Nobody has begun it.
    Queued,
    /// It is being made ready.
    Running,
    /// It can be read, until its hour is over.
    Completed,
    /// It cannot be made.
    Failed,
    /// There is nothing to export.
    Empty,
    /// It was not ready within its hour.
    TimedOut,
}

/// What a link leads to: details, to be read page by page from the token on.
#[derive(Debug, Clone)]
pub struct UsageExportFile {
    /// For whom they are read.
    pub caller: Caller,
    /// The enrollment.
    pub billing_account: BillingAccountId,
    /// What was asked.
    pub asked: DetailsAsked,
    /// Where they begin.
    pub token: String,
}

/// What a node knows of exports beside the books.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    /// Told when one was asked for.
    asked: Notify,
}

/// What the books keep of an export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    principal: String,
    account: String,
    /// Level and id of the part that the key reads; none for the enrollment.
    part: Option<(String, String)>,
    span: KeptSpan,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptSpan {
    /// The period's number.
    Period(i32),
    /// The first day's number, and that of the day behind the last.
    Days(i32, i32),
}

impl DetailSpan {
    /// Its billing periods that have begun, oldest first.
    pub fn periods(&self, now: Instant) -> Vec<BillingPeriod> {
        periods(self, now).into()
    }
}

impl DetailsAsked {
    /// What adds up to the total usage of balance summaries: what prepayment covers and what is
    /// billed apart from it, rounding rows among them; nothing of the marketplace, no purchase of
    /// prepayment, and not what reservations lost, which costs nothing.
    pub fn total_usage(scope: Scope, span: DetailSpan) -> DetailsAsked {
        let counts = |told: &DetailTold| {
            matches!(told.coverage, Coverage::Covered | Coverage::Separate)
                && told.kind != DetailKind::Rated(RowKind::Unused)
        };
        let filter = DetailFilter { asked: "total usage".to_owned(), keeps: Arc::new(counts) };
        DetailsAsked { scope, span, kinds: BTreeSet::new(), filter: Some(filter) }
    }
}

impl Reckoner {
    /// Keeps an export of what adds up to the total usage: it is durable, and will be made ready.
    ///
    /// Errors: [`Error::Forbidden`] for who has no enterprise key, [`Error::NotFound`];
    /// [`Error::TooManyKept`] where the key asked for too many within the hour.
    #[boxed]
    pub async fn submit_usage_export(
        &self,
        caller: &Caller,
        span: DetailSpan,
        request_id: &str,
    ) -> Result<UsageExportTold> {
        let grant = enterprise(caller)?;
        self.demand(caller, Action::ReadUsage, &grant.scope).await?;
        let (now, most) = (self.system_now(), self.limits().usage_exports);
        let row = UsageExportRow {
            id: uuid::Uuid::new_v4().simple().to_string(),
            asked_by: grant.key_id.clone(),
            request_id: request_id.to_owned(),
            body: Kept::of(grant, &span)?.body()?,
            state: UsageExportState::Queued,
            outcome: Vec::new(),
            requested_at: now,
        };
        let limits = UsageExportLimits {
            most,
            since: now.plus_seconds(HELD_S.saturating_neg()),
            forgotten: now.plus_seconds(TOLD_S.saturating_neg()),
        };
        let (store, kept) = (Arc::clone(&self.0.store), row.clone());
        let kept = crate::blocking(move || {
            store.insert_usage_export(&kept, limits).map_err(crate::stored("keep an export"))
        });
        if let UsageExportKept::TooMany { oldest } = kept.await? {
            return Err(too_many(most, oldest, now));
        }
        self.0.exports.asked.notify_one();
        told(&row, now)
    }

    /// An export, for whoever has a key of the same part of the enrollment.
    ///
    /// Errors: [`Error::NotFound`], also for everybody else.
    #[boxed]
    pub async fn usage_export(&self, caller: &Caller, id: &str) -> Result<UsageExportTold> {
        let missing = || Error::not_found("report", id);
        let grant = enterprise(caller).map_err(|_| missing())?;
        let row = self.0.usage_export_row(id).await?.ok_or_else(missing)?;
        let is_own = kept(&row)?.scope()? == grant.scope;
        if is_own { told(&row, self.system_now()) } else { Err(missing()) }
    }

    /// The query of the link to an export: the same each time, until [`UsageExportTold`] says.
    pub fn usage_export_link(&self, told: &UsageExportTold) -> String {
        let until_s = told.readable_until.seconds();
        let seconds = until_s.saturating_sub(self.system_now().seconds());
        self.sign_link(LINK, &[(EXPORT, &told.id)], seconds)
    }

    /// What a link leads to, for whoever has it.
    ///
    /// Errors: [`Error::Unauthenticated`] for a link that does not hold, [`Error::NotFound`] for
    /// what is not ready.
    #[boxed]
    pub async fn usage_export_file(&self, id: &str, query: &str) -> Result<UsageExportFile> {
        let params = self.open_link(LINK, query)?;
        let missing = || Error::not_found("report", id);
        let is_named = params.iter().any(|(name, value)| name == EXPORT && value == id);
        let row = self.0.usage_export_row(id).await?.filter(|_| is_named).ok_or_else(missing)?;
        if row.state != UsageExportState::Completed {
            return Err(missing());
        }
        let (grant, asked) = kept(&row)?.question(&row)?;
        let damaged = |e| Error::internal("read an export", e);
        let billing_account = grant.billing_account().ok_or_else(missing)?.clone();
        Ok(UsageExportFile {
            caller: Caller::Enterprise(grant),
            billing_account,
            asked,
            token: String::from_utf8(row.outcome).map_err(damaged)?,
        })
    }

    /// Makes exports ready, in the order in which they were asked for; answers how many have ended.
    /// To be called when the program starts, and often.
    ///
    /// Errors: the first fault that is not the export's own; such an export has failed, unless the
    /// books could not be had.
    #[boxed]
    pub async fn carry_out_usage_exports(&self) -> Result<u64> {
        let since = self.system_now().plus_seconds(HELD_S.saturating_neg());
        let store = Arc::clone(&self.0.store);
        let rows = crate::blocking(move || {
            let due = store.due_usage_exports(since, EXPORTS_AT_ONCE);
            due.map_err(crate::stored("read the exports"))
        });
        let (mut ended, mut waits) = (0_u64, None);
        for row in rows.await? {
            let ready = AssertUnwindSafe(self.make_ready(&row)).catch_unwind().await;
            let ready =
                ready.unwrap_or_else(|_| Err(Error::internal("export usage", "it panicked")));
            let (state, outcome, fault) = match ready {
                Ok(Some(token)) => (UsageExportState::Completed, token.into_bytes(), None),
                Ok(None) => (UsageExportState::Empty, Vec::new(), None),
                // It is tried again; the others do not wait for it.
                Err(error) if error.kind() == Kind::Unavailable => {
                    waits = waits.or(Some(error));
                    continue;
                }
                Err(error) => (UsageExportState::Failed, Vec::new(), fault_of(&row, error)),
            };
            self.0.end_usage_export(&row.id, state, outcome).await?;
            if let Some(fault) = fault {
                return Err(fault);
            }
            ended = ended.saturating_add(1);
        }
        waits.map_or(Ok(ended), Err)
    }

    /// Waits until an export was asked for here.
    pub async fn usage_export_asked(&self) {
        self.0.exports.asked.notified().await;
    }

    /// Makes what answers an export; gives the token of its beginning, none where there is nothing.
    async fn make_ready(&self, row: &UsageExportRow) -> Result<Option<String>> {
        let (store, id) = (Arc::clone(&self.0.store), row.id.clone());
        crate::blocking(move || {
            store.begin_usage_export(&id).map_err(crate::stored("begin an export"))
        })
        .await?;
        let (grant, asked) = kept(row)?.question(row)?;
        let caller = Caller::Enterprise(grant);
        for period in asked.span.periods(self.now()) {
            self.data_set(&caller, &asked.scope, period).await?;
        }
        // A page of nothing says where the details begin, if there are any.
        Ok(self.details_page(&caller, &asked, None, 0).await?.next)
    }
}

impl Inner {
    async fn usage_export_row(&self, id: &str) -> Result<Option<UsageExportRow>> {
        // The store refuses such a text, as nothing there is called so.
        if id.contains('\0') {
            return Ok(None);
        }
        let (store, id) = (Arc::clone(&self.store), id.to_ascii_lowercase());
        crate::blocking(move || store.usage_export(&id).map_err(crate::stored("read an export")))
            .await
    }

    async fn end_usage_export(
        &self,
        id: &str,
        state: UsageExportState,
        outcome: Vec<u8>,
    ) -> Result<()> {
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        crate::blocking(move || {
            let ended = store.end_usage_export(&id, state, &outcome);
            ended.map_err(crate::stored("end an export"))
        })
        .await
    }
}

impl Kept {
    fn of(grant: &EnterpriseGrant, span: &DetailSpan) -> Result<Kept> {
        let (account, part) = match &grant.scope {
            Scope::Account(account) => (account, None),
            Scope::Place(Place { billing_account, key }) => {
                (billing_account, Some((key.level.name().to_owned(), key.id.to_string())))
            }
            Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => {
                return Err(Error::Forbidden { action: Action::ReadUsage.name() });
            }
        };
        let span = match span {
            DetailSpan::Period(period) => KeptSpan::Period(period.number()),
            DetailSpan::Days(days) => KeptSpan::Days(days.start.number(), days.end.number()),
        };
        let (principal, account) = (grant.principal.to_string(), account.to_string());
        Ok(Kept { principal, account, part, span })
    }

    fn body(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal("write an export", e))
    }

    fn scope(&self) -> Result<Scope> {
        let billing_account = BillingAccountId::new(&self.account)?;
        let Some((level, id)) = &self.part else { return Ok(Scope::Account(billing_account)) };
        let unknown = || Error::internal("read an export", format!("`{level}` is no level"));
        let level = Level::parse(level).ok_or_else(unknown)?;
        let key = PlaceKey { level, id: PlaceId::new(id)? };
        Ok(Scope::Place(Place { billing_account, key }))
    }

    fn span(&self) -> Result<DetailSpan> {
        Ok(match self.span {
            KeptSpan::Period(number) => {
                let period = BillingPeriod::from_number(number);
                DetailSpan::Period(period.map_err(|e| Error::internal("read an export", e))?)
            }
            KeptSpan::Days(first, end) => {
                DetailSpan::Days(Day::from_number(first)..Day::from_number(end))
            }
        })
    }

    /// Who asks what.
    fn question(&self, row: &UsageExportRow) -> Result<(EnterpriseGrant, DetailsAsked)> {
        let scope = self.scope()?;
        let asked = DetailsAsked::total_usage(scope.clone(), self.span()?);
        let principal = PrincipalId::new(&self.principal)?;
        Ok((EnterpriseGrant { key_id: row.asked_by.clone(), principal, scope }, asked))
    }
}

fn enterprise(caller: &Caller) -> Result<&EnterpriseGrant> {
    match caller {
        Caller::Enterprise(grant) => Ok(grant),
        Caller::Principal(_) | Caller::Key(_) | Caller::Link { .. } | Caller::Machine => {
            Err(Error::Forbidden { action: Action::ReadUsage.name() })
        }
    }
}

fn too_many(most: u64, oldest: Instant, now: Instant) -> Error {
    let wait_micros = oldest.plus_seconds(HELD_S).since(now);
    let wait_s = wait_micros.checked_div(MICROS_PER_SECOND).unwrap_or(0);
    Error::TooManyKept {
        limit: "exports of one key within an hour",
        most,
        key: "limits.usage_exports",
        retry_after_s: u64::try_from(wait_s).unwrap_or(0).saturating_add(1),
    }
}

/// Our own fault, if it is one; else it is told why the export cannot be made.
fn fault_of(row: &UsageExportRow, error: Error) -> Option<Error> {
    let UsageExportRow { id, request_id, .. } = row;
    if error.kind() == Kind::Internal {
        return Some(Error::internal(format!("export {id} of request {request_id}"), error));
    }
    let error = with_causes(&error);
    tracing::info!(export = %id, %request_id, %error, "an export cannot be made");
    None
}

fn kept(row: &UsageExportRow) -> Result<Kept> {
    serde_json::from_slice(&row.body).map_err(|e| Error::internal("read an export", e))
}

fn told(row: &UsageExportRow, now: Instant) -> Result<UsageExportTold> {
    let readable_until = row.requested_at.plus_seconds(HELD_S);
    let standing = match row.state {
        UsageExportState::Queued | UsageExportState::Running if readable_until <= now => {
            UsageExportStanding::TimedOut
        }
        UsageExportState::Queued => UsageExportStanding::Queued,
        UsageExportState::Running => UsageExportStanding::Running,
        UsageExportState::Completed => UsageExportStanding::Completed,
        UsageExportState::Failed => UsageExportStanding::Failed,
        UsageExportState::Empty => UsageExportStanding::Empty,
    };
    let (id, requested_at, span) = (row.id.clone(), row.requested_at, kept(row)?.span()?);
    Ok(UsageExportTold { id, span, standing, requested_at, readable_until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scope: Scope) -> EnterpriseGrant {
        let principal = PrincipalId::new("ida").expect("an id");
        EnterpriseGrant { key_id: "k1".to_owned(), principal, scope }
    }

    fn row(grant: &EnterpriseGrant, span: &DetailSpan, state: UsageExportState) -> UsageExportRow {
        UsageExportRow {
            id: "e1".to_owned(),
            asked_by: grant.key_id.clone(),
            request_id: "r1".to_owned(),
            body: Kept::of(grant, span).and_then(|kept| kept.body()).expect("a body"),
            state,
            outcome: Vec::new(),
            requested_at: Instant::EPOCH,
        }
    }

    #[test]
    fn what_was_asked_is_kept_with_whose_key_asked_it() {
        let billing_account = BillingAccountId::new("100").expect("an id");
        let key = PlaceKey { level: Level::Department, id: PlaceId::new("rd").expect("an id") };
        let place = Scope::Place(Place { billing_account: billing_account.clone(), key });
        let period = DetailSpan::Period(BillingPeriod::parse("202603").expect("a period"));
        let days = DetailSpan::Days(Day::from_number(20_000)..Day::from_number(20_010));
        for scope in [Scope::Account(billing_account), place] {
            for span in [&period, &days] {
                let grant = grant(scope.clone());
                let row = row(&grant, span, UsageExportState::Queued);
                let (asker, asked) = kept(&row).and_then(|kept| kept.question(&row)).expect("kept");
                assert_eq!((&asker, &asked.span, &asked.scope), (&grant, span, &scope));
            }
        }
    }

    #[test]
    fn an_export_that_is_not_ready_within_its_hour_has_timed_out() {
        let grant = grant(Scope::Account(BillingAccountId::new("100").expect("an id")));
        let span = DetailSpan::Period(BillingPeriod::parse("202603").expect("a period"));
        let check = |state, seconds: i64, expected| {
            let told = told(&row(&grant, &span, state), Instant::EPOCH.plus_seconds(seconds));
            assert_eq!(told.expect("told").standing, expected, "{state:?} after {seconds} s");
        };
        check(UsageExportState::Queued, 3_599, UsageExportStanding::Queued);
        check(UsageExportState::Queued, 3_600, UsageExportStanding::TimedOut);
        check(UsageExportState::Running, 3_599, UsageExportStanding::Running);
        check(UsageExportState::Running, 3_600, UsageExportStanding::TimedOut);
        check(UsageExportState::Completed, 3_600, UsageExportStanding::Completed);
        check(UsageExportState::Failed, 3_600, UsageExportStanding::Failed);
        check(UsageExportState::Empty, 3_600, UsageExportStanding::Empty);
    }
}
