//! Importing files of usage: one extract of a source, billing account and span of days at a time.
//!
//! Rows are made durable first and count for nothing yet; one fact then makes the extract the
//! newest of its span. A crash before that fact leaves everything as it was.

use crate::declared::{EXTRACT, ExtractBody};
use crate::intake::{Incoming, judge, may_send_as};
use crate::superseded::NewExtract;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{Day, Instant};
use domain::access::{Action, Caller, Scope};
use domain::company::{Company, Costing};
use domain::ids::{BillingAccountId, RecordId, SourceName};
use domain::resolve::{Axis, ExtractView};
use domain::usage::{
    Act, Billable, ChargeCategory, Origin, QuarantineReason, RecordKey, UsageRecord, Verdict,
};
use domain::{Error, Result, encoding};
use importers::ImportedRow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use store::{Deed, NewFact};

/// What an import is told besides the rows.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// As which source.
    pub source: SourceName,
    /// For which billing account; by who pays for each row's subscription if none.
    pub billing_account: Option<BillingAccountId>,
    /// Which days the file covers, half-open; from its first row's to its last row's if none.
    pub days: Option<Range<Day>>,
    /// What its days count by.
    pub axis: Axis,
    /// The file's name, for the record.
    pub file: String,
    /// Hash of the file, for the record.
    pub file_hash: String,
}

/// What an import would do to one billing account.
#[derive(Debug, Clone)]
pub struct ImportPlan {
    /// The account.
    pub billing_account: BillingAccountId,
    /// The days covered, half-open.
    pub days: Range<Day>,
    /// Rows of the file.
    pub rows: u64,
    /// Rows that are not known yet.
    pub new: u64,
    /// Rows known from an earlier extract.
    pub known: u64,
    /// Records of earlier extracts that count on these days and that this one has not: they stop
    /// counting.
    pub left_out: u64,
    /// Rows that would wait in quarantine by what is declared now, by reason and field.
    pub waiting: BTreeMap<(QuarantineReason, &'static str), u64>,
    /// Number of the extract of the same rows and days that is the newest already, if there is one.
    pub same_as: Option<u64>,
    records: Vec<UsageRecord>,
    members: Vec<u128>,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Extracts committed.
    pub extracts: u64,
    /// Rows that were new.
    pub new: u64,
    /// Rows that were known.
    pub known: u64,
    /// Rows that wait in quarantine.
    pub quarantined: u64,
}

/// An extract whose fact has been read.
#[derive(Debug, Clone)]
pub(crate) struct Extract {
    pub(crate) id: u64,
    pub(crate) source: SourceName,
    pub(crate) axis: Axis,
    pub(crate) days: Range<Day>,
    pub(crate) members: Vec<u128>,
}

impl Extract {
    /// As the rules see it.
    pub(crate) fn view(&self) -> ExtractView<'_> {
        ExtractView {
            id: self.id,
            source: &self.source,
            axis: self.axis,
            days: self.days.clone(),
            members: &self.members,
        }
    }
}

impl Reckoner {
    /// Says what importing rows would do; changes nothing.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`], [`Error::TooMuch`],
    /// [`Error::Invalid`] for a row whose billing account cannot be told.
    #[boxed]
    pub async fn plan_import(
        &self,
        caller: &Caller,
        options: &ImportOptions,
        rows: Vec<ImportedRow>,
    ) -> Result<Vec<ImportPlan>> {
        let most = self.limits().import_records;
        if rows.len() as u64 > most {
            return Err(Error::TooMuch {
                limit: "rows of an import",
                most,
                key: "limits.import_records",
            });
        }
        let declared = self.0.refresh_declared().await?;
        let mut by_account: BTreeMap<BillingAccountId, Vec<UsageRecord>> = BTreeMap::new();
        for row in rows {
            let record = record_of(&declared.company, options, row)?;
            by_account.entry(record.key.billing_account.clone()).or_default().push(record);
        }
        if let (true, Some(account), Some(_)) =
            (by_account.is_empty(), &options.billing_account, &options.days)
        {
            // An empty file that names its account and days says that nothing was used.
            by_account.insert(account.clone(), Vec::new());
        }
        let mut plans = Vec::with_capacity(by_account.len());
        for (account, records) in by_account {
            self.may_import(&declared.company, caller, &account, &options.source)?;
            let (inner, facts) = (Arc::clone(&self.0), Arc::clone(&declared));
            let told = options.clone();
            let plan = move || inner.plan_extract(&facts, &told, account, records);
            let mut plan = crate::blocking(plan).await?;
            let (account, days, members) = (&plan.billing_account, &plan.days, &plan.members);
            let new = NewExtract { account, options, days, members };
            plan.left_out = self.0.left_out(&declared, &new).await?;
            plans.push(plan);
        }
        Ok(plans)
    }

