//! Invoices: from exact sums of rated rows to booked lines, drawdown, tax and totals.
//!
//! What is rounded, and where: a line once (exact sum → minor units), a tax once (per document and
//! category). What a line gained or lost is its rounding row, kept exactly, so that rated rows +
//! rounding rows = invoice. Nothing else rounds, and every total is a sum of booked amounts.
//!
//! Source: architecture, section 2 (invariants 3 and 4) and section 3 (close).

mod cents;
mod figures;

pub use figures::{Addend, Addends, Figure, Led};

use crate::credits::{
    self, Coverage, Drawn, DrawnCharge, DueCharge, Exclusions, LotKind, LotPart, OpenLot, Payable,
};
use crate::ids::{BillingAccountId, DocumentId, InvoiceSectionId, LotId, MeterId, SubscriptionId};
use crate::ids::{LegalEntityId, TaxCategory};
use crate::tax::{self, DocumentTax, TaxTable, Taxable};
use crate::usage::ChargeCategory;
use crate::{Error, Result};
use calendar::{BillingPeriod, Instant, Interval};
use money::{Cost, Currency, Fixed18, Money, MoneyError, Rounding};
use std::collections::BTreeMap;

/// What makes charges one line of an invoice. Lines are numbered in its order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey {
    /// Under which section; none where the account has no sections.
    pub section: Option<InvoiceSectionId>,
    /// What kind of charge.
    pub category: ChargeCategory,
    /// Of which subscription, if any.
    pub subscription: Option<SubscriptionId>,
    /// For what: the meter of usage.
    pub meter: Option<MeterId>,
    /// For what: anything that is not counted by a meter; may be empty.
    pub item: String,
    /// When it was used or held.
    pub service_period: Interval,
    /// How it is taxed.
    pub tax: TaxCategory,
    /// The line of a closed period that it corrects.
    pub amends: Option<LineReference>,
    /// The prepayment lot that it buys.
    pub buys: Option<LotId>,
    /// The id of the exchange rate that a correction keeps; none for the billing period's own.
    pub rate: Option<String>,
}

/// A line of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineReference {
    /// The document.
    pub document: DocumentId,
    /// Number of the line, from 1; none for the document as a whole.
    pub line: Option<u32>,
}

/// Exact sums of charges by line and pricing currency: what an invoice is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineSums {
    sums: BTreeMap<(LineKey, Currency), Fixed18>,
}

impl LineSums {
    /// Adds a charge: a rated row, a purchase, a recurring charge, a correction.
    ///
    /// Errors: [`Error::Money`].
    pub fn add(&mut self, key: LineKey, cost: Cost) -> Result<()> {
        let sum = self.sums.entry((key, cost.currency)).or_default();
        *sum = sum
            .checked_add(cost.major)
            .map_err(|source| Error::money("exact sum of an invoice line", source))?;
        Ok(())
    }

    /// The sums, in the order of lines.
    pub fn iter(&self) -> impl Iterator<Item = (&LineKey, Cost)> {
        self.sums.iter().map(|((key, currency), major)| {
            let cost = Cost { major: *major, currency: *currency };
            (key, cost)
        })
    }
}

/// What one unit of the pricing currency is in the billing currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRate {
    /// Its id, for the explanation.
    pub id: String,
    /// Pricing currency.
    pub from: Currency,
    /// Billing currency.
    pub to: Currency,
    /// Units of `to` for one of `from`; above zero.
    pub rate: Fixed18,
    /// Who published it.
    pub source: String,
    /// For when.
    pub at: Instant,
}

