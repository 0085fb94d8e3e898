//! Budgets, and the notices that they give rise to.

use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};
use calendar::Instant;

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRow {
    /// Its id: another one for a budget that was deleted and declared anew.
    pub id: String,
    /// Where it is kept, as text.
    pub place: String,
    /// What its name is found by.
    pub name_key: String,
    /// From 1, and one more with each change.
    pub version: u64,
    /// What it says, as bytes.
    pub body: Vec<u8>,
}

/// What became of a budget that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKept {
    /// It is kept.
    Yes,
    /// Somebody changed, made or deleted it meanwhile.
    Overtaken,
    /// As many are kept there as may be.
    Full,
}

/// What became of notices that were to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticesKept {
    /// They are kept.
    Yes,
    /// It was told before.
    Before,
    /// The budget was changed or deleted meanwhile.
    Overtaken,
}

/// Something that one recipient is told: that a threshold was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// Its id: the recipient knows by it what it was told before.
    pub id: String,
    /// Id of the budget.
    pub budget: String,
    /// What stands for window and threshold: all recipients are told of it, once.
    pub crossing: String,
    /// What is told and to whom, as bytes.
    pub body: Vec<u8>,
    /// How far it is.
    pub state: NoticeState,
    /// What came of the last try.
    pub outcome: String,
    /// How often it was tried in vain.
    pub tries: u64,
    /// When it is tried next: system time.
    pub due_at: Instant,
    /// When the threshold was seen to be reached: system time.
    pub created_at: Instant,
    /// When the window ends.
    pub window_end: Instant,
}

/// How far a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeState {
    /// It is still to be delivered.
    Pending,
    /// The recipient has it.
    Delivered,
    /// It was tried often enough.
    GivenUp,
}

impl NoticeState {
    const ALL: [NoticeState; 3] =
        [NoticeState::Pending, NoticeState::Delivered, NoticeState::GivenUp];

    const fn name(self) -> &'static str {
        match self {
            NoticeState::Pending => "pending",
            NoticeState::Delivered => "delivered",
            NoticeState::GivenUp => "given_up",
        }
    }

    fn parse(name: &str) -> Result<NoticeState> {
        NoticeState::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| StoreError::damaged(format!("a notice is `{name}`")))
    }
}

statements! {
    ONE = "SELECT id, place, name_key, version, body FROM budgets
        WHERE place = $1 AND name_key = $2";
    AT = "SELECT id, place, name_key, version, body FROM budgets
        WHERE place = $1 ORDER BY name_key";
    EVERY = "SELECT id, place, name_key, version, body FROM budgets ORDER BY place, name_key";
    COUNT = "SELECT count(*) FROM budgets WHERE place = $1";
    INSERT = "INSERT INTO budgets (id, place, name_key, version, body)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    UPDATE = "UPDATE budgets SET version = $1, body = $2 WHERE id = $3 AND version = $4";
    STANDS = "SELECT count(*) FROM budgets WHERE id = $1 AND version = $2";
    DELETE = "DELETE FROM budgets WHERE id = $1";
    DELETE_NOTICES = "DELETE FROM budget_notices WHERE budget = $1";
    TOLD = "SELECT count(*) FROM budget_notices WHERE budget = $1 AND crossing = $2";
    TELL = "INSERT INTO budget_notices (id, budget, crossing, body, state, outcome, tries, due_at,
            created_at, window_end)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    DUE = "SELECT id, budget, crossing, body, state, outcome, tries, due_at, created_at, window_end
        FROM budget_notices WHERE state = 'pending' AND due_at <= $1
        ORDER BY due_at, id LIMIT $2";
    CLAIM = "UPDATE budget_notices SET due_at = $1
        WHERE id = $2 AND due_at = $3 AND state = 'pending'";
    TRIED = "UPDATE budget_notices SET state = $1, outcome = $2, tries = $3, due_at = $4
        WHERE id = $5 AND due_at = $6 AND state = 'pending'";
    EXPIRE = "DELETE FROM budget_notices WHERE window_end < $1";
}

impl Store {
    /// The budget of a name that is kept somewhere.
    pub fn budget(&self, place: &str, name_key: &str) -> Result<Option<BudgetRow>> {
        self.pool.read(|connection| connection.row(ONE, values![place, name_key], read))
    }

    /// The budgets that are kept somewhere, in the order of their names.
    pub fn budgets_at(&self, place: &str) -> Result<Vec<BudgetRow>> {
        self.pool.read(|connection| connection.rows(AT, values![place], read))
    }

    /// All budgets.
    pub fn budgets(&self) -> Result<Vec<BudgetRow>> {
        self.pool.read(|connection| connection.rows(EVERY, values![], read))
    }

