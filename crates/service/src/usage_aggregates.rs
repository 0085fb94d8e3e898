//! Usage aggregates: quantities of a subscription by meter and bucket of time, without prices.

use crate::pages::{PageToken, Pin};
use crate::{Inner, Reckoner, codes, rated_rows};
use async_recursion::async_recursion as boxed;
use calendar::{Instant, Interval, MICROS_PER_DAY, MICROS_PER_HOUR};
use domain::access::{Action, Caller, Scope};
use domain::company::Subscription;
use domain::ids::{MeterId, SubscriptionId};
use domain::rated::RatedRow;
use domain::usage::{ChargeCategory, Dimension, Position};
use domain::{Error, Result};
use engine::{Filter, Value};
use money::Fixed18;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a bucket of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// UTC days.
    Daily,
    /// UTC hours.
    Hourly,
}

/// Whether rows tell instances apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageDetail {
    /// One row for each instance.
    Shown,
    /// One row for each meter and bucket.
    Hidden,
}

/// Which usage.
#[derive(Debug, Clone)]
pub struct UsageAsked {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Reported in this interval.
    pub reported: Interval,
    /// In buckets of this length.
    pub granularity: Granularity,
    /// Down to instances or not.
    pub detail: UsageDetail,
    /// Where to go on reading, as an earlier page said.
    pub token: Option<String>,
}

/// The quantity of one meter in one bucket of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageAggregate {
    /// Of what.
    pub meter: MeterId,
    /// When it was used.
    pub bucket: Interval,
    /// When it was reported; the latest of what was added up.
    pub reported_at: Instant,
    /// How much, in the meter's unit.
    pub quantity: Fixed18,
    /// What was used; empty where details are hidden.
    pub resource: String,
    /// Where; none where details are hidden.
    pub location: Option<String>,
    /// Free tags; none where details are hidden.
    pub tags: BTreeMap<String, String>,
    /// The source's own details: its names always, the instance's only where details are shown.
    pub details: Option<String>,
}

/// Some usage, and where to go on.
#[derive(Debug, Clone)]
pub struct UsagePage {
    /// The rows.
    pub rows: Vec<UsageAggregate>,
    /// A token for the next page, if there is one.
    pub next: Option<String>,
}

/// A row of a pinned answer.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    meter: String,
    start: i64,
    end: i64,
    reported: i64,
    quantity: String,
    resource: String,
    location: Option<String>,
    tags: BTreeMap<String, String>,
    details: Option<String>,
}

impl Reckoner {
    /// Lists usage of a subscription by when it was reported. Later pages come from the answer as
    /// it was when the first was asked for.
    ///
    /// Errors: [`Error::NotFound`] for a subscription the caller may not see, [`Error::Forbidden`],
    /// [`Error::NotReady`] while a source may still report into the interval, [`Error::Invalid`]
    /// for a token of another question.
    #[boxed]
    pub async fn usage_aggregates(&self, caller: &Caller, asked: &UsageAsked) -> Result<UsagePage> {
        let scope = Scope::Subscription(asked.subscription.clone());
        self.demand(caller, Action::ReadUsage, &scope).await?;
        let (owner, question) = (caller.actor(), question(asked));
        if let Some(token) = &asked.token {
            let token = PageToken::parse("continuationToken", token)?;
            return self.usage_page(&token, &owner, &question).await;
        }
        let declared = self.0.declared();
        if !self.0.is_complete(&declared.company, &asked.subscription, asked.reported) {
            return Err(Error::NotReady { until: asked.reported.end() });
        }
        // Before the rows are read: they may be newer than this says, never older.
        let stood_at = self.0.stood_at(asked);
        let pin = Pin { owner: owner.clone(), asked: question.clone(), stood_at };
        if let Some(id) = self.0.pinned(&pin).await? {
            return self.usage_page(&PageToken { id, page: 0 }, &owner, &question).await;
        }
        let rows = self.0.reported_rows(asked).await?;
        let asked = asked.clone();
        let aggregates = crate::blocking(move || aggregate(&rows, &asked)).await?;
        if aggregates.len() as u64 <= self.limits().page_rows {
            return Ok(UsagePage { rows: aggregates, next: None });
        }
        let lines = aggregates.iter().map(line_of).collect::<Result<Vec<_>>>()?;
        let id = self.0.pin(&pin, lines).await?;
        self.usage_page(&PageToken { id, page: 0 }, &owner, &question).await
    }

