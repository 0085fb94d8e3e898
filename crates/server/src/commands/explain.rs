//! `reckoner explain`: from a number back to what made it.

use super::query::{Asked, tell_left_out};
use crate::install::Place;
use crate::telling::say;
use anyhow::Context;
use clap::Args;
use domain::access::Caller;
use domain::ids::{RecordId, SourceName};
use domain::usage::RecordKey;
use service::{ExplainedRow, Explanation};

#[derive(Args)]
#[command(mut_arg("billing_account", |argument| {
    argument.required(true).help("Of which billing account")
}))]
pub(crate) struct Explain {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    asked: Asked,
    /// One record: SOURCE/ID. Without it, the total of what is asked for.
    #[arg(long, value_name = "SOURCE/ID")]
    record: Option<String>,
    /// How many rows of a total to show.
    #[arg(long, default_value_t = 20)]
    rows: usize,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let account =
            self.asked.account()?.context("name the billing account: --billing-account")?;
        let caller = Caller::Machine;
        let explanation = match &self.record {
            Some(record) => {
                let (source, id) = record.split_once('/').context("a record is SOURCE/ID")?;
                let key = RecordKey {
                    billing_account: account,
                    source: SourceName::new(source)?,
                    id: RecordId::new(id)?,
                };
                reckoner.explain_record(&caller, &key).await?
            }
            None => {
                let days = self.asked.days(reckoner.now())?;
                let filters = self.asked.filters()?;
                tell_left_out(&reckoner, Some(&account), &days).await?;
                reckoner.explain_total(&caller, &account, days, &filters, self.rows).await?
            }
        };
        if self.json {
            say!("{}", admin::explanation_json(explanation)?)?;
        } else {
            tell(&explanation)?;
        }
        Ok(())
    }
}

fn tell(explanation: &Explanation) -> std::io::Result<()> {
    say!("rules of version {}; {} rated rows", explanation.rule_version, explanation.row_count)?;
    if let Some(waits) = &explanation.waits {
        say!("it waits in quarantine: {} ({})", waits.reason.name(), waits.field)?;
    }
    for (currency, total) in &explanation.totals {
        say!("exact total {} {currency}", total.major)?;
    }
    for explained in &explanation.rows {
        say!("")?;
        tell_row(explained)?;
    }
    let hidden = explanation.row_count.saturating_sub(explanation.rows.len() as u64);
    if hidden > 0 {
        say!("\n… and {hidden} more rows; ask for more with --rows")?;
    }
    Ok(())
}

fn tell_row(explained: &ExplainedRow) -> std::io::Result<()> {
    let ExplainedRow { row, record, meter, placement, price: _, why } = explained;
    let unit = meter.as_ref().map_or("", |meter| meter.unit.as_str());
    let price = row.unit_price.map_or("no unit price".to_owned(), |price| format!("× {price}"));
    say!(
        "{} {price} = {} {} ({}, tier {}, counter before {})",
        row.quantity,
        row.cost.major,
        row.cost.currency,
        row.kind.name(),
        row.tier,
        row.counter_before
    )?;
    say!("  meter {} {unit}, {:?}", row.meter, row.service_period)?;
    match record {
        Some(record) => {
            say!("  record {}/{}: quantity {}", record.key.source, record.key.id, record.quantity)?
        }
        None => say!("  a charge of a window; no single record stands behind it")?,
    }
    if let Some(placement) = placement {
        say!("  paid by {} on offer {}", placement.billing_account, placement.offer)?;
    }
    say!("  {why}")
}
