//! Whether what an amendment names can be amended by it: told to the sender at once. Rating
//! decides again later, for a target may still come.

use crate::Inner;
use crate::intake::{Incoming, Taken};
use domain::usage::{Act, QuarantineReason, RecordKey, UsageRecord, Verdict};
use domain::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;

impl Inner {
    /// Places of the amendments and withdrawals among records whose target is nowhere, or is of
    /// another subscription, meter or billing period. Targets may come in the same batch.
    pub(crate) async fn without_target(
        self: &Arc<Self>,
        records: &[Incoming],
    ) -> Result<Vec<usize>> {
        let amending: Vec<(usize, &UsageRecord, RecordKey)> = amending(records).collect();
        if amending.is_empty() {
            return Ok(Vec::new());
        }
        let sent: HashMap<&RecordKey, &UsageRecord> =
            read(records).map(|(_, record)| (&record.key, record)).collect();
        let mut without = Vec::new();
        for (place, record, target) in amending {
            let found = match self.record_of(&target).await {
                Ok(kept) => record.may_replace(&kept),
                Err(Error::NotFound { .. }) => {
                    target != record.key
                        && sent.get(&target).is_some_and(|target| record.may_replace(target))
                }
                // It is there and cannot be read: there is nothing to put another in place of.
                Err(Error::Conflict { .. }) => false,
                Err(error) => return Err(error),
            };
            if !found {
                without.push(place);
            }
        }
        Ok(without)
    }
}

/// Tells of amendments that were accepted that they wait.
pub(crate) fn tell(taken: &mut [Taken], without: &[usize]) {
    let (reason, field) = (QuarantineReason::UnknownTarget, "target");
    for place in without {
        if let Some(taken) = taken.get_mut(*place).filter(|t| t.verdict == Verdict::Accepted) {
            taken.verdict = Verdict::Quarantined { reason, field };
        }
    }
}

/// The records that can be read, by their places.
fn read(records: &[Incoming]) -> impl Iterator<Item = (usize, &UsageRecord)> {
    records.iter().enumerate().filter_map(|(place, incoming)| match incoming {
        Incoming::Record(record) => Some((place, &**record)),
        Incoming::Unreadable(_) | Incoming::Keyless { .. } => None,
    })
}

/// The amendments and withdrawals, and what they name.
fn amending(records: &[Incoming]) -> impl Iterator<Item = (usize, &UsageRecord, RecordKey)> {
    read(records).filter_map(|(place, record)| match &record.act {
        Act::Use => None,
        Act::Amend(to) | Act::Withdraw(to) => {
            let target = RecordKey { id: to.target.clone(), ..record.key.clone() };
            Some((place, record, target))
        }
    })
}
