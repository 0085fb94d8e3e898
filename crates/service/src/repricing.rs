//! Repricing: declaring what changes the cost of usage in closed billing periods.
//!
//! Where the configuration asks for it, a second person must approve. The request keeps the facts
//! themselves, so that it can be carried out wherever their files came from.

use crate::closes::period_of;
use crate::company::{self, Plan, Thing};
use crate::declared::Declared;
use crate::requests::{Agreed, Deed};
use crate::{Inner, Reckoner};
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller};
use domain::catalog::{OfferTerm, Price, PriceList, PriceReach};
use domain::company::{Company, Placement, Subscription};
use domain::ids::{BillingAccountId, MeterId};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{CloseRow, CloseState, NewFact};

/// Most bytes of facts that a request keeps.
const KEPT_MOST: usize = 1 << 20;

/// Whose usage costs something else, and from when on.
type Effects = Vec<(BillingAccountId, Instant)>;

/// A fact as a request keeps it.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptFact {
    kind: String,
    key: String,
    body: String,
}

impl KeptFact {
    pub(crate) fn of(NewFact { kind, key, effective_from: _, body }: &NewFact) -> KeptFact {
        KeptFact { kind: kind.clone(), key: key.clone(), body: body.clone() }
    }

    fn thing(&self) -> Result<Thing> {
        Thing::read(&self.kind, &self.key, &self.body)
    }

    /// As it is shown: hashes of secrets are nobody's to read.
    pub(crate) fn without_secrets(self) -> KeptFact {
        let KeptFact { kind, key, body } = self;
        let mut read: Value = serde_json::from_str(&body).unwrap_or_default();
        let removed = read.as_object_mut().and_then(|members| members.remove("secret_hashes"));
        KeptFact { kind, key, body: removed.map_or(body, |_| read.to_string()) }
    }
}

impl Reckoner {
    /// Demands a second person for a plan that changes what closed billing periods are rated by.
    ///
    /// Errors: as [`Reckoner::agreed`]; [`Error::Invalid`] for a plan too large to be kept.
    pub(crate) async fn agreed_on_prices(
        &self,
        caller: &Caller,
        (now, plan): (&Declared, &Plan),
        request_id: &str,
    ) -> Result<Agreed> {
        let is_needed = self.0.config.second_person.is_needed(Action::RepriceUsage);
        if !is_needed || !self.0.reprices_closed(now, &plan.facts).await? {
            return Ok(Agreed::alone(caller));
        }
        let sizes = plan.facts.iter().map(|fact| fact.body.len());
        let size = sizes.fold(0, usize::saturating_add);
        if size > KEPT_MOST {
            let problem = format!(
                "what they change has {size} bytes, and a request for a second person keeps at \
                 most {KEPT_MOST}; declare what changes closed billing periods by itself, in parts"
            );
            return Err(Error::invalid("files", problem));
        }
        let deed = Deed::Apply(plan.id, plan.facts.clone(), now.version());
        self.agreed(caller, deed, request_id).await
    }

    /// Applies facts that a request kept, if that would still change the same.
    ///
    /// Errors: as [`Reckoner::apply`].
    pub(crate) async fn apply_kept(
        &self,
        by: &Caller,
        (id, facts): (&str, &[KeptFact]),
        request_id: &str,
    ) -> Result<String> {
        let things = facts.iter().map(KeptFact::thing).collect::<Result<Vec<_>>>()?;
        let declared = company::Declared::from(things);
        let plan = self.plan(by, &declared).await?;
        if plan.changes.is_empty() {
            return Ok("nothing is left to change".to_owned());
        }
        let problems = declared.problems(&self.0.declared().company);
        if plan.id.to_string() != id || !problems.is_empty() {
            let problem = "something else was declared meanwhile; look at the plan again and ask \
                           anew"
                .to_owned();
            return Err(Error::Conflict { what: "plan", key: id.to_owned(), problem });
        }
        let applied = self.apply(by, &declared, &plan, request_id).await?;
        Ok(format!("{} changes; the newest fact is {}", applied.changes, applied.version))
    }
}

