//! Invoices and notes as sheets: a line in a row.

use crate::{Column, Sheet};
use domain::invoice::{Invoice, Line, LineKey};
use domain::notes::{Note, NoteLine};
use domain::{Error, Result};
use money::Money;

/// What a note takes back, as a sheet.
pub fn note_lines(note: &Note) -> Sheet {
    let mut columns = vec![Column::count("line"), Column::count("of_line")];
    columns.push(Column::text("tax_category"));
    columns.extend(["net", "tax"].map(Column::number));
    columns.push(Column::text("currency"));
    let row = |line: &NoteLine| {
        let NoteLine { number, amends, net, tax, tax_category, lots: _, set_off: _ } = line;
        let (net, tax, currency) = (net.digits(), tax.digits(), net.currency().to_string());
        let words = [number.to_string(), amends.to_string(), tax_category.to_string()];
        words.into_iter().chain([net, tax, currency]).map(Some).collect()
    };
    Sheet { columns, rows: note.lines.iter().map(row).collect() }
}

/// The lines of an invoice as a sheet: what is exact, what booking did to it, what is owed.
///
/// Errors: [`Error::Money`].
pub fn invoice_lines(invoice: &Invoice) -> Result<Sheet> {
    let mut columns = vec![Column::count("line")];
    columns.extend(
        ["category", "subscription", "meter", "item", "from", "until", "amends"].map(Column::text),
    );
    columns.extend(["exact", "rounding", "booked", "paid", "left", "tax"].map(Column::number));
    columns.push(Column::text("currency"));
    let mut rows = Vec::new();
    for line in &invoice.lines {
        let Line { number, key, exact, booked, paid, left, tax, .. } = line;
        let LineKey { category, subscription, meter, item, service_period, amends, .. } = key;
        let paid = Money::checked_sum(booked.currency(), paid.iter().map(|part| part.amount));
        let paid = paid.map_err(|e| Error::money(format!("line {number}"), e))?;
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
            Some(booked.digits()),
            Some(paid.digits()),
            Some(left.digits()),
            Some(tax.digits()),
            Some(booked.currency().to_string()),
        ]);
    }
    Ok(Sheet { columns, rows })
}
