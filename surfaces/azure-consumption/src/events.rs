//! Events: what happened to the credit of a billing profile or account.
//!
//! What an event changed is signed: its amounts together are what its closed balance differs by
//! from that of the event before it.

use crate::amounts::{Amount, AmountWithExchangeRate, Reseller, kind_of, source};
use crate::at::Version;
use crate::resource::Resource;
use crate::scopes::{ACCOUNT, PROFILE, Question, SCOPE, account_id, collection};
use crate::{Consumption, PROVIDER, days, lots};
use armkit::{ArmError, Comparing, Comparison, List, Query, conditions};
use axum::Json;
use axum::extract::State;
use calendar::{Day, Instant, Interval};
use domain::Error;
use domain::balance_summaries::LotChangeKind;
use domain::credits::LotKind;
use domain::ids::LotId;
use domain::lot_events::LotEventKind;
use domain::places::Level;
use httpkit::Group;
use money::Money;
use serde::Serialize;
use service::{CreditEvent, CreditEventsAsked};

/// The type below the provider.
const EVENTS: &str = "events";
const FILTER: &str = "$filter";

pub(crate) fn group(version: Version) -> Group<Consumption> {
    let tail = format!("{PROVIDER}/{EVENTS}");
    let group = Group::new();
    match version {
        Version::V2019 => group.get("Events_List", SCOPE, &tail, list),
        Version::V2021 => group.get("Events_ListByBillingProfile", PROFILE, &tail, list).get(
            "Events_ListByBillingAccount",
            ACCOUNT,
            &tail,
            list_filtered,
        ),
    }
}

