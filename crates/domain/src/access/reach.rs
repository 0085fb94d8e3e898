//! How far it is from a place that a role is given at to one that is asked at.

use super::{Scope, Viewers};
use crate::agreements::{Agreement, Permission};
use crate::company::{Company, Placement};
use crate::holdings::Held;
use crate::ids::PrincipalId;
use crate::places::{Detail, Level, Place};
use calendar::{Instant, Interval};

/// How far below a place another one lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Distance {
    /// It is the place itself.
    Itself,
    /// A subscription or product that stands directly there.
    StandsThere,
    /// Further down.
    Below,
}

/// The least distance from `given` down to `asked` at any moment of an interval; none if it never
/// lay there. Without an interval only what can never move is looked at.
///
/// What is missing lies nowhere but in the installation.
pub(super) fn distance(
    company: &Company,
    given: &Scope,
    asked: &Scope,
    during: Option<Interval>,
) -> Option<Distance> {
    match (given, asked) {
        (Scope::Place(place), _) if company.places.timeline(place).is_none() => None,
        (_, Scope::Place(place)) if *given != Scope::Installation => {
            company.places.timeline(place)?;
            to_place(company, given, place, during)
        }
        _ if given == asked => Some(Distance::Itself),
        (Scope::Installation, _) => Some(Distance::Below),
        (Scope::Account(_) | Scope::Place(_), Scope::Subscription(_) | Scope::Product(_)) => {
            let (placements, held) = holding(company, asked)?;
            let during = during?;
            let by_payer = placements.iter().filter_map(|one| to_payer(given, one, held, during));
            let by_place = held.into_iter().flat_map(|held| {
                held.standings.spans().filter_map(|(span, standing)| {
                    let during = span.intersection(&during)?;
                    to_standing(company, given, standing.place.as_ref()?, during)
                })
            });
            by_payer.chain(by_place).min()
        }
        _ => None,
    }
}

fn to_place(
    company: &Company,
    given: &Scope,
    asked: &Place,
    during: Option<Interval>,
) -> Option<Distance> {
    match given {
        Scope::Account(account) => (*account == asked.billing_account).then_some(Distance::Below),
        Scope::Place(given) if given == asked => Some(Distance::Itself),
        Scope::Place(given) if given.billing_account == asked.billing_account => {
            let upwards = company.places.of(&asked.billing_account)?.upwards(&asked.key, during?);
            upwards.iter().any(|(key, _)| **key == given.key).then_some(Distance::Below)
        }
        Scope::Installation | Scope::Place(_) | Scope::Subscription(_) | Scope::Product(_) => None,
    }
}

/// From the account or profile that pays.
fn to_payer(
    given: &Scope,
    placement: &Placement,
    held: Option<&Held>,
    during: Interval,
) -> Option<Distance> {
    let shared = placement.during.intersection(&during)?;
    let is_payer = match given {
        Scope::Account(account) => *account == placement.billing_account,
        Scope::Place(place) => {
            place.key.level == Level::BillingProfile
                && place.billing_account == placement.billing_account
                && placement.profile.as_deref() == Some(place.key.id.as_str())
        }
        Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => false,
    };
    let has_place = held.is_some_and(|held| {
        let mut spans = held.standings.spans();
        spans.any(|(span, standing)| span.overlaps(&shared) && standing.place.is_some())
    });
    let distance = if has_place { Distance::Below } else { Distance::StandsThere };
    is_payer.then_some(distance)
}

/// From a place where it stood, or one that this lay below.
fn to_standing(
    company: &Company,
    given: &Scope,
    standing: &Place,
    during: Interval,
) -> Option<Distance> {
    match given {
        Scope::Place(given) if given == standing => Some(Distance::StandsThere),
        _ => to_place(company, given, standing, Some(during)),
    }
}

/// Who pays for a subscription or product, and where it stands.
pub(super) fn holding<'a>(
    company: &'a Company,
    scope: &Scope,
) -> Option<(&'a [Placement], Option<&'a Held>)> {
    match scope {
        Scope::Subscription(id) => {
            let held = company.places.subscriptions.get(id);
            company.subscriptions.get(id).map(|one| (one.placements.as_slice(), held))
        }
        Scope::Product(id) => {
            let product = company.places.products.get(id)?;
            Some((&product.placements, Some(&product.held)))
        }
        Scope::Installation | Scope::Account(_) | Scope::Place(_) => None,
    }
}

/// Whether a principal made the subscription or product.
pub(super) fn created(company: &Company, scope: &Scope, principal: &PrincipalId) -> bool {
    let held = holding(company, scope).and_then(|(_, held)| held);
    held.is_some_and(|held| held.created_by.as_ref() == Some(principal))
}

/// Whether the policies of a moment show charges: those of the enrollment that a role was given in,
/// or of the billing profile or customer where a subscription stands.
///
/// Source: `microsoft-billing.md` sections 5.4 and 6. Where no policy says so, they are not shown.
pub(super) fn charges_shown(
    company: &Company,
    viewers: Viewers,
    given: &Scope,
    at: Instant,
) -> bool {
    let policy = match viewers {
        Viewers::DepartmentAdministrators | Viewers::AccountOwners => {
            enrollment_policy(company, viewers, given, at)
        }
        Viewers::ResourceUsers => resource_policy(company, given, at),
    };
    policy.is_some_and(Permission::is_allowed)
}

fn enrollment_policy(
    company: &Company,
    viewers: Viewers,
    given: &Scope,
    at: Instant,
) -> Option<Permission> {
    let Scope::Place(place) = given else { return None };
    let Agreement::Enterprise(enrollment) =
        company.places.agreement_at(&place.billing_account, at)?
    else {
        return None;
    };
    match viewers {
        Viewers::DepartmentAdministrators => {
            Some(enrollment.policies.department_administrators_view_charges)
        }
        Viewers::AccountOwners => Some(enrollment.policies.account_owners_view_charges),
        Viewers::ResourceUsers => None,
    }
}

/// The policy of the profile that pays, or of the customer; the customer's is asked first.
fn resource_policy(company: &Company, given: &Scope, at: Instant) -> Option<Permission> {
    let (_, held) = holding(company, given)?;
    let standing = held?.standings.at(at)?.place.as_ref()?;
    let account = company.places.of(&standing.billing_account)?;
    let enclosing = |level| account.enclosing(&standing.key, level, at);
    let key = enclosing(Level::Customer).or_else(|| enclosing(Level::BillingProfile))?;
    match &account.places.get(key)?.at(at)?.detail {
        Detail::BillingProfile(profile) => Some(profile.view_charges),
        Detail::Customer(customer) => Some(customer.view_charges),
        Detail::InvoiceSection
        | Detail::Department { .. }
        | Detail::EnrollmentAccount
        | Detail::MessagingAccount { .. } => None,
    }
}
