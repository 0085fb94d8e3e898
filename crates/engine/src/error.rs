//! What can go wrong below the engine's verbs.

/// The result of every verb.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the engine: a refusal of the question, or trouble with an object.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A schema, a question or rows name a column in a way that cannot be meant.
    #[error("column `{column}`: {problem}")]
    Column {
        /// The column.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A value lies outside what its column can hold.
    #[error("column `{column}` cannot hold {value}: {limit}")]
    DoesNotFit {
        /// The column.
        column: &'static str,
        /// The value, as text.
        value: String,
        /// The bound that it passes.
        limit: &'static str,
    },
    /// A sum of the column could pass what a sum can hold; nothing was added up.
    #[error("the sum of column `{column}` may not fit: its absolute values reach {reach}")]
    SumTooLarge {
        /// The column.
        column: &'static str,
        /// The sum of absolute values of everything that was asked for, in the column's atoms.
        reach: u128,
    },
    /// The question makes more groups than it allows.
    #[error("the answer has more than {limit} groups")]
    TooManyGroups {
        /// The most groups the question allows.
        limit: u64,
    },
    /// The question needs more memory than the engine may use.
    #[error("the question needs more than the {limit_bytes} bytes the engine may use")]
    TooMuchMemory {
        /// The engine's limit.
        limit_bytes: usize,
        /// What asked for it.
        #[source]
        source: Source,
    },
    /// A path that an object cannot have.
    #[error("object path `{path}`: {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The object is not there.
    #[error("object `{path}` does not exist")]
    Missing {
        /// Its path.
        path: String,
    },
    /// The object is there and is not what was written.
    #[error("object `{path}` is damaged: {problem}")]
    Damaged {
        /// Its path.
        path: String,
        /// How it differs.
        problem: String,
    },
    /// The text of file facts cannot be read.
    #[error("file facts, line {line}: {problem}")]
    Facts {
        /// The line, counted from 1; 0 means the text as a whole.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Reading or writing an object failed.
    #[error("object `{path}` failed")]
    Object {
        /// Its path.
        path: String,
        /// The cause.
        #[source]
        source: Source,
    },
    /// Answering a question failed.
    #[error("{doing} failed")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Source,
    },
}

/// The cause of a failure, whichever library it comes from.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    pub(crate) fn column(column: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Column { column: column.into(), problem: problem.into() }
    }

    pub(crate) fn failed(doing: &'static str, source: impl Into<Source>) -> Error {
        Error::Failed { doing, source: source.into() }
    }

    /// Tells a missing object from any other trouble with it.
    pub(crate) fn object(path: &str, error: object_store::Error) -> Error {
        match error {
            object_store::Error::NotFound { .. } => Error::Missing { path: path.to_owned() },
            other => Error::Object { path: path.to_owned(), source: other.into() },
        }
    }
}
