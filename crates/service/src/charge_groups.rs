//! Groups of charges as the engine adds them up, period by period, by codes.

use crate::group_by::GroupBy;
use crate::queries::ChargeQuery;
use crate::rated_rows::{TEXTUAL, tags_of};
use calendar::BillingPeriod;
use domain::{Error, Result};
use engine::Rows;
use std::collections::{BTreeMap, HashMap};

/// A key's value as it comes out of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    None,
    Number(i64),
    Text(String),
}

#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) records: i64,
    pub(crate) quantity: i128,
    pub(crate) cost: i128,
    /// Of reservations.
    pub(crate) amortised: i128,
}

pub(crate) type Groups = HashMap<Vec<Key>, Sums>;

/// The groups that can be among the dearest so many: of those that cost as much as the last one,
/// all stay, for their names decide.
pub(crate) fn dearest(groups: Groups, top: usize) -> Groups {
    if groups.len() <= top {
        return groups;
    }
    let Some(last) = top.checked_sub(1) else { return Groups::new() };
    let mut costs: Vec<i128> = groups.values().map(|sums| sums.cost).collect();
    let (_, least, _) = costs.select_nth_unstable_by(last, |a, b| b.cmp(a));
    let least = *least;
    groups.into_iter().filter(|(_, sums)| sums.cost >= least).collect()
}

/// Whether quantities of a group have one unit.
pub(crate) fn by_meter(query: &ChargeQuery) -> bool {
    query.group_by.iter().any(|by| matches!(by, GroupBy::Meter | GroupBy::Unit))
}

pub(crate) fn too_large() -> Error {
    Error::money("add charges up", money::MoneyError::Overflow)
}

/// Adds the engine's groups to ours; rows that a tag filter leaves out are dropped here.
pub(crate) fn collect(
    query: &ChargeQuery,
    period: BillingPeriod,
    columns: &[&'static str],
    rows: &Rows,
    groups: &mut Groups,
) -> Result<()> {
    let failed = crate::engine_failed("add charges up");
    let keys = columns.iter().map(|column| keys_of(rows, column)).collect::<Result<Vec<_>>>()?;
    let records = rows.i64("records").map_err(&failed)?;
    let decimals = |name| rows.decimal(name).map_err(&failed);
    let (quantity, cost) = (decimals("quantity")?, decimals("cost")?);
    let amortised = decimals("amortised")?;
    let at_column = |name: &str| columns.iter().position(|column| *column == name);
    for row in 0..rows.len() {
        let key_at = |name: &str| {
            let column = at_column(name).and_then(|at| keys.get(at));
            column.and_then(|column| column.get(row)).cloned().unwrap_or(Key::None)
        };
        let tags = match key_at("tags") {
            Key::Text(text) => tags_of(&text)?,
            Key::None | Key::Number(_) => BTreeMap::new(),
        };
        let passes = query.filters.iter().all(|filter| match &filter.on {
            GroupBy::Tag(key) => tags.get(key).is_some_and(|value| filter.values.contains(value)),
            _ => true,
        });
        if !passes {
            continue;
        }
        let mut group =
            vec![key_at("currency"), if by_meter(query) { key_at("measure") } else { Key::None }];
        group.extend(query.group_by.iter().map(|by| match by {
            GroupBy::Month => Key::Number(i64::from(period.number())),
            GroupBy::Tag(key) => tags.get(key).cloned().map_or(Key::None, Key::Text),
            other => other.column().map_or(Key::None, key_at),
        }));
        let sums = groups.entry(group).or_default();
        let add = |sum: i128, more: Option<i128>| {
            sum.checked_add(more.unwrap_or_default()).ok_or_else(too_large)
        };
        sums.records =
            sums.records.checked_add(records.get(row).unwrap_or(0)).ok_or_else(too_large)?;
        sums.quantity = add(sums.quantity, quantity.get(row).filter(|_| by_meter(query)))?;
        sums.cost = add(sums.cost, cost.get(row))?;
        sums.amortised = add(sums.amortised, amortised.get(row))?;
    }
    Ok(())
}

/// One key column of an answer.
fn keys_of(rows: &Rows, column: &'static str) -> Result<Vec<Key>> {
    let failed = crate::engine_failed("add charges up");
    let textual = ["resource", "tags"];
    if textual.contains(&column) || TEXTUAL.iter().any(|dimension| dimension.name() == column) {
        let texts = rows.text(column).map_err(failed)?;
        return Ok(texts
            .iter()
            .map(|text| text.map_or(Key::None, |t| Key::Text(t.to_owned())))
            .collect());
    }
    let numbers = rows.i32(column).map_err(failed)?;
    Ok(numbers
        .iter()
        .map(|number| number.map_or(Key::None, |n| Key::Number(i64::from(n))))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dearest_stay_and_with_them_all_that_cost_as_much_as_the_last() {
        let check = |costs: &[i128], top: usize, expected: &[i128]| {
            let group = |(number, cost): (i64, &i128)| {
                (vec![Key::Number(number)], Sums { cost: *cost, ..Sums::default() })
            };
            let groups: Groups = (0..).zip(costs).map(group).collect();
            let mut left: Vec<i128> = dearest(groups, top).values().map(|sums| sums.cost).collect();
            left.sort_unstable();
            assert_eq!(left, expected, "the dearest {top} of {costs:?}");
        };
        check(&[3, 1, 2], 2, &[2, 3]);
        check(&[3, 1, 2], 3, &[1, 2, 3]);
        check(&[3, 1, 2], 4, &[1, 2, 3]);
        check(&[2, 2, 2, 1], 1, &[2, 2, 2]);
        check(&[5, 4, 4, 3], 2, &[4, 4, 5]);
        check(&[-1, -3, -2], 1, &[-1]);
        check(&[1, 2], 0, &[]);
        check(&[], 3, &[]);
    }
}
