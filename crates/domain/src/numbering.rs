//! Numbers of documents: one series for each legal entity, without gaps.
//!
//! A number is taken in the transaction that issues the document, so that a crash leaves either
//! both or neither. A draft has none, and a void invoice keeps its own.

use crate::ids::LegalEntityId;
use crate::{Error, Result};
use std::fmt;

/// A document's number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentNumber {
    /// Who issued it.
    pub seller: LegalEntityId,
    /// From 1, without gaps.
    pub sequence: u64,
}

/// Writes the seller and eight digits or more: `acme-00000042`.
impl fmt::Display for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08}", self.seller, self.sequence)
    }
}

impl DocumentNumber {
    /// Reads what is written as `acme-00000042`; leading zeros may be left out.
    ///
    /// Errors: [`Error::Invalid`].
    pub fn parse(text: &str) -> Result<DocumentNumber> {
        let wrong = || Error::invalid("number", format!("`{text}` is not like acme-00000042"));
        let (seller, sequence) = text.rsplit_once('-').ok_or_else(wrong)?;
        let is_plain = sequence.bytes().all(|byte| byte.is_ascii_digit());
        let sequence = sequence.parse().ok().filter(|_| is_plain).ok_or_else(wrong)?;
        Ok(DocumentNumber { seller: LegalEntityId::new(seller)?, sequence })
    }

    /// The number after `last`, the newest that the seller issued; the first if none.
    ///
    /// Errors: [`Error::Conflict`] at the end of all numbers.
    pub fn after(seller: &LegalEntityId, last: Option<u64>) -> Result<DocumentNumber> {
        let sequence = last.unwrap_or(0).checked_add(1).ok_or_else(|| Error::Conflict {
            what: "legal entity",
            key: seller.to_string(),
            problem: "has no numbers left".to_owned(),
        })?;
        Ok(DocumentNumber { seller: seller.clone(), sequence })
    }
}

/// Checks one seller's issued numbers, in any order: from 1, no gap, none twice.
///
/// Errors: [`Error::Conflict`] naming the first number that is missing or there twice.
pub fn check_gap_free(numbers: &[DocumentNumber]) -> Result<()> {
    let mut sorted: Vec<&DocumentNumber> = numbers.iter().collect();
    sorted.sort();
    let mut expected: Option<u64> = None;
    let mut seller = None;
    for number in sorted {
        if seller != Some(&number.seller) {
            (seller, expected) = (Some(&number.seller), None);
        }
        let next = DocumentNumber::after(&number.seller, expected)?;
        if *number != next {
            let is_twice = number.sequence < next.sequence;
            let (key, problem) = if is_twice {
                (number.to_string(), "is there twice".to_owned())
            } else {
                (next.to_string(), format!("is missing before {number}"))
            };
            return Err(Error::Conflict { what: "document number", key, problem });
        }
        expected = Some(number.sequence);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
