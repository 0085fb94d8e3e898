//! Which price holds for a record.

use crate::catalog::{CounterChange, Price, PriceList, PriceReach};
use crate::company::{Company, Placement};
use crate::ids::{BillingAccountId, MeterId, OfferId, PriceListId, SubscriptionId};
use crate::usage::{QuarantineReason, UsageRecord};
use calendar::{BillingPeriod, Instant, Interval};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The company's prices, indexed by who asks: made once for each version of the company.
#[derive(Debug, Clone)]
pub struct PriceBook {
    company: Arc<Company>,
    sheets: BTreeMap<BillingAccountId, Vec<PriceListId>>,
    cards: BTreeMap<OfferId, Vec<PriceListId>>,
    with_minimum: BTreeMap<PriceListId, Vec<MeterId>>,
    placed: BTreeMap<BillingAccountId, Vec<SubscriptionId>>,
    standing_since: Option<Instant>,
}

/// Who pays for usage, and on which offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buyer<'a> {
    /// Who pays.
    pub billing_account: &'a BillingAccountId,
    /// Which billing profile; only its own sheets hold for it, and the account's.
    pub profile: Option<&'a str>,
    /// On which offer; rate cards hold for nobody without one.
    pub offer: Option<&'a OfferId>,
}

impl<'a> Buyer<'a> {
    /// Of a placement.
    pub fn of(placement: &'a Placement) -> Buyer<'a> {
        let Placement { during: _, billing_account, profile, offer } = placement;
        Buyer { billing_account, profile: profile.as_deref(), offer: Some(offer) }
    }
}

/// The price that holds for a record.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The list it stands in.
    pub list: &'a PriceList,
    /// The price.
    pub price: &'a Price,
    /// Until when it also holds for every other record of the same subscription and meter in the
    /// same placement and period; none where dimensions decide.
    pub until: Option<Instant>,
}

impl PriceBook {
    /// Makes the book.
    pub fn new(company: Arc<Company>) -> PriceBook {
        let mut sheets: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut cards: BTreeMap<_, Vec<PriceListId>> = BTreeMap::new();
        let mut with_minimum = BTreeMap::new();
        let mut placed: BTreeMap<_, Vec<SubscriptionId>> = BTreeMap::new();
        for list in company.price_lists.values() {
            match &list.reach {
                PriceReach::Offer { offer, region: _, locales: _ } => {
                    cards.entry(offer.clone()).or_default().push(list.id.clone());
                }
                PriceReach::Account { billing_account, profile, from, until: _ } => {
                    let rank = (profile.is_none(), Reverse(*from), list.id.clone());
                    sheets.entry(billing_account.clone()).or_default().push(rank);
                }
            }
            let meters: Vec<_> = meters_with_minimum(list).cloned().collect();
            if !meters.is_empty() {
                with_minimum.insert(list.id.clone(), meters);
            }
        }
        for subscription in company.subscriptions.values() {
            for placement in &subscription.placements {
                let of = placed.entry(placement.billing_account.clone()).or_default();
                if of.last() != Some(&subscription.id) {
                    of.push(subscription.id.clone());
                }
            }
        }
        let sheets = sheets.into_iter().map(|(account, mut ranked)| {
            ranked.sort();
            (account, ranked.into_iter().map(|(_, _, id)| id).collect())
        });
        let sheets = sheets.collect();
        let reserved = company.reservations.values().flatten();
        let reserved = reserved.map(|held| held.bought.term.start());
        let standing_since = standing_since(&company).into_iter().chain(reserved).min();
        PriceBook { sheets, cards, with_minimum, placed, standing_since, company }
    }

    /// The company whose prices these are.
    pub fn company(&self) -> &Company {
        &self.company
    }

    /// Subscriptions that a billing account pays for at some time, sorted.
    pub fn placed(&self, account: &BillingAccountId) -> &[SubscriptionId] {
        self.placed.get(account).map_or(&[], Vec::as_slice)
    }

    /// Nothing is owed or lost without usage before this instant: by then a minimum holds and
    /// somebody is placed, or something is reserved. None where nothing ever is.
    pub fn standing_since(&self) -> Option<Instant> {
        self.standing_since
    }

    /// Meters of a list that cost something even without usage, sorted.
    pub(crate) fn with_minimum(&self, list: &PriceListId) -> &[MeterId] {
        self.with_minimum.get(list).map_or(&[], Vec::as_slice)
    }

