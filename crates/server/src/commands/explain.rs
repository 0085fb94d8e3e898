//! `reckoner explain`: from a number back to what made it.

use super::query::{Asked, tell_left_out};
use crate::install::Place;
use crate::telling::say;
use anyhow::Context;
use clap::Args;
use domain::access::Caller;
use domain::ids::{RecordId, SourceName};
use domain::numbering::DocumentNumber;
use domain::usage::RecordKey;
use service::{Behind, ExplainedLine, ExplainedRow, Explanation, LineAsked, Reckoner};

#[derive(Args)]
#[command(mut_arg("billing_account", |argument| {
    argument.required_unless_present("line").help("Of which billing account")
}))]
pub(crate) struct Explain {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    asked: Asked,
    /// One record: SOURCE/ID. Without it, the total of what is asked for.
    #[arg(long, value_name = "SOURCE/ID")]
    record: Option<String>,
    /// One line of an invoice.
    #[arg(long, value_name = "NUMBER/LINE", conflicts_with = "record")]
    line: Option<String>,
    /// Of that line, only the rated row that this minor unit lies in, from 1.
    #[arg(long, value_name = "N", requires = "line")]
    cent: Option<u64>,
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
        if let Some(line) = &self.line {
            return self.line(&reckoner, line).await;
        }
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

    async fn line(&self, reckoner: &Reckoner, line: &str) -> anyhow::Result<()> {
        let (number, line) = line.rsplit_once('/').context("a line is NUMBER/LINE")?;
        let asked = LineAsked {
            document: DocumentNumber::parse(number)?,
            line: line.parse().context("a line's number counts from 1")?,
            cent: self.cent,
            rows_shown: self.rows,
        };
        let explained = reckoner.explain_line(&Caller::Machine, &asked).await?;
        if self.json {
            say!("{}", admin::line_json(&explained)?)?;
        } else {
            tell_line(&explained)?;
        }
        Ok(())
    }
}

fn tell_line(explained: &ExplainedLine) -> anyhow::Result<()> {
    let ExplainedLine { document, line, tax, behind } = explained;
    let (number, exact) = (&document.number, &line.exact);
    let what = line.key.meter.as_ref().map_or(line.key.item.as_str(), |meter| meter.as_str());
    say!("line {} of {number}: {} {what}", line.number, line.key.category.name())?;
    if let Some(rate) = &line.exchange {
        let (pricing, by) = (&line.pricing, &rate.source);
        say!(
            "  {} {} × {} (rate `{}` of {by}, {})",
            pricing.major,
            pricing.currency,
            rate.rate,
            rate.id,
            rate.at
        )?;
    }
    let rounding = line.rounding()?;
    say!(
        "  exact {} {}, booked {}, rounding {}",
        exact.major,
        exact.currency,
        line.booked,
        rounding.major
    )?;
    for part in &line.paid {
        say!("  paid by lot {}: {}", part.lot, part.amount)?;
    }
    say!("  left {}, tax {}", line.left, line.tax)?;
    if let Some(tax) = tax {
        let rule = &tax.rule;
        say!("  of {} tax `{}` on {} at {}", tax.tax, rule.category, tax.taxable, rule.rate)?;
    }
    match behind {
        Behind::Usage(explanation) => tell(explanation)?,
        Behind::Declared(why) => say!("  {why}")?,
        Behind::Correction { amends, billed, from_scratch } => {
            let of = amends.line.map_or(String::new(), |line| format!("line {line} of "));
            say!("corrects {of}{}; as it was billed:", amends.document)?;
            tell(billed)?;
            say!("\nas it comes out now:")?;
            tell(from_scratch)?;
        }
    }
    Ok(())
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
        None if row.reserved.is_some() => say!("  no record stands behind it")?,
        None => say!("  a charge of a window; no single record stands behind it")?,
    }
    if let Some(placement) = placement {
        say!("  paid by {} on offer {}", placement.billing_account, placement.offer)?;
    }
    say!("  {why}")
}
