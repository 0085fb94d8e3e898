//! Callbacks: one result owed to one address, tried until it is delivered or given up.

use crate::driver::{Connection, statements};
use crate::usage_queries::UsageQueryRow;
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};
use calendar::Instant;

/// A result that is to be owed to an address from the end of its usage query on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCallback {
    /// Its id: the receiver knows by it what it has already.
    pub id: String,
    /// The address.
    pub url: String,
    /// What stands for the address in [`Store::disabled_receiver`].
    pub url_hash: String,
    /// Who answers there, as `host:port`: what is sent to one receiver at once is bounded.
    pub receiver: String,
    /// Where its bytes lie.
    pub body_path: String,
    /// How many they are.
    pub body_bytes: u64,
    /// Hash of them, as text: the same bytes are sent each time.
    pub body_hash: String,
    /// When it is first tried: system time.
    pub due_at: Instant,
}

/// A callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackRow {
    /// See [`NewCallback::id`].
    pub id: String,
    /// Id of the usage query.
    pub query_id: String,
    /// Who asked.
    pub owner: String,
    /// Of which billing account.
    pub billing_account: String,
    /// See [`NewCallback::url`].
    pub url: String,
    /// See [`NewCallback::url_hash`].
    pub url_hash: String,
    /// See [`NewCallback::receiver`].
    pub receiver: String,
    /// See [`NewCallback::body_path`].
    pub body_path: String,
    /// See [`NewCallback::body_bytes`].
    pub body_bytes: u64,
    /// See [`NewCallback::body_hash`].
    pub body_hash: String,
    /// How far it is.
    pub state: CallbackState,
    /// How often it was tried since it was last asked for.
    pub tries: u64,
    /// When it is tried next: system time.
    pub due_at: Instant,
    /// Until when nobody else tries it: system time.
    pub claimed_until: Instant,
    /// How often somebody took it to try it: who comes later takes it from who came before.
    pub claim: u64,
    /// What came of the last try; empty before.
    pub last_outcome: String,
    /// When its usage query ended: system time.
    pub created_at: Instant,
    /// When it was delivered, given up or cancelled: system time.
    pub ended_at: Option<Instant>,
    /// Whether an operator had it sent again last.
    pub released: bool,
}

/// How far a callback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallbackState {
    /// It is still to be delivered.
    Pending,
    /// The receiver has it.
    Delivered,
    /// It was tried often enough, or the receiver wants no more: a dead letter.
    Dead,
    /// Who asked wants it no more.
    Cancelled,
}

impl CallbackState {
    /// All of them.
    pub const ALL: [CallbackState; 4] = [
        CallbackState::Pending,
        CallbackState::Delivered,
        CallbackState::Dead,
        CallbackState::Cancelled,
    ];

    /// Its name in the books.
    pub const fn name(self) -> &'static str {
        match self {
            CallbackState::Pending => "pending",
            CallbackState::Delivered => "delivered",
            CallbackState::Dead => "dead",
            CallbackState::Cancelled => "cancelled",
        }
    }

    fn parse(name: &str) -> Result<CallbackState> {
        CallbackState::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| StoreError::damaged(format!("a callback is `{name}`")))
    }
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackTried {
    /// When it began: system time.
    pub at: Instant,
    /// How long it took.
    pub took_ms: u64,
    /// The status that the receiver answered with, if it answered.
    pub status: Option<u16>,
    /// What came of it, in our words.
    pub outcome: String,
    /// The callback's state from now on.
    pub state: CallbackState,
    /// When it is tried next, while it is pending: system time.
    pub due_at: Instant,
    /// Whether the address wants no more of the owner.
    pub disables: bool,
}

/// A try, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackAttemptRow {
    /// From 1, also over those before it was asked for again.
    pub number: u64,
    /// See [`CallbackTried::at`].
    pub at: Instant,
    /// See [`CallbackTried::took_ms`].
    pub took_ms: u64,
    /// See [`CallbackTried::status`].
    pub status: Option<u16>,
    /// See [`CallbackTried::outcome`].
    pub outcome: String,
}

/// How many callbacks are tried at once, and until when nobody else tries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackClaim {
    /// The moment: system time.
    pub now: Instant,
    /// Until when one of no length is taken: system time, behind the longest try.
    pub until: Instant,
    /// How many bytes of one are sent in a second at least: one is taken for as much longer. Not 0.
    pub bytes_per_s: u64,
    /// How many are taken.
    pub most: u64,
    /// How many of one receiver may be taken, with those that are.
    pub per_receiver_most: u64,
    /// How many of one owner are tried at once, so that there is room for others.
    pub per_owner_most: u64,
}

/// An address that wants no more of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisabledReceiver {
    /// Since when: system time.
    pub disabled_at: Instant,
    /// Why.
    pub why: String,
}

