//! Replaying quarantine: trying records again that wait, and telling what came of it.
//!
//! Records that can be read are rated again by themselves whenever a fact touches their account;
//! a replay brings that up to now and tells how many have left since the last replay told. Records
//! that could not be read when they came are read again by today's rules, from what was kept.

use crate::conflicts::settlement;
use crate::declare::first_of;
use crate::intake::{Incoming, Taken, UnreadableBody};
use crate::quarantine::WaitingAsked;
use crate::released::Left;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use domain::Result;
use domain::access::{Action, Caller};
use domain::usage::{
    Act, Billable, Position, QuarantineReason, Quarantined, RecordKey, UsageRecord, Verdict,
};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use store::Deed;
use usagelog::EntryKind;

/// Reads a record from what was kept of it when it could not be read.
pub type ReadAgain = fn(&RecordKey, &str) -> Result<UsageRecord>;

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Records that waited, and are rated since the last replay.
    pub rated: u64,
    /// Records that waited, and have nothing to rate any more: withdrawn, amended, left out by a
    /// newer extract, or not to be charged.
    pub needless: u64,
    /// What waits on, by reason and field.
    pub waiting: Vec<StillWaiting>,
}

/// Records that wait for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillWaiting {
    /// Why.
    pub reason: QuarantineReason,
    /// Which field.
    pub field: &'static str,
    /// How many.
    pub records: u64,
}

/// A record that can be read now, and where its readable form stands.
struct ReadNow {
    position: Position,
    is_charged: bool,
}

impl Reckoner {
    /// Says how records are read that could not be read when they came; once, at the start.
    pub fn read_again_with(&self, read: ReadAgain) {
        // Whoever said it first stays: the program has one way.
        let _ = self.0.read_again.set(read);
    }

    /// Tries records again that wait, and tells what came of it. What has left quarantine is told
    /// by one replay only.
    ///
    /// Errors: [`domain::Error::Forbidden`], [`domain::Error::NotFound`] for an account that the
    /// caller may not see, [`domain::Error::Unavailable`] when the usage log takes nothing.
    #[boxed]
    pub async fn replay_quarantine(
        &self,
        caller: &Caller,
        asked: &WaitingAsked,
        request_id: &str,
    ) -> Result<Replayed> {
        self.demand(caller, Action::SettleUsage, &asked.scope()).await?;
        self.0.refresh_declared().await?;
        let waited = self.0.waiting(asked).await?;
        let read = self.read_unreadable(caller, &waited, request_id).await?;
        let everything = WaitingAsked { reason: None, ..asked.clone() };
        let waiting = self.0.waiting(&everything).await?;
        let mut left = Left::default();
        for key in self.0.cells_of(asked) {
            left.add(self.0.take_released(key, asked).await?);
        }
        left.add(left_of(&read, &waiting));
        let note = self.note(caller, "replay", request_id);
        let target = asked.billing_account.as_ref().map_or("installation", |a| a.as_str());
        self.audit_note(note, "quarantine.replay", target).await?;
        let waiting = waiting.iter().filter(|w| asked.means(&w.key.billing_account, w.reason));
        Ok(Replayed { rated: left.rated, needless: left.needless, waiting: by_reason(waiting) })
    }

    /// Reads what can be read now, appends it and chooses it in place of what came.
    async fn read_unreadable(
        &self,
        caller: &Caller,
        waiting: &[Quarantined],
        request_id: &str,
    ) -> Result<Vec<ReadNow>> {
        let Some(read) = self.0.read_again.get().copied() else { return Ok(Vec::new()) };
        let mut readable = Vec::new();
        for waits in waiting.iter().filter(|waits| may_be_unreadable(waits.reason)) {
            if let Some(record) = self.0.readable(waits.position, read).await? {
                readable.push((waits.position, record));
            }
        }
        let batch = usize::try_from(self.limits().batch_records).unwrap_or(usize::MAX).max(1);
        let (mut facts, mut now, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for part in readable.chunks(batch) {
            let records = part.iter().map(|(_, record)| Incoming::Record(Box::new(record.clone())));
            let taken = self.0.take_in(records.collect()).await?;
            for ((first, record), taken) in part.iter().zip(taken) {
                // The key is known, so the readable form comes as a conflict of what was kept.
                let Taken { verdict: Verdict::Conflict, position: Some(position), unread: _ } =
                    taken
                else {
                    continue;
                };
                let RecordKey { billing_account: account, source, id } = &record.key;
                keys.push(format!("{account}/{source}/{id}"));
                facts.push(settlement(account, (*first, position), "read again")?);
                let is_charged =
                    record.billable == Billable::Yes && !matches!(record.act, Act::Withdraw(_));
                now.push(ReadNow { position, is_charged });
            }
        }
        if !facts.is_empty() {
            let note = self.note(caller, "read again", request_id);
            let declared = self.0.refresh_declared().await?;
            let target = format!("usage records {}", first_of(&keys));
            let deed = Deed { action: "conflict.settle", target, closes: None };
            self.0.append_facts(&declared, facts, (note, deed)).await?;
        }
        Ok(now)
    }
}

impl Inner {
    /// The record that an unreadable entry is by today's rules, if it can be read now.
    async fn readable(
        self: &Arc<Self>,
        position: Position,
        read: ReadAgain,
    ) -> Result<Option<UsageRecord>> {
        let Some(logged) = self.logged(position).await? else { return Ok(None) };
        if logged.kind != EntryKind::UNREADABLE || logged.conflict_of.is_some() {
            return Ok(None);
        }
        let body = UnreadableBody::read(&logged.payload)?;
        Ok(read(&body.key()?, &body.raw).ok())
    }
}

/// Whether a record with this reason can be one that could not be read when it came.
fn may_be_unreadable(reason: QuarantineReason) -> bool {
    match reason {
        QuarantineReason::BadQuantity | QuarantineReason::Unreadable => true,
        QuarantineReason::UnknownMeter
        | QuarantineReason::NoPrice
        | QuarantineReason::NoSubscription
        | QuarantineReason::UnknownTarget
        | QuarantineReason::OutOfRange => false,
    }
}

/// How many of the records that can be read now do not wait for something else.
fn left_of(read: &[ReadNow], waiting: &[Quarantined]) -> Left {
    let waiting: HashSet<Position> = waiting.iter().map(|waits| waits.position).collect();
    let mut left = Left::default();
    for one in read.iter().filter(|one| !waiting.contains(&one.position)) {
        let is_charged = one.is_charged;
        left.add(Left { rated: u64::from(is_charged), needless: u64::from(!is_charged) });
    }
    left
}

fn by_reason<'a>(waiting: impl Iterator<Item = &'a Quarantined>) -> Vec<StillWaiting> {
    let mut counts: BTreeMap<(QuarantineReason, &'static str), u64> = BTreeMap::new();
    for waits in waiting {
        let count = counts.entry((waits.reason, waits.field)).or_default();
        *count = count.saturating_add(1);
    }
    let still = |((reason, field), records)| StillWaiting { reason, field, records };
    counts.into_iter().map(still).collect()
}
