//! What a usage query asks, read from its body with everything that is wrong with it.
//!
//! Members that the contract does not have are ignored, as its schema lets them stand; but within
//! `options.reckoner`, which is ours, a member that we do not know is a fault: it asks for
//! something that would not be done.
//!
//! Source: `billing-usage-openapi.json`, QueryBillingUsageRequest; `infobip.md` section 3.

use crate::NAME;
use crate::columns::COLUMNS;
use crate::members::{self, Member, short, wrong};
use calendar::{Day, Instant};
use domain::usage_queries::{
    NamesAsOf, UsageColumn, UsageFault, UsageField, UsageFilter, UsageFormat, UsageOptions,
    UsageQuestion, effective_columns,
};
use httpkit::{Faults, Refusal};
use service::UsageQueryAsked;
use std::collections::BTreeSet;
use std::ops::Range;

/// Where members of the filter stand.
const FILTER: &str = "request.filterBy";
/// Where our own options stand.
const OWN: &str = "request.options.reckoner";
/// Our own options.
const OWN_NAMES: [&str; 5] = ["timeZone", "resolveNames", "format", "longRange", "exactTotals"];

/// Source: BillingUsageDataFilter, categories.
const CATEGORIES: [&str; 15] = [
    "SMS",
    "SMS_OPERATOR_FEE",
    "MMS",
    "MMS_OPERATOR_FEE",
    "EMAIL",
    "RCS",
    "WHATSAPP",
    "VIBER",
    "APPLE_MB",
    "MOBILE_PUSH",
    "NUMBER_LOOKUP",
    "CARRIER_LOOKUP",
    "EMAIL_VALIDATION",
    "AGENTOS",
    "AI",
];
/// Source: BillingUsageDataFilter, subCategories.
const SUBCATEGORIES: [&str; 2] = ["VIBER_BM", "VIBER_BOTS"];
/// Source: Direction.
const DIRECTIONS: [&str; 2] = ["OUTBOUND", "INBOUND"];

/// Finds what is wrong with a question that could be read.
pub(crate) type Check<'a> = dyn Fn(&UsageQueryAsked) -> Vec<UsageFault> + 'a;

/// What a body asks for, whose lists may have so many values. What is wrong with it as a question
/// is found whatever could not be read.
///
/// Errors: [`Refusal::Faults`] with the faults that were found.
pub(crate) fn read(
    body: &[u8],
    values_most: usize,
    check: &Check<'_>,
) -> Result<UsageQueryAsked, Refusal> {
    let mut faults = Faults::default();
    let Some(whole) = members::whole(body, &mut faults) else { return faults.end(None) };
    let root = Member::root(&whole, values_most);
    let request = root.member("request");
    request.demand(&mut faults);
    request.check_object(&mut faults);
    let options = request.member("options");
    options.check_object(&mut faults);
    let own = options.member("reckoner");
    let callback_url = callback(&root, own.is_given(), &mut faults);
    let (days, filter) = filtered(&request, &mut faults);
    let columns = effective_columns(&columns(&request, &mut faults));
    let unfinalized = options.member("includeUnfinalizedData").truth(&mut faults).unwrap_or(true);
    let options = own_options(&own, &mut faults);
    // Some day stands in for days that could not be read, and what is wrong with it is not told.
    let some_day = || Day::from_number(0)..Day::from_number(1);
    let question = UsageQuestion {
        days: days.clone().unwrap_or_else(some_day),
        columns,
        filter,
        unfinalized,
        options,
    };
    let asked = UsageQueryAsked { callback_url, question, surface: NAME };
    for UsageFault { field, problem } in check(&asked) {
        if days.is_some() || !is_of_days(field) {
            wrong(&mut faults, &path(field), problem);
        }
    }
    faults.end(days.map(|_| asked))
}

/// Where the result goes: it has to be said unless the query asks for something of ours, whose
/// results can be picked up.
fn callback(root: &Member<'_>, has_own: bool, faults: &mut Faults) -> Option<String> {
    let url = root.member("callbackUrl");
    if !has_own {
        url.demand(faults);
    }
    let text = url.text(faults)?;
    if text.trim().is_empty() {
        wrong(faults, url.path(), "must not be empty");
        return None;
    }
    Some(text.to_owned())
}

/// Of which days, and of what; no days if they could not be read.
fn filtered(request: &Member<'_>, faults: &mut Faults) -> (Option<Range<Day>>, UsageFilter) {
    let filter_by = request.member("filterBy");
    if request.is_object() {
        filter_by.demand(faults);
    }
    filter_by.check_object(faults);
    let days = if filter_by.is_object() { days(&filter_by, faults) } else { None };
    (days, filter_of(&filter_by, faults))
}

/// The days from the one, inclusive, to the other, exclusive.
fn days(filter_by: &Member<'_>, faults: &mut Faults) -> Option<Range<Day>> {
    let interval = filter_by.member("dateInterval");
    interval.demand(faults);
    interval.check_object(faults);
    if !interval.is_object() {
        return None;
    }
    let (since, until) = (interval.member("sentSince"), interval.member("sentUntil"));
    since.demand(faults);
    until.demand(faults);
    let (since, until) = (day(&since, faults), day(&until, faults));
    Some(since?..until?)
}

/// A day as `yyyy-MM-dd`.
fn day(member: &Member<'_>, faults: &mut Faults) -> Option<Day> {
    let text = member.text(faults)?;
    let is_spelled = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let read = if is_spelled { Instant::parse(text).ok() } else { None };
    if read.is_none() {
        wrong(faults, member.path(), format!("`{}` is not a day, yyyy-MM-dd", short(text)));
    }
    read.map(Instant::day)
}

