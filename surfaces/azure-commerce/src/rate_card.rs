//! RateCard: the meters of an offer with their rates, for a currency, locale and region.

use crate::{Commerce, subscription};
use armkit::{ArmError, Query, api_version, filter};
use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use domain::Error;
use domain::access::{Action, Caller, Scope};
use domain::catalog::{Meter, OfferTerm, Price, PricingModel};
use httpkit::{Asking, BaseUrl, ExactNumber, Path};
use money::Fixed18;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use service::{RateCardAsked, RateCardView};

/// The version that answers with the card itself.
const DIRECT: &str = "2015-06-01-preview";
/// The version that answers with a link to it.
const BY_LINK: &str = "2016-08-31-preview";
/// How long a link holds.
const LINK_SECONDS: i64 = 3_600;
/// What links to a card are signed for.
const LINK: &str = "azure-commerce/rate-card";

/// Answers with the card, or with a link to it that needs no token.
pub(crate) async fn get(
    State(commerce): State<Commerce>,
    Asking(caller): Asking,
    Path(given): Path<String>,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response, ArmError> {
    let version = api_version(&query, &[DIRECT, BY_LINK])?;
    let of = subscription(&given)?;
    let left = commerce.count_read(&caller, &of)?;
    let asked = asked(&query, commerce.reckoner.limits().filter_bytes)?;
    let card = commerce.reckoner.rate_card(&caller, &of, &asked).await?;
    if version == DIRECT {
        return Ok(([left], Json(Card::from(card))).into_response());
    }
    let RateCardAsked { offer, currency, locale, region } = &asked;
    let params = [
        ("subscription", of.as_str()),
        ("offer", offer),
        ("currency", currency),
        ("locale", locale),
        ("region", region),
    ];
    let signed = commerce.reckoner.sign_link(LINK, &params, LINK_SECONDS);
    let location = format!("{base}{}/download?{signed}", uri.path().trim_end_matches('/'));
    Ok((StatusCode::FOUND, [left], [(LOCATION, location)]).into_response())
}

/// Answers a signed link. Whatever token comes along is not looked at.
pub(crate) async fn download(
    State(commerce): State<Commerce>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Card>, ArmError> {
    let params = commerce.reckoner.open_link(LINK, uri.query().unwrap_or_default())?;
    let param = |name: &str| {
        let found = params.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let of = subscription(&param("subscription"))?;
    let asked = RateCardAsked {
        offer: param("offer"),
        currency: param("currency"),
        locale: param("locale"),
        region: param("region"),
    };
    let caller =
        Caller::Link { action: Action::ReadRateCard, scope: Scope::Subscription(of.clone()) };
    Ok(Json(Card::from(commerce.reckoner.rate_card(&caller, &of, &asked).await?)))
}

/// Reads the filter: four parts, each once, in any order.
///
/// Source: `commerce.md` section 3.1.
fn asked(query: &Query, most_bytes: u64) -> Result<RateCardAsked, Error> {
    let conditions = filter(query.required("$filter")?, most_bytes)?;
    let part = |name: &str| {
        let mut found = conditions.iter().filter(|condition| condition.name == name);
        let first = found.next();
        let first =
            first.ok_or_else(|| Error::invalid("$filter", format!("needs `{name} eq '…'`")))?;
        match found.next() {
            None => Ok(first.value.clone()),
            Some(_) => Err(Error::invalid("$filter", format!("names `{name}` twice"))),
        }
    };
    let asked = RateCardAsked {
        offer: part("OfferDurableId")?,
        currency: part("Currency")?,
        locale: part("Locale")?,
        region: part("RegionInfo")?,
    };
    const KNOWN: [&str; 4] = ["OfferDurableId", "Currency", "Locale", "RegionInfo"];
    match conditions.iter().find(|condition| !KNOWN.contains(&condition.name.as_str())) {
        None => Ok(asked),
        Some(other) => Err(Error::invalid("$filter", format!("knows no `{}`", other.name))),
    }
}

/// A rate card, as the contract spells it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Card {
    offer_terms: Vec<Term>,
    meters: Vec<CardMeter>,
    currency: String,
    locale: String,
    is_tax_included: bool,
}

impl From<RateCardView> for Card {
    fn from(RateCardView { terms, meters, currency, locale }: RateCardView) -> Card {
        Card {
            offer_terms: terms.into_iter().map(Term::from).collect(),
            meters: meters.into_iter().map(CardMeter::from).collect(),
            currency: currency.to_string(),
            locale,
            // Rates are always before tax.
            is_tax_included: false,
        }
    }
}

/// One meter with the rates of one version of its price.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CardMeter {
    meter_id: String,
    meter_name: String,
    meter_category: String,
    meter_sub_category: String,
    unit: String,
    meter_tags: Vec<String>,
    meter_region: String,
    meter_rates: Numbers,
    effective_date: String,
    included_quantity: ExactNumber<Fixed18>,
}

impl From<(Meter, Price)> for CardMeter {
    fn from((meter, price): (Meter, Price)) -> CardMeter {
        CardMeter {
            meter_id: meter.id.to_string(),
            meter_name: meter.name,
            meter_category: meter.category,
            meter_sub_category: meter.subcategory,
            unit: meter.unit,
            meter_tags: meter.tags,
            meter_region: meter.region,
            meter_rates: rates(price.model),
            effective_date: price.effective_from.to_string(),
            included_quantity: ExactNumber(price.included),
        }
    }
}

/// The contract knows graduated rates only; see the deviations for the other models.
fn rates(model: PricingModel) -> Numbers {
    match model {
        PricingModel::PerUnit { price } | PricingModel::Package { price, size: _, rounding: _ } => {
            Numbers(vec![("0".to_owned(), price)])
        }
        PricingModel::Percentage { percent } => Numbers(vec![("0".to_owned(), percent)]),
        PricingModel::Graduated { tiers } | PricingModel::Volume { tiers } => Numbers(
            tiers
                .into_iter()
                .map(|tier| (tier.spelled.unwrap_or_else(|| tier.from.to_string()), tier.price))
                .collect(),
        ),
    }
}

/// An object of exact numbers that keeps its order.
struct Numbers(Vec<(String, Fixed18)>);

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, number) in &self.0 {
            map.serialize_entry(key, &ExactNumber(*number))?;
        }
        map.end()
    }
}

