//! The habits of Azure Resource Manager, for the azure-* surfaces: letter case, query names,
//! api-version, error body, pages and next links, `$filter`, `$expand`, headers, media types.

mod content_type;
mod error;
mod filter;
mod headers;
mod letter_case;
mod link;
mod paging;
mod query;
mod versions;

#[cfg(test)]
mod tests;

pub use content_type::json_bodies;
pub use error::{ArmError, ErrorDetail, render};
pub use filter::{
    Comparing, Comparison, Condition, alternatives, comparisons, conditions, filter, filter_of,
};
pub use headers::{Knows, Now, correlate, counted, remaining_reads, uncached};
pub use letter_case::LetterCase;
pub use link::{List, next_link};
pub use paging::{ListAsked, PageStart, Pages, Shown};
pub use query::{Query, api_version, expand};
pub use versions::{Chosen, Unasked, versions};
