//! Twins of agreements.

use super::parties::unless;
use super::step::Step;
use super::text::Text;
use super::words::{amount, major};
use super::wrong::Wrong;
use calendar::{Instant, Interval};
use domain::addresses::Country;
use domain::agreements::{self, AgreementType, EnrollmentPolicies, Permission};
use domain::ids::BillingAccountId;
use money::{Currency, Fixed18};
use serde::{Deserialize, Serialize};

/// What a billing account has signed, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agreement {
    billing_account: Text<BillingAccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    #[serde(rename = "type")]
    kind: Text<AgreementType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile_creation: Option<Text<Permission>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enrollment: Option<Enrollment>,
}

/// An enterprise agreement's own facts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrollment {
    start: Text<Instant>,
    end: Text<Instant>,
    currency: Text<Currency>,
    country: Text<Country>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prepayment: Option<Text<Fixed18>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    department_administrators_view_charges: Option<Text<Permission>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_owners_view_charges: Option<Text<Permission>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    marketplace_purchases: Option<Text<Permission>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reservation_purchases: Option<Text<Permission>>,
}

impl TryFrom<Agreement> for Step<BillingAccountId, agreements::Agreement> {
    type Error = Wrong;

    fn try_from(twin: Agreement) -> Result<Self, Wrong> {
        let Agreement { billing_account, from, kind, profile_creation, enrollment } = twin;
        if profile_creation.is_some() && kind.0 != AgreementType::Customer {
            return Err(belongs("profile_creation", AgreementType::Customer, kind.0));
        }
        if enrollment.is_some() && kind.0 != AgreementType::Enterprise {
            return Err(belongs("enrollment", AgreementType::Enterprise, kind.0));
        }
        let value = match kind.0 {
            AgreementType::Customer => agreements::Agreement::Customer {
                profile_creation: profile_creation.map_or(Permission::NotAllowed, |text| text.0),
            },
            AgreementType::Partner => agreements::Agreement::Partner,
            AgreementType::Enterprise => {
                let enrollment = enrollment.ok_or_else(|| {
                    Wrong::new("enrollment", format!("must be there for an {}", kind.0))
                })?;
                let enrollment = agreements::Enrollment::try_from(enrollment);
                agreements::Agreement::Enterprise(enrollment.map_err(|w| w.below("enrollment"))?)
            }
            AgreementType::OnlineServices => agreements::Agreement::OnlineServices,
            AgreementType::Messaging => agreements::Agreement::Messaging,
        };
        let from = from.map_or(Instant::MIN, |from| from.0);
        Ok(Step { of: billing_account.0, from, value })
    }
}

fn belongs(key: &str, to: AgreementType, found: AgreementType) -> Wrong {
    Wrong::new(key, format!("belongs to a {to}, not to a {found}").replace(" a e", " an e"))
}

impl TryFrom<Enrollment> for agreements::Enrollment {
    type Error = Wrong;

    fn try_from(twin: Enrollment) -> Result<agreements::Enrollment, Wrong> {
        let Enrollment {
            start,
            end,
            currency,
            country,
            prepayment,
            department_administrators_view_charges,
            account_owners_view_charges,
            marketplace_purchases,
            reservation_purchases,
        } = twin;
        if end.0 <= start.0 {
            return Err(Wrong::new("end", format!("must be after {}, where it starts", start.0)));
        }
        let prepayment = prepayment.map_or(Fixed18::ZERO, |prepayment| prepayment.0);
        let said = |policy: Option<Text<Permission>>, default| policy.map_or(default, |p| p.0);
        let policies = EnrollmentPolicies {
            department_administrators_view_charges: said(
                department_administrators_view_charges,
                Permission::NotAllowed,
            ),
            account_owners_view_charges: said(account_owners_view_charges, Permission::NotAllowed),
            marketplace_purchases: said(marketplace_purchases, Permission::Allowed),
            reservation_purchases: said(reservation_purchases, Permission::Allowed),
        };
        Ok(agreements::Enrollment {
            term: Interval::new(start.0, end.0).map_err(|error| Wrong::new("end", error))?,
            currency: currency.0,
            country: country.0,
            prepayment: amount("prepayment", prepayment, currency.0)?,
            policies,
        })
    }
}

impl From<Step<BillingAccountId, agreements::Agreement>> for Agreement {
    fn from(step: Step<BillingAccountId, agreements::Agreement>) -> Agreement {
        let Step { of, from, value } = step;
        let kind = value.kind();
        let (profile_creation, enrollment) = match value {
            agreements::Agreement::Customer { profile_creation } => {
                (unless(profile_creation, Permission::NotAllowed), None)
            }
            agreements::Agreement::Enterprise(enrollment) => (None, Some(enrollment.into())),
            agreements::Agreement::Partner
            | agreements::Agreement::OnlineServices
            | agreements::Agreement::Messaging => (None, None),
        };
        Agreement {
            billing_account: Text(of),
            from: unless(from, Instant::MIN),
            kind: Text(kind),
            profile_creation,
            enrollment,
        }
    }
}

impl From<agreements::Enrollment> for Enrollment {
    fn from(enrollment: agreements::Enrollment) -> Enrollment {
        let agreements::Enrollment { term, currency, country, prepayment, policies } = enrollment;
        let EnrollmentPolicies {
            department_administrators_view_charges,
            account_owners_view_charges,
            marketplace_purchases,
            reservation_purchases,
        } = policies;
        let (no, yes) = (Permission::NotAllowed, Permission::Allowed);
        Enrollment {
            start: Text(term.start()),
            end: Text(term.end()),
            currency: Text(currency),
            country: Text(country),
            prepayment: unless(major(prepayment), Fixed18::ZERO),
            department_administrators_view_charges: unless(
                department_administrators_view_charges,
                no,
            ),
            account_owners_view_charges: unless(account_owners_view_charges, no),
            marketplace_purchases: unless(marketplace_purchases, yes),
            reservation_purchases: unless(reservation_purchases, yes),
        }
    }
}
