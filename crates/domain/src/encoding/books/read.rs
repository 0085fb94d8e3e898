//! Reads what the module above writes: entries, invoices and notes back from their bytes.

use super::{CORRECTIONS_VERSION, ENTRY_VERSION, INVOICE_VERSION, NOTE_VERSION};
use crate::correction::Correction;
use crate::credits::{Coverage, LotKind, LotPart};
use crate::encoding::{Reader, damaged};
use crate::ids::{
    BillingAccountId, DocumentId, InvoiceSectionId, LegalEntityId, LotId, MeterId, PaymentId,
    SubscriptionId, TaxCategory,
};
use crate::invoice::{ExchangeRate, Invoice, Line, LineKey, LineReference};
use crate::ledger::{Entry, LedgerAccount, Posting, Purpose, Side};
use crate::notes::{Note, NoteKind, NoteLine};
use crate::tax::{DocumentTax, Liability, TaxRule};
use crate::usage::ChargeCategory;
use crate::{Error, Result};
use calendar::BillingPeriod;
use money::{Currency, Money};

/// Reads what [`super::encode_entry`] wrote.
///
/// Errors: [`Error::Invalid`] naming the field that is cut off, damaged or of an unknown version;
/// [`Error::Unbalanced`].
pub fn decode_entry(bytes: &[u8]) -> Result<Entry> {
    let mut from = opened(bytes, ENTRY_VERSION)?;
    let purpose = purpose(&mut from)?;
    let at = from.instant("moment")?;
    let postings = many(&mut from, "postings", |from| {
        let account = LedgerAccount::parse(from.text("ledger account")?)?;
        let side = from.choice("side", &[Side::Debit, Side::Credit])?;
        Ok(Posting { account, side, amount: money(from, "amount")? })
    })?;
    from.ended()?;
    Entry::new(purpose, at, postings)
}

/// Reads what [`super::encode_invoice`] wrote.
///
/// Errors: [`Error::Invalid`] naming the field that is cut off, damaged or of an unknown version.
pub fn decode_invoice(bytes: &[u8]) -> Result<Invoice> {
    let mut from = opened(bytes, INVOICE_VERSION)?;
    let invoice = Invoice {
        id: DocumentId::new(from.text("id")?)?,
        billing_account: BillingAccountId::new(from.text("billing account")?)?,
        seller: LegalEntityId::new(from.text("seller")?)?,
        period: period(&mut from)?,
        currency: currency(&mut from, "currency")?,
        lines: many(&mut from, "lines", line)?,
        taxes: many(&mut from, "taxes", tax)?,
        replaces: from.option("replaces", |from| DocumentId::new(from.text("replaces")?))?,
    };
    from.ended()?;
    Ok(invoice)
}

/// Reads what [`super::encode_note`] wrote.
///
/// Errors: [`Error::Invalid`] naming the field that is cut off, damaged or of an unknown version.
pub fn decode_note(bytes: &[u8]) -> Result<Note> {
    let mut from = opened(bytes, NOTE_VERSION)?;
    let note = Note {
        id: DocumentId::new(from.text("id")?)?,
        kind: from.choice("kind", &[NoteKind::Credit, NoteKind::Void])?,
        billing_account: BillingAccountId::new(from.text("billing account")?)?,
        seller: LegalEntityId::new(from.text("seller")?)?,
        amends: DocumentId::new(from.text("amends")?)?,
        reason: from.text("reason")?.to_owned(),
        currency: currency(&mut from, "currency")?,
        lines: many(&mut from, "lines", |from| {
            Ok(NoteLine {
                number: number(from, "number")?,
                amends: number(from, "amends")?,
                net: money(from, "net")?,
                tax: money(from, "tax")?,
                tax_category: TaxCategory::new(from.text("tax category")?)?,
                lots: many(from, "lots", part)?,
                set_off: money(from, "set off")?,
            })
        })?,
    };
    from.ended()?;
    Ok(note)
}

/// Reads what [`super::encode_corrections`] wrote.
///
/// Errors: [`Error::Invalid`] naming the field that is cut off, damaged or of an unknown version.
pub fn decode_corrections(bytes: &[u8]) -> Result<Vec<Correction>> {
    let mut from = opened(bytes, CORRECTIONS_VERSION)?;
    let corrections = many(&mut from, "corrections", |from| {
        Ok(Correction { amends: reference(from)?, key: line_key(from)?, cost: from.cost("cost")? })
    })?;
    from.ended()?;
    Ok(corrections)
}

fn opened(bytes: &[u8], version: u8) -> Result<Reader<'_>> {
    let mut from = Reader::of(bytes);
    let found = from.byte("version")?;
    if found == version {
        return Ok(from);
    }
    Err(Error::invalid("version", format!("{found} is not a version we read")))
}

fn many<'a, T>(
    from: &mut Reader<'a>,
    field: &str,
    read: impl Fn(&mut Reader<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = from.length(field)?;
    // What is damaged may claim any count: no room is made before the items are there.
    (0..count).map(|_| read(from)).collect()
}