statements! {
    INSERT = "INSERT INTO callbacks (id, query_id, owner, billing_account, url, url_hash, receiver,
            body_path, body_bytes, body_hash, state, tries, due_at, claimed_until, claim,
            last_outcome, created_at, ended_at, claimed_at, released)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, 0, 0, $13, $14, $15, 0, 0)";
    ONE = "SELECT id, query_id, owner, billing_account, url, url_hash, receiver, body_path,
            body_bytes, body_hash, state, tries, due_at, claimed_until, claim, last_outcome,
            created_at, ended_at, released
        FROM callbacks WHERE id = $1";
    OF_QUERY = "SELECT id, query_id, owner, billing_account, url, url_hash, receiver, body_path,
            body_bytes, body_hash, state, tries, due_at, claimed_until, claim, last_outcome,
            created_at, ended_at, released
        FROM callbacks WHERE query_id = $1";
    NEXT = "SELECT MIN(CASE WHEN claimed_until > due_at THEN claimed_until ELSE due_at END)
        FROM callbacks WHERE state = 'pending'";
    DUE = "WITH known AS (
            SELECT number, id, owner, receiver, due_at, claimed_until,
                COUNT(CASE WHEN claimed_until > $1 THEN 1 END) OVER (PARTITION BY owner) AS tried,
                COUNT(CASE WHEN claimed_until > $1 THEN 1 END)
                    OVER (PARTITION BY owner, receiver) AS tried_there,
                COUNT(CASE WHEN claimed_until > $1 THEN 1 END)
                    OVER (PARTITION BY receiver) AS all_there
            FROM callbacks WHERE state = 'pending' AND due_at <= $1
        ), turns AS (
            SELECT number, id, owner, receiver, due_at, tried, all_there, tried_there
                + ROW_NUMBER() OVER (PARTITION BY owner, receiver ORDER BY due_at, number) AS turn
            FROM known WHERE claimed_until <= $1 AND tried < $2
        ), first_turns AS (
            SELECT number, id, owner, receiver, due_at, tried, all_there, turn, (
                SELECT MAX(claimed_at) FROM callbacks AS earlier
                WHERE earlier.owner = turns.owner AND earlier.receiver = turns.receiver
            ) AS claimed_there_at FROM turns WHERE turn <= $3
        ), places AS (
            SELECT number, id, owner, due_at, tried, all_there + ROW_NUMBER() OVER (
                PARTITION BY receiver ORDER BY turn, claimed_there_at, due_at, number) AS place
            FROM first_turns
        ), fitting AS (
            SELECT number, id, owner, due_at, tried + ROW_NUMBER() OVER (
                PARTITION BY owner ORDER BY due_at, number) AS owners_turn
            FROM places WHERE place <= $3
        ), open AS (
            SELECT number, id, due_at, owners_turn, (
                SELECT MAX(claimed_at) FROM callbacks AS earlier
                WHERE earlier.owner = fitting.owner
            ) AS owner_claimed_at FROM fitting WHERE owners_turn <= $2
        )
        SELECT id FROM open ORDER BY owners_turn, owner_claimed_at, due_at, number LIMIT $4";
    CLAIM = "UPDATE callbacks SET claimed_until = $1 + body_bytes / $2 * 1000000,
            claim = claim + 1, claimed_at = $3
        WHERE id = $4";
    LET_GO = "UPDATE callbacks SET state = 'dead', claimed_until = 0, last_outcome = $1,
            ended_at = $2
        WHERE id = $3 AND claim = $4 AND state = 'pending'";
    TRIED = "UPDATE callbacks SET state = $1, tries = tries + 1, due_at = $2, claimed_until = 0,
            last_outcome = $3, ended_at = $4
        WHERE id = $5 AND claim = $6 AND state = 'pending'";
    STANDS = "SELECT count(*) FROM callbacks WHERE id = $1 AND claim = $2";
    NUMBER = "SELECT COALESCE(MAX(number), 0) + 1 FROM callback_attempts WHERE callback_id = $1";
    ATTEMPT = "INSERT INTO callback_attempts (callback_id, number, at, took_ms, status, outcome)
        VALUES ($1, $2, $3, $4, $5, $6)";
    ATTEMPTS = "SELECT number, at, took_ms, status, outcome FROM callback_attempts
        WHERE callback_id = $1 ORDER BY number";
    DISABLE = "INSERT INTO callback_receivers (owner, url_hash, disabled_at, why)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    GIVE_UP = "UPDATE callbacks SET state = 'dead', last_outcome = $1, ended_at = $2
        WHERE owner = $3 AND url_hash = $4 AND state = 'pending' AND claimed_until <= $2";
    DISABLED = "SELECT disabled_at, why FROM callback_receivers
        WHERE owner = $1 AND url_hash = $2";
    ENABLE = "DELETE FROM callback_receivers WHERE owner = $1 AND url_hash = $2";
    RESEND = "UPDATE callbacks SET state = 'pending', tries = 0, due_at = $1, ended_at = NULL,
            released = $2
        WHERE id = $3 AND (state <> 'pending' OR claimed_until <= $1)";
    CANCEL = "UPDATE callbacks SET state = 'cancelled', ended_at = $1
        WHERE query_id = $2 AND state = 'pending'";
    FORGET_ATTEMPTS = "DELETE FROM callback_attempts
        WHERE callback_id IN (SELECT id FROM callbacks WHERE query_id = $1)";
    FORGET = "DELETE FROM callbacks WHERE query_id = $1";
}

