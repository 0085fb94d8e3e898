//! Billing accounts, and the places below them, as far as a caller may see them.
//!
//! Whoever holds a role below something knows that it is there, and no more: it is told as a shell.

use crate::Reckoner;
use crate::declared::Declared;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, Role, Scope, Sight, View, demand_at, roles_reaching};
use domain::addresses::Address;
use domain::agreements::{Agreement, AgreementType};
use domain::company::{Company, RoleAssignment};
use domain::ids::{BillingAccountId, PlaceId, PrincipalId};
use domain::places::{Level, Place, PlaceFacts, PlaceKey, PlaceState};
use domain::{Error, Result};
use money::Currency;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// A billing account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTold {
    /// Its id, as it is stored.
    pub id: BillingAccountId,
    /// Its name.
    pub name: String,
    /// What it is billed in.
    pub currency: Currency,
    /// The kind of its agreement, if it has one.
    pub kind: Option<AgreementType>,
    /// What only its readers see; none for a shell.
    pub seen: Option<Box<AccountSeen>>,
}

/// What readers of a billing account see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSeen {
    /// What it has signed, as it holds now.
    pub agreement: Option<Agreement>,
    /// Where its buyer is to be found, if anybody said.
    pub address: Option<Address>,
    /// The business moment.
    pub at: Instant,
}

/// A place below a billing account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceTold {
    /// Which one.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// What it lies below; none for the billing account itself.
    pub parent: Option<PlaceKey>,
    /// Whether anything may be put there.
    pub state: PlaceState,
    /// What only its readers see; none for a shell.
    pub seen: Option<Box<PlaceSeen>>,
}

/// What readers of a place see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceSeen {
    /// What holds of it now.
    pub facts: PlaceFacts,
    /// From when on it is there.
    pub since: Instant,
    /// Until when it can be there: the end of its enrollment's term, if it has one.
    pub until: Option<Instant>,
    /// What the house notes on it.
    pub tags: BTreeMap<String, String>,
    /// Who owns it, of an enrollment account.
    pub owner: Option<Owner>,
}

/// Who holds a role that others ask for by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The name of a client, else the principal's id.
    pub name: String,
    /// Mail address, if anybody said.
    pub email: Option<String>,
}

impl Reckoner {
    /// Lists the billing accounts at which, or below which, the caller holds a role, in order of
    /// id; none without any role. A role at a subscription or product is held below its payer.
    ///
    /// Errors: none of its own.
    #[boxed]
    pub async fn billing_accounts(&self, caller: &Caller) -> Result<Vec<AccountTold>> {
        let look = self.look();
        let seen = look.view(caller).accounts();
        Ok(seen.iter().filter_map(|(id, sight)| look.account(id, *sight)).collect())
    }

    /// One of [`Reckoner::billing_accounts`], by its id in any letter case.
    ///
    /// Errors: [`Error::NotFound`], whether it is not there or not the caller's to know.
    #[boxed]
    pub async fn billing_account(
        &self,
        caller: &Caller,
        id: &BillingAccountId,
    ) -> Result<AccountTold> {
        let look = self.look();
        let view = look.view(caller);
        let exact = view.sight(&Scope::Account(id.clone())).and_then(|one| look.account(id, one));
        let told = exact.or_else(|| {
            let seen = view.accounts();
            let (id, sight) =
                seen.iter().find(|(known, _)| is_same(known.as_str(), id.as_str()))?;
            look.account(id, *sight)
        });
        told.ok_or_else(|| Error::not_found("billing account", id.as_str()))
    }

    /// Lists the places of a level in a billing account that the caller may know of, in order of
    /// id: those directly below one place, or all.
    ///
    /// Errors: none of its own; an account that the caller may not know of has none.
    #[boxed]
    pub async fn places(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        level: Level,
        parent: Option<&PlaceKey>,
    ) -> Result<Vec<PlaceTold>> {
        let look = self.look();
        Ok(look.places(&look.view(caller), account, level, parent))
    }

    /// Lists the places of some levels in several billing accounts that the caller may know of, in
    /// the order of the levels, then of id.
    ///
    /// Errors: none of its own; an account that the caller may not know of has none.
    #[boxed]
    pub async fn places_of(
        &self,
        caller: &Caller,
        accounts: &[BillingAccountId],
        levels: &[Level],
    ) -> Result<BTreeMap<BillingAccountId, Vec<PlaceTold>>> {
        let look = self.look();
        let view = look.view(caller);
        let mut told = BTreeMap::new();
        for account in accounts {
            let of_level = |level: &Level| look.places(&view, account, *level, None);
            let all: Vec<PlaceTold> = levels.iter().flat_map(of_level).collect();
            told.insert(account.clone(), all);
        }
        Ok(told)
    }

