//! Invoices and notes as sheets: a line in a row.

use crate::{Column, Sheet};
use domain::credits::LotKind;
use domain::invoice::{Invoice, Line, LineKey};
use domain::notes::{Note, NoteLine};
use domain::tax::Liability;
use domain::{Error, Result};
use money::{Money, MoneyError};

/// What a note takes back, as a sheet: the sum of `total` is what it takes back in all, lots apart.
///
/// Errors: [`Error::Money`].
pub fn note_lines(note: &Note) -> Result<Sheet> {
    let mut columns = vec![Column::count("line"), Column::count("of_line")];
    columns.push(Column::text("tax_category"));
    columns.extend(["net", "tax"].map(Column::number));
    columns.push(Column::text("currency"));
    columns.extend(["total", "booked", "set_off", "credit", "prepayment"].map(Column::number));
    columns.extend(["lots", "amends_document"].map(Column::text));
    let rows = note.lines.iter().map(|line| note_row(note, line));
    let rows = rows.collect::<std::result::Result<_, _>>();
    let rows = rows.map_err(|source| Error::money(format!("note {}", note.id), source))?;
    Ok(Sheet { columns, rows })
}

fn note_row(note: &Note, line: &NoteLine) -> std::result::Result<Vec<Option<String>>, MoneyError> {
    let NoteLine { number, amends, net, tax, tax_category, lots, set_off } = line;
    let back_to = |kind: LotKind| {
        let parts = lots.iter().filter(|part| part.kind == kind).map(|part| part.amount);
        Money::checked_sum(net.currency(), parts)
    };
    let told: Vec<String> =
        lots.iter().map(|part| format!("{} {}", part.lot, part.amount.digits())).collect();
    Ok(vec![
        Some(number.to_string()),
        Some(amends.to_string()),
        Some(tax_category.to_string()),
        Some(net.digits()),
        Some(tax.digits()),
        Some(net.currency().to_string()),
        Some(net.checked_add(*tax)?.digits()),
        Some(line.booked()?.digits()),
        Some(set_off.digits()),
        Some(back_to(LotKind::Credit)?.digits()),
        Some(back_to(LotKind::Prepayment)?.digits()),
        (!told.is_empty()).then(|| told.join("; ")),
        Some(note.amends.to_string()),
    ])
}

/// The lines of an invoice as a sheet: what is exact, what booking did to it, what is owed; and how
/// it was converted, taxed and paid. `booked` + `set_off` − `paid` = `left`, and the sums of
/// `booked`, `credit`, `prepayment`, `left`, `tax` and `total` are the invoice's totals.
///
/// Errors: [`Error::Money`].
pub fn invoice_lines(invoice: &Invoice) -> Result<Sheet> {
    let mut columns = vec![Column::count("line")];
    columns.extend(
        ["category", "subscription", "meter", "item", "from", "until", "amends"].map(Column::text),
    );
    columns.extend(["exact", "rounding", "booked", "paid", "left", "tax"].map(Column::number));
    columns.push(Column::text("currency"));
    columns.extend(more_columns());
    let rows = invoice.lines.iter().map(|line| row(invoice, line));
    Ok(Sheet { columns, rows: rows.collect::<Result<_>>()? })
}

fn row(invoice: &Invoice, line: &Line) -> Result<Vec<Option<String>>> {
    let Line { number, key, exact, booked, paid, left, tax, .. } = line;
    let LineKey { category, subscription, meter, item, service_period, amends, .. } = key;
    let paid = Money::checked_sum(booked.currency(), paid.iter().map(|part| part.amount));
    let paid = paid.map_err(|e| Error::money(format!("line {number}"), e))?;
    let mut cells = vec![
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
    ];
    cells.extend(more_cells(invoice, line)?);
    Ok(cells)
}

/// What came to the sheet later stands behind what was there, so that readers find that again.
fn more_columns() -> Vec<Column> {
    let mut columns = vec![Column::text("section"), Column::number("pricing")];
    columns.extend(["pricing_currency", "exchange_rate_id"].map(Column::text));
    columns.push(Column::number("exchange_rate"));
    columns.extend(["exchange_source", "exchange_at", "tax_category"].map(Column::text));
    columns.push(Column::number("tax_rate"));
    columns.extend(["tax_liability", "coverage"].map(Column::text));
    columns.extend(["set_off", "credit", "prepayment"].map(Column::number));
    columns.push(Column::text("lots"));
    columns.push(Column::number("total"));
    columns.extend(["amends_document", "amends_line", "buys"].map(Column::text));
    columns
}

fn more_cells(invoice: &Invoice, line: &Line) -> Result<Vec<Option<String>>> {
    let Line { number, key, pricing, exchange, coverage, set_off, paid, left, tax, .. } = line;
    let LineKey { section, tax: category, amends, buys, .. } = key;
    let of = |source| Error::money(format!("line {number}"), source);
    let paid_by = |kind: LotKind| {
        let parts = paid.iter().filter(|part| part.kind == kind).map(|part| part.amount);
        Money::checked_sum(left.currency(), parts).map_err(of)
    };
    let rule = invoice.taxes.iter().find(|tax| tax.rule.category == *category);
    let rule = rule.map(|tax| &tax.rule);
    let liability = rule.map(|rule| match rule.liability {
        Liability::Seller => "seller",
        Liability::ReverseCharge => "reverse_charge",
    });
    let lots: Vec<String> =
        paid.iter().map(|part| format!("{} {}", part.lot, part.amount.digits())).collect();
    Ok(vec![
        section.as_ref().map(ToString::to_string),
        Some(pricing.major.to_string()),
        Some(pricing.currency.to_string()),
        exchange.as_ref().map(|rate| rate.id.clone()),
        exchange.as_ref().map(|rate| rate.rate.to_string()),
        exchange.as_ref().map(|rate| rate.source.clone()),
        exchange.as_ref().map(|rate| rate.at.to_string()),
        Some(category.to_string()),
        rule.map(|rule| rule.rate.to_string()),
        liability.map(str::to_owned),
        Some(coverage.name().to_owned()),
        Some(set_off.digits()),
        Some(paid_by(LotKind::Credit)?.digits()),
        Some(paid_by(LotKind::Prepayment)?.digits()),
        (!lots.is_empty()).then(|| lots.join("; ")),
        Some(left.checked_add(*tax).map_err(of)?.digits()),
        amends.as_ref().map(|amends| amends.document.to_string()),
        amends.as_ref().and_then(|amends| amends.line).map(|line| line.to_string()),
        buys.as_ref().map(ToString::to_string),
    ])
}
