//! Twins of legal entities, tax rates and exchange rates.

use super::parties::unless;
use super::step::Step;
use super::text::Text;
use super::wrong::Wrong;
use calendar::Instant;
use domain::addresses::{self, Country, check_address};
use domain::billing_terms::{self, Trade};
use domain::ids::{LegalEntityId, TaxCategory};
use domain::tax::{Buyers, Liability, TaxRule, TaxedSupply};
use domain::{Error, invoice, tax};
use money::{Currency, Fixed18};
use serde::{Deserialize, Serialize};

/// Who sells or buys in the eyes of the law, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LegalEntity {
    id: Text<LegalEntityId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trade: Option<Text<Trade>>,
    country: Text<Country>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    registrations: Vec<Registration>,
}

/// Where it is registered for taxes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    country: Text<Country>,
    number: String,
}

/// A postal address.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    first_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    last_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    company_name: String,
    /// One to three.
    lines: Vec<String>,
    city: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    region: String,
    country: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    postal_code: String,
}

impl TryFrom<Address> for addresses::Address {
    type Error = Wrong;

    fn try_from(twin: Address) -> Result<addresses::Address, Wrong> {
        let Address {
            first_name,
            last_name,
            company_name,
            lines,
            city,
            region,
            country,
            postal_code,
        } = twin;
        let mut lines = lines.into_iter();
        let draft = addresses::Draft {
            first_name,
            last_name,
            company_name,
            lines: [(); 3].map(|()| lines.next().unwrap_or_default()),
            city,
            region,
            country,
            postal_code,
        };
        if lines.next().is_some() {
            return Err(Wrong::new("lines", "are at most three"));
        }
        // One at a time: the next is told when this one is right.
        check_address(&draft).map_err(|errors| match errors.into_iter().next() {
            Some(Error::Invalid { field, problem }) => Wrong::new(field, problem),
            other => Wrong::new("", other.map_or_else(String::new, |error| error.to_string())),
        })
    }
}

impl From<addresses::Address> for Address {
    fn from(address: addresses::Address) -> Address {
        let addresses::Address {
            first_name,
            last_name,
            company_name,
            lines,
            city,
            region,
            country,
            postal_code,
        } = address;
        // Empty lines in the middle stay; those at the end are not written.
        let last = lines.iter().rposition(|line| !line.is_empty());
        let filled = last.map_or(0, |last| last.saturating_add(1));
        let lines = lines.into_iter().take(filled).collect();
        let country = country.code().to_owned();
        Address { first_name, last_name, company_name, lines, city, region, country, postal_code }
    }
}

impl TryFrom<LegalEntity> for Step<LegalEntityId, billing_terms::LegalEntity> {
    type Error = Wrong;

    fn try_from(twin: LegalEntity) -> Result<Self, Wrong> {
        let LegalEntity { id, from, name, trade, country, address, registrations } = twin;
        if name.is_empty() {
            return Err(Wrong::new("name", "must not be empty"));
        }
        let address = address.map(addresses::Address::try_from).transpose();
        let address = address.map_err(|wrong| wrong.below("address"))?;
        for (at, one) in registrations.iter().enumerate() {
            if one.number.is_empty() {
                let path = format!("registrations[{at}].number");
                return Err(Wrong::new(path, "must not be empty"));
            }
        }
        let registrations = registrations.into_iter().map(|Registration { country, number }| {
            billing_terms::TaxRegistration { country: country.0, number }
        });
        let value = billing_terms::LegalEntity {
            name,
            trade: trade.map_or(Trade::Sells, |trade| trade.0),
            country: country.0,
            address,
            registrations: registrations.collect(),
        };
        Ok(Step { of: id.0, from: from.map_or(Instant::MIN, |from| from.0), value })
    }
}

