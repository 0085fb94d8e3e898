//! The chain of closes: each link covers the link before it and all that its close made final.
//!
//! A statement holds the digests of a close's canonical rows, ledger entries and documents; a link
//! adds the head before it. Whoever keeps the newest head can compute everything again from facts
//! and find any changed byte, a missing link, and a link too many.
//!
//! The hash is BLAKE3-256, and it is part of the format: were it a parameter, two callers could
//! seal one period in two ways.

use crate::encoding::books::{encode_entry, encode_invoice, encode_note};
use crate::encoding::{Reader, encode_row_into, put_length, put_text};
use crate::ids::{BillingAccountId, LegalEntityId};
use crate::invoice::Invoice;
use crate::ledger::Entry;
use crate::notes::Note;
use crate::numbering::DocumentNumber;
use crate::rated::RatedRow;
use crate::{Error, Result};
use calendar::BillingPeriod;
use std::collections::BTreeMap;
use std::fmt;

/// What a link says of documents; the first byte of every encoded link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkVersion {
    /// The digests of what was issued.
    Bodies,
    /// The digests of all that the books hold of a document: when it was issued, until when it is
    /// due, who agreed to it.
    Documents,
}

impl LinkVersion {
    /// The version of links that are sealed now.
    pub const NEWEST: LinkVersion = LinkVersion::Documents;

    const fn byte(self) -> u8 {
        match self {
            LinkVersion::Bodies => 1,
            LinkVersion::Documents => 2,
        }
    }

    fn of(byte: u8) -> Option<LinkVersion> {
        let all = [LinkVersion::Bodies, LinkVersion::Documents];
        all.into_iter().find(|version| version.byte() == byte)
    }
}

/// 256 bits of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The head before the first link.
    pub const GENESIS: Digest = Digest([0; 32]);

    /// The digest of a document's canonical bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// Reads 64 hexadecimal digits, as they are written.
    ///
    /// Errors: [`Error::Invalid`].
    pub fn parse(text: &str) -> Result<Digest> {
        let read = blake3::Hash::from_hex(text);
        let problem = |_| Error::invalid("digest", "must be 64 hexadecimal digits");
        read.map(|hash| Digest(*hash.as_bytes())).map_err(problem)
    }

    /// A digest that was kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Writes 64 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The digest of a list, one item after the other, in memory that does not grow.
///
/// Each item stands behind its length and the list before its count, so that no two lists have the
/// same bytes.
#[derive(Debug, Default)]
struct ListHash {
    hasher: blake3::Hasher,
    count: u64,
}

impl ListHash {
    fn add(&mut self, item: &[u8]) {
        let mut length = Vec::with_capacity(5);
        put_length(&mut length, item.len());
        self.hasher.update(&length);
        self.hasher.update(item);
        self.count = self.count.saturating_add(1);
    }

    fn digest(mut self) -> Digest {
        self.hasher.update(&self.count.to_le_bytes());
        Digest(*self.hasher.finalize().as_bytes())
    }
}

/// The digest of canonical rows; rows come one at a time.
#[derive(Debug, Default)]
pub struct RowsHash {
    list: ListHash,
    bytes: Vec<u8>,
    last: Option<RatedRow>,
}

impl RowsHash {
    /// Adds the next row.
    ///
    /// Errors: [`Error::Invalid`] for a row out of the order of [`RatedRow::sort_key`].
    pub fn add(&mut self, row: RatedRow) -> Result<()> {
        if self.last.as_ref().is_some_and(|last| last.sort_key() > row.sort_key()) {
            return Err(Error::invalid("rows", format!("row {} is out of order", self.list.count)));
        }
        self.bytes.clear();
        encode_row_into(&row, &mut self.bytes);
        self.list.add(&self.bytes);
        self.last = Some(row);
        Ok(())
    }

    /// The digest of all rows.
    pub fn digest(self) -> Digest {
        self.list.digest()
    }
}

