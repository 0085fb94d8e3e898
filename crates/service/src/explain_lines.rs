//! Explaining an invoice's line: from a booked cent back to the records, plans and terms.

use crate::declared::Declared;
use crate::documents::Document;
use crate::explain::Explanation;
use crate::late::ClosedPeriod;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Interval};
use domain::access::{Action, Caller, Scope};
use domain::closes::{Part, Payer};
use domain::credits::{self, Lot};
use domain::encoding::encode_row;
use domain::ids::{BillingAccountId, DocumentId};
use domain::invoice::{Line, LineKey, LineReference};
use domain::numbering::DocumentNumber;
use domain::rated::{RatedRow, RowKind};
use domain::tax::DocumentTax;
use domain::usage::ChargeCategory;
use domain::{Error, Result};
use money::Cost;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{AccountClose, Seen};

/// Which line, and how much of what is behind it.
#[derive(Debug, Clone)]
pub struct LineAsked {
    /// The invoice.
    pub document: DocumentNumber,
    /// Number of its line, from 1.
    pub line: u32,
    /// Only the rated row that this minor unit of the booked amount lies in, from 1.
    pub cent: Option<u64>,
    /// How many rated rows to explain in full.
    pub rows_shown: usize,
}

/// How a line of an invoice came about.
#[derive(Debug, Clone)]
pub struct ExplainedLine {
    /// The invoice.
    pub document: Document,
    /// The line: exact sum, exchange, rounding, what lots paid, tax.
    pub line: Line,
    /// The document's tax that the line's tax is a part of.
    pub tax: Option<DocumentTax>,
    /// What the line adds up.
    pub behind: Behind,
    /// What of its exact sum comes of no rated row behind it; none where rows are all of it.
    pub rest: Option<Rest>,
}

/// A part of a line's exact sum that is no rated row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// In the pricing currency; never zero.
    pub cost: Cost,
    /// What it is.
    pub why: String,
}

/// What a line adds up.
#[derive(Debug, Clone)]
pub enum Behind {
    /// Rated usage, as the close saw it; its exact sum is the line's.
    Usage(Explanation),
    /// No usage: what was declared that is charged.
    Declared(String),
    /// What a closed period was short of, or had too much. The first are all rows of the amended
    /// line as they were billed, the second as they come out now; in full are those that differ.
    Correction {
        /// The line that it amends.
        amends: LineReference,
        /// Rated rows as the close of the amended period saw them.
        billed: Explanation,
        /// Rated rows by what is known now.
        from_scratch: Explanation,
    },
}

/// Rated rows of a line, and what was declared by which they were rated.
struct LineRows {
    rows: Vec<RatedRow>,
    declared: Arc<Declared>,
}

/// What is behind a line, and what of it is no rated row.
type Found = (Behind, Option<Rest>);

impl Reckoner {
    /// Explains a line of an invoice.
    ///
    /// Errors: [`Error::NotFound`] for an invoice that the caller may not see, or a line that it
    /// does not have; [`Error::Forbidden`]; [`Error::Invalid`] for a cent that the line lacks.
    #[boxed]
    pub async fn explain_line(&self, caller: &Caller, asked: &LineAsked) -> Result<ExplainedLine> {
        let document = self.document(caller, &asked.document).await?;
        let invoice = &document.invoice;
        let scope = Scope::Account(invoice.billing_account.clone());
        self.demand(caller, Action::ExplainCharges, &scope).await?;
        let missing = || Error::not_found("line", format!("{} of {}", asked.line, asked.document));
        let line = invoice.line(asked.line).map_err(|_| missing())?.clone();
        let of_line = |tax: &&DocumentTax| tax.rule.category == line.key.tax;
        let tax = invoice.taxes.iter().find(of_line).cloned();
        let (behind, rest) = match &line.key.amends {
            None => self.0.behind(&document, &line, asked).await?,
            Some(amends) => self.0.behind_correction(&document, &line, amends, asked).await?,
        };
        Ok(ExplainedLine { document, line, tax, behind, rest })
    }
}

impl Inner {
    async fn behind(
        self: &Arc<Self>,
        document: &Document,
        line: &Line,
        asked: &LineAsked,
    ) -> Result<Found> {
        let (account, period) = (&document.invoice.billing_account, document.invoice.period);
        let place = (account, period);
        let LineRows { mut rows, declared } =
            self.billed_rows(place, &document.invoice.id, (&line.key, line.pricing)).await?;
        let declares = || -> Result<String> {
            let payer = Payer::of(&declared.book, account, period)?;
            Ok(declared_charge(&payer, &line.key))
        };
        if rows.is_empty() {
            return Ok((Behind::Declared(declares()?), None));
        }
        let rest = match rest_of(line, &rows, &[])? {
            // A vendor's adjustment and the discount of an offer can share a line.
            Some(cost) if line.key.category == ChargeCategory::Adjustment => {
                Some(Rest { cost, why: declares()? })
            }
            Some(cost) => return Err(not_added_up(document, line, cost)),
            None => None,
        };
        if let Some(cent) = asked.cent {
            let costs: Vec<Cost> = rows.iter().map(|row| row.cost).collect();
            let Some(place) = line.charge_of_cent(&costs, cent)? else {
                let why = declares()?;
                return Ok((Behind::Declared(why), rest));
            };
            rows = rows.into_iter().skip(place).take(1).collect();
        }
        Ok((Behind::Usage(self.explanation(rows, asked.rows_shown).await?), rest))
    }

