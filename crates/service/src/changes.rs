//! Changing what is declared, one thing at a time and from now on: decided by the newest facts, and
//! decided again where somebody else was faster.

use crate::company::{self, Step, Thing};
use crate::snapshots::Hold;
use crate::structure::Look;
use crate::{Inner, Reckoner, later_steps};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Caller, Scope};
use domain::ids::BillingAccountId;
use domain::places::{Level, Place, PlaceFacts, PlaceState};
use domain::tags::Tags;
use domain::{Error, Result};
use std::sync::Arc;
use store::{Deed, JobEnd, NewFact, Note, StoreError};

/// How often it is decided before the caller is told that others are faster.
pub(crate) const ATTEMPTS: u32 = 8;
/// Most characters of a name.
const NAME_MOST: usize = 200;

/// What a change comes to.
pub(crate) struct Decided {
    /// What holds from now on; nothing where it holds already.
    pub(crate) things: Vec<Thing>,
    /// What is done by it, for the audit log.
    pub(crate) deed: Deed,
}

/// How a change is decided: who may is asked first.
pub(crate) type Decide<'a> = &'a (dyn Fn(&Look) -> Result<Decided> + Send + Sync);

impl Decided {
    /// The facts to append.
    ///
    /// Errors: [`Error::Conflict`] for what does not hold with everything else that is declared.
    pub(crate) fn facts(self, look: &Look) -> Result<Vec<NewFact>> {
        if self.things.is_empty() {
            return Ok(Vec::new());
        }
        let facts = self.things.iter().map(Thing::fact).collect();
        let declared = company::Declared::from(self.things);
        match declared.problems(&look.company).into_iter().next() {
            None => Ok(facts),
            Some(problem) => {
                Err(Error::Conflict { what: "change", key: self.deed.target, problem })
            }
        }
    }
}

impl Reckoner {
    /// Decides by the newest facts and appends what was decided; gives what holds then.
    ///
    /// Errors: what `decide` refuses; [`Error::Overtaken`] when others are always faster.
    pub(crate) async fn change(
        &self,
        caller: &Caller,
        request_id: &str,
        decide: Decide<'_>,
    ) -> Result<Look> {
        for _ in 0..ATTEMPTS {
            self.0.refresh_declared().await?;
            let look = self.look();
            self.demand_current(&look)?;
            let decided = decide(&look)?;
            let (deed, behind) = (decided.deed.clone(), look.company.version);
            let facts = decided.facts(&look)?;
            if facts.is_empty() {
                return Ok(look);
            }
            let note = self.note(caller, "asked for", request_id);
            if self.0.appended(behind, facts, (note, deed)).await? {
                self.0.refresh_declared().await?;
                return Ok(self.look());
            }
        }
        Err(Error::Overtaken)
    }

    /// The number of the newest fact, by the books.
    ///
    /// Errors: [`Error::Internal`] when storage fails.
    #[boxed]
    pub async fn newest_version(&self) -> Result<u64> {
        Ok(self.0.refresh_declared().await?.version())
    }

    /// The same installation, where changes of what is declared are made only as long as a version
    /// is the newest, and else refused with [`Error::Overtaken`].
    #[must_use]
    pub fn changing_at(&self, version: Option<u64>) -> Reckoner {
        Reckoner(Arc::clone(&self.0), version.map_or(Hold::Newest, Hold::Version))
    }

    /// Refuses what others have overtaken, where changes are held to a version.
    pub(crate) fn demand_current(&self, look: &Look) -> Result<()> {
        match self.1 {
            Hold::Version(version) if version != look.company.version => Err(Error::Overtaken),
            Hold::Version(_) | Hold::Newest | Hold::Snapshot(_) => Ok(()),
        }
    }
}

