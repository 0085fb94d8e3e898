//! What is wrong with a declared thing, and at which key.

use std::fmt::Display;

/// A wrong value, by its path below the thing: `placements[1].offer`; empty for the thing itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) path: String,
    pub(super) problem: String,
}

impl Wrong {
    /// Something wrong at a path.
    pub(super) fn new(path: impl Into<String>, problem: impl Display) -> Wrong {
        Wrong { path: path.into(), problem: problem.to_string() }
    }

    /// What the domain finds wrong with a value: it names the key.
    pub(super) fn of(error: domain::Error) -> Wrong {
        match error {
            domain::Error::Invalid { field, problem } => {
                Wrong::new(field.replace(' ', "_"), problem)
            }
            other => Wrong::new("", other),
        }
    }

    /// The same, seen from further out.
    pub(super) fn below(self, outer: &str) -> Wrong {
        Wrong { path: join(outer, &self.path), problem: self.problem }
    }
}

/// Joins two paths.
pub(super) fn join(outer: &str, inner: &str) -> String {
    match (outer.is_empty(), inner.is_empty()) {
        (true, _) => inner.to_owned(),
        (_, true) => outer.to_owned(),
        _ if inner.starts_with('[') => format!("{outer}{inner}"),
        _ => format!("{outer}.{inner}"),
    }
}