async fn list(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> Result<Json<List<Event>>, ArmError> {
    let days = days::required(&query)?;
    let during = between(Some(days.start), Some(days.end))?;
    let asked = CreditEventsAsked { during, kind: None, lot: None };
    consumption.events(question, &asked, |_| true).await
}

async fn list_filtered(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> Result<Json<List<Event>>, ArmError> {
    let most_bytes = consumption.reckoner.limits().filter_bytes;
    let Some(asked) = EventsAsked::of(&query, most_bytes)? else {
        return Ok(Json(List { value: Vec::new(), next_link: None }));
    };
    let EventsAsked { asked, event_type, profile } = asked;
    let keeps = |event: &CreditEvent| {
        let is_of = |name: &String| {
            let own = event.profile.as_ref();
            own.is_some_and(|own| own.id.eq_ignore_ascii_case(name))
        };
        let is_such = |name: &String| event_type_of(event).eq_ignore_ascii_case(name);
        profile.as_ref().is_none_or(is_of) && event_type.as_ref().is_none_or(is_such)
    };
    consumption.events(question, &asked, keeps).await
}

impl Consumption {
    async fn events(
        &self,
        question: Question,
        asked: &CreditEventsAsked,
        keeps: impl Fn(&CreditEvent) -> bool,
    ) -> Result<Json<List<Event>>, ArmError> {
        let Question { caller, at, spot } = question;
        let told = self.reckoner.credit_events(&caller, &spot.scope, asked).await?;
        let account = account_id(&spot.account.id);
        let meant = told.iter().filter(|event| keeps(event));
        let view = |event| view(at.version, (&spot.id, &account), event);
        let value = meant.map(view).collect::<Result<_, _>>()?;
        Ok(Json(List { value, next_link: None }))
    }
}

/// What a filter leaves.
#[derive(Debug, PartialEq, Eq)]
struct EventsAsked {
    asked: CreditEventsAsked,
    event_type: Option<String>,
    profile: Option<String>,
}

impl EventsAsked {
    /// None where nothing can be meant: lots of a source that the books have none of, or of two.
    fn of(query: &Query, most_bytes: u64) -> Result<Option<EventsAsked>, Error> {
        let names = ["lotId", "lotSource", "transactionDate", "eventType", "billingProfileId"];
        let all = conditions(query, most_bytes, &names)?;
        let (dates, others): (Vec<Comparison>, Vec<Comparison>) =
            all.into_iter().partition(|one| one.bare().eq_ignore_ascii_case("transactionDate"));
        let (first, last) = days::compared(dates.iter())?;
        let during = between(first, last.map(Day::next))?;
        let asked = CreditEventsAsked { during, kind: None, lot: None };
        let mut told = EventsAsked { asked, event_type: None, profile: None };
        for one in others {
            if one.comparing != Comparing::Equal {
                let problem = format!("`{}` is compared with `eq` only", one.name);
                return Err(Error::invalid(FILTER, problem));
            }
            if !told.narrow(&one)? {
                return Ok(None);
            }
        }
        Ok(Some(told))
    }

    /// Takes one condition in; false where nothing is left.
    fn narrow(&mut self, one: &Comparison) -> Result<bool, Error> {
        let Comparison { name, comparing: _, value } = one;
        let last = value.rsplit('/').next().unwrap_or_default();
        let (place, new) = match one.bare().to_ascii_lowercase().as_str() {
            "lotid" => return Ok(put(&mut self.asked.lot, LotId::new(below_lots(value))?)),
            "lotsource" => {
                let problem = || format!("`{value}` is no value of `{name}`");
                let kind = kind_of(value).ok_or_else(|| Error::invalid(FILTER, problem()))?;
                let Some(kind) = kind else { return Ok(false) };
                return Ok(put(&mut self.asked.kind, kind));
            }
            "eventtype" => (&mut self.event_type, value.clone()),
            _ => (&mut self.profile, last.to_owned()),
        };
        Ok(put(place, new))
    }
}

/// Fills a place; false where something else was there.
fn put<T: PartialEq>(place: &mut Option<T>, new: T) -> bool {
    let is_same = place.as_ref().is_none_or(|old| *old == new);
    *place = Some(new);
    is_same
}

/// The name of a lot, which may have slashes, of that or of its id as a resource.
fn below_lots(value: &str) -> &str {
    let at = value.to_ascii_lowercase().rfind("microsoft.consumption/lots/");
    let length = "microsoft.consumption/lots/".len();
    at.and_then(|at| value.get(at.saturating_add(length)..)).unwrap_or(value)
}

/// From the start of a day, if any, until that of another.
fn between(first: Option<Day>, end: Option<Day>) -> Result<Interval, Error> {
    let start = first.map_or(Instant::MIN, Day::start);
    let end = end.map_or(Instant::MAX, Day::start);
    Interval::new(start, end).map_err(|_| Error::invalid(FILTER, "leaves no day"))
}

pub(crate) type Event = Resource<EventProperties>;

/// `EventProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct EventProperties {
    transaction_date: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_credit: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustments: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_expired: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charges: Option<Amount>,
    closed_balance: Amount,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_number: Option<String>,
    /// Of the second version, as the next four.
    #[serde(skip_serializing_if = "Option::is_none")]
    canceled_credit: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lot_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lot_source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_credit_in_billing_currency: Option<AmountWithExchangeRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustments_in_billing_currency: Option<AmountWithExchangeRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_expired_in_billing_currency: Option<AmountWithExchangeRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charges_in_billing_currency: Option<AmountWithExchangeRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_balance_in_billing_currency: Option<AmountWithExchangeRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller: Option<Reseller>,
}

/// An event as a resource of its scope.
pub(crate) fn view(
    version: Version,
    (scope, account): (&str, &str),
    told: &CreditEvent,
) -> Result<Event, Error> {
    let properties = properties(version, account, told)?;
    Ok(Resource::new(scope, EVENTS, &told.name, properties))
}

fn properties(
    version: Version,
    account: &str,
    told: &CreditEvent,
) -> Result<EventProperties, Error> {
    let (event, is_second) = (&told.event, version == Version::V2021);
    let currency = event.amount.currency();
    let counts_as = counts_as(event.what, event.amount, version);
    let part = |of: CountsAs| {
        let amount = if of == counts_as { event.amount } else { Money::zero(currency) };
        Amount::of(amount)
    };
    let canceled = (is_second && counts_as == CountsAs::Canceled).then(|| Amount::of(event.amount));
    let profile = told.profile.as_ref().filter(|_| is_second);
    let profile_id = |id: &str| format!("{account}/{}/{id}", collection(Level::BillingProfile));
    let number = told.document.as_ref().map(ToString::to_string);
    Ok(EventProperties {
        transaction_date: event.at.to_string(),
        description: description(told, number.as_deref()),
        credit_currency: Some(currency.to_string()),
        billing_currency: Some(currency.to_string()),
        new_credit: Some(part(CountsAs::NewCredit)?),
        adjustments: Some(part(CountsAs::Adjustments)?),
        credit_expired: Some(part(CountsAs::Expired)?),
        charges: Some(part(CountsAs::Charges)?),
        closed_balance: Amount::of(told.closed)?,
        event_type: event_type_of(told),
        invoice_number: number,
        canceled_credit: canceled.transpose()?,
        lot_id: is_second.then(|| lots::id(account, event.lot.as_str())),
        lot_source: is_second.then(|| source(event.kind)),
        billing_profile_id: profile.map(|one| profile_id(&one.id)),
        billing_profile_display_name: profile.map(|one| one.name.clone()),
        new_credit_in_billing_currency: None,
        adjustments_in_billing_currency: None,
        credit_expired_in_billing_currency: None,
        charges_in_billing_currency: None,
        closed_balance_in_billing_currency: None,
        reseller: None,
    })
}

/// In which member what an event changed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CountsAs {
    NewCredit,
    Adjustments,
    Expired,
    Charges,
    Canceled,
}

