//! Scopes: where a question is asked at, as the addresses of operations begin.

use crate::at::At;
use crate::{Consumption, kinds};
use armkit::ArmError;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::MethodRouter;
use calendar::BillingPeriod;
use domain::access::{Caller, Scope};
use domain::ids::{BillingAccountId, PlaceId, SubscriptionId};
use domain::places::Level;
use domain::{Error, Kind};
use httpkit::{Asking, Group, Operation};
use service::{AccountTold, PlaceTold};

macro_rules! account {
    ($tail:literal) => {
        concat!("/providers/Microsoft.Billing/billingAccounts/{billingAccountId}", $tail)
    };
}

/// Stands for any of [`FORMS`], with a billing period behind it or not.
pub(crate) const SCOPE: &str = "/{scope}";
/// A subscription.
pub(crate) const SUBSCRIPTION: &str = "/subscriptions/{subscriptionId}";
/// A billing account.
pub(crate) const ACCOUNT: &str = account!("");
/// A billing profile.
pub(crate) const PROFILE: &str = account!("/billingProfiles/{billingProfileId}");
/// A management group.
pub(crate) const MANAGEMENT_GROUP: &str =
    "/providers/Microsoft.Management/managementGroups/{managementGroupId}";
/// A billing period behind a scope.
pub(crate) const PERIOD: &str = "/providers/Microsoft.Billing/billingPeriods/{billingPeriodName}";

/// A kind of scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Subscription,
    ResourceGroup,
    Account,
    Profile,
    Section,
    Customer,
    Department,
    EnrollmentAccount,
    ManagementGroup,
}

impl Form {
    /// What refusals call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Form::Subscription => "subscription",
            Form::ResourceGroup => "resource group",
            Form::Account => "billing account",
            Form::Profile => "billing profile",
            Form::Section => "invoice section",
            Form::Customer => "customer",
            Form::Department => "department",
            Form::EnrollmentAccount => "enrollment account",
            Form::ManagementGroup => "management group",
        }
    }
}

/// How addresses begin with a scope. Sections stand below their profile or the account, departments
/// and enrollment accounts below their account or by themselves.
///
/// Source: the `scope` parameters of both descriptions, and their examples.
const FORMS: [(&str, Form); 12] = [
    (SUBSCRIPTION, Form::Subscription),
    ("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}", Form::ResourceGroup),
    (ACCOUNT, Form::Account),
    (PROFILE, Form::Profile),
    (
        account!("/billingProfiles/{billingProfileId}/invoiceSections/{invoiceSectionId}"),
        Form::Section,
    ),
    (account!("/invoiceSections/{invoiceSectionId}"), Form::Section),
    (account!("/customers/{customerId}"), Form::Customer),
    (account!("/departments/{departmentId}"), Form::Department),
    (account!("/enrollmentAccounts/{enrollmentAccountId}"), Form::EnrollmentAccount),
    ("/providers/Microsoft.Billing/departments/{departmentId}", Form::Department),
    (
        "/providers/Microsoft.Billing/enrollmentAccounts/{enrollmentAccountId}",
        Form::EnrollmentAccount,
    ),
    (MANAGEMENT_GROUP, Form::ManagementGroup),
];

/// The parameters that name places below a billing account, outermost first.
const LEVELS: [(&str, Level); 5] = [
    ("billingProfileId", Level::BillingProfile),
    ("invoiceSectionId", Level::InvoiceSection),
    ("customerId", Level::Customer),
    ("departmentId", Level::Department),
    ("enrollmentAccountId", Level::EnrollmentAccount),
];

/// The same operations, each at every address that its scope may have.
pub(crate) fn written_out(group: Group<Consumption>) -> Group<Consumption> {
    let mut all = Group::new();
    for (Operation { path, verb, id }, handler) in group.into_entries() {
        let Some(tail) = path.strip_prefix(SCOPE) else {
            all = all.on::<MethodRouter<Consumption>, ()>(verb, id, &path, handler);
            continue;
        };
        for (form, _) in FORMS {
            for period in ["", PERIOD] {
                let path = format!("{form}{period}{tail}");
                let handler = handler.clone();
                all = all.on::<MethodRouter<Consumption>, ()>(verb, id, &path, handler);
            }
        }
    }
    all
}

/// Where a question is asked at, as far as its caller may know of that.
#[derive(Debug)]
pub(crate) struct Spot {
    /// Its id as a resource: as the caller spells it, with the stored names of what it found, and
    /// without the billing period.
    pub(crate) id: String,
    /// What kind of scope it is.
    pub(crate) form: Form,
    /// What it is to the rules of access; of a resource group its subscription.
    pub(crate) scope: Scope,
    /// The billing account that pays, at least as a shell.
    pub(crate) account: AccountTold,
    /// The billing profile that pays for a subscription, if one does.
    pub(crate) profile: Option<PlaceId>,
    /// The place below the account, if it is one.
    pub(crate) place: Option<PlaceTold>,
    /// The resource group, if it is one.
    pub(crate) resource_group: Option<String>,
    /// The billing period that the address names.
    pub(crate) period: Option<BillingPeriod>,
}

