//! Usage queries: asked by somebody, answered once, told to them only, forgotten after a while.

use crate::callbacks::{self, NewCallback};
use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Result, Store, StoreError};
use calendar::Instant;

/// A usage query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQueryRow {
    /// Its number in the order of their coming; not looked at when it is inserted.
    pub number: u64,
    /// Its id: 32 hexadecimal digits that nobody can guess.
    pub id: String,
    /// Who asks, and is told.
    pub owner: String,
    /// Of which billing account.
    pub billing_account: String,
    /// Id of the request that it came with.
    pub request_id: String,
    /// What is asked and where the result is to go, as bytes.
    pub body: Vec<u8>,
    /// How far it is.
    pub state: UsageQueryState,
    /// How many parts of it are answered.
    pub progress_done: u64,
    /// How many parts it has; zero while that is not known.
    pub progress_all: u64,
    /// What the result is made of or why there is none, as bytes; empty until it has ended.
    pub outcome: Vec<u8>,
    /// Who answers it; empty while nobody does.
    pub lease_owner: String,
    /// Until when nobody else answers it: system time.
    pub lease_until: Instant,
    /// How often somebody took it: who comes later takes it from who came before.
    pub fencing: u64,
    /// How often somebody began to answer it, but for those that gave it back.
    pub begun: u64,
    /// When it was asked: system time.
    pub created_at: Instant,
    /// When it ended: system time.
    pub ended_at: Option<Instant>,
    /// From when on its result may be forgotten: system time; none until it has ended.
    pub expires_at: Option<Instant>,
}

/// How far a usage query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageQueryState {
    /// Nobody has begun it.
    Queued,
    /// It is being answered.
    Running,
    /// It has a result.
    Succeeded,
    /// It cannot be answered.
    Failed,
    /// Who asked wants no answer any more.
    Cancelled,
}

impl UsageQueryState {
    /// All of them.
    pub const ALL: [UsageQueryState; 5] = [
        UsageQueryState::Queued,
        UsageQueryState::Running,
        UsageQueryState::Succeeded,
        UsageQueryState::Failed,
        UsageQueryState::Cancelled,
    ];

    /// Its name in the books.
    pub const fn name(self) -> &'static str {
        match self {
            UsageQueryState::Queued => "queued",
            UsageQueryState::Running => "running",
            UsageQueryState::Succeeded => "succeeded",
            UsageQueryState::Failed => "failed",
            UsageQueryState::Cancelled => "cancelled",
        }
    }

    /// Whether it stays as it is.
    pub const fn is_ended(self) -> bool {
        match self {
            UsageQueryState::Queued | UsageQueryState::Running => false,
            UsageQueryState::Succeeded | UsageQueryState::Failed | UsageQueryState::Cancelled => {
                true
            }
        }
    }

    fn parse(name: &str) -> Result<UsageQueryState> {
        UsageQueryState::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| StoreError::damaged(format!("a usage query is `{name}`")))
    }
}

/// What one owner may have of usage queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageQueryLimits {
    /// Queries that have not ended.
    pub most_open: u64,
    /// Queries in all, until they are forgotten.
    pub most_kept: u64,
}

/// What became of a usage query that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageQueryKept {
    /// It is kept.
    Yes,
    /// Its owner has too many that have not ended.
    TooManyOpen,
    /// Its owner has too many in all.
    TooManyKept {
        /// When the first of them may be forgotten: system time; none where none has ended.
        until: Option<Instant>,
    },
}

/// How a usage query ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQueryEnd {
    /// Which one.
    pub id: String,
    /// See [`UsageQueryRow::fencing`]: of the row as it was leased.
    pub fencing: u64,
    /// Its state from now on.
    pub state: UsageQueryState,
    /// See [`UsageQueryRow::outcome`].
    pub outcome: Vec<u8>,
    /// When it ended: system time.
    pub ended_at: Instant,
    /// See [`UsageQueryRow::expires_at`].
    pub expires_at: Instant,
    /// What is owed to an address, if something is.
    pub callback: Option<NewCallback>,
}

/// Which of somebody's usage queries are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageQueryFilter {
    /// Only those in this state.
    pub state: Option<UsageQueryState>,
    /// Only those before this one, by [`UsageQueryRow::number`].
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u64,
}

