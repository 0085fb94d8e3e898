//! Scalar functions that DataFusion lacks or does slower: membership in a large set, division that
//! rounds down, the month of a day.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Whether an integer column holds one of many values; a null does not.
pub(crate) fn one_of(column: Expr, values: Arc<HashSet<i64>>) -> Expr {
    ScalarUDF::new_from_impl(OneOf { values: Set(values), signature: one_argument() })
        .call(vec![column])
}

/// An integer column less a number, divided by one above zero, rounding down.
pub(crate) fn divided(column: Expr, from: i64, by: i64) -> Expr {
    let function = Bucket { kind: Kind::Divided { from, by }, signature: one_argument() };
    ScalarUDF::new_from_impl(function).call(vec![column])
}

/// The months since January 1970 of a column of days since 1970-01-01.
pub(crate) fn month_of_day(column: Expr) -> Expr {
    let function = Bucket { kind: Kind::MonthOfDay, signature: one_argument() };
    ScalarUDF::new_from_impl(function).call(vec![column])
}

fn one_argument() -> Signature {
    Signature::any(1, Volatility::Immutable)
}

/// A shared set, equal to itself only, so that comparing plans never walks it.
#[derive(Clone, Debug)]
struct Set(Arc<HashSet<i64>>);

impl PartialEq for Set {
    fn eq(&self, other: &Set) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Set {}

impl Hash for Set {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct OneOf {
    values: Set,
    signature: Signature,
}

impl ScalarUDFImpl for OneOf {
    fn name(&self) -> &str {
        "one_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = argument(&args)?;
        let integers = array.as_primitive::<Int64Type>();
        let mut held = Run::new(|value| self.values.0.contains(&value));
        let found: Vec<bool> =
            integers.iter().map(|value| value.is_some_and(|value| held.of(value))).collect();
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(found))))
    }
}

/// Works a function out once per run of equal values: sorted files are made of such runs.
struct Run<T, F> {
    function: F,
    last: Option<(i64, T)>,
}

impl<T: Copy, F: Fn(i64) -> T> Run<T, F> {
    fn new(function: F) -> Run<T, F> {
        Run { function, last: None }
    }

    fn of(&mut self, value: i64) -> T {
        match self.last {
            Some((same, result)) if same == value => result,
            _ => {
                let result = (self.function)(value);
                self.last = Some((value, result));
                result
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Divided { from: i64, by: i64 },
    MonthOfDay,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bucket {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Bucket {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Divided { .. } => "divided",
            Kind::MonthOfDay => "month_of_day",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Divided { .. } => DataType::Int64,
            Kind::MonthOfDay => DataType::Int32,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = argument(&args)?;
        let integers = array.as_primitive::<Int64Type>();
        let buckets: ArrayRef = match self.kind {
            Kind::Divided { from, by } => {
                let mut bucket = Run::new(|value: i64| value.saturating_sub(from).div_euclid(by));
                let buckets = integers.values().iter().map(|value| bucket.of(*value)).collect();
                Arc::new(Int64Array::new(buckets, integers.nulls().cloned()))
            }
            Kind::MonthOfDay => {
                let mut bucket = Run::new(month);
                let months = integers.values().iter().map(|day| bucket.of(*day)).collect();
                Arc::new(Int32Array::new(months, integers.nulls().cloned()))
            }
        };
        Ok(ColumnarValue::Array(buckets))
    }
}

/// Months since January 1970 of a day since 1970-01-01; days beyond year 100,000 count as its end.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
#[cfg_attr(
    not(test),
    expect(clippy::arithmetic_side_effects, reason = "the day is clamped: no step leaves 64 bits")
)]
pub(crate) fn month(day: i64) -> i32 {
    const LIMIT: i64 = 36_000_000;
    let shifted = day.clamp(-LIMIT, LIMIT) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let years = year_of_era + era * 400 - 1970;
    i32::try_from(years * 12 + month_from_march + 2).expect("the day is clamped")
}

/// The function's only argument as 64-bit integers.
fn argument(args: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let array = ColumnarValue::values_to_arrays(&args.args)?.swap_remove(0);
    match array.data_type() {
        DataType::Int64 => Ok(array),
        _ => Ok(cast(&array, &DataType::Int64)?),
    }
}