fn counts_as(what: LotEventKind, amount: Money, version: Version) -> CountsAs {
    let LotEventKind::Changed(what) = what else { return CountsAs::Charges };
    match what {
        LotChangeKind::Purchase | LotChangeKind::Grant if !amount.is_negative() => {
            CountsAs::NewCredit
        }
        LotChangeKind::Purchase | LotChangeKind::Grant => match version {
            // It has no member for what is taken back.
            Version::V2019 => CountsAs::Adjustments,
            Version::V2021 => CountsAs::Canceled,
        },
        LotChangeKind::GivenBack => CountsAs::Adjustments,
        LotChangeKind::Expiry | LotChangeKind::ExpiryAgain => CountsAs::Expired,
    }
}

/// What is booked and neither new credit nor charges has no word of its own.
///
/// Source: `EventProperties.eventType`.
fn event_type_of(told: &CreditEvent) -> &'static str {
    let kind = counts_as(told.event.what, told.event.amount, Version::V2021);
    match (kind, told.is_booked) {
        (CountsAs::NewCredit, true) => "NewCredit",
        (CountsAs::NewCredit, false) => "PendingNewCredit",
        (CountsAs::Charges, true) => "SettledCharges",
        (CountsAs::Charges, false) => "PendingCharges",
        (CountsAs::Expired, false) => "PendingExpiredCredit",
        (CountsAs::Adjustments | CountsAs::Canceled, false) => "PendingAdjustments",
        (CountsAs::Adjustments | CountsAs::Expired | CountsAs::Canceled, true) => "UnKnown",
    }
}

fn description(told: &CreditEvent, number: Option<&str>) -> String {
    let kind = counts_as(told.event.what, told.event.amount, Version::V2021);
    let by = number.map(|number| format!(" by {number}")).unwrap_or_default();
    match (kind, number) {
        (CountsAs::NewCredit, _) => match told.event.kind {
            LotKind::Credit => "Credit granted".to_owned(),
            LotKind::Prepayment => "Prepayment added".to_owned(),
        },
        (CountsAs::Charges, Some(number)) => format!("Settled invoice {number}"),
        (CountsAs::Charges, None) => "Charges of an open billing period".to_owned(),
        (CountsAs::Adjustments, _) => format!("Given back{by}"),
        (CountsAs::Canceled, _) => format!("Taken back{by}"),
        (CountsAs::Expired, _) => "Expired".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_an_account_are_filtered() {
        type Expected = Result<Option<(Option<LotKind>, Option<&'static str>)>, &'static str>;
        let check = |filter: &str, expected: Expected| {
            let query = Query::parse(&format!("$filter={filter}"));
            let told = EventsAsked::of(&query, 400).map_err(|error| error.to_string());
            let told = told.map(|asked| {
                asked.map(|EventsAsked { asked: CreditEventsAsked { kind, lot, .. }, .. }| {
                    (kind, lot.map(|lot| lot.to_string()))
                })
            });
            let expected = expected.map_err(str::to_owned);
            let expected =
                expected.map(|one| one.map(|(kind, lot)| (kind, lot.map(str::to_owned))));
            assert_eq!(told, expected, "{filter}");
        };
        check("", Ok(Some((None, None))));
        check("lotid eq 'G2020' AND lotsource eq 'consumptioncommitment'", Ok(None));
        let prepaid = Some(LotKind::Prepayment);
        check("lotsource eq 'AzurePrepayment'", Ok(Some((prepaid, None))));
        check("lotId eq 'offer/s/2026-09'", Ok(Some((None, Some("offer/s/2026-09")))));
        check(
            "lotId eq '/x/providers/Microsoft.Consumption/lots/a/b'",
            Ok(Some((None, Some("a/b")))),
        );
        check("lotId eq 'a' and lotId eq 'b'", Ok(None));
        check("lotsource lt 'a'", Err("$filter: `lotsource` is compared with `eq` only"));
        check("lotsource eq 'gift'", Err("$filter: `gift` is no value of `lotsource`"));
    }

    #[test]
    fn events_are_asked_for_by_days() {
        let query = "$filter=transactionDate ge 2026-09-01 and transactionDate le 2026-09-30";
        let asked = EventsAsked::of(&Query::parse(query), 400).unwrap().unwrap().asked;
        let at = |text: &str| Instant::parse(text).unwrap();
        assert_eq!(asked.during, Interval::new(at("2026-09-01"), at("2026-10-01")).unwrap());
    }
}