/// The digest of ledger entries, in the order of their purposes.
///
/// Errors: [`Error::Invalid`] for an entry out of order, or one of a purpose that was there before.
pub fn entries_digest<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Digest> {
    let mut list = ListHash::default();
    let mut last = None;
    for entry in entries {
        if last.is_some_and(|last| last >= entry.purpose()) {
            return Err(Error::invalid("entries", format!("{} is out of order", entry.purpose())));
        }
        list.add(&encode_entry(entry));
        last = Some(entry.purpose());
    }
    Ok(list.digest())
}

/// The digest of an account's drafts of a billing period: what an approval is of.
///
/// It covers all that the notes and invoices say: lines, corrections of closed periods among them,
/// rates, what lots pay, taxes. It does not cover what only the moment of their issue decides:
/// numbers, the day of issue and the last day, and what open credit pays.
pub fn drafts_digest(notes: &[Note], invoices: &[Invoice]) -> Digest {
    let mut list = ListHash::default();
    let mut count = Vec::new();
    put_length(&mut count, notes.len());
    list.add(&count);
    notes.iter().for_each(|note| list.add(&encode_note(note)));
    invoices.iter().for_each(|invoice| list.add(&encode_invoice(invoice)));
    list.digest()
}

/// The digest of what accounts made final, from the digest of each, in the order of accounts.
///
/// So a close can go on account by account, and what one account made final is proved by its own
/// digest and those of the others.
/// Errors: [`Error::Invalid`] for an account out of order, or one that was there before.
pub fn accounts_digest<'a>(
    accounts: impl IntoIterator<Item = (&'a BillingAccountId, Digest)>,
) -> Result<Digest> {
    let mut list = ListHash::default();
    let mut last = None;
    for (account, digest) in accounts {
        if last.is_some_and(|last| last >= account) {
            return Err(Error::invalid("accounts", format!("{account} is out of order")));
        }
        let mut item = Vec::new();
        put_text(&mut item, account.as_str());
        item.extend_from_slice(digest.as_bytes());
        list.add(&item);
        last = Some(account);
    }
    Ok(list.digest())
}

/// What a close made final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it says of documents.
    pub version: LinkVersion,
    /// The billing period.
    pub period: BillingPeriod,
    /// Whose close: of all that were not parked, or of one that was.
    pub of: Closed,
    /// Of the accounts' canonical rows: see [`RowsHash`], [`accounts_digest`].
    pub rows: Digest,
    /// Of the accounts' ledger entries: see [`entries_digest`], [`accounts_digest`].
    pub entries: Digest,
    /// Of each document, by its number.
    pub documents: BTreeMap<DocumentNumber, Digest>,
}

/// Whose close a link seals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Closed {
    /// All accounts of the period that were not parked.
    Period,
    /// An account that had been parked.
    Parked(BillingAccountId),
}

/// A statement in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it seals.
    pub statement: Statement,
    /// The head of the link before, or [`Digest::GENESIS`].
    pub previous: Digest,
    /// The digest of all of the above.
    pub head: Digest,
}

impl Link {
    /// Seals a statement behind a head.
    pub fn seal(previous: Digest, statement: Statement) -> Link {
        let head = Digest::of(&encode_link(previous, &statement));
        Link { statement, previous, head }
    }
}

/// The canonical bytes of a link.
pub fn encode_link(previous: Digest, statement: &Statement) -> Vec<u8> {
    let Statement { version, period, of, rows, entries, documents } = statement;
    let mut out = vec![version.byte()];
    out.extend_from_slice(previous.as_bytes());
    out.extend_from_slice(&period.number().to_le_bytes());
    match of {
        Closed::Period => out.push(0),
        Closed::Parked(account) => {
            out.push(1);
            put_text(&mut out, account.as_str());
        }
    }
    out.extend_from_slice(rows.as_bytes());
    out.extend_from_slice(entries.as_bytes());
    put_length(&mut out, documents.len());
    for (DocumentNumber { seller, sequence }, digest) in documents {
        put_text(&mut out, seller.as_str());
        out.extend_from_slice(&sequence.to_le_bytes());
        out.extend_from_slice(digest.as_bytes());
    }
    out
}

