//! Writing sheets.

use crate::{ColumnKind, Sheet};
use std::io::{self, Write};

/// Writes aligned columns for people: text to the left, numbers to the right, `-` for no value.
pub fn write_text(sheet: &Sheet, out: &mut impl Write) -> io::Result<()> {
    let names = sheet.columns.iter().map(|column| shown(&column.name)).collect();
    let cells = |row: &Vec<Option<String>>| {
        row.iter().map(|cell| cell.as_deref().map_or("-".to_owned(), shown)).collect()
    };
    let lines: Vec<Vec<String>> =
        std::iter::once(names).chain(sheet.rows.iter().map(cells)).collect();
    let mut widths = vec![0; sheet.columns.len()];
    for line in &lines {
        for (width, value) in widths.iter_mut().zip(line) {
            *width = value.chars().count().max(*width);
        }
    }
    for line in &lines {
        let mut text = String::new();
        for ((value, width), column) in line.iter().zip(&widths).zip(&sheet.columns) {
            match column.kind {
                ColumnKind::Text | ColumnKind::Date => {
                    text.push_str(&format!("{value:<width$}  "));
                }
                ColumnKind::Count | ColumnKind::Number => {
                    text.push_str(&format!("{value:>width$}  "))
                }
            }
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

/// A value for a terminal: control characters are written out, so that none acts on it.
fn shown(text: &str) -> String {
    let plain =
        |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(plain).collect()
}

/// Writes CSV as RFC 4180 has it. Text that a spreadsheet would take for a formula gets a single
/// quote in front; numbers stay as they are.
pub fn write_csv(sheet: &Sheet, out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(sheet.columns.iter().map(|column| guarded(&column.name)))?;
    for row in &sheet.rows {
        let cells = row.iter().zip(&sheet.columns).map(|(cell, column)| {
            let text = cell.as_deref().unwrap_or("");
            match column.kind {
                ColumnKind::Text | ColumnKind::Date => guarded(text),
                ColumnKind::Count | ColumnKind::Number => text.to_owned(),
            }
        });
        writer.write_record(cells)?;
    }
    writer.flush()
}

/// Text as a cell of CSV: what a spreadsheet would take for a formula gets a single quote in front.
pub fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Writes a JSON array with an object for each row, members in the order of the columns. Numbers
/// are strings of digits, so that nothing rounds them.
pub fn write_json(sheet: &Sheet, out: &mut impl Write) -> io::Result<()> {
    write!(out, "[")?;
    for (at, row) in sheet.rows.iter().enumerate() {
        write!(out, "{}\n  {}", if at == 0 { "" } else { "," }, object(sheet, row)?)?;
    }
    writeln!(out, "\n]")
}

/// Writes JSON lines: the objects of [`write_json`], one a line.
pub fn write_json_lines(sheet: &Sheet, out: &mut impl Write) -> io::Result<()> {
    sheet.rows.iter().try_for_each(|row| writeln!(out, "{}", object(sheet, row)?))
}

fn object(sheet: &Sheet, row: &[Option<String>]) -> io::Result<String> {
    let members = sheet.columns.iter().zip(row).map(|(column, cell)| {
        let (name, value) = (serde_json::to_string(&column.name)?, serde_json::to_string(cell)?);
        Ok(format!("{name}:{value}"))
    });
    let members: Vec<String> = members.collect::<io::Result<_>>()?;
    Ok(format!("{{{}}}", members.join(",")))
}
