//! Closes: where each account stands in a billing period's close, and the chain that seals them.

use crate::checksum::{changed_rows, with_checksum};
use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};
use calendar::Instant;

/// What closing an account's billing period made final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountClose {
    /// When: business time.
    pub at: Instant,
    /// Facts up to this number were used.
    pub company_version: u64,
    /// Usage before this sequence of the account's shard is in it; what comes later is late.
    pub end_sequence: u64,
    /// How many rated rows.
    pub row_count: u64,
    /// The digest of the rated rows.
    pub rows_digest: [u8; 32],
    /// The digest of the ledger entries of the period.
    pub entries_digest: [u8; 32],
}

/// How far an account's close of a billing period has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseState {
    /// It cannot be closed yet.
    Parked {
        /// Why.
        reason: String,
        /// Since when: business time.
        at: Instant,
    },
    /// It is final.
    Closed {
        /// What is final.
        closed: AccountClose,
        /// The number of the link that seals it; none until it is sealed.
        link: Option<u64>,
    },
}

/// An account's close of a billing period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseRow {
    /// The billing period, as a number: 202603.
    pub period: i32,
    /// Whose close.
    pub billing_account: String,
    /// How far it has come.
    pub state: CloseState,
}

/// A link of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Its number: from 1, without gaps.
    pub number: u64,
    /// The billing period, as a number: 202603.
    pub period: i32,
    /// The account that had been parked; none for the close of all others.
    pub billing_account: Option<String>,
    /// Its canonical bytes.
    pub body: Vec<u8>,
    /// The digest of the bytes.
    pub head: [u8; 32],
    /// When: business time.
    pub sealed_at: Instant,
}

/// The state of an account that is parked.
const PARKED_STATE: &str = "parked";
/// The state of an account that is closed.
const CLOSED_STATE: &str = "closed";

statements! {
    COUNT = "SELECT count(*) FROM account_closes WHERE state = $1";
    STATE = "SELECT period, billing_account, state, reason, at, company_version, end_sequence,
            row_count, rows_digest, entries_digest, link
        FROM account_closes WHERE period = $1 AND billing_account = $2";
    OF_PERIOD = "SELECT period, billing_account, state, reason, at, company_version, end_sequence,
            row_count, rows_digest, entries_digest, link
        FROM account_closes WHERE period = $1 ORDER BY billing_account";
    OF_ACCOUNT = "SELECT period, billing_account, state, reason, at, company_version, end_sequence,
            row_count, rows_digest, entries_digest, link
        FROM account_closes WHERE billing_account = $1 ORDER BY period";
    PARKED = "SELECT DISTINCT account_closes.period FROM account_closes
        JOIN close_links ON close_links.period = account_closes.period
        WHERE account_closes.state = 'parked' ORDER BY account_closes.period";
    SET = "INSERT INTO account_closes (period, billing_account, state, reason, at,
            company_version, end_sequence, row_count, rows_digest, entries_digest, checksum)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (period, billing_account)
            DO UPDATE SET state = excluded.state, reason = excluded.reason, at = excluded.at,
                company_version = excluded.company_version,
                end_sequence = excluded.end_sequence, row_count = excluded.row_count,
                rows_digest = excluded.rows_digest, entries_digest = excluded.entries_digest,
                checksum = excluded.checksum";
    /// For [`crate::checksum`]; the link is checked by what it seals.
    ROWS = "SELECT billing_account, period, billing_account, state, reason, at, company_version,
            end_sequence, row_count, rows_digest, entries_digest, checksum
        FROM account_closes ORDER BY period, billing_account";
    LINKS = "SELECT number, period, billing_account, body, head, sealed_at FROM close_links
        ORDER BY number";
    NEWEST = "SELECT number FROM close_links ORDER BY number DESC LIMIT 1";
    LINK = "INSERT INTO close_links (number, period, billing_account, body, head, sealed_at,
            checksum)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    /// For [`crate::checksum`].
    LINK_ROWS = "SELECT billing_account, number, period, billing_account, body, head, sealed_at,
            checksum
        FROM close_links ORDER BY number";
    SEAL = "UPDATE account_closes SET link = $1
        WHERE period = $2 AND state = 'closed' AND link IS NULL
            AND ($3 = '' OR billing_account = $3)";
}

