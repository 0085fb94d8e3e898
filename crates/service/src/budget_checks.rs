//! Budgets are held against what usage costs as it arrives, and who is to be told is told once.
//!
//! That a threshold was reached is written down first, once for window and threshold whatever
//! nodes look and restarts come between, with one notice for each recipient. Notices are then
//! claimed, tried and tried again until they are delivered or given up; a program that dies between
//! delivering and noting that delivers again, under the same id.

use crate::Reckoner;
use crate::account_closes::with_causes;
use crate::budgets::Measure;
use crate::kept_budgets::{self, KeptNotice};
use crate::spending::SpendPlace;
use crate::structure::Look;
use async_recursion::async_recursion as boxed;
use calendar::{Instant, Interval};
use domain::access::{Caller, Scope};
use domain::budgets::{Budget, Measured, Notification};
use domain::{Error, Kind, Result};
use money::{Cost, Fixed18};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::{BudgetRow, NoticeRow, NoticeState, NoticesKept};

/// Notices that are claimed at once.
const AT_ONCE: u64 = 100;
/// How long a claimed notice is its claimer's, in seconds: longer than trying all of them takes.
const CLAIMED_S: i64 = 600;
/// After so many tries in vain a notice is given up: about two days after the first.
const TRIES_MOST: u64 = 60;
/// The longest pause between two tries, in seconds.
const PAUSE_MOST_S: i64 = 3_600;
/// When it is looked again whether there is a way to a recipient, in seconds.
const NO_WAY_S: i64 = 60;
/// How long after the end of a window what was told of it is kept, in seconds: a year, so that
/// usage that arrives late tells nobody twice.
const KEPT_S: i64 = 366 * 86_400;
/// How often a node forgets what is kept no longer: every hour.
const FORGET_EVERY_MICROS: i64 = 3_600 * calendar::MICROS_PER_SECOND;

/// What a node knows of budgets beside the books: what each was held against last.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    seen: Mutex<HashMap<String, Seen>>,
    /// When it was last forgotten what is kept no longer: microseconds of system time.
    forgot_at: AtomicI64,
}

/// What a budget was held against, and what it told since this process started.
#[derive(Debug, Default, Clone)]
struct Seen {
    mark: String,
    told: BTreeSet<String>,
}

/// Whom a notice is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// A mail address.
    Mail(String),
    /// A group, by the resource id that the budget names it by.
    Group(String),
}

/// What is told: that cost reached a threshold of a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThresholdReached {
    /// Name of the budget.
    pub budget: String,
    /// Where it is kept, as the books name it.
    pub place: String,
    /// Name of the notification.
    pub notification: String,
    /// `actual` or `forecast`: which cost.
    pub measured: String,
    /// The budget's amount, in major units.
    pub amount: String,
    /// Percent of it.
    pub threshold: String,
    /// `equal`, `greater`, `greater or equal`: how the cost is compared.
    pub operator: String,
    /// The cost, in major units.
    pub cost: String,
    /// Of cost and amount.
    pub currency: String,
    /// When the window began.
    pub window_start: String,
    /// When it ends, exclusive.
    pub window_end: String,
    /// The business moment at which it was seen.
    pub seen_at: String,
}

/// Something to be delivered.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Its id, the same with each try.
    pub id: String,
    /// To whom.
    pub recipient: Recipient,
    /// What.
    pub told: ThresholdReached,
    row: NoticeRow,
}

/// What came of trying to deliver a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The recipient has it.
    Delivered,
    /// It did not work; it may later.
    Failed(String),
    /// No way to the recipient is configured: that is no try.
    NoWay(String),
}

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeEnd {
    /// It is delivered.
    Delivered,
    /// It is tried again.
    Waits,
    /// It was tried often enough.
    GivenUp,
}