/// What rows are told apart by; the defaults are not among them yet.
fn columns(request: &Member<'_>, faults: &mut Faults) -> Vec<UsageColumn> {
    let aggregate_by = request.member("aggregateBy");
    if request.is_object() {
        aggregate_by.demand(faults);
    }
    if aggregate_by.is_empty_list() {
        wrong(faults, aggregate_by.path(), "must name at least one");
    }
    aggregate_by.each(faults, |item, faults| item.one_of(&COLUMNS, faults))
}

/// What is counted at all.
fn filter_of(filter_by: &Member<'_>, faults: &mut Faults) -> UsageFilter {
    let known = |name: &str, known: &[&'static str], faults: &mut Faults| -> BTreeSet<String> {
        let known: Vec<(&str, &'static str)> = known.iter().map(|one| (*one, *one)).collect();
        let list = filter_by.member(name);
        let found = list.each(faults, |item, faults| item.one_of(&known, faults));
        found.into_iter().map(str::to_owned).collect()
    };
    let texts = |name: &str, faults: &mut Faults| filter_by.member(name).texts(faults);
    let (platforms, campaigns) = (filter_by.member("platforms"), filter_by.member("campaignIds"));
    UsageFilter {
        accounts: texts("accountKeys", faults),
        categories: known("categories", &CATEGORIES, faults),
        subcategories: known("subCategories", &SUBCATEGORIES, faults),
        countries: texts("countryCodes", faults),
        platforms: platforms.each(faults, platform).into_iter().collect(),
        directions: known("directions", &DIRECTIONS, faults),
        traffic_types: texts("trafficTypes", faults),
        senders: texts("senders", faults),
        sender_types: texts("senderTypes", faults),
        campaign_references: texts("campaignReferenceIds", faults),
        campaigns: campaigns
            .each(faults, |item, faults| item.whole_number(faults))
            .into_iter()
            .collect(),
        templates: texts("templateIds", faults),
    }
}

/// An application and an entity, which are met together: half a pair would say nothing clear.
fn platform(item: &Member<'_>, faults: &mut Faults) -> Option<(String, String)> {
    if !item.is_object() {
        wrong(faults, item.path(), "must be an object");
        return None;
    }
    let (application, entity) = (item.member("applicationId"), item.member("entityId"));
    application.demand(faults);
    entity.demand(faults);
    let (application, entity) = (application.text(faults), entity.text(faults));
    Some((application?.to_owned(), entity?.to_owned()))
}

/// What is asked beyond the contract.
fn own_options(own: &Member<'_>, faults: &mut Faults) -> UsageOptions {
    own.check_object(faults);
    for name in own.names().filter(|name| !OWN_NAMES.contains(name)) {
        let problem = format!("is none of {}", OWN_NAMES.join(", "));
        wrong(faults, &format!("{OWN}.{}", short(name)), problem);
    }
    let names = NamesAsOf::ALL.map(|names| (names.name(), names));
    let formats = UsageFormat::ALL.map(|format| (format.name(), format));
    UsageOptions {
        time_zone: own.member("timeZone").text(faults).map(short),
        resolve_names: own.member("resolveNames").one_of(&names, faults),
        format: own.member("format").one_of(&formats, faults).unwrap_or_default(),
        long_range: own.member("longRange").truth(faults).unwrap_or(false),
        exact_totals: own.member("exactTotals").truth(faults).unwrap_or(false),
    }
}

/// Whether it is a fault of the days asked for.
fn is_of_days(field: UsageField) -> bool {
    matches!(field, UsageField::Since | UsageField::Until | UsageField::Interval)
}

/// How the contract, or our part of it, spells a part of a question.
fn path(field: UsageField) -> String {
    let in_filter = |name: &str| format!("{FILTER}.{name}");
    let own = |name: &str| format!("{OWN}.{name}");
    match field {
        UsageField::Callback => "callbackUrl".to_owned(),
        UsageField::Since => in_filter("dateInterval.sentSince"),
        UsageField::Until => in_filter("dateInterval.sentUntil"),
        UsageField::Interval => in_filter("dateInterval"),
        UsageField::Columns => "request.aggregateBy".to_owned(),
        UsageField::Accounts => in_filter("accountKeys"),
        UsageField::Categories => in_filter("categories"),
        UsageField::Subcategories => in_filter("subCategories"),
        UsageField::Countries => in_filter("countryCodes"),
        UsageField::Directions => in_filter("directions"),
        UsageField::TrafficTypes => in_filter("trafficTypes"),
        UsageField::Senders => in_filter("senders"),
        UsageField::SenderTypes => in_filter("senderTypes"),
        UsageField::CampaignReferences => in_filter("campaignReferenceIds"),
        UsageField::Campaigns => in_filter("campaignIds"),
        UsageField::Templates => in_filter("templateIds"),
        UsageField::Platforms => in_filter("platforms"),
        UsageField::Unfinalized => "request.options.includeUnfinalizedData".to_owned(),
        UsageField::TimeZone => own("timeZone"),
        UsageField::ResolveNames => own("resolveNames"),
        UsageField::Format => own("format"),
        UsageField::LongRange => own("longRange"),
        UsageField::ExactTotals => own("exactTotals"),
    }
}

#[cfg(test)]
mod tests;
