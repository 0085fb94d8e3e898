//! What can go wrong, in the domain's own words.

use crate::moves::Obstacle;
use calendar::BillingPeriod;
use money::{Money, MoneyError};

/// The result of every rule and use case.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong. Knows nothing of HTTP.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing is not there, or the caller may not know that it is.
    #[error("{what} `{key}` does not exist")]
    NotFound {
        /// The noun.
        what: &'static str,
        /// Its key, as the caller spelled it.
        key: String,
    },
    /// A field of the input is wrong.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field, as our documents name it.
        field: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The caller is unknown: no credential, or one that does not hold.
    #[error("not signed in: {problem}")]
    Unauthenticated {
        /// Why the credential does not hold.
        problem: String,
    },
    /// The caller is known and may not do this.
    #[error("{action} is not allowed here")]
    Forbidden {
        /// The right that is missing.
        action: &'static str,
    },
    /// What is there already stands against it.
    #[error("{what} `{key}`: {problem}")]
    Conflict {
        /// The noun.
        what: &'static str,
        /// Its key.
        key: String,
        /// What stands against it.
        problem: String,
    },
    /// A holding stays where it is.
    #[error("{what} `{key}` cannot be moved: {obstacle}")]
    CannotMove {
        /// The noun.
        what: &'static str,
        /// Its key.
        key: String,
        /// What keeps it there.
        obstacle: Obstacle,
    },
    /// Others changed what is declared before it could be changed as it was decided.
    #[error("others change what is declared all the time; try again")]
    Overtaken,
    /// The period is final.
    #[error("period {period} is closed")]
    PeriodClosed {
        /// The final period.
        period: BillingPeriod,
    },
    /// A limit of the installation would be passed.
    #[error("{limit} is at most {most}; set `{key}` to change it")]
    TooMuch {
        /// What is limited.
        limit: &'static str,
        /// The limit in force.
        most: u64,
        /// The configuration key.
        key: &'static str,
    },
    /// The data asked for is still being taken in.
    #[error("usage up to {until} is still being processed; try again later")]
    NotReady {
        /// The end of the window that is not complete.
        until: calendar::Instant,
    },
    /// The caller asks too often.
    #[error("too many requests; try again in {retry_after_s} s")]
    TooMany {
        /// When to come back.
        retry_after_s: u64,
    },
    /// As much is kept as may be: what is kept expires.
    #[error(
        "{limit} are at most {most}; try again in {retry_after_s} s, when the first of them is \
         over, or set `{key}`"
    )]
    TooManyKept {
        /// What is limited, and of what: `running operations of one caller`.
        limit: &'static str,
        /// The limit in force.
        most: u64,
        /// The configuration key.
        key: &'static str,
        /// When to come back.
        retry_after_s: u64,
    },
    /// The service is busy or read-only for now.
    #[error("{problem}")]
    Unavailable {
        /// Why, and when it may pass.
        problem: String,
    },
    /// An entry's debits and credits differ: our own fault, and nothing was posted.
    #[error("{entry} debits {debits} and credits {credits}")]
    Unbalanced {
        /// What the entry stands for.
        entry: String,
        /// Sum of its debits in the currency.
        debits: Money,
        /// Sum of its credits in the currency.
        credits: Money,
    },
    /// A ledger account would hold less than nothing.
    #[error("ledger account `{account}` would be left with {held}")]
    Overdrawn {
        /// The ledger account.
        account: String,
        /// What it would hold.
        held: Money,
    },
    /// An exact number left its range or its currency.
    #[error("{context}")]
    Money {
        /// What was being computed, with its key.
        context: String,
        /// The number's own fault.
        #[source]
        source: MoneyError,
    },
    /// Storage, network or our own fault.
    #[error("{context} failed")]
    Internal {
        /// What was being done.
        context: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The closed list of error kinds; each surface maps it to statuses once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// See [`Error::NotFound`].
    NotFound,
    /// See [`Error::Invalid`].
    Invalid,
    /// See [`Error::Unauthenticated`].
    Unauthenticated,
    /// See [`Error::Forbidden`].
    Forbidden,
    /// See [`Error::Conflict`], [`Error::Overtaken`], [`Error::PeriodClosed`] and
    /// [`Error::Overdrawn`].
    Conflict,
    /// See [`Error::TooMuch`].
    TooMuch,
    /// See [`Error::NotReady`].
    NotReady,
    /// See [`Error::TooMany`] and [`Error::TooManyKept`].
    TooMany,
    /// See [`Error::Unavailable`].
    Unavailable,
    /// See [`Error::Unbalanced`], [`Error::Money`] and [`Error::Internal`].
    Internal,
}

impl Error {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Error::NotFound { .. } => Kind::NotFound,
            Error::Invalid { .. } => Kind::Invalid,
            Error::Unauthenticated { .. } => Kind::Unauthenticated,
            Error::Forbidden { .. } => Kind::Forbidden,
            Error::CannotMove { obstacle, .. } => obstacle.kind(),
            Error::Conflict { .. }
            | Error::Overtaken
            | Error::PeriodClosed { .. }
            | Error::Overdrawn { .. } => Kind::Conflict,
            Error::TooMuch { .. } => Kind::TooMuch,
            Error::NotReady { .. } => Kind::NotReady,
            Error::TooMany { .. } | Error::TooManyKept { .. } => Kind::TooMany,
            Error::Unavailable { .. } => Kind::Unavailable,
            Error::Unbalanced { .. } | Error::Money { .. } | Error::Internal { .. } => {
                Kind::Internal
            }
        }
    }

    /// A wrong field.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Invalid { field: field.into(), problem: problem.into() }
    }

    /// A missing thing.
    pub fn not_found(what: &'static str, key: impl Into<String>) -> Error {
        Error::NotFound { what, key: key.into() }
    }

    /// A fault of our own or of something below us.
    pub fn internal(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Internal { context: context.into(), source: source.into() }
    }

    /// A number out of range.
    pub fn money(context: impl Into<String>, source: MoneyError) -> Error {
        Error::Money { context: context.into(), source }
    }
}
