//! The details of a data set: rated rows added up by day, then what lines have beside them.
//!
//! Every rated row that is charged stands on one line of a document, as its draft or close saw it,
//! and the rows of a line add up to its exact sum. What is converted is converted cumulatively, so
//! that the details of a line are its exact sum in the billing currency too, to the last of its
//! places. So details + rounding rows = booked amounts, whatever is on the documents.

use crate::balance_summaries::PeriodBooks;
use crate::declared::Declared;
use crate::kept_details::kept;
use crate::structure::Look;
use crate::told_details::{DetailTeller, Stood, Subject};
use crate::told_lines::Named;
use crate::usage_details::{DetailCost, DetailKind};
use calendar::{BillingPeriod, Day, Instant, Interval};
use domain::closes::{Part, Payer};
use domain::credits::{self, Coverage};
use domain::ids::{BillingAccountId, MeterId, ReservationId};
use domain::invoice::{Invoice, Line, LineKey};
use domain::numbering::DocumentNumber;
use domain::rated::{PriceReference, RatedRow, RowKind};
use domain::reservations::ReservationEvent;
use domain::usage::{ChargeCategory, Dimension};
use domain::{Error, Result};
use money::{Cost, Currency, Fixed18, Money, MoneyError, Rounding};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What makes details of one account in one billing period.
pub(crate) struct Details {
    look: Look,
    /// What rows were rated by, and lines made.
    declared: Arc<Declared>,
    account: BillingAccountId,
    period: BillingPeriod,
    /// What lines are cut into.
    spans: Vec<Interval>,
    books: PeriodBooks,
    lines: Vec<OpenLine>,
    /// The lines that rated rows stand on.
    places: BTreeMap<(Part, LineKey, Currency), usize>,
    /// How many details of the marketplace there are.
    pub(crate) marketplace: u64,
}

/// A line, and how much of it rated rows have told.
struct OpenLine {
    /// Places in the lists of invoices and of lines.
    invoice: usize,
    line: usize,
    /// Whether all that it charges is rated rows.
    is_usage: bool,
    rows: u64,
    /// In major units of the pricing currency, and of the billing currency.
    pricing: Fixed18,
    billing: Fixed18,
}

/// What rated rows have in common that are one detail. They are told by meter, then by day, however
/// the rows were read.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    meter: MeterId,
    day: Day,
    part: Part,
    key: LineKey,
    currency: Currency,
    /// None of lost hours, which no line charges.
    line: Option<usize>,
    kind: RowKind,
    resource: String,
    stood: Stood,
    price: Option<PriceReference>,
    unit_price: Option<Fixed18>,
    tier: u16,
    dimensions: BTreeMap<Dimension, String>,
    tags: BTreeMap<String, String>,
    details: Option<String>,
    reservation: Option<ReservationId>,
}

/// What rated rows of one detail add up to; amounts in major units.
struct Sum {
    service_period: (Instant, Instant),
    quantity: Fixed18,
    /// In the pricing currency.
    pricing: Fixed18,
    /// In the billing currency, like what follows.
    billing: Fixed18,
    amortised: Fixed18,
    list: Fixed18,
}

/// Into the billing currency, if something has to be converted.
#[derive(Clone, Copy)]
struct Converting {
    rate: Option<Fixed18>,
    rounding: Rounding,
}

impl Converting {
    fn of(self, major: Fixed18) -> std::result::Result<Fixed18, MoneyError> {
        match self.rate {
            None => Ok(major),
            Some(rate) => major.checked_mul(rate, Fixed18::PLACES, self.rounding),
        }
    }
}

impl Details {
    /// `declared` is what rows were rated by and lines made.
    pub(crate) fn new(look: Look, declared: Arc<Declared>, books: PeriodBooks) -> Result<Details> {
        let (account, period) = (books.told.billing_account.clone(), books.told.balance.period);
        let spans = credits::cuts(period.interval(), declared.company.lots_of(&account));
        let (mut lines, mut places) = (Vec::new(), BTreeMap::new());
        for (invoice, (_, one)) in books.invoices.iter().enumerate() {
            let part = part_of(one, &account, period)?;
            for (line, found) in one.lines.iter().enumerate() {
                let key = &found.key;
                let own = part.as_ref().filter(|_| key.amends.is_none());
                if let Some(part) = own {
                    let place = (part.clone(), key.clone(), found.pricing.currency);
                    places.insert(place, lines.len());
                }
                // A vendor's adjustment and the discount of an offer can share a line.
                let is_usage = own.is_some()
                    && key.meter.is_some()
                    && key.category != ChargeCategory::Adjustment;
                let (pricing, billing) = (Fixed18::ZERO, Fixed18::ZERO);
                lines.push(OpenLine { invoice, line, is_usage, rows: 0, pricing, billing });
            }
        }
        let marketplace = 0;
        Ok(Details { look, declared, account, period, spans, books, lines, places, marketplace })
    }

