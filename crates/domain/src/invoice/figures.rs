//! Figures of a document: the numbers on it that its lines add up to, and what each line adds.

use super::cents::part_of_unit;
use super::{Invoice, Line, Totals};
use crate::credits::{LotKind, LotPart};
use crate::ids::{InvoiceSectionId, LotId, TaxCategory};
use crate::notes::{Note, NoteLine};
use crate::{Error, Result};
use money::{Cost, Currency, Money, MoneyError};
use std::fmt;

/// A number on an invoice or note that its lines add up to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    /// What is asked for.
    Total,
    /// The tax of a category.
    Tax(TaxCategory),
    /// What a lot paid.
    Lot(LotId),
    /// What an invoice section comes to; none for what stands in no section.
    Section(Option<InvoiceSectionId>),
    /// What booking did to all lines.
    Rounding,
    /// One line, by its number from 1.
    Line(u32),
}

impl Figure {
    /// Reads `total`, `tax=standard`, `lot=ID`, `section=ID`, `section`, `rounding`, `line=3`.
    ///
    /// Errors: [`Error::Invalid`].
    pub fn parse(text: &str) -> Result<Figure> {
        let wrong = || {
            let all = "total, tax=CATEGORY, lot=ID, section=ID, section, rounding, line=N";
            Error::invalid("of", format!("`{text}` is none of {all}"))
        };
        match text.split_once('=').unwrap_or((text, "")) {
            ("total", "") => Ok(Figure::Total),
            ("rounding", "") => Ok(Figure::Rounding),
            ("section", "") => Ok(Figure::Section(None)),
            ("section", id) => InvoiceSectionId::new(id).map(|id| Figure::Section(Some(id))),
            ("tax", category) => TaxCategory::new(category).map(Figure::Tax),
            ("lot", id) => LotId::new(id).map(Figure::Lot),
            ("line", number) => number.parse().map(Figure::Line).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

/// Writes what [`Figure::parse`] reads.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Total => f.write_str("total"),
            Figure::Tax(category) => write!(f, "tax={category}"),
            Figure::Lot(lot) => write!(f, "lot={lot}"),
            Figure::Section(Some(section)) => write!(f, "section={section}"),
            Figure::Section(None) => f.write_str("section"),
            Figure::Rounding => f.write_str("rounding"),
            Figure::Line(number) => write!(f, "line={number}"),
        }
    }
}

/// A figure and what adds up to it. What a note takes back is below zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addends {
    /// Which figure.
    pub figure: Figure,
    /// What it comes to: the sum of the shares.
    pub amount: Cost,
    /// Sums over the lines that have a share, in minor units.
    pub sums: Totals,
    /// Those lines, in their order.
    pub parts: Vec<Addend>,
}

/// What one line adds to a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addend {
    /// Number of the line, from 1.
    pub line: u32,
    /// Of a note: number of the invoice's line that it takes back.
    pub amends: Option<u32>,
    /// What it adds: its tax, what the lot paid of it, its rounding; else what it asks for.
    pub share: Cost,
    /// Everything about the line, in minor units.
    pub sums: Totals,
    /// Of a lot's: what was left of the line when its turn came, in minor units.
    pub due: Option<Money>,
}

/// The line that a figure leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Led {
    /// Number of the document's line.
    pub line: u32,
    /// Of a note: number of the invoice's line that it takes back.
    pub amends: Option<u32>,
    /// Which minor unit, from 1, of which amount; none where none was asked for.
    pub unit: Option<(u64, Money)>,
}

