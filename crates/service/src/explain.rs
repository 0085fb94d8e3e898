//! Explaining: from a number back to the records, the meter, the price and the rounding.

use crate::group_by::{ChargeFilter, GroupBy};
use crate::intake::{UnreadableBody, log_error};
use crate::{Inner, Reckoner, codes};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Day};
use domain::access::{Action, Caller, Scope};
use domain::catalog::{Condition, Meter, Price, PriceList, PriceReach};
use domain::company::Placement;
use domain::ids::BillingAccountId;
use domain::rated::{PriceReference, RULE_VERSION, RatedRow, Reserved};
use domain::usage::{Position, Quarantined, RecordKey, UsageRecord};
use domain::{Error, Result, encoding};
use engine::{Filter, Value};
use money::Cost;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::Arc;
use usagelog::Logged;

/// How a number came about.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Version of the rules that rated it.
    pub rule_version: u16,
    /// Rated rows behind it.
    pub row_count: u64,
    /// Their exact sums, by currency code.
    pub totals: BTreeMap<String, Cost>,
    /// Rows in canonical order, as many as were asked for.
    pub rows: Vec<ExplainedRow>,
    /// Why there are none: the one record that was asked for waits in quarantine.
    pub waits: Option<Quarantined>,
}

/// How one rated row came about.
#[derive(Debug, Clone)]
pub struct ExplainedRow {
    /// The row: slice, tier, counter before, quantity, price, cost.
    pub row: RatedRow,
    /// The record behind it; none for charges of a window.
    pub record: Option<UsageRecord>,
    /// What was counted.
    pub meter: Option<Meter>,
    /// Who paid on which offer at that moment.
    pub placement: Option<Placement>,
    /// The version of the price that made it.
    pub price: Option<Price>,
    /// Why that price and no other.
    pub why: String,
}

/// Price lists by the fact that declared them: each is read once for an explanation.
type Lists = BTreeMap<u64, Option<PriceList>>;

impl Reckoner {
    /// Explains every rated row of one record.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for a record that is not there.
    #[boxed]
    pub async fn explain_record(&self, caller: &Caller, key: &RecordKey) -> Result<Explanation> {
        let scope = Scope::Account(key.billing_account.clone());
        self.demand(caller, Action::ExplainCharges, &scope).await?;
        let missing = || Error::not_found("usage record", format!("{}/{}", key.source, key.id));
        let position = self.0.standing_position(key).await?.ok_or_else(missing)?;
        let logged = self.0.logged(position).await?.ok_or_else(missing)?;
        if logged.kind == usagelog::EntryKind::UNREADABLE {
            let body = UnreadableBody::read(&logged.payload)?;
            let problem = format!(
                "waits in quarantine, because it cannot be read: {}: {}",
                body.field, body.problem
            );
            let key = format!("{}/{}", key.source, key.id);
            return Err(Error::Conflict { what: "usage record", key, problem });
        }
        let record = encoding::decode(&logged.payload)?;
        let cell = self.0.cell_key(&key.billing_account, record.service_period.start());
        let view = self.0.refresh(cell).await?;
        let sequence = i64::try_from(position.sequence).unwrap_or(i64::MAX);
        let filters = vec![Filter::In { column: "sequence", values: vec![Value::Int(sequence)] }];
        let mut rows = self.0.rated_rows(view.rows(), filters).await?;
        rows.retain(|row| row.position == Some(position));
        let waits = view.waiting().find(|waits| waits.position == position).cloned();
        Ok(Explanation { waits, ..self.0.explanation(rows, usize::MAX).await? })
    }

    /// Explains a total: the charges of an account's days that pass the filters.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`].
    #[boxed]
    pub async fn explain_total(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        days: Range<Day>,
        filters: &[ChargeFilter],
        rows_shown: usize,
    ) -> Result<Explanation> {
        let scope = Scope::Account(account.clone());
        self.demand(caller, Action::ExplainCharges, &scope).await?;
        let mut found = Vec::new();
        for period in self.0.periods_within(&days) {
            found.extend(self.0.account_rows(account, period, &days).await?);
        }
        found.retain(|row| filters.iter().all(|filter| passes(row, filter, &self.0)));
        self.0.explanation(found, rows_shown).await
    }
}

