//! Watermarks: how far each source has reported for each account.

use crate::driver::statements;
use crate::value::values;
use crate::{Result, Store};
use calendar::Instant;

/// How far a source has reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// The source.
    pub source: String,
    /// For whom.
    pub billing_account: String,
    /// Up to when, exclusive: business time.
    pub reported_until: Instant,
}

statements! {
    RAISE = "INSERT INTO watermarks (source, billing_account, reported_until) VALUES ($1, $2, $3)
        ON CONFLICT (source, billing_account) DO UPDATE
            SET reported_until = excluded.reported_until
            WHERE watermarks.reported_until < excluded.reported_until";
    LIST = "SELECT source, billing_account, reported_until FROM watermarks
        ORDER BY source, billing_account";
}

impl Store {
    /// Raises watermarks; none is ever lowered.
    pub fn raise_watermarks(&self, watermarks: &[Watermark]) -> Result<()> {
        self.pool.write(|connection| {
            for Watermark { source, billing_account, reported_until } in watermarks {
                connection.execute(RAISE, values![source, billing_account, reported_until])?;
            }
            Ok(())
        })
    }

    /// Every watermark, by source and account.
    pub fn watermarks(&self) -> Result<Vec<Watermark>> {
        self.pool.read(|connection| {
            connection.rows(LIST, values![], |row| {
                Ok(Watermark {
                    source: row.take()?,
                    billing_account: row.take()?,
                    reported_until: row.take()?,
                })
            })
        })
    }
}
