//! Price sheets as files, in the columns that the vendor's exports have: made while they are read,
//! some rows at a time.
//!
//! Source: the layouts of 2023-05-01 in `microsoft-billing/price-sheet`.

use crate::resource;
use csv::Terminator;
use domain::Error;
use domain::agreements::AgreementType;
use domain::catalog::{Condition, Meter};
use domain::price_sheets::SheetZone;
use httpkit::ExactNumber;
use money::Fixed18;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use service::{PriceRow, PriceSheet, guarded};
use std::io::{self, Write};

/// Rows that are in memory at once.
const ROWS_AT_ONCE: usize = 200;

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 4180, in UTF-8.
    Csv,
    /// An array with an object for each row.
    Json,
}

impl Format {
    /// By its name in any letter case; CSV if there is none.
    ///
    /// Errors: [`Error::Invalid`].
    pub(crate) fn parse(name: &str) -> Result<Format, Error> {
        match name.to_ascii_lowercase().as_str() {
            "" | "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            _ => Err(Error::invalid("format", format!("`{name}` is neither `csv` nor `json`"))),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Json => "application/json; charset=utf-8",
        }
    }
}

/// What stands in a row under a column.
enum Cell {
    /// What the books do not know.
    Nothing,
    Text(String),
    Number(Fixed18),
}

type Column = (&'static str, fn(&PriceSheet, &PriceRow) -> Cell);

/// Of customer and partner agreements.
const CUSTOMER: &[Column] = &[
    ("BillingAccountId", account),
    ("BillingAccountName", account_name),
    ("BillingProfileId", profile),
    ("BillingProfileName", profile_name),
    ("ServiceFamily", nothing),
    ("Product", product),
    ("ProductId", nothing),
    ("SkuId", offer),
    ("UnitOfMeasure", unit),
    ("MeterId", meter),
    ("MeterName", meter_name),
    ("MeterType", nothing),
    ("MeterCategory", category),
    ("MeterSubCategory", subcategory),
    ("MeterRegion", region),
    ("TierMinimumUnits", tier_minimum),
    ("EffectiveStartDate", starts),
    ("EffectiveEndDate", ends),
    ("UnitPrice", unit_price),
    ("BasePrice", base_price),
    ("MarketPrice", market_price),
    ("Currency", currency),
    ("BillingCurrency", billing_currency),
    ("Term", term),
    ("PriceType", price_type),
];

/// Of enterprise agreements: what is included has a column there, and tiers have none.
/// Operations of this contract are below billing profiles, which such agreements do not have.
const ENTERPRISE: &[Column] = &[
    ("EnrollmentNumber", account),
    ("MeterID", meter),
    ("MeterName", meter_name),
    ("MeterType", nothing),
    ("MeterCategory", category),
    ("MeterSubCategory", subcategory),
    ("ServiceFamily", nothing),
    ("Product", product),
    ("SkuID", nothing),
    ("ProductID", nothing),
    ("MeterRegion", region),
    ("UnitOfMeasure", unit),
    ("PartNumber", nothing),
    ("EffectiveStartDate", starts),
    ("EffectiveEndDate", ends),
    ("UnitPrice", unit_price),
    ("BasePrice", base_price),
    ("MarketPrice", market_price),
    ("CurrencyCode", currency),
    ("IncludedQuantity", included),
    ("OfferID", offer),
    ("Term", term),
    ("PriceType", price_type),
];

const fn layout(kind: Option<AgreementType>) -> &'static [Column] {
    match kind {
        Some(AgreementType::Enterprise) => ENTERPRISE,
        Some(
            AgreementType::Customer
            | AgreementType::Partner
            | AgreementType::OnlineServices
            | AgreementType::Messaging,
        )
        | None => CUSTOMER,
    }
}

fn nothing(_: &PriceSheet, _: &PriceRow) -> Cell {
    Cell::Nothing
}

fn account(sheet: &PriceSheet, _: &PriceRow) -> Cell {
    Cell::Text(sheet.billing_account.to_string())
}

fn account_name(sheet: &PriceSheet, _: &PriceRow) -> Cell {
    Cell::Text(sheet.account_name.clone())
}

fn profile(sheet: &PriceSheet, _: &PriceRow) -> Cell {
    sheet.profile.as_ref().map_or(Cell::Nothing, |id| Cell::Text(id.to_string()))
}

fn profile_name(sheet: &PriceSheet, _: &PriceRow) -> Cell {
    Cell::Text(sheet.profile_name.clone())
}

/// What a meter is called, with the values that usage must have for the price.
fn product(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(product_of(&row.meter, &row.conditions))
}