/// Reads what [`encode_link`] wrote: the head before, and the statement.
///
/// Errors: [`Error::Invalid`] naming the field that is cut off, damaged or of an unknown version.
pub fn decode_link(bytes: &[u8]) -> Result<(Digest, Statement)> {
    let mut from = Reader::of(bytes);
    let unknown = || Error::invalid("version", "is not a version of links that we read");
    let version = LinkVersion::of(from.byte("version")?).ok_or_else(unknown)?;
    let previous = Digest(from.array("previous")?);
    let period = i32::from_le_bytes(from.array("period")?);
    let period = BillingPeriod::from_number(period)
        .map_err(|_| Error::invalid("period", format!("{period} is none")))?;
    let of = match from.byte("accounts")? {
        0 => Closed::Period,
        1 => Closed::Parked(BillingAccountId::new(from.text("accounts")?)?),
        code => return Err(Error::invalid("accounts", format!("{code} is no kind of close"))),
    };
    let (rows, entries) = (Digest(from.array("rows")?), Digest(from.array("entries")?));
    let mut documents = BTreeMap::new();
    for _ in 0..from.length("documents")? {
        let seller = LegalEntityId::new(from.text("seller")?)?;
        let sequence = u64::from_le_bytes(from.array("number")?);
        documents.insert(DocumentNumber { seller, sequence }, Digest(from.array("digest")?));
    }
    from.ended()?;
    Ok((previous, Statement { version, period, of, rows, entries, documents }))
}

/// What does not hold, and where: places count from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The link does not point at the one before it.
    #[error("link {link} does not follow the link before it")]
    Previous {
        /// Its place.
        link: usize,
    },
    /// The link's head is not the digest of its content.
    #[error("the head of link {link} is not that of its content")]
    Head {
        /// Its place.
        link: usize,
    },
    /// What was computed again differs from what was sealed.
    #[error("link {link}: {what} differ from what was sealed")]
    Content {
        /// Its place.
        link: usize,
        /// Rows, entries, documents, or the close itself.
        what: &'static str,
    },
    /// A document differs, is missing, or is there and was not sealed.
    #[error("link {link}: document {number} differs from what was sealed")]
    Document {
        /// The link's place.
        link: usize,
        /// The document's number.
        number: DocumentNumber,
    },
    /// There are more links than closes, or fewer.
    #[error("{links} links stand for {closes} closes")]
    Length {
        /// Links.
        links: usize,
        /// Closes.
        closes: usize,
    },
    /// The chain does not end in the head that was kept.
    #[error("the chain ends in {found}, not in the head that was kept, {kept}")]
    Newest {
        /// Where it ends.
        found: Digest,
        /// Where it should end.
        kept: Digest,
    },
}

/// Checks a chain against statements that were computed again from facts, and the head that was
/// kept elsewhere.
///
/// Errors: the first [`Broken`].
pub fn verify(
    links: &[Link],
    computed: &[Statement],
    kept: Digest,
) -> std::result::Result<(), Broken> {
    let mut previous = Digest::GENESIS;
    for (place, link) in links.iter().enumerate() {
        if link.previous != previous {
            return Err(Broken::Previous { link: place });
        }
        if link.head != Digest::of(&encode_link(link.previous, &link.statement)) {
            return Err(Broken::Head { link: place });
        }
        previous = link.head;
    }
    for (place, (link, again)) in links.iter().zip(computed).enumerate() {
        compare(place, &link.statement, again)?;
    }
    if links.len() != computed.len() {
        return Err(Broken::Length { links: links.len(), closes: computed.len() });
    }
    if previous == kept { Ok(()) } else { Err(Broken::Newest { found: previous, kept }) }
}

fn compare(link: usize, sealed: &Statement, again: &Statement) -> std::result::Result<(), Broken> {
    let Statement { version, period, of, rows, entries, documents } = sealed;
    if (version, period, of) != (&again.version, &again.period, &again.of) {
        return Err(Broken::Content { link, what: "period and accounts" });
    }
    if *rows != again.rows {
        return Err(Broken::Content { link, what: "rated rows" });
    }
    if *entries != again.entries {
        return Err(Broken::Content { link, what: "ledger entries" });
    }
    let numbers = documents.keys().chain(again.documents.keys());
    let differs = |number: &&DocumentNumber| documents.get(number) != again.documents.get(number);
    match numbers.filter(differs).min() {
        Some(number) => Err(Broken::Document { link, number: number.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
