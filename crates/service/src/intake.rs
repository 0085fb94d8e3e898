//! Taking usage in: a verdict for each record, after it is durable.

use crate::cells::{CellKey, TailRecord};
use crate::declared::Declared;
use crate::watermarks::Report;
use crate::{Inner, Reckoner};
use crate::{amend, targets};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, Scope};
use domain::company::Company;
use domain::ids::{BillingAccountId, RecordId, SourceName};
use domain::usage::{Act, Billable, Position, QuarantineReason, RecordKey, UsageRecord, Verdict};
use domain::{Error, Result, encoding};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use usagelog::{Entry, EntryKind, LogError, Placed};

/// One record as it was sent.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// It can be read.
    Record(Box<UsageRecord>),
    /// It has a key, but some field cannot be read: it is kept as it came and quarantined.
    Unreadable(Unreadable),
    /// It has no usable key: nothing of it is kept.
    Keyless {
        /// Which field.
        field: String,
        /// What is wrong.
        problem: String,
    },
}

/// A record that has a key and cannot be read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Its identity.
    pub key: RecordKey,
    /// When it was sent to us, for want of a usage time.
    pub used_at: Instant,
    /// Why.
    pub reason: QuarantineReason,
    /// Which field, by the name that it was sent with.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// The record as it came.
    pub raw: String,
}

/// What became of a record, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The verdict.
    pub verdict: Verdict,
    /// Where the record stands in the log, if it is there.
    pub position: Option<Position>,
    /// Why it could not be read, if it is kept as it came.
    pub unread: Option<Unread>,
}

/// Why a record could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Which field, by the name that it was sent with.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// An unreadable record, as the log keeps it.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnreadableBody {
    pub(crate) billing_account: String,
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) used_at_micros: i64,
    pub(crate) reason: String,
    pub(crate) field: String,
    pub(crate) problem: String,
    pub(crate) raw: String,
}

impl UnreadableBody {
    /// Reads what the log keeps.
    pub(crate) fn read(payload: &[u8]) -> Result<UnreadableBody> {
        serde_json::from_slice(payload).map_err(|e| Error::internal("read a quarantined record", e))
    }

    /// Its identity.
    pub(crate) fn key(&self) -> Result<RecordKey> {
        Ok(RecordKey {
            billing_account: BillingAccountId::new(&self.billing_account)?,
            source: SourceName::new(&self.source)?,
            id: RecordId::new(&self.id)?,
        })
    }
}

/// A record made ready for the log on the caller's thread.
struct Prepared {
    place: usize,
    key: CellKey,
    entry: Entry,
    payload: Arc<[u8]>,
    verdict: Verdict,
    report: Report,
}

impl Reckoner {
    /// Takes records in. The answer has one verdict for each, in order, and comes after all that
    /// were accepted are durable.
    ///
    /// Errors: [`Error::Forbidden`] when the caller may not send for one of the accounts or as one
    /// of the sources (nothing is taken then), [`Error::TooMuch`], [`Error::Unavailable`].
    #[boxed]
    pub async fn take_in(&self, caller: &Caller, records: Vec<Incoming>) -> Result<Vec<Taken>> {
        self.take_in_with(caller, records, "").await
    }

    /// Takes records in that came with a request: amendments and withdrawals among them are written
    /// into the audit log with its id.
    ///
    /// Errors: as [`Reckoner::take_in`].
    #[boxed]
    pub async fn take_in_with(
        &self,
        caller: &Caller,
        records: Vec<Incoming>,
        request_id: &str,
    ) -> Result<Vec<Taken>> {
        self.may_send(caller, &records)?;
        let most = self.0.config.limits.batch_records;
        if records.len() as u64 > most {
            return Err(Error::TooMuch {
                limit: "records in a batch",
                most,
                key: "limits.batch_records",
            });
        }
        let amendments = amend::amendments(&records);
        let taken = self.0.take_in(records).await?;
        self.audit_amendments(caller, amendments, &taken, request_id).await?;
        Ok(taken)
    }

