//! Usage answers: what a usage query comes to, before any vendor's spelling.
//!
//! **What is told.** Rated rows that are charged, of the messaging accounts that the caller sees,
//! added up by the question's keys and by unit, price of a unit, tier and currency: see [`groups`].
//! Included quantity, what reservations cover and groups in which nothing was used and nothing
//! charged are no rows. Usage is at the account that its subscription stood at when it began: see
//! [`accounts`].
//!
//! **Closed months never change.** They are told as their close saw them, whatever came since: see
//! [`months`]. What a later close bills of them is told in that close's month, on its first day,
//! with the dimensions of the usage: see [`corrections`]. So the months of an answer come to the
//! same sum as everything that was charged, each charge once.
//!
//! **Totals.** Of a whole closed month of the whole company, unfiltered, rows come to what its
//! invoice booked for usage in that currency, to the last minor unit; other rows come to their
//! rounded exact sum: see [`totals`]. Quantities and unrounded totals are exact.
//!
//! **Memory** holds groups, of which there are at most `limits.answer_rows` of at most
//! `limits.query_bytes` (the two sides of a difference as much each), then as much of rows, and of
//! closed months that must be rated again one meter's records and rows at a time: see [`months`].
//! What adds groups up, names and sorts them does so beside the runtime's threads, so that leases
//! are renewed meanwhile.

mod accounts;
mod columns;
mod corrections;
mod filters;
mod groups;
mod months;
mod names;
mod totals;

use self::groups::{Adding, Most};
use self::months::AnswerBooks;
use self::names::{Naming, columns_of, month_of};
use self::totals::{BookedMonths, booked_in, totals};
use crate::Inner;
use crate::messaging_accounts::UsageSight;
use crate::time_zones::Zone;
use calendar::{BillingPeriod, Instant, Interval};
use domain::company::Company;
use domain::usage_queries::{
    UsageColumn, UsageKey, UsageQuestion, UsageSpan, asked_span, keys_of, span_of,
};
use domain::{Error, Result};
use money::{Cost, Currency, Fixed18};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// What a usage query comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageAnswer {
    /// The dimension columns, in effective order.
    pub columns: Vec<AnswerColumn>,
    /// The rows, sorted by the dimension columns, then by unit, price, currency and exact total;
    /// what has no value comes first.
    pub rows: Vec<AnswerRow>,
    /// The period really answered: aligned, and trimmed to final months where those were asked for.
    pub requested: Range<Instant>,
    /// The period as asked.
    pub asked: Range<Instant>,
    /// The calendar months answered, and whether each is final.
    pub months: Vec<(BillingPeriod, bool)>,
    /// Whether totals are exact, not rounded to their currency.
    pub exact: bool,
}

/// A dimension column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Which one.
    pub column: UsageColumn,
    /// Whether its ids were turned into names where they have some.
    pub is_resolved_name: bool,
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// One for each column; none where the usage has no such value.
    pub keys: Vec<Option<String>>,
    /// What a quantity of one stands for.
    pub unit: String,
    /// Price per unit, in major units of the currency; none where the cost is no quantity × price.
    pub unit_price: Option<Fixed18>,
    /// How much, in that unit.
    pub quantity: Fixed18,
    /// What it costs, in major units of the currency; rounded to it unless the answer is exact.
    pub total: Fixed18,
    /// Of price and total.
    pub currency: Currency,
}

/// A question, with all that is looked up once.
struct Asking {
    question: UsageQuestion,
    sight: UsageSight,
    zone: Zone,
    /// What tells rows apart.
    keys: Vec<UsageKey>,
    /// By which names are told: the newest.
    company: Arc<Company>,
    /// Keys of the accounts that the caller sees.
    seen: BTreeSet<String>,
    /// Those of them that are asked for.
    allowed: BTreeSet<String>,
}

impl Asking {
    fn of(
        question: &UsageQuestion,
        sight: &UsageSight,
        zone: Zone,
        company: &Arc<Company>,
    ) -> Asking {
        let mut seen: BTreeSet<String> = sight.places.iter().map(ToString::to_string).collect();
        if sight.whole {
            seen.insert(sight.billing_account.to_string());
        }
        let wanted = &question.filter.accounts;
        let allowed = match wanted.is_empty() {
            true => seen.clone(),
            false => seen.intersection(wanted).cloned().collect(),
        };
        let (keys, company) = (keys_of(&question.columns), Arc::clone(company));
        let (question, sight) = (question.clone(), sight.clone());
        Asking { question, sight, zone, keys, company, seen, allowed }
    }

    /// Whether only some accounts of the company are asked for.
    fn is_narrow(&self) -> bool {
        !self.sight.whole || !self.question.filter.accounts.is_empty()
    }

    /// Whether all usage of the company is asked for, as far as it may be seen.
    fn is_of_all(&self) -> bool {
        self.sight.whole && self.question.filter.is_empty()
    }

    fn span(&self, books: &AnswerBooks) -> UsageSpan {
        let zone = self.zone;
        span_of(&self.question, &|month| books.is_final(month), &|day| zone.start_of(day))
    }