/// All that an invoice needs besides its charges.
#[derive(Debug, Clone, Copy)]
pub struct InvoiceTerms<'a> {
    /// The invoice's id; its number comes when it is issued.
    pub id: &'a DocumentId,
    /// Who pays.
    pub billing_account: &'a BillingAccountId,
    /// Who sells; numbers are gap-free for each.
    pub seller: &'a LegalEntityId,
    /// For when.
    pub period: BillingPeriod,
    /// Billing currency.
    pub currency: Currency,
    /// Into the billing currency: the period's own first, then those that corrections keep.
    pub rates: &'a [ExchangeRate],
    /// Lots that may pay, with what is left of them.
    pub lots: &'a [OpenLot<'a>],
    /// What prepayment cannot cover.
    pub separately: &'a Exclusions,
    /// How supplies are taxed.
    pub taxes: &'a TaxTable,
    /// How lines and taxes are rounded.
    pub rounding: Rounding,
}

/// The demand for one payer and billing period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: DocumentId,
    /// Who pays.
    pub billing_account: BillingAccountId,
    /// Who sells.
    pub seller: LegalEntityId,
    /// For when.
    pub period: BillingPeriod,
    /// Billing currency.
    pub currency: Currency,
    /// Lines, numbered from 1.
    pub lines: Vec<Line>,
    /// Taxes, numbered from 1.
    pub taxes: Vec<DocumentTax>,
    /// The voided invoice in whose place it stands (rebill).
    pub replaces: Option<DocumentId>,
}

/// A line of an invoice: booked = paid by lots − set off + left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: u32,
    /// What it is for.
    pub key: LineKey,
    /// Exact sum of its charges in the pricing currency.
    pub pricing: Cost,
    /// How it came into the billing currency; none where that is the pricing currency.
    pub exchange: Option<ExchangeRate>,
    /// Exact sum in the billing currency (converted: to 18 places).
    pub exact: Cost,
    /// The line's amount.
    pub booked: Money,
    /// In which sum of the balance summary it counts.
    pub coverage: Coverage,
    /// What other lines' amounts below zero took from it, or it took from others.
    pub set_off: Money,
    /// What lots paid of it.
    pub paid: Vec<LotPart>,
    /// What is left to pay: the taxable amount.
    pub left: Money,
    /// Its part of the document's tax.
    pub tax: Money,
}

impl Line {
    /// What booking did to the line: booked − exact, to 18 places.
    ///
    /// Errors: [`Error::Money`].
    pub fn rounding(&self) -> Result<Cost> {
        let booked = self.booked.to_cost().and_then(|booked| booked.checked_sub(self.exact));
        booked.map_err(|source| Error::money(format!("rounding of line {}", self.number), source))
    }
}

/// What one line gained or lost when it was booked: a row of category rounding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundingRow {
    /// The line.
    pub line: LineReference,
    /// Booked − exact, to 18 places; never zero.
    pub cost: Cost,
}

impl RoundingRow {
    /// What kind of row it is.
    pub const CATEGORY: ChargeCategory = ChargeCategory::Rounding;
}

/// Makes the draft of an invoice.
///
/// Errors: [`Error::Invalid`] when marketplace charges stand beside others (they have an invoice
/// of their own, apart from all sums); [`Error::NotFound`] for a missing rate or tax rule;
/// [`Error::Money`].
pub fn draft(terms: &InvoiceTerms<'_>, sums: &LineSums) -> Result<Invoice> {
    let booked = sums.iter().map(|(key, pricing)| book(terms, key, pricing));
    let booked = booked.collect::<Result<Vec<_>>>()?;
    let is_marketplace = |line: &&Booked<'_>| line.key.category == ChargeCategory::Marketplace;
    let marketplace_count = booked.iter().filter(is_marketplace).count();
    if marketplace_count != 0 && marketplace_count != booked.len() {
        let problem = format!("{} mixes marketplace charges with others", terms.id);
        return Err(Error::invalid("invoice", problem));
    }
    let charges: Vec<DueCharge> = (1..).zip(&booked).map(|(line, b)| b.due(line)).collect();
    let drawn = credits::draw(terms.currency, &charges, terms.lots, terms.separately)?;
    let taxable = booked.iter().zip(&drawn.charges).map(|(line, drawn)| {
        let category = line.key.tax.clone();
        Taxable { category, amount: drawn.left }
    });
    let taxable: Vec<Taxable> = taxable.collect();
    let (taxes, parts) = tax::tax(terms.taxes, terms.currency, terms.rounding, &taxable)?;
    let lines = booked.into_iter().zip(drawn.charges).zip(parts);
    let lines = lines.map(|((booked, drawn), tax)| booked.line(drawn, tax)).collect();
    Ok(Invoice {
        id: terms.id.clone(),
        billing_account: terms.billing_account.clone(),
        seller: terms.seller.clone(),
        period: terms.period,
        currency: terms.currency,
        lines,
        taxes,
        replaces: None,
    })
}

