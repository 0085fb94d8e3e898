//! `reckoner callbacks`: usage results on their way to receivers, those of everybody.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use clap::Args;
use domain::access::Caller;
use service::{CallbackFilter, CallbackLogged, CallbackState};

#[derive(Args)]
pub(crate) struct Callbacks {
    #[command(flatten)]
    place: Place,
    /// Only dead letters: those that were given up.
    #[arg(long)]
    dead: bool,
    /// Have the result of this callback sent again; a server that is started then does it.
    #[arg(long, value_name = "ID", conflicts_with = "dead", conflicts_with = "json")]
    resend: Option<String>,
    /// Only those after the one with this number.
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// List at most so many.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Callbacks {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Callbacks { place, dead, resend, after, limit, json } = self;
        let reckoner = place.open().await?;
        if let Some(id) = resend {
            reckoner.resend_callback(&Caller::Machine, &id, &request_id()).await?;
            reckoner.close().await?;
            return Ok(());
        }
        let state = dead.then_some(CallbackState::Dead);
        let filter = CallbackFilter { state, after, limit };
        let callbacks = reckoner.callbacks_of_installation(&Caller::Machine, filter).await?;
        if json {
            say!("{}", admin::callbacks_json(callbacks)?)?;
        } else {
            callbacks.iter().try_for_each(tell)?;
        }
        reckoner.close().await?;
        Ok(())
    }
}

fn tell(callback: &CallbackLogged) -> std::io::Result<()> {
    let CallbackLogged { number, id, owner, billing_account, receiver, .. } = callback;
    let CallbackLogged { state, tries, outcome, created_at, .. } = callback;
    let state = state.name();
    say!(
        "{number}  {id}  {created_at}  {owner} of {billing_account} to {receiver}: {state} after \
         {tries} tries  {outcome}"
    )
}
