//! Which usage details are asked for: the scope and billing period of an address, `metric`, and
//! what `$filter` says of days and properties.
//!
//! Source: the descriptions of `UsageDetails_List` and `Marketplaces_List`.

use crate::balances::{FIRST_PERIOD, demand_data};
use crate::resource::{resource_group, resource_name};
use crate::scopes::{Form, Spot, period_name};
use armkit::{Comparing, Comparison, Query, conditions};
use calendar::{BillingPeriod, Day, Instant};
use domain::Error;
use domain::agreements::AgreementType;
use domain::credits::Coverage;
use domain::rated::RowKind;
use domain::usage::ChargeCategory;
use service::{DetailFilter, DetailKind, DetailSpan, DetailTold, DetailsAsked};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

const FILTER: &str = "$filter";
/// Properties that say of when: dates count as whole days.
const DATES: [&str; 3] = ["usageStart", "usageEnd", "date"];
const TAGS: &str = "tags";
/// Billing periods that a range of days may touch.
///
/// Source: `enterprise-reporting.md` section 1.
const MONTHS_MOST: i32 = 36;

/// What a property of a detail is; none where it has none.
type Property = (&'static str, fn(&DetailTold) -> Option<String>);

/// Properties that `$filter` compares, of usage details.
const OF_USAGE: [Property; 8] = [
    ("resourceGroup", group),
    ("resourceName", name),
    ("instanceName", name),
    ("resourceId", id),
    ("instanceId", id),
    ("chargeType", charge),
    ("reservationId", reservation),
    ("publisherType", publisher),
];
/// The same of marketplace charges.
const OF_MARKETPLACE: [Property; 3] =
    [("resourceGroup", group), ("instanceName", name), ("instanceId", id)];

fn group(told: &DetailTold) -> Option<String> {
    resource_group(&told.resource).map(str::to_owned)
}

fn name(told: &DetailTold) -> Option<String> {
    resource_name(&told.resource).map(str::to_owned)
}

fn id(told: &DetailTold) -> Option<String> {
    (!told.resource.is_empty()).then(|| told.resource.clone())
}

fn charge(told: &DetailTold) -> Option<String> {
    Some(charge_type(told).to_owned())
}

fn reservation(told: &DetailTold) -> Option<String> {
    told.reservation.as_ref().map(|reservation| reservation.id.clone())
}

fn publisher(told: &DetailTold) -> Option<String> {
    Some(publisher_type(told).to_owned())
}

/// Which costs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// What is billed, purchases of reservations among it.
    Actual,
    /// Reservations spread over their hours, and no purchases of them.
    Amortised,
    /// What was used, and nothing else.
    Usage,
}

impl Metric {
    /// Reads it; what is billed, where nothing is said.
    ///
    /// Errors: [`Error::Invalid`].
    pub(crate) fn of(query: &Query) -> Result<Metric, Error> {
        let given = query.get("metric")?.unwrap_or_default();
        match given.to_ascii_lowercase().as_str() {
            "" | "actualcost" => Ok(Metric::Actual),
            "amortizedcost" => Ok(Metric::Amortised),
            "usage" => Ok(Metric::Usage),
            _ => {
                let problem = "must be one of `actualcost`, `amortizedcost`, `usage`";
                Err(Error::invalid("metric", problem))
            }
        }
    }

    fn has(self, told: &DetailTold) -> bool {
        match (self, told.kind) {
            (Metric::Amortised, DetailKind::Charge) => told.reservation.is_none(),
            (Metric::Amortised, _) => true,
            (_, DetailKind::Rated(RowKind::Unused)) => false,
            (Metric::Usage, kind) => matches!(kind, DetailKind::Rated(_)),
            (Metric::Actual, _) => true,
        }
    }
}

