//! Twins of price lists: rate cards and price sheets, with the terms of offers.

use super::parties::{country, unless};
use super::prices::{Price, sort_versions};
use super::text::Text;
use super::vendor::Import;
use super::wrong::Wrong;
use calendar::{BillingPeriod, Instant};
use domain::catalog;
use domain::ids::{BillingAccountId, MeterId, OfferId, PriceListId};
use money::{Currency, Fixed18};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A rate card (`offer`, `region`, `locales`) or a price sheet (`billing_account`, …).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceList {
    id: Text<PriceListId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offer: Option<Text<OfferId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    locales: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    billing_account: Option<Text<BillingAccountId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<BillingPeriod>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Text<BillingPeriod>>,
    currency: Text<Currency>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prices: Vec<Price>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    terms: Vec<Term>,
    /// Only in files: prices and meters are read from a vendor's file.
    #[serde(default, skip_serializing)]
    pub(super) import: Option<Import>,
}

/// One term of an offer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Term {
    MonetaryCredit {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effective_from: Option<Text<Instant>>,
        credit: Text<Fixed18>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        excluded: Vec<Text<MeterId>>,
    },
    MonetaryCommitment {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effective_from: Option<Text<Instant>>,
        discounts: Vec<Discount>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        excluded: Vec<Text<MeterId>>,
    },
    RecurringCharge {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effective_from: Option<Text<Instant>>,
        amount: Text<Fixed18>,
    },
}

/// A discount, as a fraction, from a committed amount upwards.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Discount {
    from: Text<Fixed18>,
    discount: Text<Fixed18>,
}

/// The version is 0 until the fact that brings it has a number.
impl TryFrom<PriceList> for catalog::PriceList {
    type Error = Wrong;

    fn try_from(twin: PriceList) -> Result<catalog::PriceList, Wrong> {
        let reach = reach(&twin)?;
        if twin.import.is_some() {
            return Err(Wrong::new("import", "stands in company files only"));
        }
        let mut prices: BTreeMap<MeterId, Vec<catalog::Price>> = BTreeMap::new();
        for (at, price) in twin.prices.into_iter().enumerate() {
            let price = catalog::Price::try_from(price)
                .map_err(|wrong| wrong.below(&format!("prices[{at}]")))?;
            prices.entry(price.meter.clone()).or_default().push(price);
        }
        for versions in prices.values_mut() {
            sort_versions(versions);
        }
        Ok(catalog::PriceList {
            id: twin.id.0,
            version: 0,
            reach,
            currency: twin.currency.0,
            prices,
            terms: twin.terms.into_iter().map(catalog::OfferTerm::from).collect(),
        })
    }
}

fn reach(twin: &PriceList) -> Result<catalog::PriceReach, Wrong> {
    match (&twin.offer, &twin.billing_account) {
        (Some(offer), None) => offer_reach(&offer.0, twin),
        (None, Some(account)) => account_reach(&account.0, twin),
        _ => Err(Wrong::new("", "must name either an `offer` or a `billing_account`")),
    }
}

fn offer_reach(offer: &OfferId, twin: &PriceList) -> Result<catalog::PriceReach, Wrong> {
    let foreign = [
        ("profile", twin.profile.is_some()),
        ("from", twin.from.is_some()),
        ("until", twin.until.is_some()),
    ];
    refuse(&foreign, "belongs to a list of a billing account")?;
    let region = twin
        .region
        .clone()
        .ok_or_else(|| Wrong::new("", "a list of an offer must name the `region` it is sold in"))?;
    if twin.locales.is_empty() {
        return Err(Wrong::new(
            "",
            "a list of an offer must name its `locales`, such as [\"en-US\"]",
        ));
    }
    Ok(catalog::PriceReach::Offer {
        offer: offer.clone(),
        region: country("region", region)?,
        locales: twin.locales.clone(),
    })
}