fn product_of(meter: &Meter, conditions: &[Condition]) -> String {
    let kind = if meter.subcategory.is_empty() { &meter.category } else { &meter.subcategory };
    let parts = [kind, &meter.name, &meter.region].into_iter().map(String::as_str);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let spelled = |one: &Condition| format!("{} {}", one.dimension.name(), one.value);
    let conditions: Vec<String> = conditions.iter().map(spelled).collect();
    match conditions.as_slice() {
        [] => parts.join(" - "),
        conditions => format!("{} ({})", parts.join(" - "), conditions.join(", ")),
    }
}

/// Of a package with its size, of a reservation with its quantity.
fn unit(_: &PriceSheet, row: &PriceRow) -> Cell {
    let (unit, block) = (&row.meter.unit, row.tier.block);
    Cell::Text(if block == Fixed18::ONE { unit.clone() } else { format!("{block} {unit}") })
}

fn meter(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(row.meter.id.to_string())
}

fn meter_name(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(row.meter.name.clone())
}

fn category(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(row.meter.category.clone())
}

fn subcategory(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(row.meter.subcategory.clone())
}

fn region(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(row.meter.region.clone())
}

fn tier_minimum(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Number(row.tier.from)
}

fn starts(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(row.during.start().to_string())
}

/// The last second in which it holds: the vendor's billing periods end so.
fn ends(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(row.during.end().plus_seconds(-1).to_string())
}

fn unit_price(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Number(row.tier.price)
}

fn base_price(_: &PriceSheet, row: &PriceRow) -> Cell {
    row.base_price.map_or(Cell::Nothing, Cell::Number)
}

fn market_price(_: &PriceSheet, row: &PriceRow) -> Cell {
    row.list_price.map_or(Cell::Nothing, Cell::Number)
}

fn currency(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Text(row.currency.to_string())
}

fn billing_currency(sheet: &PriceSheet, _: &PriceRow) -> Cell {
    Cell::Text(sheet.billing_currency.to_string())
}

fn included(_: &PriceSheet, row: &PriceRow) -> Cell {
    Cell::Number(row.included)
}

fn offer(_: &PriceSheet, row: &PriceRow) -> Cell {
    row.offer.as_ref().map_or(Cell::Nothing, |id| Cell::Text(id.to_string()))
}

fn term(_: &PriceSheet, row: &PriceRow) -> Cell {
    row.term.and_then(resource::term).map_or(Cell::Nothing, Cell::Text)
}

fn price_type(_: &PriceSheet, row: &PriceRow) -> Cell {
    let is_reserved = row.term.is_some();
    Cell::Text(if is_reserved { "ReservedInstance" } else { "Consumption" }.to_owned())
}

/// The bytes of a file, one piece after the other.
pub(crate) struct Chunks {
    sheet: PriceSheet,
    layout: &'static [Column],
    format: Format,
    at: Stage,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    FirstRow,
    Rows,
    End,
}

impl Chunks {
    pub(crate) fn new(sheet: PriceSheet, format: Format) -> Chunks {
        let layout = layout(sheet.kind);
        Chunks { sheet, layout, format, at: Stage::Start }
    }

    fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let (mut rows, mut is_last) = (Vec::with_capacity(ROWS_AT_ONCE), false);
        while rows.len() < ROWS_AT_ONCE && !is_last {
            match self.sheet.next() {
                None => is_last = true,
                Some(row) => rows.extend(self.cells(&row.map_err(io::Error::other)?)),
            }
        }
        let mut bytes = Vec::new();
        match self.format {
            Format::Csv => self.write_csv(&rows, &mut bytes)?,
            Format::Json => self.write_json(&rows, is_last, &mut bytes)?,
        }
        if is_last {
            self.at = Stage::End;
        }
        Ok(bytes)
    }

    /// A row, unless its layout says it elsewhere.
    fn cells(&self, row: &PriceRow) -> Option<Vec<Cell>> {
        let is_apart = self.sheet.kind == Some(AgreementType::Enterprise);
        if is_apart && row.tier.zone == SheetZone::Included {
            return None;
        }
        Some(self.layout.iter().map(|(_, cell)| cell(&self.sheet, row)).collect())
    }

    fn write_csv(&mut self, rows: &[Vec<Cell>], out: &mut Vec<u8>) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        if self.at == Stage::Start {
            writer.write_record(self.layout.iter().map(|(name, _)| *name))?;
            self.at = Stage::Rows;
        }
        for row in rows {
            writer.write_record(row.iter().map(in_csv))?;
        }
        writer.flush()
    }

    fn write_json(
        &mut self,
        rows: &[Vec<Cell>],
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        if self.at == Stage::Start {
            out.write_all(b"[")?;
            self.at = Stage::FirstRow;
        }
        for cells in rows {
            let between: &[u8] = if self.at == Stage::FirstRow { b"\n" } else { b",\n" };
            out.write_all(between)?;
            self.at = Stage::Rows;
            serde_json::to_writer(&mut *out, &Object { layout: self.layout, cells })?;
        }
        if is_last {
            out.write_all(b"\n]\n")?;
        }
        Ok(())
    }
}