fn number(from: &mut Reader<'_>, field: &str) -> Result<u32> {
    from.array(field).map(u32::from_le_bytes)
}

fn currency(from: &mut Reader<'_>, field: &str) -> Result<Currency> {
    Currency::parse(from.text(field)?).map_err(|_| damaged(field, "has no currency here"))
}

fn money(from: &mut Reader<'_>, field: &str) -> Result<Money> {
    let minor = i128::from_le_bytes(from.array(field)?);
    Ok(Money::from_minor(minor, currency(from, field)?))
}

fn period(from: &mut Reader<'_>) -> Result<BillingPeriod> {
    let number = i32::from_le_bytes(from.array("period")?);
    BillingPeriod::from_number(number).map_err(|_| damaged("period", "is none here"))
}

fn purpose(from: &mut Reader<'_>) -> Result<Purpose> {
    let (code, id) = (from.byte("purpose")?, from.text("purpose")?);
    let document = || DocumentId::new(id);
    let lot = || LotId::new(id);
    Ok(match code {
        0 => Purpose::Line { document: document()?, line: number(from, "purpose")? },
        1 => Purpose::Tax { document: document()?, tax: number(from, "purpose")? },
        2 => Purpose::Drawdown { document: document()?, lot: LotId::new(from.text("purpose")?)? },
        3 => Purpose::Surplus { document: document()? },
        4 => Purpose::OpenCreditApplied { document: document()?, number: number(from, "purpose")? },
        5 => Purpose::Payment { payment: PaymentId::new(id)? },
        6 => Purpose::Refund { payment: PaymentId::new(id)? },
        7 => Purpose::Grant { lot: lot()? },
        8 => Purpose::Expiry { lot: lot()? },
        9 => Purpose::WriteOff { document: document()? },
        10 => Purpose::NotBilled { document: document()?, number: number(from, "purpose")? },
        11 => Purpose::ExpiryAgain { note: document()?, lot: LotId::new(from.text("purpose")?)? },
        _ => return Err(damaged("purpose", "has an unknown code here")),
    })
}

fn line(from: &mut Reader<'_>) -> Result<Line> {
    const COVERAGES: [Coverage; 4] =
        [Coverage::Covered, Coverage::Separate, Coverage::Purchase, Coverage::Marketplace];
    Ok(Line {
        number: number(from, "number")?,
        key: line_key(from)?,
        pricing: from.cost("pricing")?,
        exchange: from.option("exchange", rate)?,
        exact: from.cost("exact")?,
        booked: money(from, "booked")?,
        coverage: from.choice("coverage", &COVERAGES)?,
        set_off: money(from, "set off")?,
        paid: many(from, "paid", part)?,
        left: money(from, "left")?,
        tax: money(from, "tax")?,
    })
}

fn line_key(from: &mut Reader<'_>) -> Result<LineKey> {
    Ok(LineKey {
        section: from.option("section", |from| InvoiceSectionId::new(from.text("section")?))?,
        category: from.choice("category", &ChargeCategory::ALL)?,
        subscription: from
            .option("subscription", |from| SubscriptionId::new(from.text("subscription")?))?,
        meter: from.option("meter", |from| MeterId::new(from.text("meter")?))?,
        item: from.text("item")?.to_owned(),
        service_period: from.interval("service period")?,
        tax: TaxCategory::new(from.text("tax category")?)?,
        amends: from.option("amends", reference)?,
        buys: from.option("buys", |from| LotId::new(from.text("buys")?))?,
        rate: from.option("rate", |from| from.text("rate").map(str::to_owned))?,
    })
}

fn reference(from: &mut Reader<'_>) -> Result<LineReference> {
    let document = DocumentId::new(from.text("amends")?)?;
    let line = from.option("amends", |from| number(from, "amends"))?;
    Ok(LineReference { document, line })
}

fn rate(from: &mut Reader<'_>) -> Result<ExchangeRate> {
    Ok(ExchangeRate {
        id: from.text("exchange")?.to_owned(),
        from: currency(from, "exchange")?,
        to: currency(from, "exchange")?,
        rate: from.fixed("exchange")?,
        source: from.text("exchange")?.to_owned(),
        at: from.instant("exchange")?,
    })
}

fn part(from: &mut Reader<'_>) -> Result<LotPart> {
    Ok(LotPart {
        lot: LotId::new(from.text("lot")?)?,
        kind: from.choice("lot", &[LotKind::Credit, LotKind::Prepayment])?,
        amount: money(from, "lot")?,
    })
}

fn tax(from: &mut Reader<'_>) -> Result<DocumentTax> {
    let number = number(from, "tax")?;
    let rule = TaxRule {
        category: TaxCategory::new(from.text("tax category")?)?,
        seller: LegalEntityId::new(from.text("seller")?)?,
        buyer: LegalEntityId::new(from.text("buyer")?)?,
        rate: from.fixed("rate")?,
        liability: from.choice("liability", &[Liability::Seller, Liability::ReverseCharge])?,
    };
    Ok(DocumentTax { number, rule, taxable: money(from, "taxable")?, tax: money(from, "tax")? })
}

#[cfg(test)]
mod tests;