impl Reckoner {
    /// Holds the budgets against what usage costs now, those whose account's usage or facts have
    /// changed since this node looked last, or whose day has; writes down who is to be told.
    /// Answers how many thresholds were reached for the first time. To be called often.
    ///
    /// Errors: [`Error::Unavailable`] and [`Error::Internal`] where the books cannot be read. What
    /// keeps one budget from being measured is logged, and keeps no other.
    #[boxed]
    pub async fn check_budgets(&self, request_id: &str) -> Result<u64> {
        let store = Arc::clone(&self.0.store);
        let rows =
            crate::blocking(move || store.budgets().map_err(crate::stored("read the budgets")))
                .await?;
        self.0.refresh_declared().await?;
        let look = self.look();
        self.0.budget_checks.keep_only(&rows);
        let mut marks: BTreeMap<String, String> = BTreeMap::new();
        let mut reached = 0_u64;
        for row in &rows {
            match self.check_budget(&look, row, (&mut marks, request_id)).await {
                Ok(more) => reached = reached.saturating_add(more),
                Err(error @ Error::Unavailable { .. }) => return Err(error),
                Err(error) => {
                    let (place, name) = (&row.place, &row.name_key);
                    let error = with_causes(&error);
                    tracing::error!(request_id, %place, %name, %error, "a budget is not checked");
                }
            }
        }
        self.forget_notices().await?;
        Ok(reached)
    }

    /// Takes what is due to be delivered: nobody else tries it for a while.
    ///
    /// Errors: [`Error::Unavailable`], [`Error::Internal`] where the books cannot be had.
    #[boxed]
    pub async fn claim_notices(&self) -> Result<Vec<Notice>> {
        let (store, now) = (Arc::clone(&self.0.store), self.system_now());
        let rows = crate::blocking(move || {
            let claimed = store.claim_notices(now, now.plus_seconds(CLAIMED_S), AT_ONCE);
            claimed.map_err(crate::stored("read what is to be told"))
        })
        .await?;
        let notice = |row: NoticeRow| {
            let kept: KeptNotice = serde_json::from_slice(&row.body)
                .map_err(|e| Error::internal("read what is to be told", e))?;
            let KeptNotice { recipient, told } = kept;
            Ok(Notice { id: row.id.clone(), recipient, told, row })
        };
        rows.into_iter().map(notice).collect()
    }

    /// Notes what came of trying a claimed notice.
    ///
    /// Errors: [`Error::Unavailable`], [`Error::Internal`] where the books cannot be had; then it
    /// is tried again later.
    #[boxed]
    pub async fn notice_tried(&self, notice: &Notice, tried: Tried) -> Result<NoticeEnd> {
        let after = after(&notice.row, tried, self.system_now());
        let end = match after.state {
            NoticeState::Delivered => NoticeEnd::Delivered,
            NoticeState::Pending => NoticeEnd::Waits,
            NoticeState::GivenUp => NoticeEnd::GivenUp,
        };
        let (store, claimed) = (Arc::clone(&self.0.store), notice.row.clone());
        crate::blocking(move || {
            let noted = store.notice_tried(&claimed, &after);
            noted.map_err(crate::stored("note what was told"))
        })
        .await?;
        Ok(end)
    }

    /// Holds one budget against what its window costs, unless nothing has changed; answers how many
    /// thresholds were reached for the first time.
    async fn check_budget(
        &self,
        look: &Look,
        row: &BudgetRow,
        (marks, request_id): (&mut BTreeMap<String, String>, &str),
    ) -> Result<u64> {
        let (name, place, budget) = kept_budgets::read(&row.body)?;
        let Some(window) = budget.window_at(look.now) else { return Ok(0) };
        let Ok(payer) = place.payer(&look.company, look.now) else { return Ok(0) };
        let stands = marks.entry(payer.to_string()).or_insert_with(|| {
            // Before the usage is added up: what comes meanwhile is looked at again.
            self.0.usage_stands_at(&payer)
        });
        let mark = format!("{} {} {stands}", row.version, look.now.day());
        let seen = self.0.budget_checks.seen(&row.id);
        if seen.mark == mark {
            return Ok(0);
        }
        let mut told = seen.told;
        let mut reached = 0_u64;
        let measured = self.measure(look, &place, &budget).await;
        if let Err(error) = &measured
            && !matches!(error.kind(), Kind::Internal | Kind::Unavailable)
        {
            // It would fail again until something changes.
            self.0.budget_checks.put(&row.id, Seen { mark: mark.clone(), told: told.clone() });
        }
        if let Some(measure) = measured? {
            let of = Reached { look, name: &name, row, place: &place, budget: &budget, window };
            for (name, notification) in budget.reached(measure.actual.major, measure.forecast)? {
                let crossing = crossing(&budget, notification, window);
                if told.contains(&crossing) {
                    continue;
                }
                let notices = of.notices((name, notification), &measure, &crossing)?;
                match self.tell(row, notices, request_id).await? {
                    NoticesKept::Yes => reached = reached.saturating_add(1),
                    NoticesKept::Before => {}
                    // It is looked at again, as it is now.
                    NoticesKept::Overtaken => return Ok(reached),
                }
                told.insert(crossing);
            }
        }
        self.0.budget_checks.put(&row.id, Seen { mark, told });
        Ok(reached)
    }