    /// Finds the price of a record in a placement at the instant of usage.
    ///
    /// First the profile's price sheet of the period, then the billing account's, then the offer's
    /// rate card in the account's currency and its region of that instant: the first list with a
    /// price that matches.
    /// Within a list, the newest version of each lineage that is in force, then the most
    /// conditions met.
    ///
    /// Errors: [`QuarantineReason::NoPrice`].
    pub fn find(
        &self,
        record: &UsageRecord,
        placement: &Placement,
    ) -> Result<Found<'_>, QuarantineReason> {
        let at = record.service_period.start();
        let account = self.company.accounts.get(&placement.billing_account);
        let known_until = account.map_or(Instant::MAX, |account| account.known.next_after(at));
        let mut until = placement.during.end().min(known_until);
        let mut conditional = false;
        for list in self.lists(placement, at) {
            let prices = list.prices.get(&record.meter).map_or(&[][..], Vec::as_slice);
            conditional |= prices.iter().any(|price| !price.conditions.is_empty());
            let later = prices.iter().map(|price| price.effective_from).filter(|from| *from > at);
            until = later.fold(until, Instant::min);
            let best =
                in_force(prices, at).filter(|price| matches(price, record)).reduce(|best, next| {
                    if next.conditions.len() > best.conditions.len() { next } else { best }
                });
            if let Some(price) = best {
                return Ok(Found { list, price, until: (!conditional).then_some(until) });
            }
        }
        Err(QuarantineReason::NoPrice)
    }

    /// The lists that a placement's usage of a moment is priced by, first choice first.
    pub fn lists<'a, 'b>(
        &'a self,
        placement: &'b Placement,
        at: Instant,
    ) -> impl Iterator<Item = &'a PriceList> + use<'a, 'b> {
        self.lists_for(Buyer::of(placement), at)
    }

    /// The same for a buyer.
    pub fn lists_for<'a, 'b>(
        &'a self,
        buyer: Buyer<'b>,
        at: Instant,
    ) -> impl Iterator<Item = &'a PriceList> + use<'a, 'b> {
        let period = BillingPeriod::of(at);
        let account = self.company.accounts.get(buyer.billing_account);
        let bought = account.and_then(|account| Some((account.currency, account.region_at(at)?)));
        self.reaching(buyer).filter(move |list| match &list.reach {
            PriceReach::Account { from, until, profile: _, billing_account: _ } => {
                *from <= period && until.is_none_or(|until| period <= until)
            }
            PriceReach::Offer { region, offer: _, locales: _ } => {
                bought == Some((list.currency, region.as_str()))
            }
        })
    }

    /// A buyer's lists whenever they hold, each with when.
    pub(crate) fn lists_ever(&self, buyer: Buyer<'_>) -> Vec<(&PriceList, Interval)> {
        let account = self.company.accounts.get(buyer.billing_account);
        let mut found = Vec::new();
        for list in self.reaching(buyer) {
            match &list.reach {
                PriceReach::Account { from, until, profile: _, billing_account: _ } => {
                    let end = until.map_or(Instant::MAX, BillingPeriod::end);
                    let during = Interval::new(from.start(), end);
                    found.extend(during.ok().map(|during| (list, during)));
                }
                PriceReach::Offer { region, offer: _, locales: _ } => {
                    let bought = account.filter(|account| account.currency == list.currency);
                    let spans = bought.into_iter().flat_map(|account| account.known.spans());
                    let held = spans.filter(|(_, known)| known.region == *region);
                    found.extend(held.map(|(during, _)| (list, during)));
                }
            }
        }
        found
    }

    /// The lists that hold for a buyer at one time or another, first choice first.
    fn reaching<'a, 'b>(
        &'a self,
        buyer: Buyer<'b>,
    ) -> impl Iterator<Item = &'a PriceList> + use<'a, 'b> {
        let sheets = self.sheets.get(buyer.billing_account).into_iter().flatten();
        let cards = buyer.offer.and_then(|offer| self.cards.get(offer)).into_iter().flatten();
        let lists = sheets.chain(cards).filter_map(|id| self.company.price_lists.get(id));
        lists.filter(move |list| match &list.reach {
            PriceReach::Account { profile, from: _, until: _, billing_account: _ } => {
                profile.is_none() || profile.as_deref() == buyer.profile
            }
            PriceReach::Offer { offer: _, region: _, locales: _ } => true,
        })
    }
}

fn standing_since(company: &Company) -> Option<Instant> {
    let lists = company.price_lists.values();
    let prices = lists.flat_map(|list| list.prices.values().flatten());
    let minimum = prices.filter(|price| price.minimum.is_some()).map(|price| price.effective_from);
    let placements = company.subscriptions.values().flat_map(|one| &one.placements);
    let placed = placements.map(|placement| placement.during.start());
    let (held, placed): (Vec<_>, Vec<_>) = (minimum.collect(), placed.collect());
    let both = held.iter().min()?.max(placed.iter().min()?);
    // What holds for always is owed from the first instant that is stated beside it.
    let stated = held.iter().chain(&placed).filter(|since| **since > Instant::MIN);
    stated.min().map(|first| *first.max(both))
}

fn meters_with_minimum(list: &PriceList) -> impl Iterator<Item = &MeterId> {
    let has = |prices: &Vec<Price>| prices.iter().any(|price| price.minimum.is_some());
    list.prices.iter().filter(move |(_, prices)| has(prices)).map(|(meter, _)| meter)
}

/// The newest version of each lineage that holds at a moment. Prices are sorted by lineage, then
/// effective instant; [`super::check_price_list`] sees to it.
pub(crate) fn in_force(prices: &[Price], at: Instant) -> impl Iterator<Item = &Price> {
    prices.iter().enumerate().filter_map(move |(place, price)| {
        let followed = prices
            .get(place.saturating_add(1))
            .is_some_and(|next| next.lineage == price.lineage && next.effective_from <= at);
        (price.effective_from <= at && !followed).then_some(price)
    })
}

/// When the counter of a price began to count: at the oldest version that it continues.
pub(crate) fn counting_since(prices: &[Price], price: &Price) -> Instant {
    prices
        .iter()
        .filter(|one| one.lineage == price.lineage && one.effective_from <= price.effective_from)
        .rev()
        .find(|one| one.counter == CounterChange::Restarts)
        .or_else(|| prices.iter().find(|one| one.lineage == price.lineage))
        .map_or(price.effective_from, |one| one.effective_from)
}

fn matches(price: &Price, record: &UsageRecord) -> bool {
    price
        .conditions
        .iter()
        .all(|condition| record.dimensions.get(&condition.dimension) == Some(&condition.value))
}