    async fn usage_page(
        &self,
        token: &PageToken,
        owner: &str,
        question: &str,
    ) -> Result<UsagePage> {
        let page = self.0.page("continuationToken", token, owner, question).await?;
        let rows = page.lines.iter().map(|line| aggregate_of(line)).collect::<Result<_>>()?;
        Ok(UsagePage { rows, next: page.next.map(|token| token.to_string()) })
    }
}

impl Inner {
    /// The buckets of all who ever pay for a subscription.
    fn buckets_of(&self, subscription: &Subscription) -> BTreeSet<u16> {
        subscription.placements.iter().map(|p| self.bucket_of(&p.billing_account)).collect()
    }

    /// What the answer is made of: the facts, and the usage in the cells that can hold any of it.
    fn stood_at(&self, asked: &UsageAsked) -> String {
        let declared = self.declared();
        let subscription = declared.company.subscriptions.get(&asked.subscription);
        let buckets = subscription.map(|one| self.buckets_of(one)).unwrap_or_default();
        let mut stood_at = format!("{}", declared.version());
        for (key, cell) in self.cells.all() {
            if buckets.contains(&key.bucket) {
                let end = cell.state().end_sequence();
                stood_at.push_str(&format!(" {}/{}:{end}", key.period, key.bucket));
            }
        }
        blake3::hash(stood_at.as_bytes()).to_hex().to_string()
    }

    /// Rated rows of a subscription that were reported in an interval.
    async fn reported_rows(self: &Arc<Self>, asked: &UsageAsked) -> Result<Vec<RatedRow>> {
        let declared = self.declared();
        let Some(subscription) = declared.company.subscriptions.get(&asked.subscription) else {
            return Ok(Vec::new());
        };
        let buckets = self.buckets_of(subscription);
        let mut inputs = Vec::new();
        for (key, _) in self.cells.all() {
            if buckets.contains(&key.bucket) {
                inputs.extend(self.refresh(key).await?.rows());
            }
        }
        let Some(code) = self.codes.find(codes::SUBSCRIPTION, asked.subscription.as_str()) else {
            return Ok(Vec::new());
        };
        let usage = rated_rows::place_of(&ChargeCategory::ALL, &ChargeCategory::Usage);
        let is =
            |column, code: i32| Filter::In { column, values: vec![Value::Int(i64::from(code))] };
        let filters = vec![
            is("subscription", code),
            is("category", usage),
            Filter::Between {
                column: "reported",
                from: asked.reported.start().micros(),
                until: asked.reported.end().micros(),
            },
            Filter::Not(Box::new(Filter::IsNull("sequence"))),
        ];
        self.rated_rows(inputs, filters).await
    }
}

/// What a continuation token is good for.
fn question(asked: &UsageAsked) -> String {
    let UsageAsked { subscription, reported, granularity, detail, token: _ } = asked;
    format!("usage {subscription} {reported:?} {granularity:?} {detail:?}")
}

/// What makes rows one aggregate. A record that fills its bucket or more is one already.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct AggregateKey {
    bucket: (Instant, Instant),
    meter: MeterId,
    resource: String,
    location: Option<String>,
    tags: BTreeMap<String, String>,
    details: Option<String>,
    record: Option<Position>,
}

/// What rows of one aggregate add up to.
struct AggregateSum {
    quantity: Fixed18,
    /// When the newest of them was reported, and the source's names in it.
    newest: (Instant, Option<String>),
}

fn aggregate(rows: &[RatedRow], asked: &UsageAsked) -> Result<Vec<UsageAggregate>> {
    let mut sums: BTreeMap<AggregateKey, AggregateSum> = BTreeMap::new();
    for row in rows {
        let newest = (row.reported_at, names_of(row, asked.detail)?);
        let sum = sums
            .entry(key_of(row, asked)?)
            .or_insert_with(|| AggregateSum { quantity: Fixed18::ZERO, newest: newest.clone() });
        sum.quantity = sum
            .quantity
            .checked_add(row.quantity)
            .map_err(|e| Error::money(format!("add up usage of meter `{}`", row.meter), e))?;
        if sum.newest < newest {
            sum.newest = newest;
        }
    }
    sums.into_iter().map(|(key, sum)| aggregate_from(key, sum)).collect()
}

