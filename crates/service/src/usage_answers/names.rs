//! From groups to rows: codes become values and names.
//!
//! A name tells nothing apart. It is that at the end of what its row is of: of its day, of its
//! month or of all that is answered; or that of today, where this is asked for. Ids of campaigns
//! and templates stay ids unless their names are asked for.

use super::groups::AnswerGroup;
use super::{AnswerColumn, AnswerRow, Asking};
use crate::charge_groups::Key;
use crate::{Inner, codes};
use calendar::{BillingPeriod, Day, Instant};
use domain::ids::PlaceId;
use domain::places::{Level, Place, PlaceKey};
use domain::usage::Dimension;
use domain::usage_queries::{NamesAsOf, UsageColumn, UsageKey};
use domain::{Error, Result};
use money::{Currency, Fixed18};
use std::ops::Range;

/// Names of categories of meters.
const CATEGORY: &str = "meter_category";
/// Names of subcategories of meters.
const SUBCATEGORY: &str = "meter_subcategory";
/// What one dials before numbers of a country.
const COUNTRY_PREFIX: &str = "country_prefix";

/// The columns of an answer.
pub(super) fn columns_of(asking: &Asking) -> Vec<AnswerColumn> {
    let resolves = asking.question.options.resolve_names.is_some();
    let column = |column: &UsageColumn| {
        let is_resolved_name = resolves && is_id(*column);
        AnswerColumn { column: *column, is_resolved_name }
    };
    asking.question.columns.iter().map(column).collect()
}

/// Whether a column shows ids that have names to take their place.
fn is_id(column: UsageColumn) -> bool {
    matches!(column, UsageColumn::CampaignId | UsageColumn::TemplateId)
}

/// The month that a group is told of, where groups are told apart by UTC days or months.
pub(super) fn month_of(asking: &Asking, group: &AnswerGroup) -> Option<BillingPeriod> {
    if !asking.zone.is_utc() {
        return None;
    }
    let number = |key: UsageKey| number_of(asking, group, key);
    let day = number(UsageKey::Day).map(|day| BillingPeriod::of(Day::from_number(day).start()));
    day.or_else(|| BillingPeriod::from_number(number(UsageKey::Month)?).ok())
}

fn number_of(asking: &Asking, group: &AnswerGroup, key: UsageKey) -> Option<i32> {
    let place = asking.keys.iter().position(|one| *one == key)?;
    match group.keys.get(place)? {
        Key::Number(number) => i32::try_from(*number).ok(),
        Key::None | Key::Text(_) => None,
    }
}

/// Tells groups as rows.
pub(super) struct Naming<'a> {
    pub(super) inner: &'a Inner,
    pub(super) asking: &'a Asking,
    /// The period that is answered.
    pub(super) answered: &'a Range<Instant>,
    pub(super) now: Instant,
}

