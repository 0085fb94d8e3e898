//! What is wrong with what was sent: all of it at once, each fault with the path of its member.

use crate::Refusal;
use domain::Error;
use std::fmt;

/// How many faults are told; behind them one says that there are more. A small body can have
/// hundreds of thousands.
const FAULTS_MOST: usize = 100;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path of the member: `lines[2].amount`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// What was read; nothing if it was wrong, which is kept as a fault of this member.
    pub fn read<T>(&mut self, field: impl Into<String>, read: Result<T, Error>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                let problem = match error {
                    Error::Invalid { field: _, problem } => problem,
                    other => other.to_string(),
                };
                self.keep(field, problem);
                None
            }
        }
    }

    fn keep(&mut self, field: impl Into<String>, problem: String) {
        let problem = match self.0.len() {
            kept if kept < FAULTS_MOST => problem,
            FAULTS_MOST => format!("and more: only {FAULTS_MOST} are told"),
            _ => return,
        };
        self.0.push(Fault { field: field.into(), problem });
    }

    /// What was read of a member that may be left out.
    pub fn read_if<G, T>(
        &mut self,
        field: &str,
        given: Option<G>,
        read: impl FnOnce(G) -> Result<T, Error>,
    ) -> Option<Option<T>> {
        match given {
            None => Some(None),
            Some(given) => self.read(field, read(given)).map(Some),
        }
    }

    /// What was read of each member of a list: `actions[1]`.
    pub fn read_each<G, T, C: FromIterator<T>>(
        &mut self,
        field: &str,
        given: impl IntoIterator<Item = G>,
        read: impl Fn(G) -> Result<T, Error>,
    ) -> Option<C> {
        let read = given
            .into_iter()
            .enumerate()
            .map(|(place, one)| self.read(format!("{field}[{place}]"), read(one)));
        // All of them are read before the first fault counts.
        read.collect::<Vec<Option<T>>>().into_iter().collect()
    }

    /// What came out of it, if nothing was wrong.
    ///
    /// Errors: [`Refusal::Faults`].
    pub fn end<T>(self, value: Option<T>) -> Result<T, Refusal> {
        match (value, self.0.is_empty()) {
            (Some(value), true) => Ok(value),
            (None, true) => {
                Err(Error::internal("read a request", "nothing is wrong with it").into())
            }
            (_, false) => Err(Refusal::Faults(self.0)),
        }
    }
}
