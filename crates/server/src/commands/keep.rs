//! Keeping an installation: backup, restore, verify, keys.

use super::request_id;
use crate::install::Place;
use crate::telling::{progress, say};
use anyhow::bail;
use calendar::WallClock;
use clap::Args;
use domain::access::{Action, Caller};
use domain::api_keys::AddressRange;
use domain::ids::{BillingAccountId, PrincipalId, SourceName};
use service::{Checked, KeyWanted};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    place: Place,
    /// An empty directory.
    to: PathBuf,
}

impl Backup {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        // Without the log's lock, which a running server holds.
        let config = self.place.config()?;
        service::backup(config, Arc::new(WallClock), &self.to, &request_id()).await?;
        let to = self.to.display();
        eprintln!("{to} holds a backup: restore it elsewhere, and check that with verify --data");
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Restore {
    /// A backup.
    from: PathBuf,
    /// An empty directory: the data directory to be.
    #[arg(long, env = "RECKONER_DATA_DIR", default_value = "reckoner-data")]
    data: PathBuf,
}

impl Restore {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        service::restore(&self.from, &self.data)?;
        eprintln!("{} is restored; check it with verify --data", self.data.display());
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    /// A head that was kept elsewhere, as `close` printed it: the chain must have it.
    #[arg(long)]
    head: Option<String>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let bar = progress("verifying");
        let told = {
            let bar = bar.clone();
            move |_: &str, done, all| {
                bar.set_length(all);
                bar.set_position(done);
            }
        };
        let mut checked = reckoner.verify(&Caller::Machine, told).await?;
        if let Some(kept) = self.head.filter(|kept| !has_head(&checked, kept)) {
            checked.problems.push(format!("chain of closes: it does not have the head {kept}"));
        }
        bar.finish_and_clear();
        reckoner.close().await?;
        let is_sound = checked.problems.is_empty();
        if self.json {
            say!("{}", admin::checked_json(checked)?)?;
        } else {
            tell(&checked)?;
        }
        if is_sound { Ok(()) } else { bail!("what is kept is not what was written") }
    }
}

fn has_head(checked: &Checked, kept: &str) -> bool {
    checked.heads.iter().any(|head| head.to_string() == kept.to_ascii_lowercase())
}

fn tell(checked: &Checked) -> std::io::Result<()> {
    for problem in &checked.problems {
        eprintln!("{problem}");
    }
    for note in &checked.notes {
        eprintln!("note: {note}");
    }
    say!(
        "{} log entries, {} facts, {} objects, {} ledger entries, {} documents, {} closes \
             checked; {} problems",
        checked.log_entries,
        checked.facts,
        checked.objects,
        checked.entries,
        checked.documents,
        checked.closes,
        checked.problems.len()
    )
}

#[derive(Args)]
pub(crate) struct Key {
    #[command(flatten)]
    place: Place,
    /// Whose key.
    #[arg(long)]
    principal: String,
    /// Billing accounts that it is bound to.
    #[arg(long, required = true)]
    billing_account: Vec<String>,
    /// Places in these that it is bound to, such as `acme/messaging-account/a1`: of such a billing
    /// account it reaches these places and nothing else.
    #[arg(long = "place", value_name = "ACCOUNT/LEVEL/ID")]
    places: Vec<String>,
    /// Sources that it may send as.
    #[arg(long)]
    source: Vec<String>,
    /// What it allows.
    #[arg(long, default_value = "usage:send")]
    action: Vec<String>,
    /// What it is for: two of one principal and name may hold at once, so that one can take the
    /// other's place.
    #[arg(long)]
    name: Option<String>,
    /// Addresses from which it may be used: `192.0.2.7` or `10.0.0.0/8`; from anywhere if none.
    #[arg(long, value_name = "RANGE")]
    from: Vec<String>,
    /// Days until it expires; `keys.lifetime_days` of the configuration if not given.
    #[arg(long)]
    days: Option<i64>,
    /// Why it is made, for the audit log.
    #[arg(long, default_value = "")]
    reason: String,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Key {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let mut actions = Vec::new();
        for name in &self.action {
            match Action::parse(name) {
                Some(action) => actions.push(action),
                None => bail!("no action `{name}`"),
            }
        }
        let accounts = self.billing_account.iter().map(|id| BillingAccountId::new(id));
        let places = self.places.iter().map(|text| domain::places::Place::parse(text));
        let sources = self.source.iter().map(|name| SourceName::new(name));
        let ranges = self.from.iter().map(|range| AddressRange::parse(range));
        let wanted = KeyWanted {
            name: self.name.clone(),
            principal: PrincipalId::new(&self.principal)?,
            actions,
            billing_accounts: accounts.collect::<Result<_, _>>()?,
            places: places.collect::<Result<_, _>>()?,
            sources: sources.collect::<Result<_, _>>()?,
            allowed_ranges: ranges.collect::<Result<_, _>>()?,
            valid_from: None,
            reason: self.reason.clone(),
            lifetime_s: self.days.map(|days| days.saturating_mul(86_400)),
        };
        let key = reckoner.make_key(&Caller::Machine, wanted, &request_id()).await?;
        eprintln!("key {}: this is the only time that it is shown", key.key_id);
        if self.json {
            say!("{}", admin::key_made_json(key)?)?;
        } else {
            say!("{}", key.text)?;
        }
        reckoner.close().await?;
        Ok(())
    }
}

/// Makes a secret for a client.
pub(crate) fn secret() -> anyhow::Result<()> {
    let (secret, hash) = service::new_secret();
    say!("secret {secret}")?;
    say!("hash   {hash}")?;
    eprintln!(
        "give the secret to the client; put the hash under `secret_hashes` in the company files"
    );
    Ok(())
}