impl Inner {
    /// Whether facts change what usage of a billing period costs that is closed for its account.
    async fn reprices_closed(self: &Arc<Self>, now: &Declared, facts: &[NewFact]) -> Result<bool> {
        let things = facts.iter().map(|fact| KeptFact::of(fact).thing());
        let declared = company::Declared::from(things.collect::<Result<Vec<_>>>()?);
        let after = declared.over(&now.company);
        let mut since: BTreeMap<BillingAccountId, Instant> = BTreeMap::new();
        for thing in &declared.things {
            let (kind, key) = (thing.kind(), thing.key());
            let before = now.bodies.get(&(kind.to_owned(), key.clone()));
            let before = before.map(|body| Thing::read(kind, &key, body)).transpose()?;
            for (account, from) in effects((&now.company, &after), before.as_ref(), thing) {
                let first = since.entry(account).or_insert(from);
                *first = from.min(*first);
            }
        }
        for (account, from) in since {
            let closes = self.closes_of(&account).await?;
            let is_closed = |row: &&CloseRow| matches!(row.state, CloseState::Closed { .. });
            let newest = closes.iter().filter(is_closed).map(|row| row.period).max();
            if newest.map(period_of).transpose()?.is_some_and(|newest| from < newest.end()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whose usage costs something else once a thing takes the place of the one before. Companies are
/// those without and with all that is declared.
fn effects((old, new): (&Company, &Company), before: Option<&Thing>, after: &Thing) -> Effects {
    match (before, after) {
        (Some(Thing::PriceList(before)), Thing::PriceList(after)) => {
            of_lists(new, Some(before), after)
        }
        (_, Thing::PriceList(after)) => of_lists(new, None, after),
        (Some(Thing::Meter(before)), Thing::Meter(after)) => {
            let is_same = before.aggregation == after.aggregation;
            let all = new.accounts.keys().filter(|_| !is_same);
            all.map(|id| (id.clone(), Instant::MIN)).collect()
        }
        (Some(Thing::Subscription(before, stood)), Thing::Subscription(after, stands)) => {
            let mut effects = of_placements(&before.placements, after);
            if stood != stands {
                // Where it stands decides which reservations cover it.
                let placed = before.placements.iter().chain(&after.placements);
                effects.extend(placed.map(|one| (one.billing_account.clone(), one.during.start())));
            }
            effects
        }
        (_, Thing::Subscription(after, _)) => of_placements(&[], after),
        (_, Thing::BillingAccount(currency, step)) => {
            let known = old.accounts.get(&step.of);
            let from = known.and_then(|known| {
                let region = Some(step.value.region.as_str());
                let is_moved = known.region_at(step.from) != region;
                let is_other = known.currency != *currency;
                is_other.then_some(Instant::MIN).or(is_moved.then_some(step.from))
            });
            from.map(|from| (step.of.clone(), from)).into_iter().collect()
        }
        (Some(Thing::Reservation(_, before)), Thing::Reservation(_, after)) if before == after => {
            Effects::new()
        }
        (Some(Thing::Reservation(_, before)), Thing::Reservation(account, after)) => {
            let starts = [before, after].map(|held| held.bought.term.start());
            starts.into_iter().map(|from| (account.clone(), from)).collect()
        }
        (_, Thing::Reservation(account, held)) => {
            vec![(account.clone(), held.bought.term.start())]
        }
        (Some(Thing::Source(before)), Thing::Source(after)) => {
            let is_same = before.costing == after.costing;
            let all = after.billing_accounts.iter().filter(|_| !is_same);
            all.map(|id| (id.clone(), Instant::MIN)).collect()
        }
        (
            _,
            Thing::Meter(_)
            | Thing::Source(_)
            | Thing::Tenant(_)
            | Thing::LegalEntity(_)
            | Thing::Agreement(_)
            | Thing::Place(_)
            | Thing::TaxRate(_)
            | Thing::ExchangeRate(_)
            | Thing::BillingTerms(_)
            | Thing::Offer(_)
            | Thing::Product(_)
            | Thing::Lot(..)
            | Thing::Plan(..)
            | Thing::PaymentMethod(..)
            | Thing::AcceptedAgreement(..)
            | Thing::Instruction(..)
            | Thing::Tags(_)
            | Thing::Name(_)
            | Thing::Client(_)
            | Thing::RoleAssignment(_)
            | Thing::Transfer(_),
        ) => Effects::new(),
    }
}

/// Who is placed on other terms, from the first placement that differs on.
fn of_placements(
    before: &[Placement],
    Subscription { placements: after, .. }: &Subscription,
) -> Effects {
    let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let from = match (before.get(same), after.get(same)) {
        (None, None) => return Effects::new(),
        (Some(one), None) | (None, Some(one)) => one.during.start(),
        (Some(before), Some(after)) => {
            let ends_otherwise = Placement { during: after.during, ..before.clone() } == *after
                && before.during.start() == after.during.start();
            if ends_otherwise {
                before.during.end().min(after.during.end())
            } else {
                before.during.start().min(after.during.start())
            }
        }
    };
    let placed = before.iter().chain(after).filter(|placement| placement.during.end() > from);
    placed.map(|one| (one.billing_account.clone(), from.max(one.during.start()))).collect()
}

/// Who is priced by a list that differs, from the first difference on.
fn of_lists(company: &Company, before: Option<&PriceList>, after: &PriceList) -> Effects {
    let lists = || before.into_iter().chain([after]);
    let moved = before.and_then(|before| reach_differs(before, after));
    let old_terms = before.map_or(&[][..], |list| list.terms.as_slice());
    let terms = first_difference(old_terms, &after.terms, term_from);
    let meters: BTreeSet<&MeterId> = lists().flat_map(|list| list.prices.keys()).collect();
    let prices = meters.into_iter().filter_map(|meter| {
        let (old, new) = (prices_of(before, meter), prices_of(Some(after), meter));
        first_difference(old, new, |price| price.effective_from)
    });
    let from = prices.chain(terms).chain(moved).min();
    let priced = |from| lists().flat_map(move |list| priced_by(company, list, from)).collect();
    from.map_or_else(Effects::new, priced)
}

fn prices_of<'a>(list: Option<&'a PriceList>, meter: &MeterId) -> &'a [Price] {
    list.and_then(|list| list.prices.get(meter)).map_or(&[], Vec::as_slice)
}

/// The earliest of what only one of two has.
fn first_difference<T: PartialEq>(
    before: &[T],
    after: &[T],
    from: impl Fn(&T) -> Instant,
) -> Option<Instant> {
    let gone = before.iter().filter(|one| !after.contains(one));
    let new = after.iter().filter(|one| !before.contains(one));
    gone.chain(new).map(from).min()
}

fn term_from(term: &OfferTerm) -> Instant {
    match term {
        OfferTerm::MonetaryCredit { effective_from, .. }
        | OfferTerm::MonetaryCommitment { effective_from, .. }
        | OfferTerm::RecurringCharge { effective_from, .. } => *effective_from,
    }
}

/// From when on a list holds for others than before.
fn reach_differs(before: &PriceList, after: &PriceList) -> Option<Instant> {
    if before.currency != after.currency {
        return Some(Instant::MIN);
    }
    match (&before.reach, &after.reach) {
        (
            PriceReach::Offer { offer, region, locales: _ },
            PriceReach::Offer { offer: other, region: elsewhere, locales: _ },
        ) => ((offer, region) != (other, elsewhere)).then_some(Instant::MIN),
        (
            PriceReach::Account { billing_account, profile, from, until },
            PriceReach::Account { billing_account: other, profile: of, from: since, until: later },
        ) => {
            if (billing_account, profile, from) != (other, of, since) {
                return Some((*from).min(*since).start());
            }
            let end = |last: &Option<BillingPeriod>| last.map_or(Instant::MAX, BillingPeriod::end);
            (until != later).then(|| end(until).min(end(later)))
        }
        (PriceReach::Offer { .. }, PriceReach::Account { .. })
        | (PriceReach::Account { .. }, PriceReach::Offer { .. }) => Some(Instant::MIN),
    }
}

/// Whose usage a list can price from an instant on: of a rate card those who are placed on its
/// offer, in its currency and at any time in its region.
fn priced_by(company: &Company, list: &PriceList, from: Instant) -> Effects {
    match &list.reach {
        PriceReach::Account { billing_account, from: first, profile: _, until: _ } => {
            vec![(billing_account.clone(), from.max(first.start()))]
        }
        PriceReach::Offer { offer, region, locales: _ } => {
            let is_sold_to = |id: &BillingAccountId| {
                company.accounts.get(id).is_some_and(|account| {
                    let mut known = account.known.spans();
                    account.currency == list.currency
                        && known.any(|(_, known)| known.region == *region)
                })
            };
            let placements = company.subscriptions.values().flat_map(|one| &one.placements);
            placements
                .filter(|one| one.offer == *offer && is_sold_to(&one.billing_account))
                .map(|one| (one.billing_account.clone(), from.max(one.during.start())))
                .collect()
        }
    }
}
