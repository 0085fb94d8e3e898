//! Data sets: everything of a billing account in a billing period, as of one refresh.
//!
//! The first question after `reports.refresh_seconds` makes one: it drafts an open period as its
//! close would, streams the rated rows behind the draft, and pins the details and the balance. All
//! nodes, and a restart, find it in the books. Of several that are current at a time the oldest
//! counts, so nodes that make one at once come to answer alike. A closed period has one, by its
//! close. What nobody asks for any more and no token holds is removed.
//! Source: `docs/decisions/0020-data-sets.md`.

use crate::Inner;
use crate::balance_summaries::BalanceOfPeriod;
use crate::cells::CellKey;
use crate::declared::Declared;
use crate::detail_rows::Details;
use crate::invoice_lines::not_drafted;
use crate::kept_balances;
use crate::late::ClosedPeriod;
use crate::pages::{Pin, Writer, hash};
use crate::rating::View;
use crate::structure::Look;
use crate::usage_details::DataSet;
use calendar::{BillingPeriod, Instant, MICROS_PER_SECOND};
use domain::ids::{BillingAccountId, MeterId};
use domain::rated::RatedRow;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{CloseState, Spool};

/// Seconds that a data set lives beyond its time, for who reads it at that moment.
const SPARE_SECONDS: i64 = 600;
/// Lines of documents that are told at a time.
const LINES_AT_ONCE: usize = 1_000;

/// Data sets that are being made here: each question waits for one of these.
pub(crate) struct Making([tokio::sync::Mutex<()>; 64]);

impl Default for Making {
    fn default() -> Making {
        Making(std::array::from_fn(|_| tokio::sync::Mutex::default()))
    }
}

impl Making {
    fn of(&self, asked: &str) -> Option<&tokio::sync::Mutex<()>> {
        let [first, ..] = *blake3::hash(asked.as_bytes()).as_bytes();
        usize::from(first).checked_rem(self.0.len()).and_then(|place| self.0.get(place))
    }
}

/// A data set that is there.
#[derive(Clone)]
pub(crate) struct SetRead {
    pub(crate) spool: Spool,
    /// With its balance, whoever asks.
    pub(crate) told: DataSet,
    /// How many of its details are of the marketplace.
    pub(crate) marketplace: u64,
}

/// What stands at the head of a data set.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// Of all lines and of what follows, without the times.
    hash: String,
    /// Microseconds since 1970: business time.
    refreshed_at: i64,
    is_final: bool,
    rows: u64,
    marketplace: u64,
    balance: kept_balances::Kept,
}

/// What a data set is asked of.
#[derive(Clone)]
struct Asked {
    account: BillingAccountId,
    period: BillingPeriod,
    /// What its spools are found by.
    question: String,
    /// Which close it is of; of an open one, the close that it stands behind.
    stood_at: String,
    is_closed: bool,
}

impl SetRead {
    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        let is_still = |told: &BalanceOfPeriod| {
            let summary = &told.balance.summary;
            let held = [summary.beginning, summary.new_purchases, summary.adjustments];
            held.iter().all(|amount| amount.is_zero())
                && told.balance.purchases.is_empty()
                && told.balance.adjustments.is_empty()
        };
        self.told.rows == 0 && self.told.balance.as_ref().is_none_or(is_still)
    }
}

