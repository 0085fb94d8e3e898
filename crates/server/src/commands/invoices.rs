//! `reckoner invoices` and `reckoner invoice`: invoices and notes, and where they stand.

use crate::install::Place;
use crate::telling::{say, unless_unread};
use calendar::BillingPeriod;
use clap::Args;
use documents::{Column, Sheet};
use domain::access::Caller;
use domain::ids::BillingAccountId;
use domain::numbering::DocumentNumber;
use service::{Document, DocumentsAsked, Issued, IssuedNote};
use std::io::Write;

#[derive(Args)]
pub(crate) struct Invoices {
    #[command(flatten)]
    place: Place,
    /// Of one billing account.
    #[arg(long)]
    billing_account: Option<String>,
    /// Of one billing period (2026-03).
    #[arg(long)]
    period: Option<String>,
    /// List at most so many.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Invoices {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let asked = DocumentsAsked {
            billing_account: self
                .billing_account
                .as_deref()
                .map(BillingAccountId::new)
                .transpose()?,
            period: self.period.as_deref().map(BillingPeriod::parse).transpose()?,
        };
        let invoices = reckoner.issued(&Caller::Machine, &asked, self.limit).await?;
        if self.json {
            say!("{}", admin::invoices_json(&invoices)?)?;
            return Ok(());
        }
        let mut bytes = Vec::new();
        documents::write_text(&list(&invoices)?, &mut bytes)?;
        Ok(unless_unread(std::io::stdout().lock().write_all(&bytes))?)
    }
}

#[derive(Args)]
pub(crate) struct Invoice {
    #[command(flatten)]
    place: Place,
    /// Its number, as `invoices` lists it.
    number: String,
    /// Write JSON, with everything on it.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Write its lines as CSV.
    #[arg(long)]
    csv: bool,
}

impl Invoice {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let number = DocumentNumber::parse(&self.number)?;
        let reckoner = self.place.open().await?;
        let issued = reckoner.issued_one(&Caller::Machine, &number).await?;
        if self.json {
            say!("{}", admin::invoice_json(&issued)?)?;
            return Ok(());
        }
        let mut bytes = Vec::new();
        // A terminal is too narrow for all that stands in the CSV.
        let (sheet, shown) = match &issued {
            Issued::Invoice(document) => (documents::invoice_lines(&document.invoice)?, 15),
            Issued::Note(note) => (documents::note_lines(&note.note)?, 6),
        };
        if self.csv {
            documents::write_csv(&sheet, &mut bytes)?;
        } else {
            head(&issued, &mut bytes)?;
            documents::write_text(&sheet.first(shown), &mut bytes)?;
            foot(&issued, &mut bytes)?;
        }
        Ok(unless_unread(std::io::stdout().lock().write_all(&bytes))?)
    }
}

/// Invoices and notes as a sheet, one in a row.
fn list(issued: &[Issued]) -> domain::Result<Sheet> {
    let columns = ["number", "kind", "amends", "billing_account", "period", "state", "currency"];
    let columns = columns.map(Column::text);
    let numbers = ["total", "owed"].map(Column::number);
    let mut rows = Vec::with_capacity(issued.len());
    for one in issued {
        rows.push(match one {
            Issued::Invoice(document) => invoice_row(document)?,
            Issued::Note(note) => note_row(note)?,
        });
    }
    Ok(Sheet { columns: columns.into_iter().chain(numbers).collect(), rows })
}

fn invoice_row(document: &Document) -> domain::Result<Vec<Option<String>>> {
    let Document { number, invoice, state, owed, .. } = document;
    Ok(vec![
        Some(number.to_string()),
        Some("invoice".to_owned()),
        None,
        Some(invoice.billing_account.to_string()),
        Some(invoice.period.to_string()),
        Some(state.name().to_owned()),
        Some(invoice.currency.to_string()),
        Some(invoice.totals()?.total.digits()),
        Some(owed.digits()),
    ])
}

fn note_row(issued: &IssuedNote) -> domain::Result<Vec<Option<String>>> {
    let IssuedNote { number, note, amends, period, .. } = issued;
    Ok(vec![
        Some(number.to_string()),
        Some(note.kind.name().to_owned()),
        Some(amends.to_string()),
        Some(note.billing_account.to_string()),
        Some(period.to_string()),
        None,
        Some(note.currency.to_string()),
        Some(note.due()?.digits()),
        None,
    ])
}

fn head(issued: &Issued, out: &mut Vec<u8>) -> std::io::Result<()> {
    let document: &Document = match issued {
        Issued::Invoice(document) => document,
        Issued::Note(note) => return note_head(note, out),
    };
    let Document { number, invoice, issued_at, due_until, approved_by, state, .. } = document;
    let (account, seller) = (&invoice.billing_account, &invoice.seller);
    writeln!(out, "invoice {number} of {seller} to {account} for {}", invoice.period)?;
    writeln!(out, "issued {issued_at}, overdue from {due_until}; approved by {approved_by}")?;
    if let Some(replaced) = &invoice.replaces {
        writeln!(out, "in the place of {replaced}")?;
    }
    writeln!(out, "{}\n", state.name())
}

fn note_head(issued: &IssuedNote, out: &mut Vec<u8>) -> std::io::Result<()> {
    let IssuedNote { number, note, amends, issued_at, approved_by, .. } = issued;
    let (kind, account) = (note.kind.name().replace('_', " "), &note.billing_account);
    writeln!(out, "{kind} {number} of {} to {account} on {amends}", note.seller)?;
    writeln!(out, "issued {issued_at}; approved by {approved_by}")?;
    writeln!(out, "{}\n", note.reason)
}

fn foot(issued: &Issued, out: &mut Vec<u8>) -> anyhow::Result<()> {
    let document = match issued {
        Issued::Invoice(document) => document,
        Issued::Note(note) => {
            writeln!(out, "\ntotal       {}", note.note.due()?)?;
            return Ok(());
        }
    };
    let totals = document.invoice.totals()?;
    writeln!(out)?;
    writeln!(out, "charges     {}", totals.charges)?;
    writeln!(out, "credit      {}", totals.credit)?;
    writeln!(out, "prepayment  {}", totals.prepayment)?;
    for tax in &document.invoice.taxes {
        let (category, rate) = (&tax.rule.category, tax.rule.rate);
        writeln!(out, "tax         {} ({category}, {rate} of {})", tax.tax, tax.taxable)?;
    }
    writeln!(out, "total       {}", totals.total)?;
    sections(&document.invoice, out)?;
    writeln!(out, "owed        {}", document.owed)?;
    if !document.written_off.is_zero() {
        writeln!(out, "written off {}", document.written_off)?;
    }
    for issued in &document.notes {
        let IssuedNote { number, note, .. } = issued;
        let kind = note.kind.name().replace('_', " ");
        writeln!(out, "{kind} {number}  {}  {}", note.due()?, note.reason)?;
    }
    Ok(())
}

/// What each invoice section comes to, where there are some.
fn sections(invoice: &domain::invoice::Invoice, out: &mut Vec<u8>) -> anyhow::Result<()> {
    let sections = invoice.sections()?;
    if sections.keys().all(Option::is_none) {
        return Ok(());
    }
    for (section, sums) in sections {
        let name = section.as_ref().map_or("no section", |section| section.as_str());
        let (charges, left, tax, total) = (sums.charges, sums.subtotal, sums.tax, sums.total);
        writeln!(out, "  {name}: {total} (charges {charges}, left {left}, tax {tax})")?;
    }
    Ok(())
}
