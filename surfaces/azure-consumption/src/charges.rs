//! Charges: what a place was charged in a billing period.
//!
//! They are sums of usage details, in the shape of enterprise agreements (`legacy`) or that of the
//! others (`modern`).

use crate::amounts::Amount;
use crate::at::Version;
use crate::balances::demand_data;
use crate::resource::Decimal;
use crate::scopes::{Form, Question, SCOPE, Spot, account_id, collection, period_name};
use crate::{Consumption, PROVIDER, days};
use armkit::{ArmError, Comparing, List, Query, conditions};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use calendar::{BillingPeriod, Day, Instant};
use domain::agreements::AgreementType;
use domain::places::{Level, PlaceKey};
use domain::{Error, Result};
use httpkit::{ExactNumber, Group};
use serde::Serialize;
use service::{ChargeSummariesAsked, ChargeSummary, ChargesBy, DetailSpan};
use std::ops::Range;

/// The type below the provider.
const CHARGES: &str = "charges";
const FILTER: &str = "$filter";
const APPLY: &str = "$apply";
const START: &str = "usageStart";
const END: &str = "usageEnd";
/// How many months may be asked for. Source: `enterprise-reporting.md` section 3.
const MONTHS_MOST: i32 = 36;

pub(crate) fn group(_: Version) -> Group<Consumption> {
    Group::new().get("Charges_List", SCOPE, &format!("{PROVIDER}/{CHARGES}"), list)
}

async fn list(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> std::result::Result<Response, ArmError> {
    let Question { caller, spot, .. } = question;
    let most_bytes = consumption.reckoner.limits().filter_bytes;
    let by = grouping(&query, spot.form)?;
    let span = span(&query, spot.period, (consumption.reckoner.now(), most_bytes))?;
    let asked = ChargeSummariesAsked { scope: spot.scope.clone(), span, by };
    let told = consumption.reckoner.charge_summaries(&caller, &asked).await?;
    let days = match &asked.span {
        DetailSpan::Period(period) => period.start().day()..period.end().day(),
        DetailSpan::Days(days) => days.clone(),
    };
    let telling = Telling { spot: &spot, days };
    let is_legacy = spot.account.kind == Some(AgreementType::Enterprise);
    Ok(if is_legacy {
        let value: Vec<_> = told.iter().map(|one| telling.legacy(one)).collect();
        Json(List { value, next_link: None }).into_response()
    } else {
        let value: Vec<_> = told.iter().map(|one| telling.modern(one)).collect();
        Json(List { value, next_link: None }).into_response()
    })
}

/// By what `$apply` groups, as far as the scope has it.
///
/// Errors: [`Error::Invalid`] for anything else.
fn grouping(query: &Query, form: Form) -> Result<ChargesBy> {
    let Some(text) = query.get(APPLY)?.filter(|text| !text.trim().is_empty()) else {
        return Ok(ChargesBy::Period);
    };
    let told: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let told = told.to_ascii_lowercase();
    let inner = told.strip_prefix("groupby((").and_then(|rest| rest.strip_suffix("))"));
    let by = inner.map(|inner| inner.strip_prefix("properties/").unwrap_or(inner));
    let known: &[(&str, ChargesBy)] = match form {
        Form::Account => &[
            ("billingProfileId", ChargesBy::Profile),
            ("invoiceSectionId", ChargesBy::Section),
            ("customerId", ChargesBy::Customer),
        ],
        Form::Profile => &[("invoiceSectionId", ChargesBy::Section)],
        Form::Section
        | Form::Customer
        | Form::Department
        | Form::EnrollmentAccount
        | Form::Subscription
        | Form::ResourceGroup
        | Form::ManagementGroup => &[],
    };
    let found = known.iter().find(|(name, _)| by.is_some_and(|by| name.eq_ignore_ascii_case(by)));
    found.map(|(_, by)| *by).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let problem = match names.is_empty() {
            true => format!("charges of a {} are not grouped", form.name()),
            false => format!(
                "`{text}` is not supported; write groupby((properties/NAME)) with one of {}",
                names.join(", ")
            ),
        };
        Error::invalid(APPLY, problem)
    })
}

/// Of when: the billing period of the address, days, or those of a filter; else the open one.
///
/// Errors: [`Error::Invalid`] where several of them are there.
fn span(
    query: &Query,
    period: Option<BillingPeriod>,
    (now, most_bytes): (Instant, u64),
) -> Result<DetailSpan> {
    let (given, filtered) = (days::given(query)?, filtered(query, (now, most_bytes))?);
    let days = match (period, given, filtered) {
        (None, None, None) => return Ok(DetailSpan::Period(BillingPeriod::of(now))),
        (Some(period), None, None) => {
            demand_data(period)?;
            return Ok(DetailSpan::Period(period));
        }
        (None, Some(days), None) | (None, None, Some(days)) => days,
        (_, Some(_), _) => {
            let problem = "stands beside a billing period or `$filter`; name one of them";
            return Err(Error::invalid("startDate", problem));
        }
        (Some(_), None, Some(_)) => {
            let problem = "stands beside a billing period; name one of them";
            return Err(Error::invalid(FILTER, problem));
        }
    };
    let (first, last) = (BillingPeriod::of(days.start.start()), before(days.end));
    if last.months_since(first) >= MONTHS_MOST {
        let problem = format!("asks for more than {MONTHS_MOST} billing periods");
        return Err(Error::invalid("endDate", problem));
    }
    Ok(DetailSpan::Days(days))
}