impl Inner {
    /// The data set of a billing period, made anew if one is due.
    ///
    /// Errors: [`Error::Conflict`] naming what keeps an open billing period from being drafted;
    /// [`Error::Unavailable`] while the books keep changing.
    pub(crate) async fn current_set(
        self: &Arc<Self>,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<SetRead> {
        let asked = self.set_asked(account, period).await?;
        if let Some(found) = self.found_set(&asked).await? {
            return Ok(found);
        }
        let this = Arc::clone(self);
        // Goes on when the caller goes away, so that it is there when they come back.
        let made = tokio::spawn(async move { this.make_in_turn(asked).await });
        made.await.map_err(|e| Error::internal("make a data set", e))?
    }

    /// A data set by the id that a token names; none if it is gone, or is another's.
    pub(crate) async fn set_by_id(
        self: &Arc<Self>,
        id: &str,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<Option<SetRead>> {
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        let row =
            crate::blocking(move || store.spool(&id).map_err(crate::stored("look for a data set")));
        let now = self.clocks.system.now();
        let asked = hash(&question(account, period));
        match row.await? {
            Some(row) if row.params_hash == asked && row.expires_at > now => {
                self.read_set(row, account, period).await.map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Lets a data set live as long as a token that is given out now.
    pub(crate) async fn hold_set(self: &Arc<Self>, set: &mut SetRead) -> Result<()> {
        let (now, kept_s) = (self.clocks.system.now(), self.page_seconds());
        if set.spool.expires_at >= now.plus_seconds(kept_s) {
            return Ok(());
        }
        let (store, id) = (Arc::clone(&self.store), set.spool.id.clone());
        let until = now.plus_seconds(kept_s.saturating_add(SPARE_SECONDS));
        set.spool.expires_at = until;
        crate::blocking(move || {
            store.keep_spool(&id, until).map_err(crate::stored("hold a data set"))
        })
        .await
    }

    async fn set_asked(
        self: &Arc<Self>,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<Asked> {
        let closes = self.closes_of(account).await?;
        let mut closes = closes.iter().filter_map(|row| match &row.state {
            CloseState::Closed { closed, link: _ } => Some((row.period, closed)),
            CloseState::Parked { .. } => None,
        });
        // Oldest first: an open period begins with what the newest one ended with.
        let behind = closes.rfind(|(of, _)| *of <= period.number());
        let is_closed = behind.is_some_and(|(of, _)| of == period.number());
        let stood_at = behind.map_or("open".to_owned(), |(of, close)| {
            let word = if is_closed { "closed" } else { "open behind" };
            let digest = hex::encode(close.entries_digest);
            format!("{word} {of} {} {} {digest}", close.company_version, close.end_sequence)
        });
        let (account, question) = (account.clone(), question(account, period));
        Ok(Asked { account, period, question, stood_at, is_closed })
    }

    /// The oldest of those that are current.
    async fn found_set(self: &Arc<Self>, asked: &Asked) -> Result<Option<SetRead>> {
        let now = self.clocks.system.now();
        let (store, params_hash) = (Arc::clone(&self.store), hash(&asked.question));
        // What only lives for its last readers may be gone before it is read.
        let least = now.plus_seconds(SPARE_SECONDS);
        let living = crate::blocking(move || {
            store.living_spools(&params_hash, least).map_err(crate::stored("look for a data set"))
        })
        .await?;
        let refresh_s = i64::try_from(self.config.refresh_seconds).unwrap_or(i64::MAX);
        let is_current = |spool: &Spool| {
            let is_due = made_at(&spool.id).is_none_or(|at| at.plus_seconds(refresh_s) <= now);
            spool.stood_at == asked.stood_at && (asked.is_closed || !is_due)
        };
        // Ids begin with when they were made, and the greatest comes first.
        let Some(found) = living.into_iter().rev().find(is_current) else { return Ok(None) };
        let mut found = self.read_set(found, &asked.account, asked.period).await?;
        if asked.is_closed {
            self.hold_set(&mut found).await?;
        }
        Ok(Some(found))
    }

    async fn read_set(
        &self,
        spool: Spool,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<SetRead> {
        let head = self.head_of(&spool).await?;
        let unread = |e| Error::internal("read a data set", e);
        let head: Head = serde_json::from_str(&head).map_err(unread)?;
        let refreshed_at = Instant::from_micros(head.refreshed_at);
        let of = (account, period, refreshed_at);
        let told = DataSet {
            id: head.hash,
            billing_account: account.clone(),
            period,
            refreshed_at,
            is_final: head.is_final,
            rows: head.rows,
            balance: Some(kept_balances::told(head.balance, of, head.is_final)?),
        };
        Ok(SetRead { spool, told, marketplace: head.marketplace })
    }

    async fn make_in_turn(self: &Arc<Self>, asked: Asked) -> Result<SetRead> {
        let _in_turn = match self.making_sets.of(&asked.question) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        // Whoever was before may have made it.
        match self.found_set(&asked).await? {
            Some(found) => Ok(found),
            None => self.make_set(&asked).await,
        }
    }

    async fn make_set(self: &Arc<Self>, asked: &Asked) -> Result<SetRead> {
        let Asked { account, period, .. } = asked;
        let id = new_id(self.clocks.system.now());
        let (declared, now) = (self.refresh_declared().await?, self.clocks.business.now());
        let books = self.period_books(&declared, account, *period, now).await;
        let books = books.map_err(|error| not_drafted(account, error))?;
        let look = Look::new(Arc::clone(&declared), (Arc::clone(&declared.company), now), None);
        let drafted = books.draft.as_ref().map(|draft| draft.usage.clone());
        let is_final = books.told.is_final;
        let (by, source) = match drafted {
            Some(usage) => (declared, Source::View(usage)),
            None if is_final => self.closed_usage(&declared, (account, *period)).await?,
            None => (declared, Source::None),
        };
        let details = crate::blocking(move || Details::new(look, by, books)).await?;
        let refresh_s = i64::try_from(self.config.refresh_seconds).unwrap_or(i64::MAX);
        let kept_s = if is_final { self.page_seconds() } else { refresh_s };
        let pin = Pin {
            owner: format!("data set {id}"),
            asked: asked.question.clone(),
            // Behind a close that came meanwhile, the next question makes another.
            stood_at: asked.stood_at.clone(),
        };
        let writer = self.begin_as(id, &pin, kept_s.saturating_add(SPARE_SECONDS));
        let mut set = NewSet { writer, hash: blake3::Hasher::new() };
        let details = self.write_usage_details(&mut set, details, (asked, source)).await?;
        let details = write_rest(&mut set, details).await?;
        let id = set.finish(&details).await?;
        let made = self.set_by_id(&id, account, *period).await?;
        made.ok_or_else(|| Error::internal("make a data set", "it is not there"))
    }

    /// What the close of a billing period rated its usage by, and where its rated rows are now.
    async fn closed_usage(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        (account, period): (&BillingAccountId, BillingPeriod),
    ) -> Result<(Arc<Declared>, Source)> {
        // Before it is asked whether anything has changed: nothing new is in it then.
        let usage = self.refresh(self.usage_key(account, period)).await?;
        let closed = self.closed_periods(declared, account).await?.into_iter();
        let missing = || Error::not_found("close", format!("{account} in {period}"));
        let ClosedPeriod { close, has_changed, .. } =
            closed.into_iter().find(|closed| closed.period == period).ok_or_else(missing)?;
        let declared = self.declared_at(close.company_version).await?;
        let source = match has_changed {
            false => Source::View(usage),
            true => Source::Again(close.end_sequence),
        };
        Ok((declared, source))
    }

    /// The cell of an account's usage.
    fn usage_key(&self, account: &BillingAccountId, period: BillingPeriod) -> CellKey {
        CellKey { period, bucket: self.bucket_of(account) }
    }

    async fn write_usage_details(
        self: &Arc<Self>,
        set: &mut NewSet,
        mut details: Details,
        (asked, source): (&Asked, Source),
    ) -> Result<Details> {
        match source {
            Source::None => {}
            Source::View(usage) => {
                for portion in self.portions_of(&usage, &asked.account).await? {
                    let rows = self.rows_of_portion(&usage, &asked.account, &portion).await?;
                    details = write_rows(set, details, rows).await?;
                }
            }
            Source::Again(end_sequence) => {
                let declared = Arc::clone(details.declared());
                for meter in meters_of(&details, &asked.account) {
                    let of = (&asked.account, Some(&meter));
                    let seen = (end_sequence, &declared);
                    let mut rows = self.rated_again(of, asked.period, seen).await?;
                    rows.retain(|row| row.meter == meter);
                    details = write_rows(set, details, rows).await?;
                }
            }
        }
        Ok(details)
    }
}

/// The meters that rated rows of an account can be of: those on its lines, and those at which
/// reservations are lost.
fn meters_of(details: &Details, account: &BillingAccountId) -> BTreeSet<MeterId> {
    let lines = details.books().invoices.iter().flat_map(|(_, invoice)| &invoice.lines);
    let meters = lines.filter_map(|line| line.key.meter.clone());
    let reservations = details.declared().company.reservations_of(account).iter();
    let lost = reservations.filter_map(|held| held.bought.first_meter().cloned());
    meters.chain(lost).collect()
}

/// Where rated rows come from.
enum Source {
    /// There is nothing to read.
    None,
    /// What was drafted from, or has not changed since the close.
    View(View),
    /// Records before this sequence, which the close saw, are rated again.
    Again(u64),
}

/// A data set that is being written.
struct NewSet {
    writer: Writer,
    hash: blake3::Hasher,
}

impl NewSet {
    async fn push(&mut self, lines: Vec<String>) -> Result<()> {
        for line in lines {
            self.hash.update(line.as_bytes()).update(b"\n");
            self.writer.push(line).await?;
        }
        Ok(())
    }

    async fn finish(mut self, details: &Details) -> Result<String> {
        let told = &details.books().told;
        let mut head = Head {
            hash: String::new(),
            refreshed_at: 0,
            is_final: told.is_final,
            rows: self.writer.lines(),
            marketplace: details.marketplace,
            balance: kept_balances::kept(told),
        };
        let text = |head: &Head| {
            serde_json::to_string(head).map_err(|e| Error::internal("write a data set", e))
        };
        self.hash.update(text(&head)?.as_bytes());
        head.hash = self.hash.finalize().to_hex().to_string();
        head.refreshed_at = told.at.micros();
        self.writer.finish(&text(&head)?).await
    }
}

async fn write_rows(
    set: &mut NewSet,
    mut details: Details,
    rows: Vec<RatedRow>,
) -> Result<Details> {
    let (details, lines) = crate::blocking(move || {
        let lines = details.tell_rows(rows)?;
        Ok((details, lines))
    })
    .await?;
    set.push(lines).await?;
    Ok(details)
}

/// Writes what lines have beside rated rows, and notes.
async fn write_rest(set: &mut NewSet, mut details: Details) -> Result<Details> {
    let count = details.line_count();
    for from in (0..count).step_by(LINES_AT_ONCE) {
        let (back, lines) = crate::blocking(move || {
            let mut told = Vec::new();
            for at in from..from.saturating_add(LINES_AT_ONCE).min(count) {
                told.append(&mut details.tell_line(at)?);
            }
            Ok((details, told))
        })
        .await?;
        details = back;
        set.push(lines).await?;
    }
    let (details, notes) = crate::blocking(move || {
        let notes = details.tell_notes()?;
        Ok((details, notes))
    })
    .await?;
    set.push(notes).await?;
    Ok(details)
}

fn question(account: &BillingAccountId, period: BillingPeriod) -> String {
    format!("data set {account} {period}")
}

/// How many digits of an id say when it was made: system time in milliseconds.
const TIME_DIGITS: usize = 12;

/// An id of 32 hex digits that begins with when it was made.
fn new_id(now: Instant) -> String {
    let millis = now.micros().checked_div(1_000).unwrap_or(0).max(0);
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{millis:012x}{}", random.chars().skip(TIME_DIGITS).collect::<String>())
}

/// When an id was made.
fn made_at(id: &str) -> Option<Instant> {
    let millis = i64::from_str_radix(id.get(..TIME_DIGITS)?, 16).ok()?;
    Some(Instant::from_micros(millis.checked_mul(MICROS_PER_SECOND.checked_div(1_000)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_with_time_and_say_when_they_were_made() {
        let at = |text: &str| Instant::parse(text).unwrap();
        let (early, late) = (at("2026-05-01T00:00:00Z"), at("2026-05-01T00:00:01Z"));
        let (first, second) = (new_id(early), new_id(late));
        assert!(first < second);
        assert_eq!((first.len(), made_at(&first)), (32, Some(early)));
        assert_eq!(made_at(&second), Some(late));
        assert_eq!(made_at("short"), None);
    }
}