impl Consumption {
    /// The scope of a path, for an operation.
    ///
    /// Errors: 404 in the same words for what is missing and what the caller may not know of; 400
    /// where the operation is not for such a scope or its kind of agreement, and for a billing
    /// period that is none.
    pub(crate) async fn spot(&self, caller: &Caller, at: &At) -> Result<Spot, ArmError> {
        let form = form(at)?;
        kinds::demand_form(at.operation, form)?;
        let period = period(at)?;
        let mut spot = match form {
            Form::Subscription | Form::ResourceGroup => self.subscription(caller, at, form).await?,
            // There are none here, so whoever asks learns nothing.
            Form::ManagementGroup => {
                return Err(Error::not_found(form.name(), at.name("managementGroupId")).into());
            }
            Form::Account
            | Form::Profile
            | Form::Section
            | Form::Customer
            | Form::Department
            | Form::EnrollmentAccount => self.below(caller, at, form).await?,
        };
        kinds::demand(at.operation, spot.account.kind)?;
        spot.period = period;
        Ok(spot)
    }

    /// A billing account by its name.
    ///
    /// Errors: 404 in the same words for one that is missing and one that the caller holds no role
    /// on.
    pub(crate) async fn account(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<AccountTold, ArmError> {
        let missing = || Error::not_found("billing account", name);
        let id = BillingAccountId::new(name).map_err(|_| missing())?;
        let found = self.reckoner.billing_account(caller, &id).await;
        Ok(found.map_err(|e| if e.kind() == Kind::NotFound { missing() } else { e })?)
    }

    async fn subscription(&self, caller: &Caller, at: &At, form: Form) -> Result<Spot, ArmError> {
        let name = at.name("subscriptionId");
        let missing = |_| Error::not_found("subscription", name);
        let subscription = SubscriptionId::new(name).map_err(missing)?;
        let billed = self.reckoner.billed_to(caller, &subscription).await?;
        let resource_group = at.given("resourceGroupName").map(str::to_owned);
        let below =
            resource_group.iter().map(|name| format!("/resourceGroups/{name}")).collect::<String>();
        Ok(Spot {
            id: format!("/subscriptions/{subscription}{below}"),
            form,
            scope: Scope::Subscription(subscription),
            account: billed.account,
            profile: billed.profile.map(|told| told.place.key.id),
            place: None,
            resource_group,
            period: None,
        })
    }

    async fn below(&self, caller: &Caller, at: &At, form: Form) -> Result<Spot, ArmError> {
        let way = way(at);
        let (account, place) = match at.given("billingAccountId") {
            Some(name) => {
                let account = self.account(caller, name).await?;
                let place = if way.is_empty() {
                    None
                } else {
                    Some(self.reckoner.place(caller, &account.id, &way).await?)
                };
                (account, place)
            }
            None => self.by_itself(caller, &way).await?,
        };
        let scope = place.as_ref().map(|told| Scope::Place(told.place.clone()));
        Ok(Spot {
            id: id(&account, &way, place.as_ref()),
            form,
            scope: scope.unwrap_or_else(|| Scope::Account(account.id.clone())),
            account,
            profile: None,
            place,
            resource_group: None,
            period: None,
        })
    }

    /// A place that is named without its account: in the first account, in the order of ids, that
    /// has it and that the caller may know of.
    async fn by_itself(
        &self,
        caller: &Caller,
        way: &[(Level, &str)],
    ) -> Result<(AccountTold, Option<PlaceTold>), ArmError> {
        for account in self.reckoner.billing_accounts(caller).await? {
            match self.reckoner.place(caller, &account.id, way).await {
                Ok(place) => return Ok((account, Some(place))),
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (level, name) = way.first().copied().unwrap_or((Level::Department, ""));
        Err(Error::not_found(level.name(), name).into())
    }
}

/// The way down from the billing account; empty for the account itself.
fn way(at: &At) -> Vec<(Level, &str)> {
    let named = |(parameter, level): &(&str, Level)| Some((*level, at.given(parameter)?));
    LEVELS.iter().filter_map(named).collect()
}

/// The id as a resource, below the account also of what is named by itself.
fn id(account: &AccountTold, way: &[(Level, &str)], place: Option<&PlaceTold>) -> String {
    let mut id = account_id(&account.id);
    for (number, (level, name)) in way.iter().enumerate() {
        let is_last = number.saturating_add(1) == way.len();
        let stored = place.filter(|_| is_last).map(|told| told.place.key.id.as_str());
        id.push_str(&format!("/{}/{}", collection(*level), stored.unwrap_or(name)));
    }
    id
}

/// The id of a billing account as a resource.
pub(crate) fn account_id(account: &BillingAccountId) -> String {
    format!("/providers/Microsoft.Billing/billingAccounts/{account}")
}

/// Where places of a level stand in addresses.
pub(crate) const fn collection(level: Level) -> &'static str {
    match level {
        Level::BillingProfile => "billingProfiles",
        Level::InvoiceSection => "invoiceSections",
        Level::Customer => "customers",
        Level::Department => "departments",
        Level::EnrollmentAccount => "enrollmentAccounts",
        Level::MessagingAccount => "messagingAccounts",
    }
}

/// What kind of scope a path begins with.
fn form(at: &At) -> Result<Form, Error> {
    let all = FORMS.iter().filter(|(form, _)| at.path.starts_with(form));
    // The longest is meant: what lies below an account begins as the account does.
    let longest = all.max_by_key(|(form, _)| form.len());
    let unknown = || Error::internal("find a scope", at.path.clone());
    longest.map(|(_, form)| *form).ok_or_else(unknown)
}

/// The billing period of a path: `202611`, `202611-1`.
///
/// Errors: 400 `BadRequest` for what is no billing period.
fn period(at: &At) -> Result<Option<BillingPeriod>, ArmError> {
    let Some(name) = at.given("billingPeriodName") else { return Ok(None) };
    named_period(name).map(Some).ok_or_else(|| {
        let message = format!(
            "billingPeriodName: `{name}` is not a billing period; name one by year and month, such \
             as `202611`"
        );
        ArmError::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    })
}

/// Reads the name of a billing period: year and month, with `-1` behind them or not.
///
/// Source: billing periods have both spellings in the published examples.
fn named_period(name: &str) -> Option<BillingPeriod> {
    let name = name.strip_suffix("-1").unwrap_or(name);
    let is_month = name.len() == 6 && name.bytes().all(|byte| byte.is_ascii_digit());
    let (year, month) = name.split_at_checked(4).filter(|_| is_month)?;
    BillingPeriod::parse(&format!("{year}-{month}")).ok()
}

/// The name of a billing period.
pub(crate) fn period_name(period: BillingPeriod) -> String {
    period.to_string().replace('-', "")
}

/// Who asks, for what, and where: what most handlers begin with.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) caller: Caller,
    pub(crate) at: At,
    pub(crate) spot: Spot,
}

impl FromRequestParts<Consumption> for Question {
    type Rejection = ArmError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Consumption,
    ) -> Result<Question, ArmError> {
        let Asking(caller) = Asking::from_request_parts(parts, state).await?;
        let at = At::from_request_parts(parts, state).await?;
        let spot = state.spot(&caller, &at).await?;
        Ok(Question { caller, at, spot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn at(path: &str) -> At {
        let segments = path.split('/');
        let named = segments.filter_map(|one| one.strip_prefix('{')?.strip_suffix('}'));
        let names: HashMap<String, String> =
            named.map(|name| (name.to_owned(), format!("x-{name}"))).collect();
        At {
            operation: "Budgets_List",
            version: crate::Version::V2021,
            path: path.to_owned(),
            names,
        }
    }

    #[test]
    fn each_scope_is_told_from_those_that_begin_alike() {
        for (path, expected) in FORMS {
            for period in ["", PERIOD] {
                let found = form(&at(&format!("{path}{period}{}/budgets", crate::PROVIDER)));
                assert_eq!(found.unwrap(), expected, "{path}{period}");
            }
        }
    }

    #[test]
    fn the_way_down_to_a_place_is_that_of_its_address() {
        let check = |path: &str, expected: &[(Level, &str)]| {
            assert_eq!(way(&at(path)), expected, "{path}");
        };
        check(ACCOUNT, &[]);
        check(PROFILE, &[(Level::BillingProfile, "x-billingProfileId")]);
        check(
            account!("/billingProfiles/{billingProfileId}/invoiceSections/{invoiceSectionId}"),
            &[
                (Level::BillingProfile, "x-billingProfileId"),
                (Level::InvoiceSection, "x-invoiceSectionId"),
            ],
        );
        check(
            "/providers/Microsoft.Billing/departments/{departmentId}",
            &[(Level::Department, "x-departmentId")],
        );
    }

    #[test]
    fn billing_periods_are_named_by_year_and_month() {
        let check = |name: &str, expected: Option<&str>| {
            let told = named_period(name).map(|period| period.to_string());
            assert_eq!(told.as_deref(), expected, "{name}");
        };
        check("202611", Some("2026-11"));
        check("202611-1", Some("2026-11"));
        check("202613", None);
        check("2026-11", None);
        check("20261", None);
        check("soon", None);
        let named = period_name(BillingPeriod::parse("2026-11").unwrap());
        assert_eq!(named, "202611");
    }
}