impl Inner {
    /// Appends facts behind a version, unless there are newer ones; answers whether it did.
    async fn appended(
        self: &Arc<Self>,
        behind: u64,
        facts: Vec<NewFact>,
        (note, deed): (Note, Deed),
    ) -> Result<bool> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || match store.append_facts_as(behind, &facts, &note, &deed) {
            Ok(_) => Ok(true),
            Err(StoreError::Stale { .. }) => Ok(false),
            Err(error) => Err(crate::stored("append facts")(error)),
        })
        .await
    }

    /// Ends a job together with its facts, unless there are newer ones; answers whether it has
    /// ended.
    pub(crate) async fn ended(
        self: &Arc<Self>,
        behind: u64,
        end: JobEnd,
        note: Note,
    ) -> Result<bool> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || match store.end_job(&end, behind, &note) {
            // Whoever ended it before us did the same.
            Ok(_) => Ok(true),
            Err(StoreError::Stale { .. }) => Ok(false),
            Err(error) => Err(crate::stored("end a job")(error)),
        })
        .await
    }
}

impl Look {
    /// What holds now of the place of a level with an id, in any letter case; whoever sees it.
    pub(crate) fn known(
        &self,
        account: &BillingAccountId,
        level: Level,
        id: &str,
    ) -> Option<(Place, &PlaceFacts)> {
        self.keys(account, level, id).find_map(|key| {
            let place = Place { billing_account: account.clone(), key: key.clone() };
            let facts = self.company.places.facts_at(&place, self.now)?;
            Some((place, facts))
        })
    }
}

impl Look {
    /// From when on the place of a level with an id is declared, where none is known now.
    pub(crate) fn begins(
        &self,
        account: &BillingAccountId,
        level: Level,
        id: &str,
    ) -> Option<Instant> {
        self.keys(account, level, id).find_map(|key| {
            let place = Place { billing_account: account.clone(), key: key.clone() };
            Some(self.company.places.timeline(&place)?.begins())
        })
    }

    /// What holds of a place from now on, and what changes with it in later steps.
    pub(crate) fn place_steps(&self, place: &Place, value: PlaceFacts) -> Vec<Thing> {
        let known = self.company.places.timeline(place);
        let all = later_steps::steps(known, self.now, value, later_steps::of_place);
        let thing = |(from, value)| Thing::Place(Step { of: place.clone(), from, value });
        all.into_iter().map(thing).collect()
    }

    /// What is noted on a thing from now on, and what changes with it in later steps.
    pub(crate) fn tags_steps(&self, of: &Scope, value: Tags) -> Vec<Thing> {
        // Where nobody noted anything, nothing was noted.
        let before = self.company.tags_at(of, self.now).cloned().unwrap_or_default();
        let all = match self.company.tags.get(of) {
            None => vec![(self.now, value)],
            Some(known) => {
                let change = (&before, value);
                later_steps::steps_over(known, self.now, change, later_steps::of_tags)
            }
        };
        let thing = |(from, value)| Thing::Tags(Step { of: of.clone(), from, value });
        all.into_iter().map(thing).collect()
    }
}

/// Demands that a place still lives.
///
/// Errors: [`Error::Conflict`].
pub(crate) fn demand_living(place: &Place, facts: &PlaceFacts) -> Result<()> {
    if facts.state != PlaceState::Inactive {
        return Ok(());
    }
    let problem = "is inactive: nothing of it changes".to_owned();
    let (what, key) = (place.key.level.name(), place.key.id.to_string());
    Err(Error::Conflict { what, key, problem })
}

/// A name as it is kept: trimmed.
///
/// Errors: [`Error::Invalid`] naming the field for one that is empty, too long or not plain.
pub(crate) fn named(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    line(field, text)
}

/// A line of text as it is kept, which may be empty: trimmed.
///
/// Errors: [`Error::Invalid`] naming the field for one that is too long or not plain.
pub(crate) fn line(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > NAME_MOST {
        return Err(Error::invalid(field, format!("is longer than {NAME_MOST} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must not hold control characters"));
    }
    Ok(text.to_owned())
}
