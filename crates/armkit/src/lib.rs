//! The habits of Azure Resource Manager, for the azure-* surfaces: letter case, query names,
//! api-version, error body, next links, `$filter`, correlation headers.

mod error;
mod filter;
mod headers;
mod letter_case;
mod link;
mod query;

#[cfg(test)]
mod tests;

pub use error::{ArmError, render};
pub use filter::{Condition, filter};
pub use headers::{correlate, remaining_reads};
pub use letter_case::LetterCase;
pub use link::{List, next_link};
pub use query::{Query, api_version};