    /// Writes down who is to be told.
    async fn tell(
        &self,
        row: &BudgetRow,
        mut notices: Vec<NoticeRow>,
        request_id: &str,
    ) -> Result<NoticesKept> {
        let now = self.system_now();
        for notice in &mut notices {
            (notice.due_at, notice.created_at) = (now, now);
        }
        let note = self.note(&Caller::Machine, "threshold reached", request_id);
        let (store, row) = (Arc::clone(&self.0.store), row.clone());
        crate::blocking(move || {
            let kept = store.keep_notices(&row, &notices, &note);
            kept.map_err(crate::stored("write down who is to be told"))
        })
        .await
    }

    /// Forgets what was told of windows that are long over, now and then.
    async fn forget_notices(&self) -> Result<()> {
        let (now, forgot_at) = (self.system_now(), &self.0.budget_checks.forgot_at);
        let since = now.micros().saturating_sub(forgot_at.load(Ordering::Relaxed));
        if since < FORGET_EVERY_MICROS {
            return Ok(());
        }
        forgot_at.store(now.micros(), Ordering::Relaxed);
        let (store, before) =
            (Arc::clone(&self.0.store), self.now().plus_seconds(KEPT_S.saturating_neg()));
        crate::blocking(move || {
            store.forget_notices(before).map_err(crate::stored("forget what was told"))
        })
        .await
    }
}

impl Checks {
    /// Forgets budgets that are no more.
    fn keep_only(&self, rows: &[BudgetRow]) {
        let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|id, _| ids.contains(id.as_str()));
    }

    fn seen(&self, id: &str) -> Seen {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(id).cloned().unwrap_or_default()
    }

    fn put(&self, id: &str, seen: Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), seen);
    }
}

/// A budget whose threshold was reached.
struct Reached<'a> {
    look: &'a Look,
    name: &'a str,
    row: &'a BudgetRow,
    place: &'a SpendPlace,
    budget: &'a Budget,
    window: Interval,
}

impl Reached<'_> {
    /// What each recipient of a notification is told.
    fn notices(
        &self,
        (name, notification): (&str, &Notification),
        measure: &Measure,
        crossing: &str,
    ) -> Result<Vec<NoticeRow>> {
        let told = self.told((name, notification), measure);
        let notice = |recipient: Recipient| {
            let whose = match &recipient {
                Recipient::Mail(address) => format!("mail {address}"),
                Recipient::Group(id) => format!("group {}", id.to_lowercase()),
            };
            let id = blake3::hash(format!("{}\n{crossing}\n{whose}", self.row.id).as_bytes());
            let kept = KeptNotice { recipient, told: told.clone() };
            let body = serde_json::to_vec(&kept);
            Ok(NoticeRow {
                id: id.to_hex().get(..32).unwrap_or_default().to_owned(),
                budget: self.row.id.clone(),
                crossing: crossing.to_owned(),
                body: body.map_err(|e| Error::internal("write down who is to be told", e))?,
                state: NoticeState::Pending,
                outcome: String::new(),
                tries: 0,
                due_at: Instant::EPOCH,
                created_at: Instant::EPOCH,
                window_end: self.window.end(),
            })
        };
        self.recipients(notification).into_iter().map(notice).collect()
    }

    fn told(&self, (name, of): (&str, &Notification), measure: &Measure) -> ThresholdReached {
        let Cost { major, currency } = measure.actual;
        let cost: Fixed18 = match of.measured {
            Measured::Actual => major,
            Measured::Forecast => measure.forecast.unwrap_or(major),
        };
        ThresholdReached {
            budget: self.name.to_owned(),
            place: self.row.place.clone(),
            notification: name.to_owned(),
            measured: of.measured.name().to_owned(),
            amount: self.budget.amount.to_string(),
            threshold: of.threshold.to_string(),
            operator: of.operator.name().to_owned(),
            cost: cost.to_string(),
            currency: currency.code().to_owned(),
            window_start: self.window.start().to_string(),
            window_end: self.window.end().to_string(),
            seen_at: self.look.now.to_string(),
        }
    }

    /// Who is told, each once: addresses without letter case, and who holds a role at the
    /// subscription now and has an address.
    fn recipients(&self, of: &Notification) -> BTreeSet<Recipient> {
        let given = self.look.company.role_assignments.iter().filter(|given| {
            given.scope == self.place.scope
                && matches!(given.scope, Scope::Subscription(_))
                && given.holds_at(self.look.now)
                && of.roles.iter().any(|role| role.role() == given.role)
        });
        let held = given
            .filter_map(|given| self.look.company.clients.get(&given.principal)?.email.clone());
        let mails = of.emails.iter().cloned().chain(held).map(|address| address.to_lowercase());
        let groups = of.groups.iter().cloned().map(Recipient::Group);
        mails.map(Recipient::Mail).chain(groups).collect()
    }
}

