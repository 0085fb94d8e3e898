//! What closed months were short of, or had too much, told in the month that bills it.
//!
//! An invoice's correction says of which subscription and meter, and how much; what was used where
//! is told by the rows behind it: those that the billing close saw of the earlier month, less those
//! of the close before. A close says up to where it saw its own month; of earlier months it saw
//! what was acknowledged by then. Where that leaves a difference to what was billed, the difference
//! is a row of its own without a quantity, so that a month's rows come to what its invoice charges,
//! whatever they are told by.
//!
//! The first open month behind the closed ones has what no close has billed yet.
//!
//! Adjustments that a source states are told by their rows alone: the discount of an offer can
//! stand on the same line, and has no rows, so that nothing is known of a difference there.
//!
//! Both sides are told by how the meter was described at the close before, so that what has not
//! changed cancels out. Memory holds the rows of one side of one meter at a time.

use super::Asking;
use super::accounts::pieces_behind;
use super::groups::{Adding, Piece, Sign};
use super::months::{AnswerBooks, AnswerClose};
use crate::declared::Declared;
use crate::rated_rows::{at_place, place_of};
use crate::rating::{Source, View};
use crate::{Grain, Inner, codes, rated_rows, roll_ups, usage_rows};
use calendar::{BillingPeriod, Interval};
use domain::closes::{Part, PartKind, Share};
use domain::company::Company;
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

/// What a cost is of, as lines of invoices tell it apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CostKey {
    pub(super) subscription: SubscriptionId,
    pub(super) meter: MeterId,
    pub(super) category: ChargeCategory,
    pub(super) currency: Currency,
}

/// Exact costs of usage in major units.
pub(super) type Costs = BTreeMap<CostKey, Fixed18>;

/// What told rows of adjustments cost, by the period in which they were used.
pub(super) type Adjusted = BTreeMap<BillingPeriod, Costs>;

/// The usage and facts that somebody saw.
struct Seen {
    declared: Arc<Declared>,
    /// Usage before this sequence of the shard.
    end_sequence: u64,
}

impl CostKey {
    /// Of a line that charges usage, or discounts it; none of what has no rated rows.
    pub(super) fn of_line(key: &LineKey, currency: Currency) -> Option<CostKey> {
        let (subscription, meter) = (key.subscription.clone()?, key.meter.clone()?);
        Some(CostKey { subscription, meter, category: key.category, currency })
    }

    fn of_row(row: &RatedRow) -> CostKey {
        CostKey {
            subscription: row.subscription.clone(),
            meter: row.meter.clone(),
            category: row.category,
            currency: row.cost.currency,
        }
    }

    /// Whether the discount of an offer can be of the same line.
    pub(super) fn may_be_discounted(&self) -> bool {
        self.category == ChargeCategory::Adjustment
    }
}

impl Inner {
    /// Adds what a month bills of earlier months; gives what adjustments of it cost.
    pub(super) async fn add_corrections(
        self: &Arc<Self>,
        asking: &Arc<Asking>,
        books: &AnswerBooks,
        month: BillingPeriod,
        adding: &mut Adding,
    ) -> Result<Adjusted> {
        let account = &asking.sight.billing_account;
        let closed = books.closes.get(&month);
        let short = match closed {
            Some(_) => billed_in(&books.sent, account, month)?,
            None if books.next_to_close() == Some(month) => {
                self.still_short(account, &books.sent).await?
            }
            None => return Ok(Adjusted::new()),
        };
        let mut adjusted = Adjusted::new();
        let Some((last, newest)) = books.closes.range(..month).next_back() else {
            return Ok(adjusted);
        };
        for (earlier, costs) in short.into_iter().filter(|(earlier, _)| earlier <= last) {
            let mut before = self.seen_by((account, earlier), newest).await?;
            if *last == earlier {
                before.end_sequence = newest.close.end_sequence;
            }
            let after = match closed {
                Some(now) => self.seen_by((account, earlier), now).await?,
                None => Seen { declared: self.declared(), end_sequence: u64::MAX },
            };
            let (of, sides) = ((earlier, month), [before, after]);
            let told = self.add_difference(asking, of, costs, sides, adding).await?;
            adjusted.insert(earlier, told);
        }
        Ok(adjusted)
    }