statements! {
    OPEN = "SELECT count(*) FROM usage_queries WHERE owner = $1 AND state IN ('queued', 'running')";
    KEPT = "SELECT count(*), MIN(expires_at) FROM usage_queries WHERE owner = $1";
    INSERT = "INSERT INTO usage_queries (id, owner, billing_account, request_id, body, state,
            progress_done, progress_all, outcome, lease_owner, lease_until, fencing, begun,
            leased_at, created_at, ended_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, $16)";
    ONE = "SELECT number, id, owner, billing_account, request_id, body, state, progress_done,
            progress_all, outcome, lease_owner, lease_until, fencing, begun, created_at, ended_at,
            expires_at
        FROM usage_queries WHERE id = $1";
    OWNED = "SELECT number, id, owner, billing_account, request_id, body, state, progress_done,
            progress_all, outcome, lease_owner, lease_until, fencing, begun, created_at, ended_at,
            expires_at
        FROM usage_queries WHERE owner = $1 AND (state = $2 OR $2 = '') AND number < $3
        ORDER BY number DESC LIMIT $4";
    DUE = "WITH known AS (
            SELECT number, id, owner, lease_until,
                COUNT(CASE WHEN state = 'running' AND lease_until > $1 THEN 1 END)
                    OVER (PARTITION BY owner) AS running
            FROM usage_queries WHERE state IN ('queued', 'running')
        ), waiting AS (
            SELECT number, id, owner, running,
                ROW_NUMBER() OVER (PARTITION BY owner ORDER BY number) AS place
            FROM known WHERE lease_until <= $1
        ), first_ones AS (
            SELECT number, id, running + place AS turn, (
                SELECT MAX(leased_at) FROM usage_queries AS earlier
                WHERE earlier.owner = waiting.owner
            ) AS owner_leased_at FROM waiting WHERE place <= $2
        )
        SELECT id FROM first_ones ORDER BY turn, owner_leased_at, number LIMIT $2";
    LEASE = "UPDATE usage_queries SET state = 'running', lease_owner = $1, lease_until = $2,
            fencing = fencing + 1, begun = begun + 1, leased_at = $3
        WHERE id = $4";
    RENEW = "UPDATE usage_queries SET lease_until = $1, progress_done = $2, progress_all = $3
        WHERE id = $4 AND fencing = $5 AND state = 'running'";
    RELEASE = "UPDATE usage_queries SET state = 'queued', lease_owner = '', lease_until = $1,
            begun = begun - 1
        WHERE id = $2 AND fencing = $3 AND state = 'running'";
    RELEASE_ALL = "UPDATE usage_queries SET state = 'queued', lease_owner = '', lease_until = 0
        WHERE state = 'running'";
    END = "UPDATE usage_queries SET state = $1, outcome = $2, ended_at = $3, expires_at = $4,
            lease_owner = ''
        WHERE id = $5 AND fencing = $6 AND state = 'running'";
    CANCEL = "UPDATE usage_queries SET state = 'cancelled', ended_at = $1, expires_at = $2,
            lease_owner = ''
        WHERE id = $3 AND state IN ('queued', 'running')";
    EXPIRED = "SELECT number, id, owner, billing_account, request_id, body, state, progress_done,
            progress_all, outcome, lease_owner, lease_until, fencing, begun, created_at, ended_at,
            expires_at
        FROM usage_queries WHERE expires_at <= $1 AND NOT EXISTS (
            SELECT 1 FROM callbacks
            WHERE callbacks.query_id = usage_queries.id AND callbacks.state = 'pending')
        ORDER BY expires_at, number LIMIT $2";
    DELETE = "DELETE FROM usage_queries WHERE id = $1 AND expires_at <= $2 AND NOT EXISTS (
            SELECT 1 FROM callbacks
            WHERE callbacks.query_id = usage_queries.id AND callbacks.state = 'pending')";
}

impl Store {
    /// Keeps a usage query, unless its owner has too many.
    pub fn insert_usage_query(
        &self,
        query: &UsageQueryRow,
        limits: UsageQueryLimits,
    ) -> Result<UsageQueryKept> {
        let UsageQueryLimits { most_open, most_kept } = limits;
        self.pool.write(|connection| {
            let open: u64 = connection.one(OPEN, values![query.owner], Row::take)?;
            if open >= most_open {
                return Ok(UsageQueryKept::TooManyOpen);
            }
            let count = |row: &mut Row| Ok((row.take::<u64>()?, row.take::<Option<Instant>>()?));
            let (kept, until) = connection.one(KEPT, values![query.owner], count)?;
            if kept >= most_kept {
                return Ok(UsageQueryKept::TooManyKept { until });
            }
            insert(connection, query)?;
            Ok(UsageQueryKept::Yes)
        })
    }

    /// The usage query of an id.
    pub fn usage_query(&self, id: &str) -> Result<Option<UsageQueryRow>> {
        self.pool.read(|connection| connection.row(ONE, values![id], read))
    }

    /// Usage queries of an owner, the newest first.
    pub fn usage_queries_of(
        &self,
        owner: &str,
        filter: UsageQueryFilter,
    ) -> Result<Vec<UsageQueryRow>> {
        let UsageQueryFilter { state, before, limit } = filter;
        let state = state.map_or("", UsageQueryState::name);
        let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        self.pool
            .read(|connection| connection.rows(OWNED, values![owner, state, before, limit], read))
    }

    /// Takes up to `limit` usage queries that nobody answers, so that nobody else takes them before
    /// `until`. Owners take turns: first comes who has the fewest that are being answered, of these
    /// whose last one was taken longest ago. Their rows as they stand then.
    pub fn lease_usage_queries(
        &self,
        lease_owner: &str,
        now: Instant,
        until: Instant,
        limit: u64,
    ) -> Result<Vec<UsageQueryRow>> {
        if self.pool.read(|connection| due(connection, now, limit))?.is_empty() {
            return Ok(Vec::new());
        }
        self.pool.write(|connection| {
            let ids = due(connection, now, limit)?;
            let mut leased = Vec::with_capacity(ids.len());
            for id in ids {
                connection.execute(LEASE, values![lease_owner, until, now, id])?;
                leased.extend(connection.row(ONE, values![id], read)?);
            }
            Ok(leased)
        })
    }

