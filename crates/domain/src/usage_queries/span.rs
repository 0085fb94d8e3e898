//! Which period is really answered.

use super::{UsageColumn, UsageQuestion, month_of};
use calendar::{BillingPeriod, Day, Instant, Interval};
use std::ops::Range;

/// When a day begins in a question's time zone; [`Day::start`] for UTC.
pub type StartOfDay<'a> = dyn Fn(Day) -> Instant + 'a;

/// The period that is really answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSpan {
    /// From when to when: what was asked for, brought out to whole months where rows are told
    /// apart by month and not by day, and cut to months that are final where others are left out.
    pub requested: Range<Instant>,
    /// The months that are answered, each with whether it is final. One that lies within
    /// [`UsageSpan::requested`] and is missing here is left out.
    pub months: Vec<(BillingPeriod, bool)>,
}

impl UsageSpan {
    /// What is answered of each month.
    pub fn parts(&self) -> Vec<(BillingPeriod, Interval)> {
        let Ok(requested) = Interval::new(self.requested.start, self.requested.end) else {
            return Vec::new();
        };
        let part = |month: BillingPeriod| Some((month, month.interval().intersection(&requested)?));
        self.months.iter().filter_map(|(month, _)| part(*month)).collect()
    }
}

/// The period as it was asked for.
pub fn asked_span(question: &UsageQuestion, start_of: &StartOfDay<'_>) -> Range<Instant> {
    start_of(question.days.start)..start_of(question.days.end)
}

/// The period asked for, brought out to whole months where rows are told apart by month only.
pub fn aligned_span(question: &UsageQuestion, start_of: &StartOfDay<'_>) -> Range<Instant> {
    let days = aligned_days(question);
    start_of(days.start)..start_of(days.end)
}

/// The billing periods, which are months in UTC, that a span has a share in.
pub fn months_of(span: &Range<Instant>) -> Vec<BillingPeriod> {
    if span.is_empty() {
        return Vec::new();
    }
    let first = BillingPeriod::of(span.start);
    let last = BillingPeriod::of(span.end.plus_micros(-1));
    (0..=last.months_since(first)).filter_map(|months| first.plus_months(months).ok()).collect()
}

/// The period that is really answered. A month is left out when it is not final and the question
/// wants no such months; with none left the span is empty and lies where the asked one begins.
pub fn span_of(
    question: &UsageQuestion,
    is_final: &dyn Fn(BillingPeriod) -> bool,
    start_of: &StartOfDay<'_>,
) -> UsageSpan {
    let aligned = aligned_span(question, start_of);
    let months = months_of(&aligned).into_iter().map(|month| (month, is_final(month)));
    let months: Vec<_> = months.filter(|(_, is_final)| question.unfinalized || *is_final).collect();
    let requested = match (months.first(), months.last()) {
        (Some((first, _)), Some((last, _))) => {
            aligned.start.max(first.start())..aligned.end.min(last.end())
        }
        _ => {
            let start = asked_span(question, start_of).start;
            start..start
        }
    };
    UsageSpan { requested, months }
}

fn aligned_days(question: &UsageQuestion) -> Range<Day> {
    let Range { start, end } = question.days;
    let has = |column: UsageColumn| question.columns.contains(&column);
    if !has(UsageColumn::Month) || has(UsageColumn::Day) || end <= start {
        return start..end;
    }
    let (first, last) = (month_of(start), month_of(end));
    let end = if last.start() == end.start() { last.start() } else { last.end() };
    first.start().day()..end.day()
}