impl Inner {
    /// Explains some rows, each of the first so many in full.
    pub(crate) async fn explanation(
        self: &Arc<Self>,
        rows: Vec<RatedRow>,
        rows_shown: usize,
    ) -> Result<Explanation> {
        let mut totals: BTreeMap<String, Cost> = BTreeMap::new();
        for row in &rows {
            let total = totals
                .entry(row.cost.currency.to_string())
                .or_insert_with(|| Cost::zero(row.cost.currency));
            *total = total.checked_add(row.cost).map_err(|e| Error::money("add charges up", e))?;
        }
        let row_count = rows.len() as u64;
        let (mut explained, mut lists) = (Vec::new(), Lists::new());
        for row in rows.into_iter().take(rows_shown) {
            explained.push(self.explain_row(row, &mut lists).await?);
        }
        Ok(Explanation {
            rule_version: RULE_VERSION,
            row_count,
            totals,
            rows: explained,
            waits: None,
        })
    }

    async fn account_rows(
        self: &Arc<Self>,
        account: &BillingAccountId,
        period: BillingPeriod,
        days: &Range<Day>,
    ) -> Result<Vec<RatedRow>> {
        let cell = crate::cells::CellKey { period, bucket: self.bucket_of(account) };
        let view = self.refresh(cell).await?;
        let Some(code) = self.codes.find(codes::ACCOUNT, account.as_str()) else {
            return Ok(Vec::new());
        };
        let filters = vec![
            Filter::In { column: "account", values: vec![Value::Int(i64::from(code))] },
            Filter::Between {
                column: "day",
                from: i64::from(days.start.number()),
                until: i64::from(days.end.number()),
            },
        ];
        self.rated_rows(view.rows(), filters).await
    }

    /// Where the log keeps the record of a key.
    pub(crate) async fn position_of(self: &Arc<Self>, key: RecordKey) -> Result<Option<Position>> {
        let this = Arc::clone(self);
        crate::blocking(move || {
            let bytes = encoding::key_bytes(&key);
            let hash = usagelog::key_hash(&this.hash_key, &bytes);
            let shard = this.shard_of(this.bucket_of(&key.billing_account));
            this.log.find(shard, hash, &bytes).map_err(|e| log_error(&Arc::new(e)))
        })
        .await
    }

    /// What the log keeps at a position.
    pub(crate) async fn logged(self: &Arc<Self>, position: Position) -> Result<Option<Logged>> {
        let this = Arc::clone(self);
        crate::blocking(move || this.log.get(position).map_err(|e| log_error(&Arc::new(e)))).await
    }

    async fn explain_row(
        self: &Arc<Self>,
        row: RatedRow,
        lists: &mut Lists,
    ) -> Result<ExplainedRow> {
        let declared = self.declared();
        let record = match row.position {
            None => None,
            Some(position) => {
                let logged = self.logged(position).await?;
                logged.map(|logged| encoding::decode(&logged.payload)).transpose()?
            }
        };
        let price = match &row.price {
            None => None,
            Some(reference) => self.price_version(reference, &row, lists).await?,
        };
        let at = row.service_period.start();
        let subscription = declared.company.subscriptions.get(&row.subscription);
        let placement = subscription.and_then(|s| s.placement_at(at)).cloned();
        let meter = declared.company.meters.get(&row.meter).cloned();
        let (reach, price) = price.unzip();
        let why = why(&row, reach.as_ref(), price.as_ref());
        Ok(ExplainedRow { row, record, meter, placement, price, why })
    }

    /// The price and its list's reach, as the fact declared them that the row was rated by, even if
    /// it was replaced since.
    async fn price_version(
        self: &Arc<Self>,
        reference: &PriceReference,
        row: &RatedRow,
        lists: &mut Lists,
    ) -> Result<Option<(PriceReach, Price)>> {
        let number = reference.version;
        if let Entry::Vacant(unread) = lists.entry(number) {
            unread.insert(self.price_list_of(number).await?);
        }
        let Some(list) = lists.get(&number).and_then(Option::as_ref) else { return Ok(None) };
        let prices = list.prices.get(&row.meter).into_iter().flatten();
        let same = |price: &&Price| {
            price.lineage == reference.lineage && price.effective_from == reference.effective_from
        };
        Ok(prices.into_iter().find(same).map(|price| (list.reach.clone(), price.clone())))
    }

    /// The price list that a fact declared, if it did.
    async fn price_list_of(self: &Arc<Self>, number: u64) -> Result<Option<PriceList>> {
        let store = Arc::clone(&self.store);
        let facts = crate::blocking(move || {
            store.facts_after(number.saturating_sub(1), 1).map_err(crate::stored("read a fact"))
        })
        .await?;
        let Some(fact) = facts.first().filter(|fact| fact.number == number) else {
            return Ok(None);
        };
        match crate::company::Thing::read(&fact.kind, &fact.key, &fact.body)? {
            crate::company::Thing::PriceList(list) => Ok(Some(list)),
            _ => Ok(None),
        }
    }
}

