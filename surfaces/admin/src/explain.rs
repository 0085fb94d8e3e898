//! Explain: from a number back to the records, the meter, the price and the rounding.

use crate::charges::Waiting;
use crate::prices::{Meter, Price};
use crate::wire::{self, Days, Filter, Place, listed};
use axum::Json;
use axum::extract::State;
use calendar::Instant;
use domain::company::Placement;
use domain::ids::BillingAccountId;
use domain::rated::{PriceReference, RatedRow, Reserved};
use domain::usage::{
    Act, Amendment, Billable, Dimension, Origin, Quarantined, RecordKey, UsageRecord,
};
use httpkit::{Asking, Faults, JsonBody, Parameters, Refusal};
use money::Cost;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{ExplainedRow, Explanation, Reckoner};
use std::collections::BTreeMap;

/// Explains every rated row of one record.
pub(crate) async fn record(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Key>,
) -> Result<Json<Answer>, Refusal> {
    let key = RecordKey::try_from(asked)?;
    Ok(Json(reckoner.explain_record(&caller, &key).await?.into()))
}

/// Explains a total, with as many of its rows as asked for.
pub(crate) async fn total(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    JsonBody(asked): JsonBody<Total>,
) -> Result<Json<TotalAnswer>, Refusal> {
    let Total { billing_account, from, until, month, filters, rows } = asked;
    let mut faults = Faults::default();
    let account = faults.read("billing_account", BillingAccountId::new(&billing_account));
    let days = wire::days(&mut faults, Days { from, until, month }, reckoner.now());
    let filters = wire::filters(&mut faults, filters);
    let (account, days, filters) = faults.end(
        account.zip(days).zip(filters).map(|((account, days), filters)| (account, days, filters)),
    )?;
    let rows = usize::try_from(listed(&reckoner, rows, 20)?).unwrap_or(usize::MAX);
    let left_out = reckoner.left_out(&caller, Some(&account), &days).await?;
    let answer = reckoner.explain_total(&caller, &account, days, &filters, rows).await?.into();
    let left_out = left_out.into_iter().map(Waiting::from).collect();
    Ok(Json(TotalAnswer { answer, left_out }))
}

/// Which record.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    billing_account: String,
    source: String,
    id: String,
}

impl TryFrom<Key> for RecordKey {
    type Error = Refusal;

    fn try_from(Key { billing_account, source, id }: Key) -> Result<RecordKey, Refusal> {
        let mut faults = Faults::default();
        let key = wire::key(&mut faults, (&billing_account, &source, &id));
        faults.end(key)
    }
}

/// Which total.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Total {
    billing_account: String,
    from: Option<String>,
    until: Option<String>,
    month: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    rows: Option<u64>,
}

/// How a total came about, and which records of its billing periods are not in it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TotalAnswer {
    #[serde(flatten)]
    answer: Answer,
    left_out: Vec<Waiting>,
}

/// How a number came about.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    rule_version: u16,
    row_count: u64,
    totals: Vec<Amount>,
    rows: Vec<Explained>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<Waits>,
}

/// Why a record has no rated rows.
#[derive(Serialize, JsonSchema)]
struct Waits {
    reason: &'static str,
    field: &'static str,
}

impl From<Quarantined> for Waits {
    fn from(Quarantined { position: _, key: _, reason, field }: Quarantined) -> Waits {
        Waits { reason: reason.name(), field }
    }
}

impl From<Explanation> for Answer {
    fn from(explanation: Explanation) -> Answer {
        let Explanation { rule_version, row_count, totals, rows, waits } = explanation;
        let totals = totals.into_values().map(Amount::from).collect();
        let rows = rows.into_iter().map(Explained::from).collect();
        Answer { rule_version, row_count, totals, rows, waits: waits.map(Waits::from) }
    }
}

/// An exact cost.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Amount {
    cost: String,
    currency: String,
}

impl From<Cost> for Amount {
    fn from(Cost { major, currency }: Cost) -> Amount {
        Amount { cost: major.to_string(), currency: currency.to_string() }
    }
}

/// How one rated row came about.
#[derive(Serialize, JsonSchema)]
struct Explained {
    row: Row,
    record: Option<Record>,
    meter: Option<Meter>,
    placement: Option<Payer>,
    price: Option<Price>,
    why: String,
}

impl From<ExplainedRow> for Explained {
    fn from(explained: ExplainedRow) -> Explained {
        let ExplainedRow { row, record, meter, placement, price, why } = explained;
        Explained {
            row: row.into(),
            record: record.map(Record::from),
            meter: meter.map(Meter::from),
            placement: placement.map(Payer::from),
            price: price.map(Price::from),
            why,
        }
    }
}

/// A rated row.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Row {
    position: Option<Place>,
    slice: u16,
    kind: &'static str,
    billing_account: String,
    subscription: String,
    resource: String,
    meter: String,
    category: &'static str,
    start: String,
    end: String,
    reported_at: String,
    quantity: String,
    unit_price: Option<String>,
    tier: u16,
    cost: String,
    currency: String,
    price: Option<Reference>,
    counter_before: String,
    dimensions: BTreeMap<&'static str, String>,
    tags: BTreeMap<String, String>,
    details: Option<String>,
    amortised: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<Hours>,
}

