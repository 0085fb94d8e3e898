//! A sheet: named columns and rows of cells.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// Days: `2026-03-01`.
    Date,
    /// Whole numbers, as digits.
    Count,
    /// Exact numbers with up to 18 places, as digits.
    Number,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

impl Column {
    /// A column of text.
    pub fn text(name: &str) -> Column {
        Column { name: name.to_owned(), kind: ColumnKind::Text }
    }

    /// A column of days.
    pub fn date(name: &str) -> Column {
        Column { name: name.to_owned(), kind: ColumnKind::Date }
    }

    /// A column of whole numbers.
    pub fn count(name: &str) -> Column {
        Column { name: name.to_owned(), kind: ColumnKind::Count }
    }

    /// A column of numbers.
    pub fn number(name: &str) -> Column {
        Column { name: name.to_owned(), kind: ColumnKind::Number }
    }
}

/// Rows under columns; every row has one cell for each column, none where there is no value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sheet {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Sheet {
    /// Its first `count` columns, for a terminal.
    pub fn first(mut self, count: usize) -> Sheet {
        self.columns.truncate(count);
        self.rows.iter_mut().for_each(|row| row.truncate(count));
        self
    }
}
