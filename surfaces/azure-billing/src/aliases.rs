//! What clients still send in versions before the contract's: billing periods of a subscription,
//! enrollment accounts without their billing account, invoice sections of a whole billing account.
//! Members are those of the clients' own models.
//!
//! Source: azure-mgmt-billing 1.0.0 and 6.0.0, azure-cli 2.91.0 (`clients.md`).

use crate::at::{self, At};
use crate::resource::Resource;
use crate::v2019::sections::{Section, view as section_view};
use crate::{Billing, PROVIDER};
use armkit::{ArmError, Comparing, Comparison, List, Query, comparisons, expand, next_link};
use axum::Json;
use axum::extract::{OriginalUri, State};
use calendar::{BillingPeriod, Day, Instant};
use domain::Error;
use domain::access::Caller;
use domain::agreements::AgreementType;
use domain::ids::SubscriptionId;
use domain::places::Level;
use httpkit::{Asking, BaseUrl, Group};
use serde::Serialize;
use service::{PlaceTold, SubscriptionPeriod};

/// The version of billing periods and enrollment accounts.
const V2018_03: &str = "2018-03-01-preview";
/// The version of invoice sections below a billing account.
const V2018_11: &str = "2018-11-01-preview";

/// What is served of each version.
pub(crate) fn groups() -> Vec<(&'static str, Group<Billing>)> {
    let march = Group::new()
        .get("BillingPeriods_List", at::SUBSCRIPTION, "/billingPeriods", periods)
        .get("BillingPeriods_Get", at::SUBSCRIPTION, "/billingPeriods/{billingPeriodName}", period)
        .get("EnrollmentAccounts_List", PROVIDER, "/enrollmentAccounts", enrollment_accounts)
        .get("EnrollmentAccounts_Get", PROVIDER, "/enrollmentAccounts/{name}", enrollment_account);
    let november = Group::new()
        .get("InvoiceSections_ListByBillingAccountName", at::ACCOUNT, "/invoiceSections", sections)
        .get("InvoiceSections_Get", at::ACCOUNT, "/invoiceSections/{invoiceSectionName}", section);
    vec![(V2018_03, march), (V2018_11, november)]
}

const TOP: &str = "$top";
const SKIP_TOKEN: &str = "$skiptoken";
/// What `$filter` may name.
const END: &str = "billingPeriodEndDate";
/// Most that `$top` may ask for, and so the size of a page.
///
/// Source: azure-mgmt-billing, `billing_periods.list`.
const PAGE: usize = 100;