/// A line before drawdown and tax.
struct Booked<'a> {
    key: &'a LineKey,
    pricing: Cost,
    exchange: Option<ExchangeRate>,
    exact: Cost,
    booked: Money,
}

impl Booked<'_> {
    fn due(&self, line: u32) -> DueCharge {
        // Buying prepayment is no charge that a lot could pay: that would turn credit into money.
        let meter = self.key.meter.clone();
        let at = self.key.service_period.start();
        let payable = if self.key.buys.is_some() { Payable::InMoney } else { Payable::ByLots };
        DueCharge { line, at, category: self.key.category, meter, amount: self.booked, payable }
    }

    fn line(self, drawn: DrawnCharge, tax: Money) -> Line {
        let Booked { key, pricing, exchange, exact, booked } = self;
        let DrawnCharge { line, coverage, amount: _, set_off, paid, left } = drawn;
        let key = key.clone();
        Line {
            number: line,
            key,
            pricing,
            exchange,
            exact,
            booked,
            coverage,
            set_off,
            paid,
            left,
            tax,
        }
    }
}

/// Books one line in the billing currency.
fn book<'a>(terms: &InvoiceTerms<'_>, key: &'a LineKey, pricing: Cost) -> Result<Booked<'a>> {
    let of = |source| Error::money(format!("a line of invoice {}", terms.id), source);
    if pricing.currency == terms.currency {
        let booked = pricing.book(terms.rounding).map_err(of)?;
        return Ok(Booked { key, pricing, exchange: None, exact: pricing, booked });
    }
    let rate = terms.rates.iter().find(|rate| {
        let is_meant = key.rate.as_ref().is_none_or(|id| *id == rate.id);
        is_meant && rate.from == pricing.currency && rate.to == terms.currency
    });
    let rate = rate.ok_or_else(|| {
        Error::not_found("exchange rate", format!("{} to {}", pricing.currency, terms.currency))
    })?;
    let (exact, booked) = convert(pricing, rate, terms.rounding).map_err(of)?;
    Ok(Booked { key, pricing, exchange: Some(rate.clone()), exact, booked })
}

/// Converts an exact sum once. The booked amount comes from the unrounded product, not from the
/// 18 places that are kept, so that no amount is rounded twice.
fn convert(
    pricing: Cost,
    rate: &ExchangeRate,
    rounding: Rounding,
) -> std::result::Result<(Cost, Money), MoneyError> {
    let into = |places| {
        let major = pricing.major.checked_mul(rate.rate, places, rounding)?;
        Ok::<_, MoneyError>(Cost { major, currency: rate.to })
    };
    let exact = into(Fixed18::PLACES)?;
    let booked = into(rate.to.exponent())?.book(Rounding::TowardZero)?;
    Ok((exact, booked))
}

/// Sums of booked amounts, in minor units: charges + set off − credit − prepayment = subtotal, and
/// subtotal + tax = total. Over a whole invoice nothing is set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Of the lines.
    pub charges: Money,
    /// What lines below zero elsewhere took from these (negative), or these from others.
    pub set_off: Money,
    /// Paid by credit lots.
    pub credit: Money,
    /// Paid by prepayment lots.
    pub prepayment: Money,
    /// Left to pay before tax.
    pub subtotal: Money,
    /// Tax.
    pub tax: Money,
    /// What is owed when it is issued; below zero, what the payer is owed.
    pub total: Money,
}

