//! `reckoner company`: what is declared.

use crate::install::Place;
use crate::telling::{say, unless_unread};
use clap::Args;
use documents::{Column, Sheet};
use domain::access::Caller;
use service::DeclaredFact;
use std::io::Write;

#[derive(Args)]
pub(crate) struct Company {
    #[command(flatten)]
    place: Place,
    /// Only of one kind (`subscription`).
    #[arg(long)]
    kind: Option<String>,
    /// List at most so many.
    #[arg(long, default_value_t = 1_000)]
    limit: u64,
    /// Write JSON, with all that each thing says.
    #[arg(long)]
    json: bool,
}

impl Company {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let kind = self.kind.as_deref();
        let facts = reckoner.declared_facts(&Caller::Machine, kind, "", self.limit).await?;
        if self.json {
            say!("{}", admin::declared_json(facts)?)?;
            return Ok(());
        }
        let columns = ["kind", "key"].map(Column::text).into_iter().collect();
        let row = |DeclaredFact { kind, key, body: _ }| vec![Some(kind), Some(key)];
        let sheet = Sheet { columns, rows: facts.into_iter().map(row).collect() };
        let mut bytes = Vec::new();
        documents::write_text(&sheet, &mut bytes)?;
        Ok(unless_unread(std::io::stdout().lock().write_all(&bytes))?)
    }
}
