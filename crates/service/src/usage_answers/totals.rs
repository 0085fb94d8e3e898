//! Totals of an answer's rows, so that they add up to what was booked.
//!
//! An invoice rounds lines, one for each subscription and meter; an answer has other rows. Where an
//! answer has the whole of a closed month, of the whole company and unfiltered, its rows come to
//! what the invoice of the month booked for usage in its own currency, and what the rows have
//! beside those lines (a credit note took it back, or another currency) is rounded once. All else
//! is rounded so that rows come to their rounded exact sum. Months that rows are told apart by are
//! rounded apart, so that each comes to its own invoice. Lines of adjustments are among them where
//! rows tell all of their cost: with the discount of an offer on the same line they do not.

use super::corrections::{Adjusted, CostKey, is_of_close};
use calendar::BillingPeriod;
use domain::delivery::Sent;
use domain::ids::BillingAccountId;
use domain::usage_queries::rounded_totals;
use domain::{Error, Result};
use money::{Cost, Currency, Money, MoneyError, Rounding};
use std::collections::BTreeMap;

/// What an invoice booked for usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BookedUsage {
    /// The exact sums of its lines.
    pub(super) exact: Cost,
    /// Their amounts.
    pub(super) booked: Money,
}

/// What months' invoices booked for usage, where an answer has all of it.
pub(super) type BookedMonths = BTreeMap<BillingPeriod, BTreeMap<Currency, BookedUsage>>;

/// What the close of a month booked for usage, by currency; `adjusted` is what adjustments cost
/// that are told. Lines that were priced in another currency than the invoice's are not here: their
/// rows are in that other one.
pub(super) fn booked_in(
    sent: &Sent,
    account: &BillingAccountId,
    month: BillingPeriod,
    adjusted: &Adjusted,
) -> Result<BTreeMap<Currency, BookedUsage>> {
    let mut all: BTreeMap<Currency, BookedUsage> = BTreeMap::new();
    let mut adjustments: BTreeMap<(BillingPeriod, CostKey), BookedUsage> = BTreeMap::new();
    for invoice in &sent.invoices {
        if !is_of_close(invoice, account, month)? {
            continue;
        }
        let currency = invoice.currency;
        for line in invoice.lines.iter().filter(|line| line.pricing.currency == currency) {
            let Some(key) = CostKey::of_line(&line.key, currency) else { continue };
            let nothing = BookedUsage::nothing(currency);
            let sum = match key.may_be_discounted() {
                true => {
                    let used = BillingPeriod::of(line.key.service_period.start());
                    adjustments.entry((used, key)).or_insert(nothing)
                }
                false => all.entry(currency).or_insert(nothing),
            };
            sum.add(BookedUsage { exact: line.pricing, booked: line.booked })?;
        }
    }
    for ((used, key), booked) in adjustments {
        let told = adjusted.get(&used).and_then(|costs| costs.get(&key));
        if told == Some(&booked.exact.major) {
            let nothing = BookedUsage::nothing(key.currency);
            all.entry(key.currency).or_insert(nothing).add(booked)?;
        }
    }
    Ok(all)
}

impl BookedUsage {
    fn nothing(currency: Currency) -> BookedUsage {
        BookedUsage { exact: Cost::zero(currency), booked: Money::zero(currency) }
    }

    fn add(&mut self, BookedUsage { exact, booked }: BookedUsage) -> Result<()> {
        self.exact = self.exact.checked_add(exact).map_err(failure)?;
        self.booked = self.booked.checked_add(booked).map_err(failure)?;
        Ok(())
    }
}