/// The usage details of a scope. Purchases of prepayment are no usage; under an enterprise
/// agreement marketplace charges stand beside.
///
/// Errors: [`Error::Invalid`] naming what of the query cannot be read.
pub(crate) fn usage(
    spot: &Spot,
    query: &Query,
    (now, most_bytes): (Instant, u64),
) -> Result<DetailsAsked, Error> {
    let metric = Metric::of(query)?;
    let is_apart = spot.account.kind == Some(AgreementType::Enterprise);
    let counts = move |told: &DetailTold| match told.coverage {
        Coverage::Covered | Coverage::Separate => metric.has(told),
        Coverage::Marketplace => !is_apart && metric.has(told),
        Coverage::Purchase => false,
    };
    let known = [TAGS];
    asked(spot, query, (now, most_bytes), (&OF_USAGE, &known), (format!("{metric:?}"), counts))
}

/// The marketplace charges of a scope.
///
/// Errors: as [`usage`].
pub(crate) fn marketplace(
    spot: &Spot,
    query: &Query,
    clock: (Instant, u64),
) -> Result<DetailsAsked, Error> {
    let counts = |told: &DetailTold| {
        told.coverage == Coverage::Marketplace && told.kind != DetailKind::Rated(RowKind::Unused)
    };
    asked(spot, query, clock, (&OF_MARKETPLACE, &[]), ("marketplace".to_owned(), counts))
}

/// All that was used at a scope in some billing periods, whatever it is.
pub(crate) fn whole(spot: &Spot, days: Range<Day>) -> DetailsAsked {
    let within = within_group(spot);
    DetailsAsked {
        scope: spot.scope.clone(),
        span: DetailSpan::Days(days),
        kinds: BTreeSet::new(),
        filter: Some(DetailFilter {
            asked: format!("{:?}", spot.resource_group),
            keeps: Arc::new(within),
        }),
    }
}

