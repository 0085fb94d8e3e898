//! Invoices and notes: as they were issued, and where invoices stand.

use crate::notes::{NoteShort, WholeNote};
use crate::wire::{self, listed};
use axum::Json;
use axum::extract::State;
use calendar::BillingPeriod;
use domain::credits::LotPart;
use domain::ids::InvoiceSectionId;
use domain::invoice::{ExchangeRate, Invoice, Line, LineKey, LineReference, Totals};
use domain::numbering::DocumentNumber;
use domain::tax::{DocumentTax, Liability, TaxRule};
use domain::{Error, Result};
use httpkit::{Asking, Faults, Parameters, Path, Refusal};
use money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Document, DocumentsAsked, Issued, Reckoner};

/// Lists invoices and notes, by billing period and number.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> std::result::Result<Json<Answer>, Refusal> {
    let Asked { billing_account, period, limit } = asked;
    let mut faults = Faults::default();
    let account = wire::account_if(&mut faults, billing_account);
    let period = faults.read_if("period", period, |text| read_period(&text));
    let asked = account.zip(period);
    let asked = asked.map(|(billing_account, period)| DocumentsAsked { billing_account, period });
    let asked = faults.end(asked)?;
    let limit = listed(&reckoner, limit, 100)?;
    let issued = reckoner.issued(&caller, &asked, limit).await?;
    let invoices = issued.iter().map(Listed::of).collect::<Result<_>>()?;
    Ok(Json(Answer { invoices }))
}

/// One invoice or note with all its lines.
pub(crate) async fn one(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Path(number): Path<String>,
) -> std::result::Result<Json<Shown>, Refusal> {
    let mut faults = Faults::default();
    let number = faults.read("number", DocumentNumber::parse(&number));
    let number = faults.end(number)?;
    Ok(Json(Shown::of(&reckoner.issued_one(&caller, &number).await?)?))
}

/// Reads `2026-03`.
pub(crate) fn read_period(text: &str) -> Result<BillingPeriod> {
    BillingPeriod::parse(text).map_err(|e| Error::invalid("period", e.to_string()))
}

/// Which invoices, and how many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: Option<String>,
    period: Option<String>,
    limit: Option<u64>,
}

/// Invoices and notes, in short.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    invoices: Vec<Listed>,
}

/// A document, in short.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Listed {
    Invoice(Short),
    Note(NoteShort),
}

impl Listed {
    pub(crate) fn of(issued: &Issued) -> Result<Listed> {
        match issued {
            Issued::Invoice(document) => Ok(Listed::Invoice(Short::of(document)?)),
            Issued::Note(note) => Ok(Listed::Note(NoteShort::of(note)?)),
        }
    }
}

/// A document with everything on it.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Shown {
    Invoice(Box<Whole>),
    Note(Box<WholeNote>),
}

impl Shown {
    pub(crate) fn of(issued: &Issued) -> Result<Shown> {
        match issued {
            Issued::Invoice(document) => Ok(Shown::Invoice(Box::new(Whole::of(document)?))),
            Issued::Note(note) => Ok(Shown::Note(Box::new(WholeNote::of(note)?))),
        }
    }
}

/// An invoice, in short.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Short {
    kind: &'static str,
    number: String,
    id: String,
    billing_account: String,
    seller: String,
    period: String,
    state: &'static str,
    currency: String,
    total: String,
    owed: String,
    written_off: String,
    issued_at: String,
    overdue_from: String,
}

impl Short {
    pub(crate) fn of(document: &Document) -> Result<Short> {
        let Document { number, invoice, issued_at, due_until, state, owed, written_off, .. } =
            document;
        Ok(Short {
            kind: "invoice",
            number: number.to_string(),
            id: invoice.id.to_string(),
            billing_account: invoice.billing_account.to_string(),
            seller: invoice.seller.to_string(),
            period: invoice.period.to_string(),
            state: state.name(),
            currency: invoice.currency.to_string(),
            total: invoice.totals()?.total.digits(),
            owed: owed.digits(),
            written_off: written_off.digits(),
            issued_at: issued_at.to_string(),
            overdue_from: due_until.to_string(),
        })
    }
}

/// An invoice with everything on it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Whole {
    #[serde(flatten)]
    short: Short,
    approved_by: String,
    replaces: Option<String>,
    totals: Sums,
    sections: Vec<SectionItem>,
    lines: Vec<LineItem>,
    taxes: Vec<TaxItem>,
    notes: Vec<NoteShort>,
    digest: String,
}

impl Whole {
    pub(crate) fn of(document: &Document) -> Result<Whole> {
        let Document { number: _, invoice, approved_by, digest, notes, creditable, .. } = document;
        let Invoice { lines, taxes, replaces, .. } = invoice;
        Ok(Whole {
            short: Short::of(document)?,
            approved_by: approved_by.clone(),
            replaces: replaces.as_ref().map(ToString::to_string),
            totals: Sums::from(invoice.totals()?),
            sections: invoice.sections()?.into_iter().map(SectionItem::from).collect(),
            lines: lines
                .iter()
                .map(|line| LineItem::of(line, creditable.get(&line.number).copied()))
                .collect::<Result<_>>()?,
            taxes: taxes.iter().map(TaxItem::from).collect(),
            notes: notes.iter().map(NoteShort::of).collect::<Result<_>>()?,
            digest: digest.to_string(),
        })
    }
}