impl Addends {
    /// The line that a minor unit of the figure lies in, in the order of lines: the one with which
    /// their running sum first exceeds the units before it. Of a tax the units of its base are
    /// meant, as the tax itself comes of no charge. Without a unit only a line leads on.
    ///
    /// Errors: [`Error::Invalid`] for a unit that the figure does not have; [`Error::Money`].
    pub fn leads_to(&self, unit: Option<u64>) -> Result<Option<Led>> {
        let Some(unit) = unit else {
            let is_line = matches!(self.figure, Figure::Line(_));
            let first = self.parts.first().filter(|_| is_line);
            return Ok(first.map(|part| part.led(None)));
        };
        if self.figure == Figure::Rounding {
            let problem = "a rounding has none; ask for that of a line";
            return Err(Error::invalid("cent", problem));
        }
        let of = |source| Error::money(format!("cents of {}", self.figure), source);
        let counted = self.parts.iter().map(|part| self.counted(part));
        let counted = counted.collect::<std::result::Result<Vec<_>, _>>().map_err(of)?;
        let found = part_of_unit(&counted, unit).map_err(of)?;
        let found = found.and_then(|(place, unit)| {
            let (part, of) = self.parts.get(place).zip(counted.get(place))?;
            Some(part.led(Some((unit, *of))))
        });
        found.map(Some).ok_or_else(|| {
            let sum = counted.iter().try_fold(0_i128, |sum, one| sum.checked_add(one.minor()));
            let most = sum.map_or(0, i128::unsigned_abs);
            Error::invalid("cent", format!("{} has cents 1 to {most}, not {unit}", self.figure))
        })
    }

    /// What of a part is counted in cents.
    fn counted(&self, part: &Addend) -> std::result::Result<Money, MoneyError> {
        match &self.figure {
            Figure::Tax(_) => Ok(part.sums.subtotal),
            Figure::Total
            | Figure::Lot(_)
            | Figure::Section(_)
            | Figure::Rounding
            | Figure::Line(_) => {
                Ok(part.share.to_money()?.unwrap_or(Money::zero(part.share.currency)))
            }
        }
    }
}

impl Addend {
    fn led(&self, unit: Option<(u64, Money)>) -> Led {
        Led { line: self.line, amends: self.amends, unit }
    }

    /// Of a lot's: what was left of the line after it, in minor units.
    ///
    /// Errors: [`Error::Money`].
    pub fn due_after(&self) -> Result<Option<Money>> {
        let Some(due) = self.due else { return Ok(None) };
        let after = due.to_cost().and_then(|due| due.checked_sub(self.share)?.to_money());
        after.map_err(|source| Error::money(format!("lot on line {}", self.line), source))
    }
}

impl Invoice {
    /// What adds up to a figure of the invoice.
    ///
    /// Errors: [`Error::NotFound`] for a tax, lot, section or line that it lacks;
    /// [`Error::Internal`] when lines do not add up to what stands on it; [`Error::Money`].
    pub fn addends(&self, figure: &Figure) -> Result<Addends> {
        let of = |source| self.fault(source);
        let rows = self.lines.iter().map(|line| Row::of_line(self.currency, line));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let addends = add_up(self.currency, figure, rows).map_err(of)?;
        let stated = self.stated(figure)?.ok_or_else(|| missing(figure))?;
        let is_whole = match figure {
            Figure::Tax(category) => {
                let tax = self.taxes.iter().find(|tax| tax.rule.category == *category);
                tax.is_some_and(|tax| tax.taxable == addends.sums.subtotal)
            }
            Figure::Total
            | Figure::Lot(_)
            | Figure::Section(_)
            | Figure::Rounding
            | Figure::Line(_) => true,
        };
        if addends.amount == stated && is_whole {
            return Ok(addends);
        }
        let (found, stated) = (addends.amount.major, stated.major);
        let problem = format!("lines come to {found}, not to the {stated} that stand there");
        Err(Error::internal(format!("explain {figure} of {}", self.id), problem))
    }