impl Store {
    /// Every account's close of a billing period that has begun, by account.
    pub fn closes(&self, period: i32) -> Result<Vec<CloseRow>> {
        self.pool.read(|connection| connection.rows(OF_PERIOD, values![period], read))
    }

    /// An account's closes of all billing periods that have begun, oldest first.
    pub fn closes_of(&self, billing_account: &str) -> Result<Vec<CloseRow>> {
        self.pool.read(|connection| connection.rows(OF_ACCOUNT, values![billing_account], read))
    }

    /// How far an account's close of a billing period has come; none if it has not begun.
    pub fn close_of(&self, period: i32, billing_account: &str) -> Result<Option<CloseRow>> {
        self.pool.read(|connection| state(connection, period, billing_account))
    }

    /// The sealed billing periods in which accounts are parked, as numbers, oldest first.
    pub fn parked_periods(&self) -> Result<Vec<i32>> {
        self.pool.read(|connection| connection.rows(PARKED, values![], Row::take))
    }

    /// Parks an account, with its entry in the audit log; the same reason again changes nothing.
    ///
    /// Errors: [`StoreError::Refused`] for an account that is closed.
    pub fn park(
        &self,
        period: i32,
        billing_account: &str,
        (reason, at): (&str, Instant),
        note: &Note,
    ) -> Result<()> {
        self.pool.write(|connection| {
            must_be_open(connection, period, billing_account)?;
            if let Some(row) = state(connection, period, billing_account)?
                && matches!(&row.state, CloseState::Parked { reason: kept, .. } if kept == reason)
            {
                return Ok(());
            }
            let none = AccountClose {
                at,
                company_version: 0,
                end_sequence: 0,
                row_count: 0,
                rows_digest: [0; 32],
                entries_digest: [0; 32],
            };
            set(connection, (period, billing_account), (PARKED_STATE, reason), &none)?;
            note.audit(connection, "close.park", format!("{billing_account} in {period}: {reason}"))
        })
    }

    /// How many closes of accounts are kept, of all billing periods.
    pub fn count_closes(&self) -> Result<u64> {
        self.pool.read(count)
    }

    /// Appends a link that seals all closed and not yet sealed accounts of its billing period, or
    /// the one that had been parked; `accounts` says how many they are.
    ///
    /// Errors: [`StoreError::Stale`] unless the link's number follows the newest, or when there
    /// are more or less accounts to seal.
    pub fn seal_close(&self, link: &LinkRow, accounts: u64, note: &Note) -> Result<()> {
        self.pool.write(|connection| {
            let LinkRow { number, period, billing_account, body, head, sealed_at } = link;
            let newest: u64 = connection.row(NEWEST, values![], Row::take)?.unwrap_or(0);
            let stale = |expected, found| StoreError::Stale {
                what: "chain of closes",
                key: String::new(),
                expected,
                found,
            };
            if newest.saturating_add(1) != *number {
                return Err(stale(*number, newest.saturating_add(1)));
            }
            let account = billing_account.as_deref().unwrap_or_default();
            let sealed = connection.execute(SEAL, values![number, period, account])?;
            if sealed != accounts {
                return Err(stale(accounts, sealed));
            }
            let values = values![number, period, account, body, head, sealed_at];
            connection.execute(LINK, &with_checksum(values))?;
            let head: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
            let told = format!("{period}: {accounts} accounts, link {number}, head {head}");
            note.audit(connection, "close.seal", told)
        })
    }

