//! Values in and out of SQL: whole numbers, text, bytes; nothing else.

use crate::{Result, StoreError};
use calendar::Instant;

/// One value of a statement or a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What can be given to a statement.
pub(crate) trait Bind {
    fn bind(&self) -> Result<Value>;
}

/// Binds each expression, in the order of the placeholders.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::value::Bind::bind(&$value)?),*] };
}
pub(crate) use values;

impl<T: Bind + ?Sized> Bind for &T {
    fn bind(&self) -> Result<Value> {
        (**self).bind()
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(&self) -> Result<Value> {
        self.as_ref().map_or(Ok(Value::Null), Bind::bind)
    }
}

impl Bind for i64 {
    fn bind(&self) -> Result<Value> {
        Ok(Value::Int(*self))
    }
}

impl Bind for u64 {
    fn bind(&self) -> Result<Value> {
        i64::try_from(*self)
            .map(Value::Int)
            .map_err(|_| invalid("number", format!("{self} is beyond 63 bits")))
    }
}

macro_rules! small_numbers {
    ($($number:ty),*) => {$(
        impl Bind for $number {
            fn bind(&self) -> Result<Value> {
                Ok(Value::Int(i64::from(*self)))
            }
        }

        impl Column for $number {
            fn column(value: Value) -> Result<$number> {
                let number = i64::column(value)?;
                <$number>::try_from(number).map_err(|_| out_of_range(number))
            }
        }
    )*};
}
small_numbers!(i32, u32, u16);

impl Bind for str {
    /// PostgreSQL cannot keep a NUL in text, so neither store takes one.
    fn bind(&self) -> Result<Value> {
        if self.contains('\0') {
            return Err(invalid("text", format!("`{}` holds a NUL", self.escape_debug())));
        }
        Ok(Value::Text(self.to_owned()))
    }
}

impl Bind for String {
    fn bind(&self) -> Result<Value> {
        self.as_str().bind()
    }
}

impl Bind for [u8] {
    fn bind(&self) -> Result<Value> {
        Ok(Value::Bytes(self.to_vec()))
    }
}

impl Bind for Vec<u8> {
    fn bind(&self) -> Result<Value> {
        self.as_slice().bind()
    }
}

impl Bind for [u8; 32] {
    fn bind(&self) -> Result<Value> {
        self.as_slice().bind()
    }
}

impl Bind for Instant {
    fn bind(&self) -> Result<Value> {
        Ok(Value::Int(self.micros()))
    }
}

/// A row, read from its first column to its last.
#[derive(Debug)]
pub(crate) struct Row(std::vec::IntoIter<Value>);

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Row {
        Row(values.into_iter())
    }

    /// Takes the next column.
    pub(crate) fn take<T: Column>(&mut self) -> Result<T> {
        T::column(self.0.next().ok_or_else(|| StoreError::damaged("a row has too few columns"))?)
    }

    /// Takes all columns that are left.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        self.0.by_ref().collect()
    }
}

/// What a column can be read as.
pub(crate) trait Column: Sized {
    fn column(value: Value) -> Result<Self>;
}

impl<T: Column> Column for Option<T> {
    fn column(value: Value) -> Result<Option<T>> {
        match value {
            Value::Null => Ok(None),
            value => T::column(value).map(Some),
        }
    }
}

impl Column for i64 {
    fn column(value: Value) -> Result<i64> {
        match value {
            Value::Int(number) => Ok(number),
            Value::Null | Value::Text(_) | Value::Bytes(_) => Err(not_a("number")),
        }
    }
}

impl Column for u64 {
    fn column(value: Value) -> Result<u64> {
        let number = i64::column(value)?;
        u64::try_from(number).map_err(|_| out_of_range(number))
    }
}

impl Column for Instant {
    fn column(value: Value) -> Result<Instant> {
        i64::column(value).map(Instant::from_micros)
    }
}

impl Column for String {
    fn column(value: Value) -> Result<String> {
        match value {
            Value::Text(text) => Ok(text),
            Value::Null | Value::Int(_) | Value::Bytes(_) => Err(not_a("text")),
        }
    }
}

impl Column for Vec<u8> {
    fn column(value: Value) -> Result<Vec<u8>> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Null | Value::Int(_) | Value::Text(_) => Err(not_a("row of bytes")),
        }
    }
}

impl Column for [u8; 32] {
    fn column(value: Value) -> Result<[u8; 32]> {
        let bytes = Vec::<u8>::column(value)?;
        bytes.try_into().map_err(|_| not_a("hash of 32 bytes"))
    }
}

fn invalid(what: &'static str, problem: String) -> StoreError {
    StoreError::Invalid { what, problem }
}

fn not_a(what: &str) -> StoreError {
    StoreError::damaged(format!("a column holds no {what}"))
}

fn out_of_range(number: i64) -> StoreError {
    StoreError::damaged(format!("a column holds {number}, beyond its range"))
}
