//! What both versions read, before either has a word for it: the place of a path, what lies below
//! it, and which names are asked for.

use crate::Billing;
use crate::at::At;
use armkit::{ArmError, Comparison, Query, conditions, expand};
use domain::Error;
use domain::access::{Caller, Scope};
use domain::agreements::AgreementType;
use domain::ids::BillingAccountId;
use domain::places::{BillingProfile, Detail, Level, PlaceKey};
use service::{AccountTold, PlaceSeen, PlaceTold};
use std::collections::BTreeMap;

/// Places of one billing account that a caller may know of.
#[derive(Debug, Default)]
pub(crate) struct Family {
    all: BTreeMap<PlaceKey, PlaceTold>,
    /// What lies directly below each place.
    below: BTreeMap<PlaceKey, Vec<PlaceKey>>,
}

impl From<Vec<PlaceTold>> for Family {
    fn from(all: Vec<PlaceTold>) -> Family {
        let mut family = Family::default();
        for told in all {
            let key = told.place.key.clone();
            if let Some(parent) = &told.parent {
                family.below.entry(parent.clone()).or_default().push(key.clone());
            }
            family.all.insert(key, told);
        }
        family
    }
}

impl Family {
    /// Those of a level, in order of id.
    pub(crate) fn of(&self, level: Level) -> impl Iterator<Item = &PlaceTold> {
        self.all.values().filter(move |told| told.place.key.level == level)
    }

    /// Those of a level directly below one place.
    pub(crate) fn below(
        &self,
        level: Level,
        parent: &PlaceKey,
    ) -> impl Iterator<Item = &PlaceTold> {
        let own = self.below.get(parent).into_iter().flatten();
        own.filter(move |key| key.level == level).filter_map(move |key| self.find(key))
    }

    /// One of them.
    pub(crate) fn find(&self, key: &PlaceKey) -> Option<&PlaceTold> {
        self.all.get(key)
    }
}

impl Billing {
    /// The billing accounts that a caller may know of; messaging accounts are none of this vendor.
    pub(crate) async fn accounts(&self, caller: &Caller) -> Result<Vec<AccountTold>, ArmError> {
        let mut all = self.reckoner.billing_accounts(caller).await?;
        all.retain(|account| account.kind != Some(AgreementType::Messaging));
        Ok(all)
    }

    /// The billing account and the place in it that a path names.
    pub(crate) async fn place(
        &self,
        caller: &Caller,
        at: &At,
    ) -> Result<(AccountTold, PlaceTold), ArmError> {
        let account = self.account(caller, at.account(), at.operation).await?;
        let place = self.reckoner.place(caller, &account.id, &at.way()).await?;
        Ok((account, place))
    }

    /// The billing account that a path names, and the scope: the account or a place in it.
    pub(crate) async fn scope(
        &self,
        caller: &Caller,
        at: &At,
    ) -> Result<(AccountTold, Spot), ArmError> {
        let account = self.account(caller, at.account(), at.operation).await?;
        let way = at.way();
        if way.is_empty() {
            let id = crate::at::account_id(&account.id);
            let scope = Scope::Account(account.id.clone());
            return Ok((account, Spot { id, level: None, scope }));
        }
        let told = self.reckoner.place(caller, &account.id, &way).await?;
        let (id, level) = (crate::at::id(&told), Some(told.place.key.level));
        Ok((account, Spot { id, level, scope: Scope::Place(told.place) }))
    }

    /// Places of some levels.
    pub(crate) async fn family(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        levels: &[Level],
    ) -> Result<Family, ArmError> {
        let mut families = self.families(caller, vec![account.clone()], levels).await?;
        Ok(families.remove(account).unwrap_or_default())
    }

    /// Places of some levels, of several billing accounts.
    pub(crate) async fn families(
        &self,
        caller: &Caller,
        accounts: Vec<BillingAccountId>,
        levels: &[Level],
    ) -> Result<BTreeMap<BillingAccountId, Family>, ArmError> {
        let all = self.reckoner.places_of(caller, &accounts, levels).await?;
        Ok(all.into_iter().map(|(id, places)| (id, Family::from(places))).collect())
    }

    /// The names that `$filter` asks for, by one of a resource's properties.
    pub(crate) fn names(&self, query: &Query, property: &'static str) -> Result<Names, Error> {
        let most_bytes = self.reckoner.limits().filter_bytes;
        Ok(Names(conditions(query, most_bytes, &[property])?))
    }
}

/// What `$expand` asks for of billing accounts.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) address: bool,
    pub(crate) profiles: bool,
    pub(crate) sections: bool,
    pub(crate) enrollment: bool,
    pub(crate) departments: bool,
    pub(crate) enrollment_accounts: bool,
}

impl Asked {
    /// Reads it; `address` is what the version calls the address.
    pub(crate) fn of(query: &Query, address: &'static str) -> Result<Asked, ArmError> {
        let supported = [
            address,
            "billingProfiles",
            "billingProfiles/invoiceSections",
            "invoiceSections",
            "enrollmentDetails",
            "departments",
            "enrollmentAccounts",
        ];
        let asked = expand(query, &supported)?;
        let sections = asked.contains(&"invoiceSections")
            || asked.contains(&"billingProfiles/invoiceSections");
        Ok(Asked {
            address: asked.contains(&address),
            // Sections are shown in their profiles.
            profiles: sections || asked.contains(&"billingProfiles"),
            sections,
            enrollment: asked.contains(&"enrollmentDetails"),
            departments: asked.contains(&"departments"),
            enrollment_accounts: asked.contains(&"enrollmentAccounts"),
        })
    }

    /// All that a billing account says of itself, of which a change is decided.
    pub(crate) fn whole() -> Asked {
        Asked { address: true, enrollment: true, ..Asked::default() }
    }

    /// The levels of places that it needs.
    pub(crate) fn levels(&self) -> Vec<Level> {
        let asked = [
            (self.profiles, Level::BillingProfile),
            (self.sections, Level::InvoiceSection),
            (self.departments, Level::Department),
            (self.enrollment_accounts, Level::EnrollmentAccount),
        ];
        asked.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, level)| level).collect()
    }
}

/// A billing account or place, as roles are asked for there.
#[derive(Debug)]
pub(crate) struct Spot {
    /// Its id as a resource.
    pub(crate) id: String,
    /// Of which level; none for the account itself.
    pub(crate) level: Option<Level>,
    /// What it is to the rules of access.
    pub(crate) scope: Scope,
}

/// Names that are asked for.
#[derive(Debug)]
pub(crate) struct Names(Vec<Comparison>);

impl Names {
    /// Whether a name is one of them, whatever its letter case.
    pub(crate) fn hold(&self, name: &str) -> bool {
        self.0.iter().all(|Comparison { name: _, comparing, value }| {
            comparing.holds(name.to_lowercase().cmp(&value.to_lowercase()))
        })
    }
}

/// What readers see of a billing profile.
pub(crate) fn profile(seen: &PlaceSeen) -> Option<&BillingProfile> {
    match &seen.facts.detail {
        Detail::BillingProfile(profile) => Some(profile),
        Detail::InvoiceSection
        | Detail::Customer(_)
        | Detail::Department { .. }
        | Detail::EnrollmentAccount
        | Detail::MessagingAccount { .. } => None,
    }
}
