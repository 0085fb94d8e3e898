//! One usage event: a CloudEvent (structured or binary), or the same members flat in one object.

use crate::misread::wrong_member;
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
use percent_encoding::percent_decode;
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
            let Some(value) = headers.get(name) else { return Ok(None) };
            // As the HTTP binding says: what a header cannot hold is written in percent.
            let value = percent_decode(value.as_bytes()).decode_utf8();
            let value = value.map_err(|_| Error::invalid(name, "is not readable"))?;
            Ok(Some(value.into_owned()))
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

/// What a record is made of, as texts: the members of a flat event.
///
/// Borrowed from the request, so that the usual event is read in one go and copied once. What has
/// escapes in its texts, amends something or tells more is an [`Event`] first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields<'a> {
    #[serde(default)]
    id: Option<&'a str>,
    #[serde(default)]
    source: Option<&'a str>,
    #[serde(default)]
    time: Option<&'a str>,
    #[serde(default)]
    billing_account: Option<&'a str>,
    #[serde(default)]
    subscription: Option<&'a str>,
    #[serde(default)]
    resource: &'a str,
    meter: &'a str,
    #[serde(borrow)]
    quantity: &'a RawValue,
    #[serde(default)]
    start: Option<&'a str>,
    #[serde(default)]
    end: Option<&'a str>,
    #[serde(default)]
    reported_at: Option<&'a str>,
    #[serde(default, borrow)]
    dimensions: BTreeMap<&'a str, &'a str>,
    #[serde(default, borrow)]
    tags: BTreeMap<&'a str, &'a str>,
    #[serde(default)]
    billable: Option<bool>,
}

