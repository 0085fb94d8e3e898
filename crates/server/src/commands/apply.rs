//! `reckoner apply DIR`: declares a company from files.

use super::request_id;
use crate::install::Place;
use crate::telling::{say, unless_unread};
use anyhow::bail;
use clap::Args;
use domain::access::Caller;
use service::company::read_dir;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    place: Place,
    /// Directory of company files (TOML).
    dir: PathBuf,
    /// Apply without asking.
    #[arg(long)]
    yes: bool,
    /// Show what would change and stop.
    #[arg(long, conflicts_with = "yes")]
    plan: bool,
    /// Show the plan as JSON.
    #[arg(long)]
    json: bool,
}

impl Apply {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let caller = Caller::Machine;
        let company = reckoner.company(&caller).await?;
        let declared = match read_dir(&self.dir, &company) {
            Ok(declared) => declared,
            Err(problems) => {
                for problem in &problems {
                    eprintln!("{problem}");
                }
                bail!("{} problems in {}; nothing was changed", problems.len(), self.dir.display());
            }
        };
        for notice in &declared.notices {
            eprintln!("note: {notice}");
        }
        let plan = reckoner.plan(&caller, &declared).await?;
        if self.json {
            say!("{}", serde_json::to_string_pretty(&plan.to_json())?)?;
        } else {
            say!("{plan}")?;
        }
        if plan.changes.is_empty() || self.plan {
            return Ok(());
        }
        if !self.yes && !confirmed()? {
            say!("nothing was changed")?;
            return Ok(());
        }
        let applied = reckoner.apply(&caller, &declared, &plan, &request_id()).await?;
        eprintln!("applied {} changes; the newest fact is {}", applied.changes, applied.version);
        reckoner.close().await?;
        Ok(())
    }
}

fn confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody to ask: say --yes to apply, or --plan to look only");
    }
    let mut out = std::io::stdout().lock();
    unless_unread(write!(out, "apply? [y/N] ").and_then(|()| out.flush()))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