    /// What a figure is by other numbers than its lines' shares, where there are some.
    fn stated(&self, figure: &Figure) -> Result<Option<Cost>> {
        let stated = match figure {
            Figure::Total => {
                let left = self.lines.iter().map(|line| line.left);
                Some(self.added(left.chain(self.taxes.iter().map(|tax| tax.tax)))?)
            }
            Figure::Tax(category) => {
                let tax = self.taxes.iter().find(|tax| tax.rule.category == *category);
                tax.map(|tax| tax.tax)
            }
            Figure::Lot(lot) => {
                let drawn = self.drawn().by_lot()?;
                let kinds = [LotKind::Credit, LotKind::Prepayment];
                let of_kinds = kinds.map(|kind| drawn.get(&(kind, lot.clone())).copied());
                let is_there = of_kinds.iter().any(Option::is_some);
                let paid = self.added(of_kinds.into_iter().flatten())?;
                is_there.then_some(paid)
            }
            Figure::Section(section) => self.sections()?.get(section).map(|sums| sums.total),
            Figure::Line(number) => {
                let line = self.lines.iter().find(|line| line.number == *number);
                line.map(|line| self.added([line.left, line.tax])).transpose()?
            }
            Figure::Rounding => {
                let rows = self.rounding_rows()?;
                let zero = Cost::zero(self.currency);
                let sum = rows.iter().try_fold(zero, |sum, row| sum.checked_add(row.cost));
                return sum.map(Some).map_err(|source| self.fault(source));
            }
        };
        stated.map(Money::to_cost).transpose().map_err(|source| self.fault(source))
    }

    fn added(&self, amounts: impl IntoIterator<Item = Money>) -> Result<Money> {
        Money::checked_sum(self.currency, amounts).map_err(|source| self.fault(source))
    }
}

impl Note {
    /// What adds up to a figure of the note: what it takes back, below zero.
    ///
    /// Errors: [`Error::NotFound`] for a tax, lot or line that it lacks; [`Error::Invalid`] for
    /// figures that notes do not have; [`Error::Internal`] when lines do not add up to what stands
    /// on it; [`Error::Money`].
    pub fn addends(&self, figure: &Figure) -> Result<Addends> {
        let of = |source| Error::money(format!("{figure} of note {}", self.id), source);
        match figure {
            Figure::Section(_) | Figure::Rounding => {
                let problem = format!("a note has no {figure}; its invoice {} has", self.amends);
                return Err(Error::invalid("of", problem));
            }
            Figure::Total | Figure::Tax(_) | Figure::Lot(_) | Figure::Line(_) => {}
        }
        let rows = self.lines.iter().map(|line| Row::of_note(self.currency, line));
        let rows = rows.collect::<std::result::Result<Vec<_>, _>>().map_err(of)?;
        let addends = add_up(self.currency, figure, rows).map_err(of)?;
        if addends.parts.is_empty() && *figure != Figure::Total {
            return Err(missing(figure));
        }
        if *figure == Figure::Total && addends.amount != self.due()?.to_cost().map_err(of)? {
            let problem = format!("lines come to {}", addends.amount.major);
            return Err(Error::internal(format!("explain {figure} of {}", self.id), problem));
        }
        Ok(addends)
    }
}

/// A line of any document, as figures see it.
struct Row {
    number: u32,
    amends: Option<u32>,
    section: Option<InvoiceSectionId>,
    tax: TaxCategory,
    /// In the order in which they were drawn.
    lots: Vec<(LotId, Money)>,
    rounding: Cost,
    sums: Totals,
}

impl Row {
    fn of_line(currency: Currency, line: &Line) -> Result<Row> {
        let mut sums = Totals::zero(currency);
        let of = |source| Error::money(format!("line {}", line.number), source);
        sums.add(line).map_err(of)?;
        let lots = line.paid.iter().map(|part| (part.lot.clone(), part.amount));
        Ok(Row {
            number: line.number,
            amends: None,
            section: line.key.section.clone(),
            tax: line.key.tax.clone(),
            lots: lots.collect(),
            rounding: line.rounding()?,
            sums,
        })
    }

