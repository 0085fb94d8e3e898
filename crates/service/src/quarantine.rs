//! Records that cannot be rated yet: kept, listed, and rated when the facts allow it.

use crate::Reckoner;
use crate::cells::Overlay;
use domain::access::{Action, Caller, Scope};
use domain::ids::{BillingAccountId, RecordId, SourceName};
use domain::usage::{Position, QuarantineReason, Quarantined, RecordKey};
use domain::{Error, Result};
use std::collections::BTreeMap;

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
    use QuarantineReason::{
        BadQuantity, NoPrice, NoSubscription, OutOfRange, UnknownMeter, UnknownTarget, Unreadable,
    };
    [UnknownMeter, NoPrice, NoSubscription, BadQuantity, Unreadable, UnknownTarget, OutOfRange]
        .into_iter()
        .find(|reason| reason.name() == name)
        .ok_or_else(|| Error::internal("read a quarantined record", format!("no reason `{name}`")))
}

/// The static name of a field that rating can complain about.
pub(crate) fn field(name: &str) -> &'static str {
    const FIELDS: [&str; 10] = [
        "meter",
        "subscription",
        "quantity",
        "time",
        "target",
        "cost",
        "dimensions",
        "tags",
        "id",
        "record",
    ];
    FIELDS.into_iter().find(|field| *field == name).unwrap_or("record")
}

impl Reckoner {
    /// Lists records that cannot be rated yet, oldest first.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for an account that the caller may not
    /// see.
    pub async fn quarantine(
        &self,
        caller: &Caller,
        account: Option<&BillingAccountId>,
        limit: usize,
    ) -> Result<Vec<Quarantined>> {
        let scope = account.map_or(Scope::Installation, |account| Scope::Account(account.clone()));
        self.demand(caller, Action::ReadQuarantine, &scope).await?;
        let mut found = Vec::new();
        for (key, _) in self.0.cells.all() {
            if account.is_some_and(|account| self.0.bucket_of(account) != key.bucket) {
                continue;
            }
            let view = self.0.refresh(key).await?;
            let overlay = view.overlay.as_deref();
            let base = view.rated.iter().flat_map(|rated| rated.quarantine.iter());
            let kept = base.filter(|(unit, _)| !overlay.is_some_and(|o| o.units.contains(unit)));
            let newer = overlay.into_iter().flat_map(|o: &Overlay| o.quarantine.iter());
            found.extend(kept.chain(newer).flat_map(|(_, records)| records.iter().cloned()));
        }
        found.retain(|record| account.is_none_or(|account| record.key.billing_account == *account));
        found.sort_by_key(|record| record.position);
        found.truncate(limit);
        Ok(found)
    }
}