impl From<RatedRow> for Row {
    fn from(row: RatedRow) -> Row {
        let amortised = row.amortised().to_string();
        let RatedRow {
            position,
            slice,
            kind,
            billing_account,
            subscription,
            resource,
            meter,
            category,
            service_period,
            reported_at,
            quantity,
            unit_price,
            tier,
            cost,
            price,
            counter_before,
            dimensions,
            tags,
            details,
            reserved,
        } = row;
        Row {
            position: position.map(Place::from),
            slice,
            kind: kind.name(),
            billing_account: billing_account.to_string(),
            subscription: subscription.to_string(),
            resource,
            meter: meter.to_string(),
            category: category.name(),
            start: service_period.start().to_string(),
            end: service_period.end().to_string(),
            reported_at: reported_at.to_string(),
            quantity: quantity.to_string(),
            unit_price: unit_price.map(|price| price.to_string()),
            tier,
            cost: cost.major.to_string(),
            currency: cost.currency.to_string(),
            price: price.map(Reference::from),
            counter_before: counter_before.to_string(),
            dimensions: named(dimensions),
            tags,
            details,
            amortised,
            reserved: reserved.map(|reserved| (*reserved).into()),
        }
    }
}

/// The hours of a reservation that covered a row's usage, or were lost.
#[derive(Serialize, JsonSchema)]
struct Hours {
    reservation: String,
    from: String,
    until: String,
    list_cost: String,
    unused: String,
}

impl From<Reserved> for Hours {
    fn from(reserved: Reserved) -> Hours {
        let Reserved { reservation, hours, amortised: _, list_cost, unused } = reserved;
        Hours {
            reservation: reservation.to_string(),
            from: hours.start().to_string(),
            until: hours.end().to_string(),
            list_cost: list_cost.to_string(),
            unused: unused.to_string(),
        }
    }
}

/// Which version of which price made a cost.
#[derive(Serialize, JsonSchema)]
struct Reference {
    list: String,
    version: u64,
    lineage: String,
    effective_from: String,
}

impl From<PriceReference> for Reference {
    fn from(reference: PriceReference) -> Reference {
        let PriceReference { list, version, lineage, effective_from } = reference;
        let (list, effective_from) = (list.to_string(), effective_from.to_string());
        Reference { list, version, lineage, effective_from }
    }
}

/// A usage record.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Record {
    billing_account: String,
    source: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    amends: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdraws: Option<Named>,
    subscription: String,
    resource: String,
    meter: String,
    quantity: String,
    start: String,
    end: String,
    reported_at: Option<String>,
    dimensions: BTreeMap<&'static str, String>,
    tags: BTreeMap<String, String>,
    category: &'static str,
    billable: bool,
    stated_cost: Option<Amount>,
    details: Option<String>,
    origin: &'static str,
}

impl From<UsageRecord> for Record {
    fn from(record: UsageRecord) -> Record {
        let UsageRecord {
            key: RecordKey { billing_account, source, id },
            act,
            subscription,
            resource,
            meter,
            quantity,
            service_period,
            reported_at,
            dimensions,
            tags,
            category,
            billable,
            stated_cost,
            details,
            origin,
        } = record;
        let (amends, withdraws) = match act {
            Act::Use => (None, None),
            Act::Amend(amendment) => (Some(amendment.into()), None),
            Act::Withdraw(amendment) => (None, Some(amendment.into())),
        };
        Record {
            billing_account: billing_account.to_string(),
            source: source.to_string(),
            id: id.to_string(),
            amends,
            withdraws,
            subscription: subscription.to_string(),
            resource,
            meter: meter.to_string(),
            quantity: quantity.to_string(),
            start: service_period.start().to_string(),
            end: service_period.end().to_string(),
            reported_at: reported_at.map(|at| at.to_string()),
            dimensions: named(dimensions),
            tags,
            category: category.name(),
            billable: match billable {
                Billable::Yes => true,
                Billable::No => false,
            },
            stated_cost: stated_cost.map(Amount::from),
            details,
            origin: match origin {
                Origin::Event => "event",
                Origin::Extract => "extract",
            },
        }
    }
}

/// The record that another one names.
#[derive(Serialize, JsonSchema)]
struct Named {
    id: String,
    actor: String,
    reason: String,
}

impl From<Amendment> for Named {
    fn from(Amendment { target, actor, reason }: Amendment) -> Named {
        Named { id: target.to_string(), actor, reason }
    }
}

/// Who paid on which offer; from the beginning and until further notice where no time stands.
#[derive(Serialize, JsonSchema)]
struct Payer {
    from: Option<String>,
    until: Option<String>,
    billing_account: String,
    profile: Option<String>,
    offer: String,
}

impl From<Placement> for Payer {
    fn from(Placement { during, billing_account, profile, offer }: Placement) -> Payer {
        let bound = |at: Instant, open: Instant| (at != open).then(|| at.to_string());
        Payer {
            from: bound(during.start(), Instant::MIN),
            until: bound(during.end(), Instant::MAX),
            billing_account: billing_account.to_string(),
            profile,
            offer: offer.to_string(),
        }
    }
}

fn named(dimensions: BTreeMap<Dimension, String>) -> BTreeMap<&'static str, String> {
    dimensions.into_iter().map(|(dimension, value)| (dimension.name(), value)).collect()
}