impl Store {
    /// The callback of an id.
    pub fn callback(&self, id: &str) -> Result<Option<CallbackRow>> {
        self.pool.read(|connection| connection.row(ONE, values![id], read))
    }

    /// The callback of a usage query, if it owes one.
    pub fn callback_of(&self, query_id: &str) -> Result<Option<CallbackRow>> {
        self.pool.read(|connection| connection.row(OF_QUERY, values![query_id], read))
    }

    /// All tries of a callback, in their order.
    pub fn callback_attempts(&self, id: &str) -> Result<Vec<CallbackAttemptRow>> {
        self.pool.read(|connection| connection.rows(ATTEMPTS, values![id], read_attempt))
    }

    /// When the next callback can be taken: system time; none where none is pending.
    pub fn next_callback_at(&self) -> Result<Option<Instant>> {
        let read = |row: &mut Row| row.take::<Option<Instant>>();
        self.pool.read(|connection| connection.one(NEXT, values![], read))
    }

    /// Takes callbacks that are due, so that nobody else tries them for a while: few of each
    /// receiver, so that a slow one holds up nobody else, and not too many of an owner. Owners take
    /// turns, at each receiver and in all: first comes who has the fewest that are being tried, of
    /// these whose last one was taken longest ago. Their rows as they stand then.
    pub fn claim_callbacks(&self, claim: CallbackClaim) -> Result<Vec<CallbackRow>> {
        if claim.most == 0 || self.pool.read(|connection| due(connection, claim))?.is_empty() {
            return Ok(Vec::new());
        }
        self.pool.write(|connection| {
            let ids = due(connection, claim)?;
            let mut claimed = Vec::with_capacity(ids.len());
            for id in ids {
                let values = values![claim.until, claim.bytes_per_s, claim.now, id];
                connection.execute(CLAIM, values)?;
                claimed.extend(connection.row(ONE, values![id], read)?);
            }
            Ok(claimed)
        })
    }

    /// Notes what came of trying a claimed callback; answers its state and why from now on, and
    /// nothing where the try does not count: it was claimed anew since, or cancelled. Where the
    /// address wants no more, all that is pending for it and its owner is given up: at once what
    /// waits, and what is being tried unless that try delivers it.
    pub fn callback_tried(
        &self,
        claimed: &CallbackRow,
        tried: &CallbackTried,
    ) -> Result<Option<(CallbackState, String)>> {
        let CallbackRow { id, owner, url_hash, claim, .. } = claimed;
        let CallbackTried { at, took_ms, status, outcome, due_at, disables, .. } = tried;
        let took_micros = i64::try_from(*took_ms).unwrap_or(i64::MAX).saturating_mul(1_000);
        let end = at.plus_micros(took_micros);
        self.pool.write(|connection| {
            let (state, why) = state_after(connection, (owner, url_hash), tried)?;
            let ended_at = (state != CallbackState::Pending).then_some(end);
            let values = values![state.name(), due_at, why, ended_at, id, claim];
            let counts = connection.execute(TRIED, values)? > 0;
            let stands: u64 = connection.one(STANDS, values![id, claim], Row::take)?;
            if stands == 0 {
                return Ok(None);
            }
            let number: u64 = connection.one(NUMBER, values![id], Row::take)?;
            connection.execute(ATTEMPT, values![id, number, at, took_ms, status, outcome])?;
            if counts && *disables {
                connection.execute(DISABLE, values![owner, url_hash, end, outcome])?;
                connection.execute(GIVE_UP, values![outcome, end, owner, url_hash])?;
            }
            Ok(counts.then_some((state, why)))
        })
    }

    /// Gives a claimed callback up without trying it; answers whether it did: not where it was
    /// claimed anew since, or cancelled.
    pub fn give_up_callback(&self, claimed: &CallbackRow, why: &str, at: Instant) -> Result<bool> {
        let values = values![why, at, claimed.id, claimed.claim];
        self.pool.write(|connection| Ok(connection.execute(LET_GO, values)? > 0))
    }

    /// Why an address wants no more of an owner, if so.
    pub fn disabled_receiver(
        &self,
        owner: &str,
        url_hash: &str,
    ) -> Result<Option<DisabledReceiver>> {
        self.pool.read(|connection| disabled(connection, owner, url_hash))
    }

