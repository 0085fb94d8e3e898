//! Rows in memory: built cell by cell or column by column, read through typed views.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Decimal128Array,
    Decimal128Builder, Int32Array, Int32Builder, Int64Array, Int64Builder, RecordBatch,
    RecordBatchOptions, StringArray, StringBuilder,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type};

use crate::error::{Error, Result};
use crate::schema::{Column, ColumnType, Nulls, Schema};

/// Bytes of text that one set of rows may hold in one column.
const TEXT_LIMIT_BYTES: usize = 1 << 30;

/// One value on its way into rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// For [`ColumnType::Int32`].
    Int32(i32),
    /// For [`ColumnType::Int64`].
    Int64(i64),
    /// For [`ColumnType::Text`].
    Text(&'a str),
    /// For [`ColumnType::Bytes`].
    Bytes(&'a [u8]),
    /// Atoms (10^-18), for [`ColumnType::Decimal`] and [`ColumnType::Quantity`].
    Decimal(i128),
}

/// One value that a filter compares with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// For both integer types.
    Int(i64),
    /// For [`ColumnType::Text`].
    Text(String),
    /// For [`ColumnType::Bytes`].
    Bytes(Vec<u8>),
    /// Atoms (10^-18), for [`ColumnType::Decimal`] and [`ColumnType::Quantity`].
    Decimal(i128),
}

/// A whole column without nulls on its way into rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// For [`ColumnType::Int32`].
    Int32(Vec<i32>),
    /// For [`ColumnType::Int64`].
    Int64(Vec<i64>),
    /// For [`ColumnType::Text`].
    Text(Vec<String>),
    /// Atoms (10^-18), for [`ColumnType::Decimal`] and [`ColumnType::Quantity`].
    Decimal(Vec<i128>),
}

/// Collects rows cell by cell.
pub struct RowsBuilder {
    schema: Schema,
    columns: Vec<Builder>,
    rows: usize,
}

enum Builder {
    Int32(Int32Builder),
    Int64(Int64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Decimal(Decimal128Builder),
}

impl RowsBuilder {
    /// An empty builder with room for `capacity` rows.
    pub fn new(schema: Schema, capacity: usize) -> RowsBuilder {
        let builder = |column: &Column| match column.column_type {
            ColumnType::Int32 => Builder::Int32(Int32Builder::with_capacity(capacity)),
            ColumnType::Int64 => Builder::Int64(Int64Builder::with_capacity(capacity)),
            ColumnType::Text => Builder::Text(StringBuilder::with_capacity(capacity, 0)),
            ColumnType::Bytes => Builder::Bytes(BinaryBuilder::with_capacity(capacity, 0)),
            ColumnType::Decimal | ColumnType::Quantity => Builder::Decimal(
                Decimal128Builder::with_capacity(capacity)
                    .with_data_type(column.column_type.arrow()),
            ),
        };
        let columns = schema.columns().iter().map(builder).collect();
        RowsBuilder { schema, columns, rows: 0 }
    }

    /// Rows pushed so far.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds one row, one cell per column in the schema's order.
    ///
    /// Errors: [`Error::Column`] for a missing or foreign cell, or a null where none may be;
    /// [`Error::DoesNotFit`] for a value beyond its column's bound. The builder is then unchanged.
    pub fn push(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let columns = self.schema.columns();
        if cells.len() != columns.len() {
            let wanted = columns.get(cells.len()).or(columns.last());
            let name = wanted.map_or("", |column| column.name);
            return Err(Error::column(name, "a row has one cell for each column"));
        }
        for ((column, builder), cell) in columns.iter().zip(&self.columns).zip(cells) {
            check_cell(column, builder, cell)?;
        }
        for (builder, cell) in self.columns.iter_mut().zip(cells) {
            builder.append(cell);
        }
        self.rows = self.rows.saturating_add(1);
        Ok(())
    }

    /// The rows pushed.
    ///
    /// Errors: [`Error::Failed`] if the columns do not make rows, which a checked push prevents.
    pub fn finish(self) -> Result<Rows> {
        let columns = self.columns.into_iter().map(Builder::finish).collect();
        Rows::assemble(self.schema, columns, self.rows)
    }
}

impl Builder {
    /// Appends a cell that [`check_cell`] let through.
    fn append(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Builder::Int32(builder), Cell::Int32(value)) => builder.append_value(*value),
            (Builder::Int32(builder), _) => builder.append_null(),
            (Builder::Int64(builder), Cell::Int64(value)) => builder.append_value(*value),
            (Builder::Int64(builder), _) => builder.append_null(),
            (Builder::Text(builder), Cell::Text(value)) => builder.append_value(value),
            (Builder::Text(builder), _) => builder.append_null(),
            (Builder::Bytes(builder), Cell::Bytes(value)) => builder.append_value(value),
            (Builder::Bytes(builder), _) => builder.append_null(),
            (Builder::Decimal(builder), Cell::Decimal(value)) => builder.append_value(*value),
            (Builder::Decimal(builder), _) => builder.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Builder::Int32(mut builder) => Arc::new(builder.finish()),
            Builder::Int64(mut builder) => Arc::new(builder.finish()),
            Builder::Text(mut builder) => Arc::new(builder.finish()),
            Builder::Bytes(mut builder) => Arc::new(builder.finish()),
            Builder::Decimal(mut builder) => Arc::new(builder.finish()),
        }
    }
}

