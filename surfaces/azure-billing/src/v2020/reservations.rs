//! Reservations of a billing account, and how many there are in which state.

use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::resource::term;
use crate::same::holdings::asked_at;
use armkit::{ArmError, Condition, List, Query, alternatives, filter_of};
use axum::Json;
use domain::Error;
use domain::reservations::ReservationState;
use httpkit::{Asking, ExactNumber, Group};
use money::Fixed18;
use serde::Serialize;
use service::{ReservationTold, ReservedFor};

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Of all that an account pays for, and of what one profile does.
        .get("Reservations_ListByBillingAccount", at::ACCOUNT, "/reservations", list)
        .get("Reservations_ListByBillingProfile", at::PROFILE, "/reservations", list)
}

/// States as they are counted, asked for and shown.
const STATES: [&str; 6] = ["Succeeded", "Failed", "Expiring", "Expired", "Pending", "Cancelled"];

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<Reservations>, ArmError> {
    let billing = &listing.billing;
    let (account, profile) = asked_at(billing, &caller, &at).await?;
    let asked = Asked::of(&query, billing.reckoner.limits().filter_bytes)?;
    let all = billing.reckoner.reservations_at(&caller, &account.id, profile.as_ref()).await?;
    let mut all: Vec<Reservation> = all.iter().map(view).collect();
    all.retain(|one| asked.holds(one));
    let summary = all.iter().collect();
    all.retain(|one| asked.state.is_none_or(|state| state == one.state()));
    all.sort_by_cached_key(|one| asked.place(one));
    let page = listing.page(all, |one| asked.place(one))?;
    Ok(Json(Reservations { page, summary }))
}

/// What is asked for beside the place.
#[derive(Debug)]
struct Asked {
    /// All conditions of one of them must hold; any reservation is meant if there are none.
    filter: Vec<Vec<(Member, String)>>,
    order: Vec<(Member, Direction)>,
    state: Option<&'static str>,
}

/// What reservations can be filtered and ordered by.
type Member = fn(&Reservation) -> Option<String>;

/// How a list is ordered by a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Rising,
    Falling,
}

/// Members by their names; those of `properties` without it.
const MEMBERS: [(&str, Member); 13] = [
    ("appliedScopeType", |one| Some(one.properties.applied_scope_type.to_owned())),
    ("displayName", |one| Some(one.properties.display_name.clone())),
    ("displayProvisioningState", |one| Some(one.state().to_owned())),
    ("effectiveDateTime", |one| Some(one.properties.effective_date_time.clone())),
    ("expiryDate", |one| Some(one.properties.expiry_date.clone())),
    ("location", |one| one.location.clone()),
    ("name", |one| Some(one.name.clone())),
    ("provisioningState", |one| Some(one.properties.provisioning_state.to_owned())),
    ("reservedResourceType", |one| one.properties.reserved_resource_type.clone()),
    ("sku/name", |one| one.sku.as_ref().map(|sku| sku.name.clone())),
    ("skuDescription", |one| one.properties.sku_description.clone()),
    ("term", |one| one.properties.term.clone()),
    ("userFriendlyAppliedScopeType", |one| {
        Some(one.properties.user_friendly_applied_scope_type.to_owned())
    }),
];

/// The member that a parameter names.
fn member(parameter: &str, name: &str) -> Result<Member, Error> {
    const PROPERTIES: &str = "properties/";
    let is_below =
        name.get(..PROPERTIES.len()).is_some_and(|head| head.eq_ignore_ascii_case(PROPERTIES));
    let bare = if is_below { name.get(PROPERTIES.len()..).unwrap_or_default() } else { name };
    let known = MEMBERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(bare));
    let unknown = || {
        let names: Vec<&str> = MEMBERS.iter().map(|(name, _)| *name).collect();
        let problem = format!("`{name}` is none of {}", names.join(", "));
        Error::invalid(parameter, problem)
    };
    known.map(|(_, member)| *member).ok_or_else(unknown)
}

impl Asked {
    fn of(query: &Query, filter_most_bytes: u64) -> Result<Asked, Error> {
        let given = |name: &'static str| {
            let text = query.get(name)?;
            Ok::<_, Error>(text.map(str::trim).filter(|text| !text.is_empty()))
        };
        let filter = match filter_of(query)? {
            Some(text) => filter(text, filter_most_bytes)?,
            None => Vec::new(),
        };
        let order = given("$orderby")?.map_or_else(|| Ok(Vec::new()), order)?;
        let state = given("selectedState")?.map(state).transpose()?;
        // Counts are never older than the list.
        match given("refreshSummary")?.map(str::to_ascii_lowercase).as_deref() {
            None | Some("true" | "false") => Ok(Asked { filter, order, state }),
            Some(_) => Err(Error::invalid("refreshSummary", "must be true or false")),
        }
    }

    fn holds(&self, one: &Reservation) -> bool {
        let is = |(member, value): &(Member, String)| {
            member(one).is_some_and(|own| own.to_lowercase() == value.to_lowercase())
        };
        self.filter.is_empty() || self.filter.iter().any(|all| all.iter().all(is))
    }

    /// Where a reservation stands in the list: texts that rise as the list goes on, whoever sees
    /// how much of it, so that its pages fit.
    fn place(&self, one: &Reservation) -> String {
        let key = |(member, direction): &(Member, Direction)| {
            let text = member(one).unwrap_or_default().to_lowercase();
            match direction {
                Direction::Rising => {
                    text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>() + "!"
                }
                // What has the same beginning and is longer comes first.
                Direction::Falling => {
                    text.bytes().map(|byte| format!("{:02x}", !byte)).collect::<String>() + "~"
                }
            }
        };
        self.order.iter().map(key).collect::<String>() + &one.name
    }
}

