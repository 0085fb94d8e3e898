//! Canonical bytes of usage records and rated rows: what the log keeps and what hashes cover.
//!
//! Our own, versioned and dull: fields in a fixed order, whole numbers little-endian, texts and
//! lists behind their length. One value has one spelling, so bytes can be compared and hashed.

pub mod books;

use crate::ids::{BillingAccountId, MeterId, RecordId, SourceName, SubscriptionId};
use crate::rated::{PriceReference, RatedRow, Reserved};
use crate::usage::{
    Act, Amendment, Billable, ChargeCategory, Dimension, Origin, RecordKey, UsageRecord,
};
use crate::{Error, Result};
use calendar::{Instant, Interval};
use money::{Cost, Currency, Fixed18};
use std::collections::BTreeMap;

/// First byte of every encoded usage record.
pub const RECORD_VERSION: u8 = 1;
/// First byte of an encoded rated row that no reservation has to do with.
pub const ROW_VERSION: u8 = 1;
/// First byte of an encoded rated row with a reservation: the same, and its part behind it.
pub const RESERVED_ROW_VERSION: u8 = 2;

/// The canonical bytes of a record.
pub fn encode(record: &UsageRecord) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    encode_into(record, &mut bytes);
    bytes
}

/// Appends the canonical bytes of a record; says where among all bytes its content begins: from
/// there on they are what [`content`] gives.
pub fn encode_into(record: &UsageRecord, out: &mut Vec<u8>) -> usize {
    out.push(RECORD_VERSION);
    put_key(out, &record.key);
    put_option(out, record.reported_at, put_instant);
    let content_at = out.len();
    content_into(record, out);
    content_at
}

/// The bytes of a record's key, for hashing and comparing.
pub fn key_bytes(key: &RecordKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    put_key(&mut bytes, key);
    bytes
}

/// The bytes that two deliveries of one key must share to be the same content.
///
/// Everything but the key and the reported time. Details count as given: whoever fills them leaves
/// out marks that a source changes later, such as "estimated".
pub fn content(record: &UsageRecord) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(224);
    content_into(record, &mut bytes);
    bytes
}

/// Appends what [`content`] gives.
pub fn content_into(record: &UsageRecord, out: &mut Vec<u8>) {
    let UsageRecord {
        key: _,
        reported_at: _,
        act,
        subscription,
        resource,
        meter,
        quantity,
        service_period,
        dimensions,
        tags,
        category,
        billable,
        stated_cost,
        details,
        origin,
    } = record;
    put_act(out, act);
    put_text(out, subscription.as_str());
    put_text(out, resource);
    put_text(out, meter.as_str());
    put_fixed(out, *quantity);
    put_interval(out, *service_period);
    put_dimensions(out, dimensions);
    put_tags(out, tags);
    out.push(*category as u8);
    out.push(match billable {
        Billable::Yes => 0,
        Billable::No => 1,
    });
    put_option(out, *stated_cost, put_cost);
    put_option(out, details.as_deref(), put_text);
    out.push(match origin {
        Origin::Event => 0,
        Origin::Extract => 1,
    });
}

/// Reads what [`encode`] wrote.
///
/// Errors: [`Error::Invalid`] naming the field that is cut off, damaged or of an unknown version.
pub fn decode(bytes: &[u8]) -> Result<UsageRecord> {
    let mut from = Reader { bytes };
    from.version()?;
    let key = RecordKey {
        billing_account: BillingAccountId::new(from.text("billing account")?)?,
        source: SourceName::new(from.text("source")?)?,
        id: RecordId::new(from.text("id")?)?,
    };
    let reported_at = from.option("reported at", |r| r.instant("reported at"))?;
    let record = UsageRecord {
        key,
        reported_at,
        act: from.act()?,
        subscription: SubscriptionId::new(from.text("subscription")?)?,
        resource: from.text("resource")?.to_owned(),
        meter: MeterId::new(from.text("meter")?)?,
        quantity: from.fixed("quantity")?,
        service_period: from.interval("service period")?,
        dimensions: from.dimensions()?,
        tags: from.tags()?,
        category: from.choice("category", &ChargeCategory::ALL)?,
        billable: from.choice("billable", &[Billable::Yes, Billable::No])?,
        stated_cost: from.option("stated cost", |r| r.cost("stated cost"))?,
        details: from.option("details", |r| r.text("details").map(str::to_owned))?,
        origin: from.choice("origin", &[Origin::Event, Origin::Extract])?,
    };
    if from.bytes.is_empty() {
        Ok(record)
    } else {
        Err(Error::invalid("record", format!("{} bytes too many", from.bytes.len())))
    }
}

