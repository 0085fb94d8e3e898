//! One usage event: a CloudEvent (structured or binary), or the same members flat in one object.

use axum::http::HeaderMap;
use calendar::{Instant, Interval};
use domain::access::Caller;
use domain::ids::{MeterId, RecordId, SourceName, SubscriptionId};
use domain::usage::{
    Act, Amendment, Billable, ChargeCategory, Dimension, Origin, QuarantineReason, RecordKey,
    UsageRecord,
};
use domain::{Error, Result};
use money::Fixed18;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use service::{Incoming, Reckoner, Unreadable};
use std::collections::BTreeMap;

/// The attributes of a CloudEvent that we read.
///
/// Source: CloudEvents 1.0: `id`, `source`, `specversion` and `type` are required.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes {
    id: Option<String>,
    source: Option<String>,
    specversion: Option<String>,
    kind: Option<String>,
    subject: Option<String>,
    time: Option<String>,
}

impl Attributes {
    /// Attributes of binary mode; none if there are no `ce-` headers.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<Attributes>> {
        let header = |name: &str| -> Result<Option<String>> {
            let value = headers.get(name).map(|value| value.to_str());
            let value = value.transpose().map_err(|_| Error::invalid(name, "is not readable"))?;
            Ok(value.map(str::to_owned))
        };
        let Some(specversion) = header("ce-specversion")? else { return Ok(None) };
        Ok(Some(Attributes {
            id: header("ce-id")?,
            source: header("ce-source")?,
            specversion: Some(specversion),
            kind: header("ce-type")?,
            subject: header("ce-subject")?,
            time: header("ce-time")?,
        }))
    }

    /// The event in structured mode: what is kept of one that cannot be read.
    pub(crate) fn structured(&self, data: &str) -> String {
        let Attributes { id, source, specversion, kind, subject, time } = self;
        let named = [
            ("specversion", specversion),
            ("type", kind),
            ("source", source),
            ("id", id),
            ("subject", subject),
            ("time", time),
        ];
        let mut members: Vec<String> = named
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)))
            .map(|(name, value)| format!("\"{name}\":{}", Value::from(value.as_str())))
            .collect();
        let is_json = serde_json::from_str::<&RawValue>(data).is_ok();
        let data = if is_json { data.to_owned() } else { Value::from(data).to_string() };
        members.push(format!("\"data\":{data}"));
        format!("{{{}}}", members.join(","))
    }

    fn check(&self) -> Result<()> {
        match &self.specversion {
            Some(version) if version != "1.0" => {
                return Err(Error::invalid("specversion", format!("`{version}` is not 1.0")));
            }
            Some(_) if self.kind.is_none() => {
                return Err(Error::invalid("type", "is required of a CloudEvent"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// What was used.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    #[serde(default)]
    billing_account: Option<String>,
    #[serde(default)]
    subscription: Option<String>,
    #[serde(default)]
    resource: String,
    meter: String,
    quantity: Box<RawValue>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    reported_at: Option<String>,
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    billable: Option<bool>,
    #[serde(default)]
    additional_info: Option<Value>,
    #[serde(default)]
    amends: Option<Amends>,
    #[serde(default)]
    withdraws: Option<Amends>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amends {
    id: String,
    actor: String,
    reason: String,
}

/// A structured CloudEvent.
#[derive(Deserialize)]
struct Structured<'a> {
    id: Option<String>,
    source: Option<String>,
    specversion: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    subject: Option<String>,
    time: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<'a> Structured<'a> {
    fn parts(self) -> (Attributes, Option<&'a RawValue>) {
        let Structured { id, source, specversion, kind, subject, time, data } = self;
        (Attributes { id, source, specversion, kind, subject, time }, data)
    }
}

/// Key, time and data in one object: what most senders send, read in one go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flat {
    id: String,
    source: String,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    billing_account: Option<String>,
    #[serde(default)]
    subscription: Option<String>,
    #[serde(default)]
    resource: String,
    meter: String,
    quantity: Box<RawValue>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    reported_at: Option<String>,
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    billable: Option<bool>,
    #[serde(default)]
    additional_info: Option<Value>,
    #[serde(default)]
    amends: Option<Amends>,
    #[serde(default)]
    withdraws: Option<Amends>,
}

impl From<Flat> for Event {
    fn from(flat: Flat) -> Event {
        let Flat {
            id,
            source,
            time,
            billing_account,
            subscription,
            resource,
            meter,
            quantity,
            start,
            end,
            reported_at,
            dimensions,
            tags,
            billable,
            additional_info,
            amends,
            withdraws,
        } = flat;
        let attributes =
            Attributes { id: Some(id), source: Some(source), time, ..Attributes::default() };
        let data = Data {
            billing_account,
            subscription,
            resource,
            meter,
            quantity,
            start,
            end,
            reported_at,
            dimensions,
            tags,
            billable,
            additional_info,
            amends,
            withdraws,
        };
        Event { attributes, data }
    }
}

/// An event whose JSON has the right members.
pub(crate) struct Event {
    attributes: Attributes,
    data: Data,
}

/// An event that cannot be read, with as much of its key as it has.
pub(crate) struct Broken {
    id: Option<String>,
    source: Option<String>,
    billing_account: Option<String>,
    error: Error,
}

impl Event {
    /// Reads an event: binary mode if attributes are given, else structured, else flat.
    pub(crate) fn read(
        json: &str,
        attributes: Option<Attributes>,
    ) -> std::result::Result<Event, Box<Broken>> {
        let read = || -> Result<Event> {
            if let Some(attributes) = attributes.clone() {
                attributes.check()?;
                return Ok(Event { attributes, data: data(json)? });
            }
            if let Some(event) = Event::read_flat(json) {
                return Ok(event);
            }
            let value: Value = parse(json)?;
            let Value::Object(mut members) = value else {
                return Err(Error::invalid("event", "must be a JSON object"));
            };
            if members.contains_key("data") {
                let structured: Structured<'_> = serde_json::from_str(json)
                    .map_err(|e| Error::invalid("event", e.to_string()))?;
                let (attributes, given) = structured.parts();
                attributes.check()?;
                let missing = || Error::invalid("data", "is required");
                let data = data(given.ok_or_else(missing)?.get())?;
                return Ok(Event { attributes, data });
            }
            let mut take = |name: &str| match members.remove(name) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            };
            let attributes = Attributes {
                id: take("id"),
                source: take("source"),
                time: take("time"),
                ..Attributes::default()
            };
            Ok(Event { attributes, data: data(&Value::Object(members).to_string())? })
        };
        read().map_err(|error| Box::new(Broken::of(json, attributes, error)))
    }

    /// A flat event in which nothing is unusual; whatever else it is, the slow way finds out.
    fn read_flat(json: &str) -> Option<Event> {
        let flat: Flat = serde_json::from_str(json).ok()?;
        // A quantity's text is read as it stands, so it must have no escapes.
        let is_plain = !flat.quantity.get().contains('\\');
        is_plain.then(|| Event::from(flat))
    }

    /// The record, or why it cannot be one.
    pub(crate) fn incoming(
        self,
        reckoner: &Reckoner,
        caller: &Caller,
        raw: impl FnOnce() -> String,
        now: Instant,
    ) -> Incoming {
        let broken = |error| Broken {
            id: self.attributes.id.clone(),
            source: self.attributes.source.clone(),
            billing_account: self.data.billing_account.clone(),
            error,
        };
        let named = self.data.billing_account.as_deref();
        let key = key(reckoner, caller, (&self.attributes.id, &self.attributes.source, named));
        match key.and_then(|key| self.record(key)) {
            Ok(record) => Incoming::Record(Box::new(record)),
            Err(error) => broken(error).incoming(reckoner, caller, raw, now),
        }
    }

    /// The record of a known key.
    fn record(&self, key: RecordKey) -> Result<UsageRecord> {
        let Event { attributes, data } = self;
        let subscription = data.subscription.as_ref().or(attributes.subject.as_ref());
        let subscription =
            subscription.ok_or_else(|| Error::invalid("subscription", "is required"))?;
        let details = data.additional_info.as_ref();
        Ok(UsageRecord {
            key,
            act: self.act()?,
            subscription: SubscriptionId::new(subscription)?,
            resource: data.resource.clone(),
            meter: MeterId::new(&data.meter)?,
            quantity: quantity(data.quantity.get())?,
            service_period: self.service_period()?,
            reported_at: data
                .reported_at
                .as_deref()
                .map(|text| instant("reported_at", text))
                .transpose()?,
            dimensions: dimensions(&data.dimensions)?,
            tags: data.tags.clone(),
            category: ChargeCategory::Usage,
            billable: if data.billable == Some(false) { Billable::No } else { Billable::Yes },
            stated_cost: None,
            details: details.map(|info| serde_json::json!({ "additionalInfo": info }).to_string()),
            origin: Origin::Event,
        })
    }

    fn act(&self) -> Result<Act> {
        let amendment = |amends: &Amends| -> Result<Amendment> {
            Ok(Amendment {
                target: RecordId::new(&amends.id)?,
                actor: amends.actor.clone(),
                reason: amends.reason.clone(),
            })
        };
        match (&self.data.amends, &self.data.withdraws) {
            (None, None) => Ok(Act::Use),
            (Some(amends), None) => amendment(amends).map(Act::Amend),
            (None, Some(withdraws)) => amendment(withdraws).map(Act::Withdraw),
            (Some(_), Some(_)) => Err(Error::invalid("amends", "cannot stand beside `withdraws`")),
        }
    }

    fn service_period(&self) -> Result<Interval> {
        let time = self.attributes.time.as_deref();
        let start = self.data.start.as_deref().or(time);
        let start = start.ok_or_else(|| Error::invalid("time", "is required, or `start`"))?;
        let start = instant("time", start)?;
        let end = self.data.end.as_deref().map(|text| instant("end", text)).transpose()?;
        Interval::new(start, end.unwrap_or(start)).map_err(|e| Error::invalid("end", e.to_string()))
    }
}

/// Reads a record from what was kept of it when it could not be read; its key is known.
///
/// Errors: [`Error::Invalid`] when it still cannot be read.
pub fn read_again(key: &RecordKey, raw: &str) -> Result<UsageRecord> {
    Event::read(raw, None).map_err(|broken| broken.error)?.record(key.clone())
}

impl Broken {
    fn of(json: &str, attributes: Option<Attributes>, error: Error) -> Broken {
        let value: Value = serde_json::from_str(json).unwrap_or(Value::Null);
        let text =
            |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let data = value.get("data").unwrap_or(&value);
        let attributes = attributes.unwrap_or_default();
        Broken {
            id: attributes.id.or_else(|| text(&value, "id")),
            source: attributes.source.or_else(|| text(&value, "source")),
            billing_account: text(data, "billing_account"),
            error,
        }
    }

    /// Kept and quarantined if it has a key, else refused.
    pub(crate) fn incoming(
        self,
        reckoner: &Reckoner,
        caller: &Caller,
        raw: impl FnOnce() -> String,
        now: Instant,
    ) -> Incoming {
        let Broken { id, source, billing_account, error } = self;
        let (field, problem) = match error {
            Error::Invalid { field, problem } => (field, problem),
            other => ("record".to_owned(), other.to_string()),
        };
        let key = key(reckoner, caller, (&id, &source, billing_account.as_deref()));
        let Ok(key) = key else { return Incoming::Keyless { field, problem } };
        let reason = match field.as_str() {
            "quantity" => QuarantineReason::BadQuantity,
            _ => QuarantineReason::Unreadable,
        };
        let (raw, field) = (raw(), known_field(&field));
        Incoming::Unreadable(Unreadable { key, used_at: now, reason, field, problem, raw })
    }
}

fn known_field(field: &str) -> &'static str {
    const FIELDS: [&str; 8] =
        ["meter", "subscription", "quantity", "time", "end", "dimensions", "tags", "data"];
    let head = field.split(['.', '[']).next().unwrap_or(field);
    FIELDS.into_iter().find(|known| *known == head).unwrap_or("record")
}

fn key(
    reckoner: &Reckoner,
    caller: &Caller,
    (id, source, account): (&Option<String>, &Option<String>, Option<&str>),
) -> Result<RecordKey> {
    let id = id.as_deref().ok_or_else(|| Error::invalid("id", "is required"))?;
    let source = source.as_deref().ok_or_else(|| Error::invalid("source", "is required"))?;
    let source = SourceName::new(source)?;
    let billing_account = reckoner.account_of(caller, &source, account)?;
    Ok(RecordKey { billing_account, source, id: RecordId::new(id)? })
}

fn parse(json: &str) -> Result<Value> {
    serde_json::from_str(json).map_err(|e| Error::invalid("event", format!("is not JSON: {e}")))
}

fn data(json: &str) -> Result<Data> {
    serde_json::from_str(json).map_err(|e| {
        let text = e.to_string();
        let field = text.split('`').nth(1).unwrap_or("data").to_owned();
        Error::invalid(field, text)
    })
}

/// Reads a quantity from a JSON number or string, digit by digit.
fn quantity(raw: &str) -> Result<Fixed18> {
    let text = raw.trim().trim_matches('"');
    Fixed18::parse(text).map_err(|e| Error::invalid("quantity", e.to_string()))
}

fn instant(field: &'static str, text: &str) -> Result<Instant> {
    Instant::parse(text).map_err(|e| Error::invalid(field, e.to_string()))
}

fn dimensions(given: &BTreeMap<String, String>) -> Result<BTreeMap<Dimension, String>> {
    let read = |(name, value): (&String, &String)| {
        let dimension = Dimension::parse(name);
        let unknown =
            || Error::invalid("dimensions", format!("`{name}` is no dimension; use a tag"));
        dimension.map(|dimension| (dimension, value.clone())).ok_or_else(unknown)
    };
    given.iter().map(read).collect()
}

#[cfg(test)]
impl Event {
    /// Key, meter and quantity as they were read.
    pub(crate) fn told(&self) -> String {
        let Event { attributes: Attributes { id, source, .. }, data } = self;
        format!("{id:?} {source:?} {} {}", data.meter, data.quantity)
    }
}

#[cfg(test)]
impl Broken {
    /// The field that could not be read, and what there is of the key.
    pub(crate) fn told(&self) -> String {
        let field = match &self.error {
            Error::Invalid { field, problem: _ } => field.clone(),
            other => other.to_string(),
        };
        format!("{field} of {:?} {:?}", self.id, self.source)
    }
}