    fn asked(&self) -> Range<Instant> {
        let zone = self.zone;
        asked_span(&self.question, &|day| zone.start_of(day))
    }
}

impl Inner {
    /// Answers a usage question of whom a sight allows for; `progress` is told of how many months
    /// of how many it is done. Includes everything acknowledged before the call.
    ///
    /// Errors: [`Error::Invalid`] for a time zone that is not there, [`Error::TooMuch`]; those of
    /// storage.
    pub(crate) async fn answer_usage(
        self: &Arc<Self>,
        question: &UsageQuestion,
        sight: &UsageSight,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<UsageAnswer> {
        let zone = Zone::named(question.options.time_zone.as_deref())?;
        let declared = self.refresh_declared().await?;
        let asking = Arc::new(Asking::of(question, sight, zone, &declared.company));
        let books = self.answer_books(&sight.billing_account).await?;
        let span = asking.span(&books);
        let parts = self.parts_with_usage(&span);
        let all = parts.len() as u64;
        let (mut adding, mut booked) = (Adding::default(), BookedMonths::new());
        for (done, (month, part)) in (0_u64..).zip(parts) {
            progress(done, all);
            let closed = books.closes.get(&month);
            let mut adjusted = self.add_month(&asking, (month, part), closed, &mut adding).await?;
            if part.contains(month.start()) {
                let late = self.add_corrections(&asking, &books, month, &mut adding).await?;
                adjusted.extend(late);
            }
            if closed.is_some() && part == month.interval() {
                let (sent, account) = (&books.sent, &sight.billing_account);
                booked.insert(month, booked_in(sent, account, month, &adjusted)?);
            }
        }
        if !asking.is_of_all() || adding.left_out {
            booked.clear();
        }
        let (inner, told) = (Arc::clone(self), Arc::clone(&asking));
        let answered = span.requested.clone();
        let rows =
            crate::blocking(move || inner.rows_told(&told, adding, &booked, &answered)).await?;
        progress(all, all);
        Ok(UsageAnswer {
            columns: columns_of(&asking),
            rows,
            requested: span.requested,
            asked: asking.asked(),
            months: span.months,
            exact: question.options.exact_totals,
        })
    }

    /// The parts of a span in which there can be anything, oldest first.
    fn parts_with_usage(&self, span: &UsageSpan) -> Vec<(BillingPeriod, Interval)> {
        let Range { start, end } = span.requested;
        if end <= start {
            return Vec::new();
        }
        let used = self.periods_within(&(start.day()..end.plus_micros(-1).day().next()));
        let mut parts = span.parts();
        parts.retain(|(month, _)| used.contains(month));
        parts
    }

    /// Groups as rows, in order, with their totals rounded.
    ///
    /// Errors: [`Error::TooMuch`] for rows of too many bytes; those of naming and rounding.
    fn rows_told(
        &self,
        asking: &Asking,
        adding: Adding,
        booked: &BookedMonths,
        answered: &Range<Instant>,
    ) -> Result<Vec<AnswerRow>> {
        let now = self.clocks.business.now();
        let naming = Naming { inner: self, asking, answered, now };
        let (mut told, mut size_bytes) = (Vec::new(), 0_u64);
        let most = Most::of(&self.config.limits);
        for (group, sums) in adding.groups {
            if sums.is_nothing() {
                continue;
            }
            let [quantity, cost] = [sums.quantity, sums.cost].map(Fixed18::from_atoms);
            let row = naming.row(&group, (quantity, cost))?;
            size_bytes = size_bytes.saturating_add(row.size_bytes());
            most.check_bytes(size_bytes)?;
            told.push((month_of(asking, &group), row));
        }
        told.sort_by(|(_, a), (_, b)| in_order(a).cmp(&in_order(b)));
        if !asking.question.options.exact_totals {
            let exact = told
                .iter()
                .map(|(month, row)| (*month, Cost { major: row.total, currency: row.currency }));
            let rounded = totals(&exact.collect::<Vec<_>>(), booked)?;
            for ((_, row), total) in told.iter_mut().zip(rounded) {
                let total = total.to_cost();
                row.total = total.map_err(|e| Error::money("totals of a usage answer", e))?.major;
            }
        }
        Ok(told.into_iter().map(|(_, row)| row).collect())
    }
}

impl AnswerRow {
    /// About how many bytes of memory it takes.
    fn size_bytes(&self) -> u64 {
        let texts = self.keys.iter().flatten().chain([&self.unit]);
        let texts = texts.fold(0_usize, |sum, text| sum.saturating_add(text.len()));
        let keys = self.keys.len().saturating_mul(size_of::<Option<String>>());
        let size = size_of::<AnswerRow>().saturating_add(keys).saturating_add(texts);
        u64::try_from(size).unwrap_or(u64::MAX)
    }
}

/// What rows are sorted by, while their totals are exact.
fn in_order(row: &AnswerRow) -> impl Ord + '_ {
    let AnswerRow { keys, unit, unit_price, quantity, total, currency } = row;
    (keys, unit, unit_price, currency, total, quantity)
}
