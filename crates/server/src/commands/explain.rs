//! `reckoner explain`: from a number back to what made it.

use super::query::{Asked, tell_left_out};
use crate::install::Place;
use crate::telling::say;
use anyhow::Context;
use clap::Args;
use domain::access::Caller;
use domain::ids::{RecordId, SourceName};
use domain::invoice::Figure;
use domain::numbering::DocumentNumber;
use domain::usage::RecordKey;
use service::{
    Behind, ExplainedFigure, ExplainedLine, ExplainedRow, Explanation, FigureAsked, Issued,
    LineAsked, Reckoner,
};

#[derive(Args)]
#[command(mut_arg("billing_account", |argument| {
    argument.required_unless_present_any(["line", "document"]).help("Of which billing account")
}))]
pub(crate) struct Explain {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    asked: Asked,
    /// One record: SOURCE/ID. Without it, the total of what is asked for.
    #[arg(long, value_name = "SOURCE/ID")]
    record: Option<String>,
    /// One line of an invoice or note.
    #[arg(long, value_name = "NUMBER/LINE", conflicts_with = "record")]
    line: Option<String>,
    /// A number on an invoice or note: its total, or what --of names.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["record", "line"])]
    document: Option<String>,
    /// Which: total (if left out), tax=CATEGORY, lot=ID, section=ID, section (what stands in none),
    /// rounding.
    #[arg(long, value_name = "FIGURE", requires = "document")]
    of: Option<String>,
    /// Of that line or figure, only the rated row that this minor unit lies in, from 1.
    #[arg(long, value_name = "N")]
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
        if let Some(number) = &self.document {
            let number = DocumentNumber::parse(number)?;
            let figure = Figure::parse(self.of.as_deref().unwrap_or("total"))?;
            return self.figure(&reckoner, number, figure).await;
        }
        anyhow::ensure!(self.cent.is_none(), "--cent needs --line or --document");
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
        let document = DocumentNumber::parse(number)?;
        let line = line.parse().context("a line's number counts from 1")?;
        match reckoner.issued_one(&Caller::Machine, &document).await? {
            Issued::Note(_) => return self.figure(reckoner, document, Figure::Line(line)).await,
            Issued::Invoice(_) => {}
        }
        let asked = LineAsked { document, line, cent: self.cent, rows_shown: self.rows };
        let explained = reckoner.explain_line(&Caller::Machine, &asked).await?;
        if self.json {
            say!("{}", admin::line_json(&explained)?)?;
        } else {
            tell_line(&explained)?;
        }
        Ok(())
    }

    async fn figure(
        &self,
        reckoner: &Reckoner,
        document: DocumentNumber,
        figure: Figure,
    ) -> anyhow::Result<()> {
        let asked = FigureAsked { document, figure, cent: self.cent, rows_shown: self.rows };
        let explained = reckoner.explain_figure(&Caller::Machine, &asked).await?;
        if self.json {
            say!("{}", admin::figure_json(&explained)?)?;
        } else {
            tell_figure(&explained)?;
        }
        Ok(())
    }
}

fn tell_figure(explained: &ExplainedFigure) -> anyhow::Result<()> {
    let ExplainedFigure { document, addends, held, line } = explained;
    let (number, amends) = match document {
        Issued::Invoice(document) => (&document.number, None),
        Issued::Note(note) => (&note.number, Some(&note.amends)),
    };
    let (figure, amount) = (&addends.figure, &addends.amount);
    say!("{figure} of {number}: {} {}", amount.major, amount.currency)?;
    if let Issued::Note(note) = document {
        say!("  takes back of {}: {}", note.amends, note.note.reason)?;
    }
    if let Some(tax) = explained.tax() {
        let (rule, exact) = (&tax.rule, tax.exact()?);
        say!("  {} × {} = {}, booked {}", tax.taxable, rule.rate, exact.major, tax.tax)?;
        say!("  its parts are allocated to lines by largest remainder")?;
    }
    if let Some(held) = held {
        say!("  the lot held {} before and {} after", held.before, held.after)?;
    }
    for part in &addends.parts {
        let of = amends.zip(part.amends).map(|(number, line)| format!(" of {number}/{line}"));
        let due = match (part.due, part.due_after()?) {
            (Some(before), Some(after)) => format!("; {before} was due before, {after} after"),
            (Some(_) | None, _) => String::new(),
        };
        let (sums, of) = (&part.sums, of.unwrap_or_default());
        say!(
            "  {number}/{}{of}: {} (charges {}, left {}, tax {}{due})",
            part.line,
            part.share.major,
            sums.charges,
            sums.subtotal,
            sums.tax
        )?;
    }
    if let Some(line) = line {
        say!("")?;
        tell_line(line)?;
    }
    Ok(())
}

fn tell_line(explained: &ExplainedLine) -> anyhow::Result<()> {
    let ExplainedLine { document, line, tax, behind, rest } = explained;
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
    if let Some(rest) = rest {
        say!("{} {} of it: {}", rest.cost.major, rest.cost.currency, rest.why)?;
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