/// Reads only whose record it is and which meter it is of: what decides with what it is rated.
///
/// Errors: as [`decode`], for the fields that are read.
pub fn account_and_meter(bytes: &[u8]) -> Result<(&str, &str)> {
    let mut from = Reader { bytes };
    from.version()?;
    let account = from.text("billing account")?;
    from.text("source")?;
    from.text("id")?;
    from.option("reported at", |r| r.instant("reported at"))?;
    if from.byte("act")? != 0 {
        for field in ["target", "actor", "reason"] {
            from.text(field)?;
        }
    }
    from.text("subscription")?;
    from.text("resource")?;
    Ok((account, from.text("meter")?))
}

/// The canonical bytes of a rated row: what the hash of a period and the chain of closes cover.
///
/// Position and reported time are left out: they tell how a record arrived, not what is charged,
/// so rows stay the same in whatever order and batches records came.
pub fn encode_row(row: &RatedRow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(320);
    encode_row_into(row, &mut bytes);
    bytes
}

/// Appends the canonical bytes of a rated row.
pub fn encode_row_into(row: &RatedRow, out: &mut Vec<u8>) {
    let RatedRow {
        position: _,
        slice,
        kind,
        billing_account,
        subscription,
        resource,
        meter,
        category,
        service_period,
        reported_at: _,
        quantity,
        unit_price,
        tier,
        cost,
        price,
        counter_before,
        dimensions,
        tags,
        details,
        reserved,
    } = row;
    out.push(if reserved.is_some() { RESERVED_ROW_VERSION } else { ROW_VERSION });
    out.extend_from_slice(&slice.to_le_bytes());
    out.push(*kind as u8);
    put_text(out, billing_account.as_str());
    put_text(out, subscription.as_str());
    put_text(out, resource);
    put_text(out, meter.as_str());
    out.push(*category as u8);
    put_interval(out, *service_period);
    put_fixed(out, *quantity);
    put_option(out, *unit_price, put_fixed);
    out.extend_from_slice(&tier.to_le_bytes());
    put_cost(out, *cost);
    put_option(out, price.as_ref(), put_price);
    put_fixed(out, *counter_before);
    put_dimensions(out, dimensions);
    put_tags(out, tags);
    put_option(out, details.as_deref(), put_text);
    if let Some(reserved) = reserved {
        let Reserved { reservation, hours, amortised, list_cost, unused } = &**reserved;
        put_text(out, reservation.as_str());
        put_interval(out, *hours);
        put_fixed(out, *amortised);
        put_fixed(out, *list_cost);
        put_fixed(out, *unused);
    }
}

fn put_key(out: &mut Vec<u8>, key: &RecordKey) {
    let RecordKey { billing_account, source, id } = key;
    put_text(out, billing_account.as_str());
    put_text(out, source.as_str());
    put_text(out, id.as_str());
}

/// Seven bits a byte, low first: most lengths take one byte of the log.
pub(crate) fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(low_bits(length) | 0x80);
        length >>= 7;
    }
    out.push(low_bits(length));
}

fn low_bits(length: usize) -> u8 {
    u8::try_from(length & 0x7f).expect("seven bits fit into a byte")
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            put(out, value);
        }
    }
}

fn put_instant(out: &mut Vec<u8>, instant: Instant) {
    out.extend_from_slice(&instant.micros().to_le_bytes());
}

fn put_interval(out: &mut Vec<u8>, interval: Interval) {
    put_instant(out, interval.start());
    put_instant(out, interval.end());
}

fn put_fixed(out: &mut Vec<u8>, number: Fixed18) {
    out.extend_from_slice(&number.atoms().to_le_bytes());
}

fn put_cost(out: &mut Vec<u8>, cost: Cost) {
    put_fixed(out, cost.major);
    put_text(out, cost.currency.code());
}

fn put_act(out: &mut Vec<u8>, act: &Act) {
    let (code, amendment) = match act {
        Act::Use => (0, None),
        Act::Amend(amendment) => (1, Some(amendment)),
        Act::Withdraw(amendment) => (2, Some(amendment)),
    };
    out.push(code);
    if let Some(Amendment { target, actor, reason }) = amendment {
        put_text(out, target.as_str());
        put_text(out, actor);
        put_text(out, reason);
    }
}

fn put_dimensions(out: &mut Vec<u8>, dimensions: &BTreeMap<Dimension, String>) {
    put_length(out, dimensions.len());
    for (dimension, value) in dimensions {
        out.push(*dimension as u8);
        put_text(out, value);
    }
}

fn put_tags(out: &mut Vec<u8>, tags: &BTreeMap<String, String>) {
    put_length(out, tags.len());
    for (key, value) in tags {
        put_text(out, key);
        put_text(out, value);
    }
}