/// A term of an offer, told apart by its name.
#[derive(Serialize)]
#[serde(tag = "Name")]
enum Term {
    #[serde(rename = "Monetary Credit", rename_all = "PascalCase")]
    MonetaryCredit {
        credit: ExactNumber<Fixed18>,
        excluded_meter_ids: Vec<String>,
        effective_date: String,
    },
    #[serde(rename = "Monetary Commitment", rename_all = "PascalCase")]
    MonetaryCommitment {
        tiered_discount: Numbers,
        excluded_meter_ids: Vec<String>,
        effective_date: String,
    },
    #[serde(rename = "Recurring Charge", rename_all = "PascalCase")]
    RecurringCharge { recurring_charge: ExactNumber<Fixed18>, effective_date: String },
}

impl From<OfferTerm> for Term {
    fn from(term: OfferTerm) -> Term {
        match term {
            OfferTerm::MonetaryCredit { effective_from, credit, excluded } => {
                Term::MonetaryCredit {
                    credit: ExactNumber(credit),
                    excluded_meter_ids: excluded.iter().map(ToString::to_string).collect(),
                    effective_date: effective_from.to_string(),
                }
            }
            OfferTerm::MonetaryCommitment { effective_from, discounts, excluded } => {
                let discounts = discounts.into_iter().map(|(from, part)| (from.to_string(), part));
                Term::MonetaryCommitment {
                    tiered_discount: Numbers(discounts.collect()),
                    excluded_meter_ids: excluded.iter().map(ToString::to_string).collect(),
                    effective_date: effective_from.to_string(),
                }
            }
            OfferTerm::RecurringCharge { effective_from, amount } => Term::RecurringCharge {
                recurring_charge: ExactNumber(amount),
                effective_date: effective_from.to_string(),
            },
        }
    }
}