    fn may_send(&self, caller: &Caller, records: &[Incoming]) -> Result<()> {
        let (declared, now) = (self.0.declared(), self.now());
        let mut places: BTreeMap<&SourceName, BTreeSet<&BillingAccountId>> = BTreeMap::new();
        for key in records.iter().filter_map(key_of) {
            places.entry(&key.source).or_default().insert(&key.billing_account);
        }
        if places.is_empty() && !may_send_somewhere(&declared.company, now, caller) {
            return Err(Error::Forbidden { action: Action::SendUsage.name() });
        }
        for (source, accounts) in places {
            may_send_for(&declared.company, now, caller, (accounts, source))?;
        }
        Ok(())
    }
}

fn may_send_somewhere(company: &Company, now: Instant, caller: &Caller) -> bool {
    company.accounts.keys().any(|account| {
        let scope = Scope::Account(account.clone());
        domain::access::may_at(company, caller, Action::SendUsage, &scope, now)
    })
}

fn key_of(incoming: &Incoming) -> Option<&RecordKey> {
    match incoming {
        Incoming::Record(record) => Some(&record.key),
        Incoming::Unreadable(unreadable) => Some(&unreadable.key),
        Incoming::Keyless { .. } => None,
    }
}

/// Demands that the caller may send as the source, and the source for the account.
pub(crate) fn may_send_as(
    company: &Company,
    now: Instant,
    caller: &Caller,
    (account, source): (&BillingAccountId, &SourceName),
) -> Result<()> {
    may_send_for(company, now, caller, (BTreeSet::from([account]), source))
}

/// Demands it for each account.
fn may_send_for(
    company: &Company,
    now: Instant,
    caller: &Caller,
    (accounts, source): (BTreeSet<&BillingAccountId>, &SourceName),
) -> Result<()> {
    let declared = company.sources.get(source);
    let bound = match caller {
        Caller::Key(grant) => grant.sources.contains(source),
        // It may not send at all: that is asked next.
        Caller::Enterprise(_) => false,
        Caller::Principal(_) | Caller::Link { .. } | Caller::Machine => true,
    };
    // Hashed once: a source may send for thousands of accounts, and so may a batch.
    let of_source: HashSet<_> = declared.iter().flat_map(|s| &s.billing_accounts).collect();
    for account in accounts {
        let scope = Scope::Account(account.clone());
        domain::access::demand_at(company, caller, Action::SendUsage, &scope, now)?;
        if !bound || !of_source.contains(account) {
            return Err(Error::Forbidden { action: Action::SendUsage.name() });
        }
    }
    Ok(())
}

impl Inner {
    /// Takes records in whose sender has been checked.
    pub(crate) async fn take_in(self: &Arc<Self>, records: Vec<Incoming>) -> Result<Vec<Taken>> {
        self.wait_for_room().await?;
        let without = self.without_target(&records).await?;
        let this = Arc::clone(self);
        let acknowledged_at = self.clocks.business.now();
        let prepare = move || Ok(this.prepare(records, acknowledged_at));
        let (mut taken, prepared) = crate::blocking(prepare).await?;
        let mut shards: BTreeMap<u16, Vec<Prepared>> = BTreeMap::new();
        for one in prepared {
            shards.entry(self.shard_of(one.key.bucket)).or_default().push(one);
        }
        let mut waiting = Vec::new();
        for (shard, batch) in shards {
            waiting.push(self.append(shard, batch, acknowledged_at));
        }
        for (places, answer) in waiting {
            let placed = answer.await.map_err(|_| {
                Error::internal("append to the usage log", "its writer has stopped")
            })?;
            let placed = placed.map_err(|e| log_error(&e))?;
            for ((place, verdict), placed) in places.into_iter().zip(placed) {
                let (verdict, position) = taken_of(verdict, placed);
                taken[place].verdict = verdict;
                taken[place].position = Some(position);
            }
        }
        targets::tell(&mut taken, &without);
        self.verdicts.count(&taken);
        Ok(taken)
    }

