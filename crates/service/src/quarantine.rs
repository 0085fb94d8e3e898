//! Records that cannot be rated yet: kept, listed, and rated when the facts allow it.

use crate::cells::CellKey;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use domain::access::{Action, Caller, Scope};
use domain::ids::{BillingAccountId, RecordId, SourceName};
use domain::usage::{Dimension, Position, QuarantineReason, Quarantined, RecordKey};
use domain::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A quarantined record, as the books keep it beside the rated file of its unit.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuarantinedTwin {
    unit: i64,
    shard: u16,
    sequence: u64,
    epoch: u32,
    billing_account: String,
    source: String,
    id: String,
    reason: String,
    field: String,
}

/// Twins of all quarantined records of some units.
pub(crate) fn twins(quarantine: &BTreeMap<i64, Vec<Quarantined>>) -> Vec<QuarantinedTwin> {
    let all = quarantine.iter().flat_map(|(unit, records)| records.iter().map(move |r| (*unit, r)));
    all.map(|(unit, record)| {
        let Quarantined { position, key, reason, field } = record;
        QuarantinedTwin {
            unit,
            shard: position.shard,
            sequence: position.sequence,
            epoch: position.epoch,
            billing_account: key.billing_account.to_string(),
            source: key.source.to_string(),
            id: key.id.to_string(),
            reason: reason.name().to_owned(),
            field: (*field).to_owned(),
        }
    })
    .collect()
}

/// Reads twins back, by unit.
pub(crate) fn by_unit(twins: Vec<QuarantinedTwin>) -> Result<BTreeMap<i64, Vec<Quarantined>>> {
    let mut units: BTreeMap<i64, Vec<Quarantined>> = BTreeMap::new();
    for twin in twins {
        units.entry(twin.unit).or_default().push(Quarantined {
            position: Position { shard: twin.shard, sequence: twin.sequence, epoch: twin.epoch },
            key: RecordKey {
                billing_account: BillingAccountId::new(&twin.billing_account)?,
                source: SourceName::new(&twin.source)?,
                id: RecordId::new(&twin.id)?,
            },
            reason: reason(&twin.reason)?,
            field: field(&twin.field),
        });
    }
    Ok(units)
}

/// Finds a reason by its name.
pub(crate) fn reason(name: &str) -> Result<QuarantineReason> {
    QuarantineReason::parse(name)
        .ok_or_else(|| Error::internal("read a quarantined record", format!("no reason `{name}`")))
}

/// The static name of a field that rating can complain about.
pub(crate) fn field(name: &str) -> &'static str {
    const FIELDS: [&str; 25] = [
        "meter",
        "subscription",
        "resource",
        "quantity",
        "time",
        "start",
        "end",
        "reported_at",
        "target",
        "cost",
        "counter",
        "stated_cost",
        "dimensions",
        "tags",
        "billable",
        "additional_info",
        "amends",
        "withdraws",
        "specversion",
        "type",
        "subject",
        "billing_account",
        "data",
        "id",
        "record",
    ];
    let dimensions = Dimension::ALL.into_iter().map(Dimension::name);
    FIELDS.into_iter().chain(dimensions).find(|field| *field == name).unwrap_or("record")
}

/// Which of the records that wait.
#[derive(Debug, Clone, Default)]
pub struct WaitingAsked {
    /// Only those of one billing account.
    pub billing_account: Option<BillingAccountId>,
    /// Only those that wait for one reason.
    pub reason: Option<QuarantineReason>,
}

impl WaitingAsked {
    /// Where a right on them is asked for.
    pub(crate) fn scope(&self) -> Scope {
        let account = |account: &BillingAccountId| Scope::Account(account.clone());
        self.billing_account.as_ref().map_or(Scope::Installation, account)
    }

    /// Whether a record of an account and with a reason is meant.
    pub(crate) fn means(&self, account: &BillingAccountId, reason: QuarantineReason) -> bool {
        self.billing_account.as_ref().is_none_or(|asked| asked == account)
            && self.reason.is_none_or(|asked| asked == reason)
    }
}

impl Reckoner {
    /// Lists records that cannot be rated yet, oldest first.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for an account that the caller may not
    /// see.
    #[boxed]
    pub async fn quarantine(
        &self,
        caller: &Caller,
        asked: &WaitingAsked,
        limit: usize,
    ) -> Result<Vec<Quarantined>> {
        self.demand(caller, Action::ReadQuarantine, &asked.scope()).await?;
        let mut found = self.0.waiting(asked).await?;
        found.truncate(limit);
        Ok(found)
    }
}

impl Inner {
    /// Keys of the cells that some waiting records can be in.
    pub(crate) fn cells_of(&self, asked: &WaitingAsked) -> Vec<CellKey> {
        let bucket = asked.billing_account.as_ref().map(|account| self.bucket_of(account));
        let keys = self.cells.all().into_iter().map(|(key, _)| key);
        keys.filter(|key| bucket.is_none_or(|bucket| bucket == key.bucket)).collect()
    }

    /// Records that wait by what is declared now, oldest first.
    pub(crate) async fn waiting(
        self: &Arc<Self>,
        asked: &WaitingAsked,
    ) -> Result<Vec<Quarantined>> {
        let mut found = Vec::new();
        for key in self.cells_of(asked) {
            let view = self.refresh(key).await?;
            let meant =
                |waits: &&Quarantined| asked.means(&waits.key.billing_account, waits.reason);
            found.extend(view.waiting().filter(meant).cloned());
        }
        found.sort_by_key(|record| record.position);
        Ok(found)
    }
}
