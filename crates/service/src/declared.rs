//! What has been declared so far, folded from the facts of the books, and what each fact touches.

use crate::Inner;
use crate::company::{self, Folding, Thing};
use crate::imports::Extract;
use calendar::{Day, Instant};
use domain::access::Caller;
use domain::catalog::PriceReach;
use domain::company::{Company, RoleAssignment};
use domain::ids::{BillingAccountId, PriceListId, PrincipalId, SourceName, SubscriptionId};
use domain::pricing::PriceBook;
use domain::reservations::{HeldReservation, ReservationScope};
use domain::resolve::Settlement;
use domain::usage::Position;
use domain::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use store::FactRow;

/// Fact kind of a committed extract of an import.
pub(crate) const EXTRACT: &str = "extract";
/// Fact kind of a settled conflict.
pub(crate) const SETTLEMENT: &str = "settlement";

/// Whose rated usage a fact touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nobody's: names, clients, roles.
    Nobody,
    /// Some accounts'.
    Accounts(Vec<BillingAccountId>),
    /// Everybody's.
    Everybody,
}

/// When a role was given, and by whom.
#[derive(Debug, Clone)]
pub(crate) struct Giving {
    /// System time.
    pub(crate) at: Instant,
    /// None where no principal did it: company files at the machine itself.
    pub(crate) by: Option<PrincipalId>,
    /// Number of the fact that gave it.
    pub(crate) fact: u64,
    /// Whether it was taken since.
    is_taken: bool,
}

impl Giving {
    fn of(role: &RoleAssignment, row: &FactRow) -> Giving {
        // Holders of keys stand before the key's id: see `Caller::actor`.
        let by = row.actor.split(" (key ").next().and_then(|by| PrincipalId::new(by).ok());
        let by = by.filter(|_| row.actor != Caller::Machine.actor());
        Giving { at: row.recorded_at, by, fact: row.number, is_taken: is_taken(role) }
    }

    /// Another fact of the same role: it gives it anew once it was taken. Whether one ran out is
    /// not known: facts have no business moment.
    fn again(&mut self, role: &RoleAssignment, row: &FactRow) {
        if self.is_taken {
            *self = Giving::of(role, row);
        } else {
            self.is_taken = is_taken(role);
        }
    }
}

fn is_taken(role: &RoleAssignment) -> bool {
    role.until == Instant::MIN
}

/// All facts, folded. A snapshot: never changed once made.
#[derive(Clone)]
pub(crate) struct Declared {
    /// The company.
    pub(crate) company: Arc<Company>,
    /// Its prices, ready to be looked up.
    pub(crate) book: Arc<PriceBook>,
    /// Extracts of imports, by billing account, oldest first.
    pub(crate) extracts: BTreeMap<BillingAccountId, Vec<Arc<Extract>>>,
    /// Where the members of all extracts lie.
    pub(crate) member_paths: BTreeSet<String>,
    /// Settled conflicts, by billing account, oldest first.
    pub(crate) settlements: BTreeMap<BillingAccountId, Vec<Settlement>>,
    /// Number of a fact → whom it touches, for those that touch somebody.
    reaches: BTreeMap<u64, Reach>,
    /// Number of a fact that changes no rated usage, but what is charged → whom it touches.
    charged: BTreeMap<u64, Vec<BillingAccountId>>,
    /// Key of a role's facts → how it was given, the last time it was.
    givings: BTreeMap<String, Giving>,
    /// Newest body of each (kind, key), for showing what a new declaration would change.
    pub(crate) bodies: BTreeMap<(String, String), Arc<str>>,
}

/// What was declared up to some facts, which closes saw: the ones used last.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<VecDeque<Arc<Declared>>>);

impl Snapshots {
    const MOST: usize = 4;

    fn of(&self, version: u64) -> Option<Arc<Declared>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|one| one.version() == version).cloned()
    }

    fn keep(&self, snapshot: Arc<Declared>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.push_front(snapshot);
        known.truncate(Snapshots::MOST);
    }
}

impl Default for Declared {
    fn default() -> Declared {
        let company = Arc::new(Company::default());
        Declared {
            book: Arc::new(PriceBook::new(Arc::clone(&company))),
            company,
            extracts: BTreeMap::new(),
            member_paths: BTreeSet::new(),
            settlements: BTreeMap::new(),
            reaches: BTreeMap::new(),
            charged: BTreeMap::new(),
            givings: BTreeMap::new(),
            bodies: BTreeMap::new(),
        }
    }
}

impl Declared {
    /// Number of the newest fact.
    pub(crate) fn version(&self) -> u64 {
        self.company.version
    }