fn check_cell(column: &Column, builder: &Builder, cell: &Cell<'_>) -> Result<()> {
    match (builder, cell) {
        (_, Cell::Null) if column.nulls == Nulls::Allowed => Ok(()),
        (_, Cell::Null) => Err(Error::column(column.name, "has no nulls")),
        (Builder::Int32(_), Cell::Int32(_)) | (Builder::Int64(_), Cell::Int64(_)) => Ok(()),
        (Builder::Text(builder), Cell::Text(value)) => {
            check_text(column, builder.values_slice().len(), value.len())
        }
        (Builder::Bytes(builder), Cell::Bytes(value)) => {
            check_text(column, builder.values_slice().len(), value.len())
        }
        (Builder::Decimal(_), Cell::Decimal(atoms)) => check_decimal(column, *atoms),
        (_, cell) => {
            let problem = format!("holds {:?}, not {cell:?}", column.column_type);
            Err(Error::column(column.name, problem))
        }
    }
}

fn check_text(column: &Column, held: usize, more: usize) -> Result<()> {
    if held.saturating_add(more) > TEXT_LIMIT_BYTES {
        let value = format!("{more} bytes more");
        return Err(Error::DoesNotFit { column: column.name, value, limit: "1 GiB of text" });
    }
    Ok(())
}

fn check_decimal(column: &Column, atoms: i128) -> Result<()> {
    if atoms.unsigned_abs() >= column.column_type.decimal_bound() {
        let limit = match column.column_type {
            ColumnType::Decimal => "values stay below 10^10",
            _ => "values stay below 10^20",
        };
        let value = format!("{atoms} atoms");
        return Err(Error::DoesNotFit { column: column.name, value, limit });
    }
    Ok(())
}

/// Rows of one schema; cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    schema: Schema,
    batch: RecordBatch,
}

impl Rows {
    /// Makes rows of whole columns, which is several times faster than pushing cells.
    ///
    /// Errors: [`Error::Column`] for a missing, foreign or shorter column; [`Error::DoesNotFit`]
    /// for a value beyond its column's bound.
    pub fn from_columns(schema: Schema, columns: Vec<Values>) -> Result<Rows> {
        let rows = columns.first().map_or(0, Values::len);
        let mut arrays = Vec::with_capacity(columns.len());
        let mut given = columns.into_iter();
        for column in schema.columns() {
            let values = given.next().ok_or_else(|| Error::column(column.name, "has no values"))?;
            if values.len() != rows {
                return Err(Error::column(column.name, "has another number of values"));
            }
            arrays.push(values.into_array(column)?);
        }
        if given.next().is_some() {
            return Err(Error::column("", "more values than columns"));
        }
        Rows::assemble(schema, arrays, rows)
    }

    /// No rows at all.
    pub fn empty(schema: Schema) -> Rows {
        let batch = RecordBatch::new_empty(schema.arrow().clone());
        Rows { schema, batch }
    }

    /// Joins rows of one schema.
    ///
    /// Errors: [`Error::Failed`] when they differ in schema or are too large for one piece.
    pub fn concat(schema: &Schema, parts: &[Rows]) -> Result<Rows> {
        let batches = parts.iter().map(|rows| &rows.batch);
        let batch = concat_batches(schema.arrow(), batches)
            .map_err(|error| Error::failed("joining rows", error))?;
        Ok(Rows { schema: schema.clone(), batch })
    }

    /// Rows from `from` until `until`, clipped to what is there; copies nothing.
    pub fn slice(&self, from: usize, until: usize) -> Rows {
        let until = until.min(self.len());
        let from = from.min(until);
        Rows {
            schema: self.schema.clone(),
            batch: self.batch.slice(from, until.saturating_sub(from)),
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// A column of 32-bit integers.
    ///
    /// Errors: [`Error::Column`] when it is missing or of another type; so for the other views.
    pub fn i32(&self, column: &str) -> Result<View<'_, Int32Array>> {
        self.view(column, |array| array.as_primitive_opt::<Int32Type>())
    }

    /// A column of 64-bit integers.
    pub fn i64(&self, column: &str) -> Result<View<'_, Int64Array>> {
        self.view(column, |array| array.as_primitive_opt::<Int64Type>())
    }