    /// Keeps a lease until another moment and notes the progress, both of the row as it was leased
    /// but for these; answers whether it still held: not where somebody else took the query, or its
    /// owner cancelled it.
    pub fn renew_usage_query(&self, leased: &UsageQueryRow) -> Result<bool> {
        let UsageQueryRow { id, fencing, lease_until, progress_done, progress_all, .. } = leased;
        let values = values![lease_until, progress_done, progress_all, id, fencing];
        self.pool.write(|connection| Ok(connection.execute(RENEW, values)? > 0))
    }

    /// Gives a leased usage query back for others to answer from a moment on, as if it had not been
    /// begun.
    pub fn release_usage_query(&self, leased: &UsageQueryRow, from: Instant) -> Result<()> {
        let values = values![from, leased.id, leased.fencing];
        self.pool.write(|connection| connection.execute(RELEASE, values).map(drop))
    }

    /// Gives back all that are leased, by whomever: for books that only one process uses, when it
    /// starts.
    pub fn release_usage_queries(&self) -> Result<()> {
        self.pool.write(|connection| connection.execute(RELEASE_ALL, values![]).map(drop))
    }

    /// Ends a leased usage query and keeps what is owed to its address, both or neither; answers
    /// whether it was ended by this: not where the lease no longer holds. A callback to an address
    /// that wants no more of the owner is given up at once, with the reason.
    pub fn end_usage_query(&self, end: &UsageQueryEnd) -> Result<bool> {
        let UsageQueryEnd { id, fencing, state, outcome, ended_at, expires_at, callback } = end;
        self.pool.write(|connection| {
            let values = values![state.name(), outcome, ended_at, expires_at, id, fencing];
            if connection.execute(END, values)? == 0 {
                return Ok(false);
            }
            if let (Some(callback), Some(query)) =
                (callback, connection.row(ONE, values![id], read)?)
            {
                callbacks::insert(connection, &query, callback, *ended_at)?;
            }
            Ok(true)
        })
    }

    /// Cancels a usage query that has not ended, or the callback that an ended one still owes;
    /// answers whether there was something to cancel.
    pub fn cancel_usage_query(&self, id: &str, at: Instant, expires_at: Instant) -> Result<bool> {
        self.pool.write(|connection| {
            let cancelled = connection.execute(CANCEL, values![at, expires_at, id])? > 0;
            Ok(cancelled || callbacks::cancel(connection, id, at)?)
        })
    }

    /// Up to `limit` usage queries that expired at `now` or before and owe nothing any more.
    pub fn expired_usage_queries(&self, now: Instant, limit: u64) -> Result<Vec<UsageQueryRow>> {
        self.pool.read(|connection| connection.rows(EXPIRED, values![now, limit], read))
    }

    /// Forgets a usage query with its callback and all attempts, if it expired at `now` or before
    /// and owes nothing; answers whether it did.
    pub fn forget_usage_query(&self, id: &str, now: Instant) -> Result<bool> {
        self.pool.write(|connection| {
            if connection.execute(DELETE, values![id, now])? == 0 {
                return Ok(false);
            }
            callbacks::forget(connection, id)?;
            Ok(true)
        })
    }
}

/// The ids of usage queries that nobody answers.
fn due(connection: &mut dyn Connection, now: Instant, limit: u64) -> Result<Vec<String>> {
    connection.rows(DUE, values![now, limit], Row::take)
}

fn insert(connection: &mut dyn Connection, query: &UsageQueryRow) -> Result<()> {
    let UsageQueryRow { id, owner, billing_account, request_id, body, state, outcome, .. } = query;
    let UsageQueryRow { progress_done, progress_all, lease_owner, lease_until, .. } = query;
    let UsageQueryRow { fencing, begun, created_at, ended_at, expires_at, .. } = query;
    let values = values![
        id,
        owner,
        billing_account,
        request_id,
        body,
        state.name(),
        progress_done,
        progress_all,
        outcome,
        lease_owner,
        lease_until,
        fencing,
        begun,
        created_at,
        ended_at,
        expires_at
    ];
    connection.execute(INSERT, values).map(drop)
}

fn read(row: &mut Row) -> Result<UsageQueryRow> {
    Ok(UsageQueryRow {
        number: row.take()?,
        id: row.take()?,
        owner: row.take()?,
        billing_account: row.take()?,
        request_id: row.take()?,
        body: row.take()?,
        state: UsageQueryState::parse(&row.take::<String>()?)?,
        progress_done: row.take()?,
        progress_all: row.take()?,
        outcome: row.take()?,
        lease_owner: row.take()?,
        lease_until: row.take()?,
        fencing: row.take()?,
        begun: row.take()?,
        created_at: row.take()?,
        ended_at: row.take()?,
        expires_at: row.take()?,
    })
}