/// Rounds the exact costs of rows, each with the month that it is told of, if rows are told apart
/// by months at all.
///
/// Errors: [`Error::Money`].
pub(super) fn totals(
    rows: &[(Option<BillingPeriod>, Cost)],
    booked: &BookedMonths,
) -> Result<Vec<Money>> {
    let mut together: BTreeMap<Option<BillingPeriod>, Vec<(usize, Cost)>> = BTreeMap::new();
    for (place, (month, cost)) in rows.iter().enumerate() {
        let apart = month.filter(|month| booked.contains_key(month));
        together.entry(apart).or_default().push((place, *cost));
    }
    let are_apart = rows.iter().any(|(month, _)| month.is_some());
    let mut totals: Vec<(usize, Money)> = Vec::with_capacity(rows.len());
    for (month, rows) in together {
        let months: Vec<_> = match month {
            Some(month) => booked.get(&month).into_iter().collect(),
            None if are_apart => Vec::new(),
            None => booked.values().collect(),
        };
        let (places, costs): (Vec<usize>, Vec<Cost>) = rows.into_iter().unzip();
        let targets = targets(&costs, &months).map_err(failure)?;
        totals.extend(places.into_iter().zip(rounded_totals(&costs, &targets)?));
    }
    totals.sort_by_key(|(place, _)| *place);
    Ok(totals.into_iter().map(|(_, total)| total).collect())
}

/// What rows come to in each currency: what was booked, and the rest of them rounded.
fn targets(
    costs: &[Cost],
    booked: &[&BTreeMap<Currency, BookedUsage>],
) -> std::result::Result<BTreeMap<Currency, Money>, MoneyError> {
    let mut sums: BTreeMap<Currency, Cost> = BTreeMap::new();
    for cost in costs {
        let sum = sums.entry(cost.currency).or_insert(Cost::zero(cost.currency));
        *sum = sum.checked_add(*cost)?;
    }
    let mut targets = BTreeMap::new();
    for (currency, exact) in sums {
        let (mut rest, mut target) = (exact, Money::zero(currency));
        for one in booked.iter().filter_map(|month| month.get(&currency)) {
            rest = rest.checked_sub(one.exact)?;
            target = target.checked_add(one.booked)?;
        }
        let rest = rest.book(Rounding::HalfAwayFromZero)?;
        targets.insert(currency, target.checked_add(rest)?);
    }
    Ok(targets)
}

fn failure(source: MoneyError) -> Error {
    Error::money("totals of a usage answer", source)
}

#[cfg(test)]
mod tests {
    use super::super::corrections::Costs;
    use super::*;
    use domain::credits::Coverage;
    use domain::ids::{DocumentId, LegalEntityId, MeterId, SubscriptionId, TaxCategory};
    use domain::invoice::{Invoice, Line, LineKey};
    use domain::usage::ChargeCategory;
    use money::Fixed18;

    fn cost(text: &str) -> Cost {
        let (major, code) = text.split_once(' ').unwrap();
        Cost { major: Fixed18::parse(major).unwrap(), currency: Currency::parse(code).unwrap() }
    }

    fn month(text: &str) -> BillingPeriod {
        BillingPeriod::parse(text).unwrap()
    }

    fn booked(months: &[(&str, &str, i128)]) -> BookedMonths {
        let mut all = BookedMonths::new();
        for (of, exact, minor) in months {
            let exact = cost(exact);
            let booked = Money::from_minor(*minor, exact.currency);
            let usage = BookedUsage { exact, booked };
            all.entry(month(of)).or_default().insert(exact.currency, usage);
        }
        all
    }

    fn check(rows: &[(&str, &str)], months: &[(&str, &str, i128)], expected: &[i128]) {
        let rows: Vec<_> = rows
            .iter()
            .map(|(of, exact)| ((!of.is_empty()).then(|| month(of)), cost(exact)))
            .collect();
        let rounded = totals(&rows, &booked(months)).unwrap();
        let minor: Vec<i128> = rounded.iter().map(|total| total.minor()).collect();
        assert_eq!(minor, expected, "{rows:?} booked {months:?}");
    }

