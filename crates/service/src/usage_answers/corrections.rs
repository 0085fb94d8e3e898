//! What closed months were short of, or had too much, told in the month that bills it.
//!
//! An invoice's correction says of which subscription and meter, and how much; what was used where
//! is told by the rows behind it: those that the billing close saw of the earlier month, less those
//! of the close before. A close says up to where it saw its own month; of earlier months it saw what
//! was acknowledged by then. Where that leaves a difference to what was billed, the difference is a
//! row of its own without a quantity, so that a month's rows come to what its invoice charges,
//! whatever they are told by.
//!
//! The first open month behind the closed ones has what no close has billed yet.

use super::Asking;
use super::accounts::pieces_behind;
use super::groups::{Adding, Sign};
use super::months::AnswerBooks;
use crate::declared::Declared;
use crate::rated_rows::place_of;
use crate::rating::{Source, View};
use crate::{Grain, Inner, codes, rated_rows, roll_ups, usage_rows};
use calendar::{BillingPeriod, Instant, Interval};
use domain::closes::{Part, PartKind, Share};
use domain::delivery::Sent;
use domain::ids::{BillingAccountId, MeterId, SubscriptionId};
use domain::invoice::{Invoice, LineKey};
use domain::rated::{RatedRow, RowKind};
use domain::usage::ChargeCategory;
use domain::{Error, Result};
use engine::{Filter, Group, Input, Measure, Query, Value};
use money::{Cost, Currency, Fixed18};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Exact costs of usage in major units, as lines of invoices tell it apart.
type Costs = BTreeMap<(SubscriptionId, MeterId, Currency), Fixed18>;

/// The usage and facts that somebody saw.
struct Seen {
    declared: Arc<Declared>,
    /// Usage before this sequence of the shard.
    end_sequence: u64,
}

impl Inner {
    /// Adds what a month bills of earlier months.
    pub(super) async fn add_corrections(
        self: &Arc<Self>,
        asking: &Asking<'_>,
        books: &AnswerBooks,
        month: BillingPeriod,
        adding: &mut Adding,
    ) -> Result<()> {
        let account = &asking.sight.billing_account;
        let closed = books.closes.get(&month);
        let short = match closed {
            Some(_) => billed_in(&books.sent, account, month)?,
            None if books.next_to_close() == Some(month) => {
                self.still_short(account, &books.sent).await?
            }
            None => return Ok(()),
        };
        let Some((last, before)) = books.closes.range(..month).next_back() else { return Ok(()) };
        for (earlier, costs) in short.into_iter().filter(|(earlier, _)| earlier <= last) {
            let of = (account, earlier);
            let mut before = self.seen_by(of, (before.close.company_version, before.close.at)).await?;
            if *last == earlier
                && let Some(own) = books.closes.get(last)
            {
                before.end_sequence = own.close.end_sequence;
            }
            let after = match closed {
                Some(now) => self.seen_by(of, (now.close.company_version, now.close.at)).await?,
                None => Seen { declared: self.declared(), end_sequence: u64::MAX },
            };
            self.add_difference(asking, (earlier, month), costs, [before, after], adding).await?;
        }
        Ok(())
    }

    /// What a close saw of an earlier month: by what was declared up to a fact, the records that
    /// were acknowledged by a moment.
    async fn seen_by(
        self: &Arc<Self>,
        (account, earlier): (&BillingAccountId, BillingPeriod),
        (version, at): (u64, Instant),
    ) -> Result<Seen> {
        let declared = self.declared_at(version).await?;
        let state = self.cells.cell(self.cell_of(account, earlier)).state().clone();
        let newer = state.tail.iter().filter(|record| record.acknowledged_at > at);
        let mut first = newer.map(|record| record.position.sequence).min().unwrap_or(u64::MAX);
        let inputs: Vec<Input> =
            state.usage.iter().map(|file| Input::file(Arc::clone(&file.facts))).collect();
        if !inputs.is_empty() {
            let from = at.micros().saturating_add(1);
            let query = Query {
                schema: usage_rows::schema()?,
                inputs,
                filters: vec![Filter::Between { column: "acknowledged", from, until: i64::MAX }],
                group_by: Vec::new(),
                measures: vec![Measure::Min { column: "sequence", name: "first" }],
                order_by: Vec::new(),
                limit: None,
                max_groups: 1,
            };
            let failed = crate::engine_failed("look for late usage");
            let rows = self.engine.query(&query).await.map_err(&failed)?;
            let rows = rows.into_rows().map_err(&failed)?;
            let sealed = rows.i64("first").map_err(&failed)?.get(0);
            let sealed = sealed.and_then(|sequence| u64::try_from(sequence).ok());
            first = first.min(sealed.unwrap_or(u64::MAX));
        }
        Ok(Seen { declared, end_sequence: first })
    }

