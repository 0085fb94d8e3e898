//! `reckoner import FILE…`: usage from vendors' files, one extract a file.

use super::query::day;
use super::request_id;
use crate::install::Place;
use crate::telling::progress;
use anyhow::{Context, bail};
use calendar::{BillingPeriod, Day};
use clap::Args;
use domain::access::Caller;
use domain::ids::{BillingAccountId, SourceName};
use domain::resolve::Axis;
use importers::{Assumed, ImportedRow, Mapping, UsageFormat, read_usage, read_usage_parquet};
use money::Currency;
use service::{ImportOptions, ImportPlan, Reckoner};
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    place: Place,
    /// Files of usage.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// As which declared source.
    #[arg(long)]
    source: String,
    /// For which billing account; by who pays for each row's subscription if not given.
    #[arg(long)]
    billing_account: Option<String>,
    /// Format; found out by the file's beginning if not given.
    #[arg(long)]
    format: Option<String>,
    /// Mapping file (TOML) for any other CSV or Parquet.
    #[arg(long, conflicts_with = "format")]
    mapping: Option<PathBuf>,
    /// Currency of a file that names none.
    #[arg(long)]
    currency: Option<String>,
    /// The file is the whole of this billing period (2026-03) of its source and accounts.
    #[arg(long)]
    period: Option<String>,
    /// The file covers days from here, inclusive.
    #[arg(long, requires = "until", conflicts_with = "period")]
    from: Option<String>,
    /// The file covers days until here, exclusive.
    #[arg(long, requires = "from")]
    until: Option<String>,
    /// Import without asking.
    #[arg(long)]
    yes: bool,
    /// Show the effect and stop.
    #[arg(long, conflicts_with = "yes")]
    plan: bool,
}

impl Import {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        for file in &self.files {
            self.import(&reckoner, file)
                .await
                .with_context(|| format!("import {}", file.display()))?;
        }
        reckoner.close().await?;
        Ok(())
    }

    async fn import(&self, reckoner: &Reckoner, path: &Path) -> anyhow::Result<()> {
        let (format, rows) = self.read(path)?;
        let options = self.options(path, &format)?;
        let caller = Caller::Machine;
        let is_account_given = options.billing_account.is_some();
        let plans = reckoner.plan_import(&caller, &options, rows).await;
        let plans = plans.map_err(|error| match &error {
            domain::Error::Invalid { field, .. }
                if field == "subscription" && !is_account_given =>
            {
                anyhow::Error::new(error).context(
                    "cannot tell whose usage it is; --billing-account says so for all rows, and \
                     those of an unknown subscription then wait in quarantine",
                )
            }
            _ => anyhow::Error::new(error),
        })?;
        for plan in &plans {
            tell(path, plan);
        }
        if self.plan || plans.is_empty() {
            return Ok(());
        }
        if !self.yes {
            bail!("say --yes to import, or --plan to look only");
        }
        let bar = progress("importing");
        let told = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let done = reckoner.import(&caller, &options, plans, &request_id(), &told).await?;
        bar.finish_and_clear();
        eprintln!(
            "{}: {} new, {} known, {} waiting in quarantine; {} extracts committed",
            path.display(),
            done.new,
            done.known,
            done.quarantined,
            done.extracts
        );
        Ok(())
    }

    fn options(&self, path: &Path, format: &UsageFormat) -> anyhow::Result<ImportOptions> {
        let axis = match format.axis() {
            importers::Axis::Usage => Axis::Usage,
            importers::Axis::Reported => Axis::Reported,
        };
        let account = self.billing_account.as_deref().map(BillingAccountId::new).transpose()?;
        Ok(ImportOptions {
            source: SourceName::new(&self.source)?,
            billing_account: account,
            days: self.days()?,
            axis,
            file: path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            file_hash: service::file_hash(path)?,
        })
    }

    fn days(&self) -> anyhow::Result<Option<Range<Day>>> {
        if let Some(period) = &self.period {
            let period = BillingPeriod::parse(period)?;
            return Ok(Some(period.start().day()..period.end().day()));
        }
        let from = self.from.as_deref().map(|text| day("--from", text)).transpose()?;
        let until = self.until.as_deref().map(|text| day("--until", text)).transpose()?;
        Ok(from.zip(until).map(|(from, until)| from..until))
    }

    fn read(&self, path: &Path) -> anyhow::Result<(UsageFormat, Vec<ImportedRow>)> {
        let assumed =
            Assumed { currency: self.currency.as_deref().map(Currency::parse).transpose()? };
        let is_parquet =
            path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
        let format = self.format(path, is_parquet)?;
        let rows: Result<Vec<_>, _> = if is_parquet {
            read_usage_parquet(format.clone(), assumed, File::open(path)?)?.collect()
        } else {
            read_usage(format.clone(), assumed, BufReader::new(File::open(path)?))?.collect()
        };
        Ok((format, rows?))
    }

    fn format(&self, path: &Path, is_parquet: bool) -> anyhow::Result<UsageFormat> {
        if let Some(mapping) = &self.mapping {
            let context = || format!("mapping file {}", mapping.display());
            let text = std::fs::read_to_string(mapping).with_context(context)?;
            let mapping = Mapping::parse(&text).with_context(context)?;
            return Ok(UsageFormat::Mapped(Box::new(mapping)));
        }
        if let Some(name) = &self.format {
            return UsageFormat::parse(name).with_context(|| format!("no format `{name}`"));
        }
        let found = if is_parquet {
            UsageFormat::detect_parquet(File::open(path)?)?
        } else {
            let mut head = vec![0; 64 * 1024];
            let length = File::open(path)?.read(&mut head)?;
            UsageFormat::detect(&head[..length], &path.to_string_lossy())
        };
        found
            .context("the format cannot be told by the file's beginning; say --format or --mapping")
    }
}

fn tell(path: &Path, plan: &ImportPlan) {
    println!(
        "{}: billing account {}, days {} to {}: {} rows, {} new, {} known, {} of earlier \
         extracts left out",
        path.display(),
        plan.billing_account,
        plan.days.start,
        plan.days.end,
        plan.rows,
        plan.new,
        plan.known,
        plan.left_out
    );
    for ((reason, field), rows) in &plan.waiting {
        println!("  {rows} of the rows would wait in quarantine: {} ({field})", reason.name());
    }
    if let Some(same) = plan.same_as {
        println!("  the newest extract of these days is the same (fact {same}): nothing changes");
    }
}