/// Lists the billing periods of a subscription, newest first.
async fn periods(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Json<List<Period>>, ArmError> {
    let asked = PeriodsAsked::of(&query, billing.reckoner.limits().filter_bytes)?;
    let subscription = subscription(&at)?;
    let all = billing.reckoner.subscription_periods(&caller, &subscription).await?;
    let mut rest = all.into_iter().filter(|period| asked.holds(*period));
    let page: Vec<BillingPeriod> = rest.by_ref().take(asked.top.unwrap_or(PAGE)).collect();
    let is_cut = asked.top.is_none() && rest.next().is_some();
    let after = page.last().filter(|_| is_cut).map(|last| name(*last));
    let told = billing.reckoner.invoices_of_periods(&caller, &subscription, &page).await?;
    let link = |token: String| next_link(&base, uri.path(), query.pairs(), (SKIP_TOKEN, &token));
    let value = told.iter().map(|told| period_view(&subscription, told)).collect();
    Ok(Json(List { value, next_link: after.map(link) }))
}

async fn period(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Period>, ArmError> {
    let subscription = subscription(&at)?;
    let all = billing.reckoner.subscription_periods(&caller, &subscription).await?;
    let asked = at.name("billingPeriodName");
    let missing = || Error::not_found("billing period", asked);
    let period = named(asked).filter(|period| all.contains(period)).ok_or_else(missing)?;
    let told = billing.reckoner.invoices_of_periods(&caller, &subscription, &[period]).await?;
    Ok(Json(period_view(&subscription, told.first().ok_or_else(missing)?)))
}

/// The subscription that a path names.
fn subscription(at: &At) -> Result<SubscriptionId, Error> {
    let given = at.name("subscriptionId");
    SubscriptionId::new(given).map_err(|_| Error::not_found("subscription", given))
}

/// Which billing periods are asked for.
#[derive(Debug)]
struct PeriodsAsked {
    /// The newest of them; its size is the answer's, else pages are cut.
    top: Option<usize>,
    /// Those before this one.
    before: Option<BillingPeriod>,
    /// What their last days are compared with.
    ends: Vec<(Comparing, Day)>,
}

impl PeriodsAsked {
    fn of(query: &Query, filter_most_bytes: u64) -> Result<PeriodsAsked, Error> {
        let given = |parameter: &str| {
            Ok::<_, Error>(query.get(parameter)?.map(str::trim).filter(|text| !text.is_empty()))
        };
        let ends: Result<Vec<_>, Error> = match given("$filter")? {
            Some(text) => comparisons(text, filter_most_bytes)?.into_iter().map(end).collect(),
            None => Ok(Vec::new()),
        };
        let foreign = || Error::invalid(SKIP_TOKEN, "is no token of this list");
        let before = given(SKIP_TOKEN)?.map(|token| named(token).ok_or_else(foreign));
        let top = given(TOP)?.map(top);
        Ok(PeriodsAsked { top: top.transpose()?, before: before.transpose()?, ends: ends? })
    }

    fn holds(&self, period: BillingPeriod) -> bool {
        let last_day = last_day(period);
        self.before.is_none_or(|before| period < before)
            && self.ends.iter().all(|(comparing, day)| comparing.holds(last_day.cmp(day)))
    }
}

fn top(text: &str) -> Result<usize, Error> {
    let wrong = || Error::invalid(TOP, format!("must be a whole number from 1 to {PAGE}"));
    text.parse::<usize>().ok().filter(|top| (1..=PAGE).contains(top)).ok_or_else(wrong)
}

/// A day that the ends of billing periods are compared with.
fn end(asked: Comparison) -> Result<(Comparing, Day), Error> {
    let Comparison { name, comparing, value } = asked;
    let bare = name.rsplit('/').next().unwrap_or_default();
    if !bare.eq_ignore_ascii_case(END) {
        let problem = format!("`{name}` cannot be filtered by; supported: {END}");
        return Err(Error::invalid("$filter", problem));
    }
    let moment = Instant::parse(&value);
    let moment = moment.map_err(|error| Error::invalid("$filter", error.to_string()))?;
    Ok((comparing, moment.day()))
}

/// What a billing period is called: `201811-1`.
fn name(period: BillingPeriod) -> String {
    format!("{:06}-1", period.number())
}

fn named(text: &str) -> Option<BillingPeriod> {
    let period = BillingPeriod::parse(text.strip_suffix("-1")?).ok()?;
    (name(period) == text).then_some(period)
}

fn last_day(period: BillingPeriod) -> Day {
    period.end().plus_micros(-1).day()
}

type Period = Resource<BillingPeriodProperties>;

/// `BillingPeriod`: its own members.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BillingPeriodProperties {
    billing_period_start_date: String,
    billing_period_end_date: String,
    invoice_ids: Vec<String>,
}

/// Invoices are named as `2020-05-01` does below a subscription.
fn period_view(of: &SubscriptionId, told: &SubscriptionPeriod) -> Period {
    let SubscriptionPeriod { period, invoices } = told;
    let invoices_of = format!("{}/default/billingSubscriptions/{of}/invoices", at::ACCOUNTS);
    let properties = BillingPeriodProperties {
        billing_period_start_date: period.start().day().to_string(),
        billing_period_end_date: last_day(*period).to_string(),
        invoice_ids: invoices.iter().map(|number| format!("{invoices_of}/{number}")).collect(),
    };
    let name = name(*period);
    let id = format!("/subscriptions/{of}{PROVIDER}/billingPeriods/{name}");
    Resource::new(id, &name, "billingPeriods", properties)
}

/// Lists the enrollment accounts that the caller reads, of every enrollment.
async fn enrollment_accounts(
    State(billing): State<Billing>,
    Asking(caller): Asking,
) -> Result<Json<List<EnrollmentAccount>>, ArmError> {
    let all = enrollment_accounts_of(&billing, &caller).await?;
    Ok(Json(List { value: all.iter().map(account_view).collect(), next_link: None }))
}

/// One by its name; where two enrollments have one, that of the first billing account.
async fn enrollment_account(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<EnrollmentAccount>, ArmError> {
    let all = enrollment_accounts_of(&billing, &caller).await?;
    let name = at.name("name");
    let is_asked = |told: &&PlaceTold| told.place.key.id.as_str().eq_ignore_ascii_case(name);
    let found = all.iter().find(is_asked);
    let missing = || Error::not_found(Level::EnrollmentAccount.name(), name);
    Ok(Json(account_view(found.ok_or_else(missing)?)))
}

async fn enrollment_accounts_of(
    billing: &Billing,
    caller: &Caller,
) -> Result<Vec<PlaceTold>, ArmError> {
    let mut accounts = billing.accounts(caller).await?;
    accounts.retain(|account| account.kind == Some(AgreementType::Enterprise));
    let ids: Vec<_> = accounts.into_iter().map(|account| account.id).collect();
    let all = billing.reckoner.places_of(caller, &ids, &[Level::EnrollmentAccount]).await?;
    Ok(all.into_values().flatten().filter(|told| told.seen.is_some()).collect())
}

type EnrollmentAccount = Resource<EnrollmentAccountSummary>;

/// `EnrollmentAccountSummary`: its own members.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EnrollmentAccountSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_name: Option<String>,
}

fn account_view(told: &PlaceTold) -> EnrollmentAccount {
    let owner = told.seen.as_ref().and_then(|seen| seen.owner.as_ref());
    let principal_name = owner.map(|owner| owner.email.as_ref().unwrap_or(&owner.name).clone());
    let name = told.place.key.id.as_str();
    let id = format!("{PROVIDER}/enrollmentAccounts/{name}");
    Resource::new(id, name, "enrollmentAccounts", EnrollmentAccountSummary { principal_name })
}

/// What `$expand` may name; the shape of `2019-10-01-preview` has no room for it.
const EXPAND: [&str; 1] = ["billingProfiles"];

/// Lists the invoice sections of all billing profiles.
async fn sections(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Section>>, ArmError> {
    expand(&query, &EXPAND)?;
    // For the kinds of agreement that have them in their profiles.
    let of_profile = "InvoiceSections_ListByBillingProfile";
    let account = billing.account(&caller, at.account(), of_profile).await?;
    let level = Level::InvoiceSection;
    let all = billing.reckoner.places(&caller, &account.id, level, None).await?;
    Ok(Json(List { value: all.iter().map(section_view).collect(), next_link: None }))
}

async fn section(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<Section>, ArmError> {
    expand(&query, &EXPAND)?;
    let (_, told) = billing.place(&caller, &at).await?;
    Ok(Json(section_view(&told)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described::{place, shell};
    use domain::ids::LegalEntityId;
    use domain::numbering::DocumentNumber;
    use httpkit::listing;
    use serde_json::json;

    #[test]
    fn the_surface_serves_the_aliases_that_its_list_says() {
        let mut lines = String::new();
        for (version, group) in groups() {
            for line in listing(group.operations()).lines() {
                lines.push_str(&format!("{version} {line}\n"));
            }
        }
        assert_eq!(lines, include_str!("../aliases.txt"), "aliases.txt should be:\n{lines}");
    }

    #[test]
    fn billing_periods_are_asked_for_by_their_last_day() {
        let all = ["2018-09", "2018-10", "2018-11", "2018-12"];
        let check = |query: &str, expected: &str| {
            let told = match PeriodsAsked::of(&Query::parse(query), 200) {
                Err(error) => error.to_string(),
                Ok(asked) => {
                    let held = all.iter().map(|one| BillingPeriod::parse(one).unwrap());
                    let names = held.filter(|one| asked.holds(*one)).map(name);
                    names.collect::<Vec<_>>().join(" ")
                }
            };
            assert_eq!(told, expected, "{query}");
        };
        check("", "201809-1 201810-1 201811-1 201812-1");
        check("$filter=billingPeriodEndDate eq 2018-11-30", "201811-1");
        check("$filter=properties/billingPeriodEndDate gt '2018-11-30'", "201812-1");
        let both =
            "$filter=billingPeriodEndDate ge 2018-10-31 and BillingPeriodEndDate lt 2018-12-01";
        check(both, "201810-1 201811-1");
        check("$skiptoken=201811-1", "201809-1 201810-1");
        check("$top=100&$filter=&$skiptoken=", "201809-1 201810-1 201811-1 201812-1");
        check("$skiptoken=201811", "$skiptoken: is no token of this list");
        check("$skiptoken=2018-11-1", "$skiptoken: is no token of this list");
        for top in ["0", "101", "-1", "x"] {
            let says = "$top: must be a whole number from 1 to 100";
            check(&format!("$top={top}"), says);
        }
        let says = "$filter: `name` cannot be filtered by; supported: billingPeriodEndDate";
        check("$filter=name eq '201811-1'", says);
    }

    #[test]
    fn answers_have_the_members_of_the_clients_models() {
        let subscription = SubscriptionId::new("ferry").unwrap();
        let number = DocumentNumber { seller: LegalEntityId::new("reck").unwrap(), sequence: 7 };
        let period = BillingPeriod::parse("2028-02").unwrap();
        let told = SubscriptionPeriod { period, invoices: vec![number] };
        let shown = serde_json::to_value(period_view(&subscription, &told)).unwrap();
        let invoice = "/providers/Microsoft.Billing/billingAccounts/default/billingSubscriptions/\
                       ferry/invoices/reck-00000007";
        let expected = json!({
            "id": "/subscriptions/ferry/providers/Microsoft.Billing/billingPeriods/202802-1",
            "name": "202802-1",
            "type": "Microsoft.Billing/billingPeriods",
            "properties": {
                "billingPeriodStartDate": "2028-02-01",
                "billingPeriodEndDate": "2028-02-29",
                "invoiceIds": [invoice],
            },
        });
        assert_eq!(shown, expected);
        let lab = place(Level::EnrollmentAccount, "lab", None);
        let shown = serde_json::to_value(account_view(&lab)).unwrap();
        let expected = json!({
            "id": "/providers/Microsoft.Billing/enrollmentAccounts/lab",
            "name": "lab",
            "type": "Microsoft.Billing/enrollmentAccounts",
            "properties": { "principalName": "ada@north.example" },
        });
        assert_eq!(shown, expected);
        let shown = serde_json::to_value(account_view(&shell(lab))).unwrap();
        assert_eq!(shown["properties"], json!({}));
    }
}
