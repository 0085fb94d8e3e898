//! Each payer's ledger: entries once for each purpose, and what the ledger accounts hold.
//!
//! A ledger has a version that every booking raises. Whoever books says which version the booking
//! was made from, so that of two writers at once one is told to look again, and no bound that held
//! when a booking was made is broken when it is written.

use crate::approvals::{self, ApprovalRow};
use crate::checksum::{changed_rows, with_checksum};
use crate::closes::{self, AccountClose};
use crate::deliveries::{self, Delivery};
use crate::documents::{self, NewDocument};
use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};

/// A ledger entry to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// What it stands for, as bytes: its key in the payer's ledger.
    pub purpose: Vec<u8>,
    /// Its canonical bytes.
    pub body: Vec<u8>,
}

/// A ledger entry as it stands in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Whose ledger.
    pub billing_account: String,
    /// Its key in that ledger.
    pub purpose: Vec<u8>,
    /// The billing period whose close seals it, as a number: 202603.
    pub period: i32,
    /// Its canonical bytes.
    pub body: Vec<u8>,
}

/// What one ledger account holds, on its own side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Balance {
    /// The ledger account's name: `receivable:d-1`.
    pub ledger_account: String,
    /// The currency's code.
    pub currency: String,
    /// Minor units.
    pub minor: i64,
}

/// One payer's ledger at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// How often it has changed; 0 for never.
    pub version: u64,
    /// Ledger accounts that hold something, by name and currency.
    pub balances: Vec<Balance>,
}

/// What a payer's books take in at once: all of it, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// Whose books.
    pub billing_account: String,
    /// The version of the ledger that it was made from.
    pub version: u64,
    /// The billing period whose close seals the entries, as a number: 202603.
    pub period: i32,
    /// Entries; no purpose twice.
    pub entries: Vec<NewEntry>,
    /// What ledger accounts hold afterwards; those not named stay as they are.
    pub balances: Vec<Balance>,
    /// Documents to issue: each gets its seller's next number.
    pub documents: Vec<NewDocument>,
    /// Corrections that no line of an invoice will show.
    pub delivered: Vec<Delivery>,
    /// That the account's period is closed by this.
    pub closed: Option<AccountClose>,
    /// The approval that lets the documents out: it must still stand.
    pub approval: Option<ApprovalRow>,
}

/// What a booking came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// The version of the ledger afterwards.
    pub version: u64,
    /// The number of each document in its seller's series, in the order of the booking.
    pub sequences: Vec<u64>,
    /// Whether it was booked now; it stood in the books before if not.
    pub is_new: bool,
}

statements! {
    VERSION = "SELECT version FROM ledgers WHERE billing_account = $1";
    SET_VERSION = "INSERT INTO ledgers (billing_account, version) VALUES ($1, $2)
        ON CONFLICT (billing_account) DO UPDATE SET version = excluded.version";
    LEDGERS = "SELECT billing_account FROM ledgers ORDER BY billing_account";
    ENTRY = "SELECT body FROM ledger_entries WHERE billing_account = $1 AND purpose = $2";
    PERIOD = "SELECT period FROM ledger_entries WHERE billing_account = $1 AND purpose = $2";
    INSERT = "INSERT INTO ledger_entries (billing_account, purpose, period, body, checksum)
        VALUES ($1, $2, $3, $4, $5)";
    /// For [`crate::checksum`].
    ROWS = "SELECT billing_account, billing_account, purpose, period, body, checksum
        FROM ledger_entries ORDER BY billing_account, purpose";
    OF_LEDGER = "SELECT billing_account, purpose, period, body FROM ledger_entries
        WHERE billing_account = $1 ORDER BY purpose";
    OF_PERIOD = "SELECT billing_account, purpose, period, body FROM ledger_entries
        WHERE billing_account = $1 AND period = $2 ORDER BY purpose";
    BETWEEN = "SELECT billing_account, purpose, period, body FROM ledger_entries
        WHERE billing_account = $1 AND purpose >= $2 AND purpose < $3 ORDER BY purpose";
    BALANCES = "SELECT ledger_account, currency, minor FROM ledger_balances
        WHERE billing_account = $1 ORDER BY ledger_account, currency";
    SET_BALANCE = "INSERT INTO ledger_balances (billing_account, ledger_account, currency, minor)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (billing_account, ledger_account, currency)
            DO UPDATE SET minor = excluded.minor";
    EMPTY = "DELETE FROM ledger_balances
        WHERE billing_account = $1 AND ledger_account = $2 AND currency = $3";
}