fn account_reach(
    account: &BillingAccountId,
    twin: &PriceList,
) -> Result<catalog::PriceReach, Wrong> {
    let foreign = [("region", twin.region.is_some()), ("locales", !twin.locales.is_empty())];
    refuse(&foreign, "belongs to a list of an offer")?;
    let from = twin.from.as_ref().map(|from| from.0).ok_or_else(|| {
        Wrong::new("", "a list of a billing account must name its first billing period in `from`")
    })?;
    let until = twin.until.as_ref().map(|until| until.0);
    if until.is_some_and(|until| until < from) {
        return Err(Wrong::new("until", format!("must not be before {from}, the first period")));
    }
    Ok(catalog::PriceReach::Account {
        billing_account: account.clone(),
        profile: twin.profile.clone(),
        from,
        until,
    })
}

fn refuse(foreign: &[(&str, bool)], problem: &str) -> Result<(), Wrong> {
    match foreign.iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => Err(Wrong::new(*key, problem)),
        None => Ok(()),
    }
}

impl From<catalog::PriceList> for PriceList {
    fn from(list: catalog::PriceList) -> PriceList {
        let catalog::PriceList { id, version: _, reach, currency, prices, terms } = list;
        let mut twin = PriceList {
            id: Text(id),
            offer: None,
            region: None,
            locales: Vec::new(),
            billing_account: None,
            profile: None,
            from: None,
            until: None,
            currency: Text(currency),
            prices: prices.into_values().flatten().map(Price::from).collect(),
            terms: terms.into_iter().map(Term::from).collect(),
            import: None,
        };
        match reach {
            catalog::PriceReach::Offer { offer, region, locales } => {
                twin.offer = Some(Text(offer));
                twin.region = Some(region);
                twin.locales = locales;
            }
            catalog::PriceReach::Account { billing_account, profile, from, until } => {
                twin.billing_account = Some(Text(billing_account));
                twin.profile = profile;
                twin.from = Some(Text(from));
                twin.until = until.map(Text);
            }
        }
        twin
    }
}

fn since(effective_from: Option<Text<Instant>>) -> Instant {
    effective_from.map_or(Instant::MIN, |from| from.0)
}

impl From<Term> for catalog::OfferTerm {
    fn from(term: Term) -> catalog::OfferTerm {
        let ids = |excluded: Vec<Text<MeterId>>| excluded.into_iter().map(|id| id.0).collect();
        match term {
            Term::MonetaryCredit { effective_from, credit, excluded } => {
                catalog::OfferTerm::MonetaryCredit {
                    effective_from: since(effective_from),
                    credit: credit.0,
                    excluded: ids(excluded),
                }
            }
            Term::MonetaryCommitment { effective_from, discounts, excluded } => {
                catalog::OfferTerm::MonetaryCommitment {
                    effective_from: since(effective_from),
                    discounts: discounts.into_iter().map(|d| (d.from.0, d.discount.0)).collect(),
                    excluded: ids(excluded),
                }
            }
            Term::RecurringCharge { effective_from, amount } => {
                catalog::OfferTerm::RecurringCharge {
                    effective_from: since(effective_from),
                    amount: amount.0,
                }
            }
        }
    }
}

impl From<catalog::OfferTerm> for Term {
    fn from(term: catalog::OfferTerm) -> Term {
        let texts = |excluded: Vec<MeterId>| excluded.into_iter().map(Text).collect();
        match term {
            catalog::OfferTerm::MonetaryCredit { effective_from, credit, excluded } => {
                Term::MonetaryCredit {
                    effective_from: unless(effective_from, Instant::MIN),
                    credit: Text(credit),
                    excluded: texts(excluded),
                }
            }
            catalog::OfferTerm::MonetaryCommitment { effective_from, discounts, excluded } => {
                Term::MonetaryCommitment {
                    effective_from: unless(effective_from, Instant::MIN),
                    discounts: discounts
                        .into_iter()
                        .map(|(from, discount)| Discount {
                            from: Text(from),
                            discount: Text(discount),
                        })
                        .collect(),
                    excluded: texts(excluded),
                }
            }
            catalog::OfferTerm::RecurringCharge { effective_from, amount } => {
                Term::RecurringCharge {
                    effective_from: unless(effective_from, Instant::MIN),
                    amount: Text(amount),
                }
            }
        }
    }
}