fn filter(text: &str, most_bytes: u64) -> Result<Vec<Vec<(Member, String)>>, Error> {
    let read = |Condition { name, value }: Condition| {
        member("$filter", &name).map(|member| (member, value))
    };
    let all = alternatives(text, most_bytes)?.into_iter();
    all.map(|own| own.into_iter().map(read).collect()).collect()
}

fn order(text: &str) -> Result<Vec<(Member, Direction)>, Error> {
    let read = |part: &str| {
        let mut words = part.split_whitespace();
        let name = words.next().unwrap_or_default();
        let direction = match words.next().map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => Direction::Rising,
            Some("desc") => Direction::Falling,
            Some(_) => return Err(Error::invalid("$orderby", "is by `asc` or `desc`")),
        };
        if words.next().is_some() {
            return Err(Error::invalid("$orderby", "has commas between its members"));
        }
        Ok((member("$orderby", name)?, direction))
    };
    text.split(',').map(read).collect()
}

fn state(text: &str) -> Result<&'static str, Error> {
    let known = STATES.into_iter().find(|known| known.eq_ignore_ascii_case(text));
    let problem = || format!("`{text}` is none of {}", STATES.join(", "));
    known.ok_or_else(|| Error::invalid("selectedState", problem()))
}

/// `ReservationsListResult`.
#[derive(Debug, Serialize)]
pub(crate) struct Reservations {
    #[serde(flatten)]
    pub(crate) page: List<Reservation>,
    pub(crate) summary: ReservationSummary,
}

/// `ReservationSummary`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationSummary {
    succeeded_count: usize,
    failed_count: usize,
    expiring_count: usize,
    expired_count: usize,
    pending_count: usize,
    cancelled_count: usize,
}

impl<'a> FromIterator<&'a Reservation> for ReservationSummary {
    fn from_iter<I: IntoIterator<Item = &'a Reservation>>(all: I) -> ReservationSummary {
        let states: Vec<&str> = all.into_iter().map(Reservation::state).collect();
        let count = |of: &str| states.iter().filter(|state| **state == of).count();
        let [succeeded, failed, expiring, expired, pending, cancelled] = STATES;
        ReservationSummary {
            succeeded_count: count(succeeded),
            failed_count: count(failed),
            expiring_count: count(expiring),
            expired_count: count(expired),
            pending_count: count(pending),
            cancelled_count: count(cancelled),
        }
    }
}

/// `Reservation`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize))]
#[cfg_attr(test, serde(default, bound(deserialize = "'de: 'static")))]
pub(crate) struct Reservation {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<ReservationSku>,
    properties: ReservationProperties,
}

impl Reservation {
    /// Its state as it is counted.
    fn state(&self) -> &'static str {
        self.properties.display_provisioning_state
    }
}

/// `ReservationSkuProperty`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ReservationSku {
    name: String,
}

/// `ReservationProperty`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ReservationProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_scopes: Option<Vec<String>>,
    applied_scope_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved_resource_type: Option<String>,
    quantity: ExactNumber<Fixed18>,
    provisioning_state: &'static str,
    expiry_date: String,
    display_name: String,
    display_provisioning_state: &'static str,
    user_friendly_renew_state: &'static str,
    user_friendly_applied_scope_type: &'static str,
    effective_date_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<String>,
    renew: bool,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioning_sub_state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utilization: Option<Utilization>,
}

/// How far a reservation was used lately.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct Utilization {
    trend: String,
    aggregates: Vec<UtilizationAggregate>,
}

/// `ReservationUtilizationAggregates`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct UtilizationAggregate {
    grain: ExactNumber<Fixed18>,
    grain_unit: String,
    value: ExactNumber<Fixed18>,
    value_unit: String,
}