impl Store {
    /// Books what belongs together, with its entry in the audit log. What was booked before, down
    /// to the last byte, changes nothing.
    ///
    /// Errors: [`StoreError::Stale`] when the ledger has changed since `version`, or the approval
    /// does not stand any more;
    /// [`StoreError::Refused`] for another entry or document under a known key, a part that is
    /// known beside one that is not, and a period that is closed.
    pub fn book(&self, booking: &Booking, note: &Note) -> Result<Booked> {
        self.pool.write(|connection| book(connection, booking, note))
    }

    /// Books for several payers at once: all of it, or nothing.
    ///
    /// Errors: those of [`Store::book`].
    pub fn book_all(&self, bookings: &[Booking], note: &Note) -> Result<Vec<Booked>> {
        self.pool.write(|connection| {
            bookings.iter().map(|booking| book(connection, booking, note)).collect()
        })
    }

    /// One payer's ledger: its version and balances, of one moment.
    pub fn ledger(&self, billing_account: &str) -> Result<LedgerState> {
        self.pool.snapshot(|connection| {
            let version = version(connection, billing_account)?;
            let balances = connection.rows(BALANCES, values![billing_account], read_balance)?;
            Ok(LedgerState { version, balances })
        })
    }

    /// The billing accounts that have a ledger.
    pub fn ledgers(&self) -> Result<Vec<String>> {
        self.pool.read(|connection| connection.rows(LEDGERS, values![], Row::take))
    }

    /// The billing periods that the entries of some purposes belong to, as numbers; none where
    /// nothing of that purpose was booked.
    pub fn booked_in(
        &self,
        billing_account: &str,
        purposes: &[Vec<u8>],
    ) -> Result<Vec<Option<i32>>> {
        self.pool.snapshot(|connection| {
            let find =
                |purpose| connection.row(PERIOD, values![billing_account, purpose], Row::take);
            purposes.iter().map(find).collect()
        })
    }

    /// The canonical bytes of the entry of a purpose, if it was booked.
    pub fn entry(&self, billing_account: &str, purpose: &[u8]) -> Result<Option<Vec<u8>>> {
        self.pool
            .read(|connection| connection.row(ENTRY, values![billing_account, purpose], Row::take))
    }

    /// The entries of one ledger, by purpose; of one billing period if one is named.
    pub fn entries(&self, billing_account: &str, period: Option<i32>) -> Result<Vec<EntryRow>> {
        self.pool.read(|connection| match period {
            Some(period) => {
                connection.rows(OF_PERIOD, values![billing_account, period], read_entry)
            }
            None => connection.rows(OF_LEDGER, values![billing_account], read_entry),
        })
    }

    /// The entries of one ledger whose purposes lie in a range of keys, by purpose.
    pub fn entries_between(
        &self,
        billing_account: &str,
        (from, until): (&[u8], &[u8]),
    ) -> Result<Vec<EntryRow>> {
        let values = values![billing_account, from, until];
        self.pool.read(|connection| connection.rows(BETWEEN, values, read_entry))
    }
}