    /// The chain, from its first link on.
    pub fn close_links(&self) -> Result<Vec<LinkRow>> {
        self.pool.read(|connection| {
            connection.rows(LINKS, values![], |row| {
                let (number, period) = (row.take()?, row.take()?);
                let account: String = row.take()?;
                Ok(LinkRow {
                    number,
                    period,
                    billing_account: (!account.is_empty()).then_some(account),
                    body: row.take()?,
                    head: row.take()?,
                    sealed_at: row.take()?,
                })
            })
        })
    }
}

/// Refuses what would change a closed billing period of an account.
pub(crate) fn must_be_open(
    connection: &mut dyn Connection,
    period: i32,
    billing_account: &str,
) -> Result<()> {
    match state(connection, period, billing_account)?.map(|row| row.state) {
        Some(CloseState::Closed { .. }) => Err(StoreError::refused(
            "close",
            format!("{billing_account} {period}"),
            "the period is closed",
        )),
        Some(CloseState::Parked { .. }) | None => Ok(()),
    }
}

/// Errors: [`StoreError::Stale`] unless so many closes of accounts are kept.
pub(crate) fn must_be_no_more(connection: &mut dyn Connection, expected: u64) -> Result<()> {
    let found = count(connection)?;
    if found == expected {
        return Ok(());
    }
    Err(StoreError::Stale { what: "closes", key: String::new(), expected, found })
}

fn count(connection: &mut dyn Connection) -> Result<u64> {
    Ok(connection.row(COUNT, values![CLOSED_STATE], Row::take)?.unwrap_or(0))
}

/// Whether the account is closed already, with just this.
pub(crate) fn is_known(
    connection: &mut dyn Connection,
    period: i32,
    billing_account: &str,
    close: &AccountClose,
) -> Result<bool> {
    match state(connection, period, billing_account)?.map(|row| row.state) {
        Some(CloseState::Closed { closed, link: _ }) => Ok(closed == *close),
        Some(CloseState::Parked { .. }) | None => Ok(false),
    }
}

/// Notes that an account is closed.
pub(crate) fn close(
    connection: &mut dyn Connection,
    period: i32,
    billing_account: &str,
    close: &AccountClose,
) -> Result<()> {
    set(connection, (period, billing_account), (CLOSED_STATE, ""), close)
}

fn set(
    connection: &mut dyn Connection,
    (period, billing_account): (i32, &str),
    (state, reason): (&str, &str),
    close: &AccountClose,
) -> Result<()> {
    let AccountClose { at, company_version, end_sequence, row_count, rows_digest, entries_digest } =
        close;
    let values = values![
        period,
        billing_account,
        state,
        reason,
        at,
        company_version,
        end_sequence,
        row_count,
        rows_digest,
        entries_digest
    ];
    connection.execute(SET, &with_checksum(values)).map(drop)
}

/// Which closes, and which links of the chain, are not what was written.
pub(crate) fn changed(connection: &mut dyn Connection) -> Result<Vec<String>> {
    let mut changed = changed_rows(connection, "the close of", ROWS)?;
    changed.extend(changed_rows(connection, "a link of the chain", LINK_ROWS)?);
    Ok(changed)
}

fn state(
    connection: &mut dyn Connection,
    period: i32,
    billing_account: &str,
) -> Result<Option<CloseRow>> {
    connection.row(STATE, values![period, billing_account], read)
}

fn read(row: &mut Row) -> Result<CloseRow> {
    let (period, billing_account) = (row.take()?, row.take()?);
    let (state, reason): (String, String) = (row.take()?, row.take()?);
    let closed = AccountClose {
        at: row.take()?,
        company_version: row.take()?,
        end_sequence: row.take()?,
        row_count: row.take()?,
        rows_digest: row.take()?,
        entries_digest: row.take()?,
    };
    let state = match state.as_str() {
        PARKED_STATE => CloseState::Parked { reason, at: closed.at },
        CLOSED_STATE => CloseState::Closed { closed, link: row.take()? },
        other => return Err(StoreError::damaged(format!("a close is `{other}`"))),
    };
    Ok(CloseRow { period, billing_account, state })
}