fn why(row: &RatedRow, reach: Option<&PriceReach>, price: Option<&Price>) -> String {
    if let Some(reserved) = &row.reserved {
        let priced = row.price.is_some().then(|| why_price(row, reach, price));
        return why_reserved(row, reserved, priced);
    }
    why_price(row, reach, price)
}

/// Which hours of which reservation covered a row or were lost, and what they cost.
fn why_reserved(row: &RatedRow, reserved: &Reserved, price: Option<String>) -> String {
    let Reserved { reservation, hours, amortised, list_cost, unused } = reserved;
    let (from, until, currency) = (hours.start(), hours.end(), row.cost.currency);
    let spread = format!("their part of its price is {amortised} {currency}");
    match price {
        Some(price) => format!(
            "reservation `{reservation}` covers {} in its hours from {from} until {until}; \
             {spread}; at list price it would cost {list_cost} {currency}: {price}",
            row.quantity
        ),
        None => format!(
            "reservation `{reservation}` lost {unused} in its hours from {from} until {until}, \
             which nothing that it matches used; {spread}"
        ),
    }
}

fn why_price(row: &RatedRow, reach: Option<&PriceReach>, price: Option<&Price>) -> String {
    let Some(reference) = &row.price else {
        return "the source's own cost is passed through".to_owned();
    };
    let PriceReference { list, version, lineage, effective_from } = reference;
    let rank = reach.map_or_else(String::new, |reach| format!(" is {}", rank(reach)));
    let conditions = price.map(|price| price.conditions.as_slice()).unwrap_or_default();
    let specific = match conditions {
        [] => "it holds without conditions".to_owned(),
        [one] => format!("its condition ({}) is the most that matches the record", spelled(one)),
        many => {
            let all: Vec<String> = many.iter().map(spelled).collect();
            let (count, all) = (many.len(), all.join(", "));
            format!("its {count} conditions ({all}) are the most that match the record")
        }
    };
    let rounding = price.map_or_else(String::new, |price| {
        let rule = price.rounding.name().replace('_', " ");
        format!("; cost rounded to {} places, {rule}", price.cost_places)
    });
    format!(
        "list `{list}` (fact {version}){rank}; lineage `{lineage}`: the newest version at the \
         instant of usage is in force from {effective_from}; {specific}{rounding}"
    )
}

/// What kind of list won, over which others: [`domain::pricing::PriceBook::find`] has the order.
fn rank(reach: &PriceReach) -> String {
    match reach {
        PriceReach::Account { profile: Some(profile), .. } => format!(
            "the price sheet of billing profile `{profile}`, which goes before the billing \
             account's sheet and the offer's rate card"
        ),
        PriceReach::Account { profile: None, .. } => {
            "the billing account's price sheet, which goes before the offer's rate card; no sheet \
             of the billing profile prices it"
                .to_owned()
        }
        PriceReach::Offer { offer, region: _, locales: _ } => {
            format!("the rate card of offer {offer}; no price sheet prices it")
        }
    }
}

fn spelled(condition: &Condition) -> String {
    format!("{} {}", condition.dimension.name(), condition.value)
}

fn passes(row: &RatedRow, filter: &ChargeFilter, inner: &Inner) -> bool {
    let declared = inner.declared();
    let meter = declared.company.meters.get(&row.meter);
    let value = match &filter.on {
        GroupBy::Day => Some(row.service_period.start().day().to_string()),
        GroupBy::Month => Some(BillingPeriod::of(row.service_period.start()).to_string()),
        GroupBy::BillingAccount => Some(row.billing_account.to_string()),
        GroupBy::Subscription => Some(row.subscription.to_string()),
        GroupBy::Meter => Some(row.meter.to_string()),
        GroupBy::MeterCategory => meter.map(|meter| meter.category.clone()),
        GroupBy::Unit => meter.map(|meter| meter.unit.clone()),
        GroupBy::Category => Some(row.category.name().to_owned()),
        GroupBy::Kind => Some(row.kind.name().to_owned()),
        GroupBy::Reservation => row.reserved.as_ref().map(|one| one.reservation.to_string()),
        GroupBy::Resource => Some(row.resource.clone()),
        GroupBy::Dimension(dimension) => row.dimensions.get(dimension).cloned(),
        GroupBy::Tag(key) => row.tags.get(key).cloned(),
    };
    value
        .is_some_and(|value| filter.values.iter().any(|wanted| wanted.eq_ignore_ascii_case(&value)))
}
