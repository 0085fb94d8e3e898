//! What the books keep of a usage query: what is asked, by whom, and where the result goes.

use crate::usage_queries::UsageQueryAsked;
use calendar::Day;
use domain::access::{Action, Caller, UsageSight};
use domain::ids::{BillingAccountId, PlaceId};
use domain::usage_queries::{
    NamesAsOf, UsageColumn, UsageFilter, UsageFormat, UsageOptions, UsageQuestion,
};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A usage query, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptQuery {
    /// The surface that took it.
    pub(crate) surface: String,
    /// Who asks.
    pub(crate) caller: KeptCaller,
    /// Where the result goes.
    pub(crate) callback: Option<KeptAddress>,
    /// The name of the secret that its callback is signed with where it fails.
    pub(crate) secret: String,
    question: KeptQuestion,
}

/// Who asks: what they may see is looked up when it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeptCaller {
    /// A principal, by its id.
    Principal(String),
    /// An API key, by its public id.
    Key(String),
}

/// What of a company was seen when a result was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptSight {
    billing_account: String,
    whole: bool,
    places: BTreeSet<String>,
}

/// Where a result goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptAddress {
    /// The address.
    pub(crate) url: String,
    /// Host and port of it.
    pub(crate) receiver: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptQuestion {
    /// The first day's number.
    from: i32,
    /// That of the day behind the last.
    until: i32,
    columns: Vec<String>,
    filter: KeptFilter,
    unfinalized: bool,
    time_zone: Option<String>,
    resolve_names: Option<String>,
    format: String,
    long_range: bool,
    exact_totals: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptFilter {
    accounts: BTreeSet<String>,
    categories: BTreeSet<String>,
    subcategories: BTreeSet<String>,
    countries: BTreeSet<String>,
    directions: BTreeSet<String>,
    traffic_types: BTreeSet<String>,
    senders: BTreeSet<String>,
    sender_types: BTreeSet<String>,
    campaign_references: BTreeSet<String>,
    campaigns: BTreeSet<String>,
    templates: BTreeSet<String>,
    platforms: BTreeSet<(String, String)>,
}

impl KeptCaller {
    /// Whom usage queries are told to, where a caller may have any.
    ///
    /// Errors: [`Error::Forbidden`].
    pub(crate) fn of(caller: &Caller) -> Result<KeptCaller> {
        match caller {
            Caller::Principal(principal) => Ok(KeptCaller::Principal(principal.to_string())),
            Caller::Key(grant) => Ok(KeptCaller::Key(grant.key_id.clone())),
            Caller::Enterprise(_) | Caller::Link { .. } | Caller::Machine => {
                Err(Error::Forbidden { action: Action::ReadCharges.name() })
            }
        }
    }

    /// How the books name it.
    pub(crate) fn owner(&self) -> String {
        match self {
            KeptCaller::Principal(id) => format!("principal {id}"),
            KeptCaller::Key(id) => format!("key {id}"),
        }
    }
}

impl KeptSight {
    pub(crate) fn of(sight: &UsageSight) -> KeptSight {
        let UsageSight { billing_account, whole, places } = sight;
        KeptSight {
            billing_account: billing_account.to_string(),
            whole: *whole,
            places: places.iter().map(ToString::to_string).collect(),
        }
    }

    pub(crate) fn read(&self) -> Result<UsageSight> {
        let KeptSight { billing_account, whole, places } = self;
        Ok(UsageSight {
            billing_account: BillingAccountId::new(billing_account)?,
            whole: *whole,
            places: places.iter().map(|id| PlaceId::new(id)).collect::<Result<_>>()?,
        })
    }
}

impl KeptQuery {
    /// What is kept of a query that is asked for.
    pub(crate) fn of(
        caller: KeptCaller,
        asked: &UsageQueryAsked,
        (callback, secret): (Option<KeptAddress>, String),
    ) -> KeptQuery {
        let question = KeptQuestion::of(&asked.question);
        KeptQuery { surface: asked.surface.to_owned(), caller, callback, secret, question }
    }

    /// As bytes.
    pub(crate) fn body(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal("write a usage query", e))
    }

    /// Reads what is kept.
    pub(crate) fn read(body: &[u8]) -> Result<KeptQuery> {
        serde_json::from_slice(body).map_err(|e| Error::internal("read a usage query", e))
    }

    /// In which format the result is kept for pick-up.
    pub(crate) fn format(&self) -> Result<UsageFormat> {
        self.question.format()
    }

    /// What is asked.
    pub(crate) fn question(&self) -> Result<UsageQuestion> {
        let unknown = |what: &str, name: &str| {
            Error::internal("read a usage query", format!("`{name}` is no {what}"))
        };
        let kept = &self.question;
        let column = |name: &String| {
            UsageColumn::parse(name).ok_or_else(|| unknown("column of a usage answer", name))
        };
        let as_of = |name: &String| {
            NamesAsOf::parse(name).ok_or_else(|| unknown("time that names are told as of", name))
        };
        Ok(UsageQuestion {
            days: Day::from_number(kept.from)..Day::from_number(kept.until),
            columns: kept.columns.iter().map(column).collect::<Result<_>>()?,
            filter: kept.filter.read(),
            unfinalized: kept.unfinalized,
            options: UsageOptions {
                time_zone: kept.time_zone.clone(),
                resolve_names: kept.resolve_names.as_ref().map(as_of).transpose()?,
                format: kept.format()?,
                long_range: kept.long_range,
                exact_totals: kept.exact_totals,
            },
        })
    }
}