pub(crate) fn view(told: &ReservationTold) -> Reservation {
    let (id, counted) = (&told.id, told.counted.as_ref());
    let (scope_type, scopes) = scope(&told.covers);
    let region = counted.map(|meter| meter.region.clone()).filter(|region| !region.is_empty());
    let (provisioning_state, shown_state) = states(told.state);
    Reservation {
        // An order holds one reservation, and has its id.
        id: format!("/providers/Microsoft.Capacity/reservationOrders/{id}/reservations/{id}"),
        name: format!("{id}/{id}"),
        kind: "Microsoft.Capacity/reservationOrders/reservations".to_owned(),
        location: told.location.clone().or(region),
        sku: told.meter.as_ref().map(|meter| ReservationSku { name: meter.to_string() }),
        properties: ReservationProperties {
            applied_scopes: scopes,
            applied_scope_type: scope_type,
            reserved_resource_type: counted.map(|meter| meter.category.clone()),
            quantity: ExactNumber(told.quantity),
            provisioning_state,
            expiry_date: told.ends_at.day().to_string(),
            display_name: id.to_string(),
            display_provisioning_state: shown_state,
            // Nothing is bought anew by itself.
            user_friendly_renew_state: "Off",
            user_friendly_applied_scope_type: scope_type,
            effective_date_time: told.term.start().to_string(),
            sku_description: counted.map(|meter| meter.name.clone()),
            term: term(told.term),
            renew: false,
            provisioning_sub_state: None,
            renew_source: None,
            utilization: None,
        },
    }
}

/// Type of the scope, and what is in it; nothing is named where all of the account is.
fn scope(covers: &ReservedFor) -> (&'static str, Option<Vec<String>>) {
    match covers {
        ReservedFor::Subscription(id) => ("Single", Some(vec![format!("/subscriptions/{id}")])),
        ReservedFor::Place(place) => {
            ("Single", Some(place.iter().map(|told| at::id(told)).collect()))
        }
        ReservedFor::Account => ("Shared", None),
    }
}

/// The state, and as it is shown and counted.
const fn states(state: ReservationState) -> (&'static str, &'static str) {
    match state {
        ReservationState::Pending => ("Pending", "Pending"),
        ReservationState::Active => ("Succeeded", "Succeeded"),
        ReservationState::Expiring => ("Succeeded", "Expiring"),
        ReservationState::Expired => ("Expired", "Expired"),
        ReservationState::Cancelled => ("Cancelled", "Cancelled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described_holdings::reservation;

    fn asked(query: &str) -> Result<Asked, String> {
        Asked::of(&Query::parse(query), 4_096).map_err(|error| error.to_string())
    }

    /// The ids of these that are asked for, in their order.
    fn told(all: &[ReservationTold], query: &str) -> String {
        let asked = asked(query).unwrap();
        let mut all: Vec<Reservation> = all.iter().map(view).collect();
        all.retain(|one| asked.holds(one) && asked.state.is_none_or(|it| it == one.state()));
        all.sort_by_cached_key(|one| asked.place(one));
        let names = all.iter().map(|one| one.properties.display_name.as_str());
        names.collect::<Vec<_>>().join(" ")
    }

    fn three() -> Vec<ReservationTold> {
        let with = |id: &str, location: &str, state| ReservationTold {
            location: Some(location.to_owned()),
            state,
            ..reservation(id)
        };
        vec![
            with("a", "eu", ReservationState::Active),
            with("b", "us", ReservationState::Expiring),
            with("c", "eun", ReservationState::Active),
        ]
    }

    #[test]
    fn reservations_are_filtered_ordered_and_chosen_by_state() {
        let all = three();
        let check =
            |query: &str, expected: &str| assert_eq!(told(&all, query), expected, "{query}");
        check("", "a b c");
        check("$filter=location eq 'EU'", "a");
        check("$filter=location eq 'eu' or location eq us", "a b");
        check("$filter=properties/displayName eq 'a' and location eq 'us'", "");
        check("$filter=sku/name eq 'vm' and properties/term eq 'P3Y'", "a b c");
        check("$orderby=location", "a c b");
        check("$orderby=properties/location desc", "b c a");
        check("$orderby=provisioningState asc, displayName desc", "c b a");
        check("selectedState=succeeded&refreshSummary=True", "a c");
        check("selectedState=Expiring", "b");
        check("selectedState=", "a b c");
    }

    #[test]
    fn what_cannot_be_asked_of_reservations_is_refused_by_its_parameter() {
        let check = |query: &str, start: &str| {
            let refused = asked(query).err().unwrap_or_default();
            assert!(refused.starts_with(start), "{query}: {refused}");
        };
        check("$filter=nothing eq 1", "$filter: `nothing` is none of appliedScopeType,");
        check("$filter=location gt 'x'", "$filter: at character 10: `eq` is expected");
        check("$orderby=nothing", "$orderby: `nothing` is none of");
        check("$orderby=term up", "$orderby: is by `asc` or `desc`");
        check("selectedState=nothing", "selectedState: `nothing` is none of Succeeded,");
        check("refreshSummary=nothing", "refreshSummary: must be true or false");
    }

    #[test]
    fn states_are_counted() {
        let views: Vec<Reservation> = three().iter().map(view).collect();
        let counted: ReservationSummary = views.iter().collect();
        let expected =
            ReservationSummary { succeeded_count: 2, expiring_count: 1, ..Default::default() };
        assert_eq!(counted, expected);
    }
}
