//! `reckoner import FILE…`: usage from vendors' files; all files of one command are one extract.

use super::query::day;
use super::request_id;
use crate::install::Place;
use crate::telling::{progress, say};
use anyhow::{Context, bail};
use calendar::{BillingPeriod, Day};
use clap::Args;
use domain::access::Caller;
use domain::ids::{BillingAccountId, SourceName};
use domain::resolve::Axis;
use importers::{
    Assumed, ImportedRow, Mapping, Ordinals, UsageFormat, UsageRows, read_usage, read_usage_parquet,
};
use money::Currency;
use service::{ImportOptions, ImportPlan, Reckoner};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    place: Place,
    /// Files of usage: all pages or parts of one extract, in their order.
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
    /// The files are the whole of this billing period (2026-03) of its source and accounts.
    #[arg(long)]
    period: Option<String>,
    /// The files cover days from here, inclusive.
    #[arg(long, requires = "until", conflicts_with = "period")]
    from: Option<String>,
    /// The files cover days until here, exclusive.
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
        self.import(&reckoner).await.with_context(|| format!("import {}", self.name()))?;
        reckoner.close().await?;
        Ok(())
    }

    /// What the files are called.
    fn name(&self) -> String {
        let names: Vec<_> = self.files.iter().filter_map(|path| path.file_name()).collect();
        let names = names.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>();
        match names.as_slice() {
            [first, .., last] => format!("{first} to {last} ({} files)", names.len()),
            one => one.join(""),
        }
    }

    async fn import(&self, reckoner: &Reckoner) -> anyhow::Result<()> {
        let (format, rows) = self.read_all()?;
        let options = self.options(&format)?;
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
            tell(&options.file, plan)?;
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
            options.file, done.new, done.known, done.quarantined, done.extracts
        );
        Ok(())
    }

    fn options(&self, format: &UsageFormat) -> anyhow::Result<ImportOptions> {
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
            file: self.name(),
            file_hash: service::hash_of_files(&self.files)?,
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

    /// The rows of all files. Equal rows are counted on from file to file.
    fn read_all(&self) -> anyhow::Result<(UsageFormat, Vec<ImportedRow>)> {
        let (mut extract, mut rows) = (Extract::default(), Vec::new());
        for path in &self.files {
            let read = self.read(path, &mut extract, &mut rows);
            read.with_context(|| path.display().to_string())?;
        }
        if let Some(next) = extract.next_link {
            bail!(
                "the last file is not the last page: its nextLink is {next}; give all pages of \
                 the answer in one command, in their order"
            );
        }
        Ok((extract.format.context("there are no files")?, rows))
    }

    fn read(
        &self,
        path: &Path,
        extract: &mut Extract,
        rows: &mut Vec<ImportedRow>,
    ) -> anyhow::Result<()> {
        let assumed =
            Assumed { currency: self.currency.as_deref().map(Currency::parse).transpose()? };
        let is_parquet =
            path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
        // Rows without an id are known by their content and how often it comes: a file given twice
        // would count twice.
        if !extract.hashes.insert(service::hash_of_files(&[path])?) {
            bail!("is the same as a file before it");
        }
        let format = self.format(path, is_parquet)?;
        if extract.format.as_ref().is_some_and(|first| *first != format) {
            bail!("has another format than the files before it; import it by itself");
        }
        extract.format = Some(format.clone());
        let file = File::open(path)?;
        if is_parquet {
            extract.take(read_usage_parquet(format, assumed, file)?, rows)
        } else {
            extract.take(read_usage(format, assumed, BufReader::new(file))?, rows)
        }
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

/// What goes on from file to file.
#[derive(Default)]
struct Extract {
    hashes: BTreeSet<String>,
    format: Option<UsageFormat>,
    ordinals: Ordinals,
    /// Of the newest file.
    next_link: Option<String>,
}

impl Extract {
    fn take<R: Read>(
        &mut self,
        file: UsageRows<R>,
        rows: &mut Vec<ImportedRow>,
    ) -> anyhow::Result<()> {
        let mut file = file.continuing(std::mem::take(&mut self.ordinals));
        for row in &mut file {
            rows.push(row?);
        }
        self.next_link = file.next_link().map(str::to_owned);
        self.ordinals = file.into_ordinals();
        Ok(())
    }
}

fn tell(file: &str, plan: &ImportPlan) -> std::io::Result<()> {
    say!(
        "{}: billing account {}, days {} to {}: {} rows, {} new, {} known, {} of earlier \
         extracts left out",
        file,
        plan.billing_account,
        plan.days.start,
        plan.days.end,
        plan.rows,
        plan.new,
        plan.known,
        plan.left_out
    )?;
    for ((reason, field), rows) in &plan.waiting {
        say!("  {rows} of the rows would wait in quarantine: {} ({field})", reason.name())?;
    }
    if let Some(same) = plan.same_as {
        say!("  the newest extract of these days is the same (fact {same}): nothing changes")?;
    }
    Ok(())
}