    /// Encodes, hashes and judges; keyless records get their verdict at once.
    fn prepare(&self, records: Vec<Incoming>, now: Instant) -> (Vec<Taken>, Vec<Prepared>) {
        let declared = self.declared();
        let mut taken = Vec::with_capacity(records.len());
        let mut prepared = Vec::with_capacity(records.len());
        let mut bytes = Vec::new();
        for (place, incoming) in records.into_iter().enumerate() {
            let mut verdict = Verdict::Accepted;
            let mut unread = None;
            let (one, size_bytes) = match incoming {
                Incoming::Record(record) => {
                    bytes.clear();
                    let verdict = judge(&declared, &record, now);
                    let one = self.prepare_record(place, &record, verdict, &mut bytes);
                    (one, bytes.len())
                }
                Incoming::Unreadable(unreadable) => {
                    let size_bytes = unreadable.raw.len();
                    let (field, problem) = (unreadable.field.clone(), unreadable.problem.clone());
                    unread = Some(Unread { field, problem });
                    (self.prepare_unreadable(place, unreadable), size_bytes)
                }
                Incoming::Keyless { field, problem } => {
                    let verdict = Verdict::Rejected { field, problem };
                    taken.push(Taken { verdict, position: None, unread: None });
                    continue;
                }
            };
            match self.config.limits.record_problem(size_bytes) {
                None => prepared.push(one),
                // Nothing of it is kept, so that it can be sent again in smaller parts.
                Some(problem) => {
                    verdict = Verdict::Rejected { field: "record".to_owned(), problem };
                }
            }
            taken.push(Taken { verdict, position: None, unread });
        }
        (taken, prepared)
    }

    /// `bytes` is empty memory for the record's encoding.
    fn prepare_record(
        &self,
        place: usize,
        record: &UsageRecord,
        verdict: Verdict,
        bytes: &mut Vec<u8>,
    ) -> Prepared {
        let content_at = encoding::encode_into(record, bytes);
        let content = bytes.get(content_at..).unwrap_or_default();
        let payload: Arc<[u8]> = Arc::from(bytes.as_slice());
        let key = encoding::key_bytes(&record.key);
        Prepared {
            place,
            key: self.cell_key(&record.key.billing_account, record.service_period.start()),
            entry: Entry::new(
                EntryKind::RECORD,
                key,
                content,
                Arc::clone(&payload),
                &self.hash_key,
            ),
            payload,
            verdict,
            report: Report::of(&record.key, record.reported_at),
        }
    }

    fn prepare_unreadable(&self, place: usize, unreadable: Unreadable) -> Prepared {
        let Unreadable { key, used_at, reason, field, problem, raw } = unreadable;
        let body = UnreadableBody {
            billing_account: key.billing_account.to_string(),
            source: key.source.to_string(),
            id: key.id.to_string(),
            used_at_micros: used_at.micros(),
            reason: reason.name().to_owned(),
            field,
            problem,
            raw,
        };
        let field = crate::quarantine::field(&body.field);
        let payload: Arc<[u8]> = Arc::from(serde_json::to_vec(&body).unwrap_or_default());
        let key_bytes = encoding::key_bytes(&key);
        let content = body.raw.as_bytes();
        Prepared {
            place,
            key: self.cell_key(&key.billing_account, used_at),
            report: Report::of(&key, None),
            entry: Entry::new(
                EntryKind::UNREADABLE,
                key_bytes,
                content,
                Arc::clone(&payload),
                &self.hash_key,
            ),
            payload,
            verdict: Verdict::Quarantined { reason, field },
        }
    }