fn put_price(out: &mut Vec<u8>, price: &PriceReference) {
    let PriceReference { list, version, lineage, effective_from } = price;
    put_text(out, list.as_str());
    out.extend_from_slice(&version.to_le_bytes());
    put_text(out, lineage);
    put_instant(out, *effective_from);
}

/// What is left to read.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

fn damaged(field: &str, problem: &str) -> Error {
    Error::invalid(field, format!("encoded record {problem}"))
}

impl<'a> Reader<'a> {
    /// All of some bytes.
    pub(crate) fn of(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// Refuses bytes that are left.
    pub(crate) fn ended(&self) -> Result<()> {
        if self.bytes.is_empty() { Ok(()) } else { Err(damaged("end", "has bytes too many")) }
    }

    fn take(&mut self, field: &str, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.bytes.split_at_checked(length).ok_or_else(|| damaged(field, "is cut off here"))?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N]> {
        let (taken, rest) =
            self.bytes.split_first_chunk::<N>().ok_or_else(|| damaged(field, "is cut off here"))?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn version(&mut self) -> Result<()> {
        let version = self.byte("version")?;
        if version == RECORD_VERSION {
            return Ok(());
        }
        Err(Error::invalid("version", format!("{version} is not a record version we read")))
    }

    pub(crate) fn byte(&mut self, field: &str) -> Result<u8> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn length(&mut self, field: &str) -> Result<usize> {
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte(field)?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest {
                    Ok(length)
                } else {
                    Err(damaged(field, "has a long length"))
                };
            }
        }
        Err(damaged(field, "has an impossible length here"))
    }

    pub(crate) fn text(&mut self, field: &str) -> Result<&'a str> {
        let length = self.length(field)?;
        std::str::from_utf8(self.take(field, length)?)
            .map_err(|_| damaged(field, "is not UTF-8 here"))
    }

    fn option<T>(
        &mut self,
        field: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.byte(field)? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(damaged(field, "has an unknown mark here")),
        }
    }

    fn choice<T: Copy>(&mut self, field: &str, all: &[T]) -> Result<T> {
        let code = usize::from(self.byte(field)?);
        all.get(code).copied().ok_or_else(|| damaged(field, "has an unknown code here"))
    }

    fn instant(&mut self, field: &str) -> Result<Instant> {
        let micros = i64::from_le_bytes(self.array(field)?);
        let instant = Instant::from_micros(micros);
        if instant.micros() == micros {
            Ok(instant)
        } else {
            Err(damaged(field, "is out of range here"))
        }
    }

    fn interval(&mut self, field: &str) -> Result<Interval> {
        let (start, end) = (self.instant(field)?, self.instant(field)?);
        Interval::new(start, end).map_err(|_| damaged(field, "ends before it starts here"))
    }

    fn fixed(&mut self, field: &str) -> Result<Fixed18> {
        Ok(Fixed18::from_atoms(i128::from_le_bytes(self.array(field)?)))
    }

    fn cost(&mut self, field: &str) -> Result<Cost> {
        let major = self.fixed(field)?;
        let currency = Currency::parse(self.text(field)?)
            .map_err(|_| damaged(field, "has no currency here"))?;
        Ok(Cost { major, currency })
    }

    fn act(&mut self) -> Result<Act> {
        let code = self.byte("act")?;
        if code == 0 {
            return Ok(Act::Use);
        }
        let amendment = Amendment {
            target: RecordId::new(self.text("target")?)?,
            actor: self.text("actor")?.to_owned(),
            reason: self.text("reason")?.to_owned(),
        };
        match code {
            1 => Ok(Act::Amend(amendment)),
            2 => Ok(Act::Withdraw(amendment)),
            _ => Err(damaged("act", "has an unknown code here")),
        }
    }

    fn dimensions(&mut self) -> Result<BTreeMap<Dimension, String>> {
        let mut dimensions = BTreeMap::new();
        for _ in 0..self.length("dimensions")? {
            let dimension = self.choice("dimensions", &Dimension::ALL)?;
            put_rising(&mut dimensions, "dimensions", dimension, self.text("dimensions")?)?;
        }
        Ok(dimensions)
    }

    fn tags(&mut self) -> Result<BTreeMap<String, String>> {
        let mut tags = BTreeMap::new();
        for _ in 0..self.length("tags")? {
            let key = self.text("tags")?.to_owned();
            put_rising(&mut tags, "tags", key, self.text("tags")?)?;
        }
        Ok(tags)
    }
}

/// One map has one spelling: its keys rise.
fn put_rising<K: Ord>(
    map: &mut BTreeMap<K, String>,
    field: &str,
    key: K,
    value: &str,
) -> Result<()> {
    if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
        return Err(damaged(field, "is out of order here"));
    }
    map.insert(key, value.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests;