    /// What closed months are short of by now, and no close has billed.
    async fn still_short(
        self: &Arc<Self>,
        account: &BillingAccountId,
        sent: &Sent,
    ) -> Result<BTreeMap<BillingPeriod, Costs>> {
        let mut all = BTreeMap::new();
        let closed = self.closed_periods(&self.declared(), account).await?.into_iter();
        for closed in closed.filter(|closed| closed.has_changed) {
            let view = self.refresh(self.cell_of(account, closed.period)).await?;
            let mut costs = self.costs_of(account, &view).await?;
            if !take_billed(&mut costs, sent, (account, closed.period))? {
                continue;
            }
            costs.retain(|_, cost| !cost.is_zero());
            if !costs.is_empty() {
                all.insert(closed.period, costs);
            }
        }
        Ok(all)
    }

    /// What an account's usage in a view costs.
    async fn costs_of(&self, account: &BillingAccountId, view: &View) -> Result<Costs> {
        let mut costs = Costs::new();
        let Some(account) = self.codes.find(codes::ACCOUNT, account.as_str()) else {
            return Ok(costs);
        };
        let written = (roll_ups::schema(Grain::Month)?, view.written(Grain::Month));
        let newer = (rated_rows::schema()?, view.newer());
        for source in [written, newer] {
            self.add_costs(account, source, &mut costs).await?;
        }
        Ok(costs)
    }

    async fn add_costs(
        &self,
        account: i32,
        (schema, inputs): Source,
        costs: &mut Costs,
    ) -> Result<()> {
        if inputs.is_empty() {
            return Ok(());
        }
        let is = |column, value: i32| {
            let values = vec![Value::Int(i64::from(value))];
            Filter::In { column, values }
        };
        let unused = is("kind", place_of(&RowKind::ALL, &RowKind::Unused));
        let adjusted = ChargeCategory::Adjustment;
        let adjusted = is("category", place_of(&ChargeCategory::ALL, &adjusted));
        let keys = ["subscription", "meter", "currency"];
        let query = Query {
            schema,
            inputs,
            filters: vec![
                is("account", account),
                Filter::Not(Box::new(unused)),
                Filter::Not(Box::new(adjusted)),
            ],
            group_by: keys.into_iter().map(Group::Column).collect(),
            measures: vec![Measure::Sum("cost")],
            order_by: Vec::new(),
            limit: None,
            max_groups: u64::MAX,
        };
        let failed = crate::engine_failed("add a closed month up");
        let answer = self.engine.query(&query).await.map_err(&failed)?;
        for rows in &answer.parts {
            let [subscription, meter, currency] = keys.map(|key| rows.i32(key));
            let subscription = subscription.map_err(&failed)?;
            let (meter, currency) = (meter.map_err(&failed)?, currency.map_err(&failed)?);
            let cost = rows.decimal("cost").map_err(&failed)?;
            for at in 0..rows.len() {
                let value = |kind, code: Option<i32>| {
                    let null = || Error::internal("add a closed month up", "a code is null");
                    self.codes.value(kind, code.ok_or_else(null)?)
                };
                let key = (
                    SubscriptionId::new(&value(codes::SUBSCRIPTION, subscription.get(at))?)?,
                    MeterId::new(&value(codes::METER, meter.get(at))?)?,
                    Currency::parse(&value(codes::CURRENCY, currency.get(at))?).map_err(failure)?,
                );
                let major = Fixed18::from_atoms(cost.get(at).unwrap_or_default());
                add(costs, key, major)?;
            }
        }
        Ok(())
    }

    /// Adds the rows of an earlier month that one saw and another did not, and takes those away
    /// that it saw no more; what they leave of the costs that were billed is told by itself.
    async fn add_difference(
        self: &Arc<Self>,
        asking: &Asking<'_>,
        (earlier, month): (BillingPeriod, BillingPeriod),
        costs: Costs,
        [before, after]: [Seen; 2],
        adding: &mut Adding,
    ) -> Result<()> {
        let account = &asking.sight.billing_account;
        let meters: BTreeSet<MeterId> = costs.keys().map(|(_, meter, _)| meter.clone()).collect();
        let mut rest = costs;
        for meter in &meters {
            for (seen, sign) in [(&before, Sign::Minus), (&after, Sign::Plus)] {
                let company = &seen.declared.company;
                let pieces = pieces_behind(asking, company, earlier, month);
                let of = (seen.end_sequence, &seen.declared);
                let mut rows = self.rows_again((account, meter), earlier, of).await?;
                rows.retain(|row| row.category != ChargeCategory::Adjustment);
                take_rows(&mut rest, &rows, sign)?;
                let inputs = self.as_inputs(company, &rows).await?;
                self.add_pieces(asking, &pieces, &inputs, sign, adding).await?;
            }
        }
        rest.retain(|_, cost| !cost.is_zero());
        let rest = rest.into_iter().map(|(key, major)| row_of(account, earlier, key, major));
        let rest: Vec<RatedRow> = rest.collect();
        let company = &after.declared.company;
        let pieces = pieces_behind(asking, company, earlier, month);
        let inputs = self.as_inputs(company, &rest).await?;
        self.add_pieces(asking, &pieces, &inputs, Sign::Plus, adding).await
    }
}

