//! Decimals of a file in 64 bits, where all of a column fit: reading them is several times faster
//! than reading the sixteen bytes of their full type. Lossless: only zeros are left out, and the
//! reader widens them again.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use arrow::error::ArrowError;

use crate::schema::{DECIMAL_DIGITS, SCALE};

/// Digits that 64 bits hold.
const DIGITS: u8 = 18;

/// The batch as it is stored.
pub(crate) fn packed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let column: ArrayRef = match column.as_primitive_opt::<Decimal128Type>().and_then(pack) {
            Some(narrow) => Arc::new(narrow),
            None => column.clone(),
        };
        let field = Field::new(field.name(), column.data_type().clone(), field.is_nullable());
        fields.push(field);
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// The column in 64 bits; nothing when a value does not fit.
fn pack(column: &Decimal128Array) -> Option<Decimal128Array> {
    // Widening is cheap only while no value can outgrow the column's own type.
    let most = match column.data_type() {
        DataType::Decimal128(DECIMAL_DIGITS, SCALE) => 10,
        _ => DIGITS,
    };
    let mut zeros = most;
    let mut unit = 10_i128.saturating_pow(u32::from(zeros));
    let mut greatest = 0_u128;
    for atoms in column.iter().flatten() {
        greatest = greatest.max(atoms.unsigned_abs());
        while zeros > 0 && atoms.checked_rem(unit) != Some(0) {
            zeros = zeros.saturating_sub(1);
            unit /= 10;
        }
    }
    let most = 10_u128.saturating_pow(u32::from(DIGITS));
    if greatest.checked_div(unit.unsigned_abs())? >= most {
        return None;
    }
    let scale = SCALE.checked_sub(i8::try_from(zeros).ok()?)?;
    // A power of ten divides everything.
    let narrow: Decimal128Array = column.unary(|atoms| atoms.checked_div(unit).unwrap_or_default());
    narrow.with_precision_and_scale(DIGITS, scale).ok()
}