    fn may_import(
        &self,
        company: &Company,
        caller: &Caller,
        account: &BillingAccountId,
        source: &SourceName,
    ) -> Result<()> {
        let scope = Scope::Account(account.clone());
        domain::access::demand_at(company, caller, Action::ImportUsage, &scope, self.now())?;
        let Some(declared) = company.sources.get(source) else {
            return Err(Error::invalid("source", format!("`{source}` is not declared")));
        };
        if !declared.billing_accounts.contains(account) {
            let problem = format!("`{source}` is not declared to send for `{account}`");
            return Err(Error::invalid("source", problem));
        }
        may_send_as(company, self.now(), caller, (account, source))
    }

    /// Carries an import out: rows first, then one fact for each account that makes them count.
    ///
    /// `progress` is told (rows done, rows in all).
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`], [`Error::Unavailable`];
    /// [`Error::Invalid`] for a row larger than `limits.record_bytes`: nothing of its account
    /// counts then.
    #[boxed]
    pub async fn import(
        &self,
        caller: &Caller,
        options: &ImportOptions,
        plans: Vec<ImportPlan>,
        request_id: &str,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Imported> {
        let declared = self.0.declared();
        let total = plans.iter().map(|plan| plan.rows).sum();
        let mut done = 0;
        let mut imported = Imported::default();
        for plan in plans {
            self.may_import(&declared.company, caller, &plan.billing_account, &options.source)?;
            let batch = usize::try_from(self.limits().batch_records).unwrap_or(usize::MAX).max(1);
            for records in plan.records.chunks(batch) {
                let incoming = records.iter().cloned().map(|r| Incoming::Record(Box::new(r)));
                let taken = self.0.take_in(incoming.collect()).await?;
                for (record, taken) in records.iter().zip(taken) {
                    // Its extract would list what is not there; without one nothing counts.
                    if let Verdict::Rejected { field, problem } = taken.verdict {
                        let field = format!("{field} `{}`", record.key.id);
                        return Err(Error::invalid(field, problem));
                    }
                    count(&mut imported, &taken.verdict);
                }
                done += records.len() as u64;
                progress(done, total);
            }
            if plan.same_as.is_none() {
                self.commit_extract(caller, options, &plan, request_id).await?;
                imported.extracts += 1;
            }
        }
        Ok(imported)
    }

    async fn commit_extract(
        &self,
        caller: &Caller,
        options: &ImportOptions,
        plan: &ImportPlan,
        request_id: &str,
    ) -> Result<()> {
        let bytes: Vec<u8> = plan.members.iter().flat_map(|member| member.to_be_bytes()).collect();
        let members_hash = blake3::hash(&bytes).to_hex().to_string();
        let members_path = format!("extracts/{members_hash}.keys");
        let failed = crate::engine_failed;
        self.0
            .engine
            .put(&members_path, bytes.into())
            .await
            .map_err(failed("keep the members of an extract"))?;
        let body = ExtractBody {
            source: options.source.to_string(),
            billing_account: plan.billing_account.to_string(),
            axis: axis_name(options.axis).to_owned(),
            from_day: plan.days.start.number(),
            until_day: plan.days.end.number(),
            file: options.file.clone(),
            file_hash: options.file_hash.clone(),
            rows: plan.rows,
            members_path,
            members_hash,
        };
        let body =
            serde_json::to_string(&body).map_err(|e| Error::internal("write an extract", e))?;
        let key = format!("{}/{}", options.source, plan.billing_account);
        let fact = NewFact { kind: EXTRACT.to_owned(), key, effective_from: Instant::MIN, body };
        let note = self.note(caller, &format!("import {}", options.file), request_id);
        let declared = self.0.refresh_declared().await?;
        let target = format!(
            "usage of {}/{}, days {} to {}",
            plan.billing_account, options.source, plan.days.start, plan.days.end
        );
        let deed = Deed { action: "usage.import", target, closes: None };
        self.0.append_facts(&declared, vec![fact], (note, deed)).await?;
        Ok(())
    }
}

fn count(imported: &mut Imported, verdict: &Verdict) {
    use Verdict::{Accepted, Conflict, Duplicate, Quarantined, Rejected};
    match verdict {
        Accepted => imported.new += 1,
        Duplicate | Conflict | Rejected { .. } => imported.known += 1,
        Quarantined { .. } => {
            imported.new += 1;
            imported.quarantined += 1;
        }
    }
}

impl Inner {
    fn plan_extract(
        &self,
        declared: &crate::declared::Declared,
        options: &ImportOptions,
        billing_account: BillingAccountId,
        records: Vec<UsageRecord>,
    ) -> Result<ImportPlan> {
        let days = match &options.days {
            Some(days) => days.clone(),
            None => days_of(options.axis, &records),
        };
        check_days(options.axis, &days, &records)?;
        let shard = self.shard_of(self.bucket_of(&billing_account));
        let mut members = BTreeSet::new();
        let mut known = 0;
        for record in &records {
            let key = encoding::key_bytes(&record.key);
            let hash = usagelog::key_hash(&self.hash_key, &key);
            let found = self.log.find(shard, hash, &key);
            if found.map_err(|e| crate::intake::log_error(&Arc::new(e)))?.is_some() {
                known += 1;
            }
            members.insert(hash);
        }
        let members: Vec<u128> = members.into_iter().collect();
        let earlier = declared.extracts_of(&billing_account).iter();
        let earlier: Vec<_> =
            earlier.filter(|e| e.source == options.source && e.axis == options.axis).collect();
        let same_as = earlier
            .last()
            .filter(|newest| newest.days == days && newest.members == members)
            .map(|newest| newest.id);
        let rows = records.len() as u64;
        Ok(ImportPlan {
            billing_account,
            days,
            rows,
            new: rows.saturating_sub(known),
            known,
            left_out: 0,
            waiting: self.waiting_rows(declared, &records),
            same_as,
            records,
            members,
        })
    }
}

impl Inner {
    /// How many rows cannot be rated by what is declared now, and why.
    fn waiting_rows(
        &self,
        declared: &crate::declared::Declared,
        records: &[UsageRecord],
    ) -> BTreeMap<(QuarantineReason, &'static str), u64> {
        let now = self.clocks.business.now();
        let mut waiting = BTreeMap::new();
        for record in records {
            if let Verdict::Quarantined { reason, field } = judge(declared, record, now) {
                *waiting.entry((reason, field)).or_insert(0) += 1;
            }
        }
        waiting
    }
}

/// The day of a record on an axis.
pub(crate) fn day_of(axis: Axis, record: &UsageRecord) -> Day {
    match axis {
        Axis::Usage => record.service_period.start().day(),
        Axis::Reported => record.reported_at.unwrap_or(record.service_period.start()).day(),
    }
}

fn days_of(axis: Axis, records: &[UsageRecord]) -> Range<Day> {
    let days = || records.iter().map(|record| day_of(axis, record));
    match (days().min(), days().max()) {
        (Some(first), Some(last)) => first..last.next(),
        _ => Day::from_number(0)..Day::from_number(0),
    }
}

fn check_days(axis: Axis, days: &Range<Day>, records: &[UsageRecord]) -> Result<()> {
    match records.iter().find(|record| !days.contains(&day_of(axis, record))) {
        None => Ok(()),
        Some(record) => {
            let day = day_of(axis, record);
            let problem =
                format!("the file has a row of {day}, outside the days that it shall cover");
            Err(Error::invalid("days", problem))
        }
    }
}

/// Hash of some files' bytes, one after the other, in hexadecimal digits.
///
/// Errors: [`Error::Internal`] when one cannot be read.
pub fn hash_of_files(paths: &[impl AsRef<std::path::Path>]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for path in paths.iter().map(AsRef::as_ref) {
        let failed = |e| Error::internal(format!("read {}", path.display()), e);
        let mut file = std::fs::File::open(path).map_err(failed)?;
        std::io::copy(&mut file, &mut hasher).map_err(failed)?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Binds a row to its billing account and to the source's way of costing.
fn record_of(company: &Company, options: &ImportOptions, row: ImportedRow) -> Result<UsageRecord> {
    let used_at = row.service_period.start();
    let payer = company
        .subscriptions
        .get(&row.subscription)
        .and_then(|subscription| subscription.placement_at(used_at))
        .map(|placement| placement.billing_account.clone());
    let Some(billing_account) = options.billing_account.clone().or(payer) else {
        let problem = format!(
            "row {}: nobody pays for subscription `{}` at {used_at}; declare it or name the \
             billing account",
            row.line, row.subscription
        );
        return Err(Error::invalid("subscription", problem));
    };
    let passed = company
        .sources
        .get(&options.source)
        .is_some_and(|source| source.costing == Costing::PassedThrough);
    let stated_cost = row.stated_cost.filter(|_| passed || row.category != ChargeCategory::Usage);
    Ok(UsageRecord {
        key: RecordKey {
            billing_account,
            source: options.source.clone(),
            id: RecordId::new(&row.identity)?,
        },
        act: Act::Use,
        subscription: row.subscription,
        resource: row.resource,
        meter: row.meter.id,
        quantity: row.quantity,
        service_period: row.service_period,
        reported_at: row.reported_at,
        dimensions: row.dimensions,
        tags: row.tags,
        category: row.category,
        billable: Billable::Yes,
        stated_cost,
        details: row.details,
        origin: Origin::Extract,
    })
}

pub(crate) fn axis_name(axis: Axis) -> &'static str {
    match axis {
        Axis::Usage => "usage",
        Axis::Reported => "reported",
    }
}

/// Reads [`axis_name`].
pub(crate) fn axis_of(name: &str) -> Result<Axis> {
    match name {
        "usage" => Ok(Axis::Usage),
        "reported" => Ok(Axis::Reported),
        other => Err(Error::internal("read an extract", format!("no axis `{other}`"))),
    }
}

/// Reads the members that an extract's object holds.
pub(crate) fn members_of(bytes: &[u8]) -> Result<Vec<u128>> {
    let (members, rest) = bytes.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(Error::internal("read the members of an extract", "the object is cut off"));
    }
    Ok(members.iter().map(|member| u128::from_be_bytes(*member)).collect())
}