    async fn behind_correction(
        self: &Arc<Self>,
        document: &Document,
        line: &Line,
        amends: &LineReference,
        asked: &LineAsked,
    ) -> Result<Found> {
        let account = &document.invoice.billing_account;
        let key = LineKey { amends: None, rate: None, ..line.key.clone() };
        let period = BillingPeriod::of(key.service_period.start());
        let place = (account, period);
        let billed = self.billed_rows(place, &amends.document, (&key, line.pricing)).await?;
        let now = self.refresh_declared().await?;
        let usage = self.account_usage(account, period).await?;
        let lots = self.lots_that_cut(&now, place).await?;
        let part = DocumentPart::of(&now, place, (&amends.document, lots.as_slice()))?;
        let again = part.rows(self.rows_of_line(&usage, &key).await?, (&key, line.pricing));
        let (mut gone, mut new) = differing(&billed.rows, &again);
        let why = if billed.rows.is_empty() && again.is_empty() {
            declared_charge(&part.payer, &key)
        } else {
            "what other corrections of the line have charged, before or since".to_owned()
        };
        let rest = rest_of(line, &new, &gone)?.map(|cost| Rest { cost, why });
        if let Some(cent) = asked.cent {
            (gone, new) = single_out(line, (gone, new), cent)?;
        }
        let shown = asked.rows_shown;
        let correction = Behind::Correction {
            amends: amends.clone(),
            billed: self.explanation_of(billed.rows, gone, shown).await?,
            from_scratch: self.explanation_of(again, new, shown).await?,
        };
        Ok((correction, rest))
    }

    /// Sums of all rows, and some of them in full.
    async fn explanation_of(
        self: &Arc<Self>,
        all: Vec<RatedRow>,
        some: Vec<RatedRow>,
        rows_shown: usize,
    ) -> Result<Explanation> {
        let rows = self.explanation(some, rows_shown).await?.rows;
        Ok(Explanation { rows, ..self.explanation(all, 0).await? })
    }

    /// The rated rows of a line, as the close or rebill that billed it saw them.
    ///
    /// Where nothing came since a close, they are read; else they are rated again from records and
    /// facts.
    async fn billed_rows(
        self: &Arc<Self>,
        place: (&BillingAccountId, BillingPeriod),
        document: &DocumentId,
        (key, pricing): (&LineKey, Cost),
    ) -> Result<LineRows> {
        let (account, period) = place;
        let rebilled = self.seen_by_rebill(place, document).await?;
        let (seen, has_changed) = match rebilled {
            Some(seen) => (seen, true),
            None => {
                let closed = self.closed_periods(&self.declared(), account).await?;
                let closed = closed.into_iter().find(|closed| closed.period == period);
                let missing = || Error::not_found("close", format!("{account} in {period}"));
                let ClosedPeriod { close, has_changed, .. } = closed.ok_or_else(missing)?;
                let AccountClose { company_version, end_sequence, .. } = close;
                (Seen { company_version, end_sequence }, has_changed)
            }
        };
        let declared = self.declared_at(seen.company_version).await?;
        let lots = match rebilled {
            Some(_) => self.lots_that_cut(&declared, place).await?,
            None => declared.company.lots_of(account).to_vec(),
        };
        let part = DocumentPart::of(&declared, place, (document, lots.as_slice()))?;
        let rows = match &key.meter {
            Some(meter) if has_changed => {
                let seen = (seen.end_sequence, &declared);
                self.rated_again((account, Some(meter)), period, seen).await?
            }
            Some(_) | None => {
                let usage = self.account_usage(account, period).await?;
                self.rows_of_line(&usage, key).await?
            }
        };
        let rows = part.rows(rows, (key, pricing));
        Ok(LineRows { rows, declared })
    }

    /// What a rebill was computed from; nothing of what a close issued.
    async fn seen_by_rebill(
        self: &Arc<Self>,
        (account, period): (&BillingAccountId, BillingPeriod),
        document: &DocumentId,
    ) -> Result<Option<Seen>> {
        if !document.as_str().starts_with(&format!("{account}/{period}/rebill/")) {
            return Ok(None);
        }
        let rows = self.rows_sent_to(account).await?;
        Ok(rows.into_iter().find(|row| row.id == document.as_str()).and_then(|row| row.seen))
    }
}

/// A payer's document of a billing period, as its lines were made.
struct DocumentPart<'a> {
    payer: Payer<'a>,
    part: Option<Part>,
    spans: Vec<Interval>,
}