impl From<Step<LegalEntityId, billing_terms::LegalEntity>> for LegalEntity {
    fn from(step: Step<LegalEntityId, billing_terms::LegalEntity>) -> LegalEntity {
        let Step { of, from, value } = step;
        let billing_terms::LegalEntity { name, trade, country, address, registrations } = value;
        let registrations = registrations.into_iter().map(|one| {
            let billing_terms::TaxRegistration { country, number } = one;
            Registration { country: Text(country), number }
        });
        LegalEntity {
            id: Text(of),
            from: unless(from, Instant::MIN),
            name,
            trade: unless(trade, Trade::Sells),
            country: Text(country),
            address: address.map(Address::from),
            registrations: registrations.collect(),
        }
    }
}

/// What a tax comes to from an instant on: for one buyer, for those of a country, or for all.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaxRate {
    seller: Text<LegalEntityId>,
    category: Text<TaxCategory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buyer: Option<Text<LegalEntityId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    country: Option<Text<Country>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    rate: Text<Fixed18>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    liability: Option<Text<Liability>>,
}

impl TryFrom<TaxRate> for Step<TaxedSupply, tax::TaxRate> {
    type Error = Wrong;

    fn try_from(twin: TaxRate) -> Result<Self, Wrong> {
        let TaxRate { seller, category, buyer, country, from, rate, liability } = twin;
        let buyers = match (buyer, country) {
            (Some(_), Some(_)) => return Err(Wrong::new("country", "stands beside `buyer`")),
            (Some(buyer), None) => Buyers::One(buyer.0),
            (None, Some(country)) => Buyers::Of(country.0),
            (None, None) => Buyers::All,
        };
        let liability = liability.map_or(Liability::Seller, |liability| liability.0);
        let value = tax::TaxRate { rate: rate.0, liability };
        let of = TaxedSupply { seller: seller.0, category: category.0, buyers };
        let rule: TaxRule = of.rule(value, &of.seller);
        rule.check().map_err(|error| match error {
            Error::Invalid { field: _, problem } => Wrong::new("rate", problem),
            other => Wrong::new("rate", other),
        })?;
        Ok(Step { of, from: from.map_or(Instant::MIN, |from| from.0), value })
    }
}

impl From<Step<TaxedSupply, tax::TaxRate>> for TaxRate {
    fn from(step: Step<TaxedSupply, tax::TaxRate>) -> TaxRate {
        let Step { of, from, value: tax::TaxRate { rate, liability } } = step;
        let TaxedSupply { seller, category, buyers } = of;
        let (buyer, country) = match buyers {
            Buyers::One(buyer) => (Some(Text(buyer)), None),
            Buyers::Of(country) => (None, Some(Text(country))),
            Buyers::All => (None, None),
        };
        TaxRate {
            seller: Text(seller),
            category: Text(category),
            buyer,
            country,
            from: unless(from, Instant::MIN),
            rate: Text(rate),
            liability: unless(liability, Liability::Seller),
        }
    }
}

/// What one unit of a currency is in another.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExchangeRate {
    id: String,
    from: Text<Currency>,
    to: Text<Currency>,
    rate: Text<Fixed18>,
    source: String,
    at: Text<Instant>,
}

impl TryFrom<ExchangeRate> for invoice::ExchangeRate {
    type Error = Wrong;

    fn try_from(twin: ExchangeRate) -> Result<invoice::ExchangeRate, Wrong> {
        let ExchangeRate { id, from, to, rate, source, at } = twin;
        for (key, text) in [("id", &id), ("source", &source)] {
            if text.is_empty() {
                return Err(Wrong::new(key, "must not be empty"));
            }
        }
        if from == to {
            return Err(Wrong::new("to", format!("is `from`: {}", to.0)));
        }
        if rate.0 <= Fixed18::ZERO {
            return Err(Wrong::new("rate", "must be above zero"));
        }
        Ok(invoice::ExchangeRate { id, from: from.0, to: to.0, rate: rate.0, source, at: at.0 })
    }
}

impl From<invoice::ExchangeRate> for ExchangeRate {
    fn from(rate: invoice::ExchangeRate) -> ExchangeRate {
        let invoice::ExchangeRate { id, from, to, rate, source, at } = rate;
        ExchangeRate { id, from: Text(from), to: Text(to), rate: Text(rate), source, at: Text(at) }
    }
}
