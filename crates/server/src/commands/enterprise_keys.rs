//! `reckoner enterprise-keys`: keys of enrollments, departments and enrollment accounts.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use anyhow::{Context, bail};
use clap::Args;
use domain::access::{Caller, Scope};
use domain::enterprise_keys::Slot;
use domain::ids::{BillingAccountId, PlaceId};
use domain::places::{Level, PlaceKey};
use service::{EnterpriseKeyShown, EnterpriseKeyTold, EnterpriseKeyWanted, Reckoner};

#[derive(Args)]
pub(crate) struct EnterpriseKeys {
    #[command(flatten)]
    place: Place,
    /// Keys of this billing account: lists them.
    #[arg(long, required_unless_present_any = ["show", "remake", "revoke"])]
    billing_account: Option<String>,
    /// Keys of this department of it.
    #[arg(long, requires = "billing_account", conflicts_with = "enrollment_account")]
    department: Option<String>,
    /// Keys of this enrollment account of it.
    #[arg(long, requires = "billing_account")]
    enrollment_account: Option<String>,
    /// Make a key in this slot, primary or secondary, which must be empty.
    #[arg(long, value_name = "SLOT", requires = "billing_account")]
    make: Option<String>,
    /// Show this key with its text.
    #[arg(
        long,
        value_name = "KEY_ID",
        conflicts_with_all = ["billing_account", "remake", "revoke"]
    )]
    show: Option<String>,
    /// Make this key anew: it ends at once.
    #[arg(long, value_name = "KEY_ID", conflicts_with_all = ["billing_account", "revoke"])]
    remake: Option<String>,
    /// Revoke this key at once.
    #[arg(long, value_name = "KEY_ID", conflicts_with = "billing_account")]
    revoke: Option<String>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl EnterpriseKeys {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        let done = self.carry_out(&reckoner).await;
        reckoner.close().await?;
        done
    }

    async fn carry_out(&self, reckoner: &Reckoner) -> anyhow::Result<()> {
        let machine = &Caller::Machine;
        if let Some(id) = &self.show {
            return self.show(reckoner.show_enterprise_key(machine, id).await?);
        }
        if let Some(id) = &self.remake {
            let id = id.as_str();
            let made = reckoner.remake_enterprise_key(machine, id, "", &request_id()).await?;
            return self.show(made);
        }
        if let Some(id) = &self.revoke {
            return Ok(reckoner.revoke_enterprise_key(machine, id, &request_id()).await?);
        }
        let owner = self.owner()?;
        let Some(slot) = &self.make else {
            let keys = reckoner.enterprise_keys(machine, &owner).await?;
            if self.json {
                say!("{}", admin::enterprise_keys_json(keys)?)?;
            } else {
                keys.iter().try_for_each(tell)?;
            }
            return Ok(());
        };
        let Some(slot) = Slot::parse(slot) else {
            bail!("--make: `{slot}` is neither primary nor secondary");
        };
        let wanted = EnterpriseKeyWanted {
            owner,
            slot,
            allowed_ranges: Vec::new(),
            valid_from: None,
            reason: String::new(),
        };
        self.show(reckoner.make_enterprise_key(machine, wanted, &request_id()).await?)
    }

    fn owner(&self) -> anyhow::Result<Scope> {
        let account = self.billing_account.as_deref().context("--billing-account is needed")?;
        let billing_account = BillingAccountId::new(account)?;
        let at = |level: Level, id: &str| -> anyhow::Result<Scope> {
            let (billing_account, id) = (billing_account.clone(), PlaceId::new(id)?);
            let key = PlaceKey { level, id };
            Ok(Scope::Place(domain::places::Place { billing_account, key }))
        };
        match (&self.department, &self.enrollment_account) {
            (Some(id), _) => at(Level::Department, id),
            (None, Some(id)) => at(Level::EnrollmentAccount, id),
            (None, None) => Ok(Scope::Account(billing_account.clone())),
        }
    }

    fn show(&self, shown: EnterpriseKeyShown) -> anyhow::Result<()> {
        if self.json {
            say!("{}", admin::enterprise_key_json(shown)?)?;
        } else {
            tell(&shown.told)?;
            say!("{}", shown.text)?;
        }
        Ok(())
    }
}

fn tell(told: &EnterpriseKeyTold) -> std::io::Result<()> {
    let (grant, term) = (&told.key.grant, &told.key.term);
    let end = match (term.revoked_at, term.expires_at) {
        (Some(at), _) => format!("revoked at {at}"),
        (None, Some(at)) => format!("until {at}"),
        (None, None) => "without an end".to_owned(),
    };
    let (id, slot, from) = (&grant.key_id, told.key.slot.name(), term.valid_from);
    say!("{id}  {slot}, made by {}: from {from}, {end}", grant.principal)
}