    /// A column of text.
    pub fn text(&self, column: &str) -> Result<View<'_, StringArray>> {
        self.view(column, |array| array.as_string_opt::<i32>())
    }

    /// A column of bytes.
    pub fn bytes(&self, column: &str) -> Result<View<'_, BinaryArray>> {
        self.view(column, |array| array.as_binary_opt::<i32>())
    }

    /// A column of decimals of either type, as atoms (10^-18).
    pub fn decimal(&self, column: &str) -> Result<View<'_, Decimal128Array>> {
        self.view(column, |array| array.as_primitive_opt::<Decimal128Type>())
    }

    fn view<'a, A>(
        &'a self,
        name: &str,
        cast: impl FnOnce(&'a ArrayRef) -> Option<&'a A>,
    ) -> Result<View<'a, A>> {
        let position = self.schema.position(name)?;
        let column_type = self.schema.columns()[position].column_type;
        cast(self.batch.column(position))
            .map(|array| View { array })
            .ok_or_else(|| Error::column(name, format!("holds {column_type:?}")))
    }

    pub(crate) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Gives a batch back under our schema; its columns must have our types.
    pub(crate) fn from_batch(schema: &Schema, batch: RecordBatch) -> Result<Rows> {
        let rows = batch.num_rows();
        Rows::assemble(schema.clone(), batch.columns().to_vec(), rows)
    }

    fn assemble(schema: Schema, arrays: Vec<ArrayRef>, rows: usize) -> Result<Rows> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema.arrow().clone(), arrays, &options)
            .map_err(|error| Error::failed("assembling rows", error))?;
        Ok(Rows { schema, batch })
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Int32(values) => values.len(),
            Values::Int64(values) => values.len(),
            Values::Text(values) => values.len(),
            Values::Decimal(values) => values.len(),
        }
    }

    fn into_array(self, column: &Column) -> Result<ArrayRef> {
        match (self, column.column_type) {
            (Values::Int32(values), ColumnType::Int32) => Ok(Arc::new(Int32Array::from(values))),
            (Values::Int64(values), ColumnType::Int64) => Ok(Arc::new(Int64Array::from(values))),
            (Values::Text(values), ColumnType::Text) => {
                check_text(column, 0, values.iter().map(String::len).sum())?;
                Ok(Arc::new(StringArray::from(values)))
            }
            (Values::Decimal(values), ColumnType::Decimal | ColumnType::Quantity) => {
                for atoms in &values {
                    check_decimal(column, *atoms)?;
                }
                let array = Decimal128Array::from(values);
                Ok(Arc::new(array.with_data_type(column.column_type.arrow())))
            }
            (_, wanted) => Err(Error::column(column.name, format!("holds {wanted:?}"))),
        }
    }
}

/// A column of rows, read by row number.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, A> {
    array: &'a A,
}

/// 32-bit integers: what [`Rows::i32`] views.
pub type Int32s = Int32Array;
/// 64-bit integers: what [`Rows::i64`] views.
pub type Int64s = Int64Array;
/// Texts: what [`Rows::text`] views.
pub type Texts = StringArray;
/// Atoms: what [`Rows::decimal`] views.
pub type Decimals = Decimal128Array;

impl<'a, A> View<'a, A>
where
    &'a A: ArrayAccessor,
{
    /// The value of a row; nothing for a null and beyond the last row.
    pub fn get(&self, row: usize) -> Option<<&'a A as ArrayAccessor>::Item> {
        if row < self.array.len() && self.array.is_valid(row) {
            Some(self.array.value(row))
        } else {
            None
        }
    }

    /// The values in order, nulls as nothing.
    pub fn iter(
        &self,
    ) -> impl Iterator<Item = Option<<&'a A as ArrayAccessor>::Item>> + use<'a, A> {
        let view = View { array: self.array };
        (0..self.array.len()).map(move |row| view.get(row))
    }
}

impl<'a> View<'a, Int32Array> {
    /// All values at once; rows without a value hold an arbitrary one.
    pub fn values(&self) -> &'a [i32] {
        self.array.values()
    }
}

impl<'a> View<'a, Int64Array> {
    /// All values at once; rows without a value hold an arbitrary one.
    pub fn values(&self) -> &'a [i64] {
        self.array.values()
    }
}

impl<'a> View<'a, Decimal128Array> {
    /// All atoms at once; rows without a value hold an arbitrary one.
    pub fn values(&self) -> &'a [i128] {
        self.array.values()
    }
}

/// The integers of a column, widened; nothing for other types.
pub(crate) fn integers(array: &dyn Array) -> Option<Box<dyn Iterator<Item = Option<i64>> + '_>> {
    match array.data_type() {
        DataType::Int32 => {
            let values = array.as_primitive::<Int32Type>().iter();
            Some(Box::new(values.map(|value| value.map(i64::from))))
        }
        DataType::Int64 => Some(Box::new(array.as_primitive::<Int64Type>().iter())),
        _ => None,
    }
}
