//! Corrections of closed periods that no line of an invoice shows; never changed.

use crate::checksum::{changed_rows, with_checksum};
use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Result, Store};

/// Corrections of one invoice, as they were delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Id of the amended invoice.
    pub document: String,
    /// From 1 for each invoice.
    pub number: u32,
    /// Id of the credit note; empty where they were too little to ask for.
    pub note: String,
    /// Their canonical bytes.
    pub body: Vec<u8>,
}

/// The same as it stands in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// What was delivered.
    pub delivery: Delivery,
    /// BLAKE3 of the bytes, as they were written.
    pub digest: [u8; 32],
}

statements! {
    INSERT = "INSERT INTO delivered_corrections (billing_account, document, number, note, body,
            digest, checksum)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    /// For [`crate::checksum`].
    ROWS = "SELECT document, billing_account, document, number, note, body, digest, checksum
        FROM delivered_corrections ORDER BY billing_account, document, number";
    OF_ACCOUNT = "SELECT document, number, note, body, digest FROM delivered_corrections
        WHERE billing_account = $1 ORDER BY document, number";
}

impl Store {
    /// A payer's delivered corrections, by invoice and number.
    pub fn deliveries(&self, billing_account: &str) -> Result<Vec<DeliveryRow>> {
        self.pool.read(|connection| {
            connection.rows(OF_ACCOUNT, values![billing_account], |row: &mut Row| {
                let delivery = Delivery {
                    document: row.take()?,
                    number: row.take()?,
                    note: row.take()?,
                    body: row.take()?,
                };
                Ok(DeliveryRow { delivery, digest: row.take()? })
            })
        })
    }
}

/// Keeps delivered corrections within a booking.
pub(crate) fn keep(
    connection: &mut dyn Connection,
    billing_account: &str,
    delivery: &Delivery,
) -> Result<()> {
    let Delivery { document, number, note, body } = delivery;
    let digest = *blake3::hash(body).as_bytes();
    let values = values![billing_account, document, number, note, body, digest];
    connection.execute(INSERT, &with_checksum(values)).map(drop)
}

/// Which delivered corrections are not what was written.
pub(crate) fn changed(connection: &mut dyn Connection) -> Result<Vec<String>> {
    changed_rows(connection, "corrections of", ROWS)
}
