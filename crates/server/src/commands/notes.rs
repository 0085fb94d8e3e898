//! `reckoner credit-note`, `void`, `rebill`, `write-off`: what becomes of an issued invoice.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use anyhow::Context;
use clap::Args;
use domain::access::Caller;
use domain::numbering::DocumentNumber;
use money::Fixed18;
use service::{CreditLine, CreditNoteAsked, IssuedNote, Rebilled, Withdrawal, WrittenOff};

#[derive(Args)]
pub(crate) struct CreditNote {
    #[command(flatten)]
    on: On,
    /// Takes back of line N so much before tax, in major units of the invoice's currency.
    #[arg(long, value_name = "N=AMOUNT", required = true)]
    line: Vec<String>,
    /// Its id: the same note asked for twice is one.
    #[arg(long)]
    id: String,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Void {
    #[command(flatten)]
    on: On,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Rebill {
    #[command(flatten)]
    on: On,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct WriteOff {
    #[command(flatten)]
    on: On,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// Which invoice, and why.
#[derive(Args)]
struct On {
    #[command(flatten)]
    place: Place,
    /// The invoice's number, as `invoices` lists it.
    number: String,
    /// Why.
    #[arg(long)]
    reason: String,
}

impl On {
    fn asked(&self) -> anyhow::Result<Withdrawal> {
        let number = DocumentNumber::parse(&self.number)?;
        Ok(Withdrawal { number, reason: self.reason.clone() })
    }
}

impl CreditNote {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Withdrawal { number, reason } = self.on.asked()?;
        let lines = self.line.iter().map(|text| line(text)).collect::<anyhow::Result<_>>()?;
        let asked = CreditNoteAsked { id: self.id, number, lines, reason };
        let reckoner = self.on.place.open().await?;
        let note = reckoner.credit_note(&Caller::Machine, &asked, &request_id()).await?;
        tell(&note, self.json)?;
        Ok(reckoner.close().await?)
    }
}

impl Void {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let asked = self.on.asked()?;
        let reckoner = self.on.place.open().await?;
        let note = reckoner.void_invoice(&Caller::Machine, &asked, &request_id()).await?;
        tell(&note, self.json)?;
        Ok(reckoner.close().await?)
    }
}

impl Rebill {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let asked = self.on.asked()?;
        let reckoner = self.on.place.open().await?;
        let rebilled = reckoner.rebill(&Caller::Machine, &asked, &request_id()).await?;
        if self.json {
            say!("{}", admin::rebilled_json(&rebilled)?)?;
        } else {
            let Rebilled { void, invoice } = &rebilled;
            tell(void, false)?;
            let (number, total) = (&invoice.number, invoice.invoice.totals()?.total);
            say!("{number} in the place of {}  {total}", void.amends)?;
        }
        Ok(reckoner.close().await?)
    }
}

impl WriteOff {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let asked = self.on.asked()?;
        let reckoner = self.on.place.open().await?;
        let written_off = reckoner.write_off(&Caller::Machine, &asked, &request_id()).await?;
        if self.json {
            say!("{}", admin::written_off_json(written_off)?)?;
        } else {
            let WrittenOff { amount, is_new } = written_off;
            let before = if is_new { "" } else { ", before" };
            say!("{amount} of {} written off{before}", asked.number)?;
        }
        Ok(reckoner.close().await?)
    }
}

fn tell(issued: &IssuedNote, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", admin::note_json(issued)?)?;
        return Ok(());
    }
    let IssuedNote { number, note, amends, .. } = issued;
    let kind = note.kind.name().replace('_', " ");
    say!("{number}: {kind} on {amends}  {}", note.due()?)?;
    Ok(())
}

/// Reads `2=1.50`.
fn line(text: &str) -> anyhow::Result<CreditLine> {
    let (line, amount) = text
        .split_once('=')
        .with_context(|| format!("--line {text}: write it like 2=1.50, line and amount"))?;
    let line = line.trim().parse().with_context(|| format!("--line {text}: no line's number"))?;
    let amount = Fixed18::parse(amount.trim()).with_context(|| format!("--line {text}"))?;
    Ok(CreditLine { line, amount })
}