fn aggregate_from(key: AggregateKey, sum: AggregateSum) -> Result<UsageAggregate> {
    let AggregateKey { bucket, meter, resource, location, tags, details, record: _ } = key;
    let AggregateSum { quantity, newest: (reported_at, names) } = sum;
    let details = details.or(names);
    let bucket = Interval::new(bucket.0, bucket.1).map_err(|e| Error::internal("read usage", e))?;
    Ok(UsageAggregate { meter, bucket, reported_at, quantity, resource, location, tags, details })
}

/// What a source says of the meter, not of the instance: `commerce.md` section 2.2.
const NAMES: [&str; 5] = ["meterName", "meterCategory", "meterSubCategory", "meterRegion", "unit"];

/// The source's own names of the meter, where instances are not told apart: a meter must not have
/// one name with details and another without.
fn names_of(row: &RatedRow, detail: UsageDetail) -> Result<Option<String>> {
    let Some(details) = row.details.as_deref().filter(|_| detail == UsageDetail::Hidden) else {
        return Ok(None);
    };
    let failed = |e| Error::internal("read the details of usage", e);
    let mut names: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(details).map_err(failed)?;
    names.retain(|name, _| NAMES.contains(&name.as_str()));
    if names.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&names).map(Some).map_err(failed)
}

fn key_of(row: &RatedRow, asked: &UsageAsked) -> Result<AggregateKey> {
    let granule = match asked.granularity {
        Granularity::Daily => MICROS_PER_DAY,
        Granularity::Hourly => MICROS_PER_HOUR,
    };
    let is_aggregate = row.service_period.micros() >= granule;
    let bucket = if is_aggregate { row.service_period } else { bucket_of(row, asked.granularity)? };
    let bucket = (bucket.start(), bucket.end());
    let meter = row.meter.clone();
    Ok(match asked.detail {
        UsageDetail::Shown => AggregateKey {
            bucket,
            meter,
            resource: row.resource.clone(),
            location: row.dimensions.get(&Dimension::Location).cloned(),
            tags: row.tags.clone(),
            details: row.details.clone(),
            record: row.position.filter(|_| is_aggregate),
        },
        UsageDetail::Hidden => AggregateKey {
            bucket,
            meter,
            resource: String::new(),
            location: None,
            tags: BTreeMap::new(),
            details: None,
            record: None,
        },
    })
}

fn bucket_of(row: &RatedRow, granularity: Granularity) -> Result<Interval> {
    let start = row.service_period.start();
    let (start, length) = match granularity {
        Granularity::Daily => (start.start_of_day(), MICROS_PER_DAY),
        Granularity::Hourly => (start.start_of_hour(), MICROS_PER_HOUR),
    };
    Interval::new(start, start.plus_micros(length)).map_err(|e| Error::internal("read usage", e))
}

fn line_of(row: &UsageAggregate) -> Result<String> {
    let row = row.clone();
    let line = Line {
        meter: row.meter.to_string(),
        start: row.bucket.start().micros(),
        end: row.bucket.end().micros(),
        reported: row.reported_at.micros(),
        quantity: row.quantity.to_string(),
        resource: row.resource,
        location: row.location,
        tags: row.tags,
        details: row.details,
    };
    serde_json::to_string(&line).map_err(|e| Error::internal("pin an answer", e))
}

fn aggregate_of(line: &str) -> Result<UsageAggregate> {
    let line: Line = serde_json::from_str(line).map_err(|e| Error::internal("read a page", e))?;
    let (start, end) = (Instant::from_micros(line.start), Instant::from_micros(line.end));
    Ok(UsageAggregate {
        meter: MeterId::new(&line.meter)?,
        bucket: Interval::new(start, end).map_err(|e| Error::internal("read a page", e))?,
        reported_at: Instant::from_micros(line.reported),
        quantity: Fixed18::parse(&line.quantity).map_err(|e| Error::money("read a page", e))?,
        resource: line.resource,
        location: line.location,
        tags: line.tags,
        details: line.details,
    })
}
