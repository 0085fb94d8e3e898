//! Leaves out what cannot hold a row of the answer, by the ranges of its integer columns.

use crate::query::Filter;
use crate::rows::Value;

/// Sorts the values of filters, which [`may_pass`] relies on.
pub(crate) fn normal(filter: &Filter) -> Filter {
    match filter {
        Filter::In { column, values } => {
            let mut values = values.clone();
            values.sort_unstable();
            values.dedup();
            Filter::In { column, values }
        }
        Filter::Not(inner) => Filter::Not(Box::new(normal(inner))),
        Filter::Any(filters) => Filter::Any(filters.iter().map(normal).collect()),
        other => other.clone(),
    }
}

/// Whether rows whose columns lie in the ranges may pass a normal filter. Says yes when in doubt.
pub(crate) fn may_pass(filter: &Filter, range: &dyn Fn(&str) -> Option<(i64, i64)>) -> bool {
    match filter {
        Filter::In { column, values } => {
            let Some((least, greatest)) = range(column) else { return true };
            let first = values.partition_point(|value| *value < Value::Int(least));
            values.get(first).is_some_and(|value| *value <= Value::Int(greatest))
        }
        Filter::Between { column, from, until } => match range(column) {
            Some((least, greatest)) => greatest >= *from && least < *until,
            None => true,
        },
        Filter::Any(filters) => filters.iter().any(|filter| may_pass(filter, range)),
        Filter::IsNull(_) | Filter::Not(_) => true,
    }
}