/// What an invoice section comes to; `section` is null for what stands in none.
#[derive(Serialize, JsonSchema)]
struct SectionItem {
    section: Option<String>,
    set_off: String,
    #[serde(flatten)]
    sums: Sums,
}

impl From<(Option<InvoiceSectionId>, Totals)> for SectionItem {
    fn from((section, totals): (Option<InvoiceSectionId>, Totals)) -> SectionItem {
        SectionItem {
            section: section.map(|section| section.to_string()),
            set_off: totals.set_off.digits(),
            sums: totals.into(),
        }
    }
}

/// Sums over lines.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Sums {
    charges: String,
    credit: String,
    prepayment: String,
    subtotal: String,
    tax: String,
    total: String,
}

impl From<Totals> for Sums {
    fn from(totals: Totals) -> Sums {
        // Over a whole invoice nothing is set off; over some of its lines it is told beside.
        let Totals { charges, set_off: _, credit, prepayment, subtotal, tax, total } = totals;
        Sums {
            charges: charges.digits(),
            credit: credit.digits(),
            prepayment: prepayment.digits(),
            subtotal: subtotal.digits(),
            tax: tax.digits(),
            total: total.digits(),
        }
    }
}

/// A line.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LineItem {
    number: u32,
    section: Option<String>,
    category: &'static str,
    subscription: Option<String>,
    meter: Option<String>,
    item: String,
    from: String,
    until: String,
    tax_category: String,
    amends: Option<Amended>,
    buys: Option<String>,
    pricing: String,
    pricing_currency: String,
    exchange: Option<Exchange>,
    exact: String,
    rounding: String,
    booked: String,
    coverage: &'static str,
    set_off: String,
    paid: Vec<Paid>,
    left: String,
    tax: String,
    creditable: String,
}

impl LineItem {
    /// `creditable` is what a credit note can still take back of it.
    pub(crate) fn of(line: &Line, creditable: Option<Money>) -> Result<LineItem> {
        let Line { number, key, pricing, exchange, exact, booked, .. } = line;
        let Line { coverage, set_off, paid, left, tax, .. } = line;
        let LineKey { section, category, subscription, meter, item, .. } = key;
        // The exchange rate that a correction keeps stands in `exchange`.
        let LineKey { service_period, tax: tax_category, amends, buys, rate: _, .. } = key;
        Ok(LineItem {
            number: *number,
            section: section.as_ref().map(ToString::to_string),
            category: category.name(),
            subscription: subscription.as_ref().map(ToString::to_string),
            meter: meter.as_ref().map(ToString::to_string),
            item: item.clone(),
            from: service_period.start().to_string(),
            until: service_period.end().to_string(),
            tax_category: tax_category.to_string(),
            amends: amends.as_ref().map(Amended::from),
            buys: buys.as_ref().map(ToString::to_string),
            pricing: pricing.major.to_string(),
            pricing_currency: pricing.currency.to_string(),
            exchange: exchange.as_ref().map(Exchange::from),
            exact: exact.major.to_string(),
            rounding: line.rounding()?.major.to_string(),
            booked: booked.digits(),
            coverage: coverage.name(),
            set_off: set_off.digits(),
            paid: paid.iter().map(Paid::from).collect(),
            left: left.digits(),
            tax: tax.digits(),
            creditable: creditable.unwrap_or(Money::zero(left.currency())).digits(),
        })
    }
}

/// The line of a closed period that a line corrects.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Amended {
    document: String,
    line: Option<u32>,
}

impl From<&LineReference> for Amended {
    fn from(LineReference { document, line }: &LineReference) -> Amended {
        Amended { document: document.to_string(), line: *line }
    }
}

/// How a line came into the billing currency.
#[derive(Serialize, JsonSchema)]
struct Exchange {
    id: String,
    from: String,
    to: String,
    rate: String,
    source: String,
    at: String,
}

impl From<&ExchangeRate> for Exchange {
    fn from(ExchangeRate { id, from, to, rate, source, at }: &ExchangeRate) -> Exchange {
        Exchange {
            id: id.clone(),
            from: from.to_string(),
            to: to.to_string(),
            rate: rate.to_string(),
            source: source.clone(),
            at: at.to_string(),
        }
    }
}

/// What a lot paid.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Paid {
    lot: String,
    kind: &'static str,
    amount: String,
}

impl From<&LotPart> for Paid {
    fn from(LotPart { lot, kind, amount }: &LotPart) -> Paid {
        Paid { lot: lot.to_string(), kind: kind.name(), amount: amount.digits() }
    }
}

/// A tax.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TaxItem {
    number: u32,
    category: String,
    seller: String,
    buyer: String,
    rate: String,
    reverse_charge: bool,
    taxable: String,
    tax: String,
}

impl From<&DocumentTax> for TaxItem {
    fn from(DocumentTax { number, rule, taxable, tax }: &DocumentTax) -> TaxItem {
        let TaxRule { category, seller, buyer, rate, liability } = rule;
        TaxItem {
            number: *number,
            category: category.to_string(),
            seller: seller.to_string(),
            buyer: buyer.to_string(),
            rate: rate.to_string(),
            reverse_charge: *liability == Liability::ReverseCharge,
            taxable: taxable.digits(),
            tax: tax.digits(),
        }
    }
}