impl Naming<'_> {
    /// A group as a row; `quantity` and `total` are those of its sums.
    ///
    /// Errors: those of codes that stand for nothing.
    pub(super) fn row(
        &self,
        group: &AnswerGroup,
        (quantity, total): (Fixed18, Fixed18),
    ) -> Result<AnswerRow> {
        let at = self.named_at(group);
        let columns = self.asking.question.columns.iter();
        let keys = columns.map(|column| self.told(*column, group, at));
        Ok(AnswerRow {
            keys: keys.collect::<Result<_>>()?,
            unit: self.inner.codes.value(codes::MEASURE, group.measure)?.to_string(),
            unit_price: group.unit_price.map(Fixed18::from_atoms),
            quantity,
            total,
            currency: self.currency(group)?,
        })
    }

    /// The currency of a group.
    pub(super) fn currency(&self, group: &AnswerGroup) -> Result<Currency> {
        let code = self.inner.codes.value(codes::CURRENCY, group.currency)?;
        Currency::parse(&code).map_err(|e| Error::money("read a currency", e))
    }

    /// As of when the names of a group hold.
    fn named_at(&self, group: &AnswerGroup) -> Instant {
        let number = |key: UsageKey| number_of(self.asking, group, key);
        let zone = self.asking.zone;
        let end = match self.asking.question.options.resolve_names {
            Some(NamesAsOf::Today) => return self.now,
            Some(NamesAsOf::Period) | None => self.answered.end,
        };
        let day = number(UsageKey::Day).map(|day| zone.start_of(Day::from_number(day).next()));
        let month = || {
            let month = BillingPeriod::from_number(number(UsageKey::Month)?).ok()?;
            Some(zone.start_of(month.end().day()))
        };
        day.or_else(month).unwrap_or(end).min(end).plus_micros(-1)
    }

    fn told(
        &self,
        column: UsageColumn,
        group: &AnswerGroup,
        at: Instant,
    ) -> Result<Option<String>> {
        let wanted = column.key();
        let place = self.asking.keys.iter().position(|key| *key == wanted);
        let key = place.and_then(|place| group.keys.get(place)).unwrap_or(&Key::None);
        let Some(value) = self.value(wanted, key)? else { return Ok(None) };
        let named = |dimension: &str| {
            let name = self.asking.company.name_of(dimension, &value, at);
            Some(name.to_owned()).filter(|name| !name.is_empty())
        };
        let resolves = self.asking.question.options.resolve_names.is_some();
        Ok(match column {
            UsageColumn::AccountName => Some(self.account_name(&value, at)),
            UsageColumn::CategoryName => named(CATEGORY),
            UsageColumn::SubcategoryName => named(SUBCATEGORY),
            UsageColumn::UserName => named(Dimension::User.name()),
            UsageColumn::NetworkName => named(Dimension::Network.name()),
            UsageColumn::CountryName => named(Dimension::Country.name()),
            // A code is no prefix.
            UsageColumn::CountryPrefix => {
                let prefix = self.asking.company.known_name(COUNTRY_PREFIX, &value, at);
                prefix.map(str::to_owned).filter(|prefix| !prefix.is_empty())
            }
            UsageColumn::CampaignId if resolves => named(Dimension::Campaign.name()),
            UsageColumn::TemplateId if resolves => named(Dimension::Template.name()),
            UsageColumn::Day
            | UsageColumn::Month
            | UsageColumn::ApplicationId
            | UsageColumn::EntityId
            | UsageColumn::AccountKey
            | UsageColumn::CategoryCode
            | UsageColumn::SubcategoryCode
            | UsageColumn::Direction
            | UsageColumn::TrafficType
            | UsageColumn::Sender
            | UsageColumn::SenderType
            | UsageColumn::NetworkCode
            | UsageColumn::CountryCode
            | UsageColumn::CampaignId
            | UsageColumn::CampaignReference
            | UsageColumn::TemplateId => Some(value),
        })
    }

    /// The value of a key; none where usage has none, or an empty one.
    fn value(&self, of: UsageKey, key: &Key) -> Result<Option<String>> {
        let number = match key {
            Key::None => return Ok(None),
            Key::Text(text) => return Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Key::Number(number) => {
                i32::try_from(*number).map_err(|e| Error::internal("read a code", e))?
            }
        };
        let coded = |kind| self.inner.codes.value(kind, number).map(|value| value.to_string());
        let value = match of {
            UsageKey::Day => Day::from_number(number).to_string(),
            UsageKey::Month => BillingPeriod::from_number(number)
                .map_err(|e| Error::internal("read a month", e))?
                .to_string(),
            UsageKey::Category => coded(codes::METER_CATEGORY)?,
            UsageKey::Dimension(dimension) => coded(dimension.name())?,
            UsageKey::Account | UsageKey::Subcategory => number.to_string(),
        };
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// The name of an account by its key: of the company itself that of the billing account. One
    /// without a name has its key.
    fn account_name(&self, key: &str, at: Instant) -> String {
        let company = &self.asking.company;
        let billing_account = &self.asking.sight.billing_account;
        if key == billing_account.as_str() {
            let account = company.accounts.get(billing_account);
            let name = account.and_then(|account| account.name_at(at));
            return name.unwrap_or(key).to_owned();
        }
        let name = PlaceId::new(key).ok().and_then(|id| {
            let key = PlaceKey { level: Level::MessagingAccount, id };
            let place = Place { billing_account: billing_account.clone(), key };
            let known = company.places.timeline(&place)?;
            let first = || known.spans().next().map(|(_, facts)| facts);
            known.at(at).or_else(first).map(|facts| facts.name.clone())
        });
        name.unwrap_or_else(|| key.to_owned())
    }
}
