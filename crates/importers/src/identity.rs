//! What makes a row the same row: a hash of what it says, and its ordinal among equal rows.

use crate::usage::{ImportedRow, MeterHint};
use std::collections::HashMap;

/// Counts equal rows of one extract. Memory grows with the number of different rows.
#[derive(Debug, Default)]
pub struct Ordinals {
    seen: HashMap<[u8; 16], u32>,
}

impl Ordinals {
    /// The row's identity; the next equal row gets the next ordinal.
    pub(crate) fn identify(&mut self, row: &ImportedRow) -> String {
        let hash = hash(row);
        let next = self.seen.entry(hash).or_default();
        let ordinal = *next;
        *next = next.saturating_add(1);
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{digits}-{ordinal}")
    }
}

/// 128 bits of BLAKE3 over all fields in fixed order, each with its length.
///
/// Vendors' own record ids are not in it: they repeat with both rows billable. Neither are line
/// and finality, which differ between extracts of one row. All that becomes part of the usage
/// record is in it, so one identity never comes with two contents.
fn hash(row: &ImportedRow) -> [u8; 16] {
    let ImportedRow {
        line: _,
        identity: _,
        account_hint,
        subscription,
        subscription_name,
        resource,
        meter: MeterHint { id, name, category, subcategory, region, unit },
        quantity,
        service_period,
        reported_at,
        dimensions,
        tags,
        category: charge,
        stated_cost,
        unit_price,
        details,
        finality: _,
    } = row;
    let mut canonical = Canonical(blake3::Hasher::new());
    canonical.text("row 1");
    canonical.maybe(account_hint.as_deref());
    canonical.text(subscription.as_str());
    canonical.maybe(subscription_name.as_deref());
    for text in [resource.as_str(), id.as_str(), name, category, subcategory, region, unit] {
        canonical.text(text);
    }
    canonical.text(&quantity.to_string());
    canonical.text(&service_period.start().to_string());
    canonical.text(&service_period.end().to_string());
    canonical.maybe(reported_at.map(|moment| moment.to_string()).as_deref());
    canonical.count(dimensions.len());
    for (dimension, value) in dimensions {
        canonical.text(dimension.name());
        canonical.text(value);
    }
    canonical.count(tags.len());
    for (tag, value) in tags {
        canonical.text(tag);
        canonical.text(value);
    }
    canonical.text(charge.name());
    canonical.maybe(stated_cost.map(|cost| amount(cost.major, cost.currency)).as_deref());
    canonical.maybe(unit_price.map(|(price, currency)| amount(price, currency)).as_deref());
    canonical.maybe(details.as_deref());
    let mut first = [0; 16];
    canonical.0.finalize_xof().fill(&mut first);
    first
}

fn amount(major: money::Fixed18, currency: money::Currency) -> String {
    format!("{major} {currency}")
}

struct Canonical(blake3::Hasher);

impl Canonical {
    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.count(usize::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }
}