    /// What a close saw of an earlier month: by what was declared up to a fact, the records that
    /// were acknowledged by the moment when it began, and those that stand before what it saw of
    /// its own month, for it looked at earlier months after that.
    async fn seen_by(
        self: &Arc<Self>,
        (account, earlier): (&BillingAccountId, BillingPeriod),
        AnswerClose { close, is_sealed: _ }: &AnswerClose,
    ) -> Result<Seen> {
        let (declared, at) = (self.declared_at(close.company_version).await?, close.at);
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
        Ok(Seen { declared, end_sequence: first.max(close.end_sequence) })
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
            let mut costs = self.costs_of(account, &view, Vec::new()).await?;
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

    /// What an account's adjustments in a view cost.
    pub(super) async fn adjusted_in(
        &self,
        account: &BillingAccountId,
        view: &View,
    ) -> Result<Costs> {
        let place = place_of(&ChargeCategory::ALL, &ChargeCategory::Adjustment);
        self.costs_of(account, view, vec![is("category", place)]).await
    }

    /// What an account's usage in a view costs, as far as it passes some filters.
    async fn costs_of(
        &self,
        account: &BillingAccountId,
        view: &View,
        mut filters: Vec<Filter>,
    ) -> Result<Costs> {
        let mut costs = Costs::new();
        let Some(account) = self.codes.find(codes::ACCOUNT, account.as_str()) else {
            return Ok(costs);
        };
        let unused = is("kind", place_of(&RowKind::ALL, &RowKind::Unused));
        filters.extend([is("account", account), Filter::Not(Box::new(unused))]);
        let written = (roll_ups::schema(Grain::Month)?, view.written(Grain::Month));
        let newer = (rated_rows::schema()?, view.newer());
        for source in [written, newer] {
            self.add_costs(source, filters.clone(), &mut costs).await?;
        }
        Ok(costs)
    }

    async fn add_costs(
        &self,
        (schema, inputs): Source,
        filters: Vec<Filter>,
        costs: &mut Costs,
    ) -> Result<()> {
        if inputs.is_empty() {
            return Ok(());
        }
        let keys = ["subscription", "meter", "category", "currency"];
        let query = Query {
            schema,
            inputs,
            filters,
            group_by: keys.into_iter().map(Group::Column).collect(),
            measures: vec![Measure::Sum("cost")],
            order_by: Vec::new(),
            limit: None,
            max_groups: u64::MAX,
        };
        let failed = crate::engine_failed("add a closed month up");
        let answer = self.engine.query(&query).await.map_err(&failed)?;
        for rows in &answer.parts {
            let [subscription, meter, category, currency] = keys.map(|key| rows.i32(key));
            let (subscription, meter) = (subscription.map_err(&failed)?, meter.map_err(&failed)?);
            let (category, currency) = (category.map_err(&failed)?, currency.map_err(&failed)?);
            let cost = rows.decimal("cost").map_err(&failed)?;
            for at in 0..rows.len() {
                let null = || Error::internal("add a closed month up", "a code is null");
                let value =
                    |kind, code: Option<i32>| self.codes.value(kind, code.ok_or_else(null)?);
                let category = category.get(at).ok_or_else(null)?;
                let key = CostKey {
                    subscription: SubscriptionId::new(&value(
                        codes::SUBSCRIPTION,
                        subscription.get(at),
                    )?)?,
                    meter: MeterId::new(&value(codes::METER, meter.get(at))?)?,
                    category: *at_place(&ChargeCategory::ALL, category)?,
                    currency: Currency::parse(&value(codes::CURRENCY, currency.get(at))?)
                        .map_err(failure)?,
                };
                let major = Fixed18::from_atoms(cost.get(at).unwrap_or_default());
                add(costs, key, major)?;
            }
        }
        Ok(())
    }

    /// Adds the rows of an earlier month that one saw and another did not, and takes those away
    /// that it saw no more; what they leave of the costs that were billed is told by itself. Gives
    /// what adjustments among them cost.
    async fn add_difference(
        self: &Arc<Self>,
        asking: &Arc<Asking>,
        (earlier, month): (BillingPeriod, BillingPeriod),
        costs: Costs,
        [before, after]: [Seen; 2],
        adding: &mut Adding,
    ) -> Result<Costs> {
        let account = &asking.sight.billing_account;
        let meters: BTreeSet<MeterId> = costs.keys().map(|key| key.meter.clone()).collect();
        let (mut rest, mut adjusted) = (costs, Costs::new());
        rest.retain(|key, _| !key.may_be_discounted());
        for meter in &meters {
            let mut apart = Adding::of_difference();
            let company = described_by([&before, &after], meter);
            let pieces = |seen: &Seen| -> Vec<Piece> {
                let of = pieces_behind(asking, &seen.declared.company, earlier, month);
                let coded = |piece: Piece| Piece { company: Arc::clone(company), ..piece };
                of.into_iter().map(coded).collect()
            };
            for (seen, sign) in [(&before, Sign::Minus), (&after, Sign::Plus)] {
                let by = (seen.end_sequence, &seen.declared);
                let rows = self.meter_rated_again((account, meter), earlier, by).await?;
                let (rows, costs) = costed(rows).await?;
                take_off((&mut rest, &mut adjusted), costs, sign)?;
                self.add_rows(asking, &pieces(seen), rows, sign, &mut apart).await?;
            }
            let left = rest.iter().filter(|(key, cost)| key.meter == *meter && !cost.is_zero());
            let left = left.map(|(key, major)| row_of(account, earlier, key, *major)).collect();
            self.add_rows(asking, &pieces(&after), left, Sign::Plus, &mut apart).await?;
            let (inner, mut taken) = (Arc::clone(self), std::mem::take(adding));
            let taken = crate::blocking(move || {
                taken.take_in(apart, &inner.config.limits)?;
                Ok(taken)
            });
            *adding = taken.await?;
        }
        Ok(adjusted)
    }
}

fn is(column: &'static str, value: i32) -> Filter {
    Filter::In { column, values: vec![Value::Int(i64::from(value))] }
}

/// The company by which both sides of a difference are told: the first that knows the meter.
fn described_by<'a>([before, after]: [&'a Seen; 2], meter: &MeterId) -> &'a Arc<Company> {
    match before.declared.company.meters.contains_key(meter) {
        true => &before.declared.company,
        false => &after.declared.company,
    }
}

