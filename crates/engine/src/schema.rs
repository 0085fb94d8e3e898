//! Columns, their types and what they can hold.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};

use crate::error::{Error, Result};

/// Places after the decimal point of every decimal column.
pub(crate) const SCALE: i8 = 18;
/// Digits of a [`ColumnType::Decimal`]: ten before the point, eighteen after it.
pub(crate) const DECIMAL_DIGITS: u8 = 28;
/// Digits of a [`ColumnType::Quantity`], and of every sum.
pub(crate) const QUANTITY_DIGITS: u8 = 38;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// 32-bit integers: codes and days.
    Int32,
    /// 64-bit integers: ids, positions, instants.
    Int64,
    /// Text in UTF-8.
    Text,
    /// Bytes.
    Bytes,
    /// Exact decimals below 10^10 with 18 places: prices and costs. Ten thousand million of them
    /// can be added without passing a [`ColumnType::Quantity`].
    Decimal,
    /// Exact decimals below 10^20 with 18 places: quantities, and sums.
    Quantity,
}

impl ColumnType {
    pub(crate) fn arrow(self) -> DataType {
        match self {
            ColumnType::Int32 => DataType::Int32,
            ColumnType::Int64 => DataType::Int64,
            ColumnType::Text => DataType::Utf8,
            ColumnType::Bytes => DataType::Binary,
            ColumnType::Decimal => DataType::Decimal128(DECIMAL_DIGITS, SCALE),
            ColumnType::Quantity => DataType::Decimal128(QUANTITY_DIGITS, SCALE),
        }
    }

    /// The type of a sum of this column, where it has one.
    pub(crate) fn summed(self) -> Option<ColumnType> {
        match self {
            ColumnType::Int32 | ColumnType::Int64 => Some(ColumnType::Int64),
            ColumnType::Decimal | ColumnType::Quantity => Some(ColumnType::Quantity),
            ColumnType::Text | ColumnType::Bytes => None,
        }
    }

    /// The greatest absolute value a sum of this column may reach.
    pub(crate) fn sum_limit(self) -> u128 {
        match self {
            ColumnType::Int32 | ColumnType::Int64 => u128::from(i64::MAX.unsigned_abs()),
            _ => 10_u128.saturating_pow(u32::from(QUANTITY_DIGITS)).saturating_sub(1),
        }
    }

    /// Atoms at which a decimal column ends: its values stay below.
    pub(crate) fn decimal_bound(self) -> u128 {
        let digits = if self == ColumnType::Decimal { DECIMAL_DIGITS } else { QUANTITY_DIGITS };
        10_u128.pow(u32::from(digits))
    }

    pub(crate) fn is_integer(self) -> bool {
        matches!(self, ColumnType::Int32 | ColumnType::Int64)
    }
}

/// Whether a column may hold nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nulls {
    /// Every row has a value.
    Never,
    /// A row may lack a value.
    Allowed,
}

/// One column of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Its name: lower-case letters, digits and underscores.
    pub name: &'static str,
    /// What it holds.
    pub column_type: ColumnType,
    /// Whether it may hold nulls.
    pub nulls: Nulls,
}

impl Column {
    /// A column in which every row has a value.
    pub const fn new(name: &'static str, column_type: ColumnType) -> Column {
        Column { name, column_type, nulls: Nulls::Never }
    }

    /// A column in which a row may lack a value.
    pub const fn nullable(name: &'static str, column_type: ColumnType) -> Column {
        Column { name, column_type, nulls: Nulls::Allowed }
    }
}

/// An ordered list of columns; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    columns: Arc<[Column]>,
    arrow: SchemaRef,
}

impl Schema {
    /// Makes a schema.
    ///
    /// Errors: [`Error::Column`] for a name that is empty, repeated, or has other characters than
    /// lower-case letters, digits and underscores.
    pub fn new(columns: &[Column]) -> Result<Schema> {
        for (index, column) in columns.iter().enumerate() {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if column.name.is_empty() || !column.name.chars().all(allowed) {
                return Err(Error::column(column.name, "wants letters, digits and underscores"));
            }
            if columns[..index].iter().any(|earlier| earlier.name == column.name) {
                return Err(Error::column(column.name, "is named twice"));
            }
        }
        let fields = columns.iter().map(|column| {
            Field::new(column.name, column.column_type.arrow(), column.nulls == Nulls::Allowed)
        });
        let arrow = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        Ok(Schema { columns: columns.into(), arrow })
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Finds a column by name.
    ///
    /// Errors: [`Error::Column`] when there is none.
    pub fn column(&self, name: &str) -> Result<Column> {
        Ok(self.columns[self.position(name)?])
    }

    pub(crate) fn position(&self, name: &str) -> Result<usize> {
        self.columns
            .iter()
            .position(|column| column.name == name)
            .ok_or_else(|| Error::column(name, "is not in the schema"))
    }

    pub(crate) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// The columns named, in the order named.
    pub(crate) fn only(&self, names: &[&'static str]) -> Result<Schema> {
        let columns: Result<Vec<Column>> = names.iter().map(|name| self.column(name)).collect();
        Schema::new(&columns?)
    }
}