/// What stands for a threshold in a window. A budget whose amount was changed has other thresholds.
fn crossing(budget: &Budget, of: &Notification, window: Interval) -> String {
    format!(
        "{} {} {} {}% of {}",
        window.start(),
        of.measured.name(),
        of.operator.name(),
        of.threshold,
        budget.amount
    )
}

/// A claimed notice after it was tried. Each pause is twice the one before, up to an hour.
fn after(claimed: &NoticeRow, tried: Tried, now: Instant) -> NoticeRow {
    let row = claimed.clone();
    match tried {
        Tried::Delivered => {
            NoticeRow { state: NoticeState::Delivered, outcome: "delivered".to_owned(), ..row }
        }
        Tried::NoWay(outcome) => NoticeRow { outcome, due_at: now.plus_seconds(NO_WAY_S), ..row },
        Tried::Failed(outcome) => {
            let tries = row.tries.saturating_add(1);
            let doubled =
                u32::try_from(row.tries).map_or(i64::MAX, |tries| 2_i64.saturating_pow(tries));
            let due_at = now.plus_seconds(doubled.min(PAUSE_MOST_S));
            let state =
                if tries < TRIES_MOST { NoticeState::Pending } else { NoticeState::GivenUp };
            NoticeRow { state, outcome, tries, due_at, ..row }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(tries: u64) -> NoticeRow {
        NoticeRow {
            id: "n".to_owned(),
            budget: "b".to_owned(),
            crossing: "c".to_owned(),
            body: Vec::new(),
            state: NoticeState::Pending,
            outcome: String::new(),
            tries,
            due_at: Instant::EPOCH,
            created_at: Instant::EPOCH,
            window_end: Instant::EPOCH,
        }
    }

    #[test]
    fn what_failed_is_tried_later_and_later_and_given_up_at_last() {
        let check = |tries: u64, expected: (NoticeState, i64)| {
            let after = after(&claimed(tries), Tried::Failed("x".to_owned()), Instant::EPOCH);
            assert_eq!((after.state, after.due_at.seconds()), expected, "{tries}");
            assert_eq!(after.tries, tries + 1);
        };
        check(0, (NoticeState::Pending, 1));
        check(3, (NoticeState::Pending, 8));
        check(20, (NoticeState::Pending, PAUSE_MOST_S));
        check(TRIES_MOST - 1, (NoticeState::GivenUp, PAUSE_MOST_S));
    }

    #[test]
    fn without_a_way_nothing_was_tried() {
        let tried = Tried::NoWay("mail.smtp is not configured".to_owned());
        let after = after(&claimed(TRIES_MOST - 1), tried, Instant::EPOCH);
        assert_eq!((after.state, after.tries), (NoticeState::Pending, TRIES_MOST - 1));
        assert_eq!(after.outcome, "mail.smtp is not configured");
    }
}