fn asked(
    spot: &Spot,
    query: &Query,
    (now, most_bytes): (Instant, u64),
    (properties, others): (&'static [Property], &[&str]),
    (named, counts): (String, impl Fn(&DetailTold) -> bool + Send + Sync + 'static),
) -> Result<DetailsAsked, Error> {
    let mut names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    names.extend(DATES);
    names.extend(others);
    let conditions = conditions(query, most_bytes, &names)?;
    let (dates, others): (Vec<Comparison>, Vec<Comparison>) =
        conditions.into_iter().partition(|one| is_date(one.bare()));
    let tests = others.iter().map(|one| test(properties, one)).collect::<Result<Vec<_>, _>>()?;
    let within = within_group(spot);
    let text = query.get(FILTER)?.unwrap_or_default();
    Ok(DetailsAsked {
        scope: spot.scope.clone(),
        span: span(&dates, spot.period, now)?,
        kinds: BTreeSet::new(),
        filter: Some(DetailFilter {
            asked: format!("{named} {:?} {text}", spot.resource_group),
            keeps: Arc::new(move |told: &DetailTold| {
                counts(told) && within(told) && tests.iter().all(|test| test(told))
            }),
        }),
    })
}

fn is_date(name: &str) -> bool {
    DATES.iter().any(|date| name.eq_ignore_ascii_case(date))
}

/// Whether a detail is of the resource group that is asked for, if one is.
fn within_group(spot: &Spot) -> impl Fn(&DetailTold) -> bool + Send + Sync + use<> {
    let asked = spot.resource_group.clone().filter(|_| spot.form == Form::ResourceGroup);
    move |told: &DetailTold| {
        asked.as_ref().is_none_or(|asked| {
            resource_group(&told.resource).is_some_and(|own| own.eq_ignore_ascii_case(asked))
        })
    }
}

type Test = Box<dyn Fn(&DetailTold) -> bool + Send + Sync>;

/// What one comparison asks of a detail. Texts are compared whatever their letter case.
///
/// Errors: [`Error::Invalid`] for a tag that is no pair, or is not compared with `eq`.
fn test(properties: &'static [Property], asked: &Comparison) -> Result<Test, Error> {
    if asked.bare().eq_ignore_ascii_case(TAGS) {
        let pair = asked.value.split_once(':').filter(|_| asked.comparing == Comparing::Equal);
        let wrong = || Error::invalid(FILTER, "tags are asked for by `tags eq 'key:value'`");
        let (key, value) = pair.ok_or_else(wrong)?;
        let (key, value) = (key.to_lowercase(), value.to_lowercase());
        return Ok(Box::new(move |told: &DetailTold| {
            told.tags
                .iter()
                .any(|(own_key, own)| own_key.to_lowercase() == key && own.to_lowercase() == value)
        }));
    }
    let property = properties.iter().find(|(name, _)| asked.bare().eq_ignore_ascii_case(name));
    let unknown = || Error::internal("read a filter", asked.name.clone());
    let (_, read) = property.ok_or_else(unknown)?;
    let (comparing, value) = (asked.comparing, asked.value.to_lowercase());
    Ok(Box::new(move |told: &DetailTold| {
        read(told).is_some_and(|own| comparing.holds(own.to_lowercase().cmp(&value)))
    }))
}

/// Of when: the days of `$filter`, within the billing period of the address if it names one; else
/// that billing period, or the open one.
///
/// Errors: [`Error::Invalid`] for what is no date, days without a first, before there was data, too
/// many, or none.
fn span(
    dates: &[Comparison],
    period: Option<BillingPeriod>,
    now: Instant,
) -> Result<DetailSpan, Error> {
    if dates.is_empty() {
        let period = period.unwrap_or_else(|| BillingPeriod::of(now));
        demand_data(period)?;
        if period > BillingPeriod::of(now) {
            return Err(Error::not_found("billing period", period_name(period)));
        }
        return Ok(DetailSpan::Period(period));
    }
    let (mut first, mut end) = match period {
        Some(period) => (Some(period.start().day()), Some(period.end().day())),
        None => (None, None),
    };
    for Comparison { name, comparing, value } in dates {
        let wrong = |_| Error::invalid(FILTER, format!("{name}: `{value}` is not a date"));
        let day = Instant::parse(value).map_err(wrong)?.day();
        let (from, until) = match comparing {
            Comparing::Equal => (Some(day), Some(day.next())),
            Comparing::Greater => (Some(day.next()), None),
            Comparing::GreaterOrEqual => (Some(day), None),
            Comparing::Less => (None, Some(day)),
            Comparing::LessOrEqual => (None, Some(day.next())),
        };
        first = first.max(from);
        end = match (end, until) {
            (Some(end), Some(until)) => Some(end.min(until)),
            (end, until) => end.or(until),
        };
    }
    let unbounded = || Error::invalid(FILTER, "must say from which day on: `usageStart ge …`");
    days(first.ok_or_else(unbounded)?..end.unwrap_or_else(|| now.day().next()))
}

/// Errors: as [`span`].
fn days(days: Range<Day>) -> Result<DetailSpan, Error> {
    let [first, last] = [days.start, days.end].map(|day| BillingPeriod::of(day.start()));
    if days.is_empty() {
        let problem = format!("its days begin on {} and end before {}", days.start, days.end);
        return Err(Error::invalid(FILTER, problem));
    }
    if first.number() < FIRST_PERIOD {
        return Err(Error::invalid(FILTER, "there is no data before 2014-05-01"));
    }
    if last.months_since(first) > MONTHS_MOST {
        let problem = format!("its days must lie within {MONTHS_MOST} months");
        return Err(Error::invalid(FILTER, problem));
    }
    Ok(DetailSpan::Days(days))
}

/// What a detail is charged for, as the contract spells it.
pub(crate) fn charge_type(told: &DetailTold) -> &'static str {
    match told.kind {
        DetailKind::Rated(RowKind::Unused) => "UnusedReservation",
        DetailKind::Rated(_) => "Usage",
        DetailKind::Note => "Refund",
        DetailKind::Correction => "Adjustment",
        DetailKind::Rounding => "RoundingAdjustment",
        DetailKind::Charge => match told.category {
            ChargeCategory::Usage => "Usage",
            ChargeCategory::Purchase | ChargeCategory::Fee | ChargeCategory::Marketplace => {
                "Purchase"
            }
            ChargeCategory::Refund => "Refund",
            ChargeCategory::Credit => "Credit",
            ChargeCategory::Tax => "Tax",
            ChargeCategory::Adjustment => "Adjustment",
            ChargeCategory::Rounding => "RoundingAdjustment",
        },
    }
}

/// How often such a charge occurs, as the contract spells it.
pub(crate) fn frequency(told: &DetailTold) -> &'static str {
    match (told.kind, told.category) {
        (DetailKind::Rated(_), _) => "UsageBased",
        (DetailKind::Charge, ChargeCategory::Fee) => "Monthly",
        _ => "OneTime",
    }
}