/// A cost that no rated row tells.
fn row_of(
    account: &BillingAccountId,
    period: BillingPeriod,
    (subscription, meter, currency): (SubscriptionId, MeterId, Currency),
    major: Fixed18,
) -> RatedRow {
    RatedRow {
        position: None,
        slice: 0,
        kind: RowKind::Flat,
        billing_account: account.clone(),
        subscription,
        resource: String::new(),
        meter,
        category: ChargeCategory::Usage,
        service_period: Interval::at(period.start()),
        reported_at: period.start(),
        quantity: Fixed18::ZERO,
        unit_price: None,
        tier: 0,
        cost: Cost { major, currency },
        price: None,
        counter_before: Fixed18::ZERO,
        dimensions: BTreeMap::new(),
        tags: BTreeMap::new(),
        details: None,
        reserved: None,
    }
}

/// Whether an invoice was made by the close of a month: no rebill, and of none other.
pub(super) fn is_of_close(
    invoice: &Invoice,
    account: &BillingAccountId,
    month: BillingPeriod,
) -> Result<bool> {
    let Some(part) = Part::of_document(&invoice.id, account, month) else { return Ok(false) };
    Ok(part.document(account, month)? == invoice.id && invoice.period == month)
}

/// Whether a line charges usage. The discount of an offer has a meter too, and no rated rows.
pub(super) fn is_of_usage(key: &LineKey) -> bool {
    key.meter.is_some()
        && key.subscription.is_some()
        && key.category != ChargeCategory::Adjustment
}

/// What a close billed of earlier months: on its invoices, or by credit notes.
fn billed_in(
    sent: &Sent,
    account: &BillingAccountId,
    month: BillingPeriod,
) -> Result<BTreeMap<BillingPeriod, Costs>> {
    let mut all: BTreeMap<BillingPeriod, Costs> = BTreeMap::new();
    let mut bill = |key: &LineKey, cost: Cost| {
        let earlier = BillingPeriod::of(key.service_period.start());
        add_line(all.entry(earlier).or_default(), key, cost, Sign::Plus)
    };
    for invoice in &sent.invoices {
        if is_of_close(invoice, account, month)? {
            let late = invoice.lines.iter().filter(|line| line.key.amends.is_some());
            late.clone().try_for_each(|line| bill(&line.key, line.pricing))?;
        }
    }
    let notes = format!("{account}/{month}/corrects/");
    for delivered in &sent.delivered {
        if delivered.note.as_ref().is_some_and(|note| note.as_str().starts_with(&notes)) {
            let corrections = &delivered.corrections;
            corrections.iter().try_for_each(|one| bill(&one.key, one.cost))?;
        }
    }
    Ok(all)
}

/// Takes away all that was billed of a closed month. Whether it can be corrected at all: nothing
/// corrects what a void note withdrew.
fn take_billed(
    costs: &mut Costs,
    sent: &Sent,
    (account, month): (&BillingAccountId, BillingPeriod),
) -> Result<bool> {
    for kind in [PartKind::Own, PartKind::Marketplace] {
        let id = Part { share: Share::Account, kind }.document(account, month)?;
        let stands = sent.standing_for(&id).last().copied();
        if stands.is_some_and(|invoice| sent.is_void(&invoice.id)) {
            return Ok(false);
        }
        for line in stands.iter().flat_map(|invoice| &invoice.lines) {
            if line.key.amends.is_none() {
                add_line(costs, &line.key, line.pricing, Sign::Minus)?;
            }
        }
        for correction in sent.corrections_of(&id) {
            add_line(costs, &correction.key, correction.cost, Sign::Minus)?;
        }
    }
    Ok(true)
}

fn add_line(costs: &mut Costs, key: &LineKey, cost: Cost, sign: Sign) -> Result<()> {
    if !is_of_usage(key) {
        return Ok(());
    }
    let (Some(subscription), Some(meter)) = (&key.subscription, &key.meter) else {
        return Ok(());
    };
    let major = match sign {
        Sign::Plus => cost.major,
        Sign::Minus => cost.major.checked_neg().map_err(failure)?,
    };
    add(costs, (subscription.clone(), meter.clone(), cost.currency), major)
}

/// Takes rows off what they were billed for, or puts them back.
fn take_rows(rest: &mut Costs, rows: &[RatedRow], sign: Sign) -> Result<()> {
    for row in rows {
        let major = match sign {
            Sign::Plus => row.cost.major.checked_neg().map_err(failure)?,
            Sign::Minus => row.cost.major,
        };
        add(rest, (row.subscription.clone(), row.meter.clone(), row.cost.currency), major)?;
    }
    Ok(())
}

fn add(
    costs: &mut Costs,
    key: (SubscriptionId, MeterId, Currency),
    major: Fixed18,
) -> Result<()> {
    let sum = costs.entry(key).or_default();
    *sum = sum.checked_add(major).map_err(failure)?;
    Ok(())
}

fn failure(source: money::MoneyError) -> Error {
    Error::money("what closed months were short of", source)
}
