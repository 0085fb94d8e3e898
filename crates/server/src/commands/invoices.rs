//! `reckoner invoices` and `reckoner invoice`: what was sent, and where it stands.

use crate::install::Place;
use crate::telling::{say, unless_unread};
use calendar::BillingPeriod;
use clap::Args;
use documents::{Column, Sheet};
use domain::access::Caller;
use domain::ids::BillingAccountId;
use domain::invoice::{Line, LineKey};
use domain::numbering::DocumentNumber;
use money::Money;
use service::{Document, DocumentsAsked};
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
        let invoices = reckoner.documents(&Caller::Machine, &asked, self.limit).await?;
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
        let document = reckoner.document(&Caller::Machine, &number).await?;
        if self.json {
            say!("{}", admin::invoice_json(&document)?)?;
            return Ok(());
        }
        let mut bytes = Vec::new();
        if self.csv {
            documents::write_csv(&lines(&document)?, &mut bytes)?;
        } else {
            head(&document, &mut bytes)?;
            documents::write_text(&lines(&document)?, &mut bytes)?;
            foot(&document, &mut bytes)?;
        }
        Ok(unless_unread(std::io::stdout().lock().write_all(&bytes))?)
    }
}

/// Invoices as a sheet, one in a row.
fn list(invoices: &[Document]) -> domain::Result<Sheet> {
    let columns = ["number", "billing_account", "period", "state", "currency"].map(Column::text);
    let numbers = ["total", "owed"].map(Column::number);
    let mut rows = Vec::with_capacity(invoices.len());
    for Document { number, invoice, state, owed, .. } in invoices {
        let row = [
            number.to_string(),
            invoice.billing_account.to_string(),
            invoice.period.to_string(),
            state.name().to_owned(),
            invoice.currency.to_string(),
            digits(invoice.totals()?.total),
            digits(*owed),
        ];
        rows.push(row.map(Some).to_vec());
    }
    Ok(Sheet { columns: columns.into_iter().chain(numbers).collect(), rows })
}

/// The lines of an invoice as a sheet: what is exact, what booking did to it, what is owed.
fn lines(document: &Document) -> domain::Result<Sheet> {
    let mut columns = vec![Column::count("line")];
    columns.extend(
        ["category", "subscription", "meter", "item", "from", "until", "amends"].map(Column::text),
    );
    columns.extend(["exact", "rounding", "booked", "paid", "left", "tax"].map(Column::number));
    columns.push(Column::text("currency"));
    let mut rows = Vec::new();
    for line in &document.invoice.lines {
        let Line { number, key, exact, booked, paid, left, tax, .. } = line;
        let LineKey { category, subscription, meter, item, service_period, amends, .. } = key;
        let paid = Money::checked_sum(booked.currency(), paid.iter().map(|part| part.amount));
        let paid = paid.map_err(|e| domain::Error::money(format!("line {number}"), e))?;
        rows.push(vec![
            Some(number.to_string()),
            Some(category.name().to_owned()),
            subscription.as_ref().map(ToString::to_string),
            meter.as_ref().map(ToString::to_string),
            (!item.is_empty()).then(|| item.clone()),
            Some(service_period.start().to_string()),
            Some(service_period.end().to_string()),
            amends.as_ref().map(|amends| match amends.line {
                Some(line) => format!("line {line} of {}", amends.document),
                None => amends.document.to_string(),
            }),
            Some(exact.major.to_string()),
            Some(line.rounding()?.major.to_string()),
            Some(digits(*booked)),
            Some(digits(paid)),
            Some(digits(*left)),
            Some(digits(*tax)),
            Some(booked.currency().to_string()),
        ]);
    }
    Ok(Sheet { columns, rows })
}

fn head(document: &Document, out: &mut Vec<u8>) -> std::io::Result<()> {
    let Document { number, invoice, issued_at, due_until, approved_by, state, .. } = document;
    let (account, seller) = (&invoice.billing_account, &invoice.seller);
    writeln!(out, "invoice {number} of {seller} to {account} for {}", invoice.period)?;
    writeln!(out, "issued {issued_at}, overdue from {due_until}; approved by {approved_by}")?;
    writeln!(out, "{}\n", state.name())
}

fn foot(document: &Document, out: &mut Vec<u8>) -> anyhow::Result<()> {
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
    writeln!(out, "owed        {}", document.owed)?;
    Ok(())
}

/// Digits of an amount, in major units.
fn digits(amount: Money) -> String {
    let text = amount.to_string();
    text.split_once(' ').map_or(text.clone(), |(digits, _)| digits.to_owned())
}
