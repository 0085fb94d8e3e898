//! What can be wrong with a file or a row of it.

/// Why a row, or the rest of a file, was not read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// One row is wrong; the next one can be read.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The file is wrong; nothing follows, and what came before is not the whole extract.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {line}: {field}: {problem}")]
pub struct RowError {
    /// Line of a CSV file, row of a Parquet file, or element of a JSON answer; from 1.
    pub line: u64,
    /// The field, as our documents name it.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// The row as it stands in the file, cut to 1,000 characters.
    pub raw: String,
}

/// What is wrong with a file as a whole.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It does not have the shape of its format.
    #[error("file: {problem}")]
    Shape {
        /// What is wrong.
        problem: String,
    },
    /// It cannot be read.
    #[error("file cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// Its Parquet structure is broken.
    #[error("file is not Parquet that we read")]
    Parquet(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl FileError {
    pub(crate) fn shape(problem: impl Into<String>) -> FileError {
        FileError::Shape { problem: problem.into() }
    }
}

/// What is wrong with one field of a row whose place is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub field: String,
    pub problem: String,
}

impl FieldError {
    pub(crate) fn new(field: &str, problem: impl Into<String>) -> FieldError {
        FieldError { field: field.to_owned(), problem: problem.into() }
    }

    pub(crate) fn at(self, line: u64, raw: &str) -> RowError {
        RowError { line, field: self.field, problem: self.problem, raw: cut(raw, 1_000) }
    }
}

/// Ids name their own field in their errors; the row's field is the better name.
pub(crate) fn field_of(field: &str, error: &domain::Error) -> FieldError {
    let problem = match error {
        domain::Error::Invalid { problem, .. } => problem.clone(),
        other => other.to_string(),
    };
    FieldError::new(field, problem)
}

/// The text, or its first `most` characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