/// Whose it is, as the contract's texts spell it.
pub(crate) fn publisher_type(told: &DetailTold) -> &'static str {
    if told.coverage == Coverage::Marketplace { "Marketplace" } else { "Azure" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described::{detail, spot};

    fn now() -> Instant {
        Instant::parse("2026-11-20T08:00:00Z").unwrap()
    }

    fn asked_of(filter: &str) -> Result<DetailsAsked, String> {
        let pairs = [("$filter", filter)];
        let query: String = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let spot = spot(AgreementType::Customer);
        usage(&spot, &Query::parse(&query), (now(), 4_096)).map_err(|error| error.to_string())
    }

    #[test]
    fn days_are_those_of_the_filter_or_a_billing_period() {
        let check = |filter: &str, expected: &str| {
            let told = match asked_of(filter).map(|asked| asked.span) {
                Ok(DetailSpan::Period(period)) => period.to_string(),
                Ok(DetailSpan::Days(days)) => format!("{}..{}", days.start, days.end),
                Err(problem) => problem,
            };
            assert!(told.contains(expected), "{filter}: {told}");
        };
        check("", "2026-11");
        check("properties/chargeType eq 'Usage'", "2026-11");
        check(
            "properties/usageStart ge '2026-10-03' and properties/usageEnd le '2026-10-05'",
            "2026-10-03..2026-10-06",
        );
        check("usageEnd ge '2026-10-03' AND usageEnd lt '2026-10-05'", "2026-10-03..2026-10-05");
        check("date eq '2026-10-03'", "2026-10-03..2026-10-04");
        check("date gt '2026-10-03T12:00:00Z'", "2026-10-04..2026-11-21");
        check("date le '2026-10-03'", "must say from which day on");
        check("date ge '2014-04-30'", "no data before 2014-05-01");
        check("date ge '2020-01-01'", "within 36 months");
        check("date ge '2026-10-03' and date lt '2026-10-03'", "end before");
        check("date ge 'soon'", "is not a date");
        check("cost ge '3'", "`cost` cannot be filtered by");
        check("tags eq 'dev'", "tags eq 'key:value'");
        check("tags ge 'dev:tools'", "tags eq 'key:value'");
    }

    #[test]
    fn a_detail_passes_by_what_it_shows() {
        let check = |filter: &str, expected: bool| {
            let keeps = asked_of(filter).unwrap().filter.unwrap().keeps;
            assert_eq!(keeps(&detail()), expected, "{filter}");
        };
        check("", true);
        check("properties/resourceGroup eq 'FLEET'", true);
        check("properties/resourceGroup eq 'other'", false);
        check("resourceName eq 'd1' and chargeType eq 'usage'", true);
        check("chargeType eq 'Purchase'", false);
        check("publisherType eq 'azure'", true);
        check("publisherType eq 'marketplace'", false);
        check("reservationId eq 'r-1'", true);
        check("reservationId ge 'r-2'", false);
        check("tags eq 'Env:Prod'", true);
        check("tags eq 'env:test'", false);
    }

    #[test]
    fn each_metric_has_its_details() {
        let check = |kind: DetailKind, expected: [bool; 3]| {
            let told = DetailTold { kind, ..detail() };
            let has = [Metric::Actual, Metric::Amortised, Metric::Usage].map(|one| one.has(&told));
            assert_eq!(has, expected, "{kind:?}");
        };
        check(DetailKind::Rated(RowKind::Usage), [true, true, true]);
        check(DetailKind::Rated(RowKind::Unused), [false, true, false]);
        // It is for a reservation.
        check(DetailKind::Charge, [true, false, false]);
        check(DetailKind::Note, [true, true, false]);
        check(DetailKind::Rounding, [true, true, false]);
    }
}