    /// A place that the caller may know of, by the levels and ids on the way down to it; ids in
    /// any letter case. A level that may lie below several others is found without them.
    ///
    /// Errors: [`Error::NotFound`] for the first that is not there, or not the caller's to know.
    #[boxed]
    pub async fn place(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        way: &[(Level, &str)],
    ) -> Result<PlaceTold> {
        let look = self.look();
        let view = look.view(caller);
        let mut told: Option<PlaceTold> = None;
        for (level, id) in way {
            let above = told.as_ref().map(|told| &told.place.key);
            let next = look.keys(account, *level, id).find_map(|key| {
                let told = look.place(&view, account, key)?;
                (above.is_none() || told.parent.as_ref() == above).then_some(told)
            });
            told = Some(next.ok_or_else(|| Error::not_found(level.name(), *id))?);
        }
        told.ok_or_else(|| Error::not_found("place", account.as_str()))
    }

    /// Lists the places of a level where the caller may do something, in order of id.
    ///
    /// Errors: none of its own.
    #[boxed]
    pub async fn places_allowing(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        level: Level,
        action: Action,
    ) -> Result<Vec<PlaceTold>> {
        let look = self.look();
        let view = look.view(caller);
        let mut all = look.places(&view, account, level, None);
        all.retain(|told| view.may(action, &Scope::Place(told.place.clone())));
        Ok(all)
    }

    /// The day of the month on which invoices are made, if that happens by itself.
    pub fn invoice_day(&self) -> Option<u8> {
        self.0.config.schedule.map(|schedule| schedule.rule.day())
    }

    /// Demands a right at a place. Where the caller sees the shell alone it is refused; what it
    /// may not know of is missing.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    pub(crate) fn demand_in_sight(
        &self,
        caller: &Caller,
        action: Action,
        scope: &Scope,
    ) -> Result<Look> {
        let look = self.look();
        let view = look.view(caller);
        if !view.may(action, scope) {
            return Err(match view.sight(scope) {
                Some(_) => Error::Forbidden { action: action.name() },
                None => scope.missing(action),
            });
        }
        drop(view);
        Ok(look)
    }
}

/// The company as it stands at a moment.
pub(crate) struct Look {
    pub(crate) company: Arc<Company>,
    /// The newest facts.
    pub(crate) declared: Arc<Declared>,
    pub(crate) now: Instant,
    /// The company and the moment that limit what is seen beside, where this is a look back.
    today: Option<(Arc<Company>, Instant)>,
    /// Who owns each enrollment account, once somebody asked.
    owners: OnceLock<BTreeMap<Scope, PrincipalId>>,
}

impl Look {
    /// A look at a company at a moment; of a look back, those of today too.
    pub(crate) fn new(
        declared: Arc<Declared>,
        (company, now): (Arc<Company>, Instant),
        today: Option<(Arc<Company>, Instant)>,
    ) -> Look {
        Look { company, declared, now, today, owners: OnceLock::new() }
    }

    /// As [`Reckoner::demand_in_sight`], at this moment.
    pub(crate) fn demand(&self, caller: &Caller, action: Action, scope: &Scope) -> Result<()> {
        match demand_at(&self.company, caller, action, scope, self.now) {
            Err(Error::NotFound { .. }) if self.view(caller).sight(scope).is_some() => {
                Err(Error::Forbidden { action: action.name() })
            }
            demanded => demanded,
        }
    }

    pub(crate) fn view<'a>(&'a self, caller: &'a Caller) -> View<'a> {
        let view = View::new(&self.company, caller, self.now);
        match &self.today {
            Some((company, now)) => view.within(View::new(company, caller, *now)),
            None => view,
        }
    }

    /// The caller's roles that reach a place; of a look back, those that still do.
    pub(crate) fn roles(&self, caller: &Caller, scope: &Scope) -> BTreeSet<Role> {
        let mut roles = roles_reaching(&self.company, caller, scope, self.now);
        if let Some((company, now)) = &self.today {
            let left = roles_reaching(company, caller, scope, *now);
            roles.retain(|role| left.contains(role));
        }
        roles
    }

    /// An account as somebody sees it.
    pub(crate) fn account(&self, id: &BillingAccountId, sight: Sight) -> Option<AccountTold> {
        let account = self.company.accounts.get(id)?;
        let seen = match sight {
            Sight::Full => Some(Box::new(self.account_seen(id))),
            Sight::Shell => None,
        };
        Some(AccountTold {
            id: account.id.clone(),
            name: account.name_at(self.now).unwrap_or_default().to_owned(),
            currency: account.currency,
            kind: self.company.places.of(id).map(|places| places.kind()),
            seen,
        })
    }

    fn account_seen(&self, id: &BillingAccountId) -> AccountSeen {
        let agreement = self.company.places.agreement_at(id, self.now).cloned();
        let buyer = self.company.buyer_at(id, self.now);
        let address = buyer.and_then(|buyer| buyer.address.clone());
        AccountSeen { agreement, address, at: self.now }
    }