impl<'a> Fields<'a> {
    /// The fields of a flat event in which nothing is unusual.
    pub(crate) fn read(json: &'a str) -> Option<Fields<'a>> {
        let fields: Fields<'a> = serde_json::from_str(json).ok()?;
        // A quantity's text is read as it stands, so it must have no escapes.
        (!fields.quantity.get().contains('\\')).then_some(fields)
    }

    /// The record of plain use.
    pub(crate) fn record(&self, reckoner: &Reckoner, caller: &Caller) -> Result<UsageRecord> {
        self.record_of(self.key(reckoner, caller)?)
    }

    fn key(&self, reckoner: &Reckoner, caller: &Caller) -> Result<RecordKey> {
        key(reckoner, caller, (self.id, self.source, self.billing_account))
    }

    fn record_of(&self, key: RecordKey) -> Result<UsageRecord> {
        let subscription =
            self.subscription.ok_or_else(|| Error::invalid("subscription", "is required"))?;
        let reported_at = self.reported_at.map(|text| instant("reported_at", text));
        let owned = |(key, value): (&&str, &&str)| ((*key).to_owned(), (*value).to_owned());
        Ok(UsageRecord {
            key,
            act: Act::Use,
            subscription: SubscriptionId::new(subscription)?,
            resource: self.resource.to_owned(),
            meter: MeterId::new(self.meter)?,
            quantity: quantity(self.quantity.get())?,
            service_period: self.service_period()?,
            reported_at: reported_at.transpose()?,
            dimensions: dimensions(&self.dimensions)?,
            tags: self.tags.iter().map(owned).collect(),
            category: ChargeCategory::Usage,
            billable: if self.billable == Some(false) { Billable::No } else { Billable::Yes },
            stated_cost: None,
            details: None,
            origin: Origin::Event,
        })
    }

    fn service_period(&self) -> Result<Interval> {
        let start = match (self.start, self.time) {
            (Some(start), _) => instant("start", start)?,
            (None, Some(time)) => instant("time", time)?,
            (None, None) => return Err(Error::invalid("time", "is required, or `start`")),
        };
        let end = self.end.map(|text| instant("end", text)).transpose()?;
        Interval::new(start, end.unwrap_or(start)).map_err(|e| Error::invalid("end", e.to_string()))
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
            let value: Value = parse(json)?;
            let Value::Object(mut members) = value else {
                return Err(Error::invalid("event", "must be a JSON object"));
            };
            if members.contains_key("data") {
                let (attributes, given) = structured(json)?.parts();
                attributes.check()?;
                let missing = || Error::invalid("data", "is required");
                let data = data(given.ok_or_else(missing)?.get())?;
                return Ok(Event { attributes, data });
            }
            if let Some(time) =
                members.get("time").filter(|time| !time.is_string() && !time.is_null())
            {
                return Err(Error::invalid("time", format!("`{time}` is no text")));
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
        let key = self.fields().key(reckoner, caller);
        match key.and_then(|key| self.record(key)) {
            Ok(record) => Incoming::Record(Box::new(record)),
            Err(error) => broken(error).incoming(reckoner, caller, raw, now),
        }
    }

    /// The record of a known key.
    fn record(&self, key: RecordKey) -> Result<UsageRecord> {
        let details = self.data.additional_info.as_ref();
        let details = details.map(|info| serde_json::json!({ "additionalInfo": info }).to_string());
        let record = self.fields().record_of(key)?;
        Ok(UsageRecord { act: self.act()?, details, ..record })
    }

    fn fields(&self) -> Fields<'_> {
        let Event { attributes, data } = self;
        let Attributes { id, source, specversion: _, kind: _, subject, time } = attributes;
        Fields {
            id: id.as_deref(),
            source: source.as_deref(),
            time: time.as_deref(),
            billing_account: data.billing_account.as_deref(),
            subscription: data.subscription.as_deref().or(subject.as_deref()),
            resource: &data.resource,
            meter: &data.meter,
            quantity: &data.quantity,
            start: data.start.as_deref(),
            end: data.end.as_deref(),
            reported_at: data.reported_at.as_deref(),
            dimensions: borrowed(&data.dimensions),
            tags: borrowed(&data.tags),
            billable: data.billable,
        }
    }

    fn act(&self) -> Result<Act> {
        let amendment = |name: &str, amends: &Amends| -> Result<Amendment> {
            let target = RecordId::new(&amends.id);
            Ok(Amendment {
                target: target.map_err(|error| Error::invalid(name, error.to_string()))?,
                actor: amends.actor.clone(),
                reason: amends.reason.clone(),
            })
        };
        match (&self.data.amends, &self.data.withdraws) {
            (None, None) => Ok(Act::Use),
            (Some(amends), None) => amendment("amends", amends).map(Act::Amend),
            (None, Some(withdraws)) => amendment("withdraws", withdraws).map(Act::Withdraw),
            (Some(_), Some(_)) => Err(Error::invalid("amends", "cannot stand beside `withdraws`")),
        }
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
        let given = (id.as_deref(), source.as_deref(), billing_account.as_deref());
        let Ok(key) = key(reckoner, caller, given) else {
            return Incoming::Keyless { field, problem };
        };
        let reason = match field.as_str() {
            "quantity" => QuarantineReason::BadQuantity,
            _ => QuarantineReason::Unreadable,
        };
        // `event` is no member, but the whole.
        let field = if field == "event" { "record".to_owned() } else { field };
        let raw = raw();
        Incoming::Unreadable(Unreadable { key, used_at: now, reason, field, problem, raw })
    }
}

fn key(
    reckoner: &Reckoner,
    caller: &Caller,
    (id, source, account): (Option<&str>, Option<&str>, Option<&str>),
) -> Result<RecordKey> {
    let id = id.ok_or_else(|| Error::invalid("id", "is required"))?;
    let source = source.ok_or_else(|| Error::invalid("source", "is required"))?;
    let source = SourceName::new(source)?;
    let billing_account = reckoner.account_of(caller, &source, account)?;
    Ok(RecordKey { billing_account, source, id: RecordId::new(id)? })
}

fn parse(json: &str) -> Result<Value> {
    serde_json::from_str(json).map_err(|e| Error::invalid("event", format!("is not JSON: {e}")))
}

fn data(json: &str) -> Result<Data> {
    let read = |json: &str| serde_json::from_str::<Data>(json);
    read(json).map_err(|error| wrong_member(json, "data", &error, |one| read(one).err()))
}

fn structured(json: &str) -> Result<Structured<'_>> {
    let alone = |one: &str| serde_json::from_str::<Structured<'_>>(one).err();
    serde_json::from_str(json).map_err(|error| wrong_member(json, "event", &error, alone))
}

/// Reads a quantity from a JSON number or string, digit by digit.
fn quantity(raw: &str) -> Result<Fixed18> {
    let text = raw.trim().trim_matches('"');
    Fixed18::parse(text).map_err(|e| Error::invalid("quantity", e.to_string()))
}

fn instant(field: &'static str, text: &str) -> Result<Instant> {
    Instant::parse(text).map_err(|e| Error::invalid(field, e.to_string()))
}

fn dimensions(given: &BTreeMap<&str, &str>) -> Result<BTreeMap<Dimension, String>> {
    let read = |(name, value): (&&str, &&str)| {
        let dimension = Dimension::parse(name);
        let unknown =
            || Error::invalid("dimensions", format!("`{name}` is no dimension; use a tag"));
        dimension.map(|dimension| (dimension, (*value).to_owned())).ok_or_else(unknown)
    };
    given.iter().map(read).collect()
}

fn borrowed(texts: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    texts.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[cfg(test)]
impl Event {
    /// Key, meter and quantity as they were read.
    pub(crate) fn told(&self) -> String {
        self.fields().told()
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

#[cfg(test)]
impl Fields<'_> {
    /// Key, meter and quantity as they were read.
    pub(crate) fn told(&self) -> String {
        format!("{:?} {:?} {} {}", self.id, self.source, self.meter, self.quantity)
    }
}
