//! The company's facts: appended, numbered without gaps, linked; never changed.

use crate::closes;
use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};
use calendar::Instant;

/// A fact to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFact {
    /// What it is about: `account`, `meter`, …
    pub kind: String,
    /// Which one.
    pub key: String,
    /// From when on it holds: business time.
    pub effective_from: Instant,
    /// What it says: JSON text.
    pub body: String,
}

/// What is done by appending facts, as the audit log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// What is done.
    pub action: &'static str,
    /// To what; the facts' numbers alone if nothing is said.
    pub target: String,
    /// How many closes of accounts there were when it was judged; none if they don't matter.
    pub closes: Option<u64>,
}

/// A fact as it stands in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRow {
    /// Its number: 1, 2, 3, … without gaps.
    pub number: u64,
    /// What it is about.
    pub kind: String,
    /// Which one.
    pub key: String,
    /// From when on it holds: business time.
    pub effective_from: Instant,
    /// When it was appended: system time.
    pub recorded_at: Instant,
    /// Who appended it.
    pub actor: String,
    /// Id of the request it came with.
    pub request_id: String,
    /// What it says: JSON text.
    pub body: String,
    /// BLAKE3 of the body.
    pub body_hash: [u8; 32],
    /// BLAKE3 of the previous fact's link and everything above.
    pub link: [u8; 32],
}

statements! {
    AFTER = "SELECT number, kind, key, effective_from, recorded_at, actor, request_id, body,
            body_hash, link
        FROM facts WHERE number > $1 ORDER BY number LIMIT $2";
    NEWEST = "SELECT number, link FROM facts ORDER BY number DESC LIMIT 1";
    INSERT = "INSERT INTO facts (number, kind, key, effective_from, recorded_at, actor, request_id,
            body, body_hash, link)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
}

impl Store {
    /// Reads up to `limit` facts after the one numbered `number`, in order.
    pub fn facts_after(&self, number: u64, limit: u64) -> Result<Vec<FactRow>> {
        self.pool.read(|connection| after(connection, number, limit))
    }

    /// The newest fact's number; 0 when there is none.
    pub fn newest_fact(&self) -> Result<u64> {
        self.pool.read(newest).map(|(number, _)| number)
    }

    /// Appends facts, all or none, with an entry in the audit log that names their numbers only;
    /// returns the newest number.
    ///
    /// Errors: [`StoreError::Stale`] unless `expected_newest` is the newest.
    pub fn append_facts(
        &self,
        expected_newest: u64,
        facts: &[NewFact],
        note: &Note,
    ) -> Result<u64> {
        let deed = Deed { action: "facts.append", target: String::new(), closes: None };
        self.append_facts_as(expected_newest, facts, note, &deed)
    }

    /// Appends facts, all or none, with their entry in the audit log: what was done by them, to
    /// what; returns the newest number.
    ///
    /// Errors: [`StoreError::Stale`] unless `expected_newest` is the newest, and when an account
    /// was closed since the deed was judged.
    pub fn append_facts_as(
        &self,
        expected_newest: u64,
        facts: &[NewFact],
        note: &Note,
        deed: &Deed,
    ) -> Result<u64> {
        self.pool.write(|connection| append(connection, expected_newest, facts, (note, deed)))
    }
}

/// Appends facts in the caller's transaction, as [`Store::append_facts_as`].
pub(crate) fn append(
    connection: &mut dyn Connection,
    expected_newest: u64,
    facts: &[NewFact],
    (note, deed): (&Note, &Deed),
) -> Result<u64> {
    let (found, mut link) = newest(connection)?;
    if found != expected_newest {
        return Err(StoreError::Stale {
            what: "company",
            key: String::new(),
            expected: expected_newest,
            found,
        });
    }
    if let Some(expected) = deed.closes {
        closes::must_be_no_more(connection, expected)?;
    }
    let mut number = found;
    for fact in facts {
        number = number.saturating_add(1);
        let row = placed(fact, number, &link, note);
        insert(connection, &row)?;
        link = row.link;
    }
    if number > found {
        let first = found.saturating_add(1);
        let numbers = format!("facts {first} to {number}");
        let target = match deed.target.as_str() {
            "" => numbers,
            target => format!("{target} ({numbers})"),
        };
        note.audit(connection, deed.action, target)?;
    }
    Ok(number)
}

pub(crate) fn after(
    connection: &mut dyn Connection,
    number: u64,
    limit: u64,
) -> Result<Vec<FactRow>> {
    connection.rows(AFTER, values![number, limit], read)
}

fn newest(connection: &mut dyn Connection) -> Result<(u64, [u8; 32])> {
    let newest = connection.row(NEWEST, values![], |row| Ok((row.take()?, row.take()?)))?;
    Ok(newest.unwrap_or((0, [0; 32])))
}

fn insert(connection: &mut dyn Connection, row: &FactRow) -> Result<()> {
    let FactRow {
        number,
        kind,
        key,
        effective_from,
        recorded_at,
        actor,
        request_id,
        body,
        body_hash,
        link,
    } = row;
    let values = values![
        number,
        kind,
        key,
        effective_from,
        recorded_at,
        actor,
        request_id,
        body,
        body_hash,
        link
    ];
    connection.execute(INSERT, values).map(drop)
}

fn placed(fact: &NewFact, number: u64, previous: &[u8; 32], note: &Note) -> FactRow {
    let NewFact { kind, key, effective_from, body } = fact.clone();
    let mut row = FactRow {
        number,
        kind,
        key,
        effective_from,
        recorded_at: note.at,
        actor: note.actor.clone(),
        request_id: note.request_id.clone(),
        body_hash: *blake3::hash(body.as_bytes()).as_bytes(),
        body,
        link: [0; 32],
    };
    row.link = link(previous, &row);
    row
}

/// What a fact's link must be after `previous`.
pub(crate) fn link(previous: &[u8; 32], row: &FactRow) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("reckoner facts, link, version 1");
    hasher.update(previous);
    for number in [row.effective_from.micros(), row.recorded_at.micros()] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(&row.number.to_le_bytes());
    for text in [&row.kind, &row.key, &row.actor, &row.request_id] {
        // Hashed one by one, so that no two rows give the same bytes.
        hasher.update(blake3::hash(text.as_bytes()).as_bytes());
    }
    hasher.update(&row.body_hash);
    *hasher.finalize().as_bytes()
}

fn read(row: &mut Row) -> Result<FactRow> {
    Ok(FactRow {
        number: row.take()?,
        kind: row.take()?,
        key: row.take()?,
        effective_from: row.take()?,
        recorded_at: row.take()?,
        actor: row.take()?,
        request_id: row.take()?,
        body: row.take()?,
        body_hash: row.take()?,
        link: row.take()?,
    })
}
