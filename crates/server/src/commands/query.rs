//! `reckoner query`: charges by whatever one asks for.

use crate::install::Place;
use crate::telling::unless_unread;
use anyhow::{Context, bail};
use calendar::{BillingPeriod, Day, Instant};
use clap::{Args, ValueEnum};
use documents::{Column, Sheet};
use domain::access::Caller;
use domain::ids::BillingAccountId;
use service::{ChargeFilter, ChargeQuery, ChargeTable, GroupBy, Reckoner};
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Query {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    asked: Asked,
    /// By what to add up: day, month, account, subscription, meter, meter_category, unit, category,
    /// kind, reservation, resource, a dimension, tag:KEY.
    #[arg(long, value_delimiter = ',', default_value = "month")]
    group_by: Vec<String>,
    /// The dearest so many only.
    #[arg(long)]
    top: Option<usize>,
    /// How to write the answer. In Parquet, text is strings, days are dates, records are 64-bit
    /// integers, quantities and costs are decimals of 38 digits with 18 places.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// The same as --output json.
    #[arg(long)]
    json: bool,
    /// Write to this file instead of standard output; what it held is replaced.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

/// Which charges.
#[derive(Args)]
pub(crate) struct Asked {
    /// Of one billing account.
    #[arg(long)]
    pub(crate) billing_account: Option<String>,
    /// A billing period (2026-03).
    #[arg(long, conflicts_with_all = ["from", "until"])]
    period: Option<String>,
    /// First day.
    #[arg(long, requires = "until")]
    from: Option<String>,
    /// Day after the last.
    #[arg(long, requires = "from")]
    until: Option<String>,
    /// Only these: NAME=VALUE; several values of one name widen it.
    #[arg(long = "where", value_name = "NAME=VALUE")]
    filters: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Csv,
    Json,
    Parquet,
}

impl Asked {
    /// Days asked for; the billing period of `now` if none.
    pub(crate) fn days(&self, now: Instant) -> anyhow::Result<Range<Day>> {
        if let (Some(from), Some(until)) = (&self.from, &self.until) {
            return Ok(day("--from", from)?..day("--until", until)?);
        }
        let period = match &self.period {
            Some(period) => BillingPeriod::parse(period)?,
            None => BillingPeriod::of(now),
        };
        Ok(period.start().day()..period.end().day())
    }

    pub(crate) fn account(&self) -> anyhow::Result<Option<BillingAccountId>> {
        Ok(self.billing_account.as_deref().map(BillingAccountId::new).transpose()?)
    }

    pub(crate) fn filters(&self) -> anyhow::Result<Vec<ChargeFilter>> {
        let mut filters: Vec<ChargeFilter> = Vec::new();
        for filter in &self.filters {
            let (name, value) = filter.split_once('=').context("a filter is NAME=VALUE")?;
            let on = GroupBy::parse(name)?;
            match filters.iter_mut().find(|known| known.on == on) {
                Some(known) => known.values.push(value.to_owned()),
                None => filters.push(ChargeFilter { on, values: vec![value.to_owned()] }),
            }
        }
        Ok(filters)
    }
}

impl Query {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let output = if self.json { Output::Json } else { self.output };
        if output == Output::Parquet && self.file.is_none() && std::io::stdout().is_terminal() {
            bail!(
                "Parquet is not for a terminal: name a file with --file PATH, or send standard \
                 output to one"
            );
        }
        let reckoner = self.place.open().await?;
        let group_by =
            self.group_by.iter().map(|name| GroupBy::parse(name)).collect::<Result<_, _>>()?;
        let query = ChargeQuery {
            billing_account: self.asked.account()?,
            days: self.asked.days(reckoner.now())?,
            group_by,
            filters: self.asked.filters()?,
            top: self.top,
        };
        let table = reckoner.charges(&Caller::Machine, &query).await?;
        tell_left_out(&reckoner, query.billing_account.as_ref(), &query.days).await?;
        let mut bytes = Vec::new();
        write(output, &sheet(table), &mut bytes)?;
        match &self.file {
            Some(path) => {
                std::fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
            }
            None => Ok(unless_unread(std::io::stdout().lock().write_all(&bytes))?),
        }
    }
}

fn write(output: Output, sheet: &Sheet, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    match output {
        Output::Table => documents::write_text(sheet, bytes),
        Output::Csv => documents::write_csv(sheet, bytes),
        Output::Json => documents::write_json(sheet, bytes),
        Output::Parquet => documents::write_parquet(sheet, bytes),
    }
}

/// Reads a day, given as such or as its first moment.
pub(crate) fn day(option: &str, text: &str) -> anyhow::Result<Day> {
    let moment = Instant::parse(text).with_context(|| option.to_owned())?;
    let day = moment.day();
    if moment != day.start() {
        bail!("{option}: `{text}` is not the start of a UTC day; say {day} or {}", day.next());
    }
    Ok(day)
}

/// Says on standard error which records of the billing periods asked for are in no sum, and why.
pub(crate) async fn tell_left_out(
    reckoner: &Reckoner,
    account: Option<&BillingAccountId>,
    days: &Range<Day>,
) -> anyhow::Result<()> {
    for left_out in reckoner.left_out(&Caller::Machine, account, days).await? {
        eprintln!("note: not in these sums: {left_out}");
    }
    Ok(())
}

/// A table of charges as a sheet: keys, their names where some have one, measures.
pub(crate) fn sheet(table: ChargeTable) -> Sheet {
    let labelled: Vec<bool> = (0..table.columns.len())
        .map(|at| table.rows.iter().any(|row| row.labels[at].is_some()))
        .collect();
    let mut columns = Vec::new();
    for (name, labelled) in table.columns.iter().zip(&labelled) {
        columns.push(match name.as_str() {
            "day" => Column::date(name),
            _ => Column::text(name),
        });
        if *labelled {
            columns.push(Column::text(&format!("{name}_name")));
        }
    }
    columns.push(Column::count("records"));
    columns.push(Column::number("quantity"));
    columns.push(Column::text("unit"));
    columns.push(Column::number("cost"));
    columns.push(Column::number("amortised"));
    columns.push(Column::text("currency"));
    let mut rows = Vec::with_capacity(table.rows.len());
    for row in table.rows {
        let mut cells = Vec::with_capacity(columns.len());
        for ((key, label), labelled) in row.keys.into_iter().zip(row.labels).zip(&labelled) {
            cells.push(key);
            if *labelled {
                cells.push(label);
            }
        }
        cells.push(Some(row.records.to_string()));
        cells.push(row.quantity.map(|quantity| quantity.to_string()));
        cells.push(row.unit);
        cells.push(Some(row.cost.major.to_string()));
        cells.push(Some(row.amortised.major.to_string()));
        cells.push(Some(row.cost.currency.to_string()));
        rows.push(cells);
    }
    Sheet { columns, rows }
}
