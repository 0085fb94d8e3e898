//! Prices and meters from a vendor's own file.

use super::prices::sort_versions;
use super::wrong::Wrong;
use domain::catalog::{Meter, PriceList, PriceReach};
use domain::ids::MeterId;
use importers::{
    Assumed, CardPlace, ImportError, ImportedPrices, PriceMapping, PriceScale, Tax, UsageFormat,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Where the prices of a list are read from. Paths start at the company file that names them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    format: Format,
    file: String,
    /// Further parts of a list that was handed out in pages.
    #[serde(default)]
    more: Vec<String>,
    /// A file that says what the columns mean; for `csv` and `parquet` only.
    mapping: Option<String>,
    /// That the files are not the whole list.
    #[serde(default)]
    is_part: bool,
}

/// The formats that we read; files of usage give the unit prices that their rows carry.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Format {
    AzureRateCard,
    AzurePriceSheet,
    AzureUsageDetailsCsv,
    AwsCur,
    OciCostReport,
    OciPriceList,
    Csv,
    Parquet,
}

/// What an import brings besides prices and terms.
#[derive(Default)]
pub(super) struct Brought {
    pub(super) meters: Vec<Meter>,
    /// What the operator should know although nothing is wrong.
    pub(super) notices: Vec<Wrong>,
}

/// Fills a list with the prices of vendors' files.
///
/// Prices that the company file gives for a meter, and its terms, stand before the vendor's.
pub(super) fn fill(list: &mut PriceList, import: &Import, dir: &Path) -> Result<Brought, Wrong> {
    let given: BTreeSet<MeterId> = list.prices.keys().cloned().collect();
    let mut terms = Vec::new();
    let mut meters = BTreeMap::new();
    let mut notices = Vec::new();
    let mut next_link = None;
    for (name, imported) in read(list, import, dir)? {
        agree(list, &imported, name)?;
        for rate in &imported.rounded {
            let text =
                format!("{name}: rate {} of `{}` kept as {}", rate.given, rate.meter, rate.kept);
            notices.push(Wrong::new("import.file", text));
        }
        for meter in imported.meters {
            meters.entry(meter.id.clone()).or_insert(meter);
        }
        for price in imported.prices.into_iter().filter(|price| !given.contains(&price.meter)) {
            list.prices.entry(price.meter.clone()).or_default().push(price);
        }
        terms.extend(imported.terms);
        next_link = imported.next_link;
    }
    if next_link.is_some() && !import.is_part {
        let problem = "is a page of a longer list: name the others in `more`, or say `is_part`";
        return Err(Wrong::new("import.file", problem));
    }
    for versions in list.prices.values_mut() {
        sort_versions(versions);
    }
    if list.terms.is_empty() {
        list.terms = terms;
    }
    Ok(Brought { meters: meters.into_values().collect(), notices })
}

/// What the files hold, each by its name; files of usage are one list together.
fn read<'a>(
    list: &PriceList,
    import: &'a Import,
    dir: &Path,
) -> Result<Vec<(&'a str, ImportedPrices)>, Wrong> {
    if import.mapping.is_some() && !matches!(import.format, Format::Csv | Format::Parquet) {
        return Err(Wrong::new("import.mapping", "is for the formats `csv` and `parquet` only"));
    }
    let names = std::iter::once(&import.file).chain(&import.more);
    let files: Vec<(&str, File)> = names
        .map(|name| match File::open(dir.join(name)) {
            Ok(file) => Ok((name.as_str(), file)),
            Err(error) => Err(wrong_file(name, &error)),
        })
        .collect::<Result<_, _>>()?;
    match import.format {
        Format::AzureRateCard => {
            let place = place(list)?;
            each(files, |file| importers::read_rate_card_azure(file, place.clone()))
        }
        Format::AzurePriceSheet => each(files, importers::read_price_sheet_azure_json),
        Format::OciPriceList => {
            each(files, |file| importers::read_price_list_oci(file, list.currency))
        }
        Format::Csv => {
            let mapping = mapping(import, dir)?;
            each(files, |file| importers::read_price_list_csv(file, &mapping, Some(list.currency)))
        }
        Format::Parquet => {
            let (mapping, currency) = (mapping(import, dir)?, Some(list.currency));
            each(files, |file| importers::read_price_list_parquet(file, &mapping, currency))
        }
        Format::AzureUsageDetailsCsv => together(list, UsageFormat::AzureUsageDetailsCsv, files),
        Format::AwsCur => together(list, UsageFormat::AwsCur, files),
        Format::OciCostReport => together(list, UsageFormat::OciCostReport, files),
    }
}

fn wrong_file(name: &str, problem: &dyn Display) -> Wrong {
    Wrong::new("import.file", format!("{name}: {problem}"))
}

fn each(
    files: Vec<(&str, File)>,
    read: impl Fn(File) -> Result<ImportedPrices, ImportError>,
) -> Result<Vec<(&str, ImportedPrices)>, Wrong> {
    let read_one = |(name, file)| match read(file) {
        Ok(imported) => Ok((name, imported)),
        Err(error) => Err(wrong_file(name, &error)),
    };
    files.into_iter().map(read_one).collect()
}

/// One list of the prices that rows of usage carry, whichever file they stand in.
fn together<'a>(
    list: &PriceList,
    format: UsageFormat,
    files: Vec<(&'a str, File)>,
) -> Result<Vec<(&'a str, ImportedPrices)>, Wrong> {
    let scale = PriceScale::of(&format);
    let assumed = Assumed { currency: Some(list.currency) };
    let whole = if let [(name, _)] = files.as_slice() { *name } else { "the files together" };
    let mut rows = Vec::new();
    for (name, file) in files {
        let read = importers::read_usage(format.clone(), assumed.clone(), BufReader::new(file))
            .map_err(|error| wrong_file(name, &error))?;
        for row in read {
            rows.push(row.map_err(|error| wrong_file(name, &error))?);
        }
    }
    let imported =
        importers::prices_from_usage(&rows, scale).map_err(|error| wrong_file(whole, &error))?;
    Ok(vec![(whole, imported)])
}

fn place(list: &PriceList) -> Result<CardPlace, Wrong> {
    match &list.reach {
        PriceReach::Offer { offer, region, locales } => Ok(CardPlace {
            offer: offer.clone(),
            region: region.clone(),
            currency: Some(list.currency),
            locale: locales.first().cloned(),
        }),
        PriceReach::Account { .. } => {
            Err(Wrong::new("import.format", "a rate card belongs to an offer"))
        }
    }
}

fn mapping(import: &Import, dir: &Path) -> Result<PriceMapping, Wrong> {
    let wrong = |problem: &dyn Display| Wrong::new("import.mapping", problem);
    let name = import.mapping.as_ref().ok_or_else(|| {
        let problem = "`csv` and `parquet` need a `mapping` file that explains the columns";
        Wrong::new("import", problem)
    })?;
    let text = std::fs::read_to_string(dir.join(name)).map_err(|error| wrong(&error))?;
    PriceMapping::parse(&text).map_err(|error| wrong(&error))
}

/// What the vendor's file says of itself must be what the list says.
fn agree(list: &PriceList, imported: &ImportedPrices, name: &str) -> Result<(), Wrong> {
    if imported.currency != list.currency {
        let problem = format!("{name} holds prices in {}", imported.currency);
        return Err(Wrong::new("currency", problem));
    }
    match imported.tax {
        Tax::Excluded => Ok(()),
        Tax::Included => {
            Err(Wrong::new("import.file", format!("{name}: prices hold tax; we need them without")))
        }
    }
}