    /// The places of a level in a billing account that a view shows, in order of id: those directly
    /// below one place, or all.
    fn places(
        &self,
        view: &View<'_>,
        account: &BillingAccountId,
        level: Level,
        parent: Option<&PlaceKey>,
    ) -> Vec<PlaceTold> {
        let known = self.company.places.of(account).map(|known| known.places.iter());
        let of_level = known.into_iter().flatten().filter(|(key, timeline)| {
            let below = |parent: &PlaceKey| {
                timeline.at(self.now).is_some_and(|facts| facts.parent.as_ref() == Some(parent))
            };
            key.level == level && parent.is_none_or(below)
        });
        of_level.filter_map(|(key, _)| self.place(view, account, key)).collect()
    }

    /// A place as a caller sees it; none where it sees nothing, or nothing is now.
    pub(crate) fn place(
        &self,
        view: &View<'_>,
        account: &BillingAccountId,
        key: &PlaceKey,
    ) -> Option<PlaceTold> {
        let mut told = self.shell(account, key)?;
        let scope = Scope::Place(told.place.clone());
        told.seen = match view.sight(&scope)? {
            Sight::Full => Some(Box::new(self.place_seen(&told.place, &scope)?)),
            Sight::Shell => None,
        };
        Some(told)
    }

    /// What anybody is told who may know of a place.
    pub(crate) fn shell(&self, account: &BillingAccountId, key: &PlaceKey) -> Option<PlaceTold> {
        let place = Place { billing_account: account.clone(), key: key.clone() };
        let facts = self.company.places.facts_at(&place, self.now)?;
        let (name, parent, state) = (facts.name.clone(), facts.parent.clone(), facts.state);
        Some(PlaceTold { place, name, parent, state, seen: None })
    }

    fn place_seen(&self, place: &Place, scope: &Scope) -> Option<PlaceSeen> {
        let timeline = self.company.places.timeline(place)?;
        let agreement = self.company.places.agreement_at(&place.billing_account, self.now);
        let until = agreement.and_then(|agreement| match agreement {
            Agreement::Enterprise(enrollment) => Some(enrollment.term.end()),
            Agreement::Customer { .. }
            | Agreement::Partner
            | Agreement::OnlineServices
            | Agreement::Messaging => None,
        });
        let tags = self.company.tags_at(scope, self.now);
        Some(PlaceSeen {
            facts: timeline.at(self.now)?.clone(),
            since: timeline.begins(),
            until,
            tags: tags.map(|tags| tags.values().clone()).unwrap_or_default(),
            owner: (place.key.level == Level::EnrollmentAccount)
                .then(|| self.owner(scope))
                .flatten(),
        })
    }

    /// Who owns an enrollment account: of all of them it is looked for once.
    pub(crate) fn owner(&self, scope: &Scope) -> Option<Owner> {
        let owners = self.owners.get_or_init(|| {
            let mut owners = BTreeMap::new();
            let given = self.company.role_assignments.iter();
            for one in given.filter(|one| self.gives(one, Role::EnrollmentAccountOwner)) {
                owners.entry(one.scope.clone()).or_insert_with(|| one.principal.clone());
            }
            owners
        });
        owners.get(scope).map(|principal| self.person(principal))
    }

    /// Who holds a role at a place.
    pub(crate) fn holder(&self, scope: &Scope, role: Role) -> Option<Owner> {
        let mut given = self.company.role_assignments.iter();
        let found = given.find(|one| one.scope == *scope && self.gives(one, role))?;
        Some(self.person(&found.principal))
    }

    fn gives(&self, given: &RoleAssignment, role: Role) -> bool {
        given.role == role && given.holds_at(self.now)
    }

    /// What is known of a principal.
    pub(crate) fn person(&self, principal: &PrincipalId) -> Owner {
        let client = self.company.clients.get(principal);
        Owner {
            name: client.map_or_else(|| principal.to_string(), |one| one.name.clone()),
            email: client.and_then(|one| one.email.clone()),
        }
    }

    /// The keys of a level with an id, the one in the very letter case first.
    pub(crate) fn keys<'a>(
        &'a self,
        account: &BillingAccountId,
        level: Level,
        id: &'a str,
    ) -> impl Iterator<Item = &'a PlaceKey> + use<'a> {
        let places = self.company.places.of(account).map(|known| &known.places);
        let exact = places.zip(PlaceId::new(id).ok()).and_then(|(places, id)| {
            places.get_key_value(&PlaceKey { level, id }).map(|(key, _)| key)
        });
        let others = places.into_iter().flat_map(|places| places.keys());
        let others = others.filter(move |key| key.level == level && is_same(key.id.as_str(), id));
        exact.into_iter().chain(others)
    }
}

/// Ids are compared without letter case.
pub(crate) fn is_same(known: &str, asked: &str) -> bool {
    known.eq_ignore_ascii_case(asked)
}
