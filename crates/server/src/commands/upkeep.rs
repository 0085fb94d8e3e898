//! `reckoner audit`, `reckoner seal` and `reckoner openapi`.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use calendar::Instant;
use clap::Args;
use domain::access::Caller;
use service::{AuditEntry, AuditFilter, AuditRow};

/// Reads the audit log.
#[derive(Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    place: Place,
    /// Only what this actor did.
    #[arg(long)]
    actor: Option<String>,
    /// Only this action, such as `close.seal`.
    #[arg(long)]
    action: Option<String>,
    /// Only what was done to this.
    #[arg(long)]
    target: Option<String>,
    /// Only from this moment on.
    #[arg(long)]
    from: Option<String>,
    /// Only before this moment.
    #[arg(long)]
    until: Option<String>,
    /// Only entries after the one with this number.
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// List at most so many.
    #[arg(long, default_value_t = 1_000)]
    limit: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Audit { place, actor, action, target, from, until, after, limit, json } = self;
        let filter = AuditFilter {
            actor,
            action,
            target,
            from: from.as_deref().map(Instant::parse).transpose()?,
            until: until.as_deref().map(Instant::parse).transpose()?,
        };
        let reckoner = place.open().await?;
        let rows = reckoner.audit(&Caller::Machine, filter, after, limit).await?;
        if json {
            say!("{}", admin::audit_json(rows)?)?;
        } else {
            for AuditRow { number, entry } in rows {
                let AuditEntry { at, actor, action, target, reason, .. } = entry;
                say!("{number}  {at}  {actor}  {action}  {target}: {reason}")?;
            }
        }
        reckoner.close().await?;
        Ok(())
    }
}

/// Seals all usage and writes all rated usage.
#[derive(Args)]
pub(crate) struct Seal {
    #[command(flatten)]
    place: Place,
}

impl Seal {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        reckoner.seal_now(&Caller::Machine, &request_id()).await?;
        reckoner.close().await?;
        Ok(())
    }
}

/// Prints the description of the admin API.
pub(crate) fn openapi() -> anyhow::Result<()> {
    Ok(say!("{}", admin::openapi().trim_end())?)
}