fn book(connection: &mut dyn Connection, booking: &Booking, note: &Note) -> Result<Booked> {
    let Booking { billing_account, version: expected, period, entries, balances, .. } = booking;
    let found = version(connection, billing_account)?;
    let known = known(connection, booking);
    if let Ok(Some(sequences)) = known {
        return Ok(Booked { version: found, sequences, is_new: false });
    }
    // Before all that may be refused: whoever was slower looks again before it judges.
    if found != *expected {
        return Err(StoreError::Stale {
            what: "ledger",
            key: billing_account.clone(),
            expected: *expected,
            found,
        });
    }
    known?;
    closes::must_be_open(connection, *period, billing_account)?;
    if let Some(approval) = &booking.approval {
        approvals::must_stand(connection, approval)?;
    }
    for NewEntry { purpose, body } in entries {
        let values = values![billing_account, purpose, period, body];
        connection.execute(INSERT, &with_checksum(values))?;
    }
    for Balance { ledger_account, currency, minor } in balances {
        if *minor == 0 {
            connection.execute(EMPTY, values![billing_account, ledger_account, currency])?;
        } else {
            let values = values![billing_account, ledger_account, currency, minor];
            connection.execute(SET_BALANCE, values)?;
        }
    }
    let mut sequences = Vec::with_capacity(booking.documents.len());
    for document in &booking.documents {
        sequences.push(documents::issue(connection, booking, document)?);
    }
    for delivery in &booking.delivered {
        deliveries::keep(connection, billing_account, delivery)?;
    }
    if let Some(closed) = &booking.closed {
        closes::close(connection, *period, billing_account, closed)?;
    }
    let version = found.saturating_add(1);
    connection.execute(SET_VERSION, values![billing_account, version])?;
    note.audit(connection, "ledger.book", told(booking, &sequences))?;
    Ok(Booked { version, sequences, is_new: true })
}

/// What the audit log says of a booking.
fn told(booking: &Booking, sequences: &[u64]) -> String {
    let Booking { billing_account, period, entries, documents, closed, .. } = booking;
    let mut told = format!("{billing_account}: {} entries of {period}", entries.len());
    for (document, sequence) in documents.iter().zip(sequences) {
        told.push_str(&format!(", {} {sequence} of {}", document.kind, document.seller));
    }
    if closed.is_some() {
        told.push_str(", closed");
    }
    told
}

/// The numbers of the documents if all of a booking stands in the books; none if nothing does.
fn known(connection: &mut dyn Connection, booking: &Booking) -> Result<Option<Vec<u64>>> {
    let account = &booking.billing_account;
    let (mut there, mut missing) = (0_u64, 0_u64);
    for NewEntry { purpose, body } in &booking.entries {
        let kept = connection.row(ENTRY, values![account, purpose], Row::take::<Vec<u8>>)?;
        match kept {
            None => missing = missing.saturating_add(1),
            Some(kept) if kept == *body => there = there.saturating_add(1),
            Some(_) => {
                return Err(StoreError::refused(
                    "ledger",
                    account,
                    "has another entry of the same purpose",
                ));
            }
        }
    }
    let mut sequences = Vec::with_capacity(booking.documents.len());
    for document in &booking.documents {
        match documents::sequence_of(connection, booking, document)? {
            None => missing = missing.saturating_add(1),
            Some(sequence) => sequences.push(sequence),
        }
    }
    if let Some(closed) = &booking.closed {
        match closes::is_known(connection, booking.period, account, closed)? {
            true => there = there.saturating_add(1),
            false => missing = missing.saturating_add(1),
        }
    }
    match (there > 0 || !sequences.is_empty(), missing > 0) {
        (true, true) => {
            Err(StoreError::refused("ledger", account, "holds a part of this booking already"))
        }
        (true, false) => Ok(Some(sequences)),
        (false, _) => Ok(None),
    }
}

/// Which entries are not what was written.
pub(crate) fn changed(connection: &mut dyn Connection) -> Result<Vec<String>> {
    changed_rows(connection, "an entry of the ledger of", ROWS)
}

fn version(connection: &mut dyn Connection, billing_account: &str) -> Result<u64> {
    Ok(connection.row(VERSION, values![billing_account], Row::take)?.unwrap_or(0))
}

fn read_balance(row: &mut Row) -> Result<Balance> {
    Ok(Balance { ledger_account: row.take()?, currency: row.take()?, minor: row.take()? })
}

fn read_entry(row: &mut Row) -> Result<EntryRow> {
    Ok(EntryRow {
        billing_account: row.take()?,
        purpose: row.take()?,
        period: row.take()?,
        body: row.take()?,
    })
}