/// The billing period that ends with or holds what lies before a day.
fn before(day: Day) -> BillingPeriod {
    BillingPeriod::of(day.start().plus_micros(-1))
}

/// The days that `usageStart` and `usageEnd` leave: from the one through the other, both counting.
/// Without a start they begin with the billing period of their end, without an end they go on until
/// today.
fn filtered(query: &Query, (now, most_bytes): (Instant, u64)) -> Result<Option<Range<Day>>> {
    let all = conditions(query, most_bytes, &[START, END])?;
    if all.is_empty() {
        return Ok(None);
    }
    let of =
        |name: &'static str| all.iter().filter(move |one| one.bare().eq_ignore_ascii_case(name));
    let (first, until) = days::compared(of(START))?;
    let (from, last) = days::compared(of(END))?;
    let is_equal = |name| of(name).all(|one| one.comparing == Comparing::Equal);
    if until.is_some() && !is_equal(START) {
        return Err(Error::invalid(FILTER, format!("`{START}` is compared with eq, ge and gt")));
    }
    if from.is_some() && !is_equal(END) {
        return Err(Error::invalid(FILTER, format!("`{END}` is compared with eq, le and lt")));
    }
    let last = last.unwrap_or_else(|| now.day());
    let first = first.unwrap_or_else(|| BillingPeriod::of(last.start()).start().day());
    days::both(first, last, FILTER).map(Some)
}

/// Tells charges of a scope in some days.
pub(crate) struct Telling<'a> {
    pub(crate) spot: &'a Spot,
    pub(crate) days: Range<Day>,
}

impl Telling<'_> {
    pub(crate) fn legacy(&self, told: &ChargeSummary) -> Charges<LegacyChargeSummaryProperties> {
        let ChargeSummary { period, covered, separate, marketplace, .. } = told;
        let (usage_start, usage_end) = self.shared_days(*period);
        let properties = LegacyChargeSummaryProperties {
            billing_period_id: self.period_id(*period),
            usage_start,
            usage_end,
            azure_charges: ExactNumber(covered.major),
            charges_billed_separately: ExactNumber(separate.major),
            marketplace_charges: ExactNumber(marketplace.major),
            currency: told.currency().to_string(),
        };
        Charges::new((&self.spot.id, told), "legacy", properties)
    }

    pub(crate) fn modern(&self, told: &ChargeSummary) -> Charges<ModernChargeSummaryProperties> {
        let ChargeSummary { period, is_invoiced, covered, separate, marketplace, .. } = told;
        let (usage_start, usage_end) = self.shared_days(*period);
        let places = self.places(told);
        let properties = ModernChargeSummaryProperties {
            billing_period_id: self.period_id(*period),
            usage_start,
            usage_end,
            azure_charges: Amount::from(*covered),
            charges_billed_separately: Amount::from(*separate),
            marketplace_charges: Amount::from(*marketplace),
            billing_account_id: account_id(&self.spot.account.id),
            billing_profile_id: places.profile.clone(),
            invoice_section_id: places.section.clone(),
            customer_id: places.customer.clone(),
            is_invoiced: *is_invoiced,
        };
        let own = places.customer.or(places.section).or(places.profile);
        Charges::new((own.as_ref().unwrap_or(&self.spot.id), told), "modern", properties)
    }

    /// The days of a billing period that were asked for: both count.
    fn shared_days(&self, period: BillingPeriod) -> (String, String) {
        let first = self.days.start.max(period.start().day());
        let end = self.days.end.min(period.end().day());
        (first.to_string(), end.start().plus_micros(-1).day().to_string())
    }

    fn period_id(&self, period: BillingPeriod) -> String {
        let account = account_id(&self.spot.account.id);
        format!("{account}/providers/Microsoft.Billing/billingPeriods/{}", period_name(period))
    }

    /// The places that charges stand at: that of the scope, and that of their group.
    fn places(&self, told: &ChargeSummary) -> Places {
        let at = |level: Level| {
            let place = self.spot.place.as_ref()?;
            let is_meant = |key: &&PlaceKey| key.level == level;
            let own = Some(&place.place.key).filter(is_meant);
            let key = own.or_else(|| place.parent.as_ref().filter(is_meant))?;
            Some(key.id.to_string())
        };
        let id = |named: &Option<service::Named>| named.as_ref().map(|named| named.id.clone());
        let account = account_id(&self.spot.account.id);
        let below =
            |above: &str, level: Level, id: String| format!("{above}/{}/{id}", collection(level));
        let profile = id(&told.profile).or_else(|| at(Level::BillingProfile));
        let profile = profile.map(|id| below(&account, Level::BillingProfile, id));
        let above = profile.as_ref().unwrap_or(&account);
        let section = id(&told.section).or_else(|| at(Level::InvoiceSection));
        let section = section.map(|id| below(above, Level::InvoiceSection, id));
        let customer = id(&told.customer).or_else(|| at(Level::Customer));
        let customer = customer.map(|id| below(&account, Level::Customer, id));
        Places { profile, section, customer }
    }
}