impl<'a> DocumentPart<'a> {
    /// `lots` are those that lines are cut by.
    fn of(
        declared: &'a Declared,
        (account, period): (&BillingAccountId, BillingPeriod),
        (document, lots): (&DocumentId, &[Lot]),
    ) -> Result<DocumentPart<'a>> {
        let payer = Payer::of(&declared.book, account, period)?;
        let part = Part::of_document(document, account, period);
        let spans = credits::cuts(period.interval(), lots);
        Ok(DocumentPart { payer, part, spans })
    }

    /// Those of some rows that stand on a line: by its key and pricing currency.
    fn rows(&self, rows: Vec<RatedRow>, (key, pricing): (&LineKey, Cost)) -> Vec<RatedRow> {
        let is_of_line = |row: &RatedRow| {
            if row.kind == RowKind::Unused || row.cost.currency != pricing.currency {
                return false;
            }
            let (part, of) = self.payer.line_of(row, &self.spans);
            of == *key && self.part.as_ref().is_none_or(|wanted| part == *wanted)
        };
        rows.into_iter().filter(is_of_line).collect()
    }
}

/// What of a line's exact sum is not in rows that count and rows that are taken off.
fn rest_of(line: &Line, plus: &[RatedRow], minus: &[RatedRow]) -> Result<Option<Cost>> {
    let sum = plus.iter().try_fold(line.pricing, |rest, row| rest.checked_sub(row.cost));
    let rest =
        sum.and_then(|rest| minus.iter().try_fold(rest, |rest, row| rest.checked_add(row.cost)));
    let rest = rest.map_err(|e| Error::money(format!("rows of line {}", line.number), e))?;
    Ok((!rest.major.is_zero()).then_some(rest))
}

fn not_added_up(document: &Document, line: &Line, rest: Cost) -> Error {
    let Cost { major, currency } = rest;
    let problem = format!("its rated rows are {major} {currency} short of its exact sum");
    Error::internal(format!("explain line {} of {}", line.number, document.number), problem)
}

/// Of the rows that a correction takes off and those that it adds, the one that a minor unit of the
/// line lies in; none where it lies in the rest.
fn single_out(
    line: &Line,
    (gone, new): (Vec<RatedRow>, Vec<RatedRow>),
    cent: u64,
) -> Result<(Vec<RatedRow>, Vec<RatedRow>)> {
    let gone = gone.into_iter().map(|row| (row, Change::Gone));
    let mut all: Vec<(RatedRow, Change)> =
        gone.chain(new.into_iter().map(|row| (row, Change::New))).collect();
    all.sort_by(|(a, _), (b, _)| a.sort_key().cmp(&b.sort_key()));
    let of = |source| Error::money(format!("cents of line {}", line.number), source);
    let cost = |(row, change): &(RatedRow, Change)| -> Result<Cost> {
        let Cost { major, currency } = row.cost;
        match change {
            Change::New => Ok(row.cost),
            Change::Gone => Ok(Cost { major: major.checked_neg().map_err(of)?, currency }),
        }
    };
    let costs = all.iter().map(cost).collect::<Result<Vec<_>>>()?;
    let place = line.charge_of_cent(&costs, cent)?;
    let found = place.and_then(|place| all.into_iter().nth(place));
    Ok(match found {
        Some((row, Change::Gone)) => (vec![row], Vec::new()),
        Some((row, Change::New)) => (Vec::new(), vec![row]),
        None => (Vec::new(), Vec::new()),
    })
}

/// What a correction does to a rated row.
enum Change {
    Gone,
    New,
}

/// Rows that only the first have, and rows that only the second have.
fn differing(before: &[RatedRow], after: &[RatedRow]) -> (Vec<RatedRow>, Vec<RatedRow>) {
    let count = |rows: &[RatedRow]| {
        let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for row in rows {
            let count = counts.entry(encode_row(row)).or_default();
            *count = count.saturating_add(1);
        }
        counts
    };
    let only = |rows: &[RatedRow], mut others: BTreeMap<Vec<u8>, u64>| {
        let is_alone = |row: &&RatedRow| match others.get_mut(&encode_row(row)) {
            Some(left) if *left > 0 => {
                *left = left.saturating_sub(1);
                false
            }
            Some(_) | None => true,
        };
        rows.iter().filter(is_alone).cloned().collect()
    };
    (only(before, count(after)), only(after, count(before)))
}

/// What was declared that a line without usage charges.
fn declared_charge(payer: &Payer<'_>, key: &LineKey) -> String {
    let LineKey { category, subscription, meter, item, service_period, buys, .. } = key;
    let of =
        subscription.as_ref().map_or_else(String::new, |of| format!(" of subscription `{of}`"));
    if let Some(lot) = buys {
        return format!("buys prepayment lot `{lot}`");
    }
    if let Some(meter) = meter.as_ref().filter(|_| *category == ChargeCategory::Adjustment) {
        let committed = payer.terms.committed;
        return format!(
            "discount on meter `{meter}`{of} by the terms of its offer; committed to {committed}"
        );
    }
    let plan =
        payer.company.plans_of(&payer.account.id).iter().find(|held| held.id.as_str() == item);
    match plan {
        Some(held) => {
            let months = held.plan.cycle_months;
            format!(
                "plan `{item}` ({}), every {months} months{of}, for {service_period:?}",
                held.name
            )
        }
        None => format!("{item}{of}, for {service_period:?}"),
    }
}
