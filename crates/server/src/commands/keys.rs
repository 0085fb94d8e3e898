//! `reckoner keys` and `reckoner revoke`: API keys that were made.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use clap::Args;
use domain::access::Caller;
use service::KeyRow;

#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    place: Place,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Keys {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let keys = reckoner.keys(&Caller::Machine).await?;
        if self.json {
            say!("{}", admin::keys_json(keys)?)?;
        } else {
            keys.iter().try_for_each(tell)?;
        }
        reckoner.close().await?;
        Ok(())
    }
}

fn tell(key: &KeyRow) -> std::io::Result<()> {
    let end = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked at {at}"),
        (None, Some(at)) => format!("until {at}"),
        (None, None) => "without an end".to_owned(),
    };
    let (accounts, actions) = (key.billing_accounts.join(", "), key.actions.join(", "));
    let KeyRow { key_id, name, principal, .. } = key;
    let places = match key.places.as_slice() {
        [] => String::new(),
        places => format!(" at {}", places.join(", ")),
    };
    say!("{key_id}  {name} of {principal}: {actions} for {accounts}{places}, {end}")
}

#[derive(Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    place: Place,
    /// Id of the key.
    key_id: String,
}

impl Revoke {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        reckoner.revoke_key(&Caller::Machine, &self.key_id, &request_id()).await?;
        reckoner.close().await?;
        Ok(())
    }
}
