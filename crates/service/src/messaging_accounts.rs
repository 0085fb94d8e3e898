//! Messaging accounts: what of a messaging company a caller may ask for the charges of.

use crate::Reckoner;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::Result;
use domain::access::{Caller, usage_sight};
use domain::company::Company;
use domain::ids::BillingAccountId;
use domain::places::{Level, PlaceKey, PlaceState};

pub(crate) use domain::access::UsageSight;

/// A messaging company or an account within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagingAccountTold {
    /// Its account key: the id of the place; of the company that of the billing account.
    pub key: String,
    /// The key of what it lies below, whether the caller sees that or not; none for the company.
    pub owner_key: Option<String>,
    /// Its name now.
    pub name: String,
    /// Whether anything may be put there.
    pub enabled: bool,
}

impl Reckoner {
    /// The data centre that this installation is: whatever it answers is of this one alone.
    pub fn data_centre(&self) -> &str {
        &self.0.config.data_centre
    }

    /// The accounts whose charges the caller may ask for, as they lie now: the company itself
    /// first, if it is one of them, then the others in order of key.
    ///
    /// Errors: [`domain::Error::Forbidden`], as [`usage_sight`].
    #[boxed]
    pub async fn messaging_accounts(&self, caller: &Caller) -> Result<Vec<MessagingAccountTold>> {
        let sight = self.usage_sight(caller).await?;
        Ok(told(&self.0.declared().company, &sight, self.now()))
    }

    /// What the caller may ask for the charges of now.
    ///
    /// Errors: [`domain::Error::Forbidden`], as [`usage_sight`].
    #[boxed]
    pub(crate) async fn usage_sight(&self, caller: &Caller) -> Result<UsageSight> {
        usage_sight(&self.0.declared().company, caller, self.now())
    }
}

fn told(company: &Company, sight: &UsageSight, at: Instant) -> Vec<MessagingAccountTold> {
    let UsageSight { billing_account, whole, places } = sight;
    let itself = whole.then(|| of_company(company, billing_account, at));
    let known = company.places.of(billing_account);
    let within = places.iter().filter_map(|id| {
        let key = PlaceKey { level: Level::MessagingAccount, id: id.clone() };
        let facts = known?.places.get(&key)?.at(at)?;
        let owner = facts.parent.as_ref().map_or(billing_account.as_str(), |key| key.id.as_str());
        Some(MessagingAccountTold {
            key: id.to_string(),
            owner_key: Some(owner.to_owned()),
            name: facts.name.clone(),
            enabled: facts.state == PlaceState::Active,
        })
    });
    itself.into_iter().chain(within).collect()
}

fn of_company(company: &Company, id: &BillingAccountId, at: Instant) -> MessagingAccountTold {
    let account = company.accounts.get(id);
    let name = account.and_then(|account| account.name_at(at)).unwrap_or_default();
    MessagingAccountTold {
        key: id.to_string(),
        owner_key: None,
        name: name.to_owned(),
        enabled: true,
    }
}