impl Iterator for Chunks {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        if self.at == Stage::End {
            return None;
        }
        let chunk = self.chunk();
        if chunk.is_err() {
            // Whoever reads it sees that it was cut off.
            self.at = Stage::End;
        }
        Some(chunk)
    }
}

fn in_csv(cell: &Cell) -> String {
    match cell {
        Cell::Nothing => String::new(),
        Cell::Text(text) => guarded(text),
        Cell::Number(number) => number.to_string(),
    }
}

/// A row in JSON, its members in the order of the columns.
struct Object<'a> {
    layout: &'static [Column],
    cells: &'a [Cell],
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for ((name, _), cell) in self.layout.iter().zip(self.cells) {
            match cell {
                Cell::Nothing => map.serialize_entry(name, &())?,
                Cell::Text(text) => map.serialize_entry(name, text)?,
                Cell::Number(number) => map.serialize_entry(name, &ExactNumber(*number))?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described::published;
    use domain::catalog::Aggregation;
    use domain::ids::MeterId;
    use domain::usage::Dimension;

    #[test]
    fn columns_stand_in_the_order_of_the_published_layouts() {
        for (kind, file) in [
            (AgreementType::Customer, "mca"),
            (AgreementType::Partner, "mca"),
            (AgreementType::Enterprise, "ea"),
        ] {
            let path = format!("price-sheet/pricesheet_2023-05-01_{file}.json");
            let Some(published) = published(&path) else { return };
            let columns = published["translator"]["mappings"].as_array().unwrap().iter();
            let columns: Vec<&str> =
                columns.map(|column| column["source"]["name"].as_str().unwrap()).collect();
            let own: Vec<&str> = layout(Some(kind)).iter().map(|(name, _)| *name).collect();
            assert_eq!(own, columns, "{kind}");
        }
    }

    #[test]
    fn a_product_is_called_by_what_its_meter_is_and_by_the_conditions_of_its_price() {
        let check = |[name, category, subcategory, region]: [&str; 4], expected: &str| {
            let meter = Meter {
                id: MeterId::new("m").unwrap(),
                name: name.to_owned(),
                category: category.to_owned(),
                subcategory: subcategory.to_owned(),
                region: region.to_owned(),
                unit: "Hours".to_owned(),
                tags: Vec::new(),
                aggregation: Aggregation::Sum,
                names: std::collections::BTreeMap::new(),
            };
            assert_eq!(product_of(&meter, &[]), expected);
            let country = Condition { dimension: Dimension::Country, value: "DE".to_owned() };
            assert_eq!(product_of(&meter, &[country]), format!("{expected} (country DE)"));
        };
        check(["Hours", "Machines", "S2", "EU North"], "S2 - Hours - EU North");
        check(["Hours", "Machines", "", "EU North"], "Machines - Hours - EU North");
        check(["SMS", "Messages", "", ""], "Messages - SMS");
    }

    #[test]
    fn text_is_no_formula_and_numbers_keep_their_digits() {
        let check = |cell: Cell, csv: &str| assert_eq!(in_csv(&cell), csv);
        check(Cell::Text("=1+1".to_owned()), "'=1+1");
        check(Cell::Text("Hours".to_owned()), "Hours");
        check(
            Cell::Number(Fixed18::parse("-0.000000000000000001").unwrap()),
            "-0.000000000000000001",
        );
        check(Cell::Nothing, "");
        let cells = [Cell::Nothing, Cell::Number(Fixed18::parse("0.0191").unwrap())];
        const LAYOUT: &[Column] = &[("a", nothing), ("b", unit_price)];
        let object = Object { layout: LAYOUT, cells: &cells };
        let object = serde_json::to_string(&object).unwrap();
        assert_eq!(object, r#"{"a":null,"b":0.0191}"#);
    }

    #[test]
    fn formats_have_names_in_any_letter_case() {
        assert_eq!(Format::parse("").unwrap(), Format::Csv);
        assert_eq!(Format::parse("JSON").unwrap(), Format::Json);
        assert_eq!(Format::parse(Format::Csv.name()).unwrap(), Format::Csv);
        let wrong = Format::parse("xlsx").unwrap_err().to_string();
        assert_eq!(wrong, "format: `xlsx` is neither `csv` nor `json`");
    }
}