    /// Has a callback tried anew from `note.at` on, as often as a new one, and lets its address be
    /// tried again; answers whether it will be: not while it is being tried.
    ///
    /// Errors: [`StoreError::Missing`].
    pub fn resend_callback(&self, id: &str, released: bool, note: &Note) -> Result<bool> {
        self.pool.write(|connection| {
            let Some(callback) = connection.row(ONE, values![id], read)? else {
                return Err(StoreError::Missing { what: "callback", key: id.to_owned() });
            };
            if connection.execute(RESEND, values![note.at, u64::from(released), id])? == 0 {
                return Ok(false);
            }
            connection.execute(ENABLE, values![callback.owner, callback.url_hash])?;
            note.audit(connection, "callback.resend", format!("callback {id}"))?;
            Ok(true)
        })
    }
}

/// The ids of callbacks that may be taken.
fn due(connection: &mut dyn Connection, claim: CallbackClaim) -> Result<Vec<String>> {
    let CallbackClaim { now, until: _, bytes_per_s: _, most, per_receiver_most, per_owner_most } =
        claim;
    connection.rows(DUE, values![now, per_owner_most, per_receiver_most, most], Row::take)
}

/// The state of a callback after a try, and why: what its address wants no more is not tried again.
fn state_after(
    connection: &mut dyn Connection,
    (owner, url_hash): (&str, &str),
    tried: &CallbackTried,
) -> Result<(CallbackState, String)> {
    let gone = match tried.state {
        CallbackState::Pending => disabled(connection, owner, url_hash)?,
        CallbackState::Delivered | CallbackState::Dead | CallbackState::Cancelled => None,
    };
    Ok(match gone {
        Some(gone) => (CallbackState::Dead, gone.why),
        None => (tried.state, tried.outcome.clone()),
    })
}

/// Keeps the callback of a usage query that ends.
pub(crate) fn insert(
    connection: &mut dyn Connection,
    query: &UsageQueryRow,
    callback: &NewCallback,
    now: Instant,
) -> Result<()> {
    let NewCallback { id, url, url_hash, receiver, body_path, body_bytes, body_hash, due_at } =
        callback;
    let disabled = disabled(connection, &query.owner, url_hash)?;
    let state = if disabled.is_some() { CallbackState::Dead } else { CallbackState::Pending };
    let ended_at = disabled.is_some().then_some(now);
    let outcome = disabled.map_or_else(String::new, |disabled| disabled.why);
    let values = values![
        id,
        query.id,
        query.owner,
        query.billing_account,
        url,
        url_hash,
        receiver,
        body_path,
        body_bytes,
        body_hash,
        state.name(),
        due_at,
        outcome,
        now,
        ended_at
    ];
    connection.execute(INSERT, values).map(drop)
}

/// Cancels what a usage query still owes; answers whether it did.
pub(crate) fn cancel(connection: &mut dyn Connection, query_id: &str, at: Instant) -> Result<bool> {
    Ok(connection.execute(CANCEL, values![at, query_id])? > 0)
}

/// Forgets what a usage query owed, and all tries.
pub(crate) fn forget(connection: &mut dyn Connection, query_id: &str) -> Result<()> {
    connection.execute(FORGET_ATTEMPTS, values![query_id])?;
    connection.execute(FORGET, values![query_id]).map(drop)
}

fn disabled(
    connection: &mut dyn Connection,
    owner: &str,
    url_hash: &str,
) -> Result<Option<DisabledReceiver>> {
    connection.row(DISABLED, values![owner, url_hash], |row| {
        Ok(DisabledReceiver { disabled_at: row.take()?, why: row.take()? })
    })
}

/// Reads a callback from its columns, in the order of [`ONE`].
pub(crate) fn read(row: &mut Row) -> Result<CallbackRow> {
    Ok(CallbackRow {
        id: row.take()?,
        query_id: row.take()?,
        owner: row.take()?,
        billing_account: row.take()?,
        url: row.take()?,
        url_hash: row.take()?,
        receiver: row.take()?,
        body_path: row.take()?,
        body_bytes: row.take()?,
        body_hash: row.take()?,
        state: CallbackState::parse(&row.take::<String>()?)?,
        tries: row.take()?,
        due_at: row.take()?,
        claimed_until: row.take()?,
        claim: row.take()?,
        last_outcome: row.take()?,
        created_at: row.take()?,
        ended_at: row.take()?,
        released: row.take::<u64>()? != 0,
    })
}

fn read_attempt(row: &mut Row) -> Result<CallbackAttemptRow> {
    Ok(CallbackAttemptRow {
        number: row.take()?,
        at: row.take()?,
        took_ms: row.take()?,
        status: row.take()?,
        outcome: row.take()?,
    })
}
