//! Units: what is rated together, a billing account and a meter, as one number.

use crate::cells::TailRecord;
use crate::intake::UnreadableBody;
use crate::{Inner, codes, rated_rows};
use domain::{Result, encoding};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use usagelog::EntryKind;

/// Accounts and meters of records: each pair once, and the place of each record's pair.
struct Pairs {
    distinct: Vec<(String, String)>,
    places: Vec<usize>,
}

impl Inner {
    /// The unit of each record, giving accounts and meters their codes first.
    pub(crate) async fn units_of(
        self: &Arc<Self>,
        tail: &[TailRecord],
    ) -> Result<(Vec<i64>, BTreeSet<i64>)> {
        let records = tail.to_vec();
        let Pairs { distinct, places } = crate::blocking(move || Pairs::of(&records)).await?;
        let mut wanted = BTreeSet::new();
        for (account, meter) in &distinct {
            wanted.insert((codes::ACCOUNT, account.clone()));
            if !meter.is_empty() {
                wanted.insert((codes::METER, meter.clone()));
            }
        }
        self.codes.assign(wanted.into_iter().collect()).await?;
        let mut units = Vec::with_capacity(distinct.len());
        for (account, meter) in &distinct {
            let account = self.codes.code(codes::ACCOUNT, account)?;
            let meter = if meter.is_empty() { 0 } else { self.codes.code(codes::METER, meter)? };
            units.push(rated_rows::unit(account, meter));
        }
        let distinct = units.iter().copied().collect();
        let of = |place: usize| units.get(place).copied().unwrap_or_default();
        Ok((places.into_iter().map(of).collect(), distinct))
    }
}

impl Pairs {
    fn of(records: &[TailRecord]) -> Result<Pairs> {
        let mut known: HashMap<(Cow<'_, str>, Cow<'_, str>), usize> = HashMap::new();
        let mut places = Vec::with_capacity(records.len());
        for record in records {
            let next = known.len();
            places.push(*known.entry(account_and_meter(record)?).or_insert(next));
        }
        let mut distinct = vec![(String::new(), String::new()); known.len()];
        for ((account, meter), place) in known {
            if let Some(pair) = distinct.get_mut(place) {
                *pair = (account.into_owned(), meter.into_owned());
            }
        }
        Ok(Pairs { distinct, places })
    }
}

/// Whose record it is, and its meter; none, as an empty text, where it cannot be read.
fn account_and_meter(record: &TailRecord) -> Result<(Cow<'_, str>, Cow<'_, str>)> {
    if record.kind == EntryKind::UNREADABLE {
        let body = UnreadableBody::read(&record.payload)?;
        return Ok((Cow::Owned(body.billing_account), Cow::Borrowed("")));
    }
    let (account, meter) = encoding::account_and_meter(&record.payload)?;
    Ok((Cow::Borrowed(account), Cow::Borrowed(meter)))
}

/// The account's code in a unit.
pub(crate) fn account_of(unit: i64) -> i32 {
    i32::try_from(unit >> 32).unwrap_or(i32::MAX)
}

/// The meter's code in a unit; 0 for records that cannot be read.
pub(crate) fn meter_code(unit: i64) -> i32 {
    i32::try_from(unit & 0x7fff_ffff).unwrap_or(i32::MAX)
}