    /// The books that it was made with.
    pub(crate) fn books(&self) -> &PeriodBooks {
        &self.books
    }

    /// What rows were rated by, and lines made.
    pub(crate) fn declared(&self) -> &Arc<Declared> {
        &self.declared
    }

    fn teller(&self) -> DetailTeller<'_> {
        DetailTeller { look: &self.look, account: &self.account, period: self.period }
    }

    fn failed(&self, source: MoneyError) -> Error {
        Error::money(format!("details of {} in {}", self.account, self.period), source)
    }

    /// Tells rated rows: all of some meters, or of one on some days, in canonical order.
    ///
    /// Errors: [`Error::Internal`] for a row that stands on no line; [`Error::Money`].
    pub(crate) fn tell_rows(&mut self, rows: Vec<RatedRow>) -> Result<Vec<String>> {
        let declared = Arc::clone(&self.declared);
        let payer = Payer::of(&declared.book, &self.account, self.period)?;
        let mut groups: BTreeMap<Group, Sum> = BTreeMap::new();
        for row in rows {
            let (part, key) = payer.line_of(&row, &self.spans);
            let line = self.line_of(&row, (&part, &key))?;
            let converting = self.converting(&payer, line, row.cost.currency)?;
            let new = self.counted(&row, line, converting)?;
            let group = self.group_of(&payer, row, (part, key), line);
            match groups.get_mut(&group) {
                Some(sum) => sum.add(&new).map_err(|source| self.failed(source))?,
                None => drop(groups.insert(group, new)),
            }
        }
        let mut told = Vec::with_capacity(groups.len());
        for (group, sum) in groups {
            told.push(self.told(group, &sum)?);
        }
        Ok(told)
    }

    /// The line that a row stands on; none of lost hours, which are not charged.
    fn line_of(&self, row: &RatedRow, (part, key): (&Part, &LineKey)) -> Result<Option<usize>> {
        if row.kind == RowKind::Unused {
            return Ok(None);
        }
        let place = (part.clone(), key.clone(), row.cost.currency);
        let found = self.places.get(&place).copied();
        found.map(Some).ok_or_else(|| {
            let of = format!("details of {} in {}", self.account, self.period);
            Error::internal(of, format!("a row of meter `{}` stands on no line", row.meter))
        })
    }

    fn document(&self, open: &OpenLine) -> Result<(&Option<DocumentNumber>, &Invoice, &Line)> {
        let lost = || Error::internal("tell a detail", "its line is not there");
        let (number, invoice) = self.books.invoices.get(open.invoice).ok_or_else(lost)?;
        Ok((number, invoice, invoice.lines.get(open.line).ok_or_else(lost)?))
    }

    fn converting(
        &self,
        payer: &Payer<'_>,
        line: Option<usize>,
        from: Currency,
    ) -> Result<Converting> {
        let (to, rounding) = (self.books.told.currency, payer.terms.rounding);
        let open = line.and_then(|line| self.lines.get(line));
        let rate = match open {
            Some(open) => self.document(open)?.2.exchange.as_ref().map(|exchange| exchange.rate),
            None if from == to => None,
            None => {
                let at = self.period.end().plus_micros(-1);
                let missing = || Error::not_found("exchange rate", format!("{from} to {to}"));
                let rate = payer.company.exchange_rate_at(from, to, at);
                Some(rate.ok_or_else(missing)?.rate)
            }
        };
        Ok(Converting { rate, rounding })
    }

    /// Counts a row on its line, and tells what it adds to its detail.
    fn counted(
        &mut self,
        row: &RatedRow,
        line: Option<usize>,
        converting: Converting,
    ) -> Result<Sum> {
        let account = &self.account;
        let of = |source| Error::money(format!("details of {account}"), source);
        let open = match line {
            Some(line) => self.lines.get_mut(line),
            None => None,
        };
        let billing = match open {
            None => Fixed18::ZERO,
            Some(open) => {
                let pricing = open.pricing.checked_add(row.cost.major).map_err(of)?;
                let billing = converting.of(pricing).map_err(of)?;
                let new = billing.checked_sub(open.billing).map_err(of)?;
                (open.pricing, open.billing) = (pricing, billing);
                open.rows = open.rows.saturating_add(1);
                new
            }
        };
        let reserved = row.reserved.as_deref();
        let amortised = match reserved {
            Some(reserved) => converting.of(reserved.amortised).map_err(of)?,
            None => billing,
        };
        let list = reserved.map_or(Fixed18::ZERO, |reserved| reserved.list_cost);
        Ok(Sum {
            service_period: (row.service_period.start(), row.service_period.end()),
            quantity: if line.is_some() { row.quantity } else { unused(row) },
            pricing: row.cost.major,
            billing,
            amortised,
            list: converting.of(list).map_err(of)?,
        })
    }

    fn group_of(
        &self,
        payer: &Payer<'_>,
        row: RatedRow,
        (part, key): (Part, LineKey),
        line: Option<usize>,
    ) -> Group {
        let start = row.service_period.start();
        Group {
            meter: row.meter,
            day: start.day(),
            stood: Stood::of(payer.company, &self.account, &key, &Interval::at(start)),
            part,
            key,
            currency: row.cost.currency,
            line,
            kind: row.kind,
            resource: row.resource,
            price: row.price,
            unit_price: row.unit_price,
            tier: row.tier,
            dimensions: row.dimensions,
            tags: row.tags,
            details: row.details,
            reservation: row.reserved.map(|reserved| reserved.reservation),
        }
    }

    fn told(&mut self, group: Group, sum: &Sum) -> Result<String> {
        let identity = format!("{group:?}");
        let open = group.line.and_then(|line| self.lines.get(line));
        let document = open.map(|open| self.document(open)).transpose()?;
        let (start, end) = sum.service_period;
        let failed = |e| Error::internal("tell a detail", e);
        let mut detail = self.teller().tell(&Subject {
            kind: DetailKind::Rated(group.kind),
            part: Some(&group.part),
            key: &group.key,
            coverage: document.map_or(Coverage::Covered, |(_, _, line)| line.coverage),
            stood: &group.stood,
            invoice: document.and_then(|(number, _, _)| number.as_ref()),
            service_period: Interval::new(start, end).map_err(failed)?,
            identity: &identity,
        });
        let exchange = document.and_then(|(_, _, line)| line.exchange.as_ref());
        let exchange = exchange.map(|exchange| exchange.rate);
        detail.resource = group.resource;
        detail.dimensions = group.dimensions;
        detail.tags = group.tags;
        detail.details = group.details;
        detail.reservation = group.reservation.map(|id| {
            let id = id.to_string();
            Named { name: id.clone(), id }
        });
        detail.quantity = sum.quantity;
        detail.price = group.price.map(|price| price.lineage);
        detail.tier = group.tier;
        let currency = self.books.told.currency;
        let cost = |major| Cost { major, currency };
        let costs = DetailCost {
            unit_price: group.unit_price,
            pricing: Cost { major: sum.pricing, currency: group.currency },
            exchange,
            billing: cost(sum.billing),
            amortised: cost(sum.amortised),
            list: (group.kind == RowKind::Covered).then(|| cost(sum.list)),
        };
        self.count(detail.coverage);
        kept(detail, costs)
    }

    fn count(&mut self, coverage: Coverage) {
        if coverage == Coverage::Marketplace {
            self.marketplace = self.marketplace.saturating_add(1);
        }
    }

    /// How many lines there are on invoices.
    pub(crate) fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// Tells what a line has beside rated rows, and what booking did to it; once all rows are told.
    ///
    /// Errors: [`Error::Internal`] where rows are not what was billed; [`Error::Money`].
    pub(crate) fn tell_line(&mut self, at: usize) -> Result<Vec<String>> {
        let Some(open) = self.lines.get(at) else { return Ok(Vec::new()) };
        let (number, invoice, line) = self.document(open)?;
        let rest = line.pricing.major.checked_sub(open.pricing).map_err(|e| self.failed(e))?;
        let billing = line.exact.major.checked_sub(open.billing).map_err(|e| self.failed(e))?;
        let part = Part::of_document(&invoice.id, &self.account, invoice.period);
        let stood =
            Stood::of(&self.declared.company, &self.account, &line.key, &line.key.service_period);
        let is_late = line.key.amends.is_some() || invoice.period != self.period;
        let identity = format!("{} {}", invoice.id, line.number);
        let subject = |kind| Subject {
            kind,
            part: part.as_ref(),
            key: &line.key,
            coverage: line.coverage,
            stood: &stood,
            invoice: number.as_ref(),
            service_period: line.key.service_period,
            identity: &identity,
        };
        let kind = if is_late { DetailKind::Correction } else { DetailKind::Charge };
        let (mut told, coverage) = (Vec::new(), line.coverage);
        if open.rows == 0 || !rest.is_zero() || !billing.is_zero() {
            if open.is_usage && !rest.is_zero() {
                return Err(not_added_up(invoice, line, rest));
            }
            let rest = Cost { major: rest, ..line.pricing };
            let rest = (rest, Cost { major: billing, ..line.exact });
            told.push(self.told_charge(&subject(kind), line, rest, open.rows == 0)?);
        }
        let rounding = line.rounding()?;
        if !rounding.major.is_zero() {
            let detail = self.teller().tell(&subject(DetailKind::Rounding));
            told.push(kept(detail, plain(rounding))?);
        }
        for _ in &told {
            self.count(coverage);
        }
        Ok(told)
    }

    fn told_charge(
        &self,
        of: &Subject<'_>,
        line: &Line,
        (pricing, billing): (Cost, Cost),
        is_whole: bool,
    ) -> Result<String> {
        let mut detail = self.teller().tell(of);
        let reserved = self.look.reserved_on(&self.account, &line.key);
        let is_charge = is_whole && of.kind == DetailKind::Charge;
        let counted = reserved.as_ref().and_then(|reserved| reserved.quantity);
        let is_one = is_charge && counted.is_none();
        detail.quantity = match counted.filter(|_| is_charge) {
            Some(quantity) => quantity,
            None if is_one => Fixed18::ONE,
            None => Fixed18::ZERO,
        };
        // Its price is spread over its hours; what giving it back costs is not.
        let is_spread = reserved.is_some()
            && !line.key.item.ends_with(&format!(" {}", ReservationEvent::Cancel.name()));
        let amortised = if is_spread { Fixed18::ZERO } else { billing.major };
        let costs = DetailCost {
            unit_price: is_one.then_some(pricing.major),
            pricing,
            exchange: line.exchange.as_ref().map(|exchange| exchange.rate),
            billing,
            amortised: Cost { major: amortised, ..billing },
            list: None,
        };
        kept(detail, costs)
    }

    /// Tells what notes take back of what invoices left to pay.
    ///
    /// Errors: [`Error::NotFound`] for a line that is not there; [`Error::Money`].
    pub(crate) fn tell_notes(&mut self) -> Result<Vec<String>> {
        let (mut told, mut coverages) = (Vec::new(), Vec::new());
        for (number, note) in &self.books.notes {
            let missing = || Error::not_found("invoice", note.amends.as_str());
            let invoice = self.books.amended.get(&note.amends).ok_or_else(missing)?;
            let part = Part::of_document(&invoice.id, &self.account, invoice.period);
            for one in note.lines.iter().filter(|one| !one.net.is_zero()) {
                let line = invoice.line(one.amends)?;
                let key = &line.key;
                let company = &self.declared.company;
                let stood = Stood::of(company, &self.account, key, &key.service_period);
                let back = one.net.checked_neg().and_then(Money::to_cost);
                let detail = self.teller().tell(&Subject {
                    kind: DetailKind::Note,
                    part: part.as_ref(),
                    key,
                    coverage: line.coverage,
                    stood: &stood,
                    invoice: number.as_ref(),
                    service_period: key.service_period,
                    identity: &format!("{} {}", note.id, one.number),
                });
                coverages.push(line.coverage);
                told.push(kept(detail, plain(back.map_err(|e| self.failed(e))?))?);
            }
        }
        coverages.into_iter().for_each(|coverage| self.count(coverage));
        Ok(told)
    }
}