impl Totals {
    fn zero(currency: Currency) -> Totals {
        let zero = Money::zero(currency);
        Totals {
            charges: zero,
            set_off: zero,
            credit: zero,
            prepayment: zero,
            subtotal: zero,
            tax: zero,
            total: zero,
        }
    }

    fn add(&mut self, line: &Line) -> std::result::Result<(), MoneyError> {
        self.charges = self.charges.checked_add(line.booked)?;
        self.set_off = self.set_off.checked_add(line.set_off)?;
        for LotPart { lot: _, kind, amount } in &line.paid {
            let sum = match kind {
                LotKind::Credit => &mut self.credit,
                LotKind::Prepayment => &mut self.prepayment,
            };
            *sum = sum.checked_add(*amount)?;
        }
        self.subtotal = self.subtotal.checked_add(line.left)?;
        self.tax = self.tax.checked_add(line.tax)?;
        self.total = self.total.checked_add(line.left)?.checked_add(line.tax)?;
        Ok(())
    }
}

impl Invoice {
    /// Sums over all lines.
    ///
    /// Errors: [`Error::Money`].
    pub fn totals(&self) -> Result<Totals> {
        let mut totals = Totals::zero(self.currency);
        for line in &self.lines {
            totals.add(line).map_err(|source| self.fault(source))?;
        }
        Ok(totals)
    }

    /// Sums by section; they add up to [`Invoice::totals`].
    ///
    /// Errors: [`Error::Money`].
    pub fn sections(&self) -> Result<BTreeMap<Option<InvoiceSectionId>, Totals>> {
        let mut sections = BTreeMap::new();
        for line in &self.lines {
            let totals = sections.entry(line.key.section.clone());
            let totals = totals.or_insert(Totals::zero(self.currency));
            totals.add(line).map_err(|source| self.fault(source))?;
        }
        Ok(sections)
    }

    /// The rounding rows: with them the exact sums of lines are the booked ones.
    ///
    /// Errors: [`Error::Money`].
    pub fn rounding_rows(&self) -> Result<Vec<RoundingRow>> {
        let mut rows = Vec::new();
        for line in &self.lines {
            let cost = line.rounding()?;
            if !cost.major.is_zero() {
                let line = LineReference { document: self.id.clone(), line: Some(line.number) };
                rows.push(RoundingRow { line, cost });
            }
        }
        Ok(rows)
    }

    /// What lots paid of the lines, for the balance summary.
    pub fn drawn(&self) -> Drawn {
        let charge = |line: &Line| DrawnCharge {
            line: line.number,
            coverage: line.coverage,
            amount: line.booked,
            set_off: line.set_off,
            paid: line.paid.clone(),
            left: line.left,
        };
        Drawn { currency: self.currency, charges: self.lines.iter().map(charge).collect() }
    }

    /// Booked amounts by category, without tax of ours.
    ///
    /// Errors: [`Error::Money`].
    pub fn categories(&self) -> Result<BTreeMap<ChargeCategory, Money>> {
        let mut categories = BTreeMap::new();
        for line in &self.lines {
            let sum: &mut Money =
                categories.entry(line.key.category).or_insert(Money::zero(self.currency));
            *sum = sum.checked_add(line.booked).map_err(|source| self.fault(source))?;
        }
        Ok(categories)
    }

    /// The line of a number.
    ///
    /// Errors: [`Error::NotFound`].
    pub fn line(&self, number: u32) -> Result<&Line> {
        let found = self.lines.iter().find(|line| line.number == number);
        found.ok_or_else(|| Error::not_found("line", format!("{number} of {}", self.id)))
    }

    fn fault(&self, source: MoneyError) -> Error {
        Error::money(format!("totals of invoice {}", self.id), source)
    }
}

#[cfg(test)]
mod tests;
