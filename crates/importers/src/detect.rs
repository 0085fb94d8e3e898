//! Which format a file has, by its first bytes.

use crate::error::FileError;
use crate::parquet_table::ParquetTable;
use crate::prices::PriceFormat;
use crate::row::{Column, Naming, columns};
use crate::usage::UsageFormat;
use crate::{aws_cur, azure_details, focus, oci_cost};
use std::fs::File;

impl UsageFormat {
    /// Tells the format by the first bytes of a file (a few thousand are enough), and by its name
    /// where the bytes fit several; none if it is not one we know.
    pub fn detect(head: &[u8], file_name: &str) -> Option<UsageFormat> {
        let text = text(head);
        if text.starts_with(['{', '[']) {
            return of_answer(text, file_name);
        }
        let line = text.lines().next()?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let mut record = csv::StringRecord::new();
        reader.read_record(&mut record).ok()?;
        of_columns(&columns(record.iter(), Naming::Folded))
    }

    /// Tells the format of a Parquet file by its columns.
    ///
    /// Errors: [`FileError`] when it is not Parquet that we read.
    pub fn detect_parquet(file: File) -> Result<Option<UsageFormat>, FileError> {
        let table = ParquetTable::open(file, Naming::Folded)?;
        Ok(of_columns(table.columns()))
    }
}

impl PriceFormat {
    /// Tells the format by the first bytes of a file; none if it is not one we know.
    pub fn detect(head: &[u8]) -> Option<PriceFormat> {
        let text = text(head);
        if !text.starts_with('{') {
            return None;
        }
        let is_card = text.contains("\"OfferTerms\"") || text.contains("\"MeterRates\"");
        let is_sheet = text.contains("Microsoft.Consumption/pricesheets");
        let is_oci = text.contains("\"partNumber\"") && text.contains("\"metricName\"");
        match (is_card, is_sheet, is_oci) {
            (true, false, false) => Some(PriceFormat::AzureRateCard),
            (false, true, false) => Some(PriceFormat::AzurePriceSheetJson),
            (false, false, true) => Some(PriceFormat::OciPriceList),
            _ => None,
        }
    }
}

/// The bytes as text, as far as they are; without byte-order mark and leading blanks.
fn text(head: &[u8]) -> &str {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    text.trim_start_matches('\u{feff}').trim_start()
}

fn of_answer(text: &str, file_name: &str) -> Option<UsageFormat> {
    let has = |wanted: &str| text.contains(wanted) || file_name.contains(wanted);
    if has("Microsoft.Commerce/UsageAggregate") || has("usage-aggregates") {
        return Some(UsageFormat::AzureUsageAggregates);
    }
    let details = has("Microsoft.Consumption/usageDetails");
    let is_details = details || has("usage-details") || has("Microsoft.Consumption/marketplaces");
    is_details.then_some(UsageFormat::AzureUsageDetailsJson)
}

fn of_columns(columns: &[Column]) -> Option<UsageFormat> {
    let candidates = [
        (UsageFormat::AwsCur, aws_cur::REQUIRED),
        (UsageFormat::OciCostReport, oci_cost::REQUIRED),
        (UsageFormat::Focus, focus::REQUIRED),
        (UsageFormat::AzureUsageDetailsCsv, azure_details::REQUIRED),
    ];
    let has = |name: &str| columns.iter().any(|column| column.key == name);
    candidates
        .into_iter()
        .find(|(_, required)| required.iter().all(|names| names.iter().any(|name| has(name))))
        .map(|(format, _)| format)
}