impl Sum {
    fn add(&mut self, other: &Sum) -> std::result::Result<(), MoneyError> {
        let (start, end) = self.service_period;
        let (from, until) = other.service_period;
        self.service_period = (start.min(from), end.max(until));
        self.quantity = self.quantity.checked_add(other.quantity)?;
        self.pricing = self.pricing.checked_add(other.pricing)?;
        self.billing = self.billing.checked_add(other.billing)?;
        self.amortised = self.amortised.checked_add(other.amortised)?;
        self.list = self.list.checked_add(other.list)?;
        Ok(())
    }
}

/// What a reservation lost, in the meter's unit.
fn unused(row: &RatedRow) -> Fixed18 {
    row.reserved.as_ref().map_or(Fixed18::ZERO, |reserved| reserved.unused)
}

/// A cost that nothing was converted for.
fn plain(cost: Cost) -> DetailCost {
    let (unit_price, exchange, list) = (None, None, None);
    DetailCost { unit_price, pricing: cost, exchange, billing: cost, amortised: cost, list }
}

/// The part of the billing period's documents that an invoice of its close is; none of a rebill,
/// and of what bills another period: their lines are told as they are.
fn part_of(
    invoice: &Invoice,
    account: &BillingAccountId,
    period: BillingPeriod,
) -> Result<Option<Part>> {
    let Some(part) = Part::of_document(&invoice.id, account, period) else { return Ok(None) };
    let is_first = part.document(account, period)? == invoice.id && invoice.period == period;
    Ok(is_first.then_some(part))
}

fn not_added_up(invoice: &Invoice, line: &Line, rest: Fixed18) -> Error {
    let problem = format!("its rated rows are {rest} {} short of it", line.pricing.currency);
    Error::internal(format!("details of line {} of {}", line.number, invoice.id), problem)
}
