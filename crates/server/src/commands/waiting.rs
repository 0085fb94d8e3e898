//! What waits for somebody: records in quarantine, and conflicts.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use anyhow::{Context, bail};
use clap::Args;
use domain::access::Caller;
use domain::ids::BillingAccountId;
use domain::usage::{Position, Quarantined, RecordKey};
use service::{Conflict, Reckoner, Replayed, StillWaiting, WaitingAsked};

#[derive(Args)]
pub(crate) struct Quarantine {
    #[command(flatten)]
    place: Place,
    /// Of one billing account.
    #[arg(long)]
    billing_account: Option<String>,
    /// Only what waits for this reason: unknown_meter, no_price, no_subscription, bad_quantity,
    /// unreadable, unknown_target, out_of_range.
    #[arg(long)]
    reason: Option<String>,
    /// Try the records again, and tell how many are rated now and why the others wait on. Records
    /// are rated by themselves when the facts allow it; those are counted too, once. What could not
    /// be read when it came is read again.
    #[arg(long)]
    replay: bool,
    /// List at most so many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Quarantine {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let account = self.billing_account.as_deref().map(BillingAccountId::new).transpose()?;
        let reason = self.reason.as_deref().map(admin::reason).transpose()?;
        let asked = WaitingAsked { billing_account: account, reason };
        if self.replay {
            return self.replay(&reckoner, &asked).await;
        }
        let waiting = reckoner.quarantine(&Caller::Machine, &asked, self.limit).await?;
        if self.json {
            say!("{}", admin::quarantine_json(waiting)?)?;
            return Ok(());
        }
        for Quarantined { position, key, reason, field } in &waiting {
            let RecordKey { billing_account, source, id } = key;
            let place = place(*position);
            let reason = reason.name();
            say!("{place} {billing_account}/{source}/{id}: {reason} ({field})")?;
        }
        eprintln!("{} records wait; they are rated when the facts allow it", waiting.len());
        Ok(())
    }

    async fn replay(&self, reckoner: &Reckoner, asked: &WaitingAsked) -> anyhow::Result<()> {
        let caller = Caller::Machine;
        let replayed = reckoner.replay_quarantine(&caller, asked, &request_id()).await?;
        if self.json {
            say!("{}", admin::replayed_json(replayed)?)?;
        } else {
            tell(&replayed)?;
        }
        reckoner.close().await?;
        Ok(())
    }
}

fn tell(replayed: &Replayed) -> std::io::Result<()> {
    let Replayed { rated, needless, waiting } = replayed;
    let still: u64 = waiting.iter().map(|still| still.records).sum();
    if (*rated, *needless, still) == (0, 0, 0) {
        return say!("nothing waited, nothing waits");
    }
    say!("{rated} rated now, {needless} have nothing to rate any more, {still} wait")?;
    for StillWaiting { reason, field, records } in waiting {
        say!("  {records} wait: {} ({field})", reason.name())?;
    }
    Ok(())
}

#[derive(Args)]
pub(crate) struct Conflicts {
    #[command(flatten)]
    place: Place,
    /// Of which billing account.
    #[arg(long)]
    billing_account: String,
    /// Settle the conflicts of this record; --choose says which content counts. Both stay.
    #[arg(long, value_name = "SOURCE/ID", requires = "choose", requires = "reason")]
    settle: Option<String>,
    /// `first`, or the place of the other (SHARD:SEQUENCE) as the list shows it.
    #[arg(long, value_name = "PLACE", requires = "settle")]
    choose: Option<String>,
    /// Why.
    #[arg(long, requires = "settle")]
    reason: Option<String>,
    /// Write JSON.
    #[arg(long, conflicts_with = "settle")]
    json: bool,
}

impl Conflicts {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let account = BillingAccountId::new(&self.billing_account)?;
        let conflicts = reckoner.conflicts(&Caller::Machine, &account).await?;
        if let Some(record) = &self.settle {
            let choice = self.choice(record, &conflicts)?;
            let reason = self.reason.as_deref().unwrap_or_default();
            let caller = Caller::Machine;
            reckoner.settle_conflict(&caller, &account, choice, reason, &request_id()).await?;
            eprintln!("settled: {} counts", place(choice.1));
            reckoner.close().await?;
            return Ok(());
        }
        if self.json {
            say!("{}", admin::conflicts_json(conflicts)?)?;
            return Ok(());
        }
        for Conflict { first, other, key, acknowledged_at: _, record, chosen } in &conflicts {
            let content = match record {
                Some(record) => format!("quantity {}", record.quantity),
                None => "content that cannot be read".to_owned(),
            };
            let chosen = if *chosen == Some(*other) { "this one" } else { "the first" };
            say!(
                "{}/{}: first at {}, other at {} with {content}; {chosen} counts",
                key.source,
                key.id,
                place(*first),
                place(*other),
            )?;
        }
        Ok(())
    }

    /// The first record of the conflicts that are meant, and which one shall count.
    fn choice(&self, record: &str, conflicts: &[Conflict]) -> anyhow::Result<(Position, Position)> {
        let (source, id) = record.split_once('/').context("a record is SOURCE/ID")?;
        let mut meant = conflicts
            .iter()
            .filter(|conflict| conflict.key.source.as_str() == source)
            .filter(|conflict| conflict.key.id.as_str() == id)
            .peekable();
        let Some(first) = meant.peek().map(|conflict| conflict.first) else {
            bail!(domain::Error::not_found("conflict", record));
        };
        let wanted = self.choose.as_deref().unwrap_or_default();
        let chosen = match wanted {
            "first" => Some(first),
            _ => meant.map(|conflict| conflict.other).find(|other| place(*other) == wanted),
        };
        let problem = || format!("`{wanted}` is neither `first` nor the place of another content");
        let chosen = chosen.ok_or_else(|| domain::Error::invalid("choose", problem()))?;
        Ok((first, chosen))
    }
}

/// Where a record stands, as the lists show it.
fn place(Position { shard, sequence, epoch: _ }: Position) -> String {
    format!("{shard}:{sequence}")
}
