//! Usage results: the bytes that a usage query comes to, spelled once and kept until they expire.
//!
//! They lie among the objects in portions, listed in the books as pinned answers are. Their head
//! says how many bytes there are and what they hash to, each portion for itself, so that nothing
//! damaged goes out and nothing is held whole in memory.

use crate::usage_answers::UsageAnswer;

/// How a surface spells what its callbacks say; registered by the surface when it is made.
#[derive(Clone, Copy)]
pub struct UsageShape {
    /// Writes what is said of a query that succeeded, piece by piece: (id, answer, writer).
    pub success: fn(&str, &UsageAnswer, &mut dyn FnMut(&str)),
    /// What is said of a query that failed: (id, why).
    pub failure: fn(&str, &str) -> String,
}