    /// Hands a batch to the shard's writer. What becomes durable enters its cell before the answer.
    #[expect(clippy::type_complexity, reason = "places and verdicts travel beside the answer")]
    fn append(
        self: &Arc<Self>,
        shard: u16,
        batch: Vec<Prepared>,
        acknowledged_at: Instant,
    ) -> (
        Vec<(usize, Verdict)>,
        tokio::sync::oneshot::Receiver<std::result::Result<Vec<Placed>, Arc<LogError>>>,
    ) {
        let (tell, answer) = tokio::sync::oneshot::channel();
        let mut places = Vec::with_capacity(batch.len());
        let mut entries = Vec::with_capacity(batch.len());
        let mut kept = Vec::with_capacity(batch.len());
        let mut reports = Vec::with_capacity(batch.len());
        for one in batch {
            reports.push(one.report);
            places.push((one.place, one.verdict));
            kept.push((one.key, one.entry.kind, one.payload));
            entries.push(one.entry);
        }
        let this = Arc::clone(self);
        let done = move |result: std::result::Result<Vec<Placed>, Arc<LogError>>| {
            if let Ok(placed) = &result {
                this.watermarks.raise(reports, acknowledged_at);
                for ((key, kind, payload), placed) in kept.into_iter().zip(placed) {
                    let (position, conflict_of) = match placed {
                        Placed::New(position) => (*position, None),
                        Placed::Conflict { first, kept } => (*kept, Some(*first)),
                        Placed::Duplicate(_) | Placed::ConflictAgain(_) => continue,
                    };
                    let record =
                        TailRecord { position, acknowledged_at, kind, conflict_of, payload };
                    this.cells.push(key, record);
                }
            }
            // The sender may have gone away; what is durable stays.
            let _ = tell.send(result);
        };
        self.log.append(shard, entries, acknowledged_at, Box::new(done));
        (places, answer)
    }

    /// Waits while far more records wait to be sealed than memory is meant for.
    async fn wait_for_room(self: &Arc<Self>) -> Result<()> {
        if self.cells.tail_records() > self.config.limits.tail_records.saturating_mul(2) {
            self.seal().await?;
        }
        Ok(())
    }
}

/// Whether a record can be rated by what is declared now. Rating itself decides later; this tells
/// the sender at once.
pub(crate) fn judge(declared: &Declared, record: &UsageRecord, now: Instant) -> Verdict {
    match quarantine_reason(declared, record, now) {
        None => Verdict::Accepted,
        Some((reason, field)) => Verdict::Quarantined { reason, field },
    }
}

fn quarantine_reason(
    declared: &Declared,
    record: &UsageRecord,
    now: Instant,
) -> Option<(QuarantineReason, &'static str)> {
    if matches!(record.act, Act::Withdraw(_)) || record.billable == Billable::No {
        return None;
    }
    if let Some(fault) = record.fault(now) {
        return Some(fault);
    }
    let used_at = record.service_period.start();
    let placement = declared
        .company
        .subscriptions
        .get(&record.subscription)
        .and_then(|subscription| subscription.placement_at(used_at))
        .filter(|placement| placement.billing_account == record.key.billing_account);
    let Some(placement) = placement else {
        return Some((QuarantineReason::NoSubscription, "subscription"));
    };
    if record.stated_cost.is_some() {
        return None;
    }
    if !declared.company.meters.contains_key(&record.meter) {
        return Some((QuarantineReason::UnknownMeter, "meter"));
    }
    declared.book.find(record, placement).err().map(|reason| (reason, "meter"))
}

fn taken_of(verdict: Verdict, placed: Placed) -> (Verdict, Position) {
    match placed {
        Placed::New(position) => (verdict, position),
        Placed::Duplicate(position) => (Verdict::Duplicate, position),
        Placed::Conflict { kept, .. } => (Verdict::Conflict, kept),
        Placed::ConflictAgain(position) => (Verdict::Conflict, position),
    }
}

/// An error of the log, in the domain's words.
pub(crate) fn log_error(error: &Arc<LogError>) -> Error {
    match &**error {
        LogError::Busy { .. } | LogError::Unavailable { .. } => {
            let problem = "the usage log is busy; try again in a second".to_owned();
            return Error::Unavailable { problem };
        }
        LogError::Full { .. } => {
            let problem = "the disk is full; usage is refused until there is room".to_owned();
            return Error::Unavailable { problem };
        }
        LogError::TooLarge { what, size_bytes, most_bytes } => {
            let problem = format!("is {size_bytes} bytes; at most {most_bytes} are kept");
            return Error::invalid(*what, problem);
        }
        _ => {}
    }
    Error::internal("append to the usage log", Arc::clone(error))
}