    /// Keeps a budget: the first of its name, or behind the version before its own. At most `most`
    /// are kept in one place.
    pub fn keep_budget(&self, row: &BudgetRow, most: u64, note: &Note) -> Result<BudgetKept> {
        let BudgetRow { id, place, name_key, version, body } = row;
        self.pool.write(|connection| {
            let before = version.saturating_sub(1);
            let changed = if before == 0 {
                if connection.one(COUNT, values![place], |row| row.take::<u64>())? >= most {
                    return Ok(BudgetKept::Full);
                }
                connection.execute(INSERT, values![id, place, name_key, version, body])?
            } else {
                connection.execute(UPDATE, values![version, body, id, before])?
            };
            if changed == 0 {
                return Ok(BudgetKept::Overtaken);
            }
            note.audit(connection, "budget.put", format!("{place}/{name_key}"))?;
            Ok(BudgetKept::Yes)
        })
    }

    /// Deletes a budget and what it had to tell; answers whether it was there.
    pub fn delete_budget(&self, place: &str, name_key: &str, note: &Note) -> Result<bool> {
        self.pool.write(|connection| {
            let Some(row) = connection.row(ONE, values![place, name_key], read)? else {
                return Ok(false);
            };
            connection.execute(DELETE, values![row.id])?;
            connection.execute(DELETE_NOTICES, values![row.id])?;
            note.audit(connection, "budget.delete", format!("{place}/{name_key}"))?;
            Ok(true)
        })
    }

    /// Keeps what is to be told of one crossing, all or nothing; nothing where it was told before,
    /// or the budget is not at that version any more.
    pub fn keep_notices(
        &self,
        of: &BudgetRow,
        told: &[NoticeRow],
        note: &Note,
    ) -> Result<NoticesKept> {
        let Some(first) = told.first() else { return Ok(NoticesKept::Before) };
        self.pool.write(|connection| {
            let count = |row: &mut Row| row.take::<u64>();
            let stands: u64 = connection.one(STANDS, values![of.id, of.version], count)?;
            if stands == 0 {
                return Ok(NoticesKept::Overtaken);
            }
            let before: u64 = connection.one(TOLD, values![of.id, first.crossing], count)?;
            if before > 0 {
                return Ok(NoticesKept::Before);
            }
            told.iter().try_for_each(|notice| tell(connection, notice))?;
            let target = format!("{}/{} {}", of.place, of.name_key, first.crossing);
            note.audit(connection, "budget.reached", target)?;
            Ok(NoticesKept::Yes)
        })
    }

    /// Takes up to `limit` notices that are due, so that nobody else tries them before `until`;
    /// their rows as they stand then.
    pub fn claim_notices(
        &self,
        now: Instant,
        until: Instant,
        limit: u64,
    ) -> Result<Vec<NoticeRow>> {
        self.pool.write(|connection| {
            let due = connection.rows(DUE, values![now, limit], read_notice)?;
            let mut claimed = Vec::with_capacity(due.len());
            for notice in due {
                let values = values![until, notice.id, notice.due_at];
                if connection.execute(CLAIM, values)? > 0 {
                    claimed.push(NoticeRow { due_at: until, ..notice });
                }
            }
            Ok(claimed)
        })
    }

    /// Notes what came of trying a claimed notice; not where it was claimed anew since.
    pub fn notice_tried(&self, claimed: &NoticeRow, after: &NoticeRow) -> Result<()> {
        let NoticeRow { state, outcome, tries, due_at, .. } = after;
        let values = values![state.name(), outcome, tries, due_at, claimed.id, claimed.due_at];
        self.pool.write(|connection| connection.execute(TRIED, values).map(drop))
    }

    /// Forgets what was to be told of windows that ended before a moment.
    pub fn forget_notices(&self, before: Instant) -> Result<()> {
        self.pool.write(|connection| connection.execute(EXPIRE, values![before]).map(drop))
    }
}

fn tell(connection: &mut dyn Connection, notice: &NoticeRow) -> Result<()> {
    let NoticeRow { id, budget, crossing, body, state, outcome, tries, .. } = notice;
    let (state, due_at) = (state.name(), notice.due_at);
    let (created_at, window_end) = (notice.created_at, notice.window_end);
    let values =
        values![id, budget, crossing, body, state, outcome, tries, due_at, created_at, window_end];
    connection.execute(TELL, values).map(drop)
}

fn read(row: &mut Row) -> Result<BudgetRow> {
    Ok(BudgetRow {
        id: row.take()?,
        place: row.take()?,
        name_key: row.take()?,
        version: row.take()?,
        body: row.take()?,
    })
}

fn read_notice(row: &mut Row) -> Result<NoticeRow> {
    Ok(NoticeRow {
        id: row.take()?,
        budget: row.take()?,
        crossing: row.take()?,
        body: row.take()?,
        state: NoticeState::parse(&row.take::<String>()?)?,
        outcome: row.take()?,
        tries: row.take()?,
        due_at: row.take()?,
        created_at: row.take()?,
        window_end: row.take()?,
    })
}