/// Ids of places as resources.
struct Places {
    profile: Option<String>,
    section: Option<String>,
    customer: Option<String>,
}

/// `ChargeSummary`: `LegacyChargeSummary`, `ModernChargeSummary`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Charges<P> {
    id: String,
    name: String,
    #[serde(rename = "type")]
    resource_type: String,
    kind: &'static str,
    properties: P,
}

impl<P> Charges<P> {
    fn new((scope, told): (&str, &ChargeSummary), kind: &'static str, properties: P) -> Charges<P> {
        // What is billed already and what is still to be of one period are two.
        let pending = if told.is_invoiced { "" } else { "-pending" };
        let name = format!("{}{pending}", period_name(told.period));
        Charges {
            id: format!("{scope}{PROVIDER}/{CHARGES}/{name}"),
            name,
            resource_type: format!("Microsoft.Consumption/{CHARGES}"),
            kind,
            properties,
        }
    }
}

/// `LegacyChargeSummaryProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct LegacyChargeSummaryProperties {
    billing_period_id: String,
    usage_start: String,
    usage_end: String,
    azure_charges: Decimal,
    charges_billed_separately: Decimal,
    marketplace_charges: Decimal,
    currency: String,
}

/// `ModernChargeSummaryProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ModernChargeSummaryProperties {
    billing_period_id: String,
    usage_start: String,
    usage_end: String,
    azure_charges: Amount,
    charges_billed_separately: Amount,
    marketplace_charges: Amount,
    billing_account_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    is_invoiced: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_grouped_by_what_their_scope_has() {
        let check = |form: Form, apply: &str, expected: std::result::Result<ChargesBy, &str>| {
            let query = Query::parse(&format!("$apply={apply}"));
            let told = grouping(&query, form).map_err(|error| error.to_string());
            assert_eq!(told, expected.map_err(str::to_owned), "{form:?} {apply}");
        };
        check(Form::Account, "", Ok(ChargesBy::Period));
        check(Form::Account, "groupby((properties/billingProfileId))", Ok(ChargesBy::Profile));
        check(Form::Account, "GroupBy( (invoicesectionid) )", Ok(ChargesBy::Section));
        check(Form::Account, "groupby((properties/customerId))", Ok(ChargesBy::Customer));
        check(Form::Profile, "groupby((properties/invoiceSectionId))", Ok(ChargesBy::Section));
        check(
            Form::Profile,
            "groupby((properties/customerId))",
            Err("$apply: `groupby((properties/customerId))` is not supported; write \
                 groupby((properties/NAME)) with one of invoiceSectionId"),
        );
        let whole = "$apply: charges of a department are not grouped";
        check(Form::Department, "groupby((properties/customerId))", Err(whole));
    }

    #[test]
    fn charges_are_asked_for_by_billing_period_or_days() {
        let now = Instant::parse("2026-11-18T09:00:00Z").unwrap();
        let check = |query: &str, period: Option<&str>, expected: &str| {
            let period = period.map(|text| BillingPeriod::parse(text).unwrap());
            let told = match span(&Query::parse(query), period, (now, 400)) {
                Ok(DetailSpan::Period(period)) => period.to_string(),
                Ok(DetailSpan::Days(days)) => format!("{} {}", days.start, days.end),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected, "{query}");
        };
        check("", None, "2026-11");
        check("", Some("2026-09"), "2026-09");
        check("startDate=2026-09-01&endDate=2026-10-31", None, "2026-09-01 2026-11-01");
        check(
            "$filter=usageStart eq '2026-04-01' AND usageEnd eq '2026-05-30'",
            None,
            "2026-04-01 2026-05-31",
        );
        check("$filter=properties/usageStart ge 2026-11-02", None, "2026-11-02 2026-11-19");
        check("$filter=usageEnd le 2026-10-15", None, "2026-10-01 2026-10-16");
        check(
            "$filter=usageStart le 2026-10-15",
            None,
            "$filter: `usageStart` is compared with eq, ge and gt",
        );
        check(
            "startDate=2026-09-01&endDate=2026-10-31",
            Some("2026-09"),
            "startDate: stands beside a billing period or `$filter`; name one of them",
        );
        check(
            "startDate=2020-01-01&endDate=2026-01-01",
            None,
            "endDate: asks for more than 36 billing periods",
        );
        check("startDate=2023-10-01&endDate=2026-09-30", None, "2023-10-01 2026-10-01");
    }
}
