//! Declaring: appending facts about the company, after showing what they would change.

use crate::company::{self, Plan, Thing};
use crate::declared::Declared;
use crate::quarantine::WaitingAsked;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, Scope};
use domain::{Error, Result};
use std::sync::Arc;
use store::{Deed, NewFact, Note};

/// Most things that one entry of the audit log names.
const MOST_NAMED: usize = 10;

/// What applying came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// How many things changed.
    pub changes: usize,
    /// Number of the newest fact.
    pub version: u64,
}

/// A declared thing: its newest fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredFact {
    /// Its kind: one of [`company::KINDS`].
    pub kind: String,
    /// Its key among its kind.
    pub key: String,
    /// Its body, as JSON.
    pub body: Arc<str>,
}

impl Reckoner {
    /// Lists declared things by kind and key: of one kind if it is named, behind the key `after`.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::Invalid`] for a kind that is none.
    #[boxed]
    pub async fn declared_facts(
        &self,
        caller: &Caller,
        kind: Option<&str>,
        after: &str,
        limit: u64,
    ) -> Result<Vec<DeclaredFact>> {
        self.demand(caller, Action::ReadCompany, &Scope::Installation).await?;
        if let Some(kind) = kind.filter(|kind| !company::KINDS.contains(kind)) {
            let known = company::KINDS.join(", ");
            return Err(Error::invalid("kind", format!("`{kind}` is not known; known: {known}")));
        }
        let declared = self.0.refresh_declared().await?;
        let is_wanted = |of: &str, key: &str| {
            company::KINDS.contains(&of) && kind.is_none_or(|kind| kind == of) && key > after
        };
        let wanted = declared.bodies.iter().filter(|((kind, key), _)| is_wanted(kind, key));
        let fact = |((kind, key), body): (&(String, String), &Arc<str>)| DeclaredFact {
            kind: kind.clone(),
            key: key.clone(),
            body: Arc::clone(body),
        };
        Ok(wanted.take(usize::try_from(limit).unwrap_or(usize::MAX)).map(fact).collect())
    }

    /// What is declared now, to check files against and to show names by.
    ///
    /// Errors: [`Error::Forbidden`].
    #[boxed]
    pub async fn company(&self, caller: &Caller) -> Result<Arc<domain::company::Company>> {
        self.demand(caller, Action::ReadCompany, &Scope::Installation).await?;
        Ok(Arc::clone(&self.0.declared().company))
    }

    /// Names and units of meters, for showing usage that the caller may read anyway.
    pub fn meter(&self, meter: &domain::ids::MeterId) -> Option<domain::catalog::Meter> {
        self.0.declared().company.meters.get(meter).cloned()
    }

    /// Shows what a declaration would change; changes nothing.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::Conflict`] for another currency of a billing account
    /// that has entries, or of which something stays declared in the one that it has.
    #[boxed]
    pub async fn plan(&self, caller: &Caller, declared: &company::Declared) -> Result<Plan> {
        self.demand(caller, Action::ManageCompany, &Scope::Installation).await?;
        let now = self.0.refresh_declared().await?;
        self.0.check_currencies(&now, declared).await?;
        company::plan(&now.bodies, declared)
    }

    /// Applies a plan: all of it or nothing. A plan without changes changes nothing.
    ///
    /// Errors: as [`Reckoner::plan`]; [`Error::Conflict`] when something else was declared since
    /// the plan was made and it would now change other things, and for what needs a second person.
    #[boxed]
    pub async fn apply(
        &self,
        caller: &Caller,
        declared: &company::Declared,
        shown: &Plan,
        request_id: &str,
    ) -> Result<Applied> {
        self.demand(caller, Action::ManageCompany, &Scope::Installation).await?;
        let now = self.0.refresh_declared().await?;
        let plan = company::plan(&now.bodies, declared)?;
        if plan.changes != shown.changes {
            let problem =
                "something else was declared meanwhile; look at the plan again".to_owned();
            return Err(Error::Conflict { what: "plan", key: String::new(), problem });
        }
        self.0.check_currencies(&now, declared).await?;
        let closes = self.0.count_closes().await?;
        let agreed = self.agreed_on_prices(caller, (&now, &plan), request_id).await?;
        // What waits by the facts of before is known then, so that it can be told what leaves.
        self.0.waiting(&WaitingAsked::default()).await?;
        let changes = plan.facts.len();
        let note = self.note(caller, &agreed.told("apply"), request_id);
        let is_watched = self.0.config.second_person.is_needed(Action::RepriceUsage);
        let target = named(&plan.facts);
        let closes = is_watched.then_some(closes);
        let deed = Deed { action: "company.apply", target, closes };
        let after = self.0.append_facts(&now, plan.facts, (note, deed)).await?;
        Ok(Applied { changes, version: after.version() })
    }
}

/// The things that some facts are about, by kind and key.
fn named(facts: &[NewFact]) -> String {
    let names: Vec<String> =
        facts.iter().map(|fact| format!("{} `{}`", fact.kind, fact.key)).collect();
    first_of(&names)
}

/// The first of some names, and how many more there are.
pub(crate) fn first_of(names: &[String]) -> String {
    let first = names.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

impl Inner {
    /// Refuses another currency of a billing account, unless nothing was booked yet and all that
    /// is known of it is declared anew.
    async fn check_currencies(
        self: &Arc<Self>,
        now: &Declared,
        declared: &company::Declared,
    ) -> Result<()> {
        for thing in &declared.things {
            let Thing::BillingAccount(currency, step) = thing else { continue };
            let account = now.company.accounts.get(&step.of);
            let Some(account) = account.filter(|account| account.currency != *currency) else {
                continue;
            };
            let is_anew = |from: Instant| {
                declared.things.iter().any(|thing| {
                    matches!(thing, Thing::BillingAccount(_, other)
                        if other.of == step.of && other.from == from)
                })
            };
            let mut known = account.known.spans().map(|(during, _)| during.start());
            if !known.all(is_anew) || self.ledger_of(&step.of).await?.version > 0 {
                return Err(Error::Conflict {
                    what: "billing account",
                    key: step.of.to_string(),
                    problem: format!(
                        "is billed in {}: another currency is another account",
                        account.currency
                    ),
                });
            }
        }
        Ok(())
    }

    async fn count_closes(self: &Arc<Self>) -> Result<u64> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || store.count_closes().map_err(crate::stored("count the closes")))
            .await
    }

    /// Appends facts behind those of a snapshot, and takes them in.
    pub(crate) async fn append_facts(
        self: &Arc<Self>,
        behind: &Declared,
        facts: Vec<NewFact>,
        (note, deed): (Note, Deed),
    ) -> Result<Arc<Declared>> {
        if !facts.is_empty() {
            let (store, version) = (Arc::clone(&self.store), behind.version());
            crate::blocking(move || {
                let appended = store.append_facts_as(version, &facts, &note, &deed);
                appended.map_err(crate::stored("append facts"))
            })
            .await?;
        }
        self.refresh_declared().await
    }
}
