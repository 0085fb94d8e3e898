//! Conflicts: records with a known key and other content, and settling them.

use crate::cells::TailRecord;
use crate::declared::{PositionBody, SETTLEMENT, SettlementBody};
use crate::intake::UnreadableBody;
use crate::{Reckoner, usage_rows};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, Scope};
use domain::ids::BillingAccountId;
use domain::usage::{Position, RecordKey, UsageRecord};
use domain::{Error, Result, encoding};
use engine::{Filter, Input};
use std::sync::Arc;
use store::{Deed, NewFact};
use usagelog::EntryKind;

/// Two contents of one key.
#[derive(Debug, Clone)]
pub struct Conflict {
    /// The first durable record of the key.
    pub first: Position,
    /// Where the record is that came with other content.
    pub other: Position,
    /// Its key, and the first one's.
    pub key: RecordKey,
    /// When it was acknowledged.
    pub acknowledged_at: Instant,
    /// What it says; none if it cannot be read.
    pub record: Option<UsageRecord>,
    /// Which of them counts, if that was settled; the first until then.
    pub chosen: Option<Position>,
}

impl Reckoner {
    /// Lists the conflicts of a billing account, oldest first.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn conflicts(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
    ) -> Result<Vec<Conflict>> {
        let scope = Scope::Account(account.clone());
        self.demand(caller, Action::ReadQuarantine, &scope).await?;
        let bucket = self.0.bucket_of(account);
        let mut found = Vec::new();
        for (_, cell) in self.0.cells.all().into_iter().filter(|(key, _)| key.bucket == bucket) {
            let state = cell.state().clone();
            let files = state.usage.iter().map(|file| Input::file(Arc::clone(&file.facts)));
            let filters = vec![Filter::Not(Box::new(Filter::IsNull("conflict_of")))];
            let files: Vec<Input> = files.collect();
            let sealed = if files.is_empty() {
                Vec::new()
            } else {
                usage_rows::from_columns(
                    &self.0.scan_all(usage_rows::schema()?, files, filters).await?,
                )?
            };
            found.extend(sealed.into_iter().map(|(_, record)| record));
            found.extend(state.tail.into_iter().filter(|record| record.conflict_of.is_some()));
        }
        let declared = self.0.declared();
        let settled = declared.settlements_of(account);
        let mut conflicts = Vec::new();
        for record in found {
            let Some(first) = record.conflict_of else { continue };
            let (key, content) = content_of(&record)?;
            if key.billing_account == *account {
                let chosen = settled.iter().rev().find(|s| s.first == first).map(|s| s.chosen);
                let (other, acknowledged_at) = (record.position, record.acknowledged_at);
                let record = content;
                conflicts.push(Conflict { first, other, key, acknowledged_at, record, chosen });
            }
        }
        conflicts.sort_by_key(|conflict| conflict.other);
        Ok(conflicts)
    }

    /// Settles a conflict by choosing one of its records; both stay in the log.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for no such conflict,
    /// [`Error::Invalid`] for a choice that is neither of them or without a reason.
    #[boxed]
    pub async fn settle_conflict(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        (first, chosen): (Position, Position),
        reason: &str,
        request_id: &str,
    ) -> Result<()> {
        let scope = Scope::Account(account.clone());
        self.demand(caller, Action::SettleUsage, &scope).await?;
        if reason.trim().is_empty() {
            return Err(Error::invalid("reason", "must say why"));
        }
        let conflicts = self.conflicts(&Caller::Machine, account).await?;
        let others: Vec<Position> = conflicts
            .iter()
            .filter(|conflict| conflict.first == first)
            .map(|conflict| conflict.other)
            .collect();
        if others.is_empty() {
            return Err(Error::not_found(
                "conflict",
                format!("{}/{}", first.shard, first.sequence),
            ));
        }
        if chosen != first && !others.contains(&chosen) {
            return Err(Error::invalid(
                "chosen",
                "is neither the first record nor one in conflict with it",
            ));
        }
        let key = conflicts.iter().find(|conflict| conflict.first == first);
        let target = settled(account, key.map(|conflict| &conflict.key), chosen);
        let fact = settlement(account, (first, chosen), reason)?;
        let note = self.note(caller, reason, request_id);
        let declared = self.0.refresh_declared().await?;
        let deed = Deed { action: "conflict.settle", target, closes: None };
        self.0.append_facts(&declared, vec![fact], (note, deed)).await.map(|_| ())
    }
}

/// The fact that one record of a conflict counts.
pub(crate) fn settlement(
    account: &BillingAccountId,
    (first, chosen): (Position, Position),
    reason: &str,
) -> Result<NewFact> {
    let body = SettlementBody {
        billing_account: account.to_string(),
        first: PositionBody::from(first),
        chosen: PositionBody::from(chosen),
        reason: reason.to_owned(),
    };
    Ok(NewFact {
        kind: SETTLEMENT.to_owned(),
        key: format!("{account}/{}/{}", first.shard, first.sequence),
        effective_from: Instant::MIN,
        body: serde_json::to_string(&body).map_err(|e| Error::internal("write a settlement", e))?,
    })
}

/// Key and content of a record; no content if it cannot be read.
fn content_of(record: &TailRecord) -> Result<(RecordKey, Option<UsageRecord>)> {
    if record.kind == EntryKind::UNREADABLE {
        return Ok((UnreadableBody::read(&record.payload)?.key()?, None));
    }
    let record = encoding::decode(&record.payload)?;
    Ok((record.key.clone(), Some(record)))
}

/// What a settlement is about, and which record counts by it.
fn settled(account: &BillingAccountId, key: Option<&RecordKey>, chosen: Position) -> String {
    let record = key.map_or_else(String::new, |key| format!("/{}/{}", key.source, key.id));
    let Position { shard, sequence, epoch: _ } = chosen;
    format!("usage record {account}{record}: {shard}:{sequence} counts")
}
