//! Usage answers: what a usage query comes to, before any vendor's spelling.

use calendar::{BillingPeriod, Instant};
use domain::usage_queries::UsageColumn;
use money::{Currency, Fixed18};
use std::ops::Range;

/// What a usage query comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageAnswer {
    /// The dimension columns, in effective order.
    pub columns: Vec<AnswerColumn>,
    /// The rows, sorted by the dimension columns, then by unit, price, currency and total.
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
