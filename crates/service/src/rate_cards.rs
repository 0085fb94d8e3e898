//! Rate cards: what an offer's meters cost, for a currency, locale and region.

use crate::Reckoner;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, Scope};
use domain::catalog::{Meter, OfferTerm, Price, PriceList, PriceReach};
use domain::ids::{MeterId, OfferId, SubscriptionId};
use domain::pricing::PriceBook;
use domain::{Error, Result};
use money::Currency;
use std::collections::BTreeMap;

/// Which rate card.
#[derive(Debug, Clone)]
pub struct RateCardAsked {
    /// The offer.
    pub offer: String,
    /// The currency.
    pub currency: String,
    /// The locale that names shall be in.
    pub locale: String,
    /// The country where the offer was bought.
    pub region: String,
}

/// A rate card as it stands now.
#[derive(Debug, Clone)]
pub struct RateCardView {
    /// Terms of the offer.
    pub terms: Vec<OfferTerm>,
    /// Meters with each of their prices, by meter id and then effective instant: those of the card,
    /// and those that only the payer's own price sheets have, in the card's currency.
    pub meters: Vec<(Meter, Price)>,
    /// The currency of every price.
    pub currency: Currency,
    /// The locale that names are in.
    pub locale: String,
}

impl Reckoner {
    /// Finds the rate card of an offer.
    ///
    /// Errors: [`Error::NotFound`] for a subscription the caller may not see, [`Error::Forbidden`]
    /// without the right to read rate cards, [`Error::Invalid`] for a combination that was never
    /// sold and for an offer without a card.
    #[boxed]
    pub async fn rate_card(
        &self,
        caller: &Caller,
        subscription: &SubscriptionId,
        asked: &RateCardAsked,
    ) -> Result<RateCardView> {
        let scope = Scope::Subscription(subscription.clone());
        self.demand(caller, Action::ReadRateCard, &scope).await?;
        let declared = self.0.declared();
        let company = &declared.company;
        let (list, locale) = self.find_card(asked)?;
        let list = company.price_lists.get(&list).ok_or_else(|| never_sold(asked))?;
        let mut prices: BTreeMap<&MeterId, &[Price]> = BTreeMap::new();
        for sheet in own_sheets(&declared.book, subscription, self.now()) {
            if sheet.currency == list.currency {
                for (meter, own) in &sheet.prices {
                    prices.entry(meter).or_insert(own);
                }
            }
        }
        prices.extend(list.prices.iter().map(|(meter, listed)| (meter, listed.as_slice())));
        let mut meters = Vec::with_capacity(prices.len());
        for (id, prices) in prices {
            let Some(meter) = company.meters.get(id) else { continue };
            let shown = shown(prices).map(|price| (localised(meter, &locale), price.clone()));
            meters.extend(shown);
        }
        Ok(RateCardView { terms: list.terms.clone(), meters, currency: list.currency, locale })
    }

    fn find_card(&self, asked: &RateCardAsked) -> Result<(domain::ids::PriceListId, String)> {
        let declared = self.0.declared();
        let company = &declared.company;
        let offer = OfferId::new(&asked.offer).map_err(|_| never_sold(asked))?;
        if company.offers.get(&offer).is_some_and(|offer| !offer.has_rate_card) {
            let problem =
                format!("offer `{offer}` has no rate card; its prices are on its price sheet");
            return Err(Error::invalid("OfferDurableId", problem));
        }
        let currency = Currency::parse(&asked.currency).map_err(|_| never_sold(asked))?;
        company
            .rate_cards(&offer)
            .filter(|list| list.currency == currency)
            .find_map(|list| sold_in(list, asked).map(|locale| (list.id.clone(), locale)))
            .ok_or_else(|| never_sold(asked))
    }
}

/// The price sheets of who pays for a subscription now, first choice first: a meter that only they
/// price must stand on the card too. Nobody is shown what another payer agreed on.
fn own_sheets<'a>(
    book: &'a PriceBook,
    subscription: &SubscriptionId,
    now: Instant,
) -> Vec<&'a PriceList> {
    let subscription = book.company().subscriptions.get(subscription);
    let placement = subscription.and_then(|subscription| subscription.placement_at(now));
    let is_sheet = |list: &&PriceList| matches!(list.reach, PriceReach::Account { .. });
    placement
        .map_or_else(Vec::new, |placement| book.lists(placement, now).filter(is_sheet).collect())
}

/// The versions of a meter's price that a card shows: those that hold without conditions. A card
/// cannot spell conditions, so it would have several rates of one meter for one moment. Where every
/// price has conditions it shows the first lineage by name, since each meter in use must stand on
/// the card.
fn shown(prices: &[Price]) -> impl Iterator<Item = &Price> {
    let plain = prices.iter().find(|price| price.conditions.is_empty());
    let lineage = plain.or(prices.first()).map(|price| &price.lineage);
    prices.iter().filter(move |price| Some(&price.lineage) == lineage)
}

/// The locale, as the list spells it, if the list is sold in the asked region and locale.
fn sold_in(list: &PriceList, asked: &RateCardAsked) -> Option<String> {
    let PriceReach::Offer { region, locales, .. } = &list.reach else { return None };
    if !region.eq_ignore_ascii_case(&asked.region) {
        return None;
    }
    locales.iter().find(|locale| locale.eq_ignore_ascii_case(&asked.locale)).cloned()
}

fn never_sold(asked: &RateCardAsked) -> Error {
    let RateCardAsked { offer, currency, locale, region } = asked;
    let problem = format!("offer `{offer}` was never sold in {currency}, {locale}, {region}");
    Error::invalid("$filter", problem)
}

fn localised(meter: &Meter, locale: &str) -> Meter {
    let mut meter = meter.clone();
    if let Some(names) = meter.names.get(locale).cloned() {
        meter.name = names.name;
        meter.category = names.category;
        meter.subcategory = names.subcategory;
    }
    meter
}
