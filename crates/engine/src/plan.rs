//! From our questions to DataFusion's expressions; checks everything a question names.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{Column as ColumnName, ScalarValue};
use datafusion::functions_aggregate::count::count_all;
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::logical_expr::{Expr, SortExpr, lit};

use crate::error::{Error, Result};
use crate::functions::{divided, month_of_day, one_of};
use crate::query::{Filter, Group, Measure, Order, Turn};
use crate::rows::Value;
use crate::schema::{Column, ColumnType, Nulls, SCALE, Schema};

/// Integer sets above this size are looked up instead of listed in the plan.
const LISTED: usize = 32;

/// A column by its name alone, whatever table it comes from.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(ColumnName::new_unqualified(name))
}

/// The test of a filter in normal form.
pub(crate) fn filter(schema: &Schema, test: &Filter) -> Result<Expr> {
    match test {
        Filter::In { column: name, values } => {
            let of = schema.column(name)?;
            let literals: Result<Vec<ScalarValue>> =
                values.iter().map(|value| literal(&of, value)).collect();
            let literals = literals?;
            match (values.first(), values.last()) {
                (Some(Value::Int(least)), Some(Value::Int(greatest))) if values.len() > LISTED => {
                    let near = between(&of, *least, greatest.saturating_add(1))?;
                    Ok(near.and(one_of(column(name), integer_set(values))))
                }
                (None, _) => Ok(lit(false)),
                _ => {
                    let list = literals.into_iter().map(|value| Expr::Literal(value, None));
                    Ok(column(name).in_list(list.collect(), false))
                }
            }
        }
        Filter::Between { column: name, from, until } => {
            between(&schema.column(name)?, *from, *until)
        }
        Filter::IsNull(name) => {
            schema.column(name)?;
            Ok(column(name).is_null())
        }
        Filter::Not(inner) => Ok(filter(schema, inner)?.is_not_true()),
        Filter::Any(tests) => tests.iter().try_fold(lit(false), |any, test| {
            let test = filter(schema, test)?;
            Ok(if any == lit(false) { test } else { any.or(test) })
        }),
    }
}

fn integer_set(values: &[Value]) -> Arc<HashSet<i64>> {
    let integers = values.iter().filter_map(|value| match value {
        Value::Int(value) => Some(*value),
        _ => None,
    });
    Arc::new(integers.collect())
}

/// `from <= column < until`, by literals of the column's own type so that statistics apply.
fn between(of: &Column, from: i64, until: i64) -> Result<Expr> {
    let end = |value: i64| match of.column_type {
        ColumnType::Int32 => match i32::try_from(value) {
            Ok(value) => Ok(ScalarValue::Int32(Some(value))),
            Err(_) => Ok(ScalarValue::Int64(Some(value))),
        },
        ColumnType::Int64 => Ok(ScalarValue::Int64(Some(value))),
        _ => Err(Error::column(of.name, "has no integers to lie between")),
    };
    let from = Expr::Literal(end(from)?, None);
    let until = Expr::Literal(end(until)?, None);
    Ok(column(of.name).gt_eq(from).and(column(of.name).lt(until)))
}

fn literal(of: &Column, value: &Value) -> Result<ScalarValue> {
    match (of.column_type, value) {
        (ColumnType::Int32, Value::Int(value)) => Ok(match i32::try_from(*value) {
            Ok(value) => ScalarValue::Int32(Some(value)),
            Err(_) => ScalarValue::Int64(Some(*value)),
        }),
        (ColumnType::Int64, Value::Int(value)) => Ok(ScalarValue::Int64(Some(*value))),
        (ColumnType::Text, Value::Text(value)) => Ok(ScalarValue::Utf8(Some(value.clone()))),
        (ColumnType::Bytes, Value::Bytes(value)) => Ok(ScalarValue::Binary(Some(value.clone()))),
        (ColumnType::Decimal | ColumnType::Quantity, Value::Decimal(atoms)) => {
            if atoms.unsigned_abs() >= ColumnType::Quantity.decimal_bound() {
                let (value, limit) = (format!("{atoms} atoms"), "values stay below 10^20");
                return Err(Error::DoesNotFit { column: of.name, value, limit });
            }
            let digits = crate::schema::QUANTITY_DIGITS;
            Ok(ScalarValue::Decimal128(Some(*atoms), digits, SCALE))
        }
        (wanted, value) => Err(Error::column(of.name, format!("holds {wanted:?}, not {value:?}"))),
    }
}

/// The parts of groups, each under its name in the answer.
pub(crate) fn groups(schema: &Schema, groups: &[Group]) -> Result<(Vec<Expr>, Vec<Column>)> {
    let mut parts = (Vec::new(), Vec::new());
    for group in groups {
        let of = schema.column(group.column())?;
        let (expression, column_type) = match group {
            Group::Column(name) => (column(name), of.column_type),
            Group::Divided { by, .. } | Group::DividedFrom { by, .. } if *by <= 0 => {
                return Err(Error::column(of.name, format!("cannot be divided by {by}")));
            }
            Group::Divided { by, .. } => (divided(column(of.name), 0, *by), ColumnType::Int64),
            Group::DividedFrom { from, by, .. } => {
                (divided(column(of.name), *from, *by), ColumnType::Int64)
            }
            Group::MonthOfDay { .. } => (month_of_day(column(of.name)), ColumnType::Int32),
        };
        if !matches!(group, Group::Column(_)) && !of.column_type.is_integer() {
            return Err(Error::column(of.name, "has no integers to group by"));
        }
        parts.0.push(expression.alias(group.name()));
        parts.1.push(Column { name: group.name(), column_type, nulls: Nulls::Allowed });
    }
    Ok(parts)
}

/// The measures, each under its name in the answer.
pub(crate) fn measures(schema: &Schema, measures: &[Measure]) -> Result<(Vec<Expr>, Vec<Column>)> {
    let mut parts = (Vec::new(), Vec::new());
    for measure in measures {
        let (expression, column_type) = match measure {
            Measure::Count => (count_all(), ColumnType::Int64),
            Measure::Sum(name) => {
                let summed = schema.column(name)?.column_type.summed();
                let summed = summed.ok_or_else(|| Error::column(*name, "cannot be summed"))?;
                (sum(column(name)), summed)
            }
            Measure::Min { column: of, .. } => (min(column(of)), schema.column(of)?.column_type),
            Measure::Max { column: of, .. } => (max(column(of)), schema.column(of)?.column_type),
        };
        parts.0.push(expression.alias(measure.name()));
        parts.1.push(Column { name: measure.name(), column_type, nulls: Nulls::Allowed });
    }
    Ok(parts)
}

/// The order of an answer.
pub(crate) fn order(schema: &Schema, order_by: &[Order]) -> Result<Vec<SortExpr>> {
    let part = |order: &Order| {
        schema.column(order.column)?;
        Ok(match order.turn {
            Turn::Up => column(order.column).sort(true, false),
            Turn::Down => column(order.column).sort(false, true),
        })
    };
    order_by.iter().map(part).collect()
}

/// The columns that a filter reads.
pub(crate) fn filter_columns(test: &Filter, names: &mut Vec<&'static str>) {
    match test {
        Filter::In { column, .. } | Filter::Between { column, .. } | Filter::IsNull(column) => {
            names.push(column);
        }
        Filter::Not(inner) => filter_columns(inner, names),
        Filter::Any(tests) => tests.iter().for_each(|test| filter_columns(test, names)),
    }
}
