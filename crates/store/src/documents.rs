//! Invoices and notes as they were issued: their bytes, their numbers; never changed.

use crate::checksum::{changed_rows, checksum, with_checksum};
use crate::driver::{Connection, statements};
use crate::ledger::Booking;
use crate::value::{Row, Value, values};
use crate::{Result, Store, StoreError};
use calendar::{Instant, Interval};

/// A document to issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// Its id.
    pub id: String,
    /// `invoice`, `credit_note`, `void_note`.
    pub kind: String,
    /// The invoice that a note amends; empty for an invoice.
    pub amends: String,
    /// The legal entity that issues it: whose numbers it takes.
    pub seller: String,
    /// When: business time.
    pub issued_at: Instant,
    /// The first moment at which it is overdue: business time.
    pub due_until: Instant,
    /// Who agreed to it: a person, or a rule by its name.
    pub approved_by: String,
    /// Its canonical bytes, without the number.
    pub body: Vec<u8>,
    /// What it was computed from; none for notes, and for invoices of a close, which says that.
    pub seen: Option<Seen>,
}

/// What an invoice was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Facts up to this number were used; at least 1.
    pub company_version: u64,
    /// Usage before this sequence of the account's shard is in it.
    pub end_sequence: u64,
}

/// A document as it stands in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Its id.
    pub id: String,
    /// Who pays.
    pub billing_account: String,
    /// The billing period whose close seals it, as a number: 202603. Of a note and of a rebill it
    /// is the one they were issued in.
    pub period: i32,
    /// `invoice`, `credit_note`, `void_note`.
    pub kind: String,
    /// The invoice that a note amends; empty for an invoice.
    pub amends: String,
    /// The legal entity that issued it.
    pub seller: String,
    /// Its number in the seller's series: from 1, without gaps.
    pub sequence: u64,
    /// When: business time.
    pub issued_at: Instant,
    /// The first moment at which it is overdue: business time.
    pub due_until: Instant,
    /// Who agreed to it.
    pub approved_by: String,
    /// Its canonical bytes.
    pub body: Vec<u8>,
    /// BLAKE3 of the bytes, as they were issued.
    pub digest: [u8; 32],
    /// What a rebill was computed from.
    pub seen: Option<Seen>,
}

/// Which document stands in the books, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentHead {
    /// Its id.
    pub id: String,
    /// `invoice`, `credit_note`, `void_note`.
    pub kind: String,
    /// The invoice that a note amends; empty for an invoice.
    pub amends: String,
    /// The legal entity that issued it.
    pub seller: String,
    /// Its number in the seller's series.
    pub sequence: u64,
    /// When: business time.
    pub issued_at: Instant,
}

/// Which documents to list; what is left out does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFilter {
    /// Only of this payer.
    pub billing_account: Option<String>,
    /// Only those that the close of this billing period seals, as a number: 202603.
    pub period: Option<i32>,
    /// Only of this kind.
    pub kind: Option<&'static str>,
    /// Only those that were issued then: business time.
    pub issued: Option<Interval>,
}

statements! {
    NEWEST = "SELECT newest FROM number_series WHERE seller = $1";
    SET_NEWEST = "INSERT INTO number_series (seller, newest) VALUES ($1, $2)
        ON CONFLICT (seller) DO UPDATE SET newest = excluded.newest";
    SERIES = "SELECT seller, newest FROM number_series ORDER BY seller";
    WRONG_SERIES = "SELECT seller FROM number_series WHERE newest <>
            (SELECT COALESCE(MAX(sequence), 0) FROM documents
             WHERE documents.seller = number_series.seller)
        ORDER BY seller";
    KNOWN = "SELECT sequence, billing_account, body FROM documents WHERE id = $1";
    INSERT = "INSERT INTO documents (id, billing_account, period, kind, amends, seller, sequence,
            issued_at, due_until, approved_by, body, digest, company_version, end_sequence,
            checksum)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    /// For [`crate::checksum`].
    ROWS = "SELECT id, id, billing_account, period, kind, amends, seller, sequence, issued_at,
            due_until, approved_by, body, digest, company_version, end_sequence, checksum
        FROM documents ORDER BY seller, sequence";
    LIST = "SELECT id, billing_account, period, kind, amends, seller, sequence, issued_at,
            due_until, approved_by, body, digest, company_version, end_sequence
        FROM documents
        WHERE period >= $1 AND period <= $2 AND ($3 = '' OR kind = $3)
            AND issued_at >= $4 AND issued_at < $5
        ORDER BY period, seller, sequence LIMIT $6";
    /// Of its own, as no index helps where an account may be named or not.
    OF_ACCOUNT = "SELECT id, billing_account, period, kind, amends, seller, sequence, issued_at,
            due_until, approved_by, body, digest, company_version, end_sequence
        FROM documents
        WHERE billing_account = $1 AND period >= $2 AND period <= $3 AND ($4 = '' OR kind = $4)
            AND issued_at >= $5 AND issued_at < $6
        ORDER BY period, seller, sequence LIMIT $7";
    HEADS = "SELECT id, kind, amends, seller, sequence, issued_at
        FROM documents WHERE billing_account = $1 ORDER BY seller, sequence";
    ONE = "SELECT id, billing_account, period, kind, amends, seller, sequence, issued_at,
            due_until, approved_by, body, digest, company_version, end_sequence
        FROM documents WHERE seller = $1 AND sequence = $2";
}