    /// Whom the facts after `version` touch.
    pub(crate) fn touched_since(&self, version: u64) -> Reach {
        let mut accounts = Vec::new();
        for reach in self.reaches.range(version.saturating_add(1)..).map(|(_, reach)| reach) {
            match reach {
                Reach::Nobody => {}
                Reach::Accounts(some) => accounts.extend_from_slice(some),
                Reach::Everybody => return Reach::Everybody,
            }
        }
        if accounts.is_empty() { Reach::Nobody } else { Reach::Accounts(accounts) }
    }

    /// Whether a fact after `version` changes what an account is charged, for usage or otherwise.
    pub(crate) fn has_touched(&self, version: u64, account: &BillingAccountId) -> bool {
        self.touched_from(version.saturating_add(1), account).is_some()
    }

    /// Number of the newest fact that changes what an account is charged, for usage or otherwise;
    /// 0 if none does.
    pub(crate) fn touched_last(&self, account: &BillingAccountId) -> u64 {
        self.touched_from(0, account).unwrap_or(0)
    }

    fn touched_from(&self, first: u64, account: &BillingAccountId) -> Option<u64> {
        let mut charged = self.charged.range(first..).rev();
        let charged = charged.find(|(_, accounts)| accounts.contains(account));
        let mut reaches = self.reaches.range(first..).rev();
        let reached = reaches.find(|(_, reach)| match reach {
            Reach::Nobody => false,
            Reach::Accounts(accounts) => accounts.contains(account),
            Reach::Everybody => true,
        });
        charged.map(|(fact, _)| *fact).max(reached.map(|(fact, _)| *fact))
    }

    /// When a role was given, and by whom.
    pub(crate) fn giving(&self, role: &RoleAssignment) -> Option<&Giving> {
        self.givings.get(&Thing::RoleAssignment(role.clone()).key())
    }

    /// Extracts of an account.
    pub(crate) fn extracts_of(&self, account: &BillingAccountId) -> &[Arc<Extract>] {
        self.extracts.get(account).map_or(&[], Vec::as_slice)
    }

    /// Settled conflicts of an account.
    pub(crate) fn settlements_of(&self, account: &BillingAccountId) -> &[Settlement] {
        self.settlements.get(account).map_or(&[], Vec::as_slice)
    }
}

/// A committed extract, as its fact keeps it. The members stand in an object of their own.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtractBody {
    pub(crate) source: String,
    pub(crate) billing_account: String,
    pub(crate) axis: String,
    pub(crate) from_day: i32,
    pub(crate) until_day: i32,
    pub(crate) file: String,
    pub(crate) file_hash: String,
    pub(crate) rows: u64,
    pub(crate) members_path: String,
    pub(crate) members_hash: String,
}

/// A settled conflict, as its fact keeps it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettlementBody {
    pub(crate) billing_account: String,
    pub(crate) first: PositionBody,
    pub(crate) chosen: PositionBody,
    pub(crate) reason: String,
}

/// A position, as facts keep it.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PositionBody {
    shard: u16,
    sequence: u64,
    epoch: u32,
}

impl From<Position> for PositionBody {
    fn from(Position { shard, sequence, epoch }: Position) -> PositionBody {
        PositionBody { shard, sequence, epoch }
    }
}

impl From<PositionBody> for Position {
    fn from(PositionBody { shard, sequence, epoch }: PositionBody) -> Position {
        Position { shard, sequence, epoch }
    }
}