impl KeptQuestion {
    fn of(question: &UsageQuestion) -> KeptQuestion {
        let UsageQuestion { days, columns, filter, unfinalized, options } = question;
        let UsageOptions { time_zone, resolve_names, format, long_range, exact_totals } = options;
        KeptQuestion {
            from: days.start.number(),
            until: days.end.number(),
            columns: columns.iter().map(|column| column.name().to_owned()).collect(),
            filter: KeptFilter::of(filter),
            unfinalized: *unfinalized,
            time_zone: time_zone.clone(),
            resolve_names: resolve_names.map(|as_of| as_of.name().to_owned()),
            format: format.name().to_owned(),
            long_range: *long_range,
            exact_totals: *exact_totals,
        }
    }

    fn format(&self) -> Result<UsageFormat> {
        UsageFormat::parse(&self.format).ok_or_else(|| {
            Error::internal("read a usage query", format!("`{}` is no format", self.format))
        })
    }
}

impl KeptFilter {
    fn of(filter: &UsageFilter) -> KeptFilter {
        let UsageFilter {
            accounts,
            categories,
            subcategories,
            countries,
            directions,
            traffic_types,
            senders,
            sender_types,
            campaign_references,
            campaigns,
            templates,
            platforms,
        } = filter.clone();
        KeptFilter {
            accounts,
            categories,
            subcategories,
            countries,
            directions,
            traffic_types,
            senders,
            sender_types,
            campaign_references,
            campaigns,
            templates,
            platforms,
        }
    }

    fn read(&self) -> UsageFilter {
        let KeptFilter {
            accounts,
            categories,
            subcategories,
            countries,
            directions,
            traffic_types,
            senders,
            sender_types,
            campaign_references,
            campaigns,
            templates,
            platforms,
        } = self;
        UsageFilter {
            accounts: accounts.clone(),
            categories: categories.clone(),
            subcategories: subcategories.clone(),
            countries: countries.clone(),
            directions: directions.clone(),
            traffic_types: traffic_types.clone(),
            senders: senders.clone(),
            sender_types: sender_types.clone(),
            campaign_references: campaign_references.clone(),
            campaigns: campaigns.clone(),
            templates: templates.clone(),
            platforms: platforms.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(prefix: &str) -> BTreeSet<String> {
        [format!("{prefix}1"), format!("{prefix}2")].into()
    }

    fn question() -> UsageQuestion {
        UsageQuestion {
            days: Day::from_number(20_500)..Day::from_number(20_531),
            columns: UsageColumn::ALL.to_vec(),
            filter: UsageFilter {
                accounts: all("account"),
                categories: all("category"),
                subcategories: all("subcategory"),
                countries: all("country"),
                directions: all("direction"),
                traffic_types: all("traffic"),
                senders: all("sender"),
                sender_types: all("type"),
                campaign_references: all("reference"),
                campaigns: all("campaign"),
                templates: all("template"),
                platforms: [("app".to_owned(), "entity".to_owned())].into(),
            },
            unfinalized: true,
            options: UsageOptions {
                time_zone: Some("Europe/Zagreb".to_owned()),
                resolve_names: Some(NamesAsOf::Today),
                format: UsageFormat::Parquet,
                long_range: true,
                exact_totals: true,
            },
        }
    }

    #[test]
    fn what_was_seen_is_kept_whole() {
        let check = |whole: bool, places: &[&str]| {
            let sight = UsageSight {
                billing_account: BillingAccountId::new("acme").unwrap(),
                whole,
                places: places.iter().map(|id| PlaceId::new(id).unwrap()).collect(),
            };
            let written = serde_json::to_vec(&KeptSight::of(&sight)).unwrap();
            let kept: KeptSight = serde_json::from_slice(&written).unwrap();
            assert_eq!(kept.read().unwrap(), sight);
        };
        check(true, &[]);
        check(false, &["north", "south"]);
    }

    #[test]
    fn what_is_asked_is_kept_whole() {
        let whole = question();
        let options = UsageOptions::default();
        let least = UsageQuestion { filter: UsageFilter::default(), options, ..question() };
        for question in [whole, least] {
            let asked =
                UsageQueryAsked { callback_url: None, question: question.clone(), surface: "s" };
            let address = KeptAddress { url: "u".to_owned(), receiver: "r".to_owned() };
            let caller = KeptCaller::Key("k".to_owned());
            let kept = KeptQuery::of(caller, &asked, (Some(address.clone()), "name".to_owned()));
            let read = KeptQuery::read(&kept.body().unwrap()).unwrap();
            assert_eq!(read.question().unwrap(), question);
            assert_eq!(read.format().unwrap(), question.options.format);
            assert_eq!((read.callback, read.surface.as_str()), (Some(address), "s"));
            assert_eq!((read.caller.owner().as_str(), read.secret.as_str()), ("key k", "name"));
        }
    }
}
