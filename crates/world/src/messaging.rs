//! The company that sends messages, as its own people find it.

use crate::ids::{Ids, MESSENGER};
use calendar::{BillingPeriod, Instant};
use domain::company::Company;
use domain::ids::BillingAccountId;
use domain::places::{Detail, Generation, Level, Place, PlaceKey};

/// A company that sends messages, with its accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagingCompany {
    /// Who pays for all of them.
    pub billing_account: BillingAccountId,
    /// An account of it with usage of its own.
    pub sub_account: Place,
    /// The company itself, then the accounts in it by key, but those of the old kind.
    pub accounts: Vec<MessagingAccount>,
    /// A billing period that is closed, and among the newest three.
    pub closed: BillingPeriod,
}

/// A company or an account in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagingAccount {
    /// Its account key.
    pub key: String,
    /// The key of what it lies below; none for the company itself.
    pub owner_key: Option<String>,
    /// Its name.
    pub name: String,
}

impl MessagingCompany {
    /// As it stands at a moment.
    pub(crate) fn of(
        ids: &Ids,
        company: &Company,
        closed: BillingPeriod,
        now: Instant,
    ) -> MessagingCompany {
        let billing_account = ids.account(MESSENGER);
        let key = PlaceKey { level: Level::MessagingAccount, id: ids.place("campaigns account") };
        MessagingCompany {
            sub_account: Place { billing_account: billing_account.clone(), key },
            accounts: accounts(company, &billing_account, now),
            closed,
            billing_account,
        }
    }
}

fn accounts(company: &Company, of: &BillingAccountId, now: Instant) -> Vec<MessagingAccount> {
    let name = company.accounts.get(of).and_then(|account| account.name_at(now));
    let itself = MessagingAccount {
        key: of.to_string(),
        owner_key: None,
        name: name.unwrap_or_default().to_owned(),
    };
    let places = company.places.of(of).into_iter().flat_map(|known| &known.places);
    let current = Detail::MessagingAccount { generation: Generation::Current };
    let within = places.filter_map(|(key, facts)| {
        let facts = facts.at(now).filter(|facts| facts.detail == current)?;
        let owner =
            facts.parent.as_ref().map_or_else(|| of.to_string(), |parent| parent.id.to_string());
        Some(MessagingAccount {
            key: key.id.to_string(),
            owner_key: Some(owner),
            name: facts.name.clone(),
        })
    });
    std::iter::once(itself).chain(within).collect()
}
