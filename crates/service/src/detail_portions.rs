//! Rated rows of one account, read in portions by meters: never more at once than one meter has on
//! one day, where that is many.

use crate::period_charges::packed;
use crate::rating::View;
use crate::{Inner, codes, rated_rows};
use calendar::Day;
use domain::Result;
use domain::ids::BillingAccountId;
use domain::rated::RatedRow;
use engine::{Filter, Scan, Value};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Rated rows that are in memory at once, about.
const PORTION_ROWS: u64 = 50_000;

/// Rated rows of an account that are read together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Portion {
    /// Of these meters, by code.
    meters: Vec<i32>,
    /// Only of these days of the only meter, by their numbers; of all days if none.
    days: Option<Range<i32>>,
}

/// How many rated rows there are of each day of a meter, by code.
type MeterDays = (i32, BTreeMap<i32, u64>);

impl Inner {
    /// Cuts the rated rows of an account into portions: by meters, in order of id.
    pub(crate) async fn portions_of(
        &self,
        view: &View,
        account: &BillingAccountId,
    ) -> Result<Vec<Portion>> {
        let (mut counts, inputs) = (BTreeMap::<i32, BTreeMap<i32, u64>>::new(), packed(view));
        let Some(code) = self.codes.find(codes::ACCOUNT, account.as_str()) else {
            return Ok(Vec::new());
        };
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let (schema, columns) = (rated_rows::schema()?, vec!["meter", "day"]);
        let (filters, order_by) = (vec![one_of("account", [code])], Vec::new());
        let scan = Scan { schema, inputs, filters, columns, order_by, limit: None };
        let failed = crate::engine_failed("count rated rows");
        let mut stream = self.engine.scan(&scan).await.map_err(&failed)?;
        while let Some(rows) = stream.next().await.map_err(&failed)? {
            let meters = rows.i32("meter").map_err(&failed)?;
            let days = rows.i32("day").map_err(&failed)?;
            for (meter, day) in meters.values().iter().zip(days.values()) {
                let count = counts.entry(*meter).or_default().entry(*day).or_default();
                *count = count.saturating_add(1);
            }
        }
        // Codes are given in any order: what is read must not hang on it.
        let mut by_id = BTreeMap::new();
        for (meter, days) in counts {
            by_id.insert(self.codes.value(codes::METER, meter)?, (meter, days));
        }
        Ok(portions(by_id.into_values(), PORTION_ROWS))
    }

    /// The rated rows of a portion, in canonical order.
    pub(crate) async fn rows_of_portion(
        self: &Arc<Self>,
        view: &View,
        account: &BillingAccountId,
        portion: &Portion,
    ) -> Result<Vec<RatedRow>> {
        let code = self.codes.find(codes::ACCOUNT, account.as_str());
        let mut filters =
            vec![one_of("account", code), one_of("meter", portion.meters.iter().copied())];
        filters.extend(portion.days.as_ref().map(|days| {
            let start = |day: i32| Day::from_number(day).start().micros();
            let (from, until) = (start(days.start), start(days.end));
            Filter::Between { column: "start", from, until }
        }));
        let rows = self.scan_all(rated_rows::schema()?, packed(view), filters).await?;
        let codes = Arc::clone(&self.codes);
        crate::blocking(move || {
            let mut rows = rated_rows::from_columns(&codes, &rows)?;
            rows.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
            Ok(rows)
        })
        .await
    }
}

fn one_of(column: &'static str, codes: impl IntoIterator<Item = i32>) -> Filter {
    let values = codes.into_iter().map(|code| Value::Int(i64::from(code))).collect();
    Filter::In { column, values }
}

/// Meters are put together up to `most` rows; one with more is cut by its days.
fn portions(meters: impl IntoIterator<Item = MeterDays>, most: u64) -> Vec<Portion> {
    let (mut portions, mut left): (Vec<Portion>, u64) = (Vec::new(), 0);
    for (meter, days) in meters {
        let rows = days.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        if rows > most {
            let days = cut(&days, most).into_iter();
            portions.extend(days.map(|days| Portion { meters: vec![meter], days: Some(days) }));
            left = 0;
            continue;
        }
        match portions.last_mut().filter(|_| rows <= left) {
            Some(portion) => portion.meters.push(meter),
            None => {
                portions.push(Portion { meters: vec![meter], days: None });
                left = most;
            }
        }
        left = left.saturating_sub(rows);
    }
    portions
}

/// Cuts the days of a meter, in order, into ranges of up to `most` rows; a day is the least.
fn cut(days: &BTreeMap<i32, u64>, most: u64) -> Vec<Range<i32>> {
    let (mut ranges, mut left): (Vec<Range<i32>>, u64) = (Vec::new(), 0);
    for (day, rows) in days {
        let end = day.saturating_add(1);
        match ranges.last_mut().filter(|_| *rows <= left) {
            Some(range) => range.end = end,
            None => {
                ranges.push(*day..end);
                left = most;
            }
        }
        left = left.saturating_sub(*rows);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_are_read_together_and_large_ones_by_their_days() {
        fn check(meters: &[(i32, &[(i32, u64)])], expected: &[(&[i32], Option<Range<i32>>)]) {
            let meters =
                meters.iter().map(|(meter, days)| (*meter, days.iter().copied().collect()));
            let expected: Vec<Portion> = expected
                .iter()
                .map(|(meters, days)| Portion { meters: meters.to_vec(), days: days.clone() })
                .collect();
            assert_eq!(portions(meters, 10), expected);
        }
        check(&[], &[]);
        check(&[(7, &[(1, 10)])], &[(&[7], None)]);
        check(
            &[(7, &[(1, 4), (3, 2)]), (5, &[(1, 4)]), (6, &[(1, 1)])],
            &[(&[7, 5], None), (&[6], None)],
        );
        let large: &[(i32, &[(i32, u64)])] =
            &[(7, &[(1, 1)]), (8, &[(2, 6), (3, 4), (9, 3)]), (9, &[(1, 1)])];
        let cut = [(&[7][..], None), (&[8][..], Some(2..4)), (&[8][..], Some(9..10))];
        check(large, &[cut.as_slice(), &[(&[9][..], None)]].concat());
        // A day of a meter is the least that is read.
        check(&[(7, &[(1, 99), (2, 1)])], &[(&[7], Some(1..2)), (&[7], Some(2..3))]);
    }
}