impl Inner {
    /// The newest snapshot.
    pub(crate) fn declared(&self) -> Arc<Declared> {
        Arc::clone(&self.declared.read().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Takes in facts that were appended since the snapshot was made, by us or by another node.
    pub(crate) async fn refresh_declared(self: &Arc<Self>) -> Result<Arc<Declared>> {
        let _one_at_a_time = self.declaring.lock().await;
        let before = self.declared();
        let store = Arc::clone(&self.store);
        let version = before.version();
        let rows = crate::blocking(move || {
            store.facts_after(version, FACTS_AT_ONCE).map_err(crate::stored("read the facts"))
        })
        .await?;
        if rows.is_empty() {
            return Ok(before);
        }
        let after = Arc::new(self.folded(&before, &rows).await?);
        *self.declared.write().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            Arc::clone(&after);
        Ok(after)
    }

    /// Everything that was declared up to a fact: what a close of then went by.
    pub(crate) async fn declared_at(self: &Arc<Self>, version: u64) -> Result<Arc<Declared>> {
        let newest = self.declared();
        if newest.version() == version {
            return Ok(newest);
        }
        if let Some(known) = self.snapshots.of(version) {
            return Ok(known);
        }
        let store = Arc::clone(&self.store);
        let rows = crate::blocking(move || {
            store.facts_after(0, version).map_err(crate::stored("read the facts"))
        })
        .await?;
        let snapshot = Arc::new(self.folded(&Declared::default(), &rows).await?);
        self.snapshots.keep(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// A snapshot with the facts that follow it.
    async fn folded(&self, before: &Declared, rows: &[FactRow]) -> Result<Declared> {
        let mut after = before.clone();
        let mut folding = Folding::of(Company::clone(&before.company));
        for row in rows {
            self.fold(&mut after, &mut folding, row).await?;
        }
        after.company = Arc::new(folding.company);
        after.book = Arc::new(PriceBook::new(Arc::clone(&after.company)));
        Ok(after)
    }

    async fn fold(
        &self,
        declared: &mut Declared,
        folding: &mut Folding,
        row: &FactRow,
    ) -> Result<()> {
        let reach = match row.kind.as_str() {
            EXTRACT => self.fold_extract(declared, row).await?,
            SETTLEMENT => fold_settlement(declared, row)?,
            _ => {
                let mut before = accounts_of(&folding.company, &row.kind, &row.key);
                let thing = Thing::read(&row.kind, &row.key, &row.body)?;
                if let Thing::BillingAccount(_, step) = &thing {
                    before.push(step.of.clone());
                }
                if let Thing::RoleAssignment(role) = &thing {
                    declared
                        .givings
                        .entry(row.key.clone())
                        .and_modify(|known| {
                            known.again(role, row);
                        })
                        .or_insert_with(|| Giving::of(role, row));
                }
                let charged = charged_by(&thing);
                folding.put(thing, row.number);
                if !charged.is_empty() {
                    declared.charged.insert(row.number, charged);
                }
                let after = accounts_of(&folding.company, &row.kind, &row.key);
                reach_of(&row.kind, before, after)
            }
        };
        if reach != Reach::Nobody {
            declared.reaches.insert(row.number, reach);
        }
        folding.company.version = row.number;
        declared.bodies.insert((row.kind.clone(), row.key.clone()), Arc::from(row.body.as_str()));
        Ok(())
    }

    async fn fold_extract(&self, declared: &mut Declared, row: &FactRow) -> Result<Reach> {
        let body: ExtractBody = parse(row)?;
        let members = self.engine.get(&body.members_path).await;
        let members = members.map_err(crate::engine_failed("read the members of an extract"))?;
        let account = BillingAccountId::new(&body.billing_account)?;
        let extract = Extract {
            id: row.number,
            source: SourceName::new(&body.source)?,
            axis: crate::imports::axis_of(&body.axis)?,
            days: Day::from_number(body.from_day)..Day::from_number(body.until_day),
            members: crate::imports::members_of(&members)?,
        };
        declared.member_paths.insert(body.members_path);
        declared.extracts.entry(account.clone()).or_default().push(Arc::new(extract));
        Ok(Reach::Accounts(vec![account]))
    }
}

const FACTS_AT_ONCE: u64 = 1_000_000;

fn fold_settlement(declared: &mut Declared, row: &FactRow) -> Result<Reach> {
    let body: SettlementBody = parse(row)?;
    let account = BillingAccountId::new(&body.billing_account)?;
    let settlement = Settlement { first: body.first.into(), chosen: body.chosen.into() };
    declared.settlements.entry(account.clone()).or_default().push(settlement);
    Ok(Reach::Accounts(vec![account]))
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(row: &FactRow) -> Result<T> {
    serde_json::from_str(&row.body).map_err(|e| {
        Error::internal(format!("read fact {} ({} `{}`)", row.number, row.kind, row.key), e)
    })
}

/// The billing accounts that something declared is about.
fn accounts_of(company: &Company, kind: &str, key: &str) -> Vec<BillingAccountId> {
    match kind {
        company::SOURCE => SourceName::new(key)
            .ok()
            .and_then(|name| company.sources.get(&name))
            .map(|source| source.billing_accounts.clone())
            .unwrap_or_default(),
        company::SUBSCRIPTION => SubscriptionId::new(key)
            .ok()
            .and_then(|id| company.subscriptions.get(&id))
            .map(|s| s.placements.iter().map(|p| p.billing_account.clone()).collect())
            .unwrap_or_default(),
        company::PRICE_LIST => {
            let list = PriceListId::new(key).ok().and_then(|id| company.price_lists.get(&id));
            match list.map(|list| &list.reach) {
                Some(PriceReach::Account { billing_account, .. }) => vec![billing_account.clone()],
                Some(PriceReach::Offer { .. }) | None => Vec::new(),
            }
        }
        company::RESERVATION => {
            reserving(company, key, |held, rest| held.bought.id.as_str() == rest)
        }
        // Where subscriptions stand decides what a place's reservations cover.
        _ if company::level_of(kind).is_some() => reserving(company, key, |held, _| {
            matches!(held.bought.scope, ReservationScope::Place(_))
        }),
        _ => Vec::new(),
    }
}

/// Whose charges something declared changes, beside those of usage.
fn charged_by(thing: &Thing) -> Vec<BillingAccountId> {
    match thing {
        Thing::Agreement(step) => vec![step.of.clone()],
        Thing::BillingTerms(step) => vec![step.of.clone()],
        Thing::Place(step) => vec![step.of.billing_account.clone()],
        Thing::Lot(account, _) | Thing::Plan(account, _) => vec![account.clone()],
        _ => Vec::new(),
    }
}

/// The billing account that a key begins with, if it has such a reservation; the rest of the key is
/// told too.
fn reserving(
    company: &Company,
    key: &str,
    is_such: impl Fn(&HeldReservation, &str) -> bool,
) -> Vec<BillingAccountId> {
    let of = |(account, held): (&BillingAccountId, &Vec<HeldReservation>)| {
        let rest = key.strip_prefix(account.as_str())?.strip_prefix('/')?;
        held.iter().any(|one| is_such(one, rest)).then(|| account.clone())
    };
    company.reservations.iter().filter_map(of).collect()
}

/// Whom a fact of the company touches: by its kind, and by the accounts it names before and after.
fn reach_of(kind: &str, before: Vec<BillingAccountId>, after: Vec<BillingAccountId>) -> Reach {
    match kind {
        company::METER | company::OFFER => Reach::Everybody,
        company::PRICE_LIST if before.is_empty() && after.is_empty() => Reach::Everybody,
        _ => {
            let mut accounts = before;
            accounts.extend(after);
            accounts.sort();
            accounts.dedup();
            if accounts.is_empty() { Reach::Nobody } else { Reach::Accounts(accounts) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::access::{Role, Scope};

    fn day(text: &str) -> Instant {
        Instant::parse(text).expect("a day")
    }

    #[test]
    fn facts_touch_accounts_by_charges_and_by_usage() {
        let id = |text: &str| BillingAccountId::new(text).expect("an id");
        let mut declared = Declared::default();
        declared.reaches.insert(2, Reach::Everybody);
        declared.reaches.insert(4, Reach::Accounts(vec![id("acme"), id("globex")]));
        declared.charged.insert(7, vec![id("acme")]);
        // The newest fact about an account, and whether one came after another fact.
        let check = |account: &str, expected: u64| {
            assert_eq!(declared.touched_last(&id(account)), expected, "{account}");
            for version in 0..9 {
                let found = declared.has_touched(version, &id(account));
                assert_eq!(found, version < expected, "{account} since {version}");
            }
        };
        check("acme", 7);
        check("globex", 4);
        check("initech", 2);
        assert_eq!(Declared::default().touched_last(&id("acme")), 0);
    }

    #[test]
    fn a_role_that_was_taken_is_given_anew_by_who_gives_it_again() {
        let role = |until: Instant| {
            let principal = PrincipalId::new("p").expect("an id");
            RoleAssignment { principal, role: Role::Reader, scope: Scope::Installation, until }
        };
        let row = |number: u64, recorded: &str| FactRow {
            number,
            kind: company::ROLE_ASSIGNMENT.to_owned(),
            key: "p/Reader/installation".to_owned(),
            effective_from: Instant::MIN,
            recorded_at: day(recorded),
            actor: format!("giver{number}"),
            request_id: String::new(),
            body: String::new(),
            body_hash: [0; 32],
            link: [0; 32],
        };
        // Facts of one role: until when it holds, and when that was recorded.
        let check = |facts: &[(Instant, &str)], expected: u64| {
            let mut rows =
                (1..).zip(facts).map(|(number, (until, at))| (role(*until), row(number, at)));
            let (first, fact) = rows.next().expect("a fact");
            let mut giving = Giving::of(&first, &fact);
            rows.for_each(|(role, fact)| giving.again(&role, &fact));
            assert_eq!(giving.fact, expected, "{facts:?}");
            let by = giving.by.map(|by| by.to_string());
            assert_eq!(by, Some(format!("giver{expected}")), "{facts:?}");
        };
        let (ever, taken, july) = (Instant::MAX, Instant::MIN, day("2026-07-01"));
        check(&[(ever, "2026-01-01")], 1);
        check(&[(ever, "2026-01-01"), (ever, "2026-02-01")], 1);
        check(&[(ever, "2026-01-01"), (taken, "2026-02-01")], 1);
        check(&[(ever, "2026-01-01"), (taken, "2026-02-01"), (ever, "2026-03-01")], 3);
        // When it was recorded says nothing of when it ran out.
        check(&[(july, "2026-01-01"), (ever, "2026-06-30")], 1);
        check(&[(july, "2026-01-01"), (ever, "2026-07-01")], 1);
    }
}