    #[test]
    fn adjustments_are_booked_usage_where_rows_tell_them_whole() {
        let usd = Currency::parse("USD").unwrap();
        let sms = |category| CostKey {
            subscription: SubscriptionId::new("letters").unwrap(),
            meter: MeterId::new("sms").unwrap(),
            category,
            currency: usd,
        };
        // Lines of May's invoice: the month of use, the category, what is booked, in cents.
        let lines = [
            ("2026-05", ChargeCategory::Usage, 301),
            ("2026-05", ChargeCategory::Adjustment, -100),
            ("2026-04", ChargeCategory::Adjustment, -50),
        ];
        let sent = sent(&lines);
        let check = |told: &[(&str, &str)], expected: i128| {
            let key = sms(ChargeCategory::Adjustment);
            let of = |(of, exact): &(&str, &str)| {
                (month(of), Costs::from([(key.clone(), cost(exact).major)]))
            };
            let adjusted: Adjusted = told.iter().map(of).collect();
            let acme = BillingAccountId::new("acme").unwrap();
            let booked = booked_in(&sent, &acme, month("2026-05"), &adjusted).unwrap();
            assert_eq!(booked[&usd].booked.minor(), expected, "{told:?}");
        };
        check(&[], 301);
        check(&[("2026-05", "-1 USD")], 201);
        check(&[("2026-05", "-1 USD"), ("2026-04", "-0.5 USD")], 151);
        // A discount is on the same line: nothing says how much of what is booked is whose.
        check(&[("2026-05", "-0.7 USD")], 301);
    }

    fn sent(lines: &[(&str, ChargeCategory, i128)]) -> Sent {
        let currency = Currency::parse("USD").unwrap();
        let line = |(number, (of, category, minor)): (u32, &(&str, ChargeCategory, i128))| {
            let booked = Money::from_minor(*minor, currency);
            Line {
                number,
                key: LineKey {
                    section: None,
                    category: *category,
                    subscription: Some(SubscriptionId::new("letters").unwrap()),
                    meter: Some(MeterId::new("sms").unwrap()),
                    item: String::new(),
                    service_period: month(of).interval(),
                    tax: TaxCategory::new("standard").unwrap(),
                    amends: None,
                    buys: None,
                    rate: None,
                },
                pricing: booked.to_cost().unwrap(),
                exchange: None,
                exact: booked.to_cost().unwrap(),
                booked,
                coverage: Coverage::Covered,
                set_off: Money::zero(currency),
                paid: Vec::new(),
                left: Money::zero(currency),
                tax: Money::zero(currency),
            }
        };
        let invoice = Invoice {
            id: DocumentId::new("acme/2026-05").unwrap(),
            billing_account: BillingAccountId::new("acme").unwrap(),
            seller: LegalEntityId::new("seller").unwrap(),
            period: month("2026-05"),
            currency,
            lines: (1..).zip(lines).map(line).collect(),
            taxes: Vec::new(),
            replaces: None,
        };
        Sent { invoices: vec![invoice], notes: Vec::new(), delivered: Vec::new() }
    }

    #[test]
    fn rows_come_to_their_rounded_exact_sum() {
        check(&[], &[], &[]);
        check(&[("", "0.333 USD"), ("", "0.333 USD"), ("", "0.334 USD")], &[], &[33, 33, 34]);
        check(&[("", "4.005 USD"), ("", "1.004 EUR")], &[], &[401, 100]);
        check(&[("2026-03", "0.004 USD"), ("2026-04", "0.004 USD")], &[], &[1, 0]);
    }

    #[test]
    fn rows_of_a_whole_month_come_to_its_invoice() {
        // Two lines of 0.005 were booked as 0.01 each.
        check(&[("", "0.010 USD")], &[("2026-03", "0.010 USD", 2)], &[2]);
        // A credit note took 0.50 back: no line has it.
        check(&[("", "0.510 USD")], &[("2026-03", "1.010 USD", 102)], &[52]);
        // Another currency was converted line by line: its rows are not on the invoice.
        check(&[("", "7.004 EUR")], &[("2026-03", "1.010 USD", 102)], &[700]);
    }

    #[test]
    fn months_that_are_told_apart_come_to_their_own_invoices() {
        let rows = [("2026-03", "0.010 USD"), ("2026-04", "0.010 USD"), ("2026-05", "0.014 USD")];
        let months = [("2026-03", "0.010 USD", 2), ("2026-04", "0.010 USD", 1)];
        check(&rows, &months, &[2, 1, 1]);
        // Told together they come to both invoices and what is open.
        check(&[("", "0.034 USD")], &months, &[4]);
    }
}
