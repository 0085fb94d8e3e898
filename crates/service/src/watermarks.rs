//! How far each source has reported: up to then, its usage is taken to be complete.

use crate::cells::TailRecord;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{Instant, Interval};
use domain::access::Caller;
use domain::company::Company;
use domain::ids::{BillingAccountId, SourceName, SubscriptionId};
use domain::usage::{RecordKey, is_ahead};
use domain::{Error, Result, encoding};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use store::{Store, Watermark};

/// That a source has reported something for an account.
pub(crate) struct Report {
    source: SourceName,
    account: BillingAccountId,
    /// The source's own reported time; the acknowledgement counts if none.
    at: Option<Instant>,
}

impl Report {
    pub(crate) fn of(key: &RecordKey, at: Option<Instant>) -> Report {
        Report { source: key.source.clone(), account: key.billing_account.clone(), at }
    }
}

/// The report that a record of the log makes; none if it cannot be read.
pub(crate) fn report_of(record: &TailRecord) -> Result<Vec<Report>> {
    if record.kind == usagelog::EntryKind::UNREADABLE {
        return Ok(Vec::new());
    }
    let record = encoding::decode(&record.payload)?;
    Ok(vec![Report::of(&record.key, record.reported_at)])
}

/// How far each source has reported for each billing account.
pub(crate) struct Watermarks(Mutex<BTreeMap<(SourceName, BillingAccountId), Instant>>);

impl Watermarks {
    /// Reads what the books keep; no source has reported beyond now.
    pub(crate) fn open(store: &Store, now: Instant) -> Result<Watermarks> {
        let mut kept = BTreeMap::new();
        for row in store.watermarks().map_err(crate::stored("read the watermarks"))? {
            let key = (SourceName::new(&row.source)?, BillingAccountId::new(&row.billing_account)?);
            kept.insert(key, row.reported_until.min(now));
        }
        Ok(Watermarks(Mutex::new(kept)))
    }

    /// Raises watermarks by what was reported, to business now at most; none ever falls, and what
    /// cannot have been reported yet raises none.
    pub(crate) fn raise(&self, reports: Vec<Report>, acknowledged_at: Instant) {
        let mut kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let is_told = |at: Option<Instant>| at.is_none_or(|at| !is_ahead(at, acknowledged_at));
        for Report { source, account, at } in reports.into_iter().filter(|one| is_told(one.at)) {
            let until = at.map_or(acknowledged_at, |at| at.min(acknowledged_at));
            let mark = kept.entry((source, account)).or_insert(until);
            *mark = (*mark).max(until);
        }
    }

    fn of(&self, source: &SourceName, account: &BillingAccountId) -> Option<Instant> {
        let kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.get(&(source.clone(), account.clone())).copied()
    }

    fn rows(&self) -> Vec<Watermark> {
        let kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let row =
            |((source, account), until): (&(SourceName, BillingAccountId), &Instant)| Watermark {
                source: source.to_string(),
                billing_account: account.to_string(),
                reported_until: *until,
            };
        kept.iter().map(row).collect()
    }
}

impl Inner {
    /// Writes the watermarks to the books; what came later is found again in the log.
    pub(crate) async fn keep_watermarks(self: &Arc<Self>) -> Result<()> {
        let this = Arc::clone(self);
        crate::blocking(move || {
            let rows = this.watermarks.rows();
            this.store.raise_watermarks(&rows).map_err(crate::stored("keep the watermarks"))
        })
        .await
    }

    /// The sources that have not yet reported past `until` for an account, and still have time to.
    pub(crate) fn late_sources<'a>(
        &'a self,
        company: &'a Company,
        account: &'a BillingAccountId,
        until: Instant,
    ) -> impl Iterator<Item = &'a SourceName> {
        let now = self.clocks.business.now();
        let waits = move |source: &&'a domain::company::Source| {
            source.grace_micros > 0
                && source.billing_accounts.contains(account)
                && now < until.plus_micros(source.grace_micros)
        };
        let sources = company.sources.values().filter(waits).map(|source| &source.name);
        let has_reported = move |source: &SourceName| {
            self.watermarks.of(source, account).is_some_and(|mark| mark >= until)
        };
        sources.filter(move |source| !has_reported(source))
    }

    /// Whether every source of a subscription's usage has reported past the end of an interval, or
    /// has had its grace. Who pays later does not count; who paid earlier counts as long as a
    /// source may still report it within its grace.
    pub(crate) fn is_complete(
        &self,
        company: &Company,
        subscription: &SubscriptionId,
        reported: Interval,
    ) -> bool {
        let placements = company.subscriptions.get(subscription).map(|s| s.placements.as_slice());
        let until = reported.end();
        placements.unwrap_or_default().iter().all(|placement| {
            let paid = placement.during;
            // Who pays later is not waited for; who paid earlier only while its usage may be late.
            let matters = |source: &&SourceName| {
                let grace = company.sources.get(*source).map_or(0, |source| source.grace_micros);
                paid.start() < until && paid.end().plus_micros(grace) > reported.start()
            };
            let mut late = self.late_sources(company, &placement.billing_account, until);
            !late.any(|source| matters(&source))
        })
    }
}

impl Reckoner {
    /// Takes a source's word that it has reported everything before a moment, though it may have
    /// sent nothing.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`] for a moment that is
    /// still to come.
    #[boxed]
    pub async fn report_until(
        &self,
        caller: &Caller,
        (source, account): (&SourceName, &BillingAccountId),
        until: Instant,
        request_id: &str,
    ) -> Result<()> {
        let declared = self.0.declared();
        crate::intake::may_send_as(&declared.company, self.now(), caller, (account, source))?;
        let now = self.now();
        if is_ahead(until, now) {
            let problem = format!("{until} is later than now, {now}");
            return Err(Error::invalid("until", problem));
        }
        let key = Report { source: source.clone(), account: account.clone(), at: Some(until) };
        self.0.watermarks.raise(vec![key], now);
        self.0.keep_watermarks().await?;
        let note = self.note(caller, &format!("until {until}"), request_id);
        self.audit_note(note, "usage.report_until", &format!("usage of {account}/{source}")).await
    }
}