impl Store {
    /// Up to `limit` documents, by billing period, seller and number.
    pub fn documents(&self, filter: &DocumentFilter, limit: u64) -> Result<Vec<DocumentRow>> {
        let (first, last) = filter.period.map_or((i32::MIN, i32::MAX), |period| (period, period));
        let kind = filter.kind.unwrap_or_default();
        let issued = filter.issued.unwrap_or(Interval::always());
        let (from, until) = (issued.start(), issued.end());
        self.pool.read(|connection| match &filter.billing_account {
            Some(id) => {
                let values = values![id, first, last, kind, from, until, limit];
                connection.rows(OF_ACCOUNT, values, read)
            }
            None => connection.rows(LIST, values![first, last, kind, from, until, limit], read),
        })
    }

    /// Which documents a payer was sent, by seller and number.
    pub fn document_heads(&self, billing_account: &str) -> Result<Vec<DocumentHead>> {
        self.pool.read(|connection| connection.rows(HEADS, values![billing_account], read_head))
    }

    /// The document of a number; none if there is none.
    pub fn document(&self, seller: &str, sequence: u64) -> Result<Option<DocumentRow>> {
        self.pool.read(|connection| connection.row(ONE, values![seller, sequence], read))
    }

    /// The newest number of each seller.
    pub fn number_series(&self) -> Result<Vec<(String, u64)>> {
        self.pool.read(|connection| {
            connection.rows(SERIES, values![], |row| Ok((row.take()?, row.take()?)))
        })
    }
}

/// The number of a document that stands in the books already, with these very bytes.
pub(crate) fn sequence_of(
    connection: &mut dyn Connection,
    booking: &Booking,
    document: &NewDocument,
) -> Result<Option<u64>> {
    let read =
        |row: &mut Row| Ok((row.take::<u64>()?, row.take::<String>()?, row.take::<Vec<u8>>()?));
    let Some((sequence, account, body)) = connection.row(KNOWN, values![document.id], read)? else {
        return Ok(None);
    };
    if account == booking.billing_account && body == document.body {
        return Ok(Some(sequence));
    }
    Err(StoreError::refused("document", &document.id, "was issued already, and differs"))
}

/// Issues a document under its seller's next number, and gives that.
pub(crate) fn issue(
    connection: &mut dyn Connection,
    booking: &Booking,
    document: &NewDocument,
) -> Result<u64> {
    let newest: u64 = connection.row(NEWEST, values![document.seller], Row::take)?.unwrap_or(0);
    let sequence = newest.saturating_add(1);
    connection.execute(SET_NEWEST, values![document.seller, sequence])?;
    let NewDocument { id, kind, amends, seller, issued_at, due_until, approved_by, body, seen } =
        document.clone();
    let row = DocumentRow {
        id,
        billing_account: booking.billing_account.clone(),
        period: booking.period,
        kind,
        amends,
        seller,
        sequence,
        issued_at,
        due_until,
        approved_by,
        digest: *blake3::hash(&body).as_bytes(),
        body,
        seen,
    };
    connection.execute(INSERT, &with_checksum(&row.columns()?))?;
    Ok(sequence)
}

impl DocumentRow {
    /// BLAKE3 of all that the books hold of the document, but for what a rebill was computed from:
    /// that depends on how usage arrived.
    pub fn checksum(&self) -> Result<[u8; 32]> {
        let issued = DocumentRow { seen: None, ..self.clone() };
        Ok(checksum(&issued.columns()?))
    }

    fn columns(&self) -> Result<Vec<Value>> {
        let (company_version, end_sequence) =
            self.seen.map_or((0, 0), |seen| (seen.company_version, seen.end_sequence));
        let columns = values![
            self.id,
            self.billing_account,
            self.period,
            self.kind,
            self.amends,
            self.seller,
            self.sequence,
            self.issued_at,
            self.due_until,
            self.approved_by,
            self.body,
            self.digest,
            company_version,
            end_sequence
        ];
        Ok(columns.to_vec())
    }
}

/// Which series do not stand at their newest document.
pub(crate) fn wrong_series(connection: &mut dyn Connection) -> Result<Vec<String>> {
    connection.rows(WRONG_SERIES, values![], |row| {
        let seller: String = row.take()?;
        Ok(format!("number series of {seller}: it does not stand at the newest document"))
    })
}

/// Which documents are not what was issued.
pub(crate) fn changed(connection: &mut dyn Connection) -> Result<Vec<String>> {
    changed_rows(connection, "document", ROWS)
}

fn read_head(row: &mut Row) -> Result<DocumentHead> {
    Ok(DocumentHead {
        id: row.take()?,
        kind: row.take()?,
        amends: row.take()?,
        seller: row.take()?,
        sequence: row.take()?,
        issued_at: row.take()?,
    })
}

fn read(row: &mut Row) -> Result<DocumentRow> {
    Ok(DocumentRow {
        id: row.take()?,
        billing_account: row.take()?,
        period: row.take()?,
        kind: row.take()?,
        amends: row.take()?,
        seller: row.take()?,
        sequence: row.take()?,
        issued_at: row.take()?,
        due_until: row.take()?,
        approved_by: row.take()?,
        body: row.take()?,
        digest: row.take()?,
        seen: {
            let seen = Seen { company_version: row.take()?, end_sequence: row.take()? };
            (seen.company_version > 0).then_some(seen)
        },
    })
}