/// A cost that no rated row tells.
fn row_of(
    account: &BillingAccountId,
    period: BillingPeriod,
    key: &CostKey,
    major: Fixed18,
) -> RatedRow {
    let CostKey { subscription, meter, category, currency } = key.clone();
    RatedRow {
        position: None,
        slice: 0,
        kind: RowKind::Flat,
        billing_account: account.clone(),
        subscription,
        resource: String::new(),
        meter,
        category,
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
            let mut late = invoice.lines.iter().filter(|line| line.key.amends.is_some());
            late.try_for_each(|line| bill(&line.key, line.pricing))?;
        }
    }
    let notes = format!("{account}/{month}/corrects/");
    for delivered in &sent.delivered {
        if delivered.note.as_ref().is_some_and(|note| note.as_str().starts_with(&notes)) {
            let mut corrections = delivered.corrections.iter();
            corrections.try_for_each(|one| bill(&one.key, one.cost))?;
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
    let Some(key) = CostKey::of_line(key, cost.currency) else { return Ok(()) };
    add(costs, key, signed(cost.major, sign)?)
}

/// What rows cost, found beside the runtime's threads: there may be many.
pub(super) async fn costed(rows: Vec<RatedRow>) -> Result<(Vec<RatedRow>, Costs)> {
    crate::blocking(move || {
        let costs = costs_of_rows(&rows)?;
        Ok((rows, costs))
    })
    .await
}

fn costs_of_rows(rows: &[RatedRow]) -> Result<Costs> {
    let mut costs = Costs::new();
    for row in rows {
        add(&mut costs, CostKey::of_row(row), row.cost.major)?;
    }
    Ok(costs)
}

/// Takes what rows cost off what they were billed for, or puts it back; what adjustments among them
/// cost is added up apart.
fn take_off((rest, adjusted): (&mut Costs, &mut Costs), costs: Costs, sign: Sign) -> Result<()> {
    for (key, major) in costs {
        let more = signed(major, sign)?;
        match key.may_be_discounted() {
            true => add(adjusted, key, more)?,
            false => add(rest, key, more.checked_neg().map_err(failure)?)?,
        }
    }
    Ok(())
}

fn signed(major: Fixed18, sign: Sign) -> Result<Fixed18> {
    match sign {
        Sign::Plus => Ok(major),
        Sign::Minus => major.checked_neg().map_err(failure),
    }
}

fn add(costs: &mut Costs, key: CostKey, major: Fixed18) -> Result<()> {
    let sum = costs.entry(key).or_default();
    *sum = sum.checked_add(major).map_err(failure)?;
    Ok(())
}

fn failure(source: money::MoneyError) -> Error {
    Error::money("what closed months were short of", source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::correction::Correction;
    use domain::credits::Coverage;
    use domain::delivery::Delivered;
    use domain::ids::{DocumentId, LegalEntityId, TaxCategory};
    use domain::invoice::{Line, LineReference};
    use money::Money;

    fn acme() -> BillingAccountId {
        BillingAccountId::new("acme").unwrap()
    }

    fn month(text: &str) -> BillingPeriod {
        BillingPeriod::parse(text).unwrap()
    }

    fn id(text: &str) -> DocumentId {
        DocumentId::new(text).unwrap()
    }

    fn usd(text: &str) -> Cost {
        let currency = Currency::parse("USD").unwrap();
        Cost { major: Fixed18::parse(text).unwrap(), currency }
    }

    /// What a charge of a month is for; `amends` is the corrected document.
    fn key(meter: &str, of: &str, category: ChargeCategory, amends: Option<&str>) -> LineKey {
        LineKey {
            section: None,
            category,
            subscription: Some(SubscriptionId::new("letters").unwrap()),
            meter: (!meter.is_empty()).then(|| MeterId::new(meter).unwrap()),
            item: String::new(),
            service_period: month(of).interval(),
            tax: TaxCategory::new("standard").unwrap(),
            amends: amends.map(|amends| LineReference { document: id(amends), line: Some(1) }),
            buys: None,
            rate: None,
        }
    }

    fn invoice(name: &str, of: &str, lines: Vec<(LineKey, &str)>) -> Invoice {
        let currency = Currency::parse("USD").unwrap();
        let zero = Money::zero(currency);
        let line = |(number, (key, pricing)): (u32, (LineKey, &str))| Line {
            number,
            key,
            pricing: usd(pricing),
            exchange: None,
            exact: usd(pricing),
            booked: zero,
            coverage: Coverage::Covered,
            set_off: zero,
            paid: Vec::new(),
            left: zero,
            tax: zero,
        };
        Invoice {
            id: id(name),
            billing_account: acme(),
            seller: LegalEntityId::new("seller").unwrap(),
            period: month(of),
            currency,
            lines: (1..).zip(lines).map(line).collect(),
            taxes: Vec::new(),
            replaces: None,
        }
    }

    fn usage(of: &str, amends: Option<&str>) -> LineKey {
        key("sms", of, ChargeCategory::Usage, amends)
    }

    /// April was billed 7; May billed 1.25 more of it, and took 0.5 back with a credit note.
    fn sent() -> Sent {
        let discount = key("sms", "2026-04", ChargeCategory::Adjustment, Some("acme/2026-04"));
        let plan = key("", "2026-04", ChargeCategory::Purchase, Some("acme/2026-04"));
        let april = invoice("acme/2026-04", "2026-04", vec![(usage("2026-04", None), "7")]);
        let may = vec![
            (usage("2026-05", None), "3"),
            (usage("2026-04", Some("acme/2026-04")), "1.25"),
            (discount, "-9"),
            (plan, "11"),
        ];
        let correction = Correction {
            amends: LineReference { document: id("acme/2026-04"), line: Some(1) },
            key: usage("2026-04", None),
            cost: usd("-0.5"),
        };
        let delivered = Delivered {
            document: id("acme/2026-04"),
            number: 1,
            note: Some(id("acme/2026-05/corrects/2026-04")),
            corrections: vec![correction],
        };
        Sent {
            invoices: vec![april, invoice("acme/2026-05", "2026-05", may)],
            notes: Vec::new(),
            delivered: vec![delivered],
        }
    }

    fn cost_key(category: ChargeCategory) -> CostKey {
        let (subscription, meter) = ("letters", "sms");
        CostKey {
            subscription: SubscriptionId::new(subscription).unwrap(),
            meter: MeterId::new(meter).unwrap(),
            category,
            currency: Currency::parse("USD").unwrap(),
        }
    }

    /// Of usage, and of adjustments if there are some.
    fn costs(usage: &str, adjusted: &str) -> Costs {
        let mut costs = Costs::from([(cost_key(ChargeCategory::Usage), usd(usage).major)]);
        if !adjusted.is_empty() {
            costs.insert(cost_key(ChargeCategory::Adjustment), usd(adjusted).major);
        }
        costs
    }

    #[test]
    fn a_month_bills_what_its_close_corrected_of_usage() {
        let check = |of: &str, expected: &[(&str, Costs)]| {
            let billed = billed_in(&sent(), &acme(), month(of)).unwrap();
            let expected = expected.iter().map(|(of, costs)| (month(of), costs.clone()));
            assert_eq!(billed, expected.collect::<BTreeMap<_, _>>(), "{of}");
        };
        check("2026-05", &[("2026-04", costs("0.75", "-9"))]);
        check("2026-04", &[]);
        check("2026-06", &[]);
    }

    #[test]
    fn adjustments_are_told_by_rows_and_leave_no_rest() {
        let row = |category, cost: &str| {
            row_of(&acme(), month("2026-04"), &cost_key(category), usd(cost).major)
        };
        let rows = [row(ChargeCategory::Usage, "2"), row(ChargeCategory::Adjustment, "-100")];
        let check = |sides: &[Sign], rest: &str, adjusted: &str| {
            let (mut left, mut told) = (costs("5", ""), Costs::new());
            for sign in sides {
                let costs = costs_of_rows(&rows).unwrap();
                take_off((&mut left, &mut told), costs, *sign).unwrap();
            }
            assert_eq!(left, costs(rest, ""), "{sides:?}");
            let expected = usd(adjusted).major;
            let told = told.get(&cost_key(ChargeCategory::Adjustment)).copied();
            assert_eq!(told.unwrap_or_default(), expected, "{sides:?}");
        };
        check(&[], "5", "0");
        check(&[Sign::Plus], "3", "-100");
        check(&[Sign::Minus], "7", "100");
        check(&[Sign::Minus, Sign::Plus], "5", "0");
    }

    #[test]
    fn a_closed_month_is_short_of_what_nothing_has_billed() {
        let check = |now: &str, expected: &str| {
            let mut short = costs(now, "");
            assert!(take_billed(&mut short, &sent(), (&acme(), month("2026-04"))).unwrap());
            // The discount stands on a line of its own, and no row tells it.
            assert_eq!(short, costs(expected, "9"), "{now}");
        };
        check("7.75", "0");
        check("8", "0.25");
        check("7", "-0.75");
    }

    #[test]
    fn rebills_and_other_months_are_not_of_a_close() {
        let check = |name: &str, of: &str, expected: bool| {
            let invoice = invoice(name, of, Vec::new());
            let found = is_of_close(&invoice, &acme(), month("2026-04")).unwrap();
            assert_eq!(found, expected, "{name}");
        };
        check("acme/2026-04", "2026-04", true);
        check("acme/2026-04/marketplace", "2026-04", true);
        check("acme/2026-04/rebill/1", "2026-04", false);
        check("acme/2026-05", "2026-05", false);
    }
}
