//! What can go wrong with the books.

/// The result of every call to the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why a call failed, as the driver or the system said it.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The books cannot be opened or reached.
    #[error("cannot reach the books at {place}")]
    Unavailable {
        /// Where; without secrets.
        place: String,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// The books were written by a newer program.
    #[error(
        "the books have schema {found}, this program knows up to {known}; start the newer program"
    )]
    Newer {
        /// Number of the newest migration that the books have seen.
        found: u64,
        /// Number of the newest migration that this program knows.
        known: u64,
    },
    /// A migration that the books have seen is not the one that this program carries.
    #[error("migration {number} differs from the one that the books were made with")]
    ChangedMigration {
        /// Its number.
        number: u64,
    },
    /// Somebody else wrote first: read again, decide again.
    #[error("{what} `{key}` has moved on: expected {expected}, found {found}")]
    Stale {
        /// The noun.
        what: &'static str,
        /// Its key; empty where there is only one.
        key: String,
        /// What the caller had seen.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The rules of the books refuse it; trying again will not help.
    #[error("{what} `{key}`: {problem}")]
    Refused {
        /// The noun.
        what: &'static str,
        /// Its key.
        key: String,
        /// Why.
        problem: String,
    },
    /// There is no such row.
    #[error("{what} `{key}` does not exist")]
    Missing {
        /// The noun.
        what: &'static str,
        /// Its key.
        key: String,
    },
    /// A value that the books cannot hold.
    #[error("{what}: {problem}")]
    Invalid {
        /// What kind of value.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Other writers were in the way for too long; nothing was written.
    #[error("the books are busy; nothing was written")]
    Contended(#[source] Cause),
    /// The connection broke; nothing was written.
    #[error("the connection to the books broke; nothing was written")]
    Lost(#[source] Cause),
    /// The connection broke during COMMIT: look the key up before answering.
    #[error("the outcome of the last write to the books is unknown")]
    OutcomeUnknown(#[source] Cause),
    /// A constraint of the schema refused it; nothing was written.
    #[error("the books refused the row")]
    Constraint(#[source] Cause),
    /// The disk is full; nothing was written.
    #[error("no space left for the books; nothing was written")]
    Full(#[source] Cause),
    /// Reading or writing the medium failed: the process must end.
    #[error("the books cannot be read or written any more")]
    Io(#[source] Cause),
    /// What is stored is not what was written.
    #[error("the books are damaged: {what}")]
    Damaged {
        /// Where, and what is wrong.
        what: String,
    },
    /// This kind of store does not do that; the text says what does.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Any other fault of the driver.
    #[error("the books failed")]
    Sql(#[source] Cause),
}

impl StoreError {
    /// Whether the process must end, because it can no longer tell what is durable.
    pub fn is_fatal(&self) -> bool {
        matches!(self, StoreError::Io(_) | StoreError::Damaged { .. })
    }

    /// Whether the same work may succeed when it is begun again from the start.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, StoreError::Contended(_) | StoreError::Lost(_) | StoreError::Constraint(_))
    }

    pub(crate) fn damaged(what: impl Into<String>) -> StoreError {
        StoreError::Damaged { what: what.into() }
    }

    pub(crate) fn refused(
        what: &'static str,
        key: impl std::fmt::Display,
        problem: impl Into<String>,
    ) -> StoreError {
        StoreError::Refused { what, key: key.to_string(), problem: problem.into() }
    }
}

/// The domain's word for it; the cause stays its source.
impl From<StoreError> for domain::Error {
    fn from(error: StoreError) -> domain::Error {
        match error {
            StoreError::Stale { what, ref key, .. } => domain::Error::Conflict {
                what,
                key: key.clone(),
                problem: "somebody else changed it first; read it again".to_owned(),
            },
            StoreError::Refused { what, key, problem } => {
                domain::Error::Conflict { what, key, problem }
            }
            StoreError::Missing { what, key } => domain::Error::NotFound { what, key },
            StoreError::Invalid { what, problem } => domain::Error::invalid(what, problem),
            StoreError::Contended(_)
            | StoreError::Lost(_)
            | StoreError::Full(_)
            | StoreError::Unavailable { .. } => {
                domain::Error::Unavailable { problem: error.to_string() }
            }
            StoreError::Newer { .. }
            | StoreError::ChangedMigration { .. }
            | StoreError::OutcomeUnknown(_)
            | StoreError::Constraint(_)
            | StoreError::Io(_)
            | StoreError::Damaged { .. }
            | StoreError::Unsupported(_)
            | StoreError::Sql(_) => domain::Error::internal("storage", error),
        }
    }
}
