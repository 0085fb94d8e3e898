//! Amending and withdrawing usage: by another record that names the first, with actor and reason.

use crate::Reckoner;
use crate::intake::{Incoming, Taken, UnreadableBody};
use async_recursion::async_recursion as boxed;
use domain::access::{Action, Caller, Scope};
use domain::ids::RecordId;
use domain::usage::{Act, Amendment, Origin, Position, RecordKey, UsageRecord, Verdict};
use domain::{Error, Result, encoding};
use money::Fixed18;
use std::collections::BTreeMap;
use usagelog::EntryKind;

/// Targets that one entry of the audit log names; of the others it tells the number.
const TARGETS_NAMED: usize = 20;

/// What shall happen to a record.
#[derive(Debug, Clone)]
pub struct AmendmentAsked {
    /// Which record.
    pub target: RecordKey,
    /// Id of the record that amends it; a new one if none. Repeating a request with the same id
    /// does nothing twice.
    pub id: Option<RecordId>,
    /// What shall change.
    pub change: Change,
    /// Why.
    pub reason: String,
}

/// What an amendment changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The quantity is this, in the meter's unit.
    Quantity(Fixed18),
    /// It does not count at all.
    Withdraw,
}

/// An amendment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amended {
    /// Id of the record that amends the other.
    pub id: RecordId,
    /// What became of it.
    pub taken: Taken,
}

/// An amendment or withdrawal among records that came in, by its place.
pub(crate) struct Noted {
    place: usize,
    key: RecordKey,
    action: &'static str,
    amendment: Amendment,
}

/// The amendments and withdrawals among records.
pub(crate) fn amendments(records: &[Incoming]) -> Vec<Noted> {
    let noted = |(place, incoming): (usize, &Incoming)| {
        let Incoming::Record(record) = incoming else { return None };
        let (action, amendment) = match &record.act {
            Act::Use => return None,
            Act::Amend(amendment) => ("usage.amend", amendment),
            Act::Withdraw(amendment) => ("usage.withdraw", amendment),
        };
        let (key, amendment) = (record.key.clone(), amendment.clone());
        Some(Noted { place, key, action, amendment })
    };
    records.iter().enumerate().filter_map(noted).collect()
}

impl Reckoner {
    /// Amends or withdraws a record: the rest of it stays, both records stay in the log.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for a record that is not there,
    /// [`Error::Invalid`] without a reason, or for another quantity of a record whose cost is
    /// passed through, [`Error::Conflict`] for a record that cannot be read.
    #[boxed]
    pub async fn amend(
        &self,
        caller: &Caller,
        asked: AmendmentAsked,
        request_id: &str,
    ) -> Result<Amended> {
        let AmendmentAsked { target, id, change, reason } = asked;
        let scope = Scope::Account(target.billing_account.clone());
        self.demand(caller, Action::SettleUsage, &scope).await?;
        if reason.trim().is_empty() {
            return Err(Error::invalid("reason", "must say why"));
        }
        let record = self.0.record_of(&target).await?;
        let id = match id {
            Some(id) => id,
            None => RecordId::new(&uuid::Uuid::new_v4().to_string())?,
        };
        let amendment = Amendment { target: target.id.clone(), actor: caller.actor(), reason };
        let record = changed(record, id.clone(), change, amendment)?;
        let records = vec![Incoming::Record(Box::new(record))];
        let noted = amendments(&records);
        let taken = self.0.take_in(records).await?;
        self.audit_amendments(caller, noted, &taken, request_id).await?;
        let gone = || Error::internal("amend a record", "no verdict came back");
        let taken = taken.into_iter().next().ok_or_else(gone)?;
        match taken.verdict {
            Verdict::Conflict => {
                let problem = "another record has this id already".to_owned();
                Err(Error::Conflict { what: "usage record", key: id.to_string(), problem })
            }
            _ => Ok(Amended { id, taken }),
        }
    }

    /// Writes amendments and withdrawals that are new into the audit log: one entry for each
    /// source, account and kind.
    pub(crate) async fn audit_amendments(
        &self,
        caller: &Caller,
        noted: Vec<Noted>,
        taken: &[Taken],
        request_id: &str,
    ) -> Result<()> {
        let mut entries: BTreeMap<(&'static str, String), Vec<Noted>> = BTreeMap::new();
        for one in noted {
            if taken.get(one.place).is_some_and(|taken| is_new(&taken.verdict)) {
                let place = format!("{}/{}", one.key.billing_account, one.key.source);
                entries.entry((one.action, place)).or_default().push(one);
            }
        }
        for ((action, place), noted) in entries {
            let reasons: Vec<String> = noted
                .iter()
                .take(TARGETS_NAMED)
                .map(|one| {
                    let Amendment { target, actor, reason } = &one.amendment;
                    format!("{target} ({actor}: {reason})")
                })
                .collect();
            let more = noted.len().saturating_sub(TARGETS_NAMED);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            let note = self.note(caller, &format!("{}{more}", reasons.join(", ")), request_id);
            self.audit_note(note, action, &format!("usage of {place}")).await?;
        }
        Ok(())
    }
}

/// Whether a record was not there before.
fn is_new(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Accepted | Verdict::Conflict | Verdict::Quarantined { .. } => true,
        Verdict::Duplicate | Verdict::Rejected { .. } => false,
    }
}

/// The record that changes another: alike, but for its id, its act and what changes.
fn changed(
    record: UsageRecord,
    id: RecordId,
    change: Change,
    amendment: Amendment,
) -> Result<UsageRecord> {
    let key = RecordKey { id, ..record.key.clone() };
    let (act, quantity) = match change {
        Change::Withdraw => (Act::Withdraw(amendment), record.quantity),
        Change::Quantity(_) if record.stated_cost.is_some() => {
            let problem =
                "cannot change alone: the record's cost is the source's own; import it anew";
            return Err(Error::invalid("quantity", problem));
        }
        Change::Quantity(quantity) => (Act::Amend(amendment), quantity),
    };
    Ok(UsageRecord { key, act, quantity, origin: Origin::Event, ..record })
}

impl crate::Inner {
    /// The record that stands for a key.
    pub(crate) async fn record_of(
        self: &std::sync::Arc<Self>,
        key: &RecordKey,
    ) -> Result<UsageRecord> {
        let name = || format!("{}/{}", key.source, key.id);
        let missing = || Error::not_found("usage record", name());
        let position = self.standing_position(key).await?.ok_or_else(missing)?;
        let logged = self.logged(position).await?.ok_or_else(missing)?;
        if logged.kind == EntryKind::UNREADABLE {
            let UnreadableBody { field, problem, .. } = UnreadableBody::read(&logged.payload)?;
            let problem = format!("cannot be read: {field}: {problem}");
            return Err(Error::Conflict { what: "usage record", key: name(), problem });
        }
        encoding::decode(&logged.payload)
    }

    /// Where the record stands that counts for a key: the one that was chosen of a conflict, else
    /// the first.
    pub(crate) async fn standing_position(
        self: &std::sync::Arc<Self>,
        key: &RecordKey,
    ) -> Result<Option<Position>> {
        let Some(first) = self.position_of(key.clone()).await? else { return Ok(None) };
        let declared = self.declared();
        let mut settled = declared.settlements_of(&key.billing_account).iter().rev();
        Ok(Some(settled.find(|s| s.first == first).map_or(first, |settled| settled.chosen)))
    }
}