    fn of_note(currency: Currency, line: &NoteLine) -> std::result::Result<Row, MoneyError> {
        let of_kind = |wanted: LotKind| {
            let parts = line.lots.iter().filter(|part| part.kind == wanted);
            Money::checked_sum(currency, parts.map(|part| part.amount))?.checked_neg()
        };
        let (subtotal, tax) = (line.net.checked_neg()?, line.tax.checked_neg()?);
        let sums = Totals {
            charges: line.booked()?.checked_neg()?,
            set_off: line.set_off.checked_neg()?,
            credit: of_kind(LotKind::Credit)?,
            prepayment: of_kind(LotKind::Prepayment)?,
            subtotal,
            tax,
            total: subtotal.checked_add(tax)?,
        };
        let back = |part: &LotPart| Ok((part.lot.clone(), part.amount.checked_neg()?));
        Ok(Row {
            number: line.number,
            amends: Some(line.amends),
            section: None,
            tax: line.tax_category.clone(),
            lots: line.lots.iter().map(back).collect::<std::result::Result<_, MoneyError>>()?,
            rounding: Cost::zero(currency),
            sums,
        })
    }

    /// What the line adds to a figure, if it has a share in it.
    fn share(&self, figure: &Figure) -> std::result::Result<Option<Cost>, MoneyError> {
        let share = match figure {
            Figure::Total => Some(self.sums.total),
            Figure::Tax(category) => (self.tax == *category).then_some(self.sums.tax),
            Figure::Section(section) => (self.section == *section).then_some(self.sums.total),
            Figure::Line(number) => (self.number == *number).then_some(self.sums.total),
            Figure::Lot(lot) => {
                let parts: Vec<Money> = self.paid_by(lot).collect();
                let paid = Money::checked_sum(self.sums.total.currency(), parts.iter().copied())?;
                (!parts.is_empty()).then_some(paid)
            }
            Figure::Rounding => {
                return Ok((!self.rounding.major.is_zero()).then_some(self.rounding));
            }
        };
        share.map(Money::to_cost).transpose()
    }

    fn paid_by(&self, lot: &LotId) -> impl Iterator<Item = Money> {
        self.lots.iter().filter(move |(id, _)| id == lot).map(|(_, amount)| *amount)
    }

    /// What was left of the line when a lot's turn came.
    fn due(&self, figure: &Figure) -> std::result::Result<Option<Money>, MoneyError> {
        let Figure::Lot(lot) = figure else { return Ok(None) };
        let asked = self.sums.charges.checked_add(self.sums.set_off)?;
        let mut before = self.lots.iter().take_while(|(id, _)| id != lot);
        before.try_fold(asked, |due, (_, amount)| due.checked_sub(*amount)).map(Some)
    }
}

fn add_up(
    currency: Currency,
    figure: &Figure,
    rows: Vec<Row>,
) -> std::result::Result<Addends, MoneyError> {
    let (mut amount, mut sums) = (Cost::zero(currency), Totals::zero(currency));
    let mut parts = Vec::new();
    for row in rows {
        let Some(share) = row.share(figure)? else { continue };
        amount = amount.checked_add(share)?;
        sums = sums.plus(&row.sums)?;
        let due = row.due(figure)?;
        parts.push(Addend { line: row.number, amends: row.amends, share, sums: row.sums, due });
    }
    Ok(Addends { figure: figure.clone(), amount, sums, parts })
}

impl Totals {
    fn plus(&self, other: &Totals) -> std::result::Result<Totals, MoneyError> {
        Ok(Totals {
            charges: self.charges.checked_add(other.charges)?,
            set_off: self.set_off.checked_add(other.set_off)?,
            credit: self.credit.checked_add(other.credit)?,
            prepayment: self.prepayment.checked_add(other.prepayment)?,
            subtotal: self.subtotal.checked_add(other.subtotal)?,
            tax: self.tax.checked_add(other.tax)?,
            total: self.total.checked_add(other.total)?,
        })
    }
}

fn missing(figure: &Figure) -> Error {
    Error::not_found("figure", figure.to_string())
}
