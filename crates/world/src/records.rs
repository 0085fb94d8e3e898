//! Usage records, numbered as their sources would.

use crate::company::source;
use calendar::{Instant, Interval};
use domain::ids::{BillingAccountId, MeterId, RecordId, SubscriptionId};
use domain::usage::{Act, Billable, ChargeCategory, Origin, RecordKey, UsageRecord};
use money::Fixed18;
use std::collections::BTreeMap;

/// Records on their way into the world: their ids are given at the end.
#[derive(Default)]
pub(crate) struct Records(Vec<UsageRecord>);

/// A record that states usage of a meter, with nothing else in it yet.
pub(crate) fn usage(
    of: &BillingAccountId,
    from: &str,
    subscription: &SubscriptionId,
    meter: &MeterId,
) -> UsageRecord {
    UsageRecord {
        key: RecordKey {
            billing_account: of.clone(),
            source: source(from),
            id: record_id("unnumbered"),
        },
        act: Act::Use,
        subscription: subscription.clone(),
        resource: String::new(),
        meter: meter.clone(),
        quantity: Fixed18::ZERO,
        service_period: Interval::at(Instant::EPOCH),
        reported_at: None,
        dimensions: BTreeMap::new(),
        tags: BTreeMap::new(),
        category: ChargeCategory::Usage,
        billable: Billable::Yes,
        stated_cost: None,
        details: None,
        origin: Origin::Event,
    }
}

/// A record's id that is known to be well-formed.
pub(crate) fn record_id(text: &str) -> RecordId {
    RecordId::new(text).expect("a short plain text")
}

impl Records {
    pub(crate) fn push(&mut self, record: UsageRecord) {
        self.0.push(record);
    }

    /// All of several, in the order in which they were reported, numbered within their source.
    pub(crate) fn numbered(several: impl IntoIterator<Item = Records>) -> Vec<UsageRecord> {
        let mut all: Vec<UsageRecord> = several.into_iter().flat_map(|some| some.0).collect();
        all.sort_by_key(|record| record.reported_at);
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for record in &mut all {
            let number = numbers.entry(record.key.source.to_string()).or_default();
            *number = number.saturating_add(1);
            record.key.id = record_id(&format!("{}-{number:06}", record.key.source));
        }
        all
    }
}
