//! Moves of subscriptions and products within a billing account: how destinations are named, and
//! the vendor's words for what stands against one.
//!
//! Source: `microsoft-billing.md` section 10.

use crate::given::wrong;
use armkit::ArmError;
use axum::http::StatusCode;
use domain::Kind;
use domain::holdings::AutoRenew;
use domain::moves::Obstacle;
use serde::{Deserialize, Serialize};
use service::{ProfileAsked, SectionAsked};

/// The member that names the section to move to.
pub(crate) const SECTION: &str = "destinationInvoiceSectionId";
/// The member that names the profile to move to.
pub(crate) const PROFILE: &str = "destinationBillingProfileId";

/// The names on the way down to a resource of this provider; none where it is another.
fn names<'a>(id: &'a str, collections: &[&str]) -> Option<Vec<&'a str>> {
    let mut parts = id.strip_prefix('/').unwrap_or(id).split('/');
    let mut is_next = |word: &str| parts.next().is_some_and(|part| part.eq_ignore_ascii_case(word));
    if !is_next("providers") || !is_next("Microsoft.Billing") {
        return None;
    }
    let mut names = Vec::new();
    for collection in collections {
        let word = parts.next()?;
        let name = parts.next().filter(|name| !name.is_empty())?;
        if !word.eq_ignore_ascii_case(collection) {
            return None;
        }
        names.push(name);
    }
    parts.next().is_none().then_some(names)
}

/// The invoice section that a full id names, in any letter case, with its first slash or without.
///
/// Errors: 400 naming the member for anything else.
pub(crate) fn section(id: &str) -> Result<SectionAsked, ArmError> {
    let names = names(id, &["billingAccounts", "billingProfiles", "invoiceSections"]);
    let Some([account, profile, section]) = names.as_deref() else {
        let form = "/providers/Microsoft.Billing/billingAccounts/{name}/billingProfiles/{name}/\
                    invoiceSections/{name}";
        return Err(wrong(SECTION, format!("must be the full id of an invoice section: {form}")));
    };
    let (account, profile) = ((*account).to_owned(), (*profile).to_owned());
    Ok(SectionAsked { account, profile, section: (*section).to_owned() })
}

/// The billing profile that a full id names, as [`section`].
///
/// Errors: 400 naming the member for anything else.
pub(crate) fn profile(id: &str) -> Result<ProfileAsked, ArmError> {
    let names = names(id, &["billingAccounts", "billingProfiles"]);
    let Some([account, profile]) = names.as_deref() else {
        let form = "/providers/Microsoft.Billing/billingAccounts/{name}/billingProfiles/{name}";
        return Err(wrong(PROFILE, format!("must be the full id of a billing profile: {form}")));
    };
    Ok(ProfileAsked { account: (*account).to_owned(), profile: (*profile).to_owned() })
}

/// Whether an operation is about products.
fn is_of_products(operation: &str) -> bool {
    operation.starts_with("Products_")
}

/// Whether the answer of a validation has a word for what stands against a move: subscriptions and
/// products have lists of their own. Source: `microsoft-billing.md` section 10.
const fn is_listed(is_of_products: bool, obstacle: Obstacle) -> bool {
    match obstacle {
        Obstacle::NoRightAtSource
        | Obstacle::NotAtSource
        | Obstacle::OtherAccount
        | Obstacle::NoRightAtDestination
        | Obstacle::ProfilePastDue
        | Obstacle::NotActive
        | Obstacle::PlanStays
        | Obstacle::NoPrice => true,
        Obstacle::PaidOnce => is_of_products,
        Obstacle::AccountInactive
        | Obstacle::SourceSectionInactive
        | Obstacle::SourceProfilePastDue
        | Obstacle::NoProfile
        | Obstacle::NoSection
        | Obstacle::Unclear
        | Obstacle::ProfileInactive
        | Obstacle::SectionInactive
        | Obstacle::MarketplaceClosed => !is_of_products,
    }
}

/// The vendor's word for what stands against a move. Where the list of products has none, a move of
/// one is refused with that of subscriptions.
fn code(operation: &str, obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::AccountInactive => "BillingAccountInactive",
        Obstacle::NoRightAtSource => "InsufficientPermissionOnSource",
        Obstacle::NotAtSource => "InvalidSource",
        Obstacle::SourceSectionInactive => "SourceInvoiceSectionInactive",
        Obstacle::SourceProfilePastDue => "SourceBillingProfilePastDue",
        Obstacle::OtherAccount => "CrossBillingAccountNotAllowed",
        Obstacle::NoProfile => "DestinationBillingProfileNotFound",
        Obstacle::NoSection => "DestinationInvoiceSectionNotFound",
        Obstacle::Unclear => "InvalidDestination",
        Obstacle::NoRightAtDestination => "InsufficientPermissionOnDestination",
        Obstacle::ProfileInactive => "DestinationBillingProfileInactive",
        Obstacle::ProfilePastDue => "DestinationBillingProfilePastDue",
        Obstacle::SectionInactive => "DestinationInvoiceSectionInactive",
        Obstacle::NotActive if is_of_products(operation) => "ProductNotActive",
        Obstacle::NotActive => "SubscriptionNotActive",
        Obstacle::PaidOnce => "OneTimePurchaseProductTransferNotAllowed",
        Obstacle::PlanStays => "ProductTypeNotSupported",
        Obstacle::MarketplaceClosed => "MarketplaceNotEnabledOnDestination",
        Obstacle::NoPrice => "NotAvailableForDestinationMarket",
    }
}

/// Status and code of a move that is refused.
pub(crate) fn spelled(operation: &str, obstacle: Obstacle) -> (StatusCode, &'static str) {
    let status = match obstacle.kind() {
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::NotFound
        | Kind::Unauthenticated
        | Kind::Conflict
        | Kind::TooMuch
        | Kind::NotReady
        | Kind::TooMany
        | Kind::Unavailable
        | Kind::Internal => StatusCode::CONFLICT,
    };
    (status, code(operation, obstacle))
}

/// The member that stands against a move, if it is known which one does.
pub(crate) fn target(obstacle: Obstacle) -> Option<&'static str> {
    (obstacle == Obstacle::NoSection).then_some(SECTION)
}

/// A move that is refused.
pub(crate) fn refused(operation: &str, obstacle: Obstacle, message: String) -> ArmError {
    let (status, code) = spelled(operation, obstacle);
    let error = ArmError::new(status, code, message);
    match target(obstacle) {
        Some(target) => error.with_target(target),
        None => error,
    }
}

/// `ValidateSubscriptionTransferEligibilityError`, `ValidateProductTransferEligibilityError`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, Deserialize), serde(default))]
pub(crate) struct EligibilityError {
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
}

/// The first of what stands against a move that a validation has a word for, with what else does;
/// none where nothing does.
///
/// Errors: 400 in the words of the move where it has no word for any of it.
pub(crate) fn eligibility_error(
    operation: &str,
    obstacles: &[Obstacle],
) -> Result<Option<EligibilityError>, ArmError> {
    let is_of_products = is_of_products(operation);
    let Some(first) = obstacles.iter().find(|one| is_listed(is_of_products, **one)) else {
        return obstacles.first().map_or(Ok(None), |first| {
            let code = code(operation, *first);
            Err(ArmError::new(StatusCode::BAD_REQUEST, code, first.to_string()))
        });
    };
    let told = |obstacle: &Obstacle| format!("{}: {obstacle}", code(operation, *obstacle));
    let others: Vec<String> = obstacles.iter().filter(|one| *one != first).map(told).collect();
    Ok(Some(EligibilityError {
        code: code(operation, *first).to_owned(),
        message: first.to_string(),
        details: (!others.is_empty()).then(|| others.join("; ")),
    }))
}

/// `autoRenew` where it is text that looks like a boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Flag(pub(crate) AutoRenew);

impl TryFrom<String> for Flag {
    type Error = String;

    fn try_from(text: String) -> Result<Flag, String> {
        match text.as_str() {
            "true" => Ok(Flag(AutoRenew::On)),
            "false" => Ok(Flag(AutoRenew::Off)),
            _ => Err("must be \"true\" or \"false\", as text".to_owned()),
        }
    }
}

/// `autoRenew` where it is a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Switch(pub(crate) AutoRenew);

impl TryFrom<String> for Switch {
    type Error = String;

    fn try_from(text: String) -> Result<Switch, String> {
        match text.as_str() {
            "On" => Ok(Switch(AutoRenew::On)),
            "Off" => Ok(Switch(AutoRenew::Off)),
            _ => Err("must be On or Off".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: &str = "providers/Microsoft.Billing/billingAccounts/North/billingProfiles/Ships";

    #[test]
    fn a_destination_is_a_full_id_in_any_letter_case() {
        let check = |id: &str, expected: Option<[&str; 3]>| {
            let found = section(id).map(|one| [one.account, one.profile, one.section]);
            assert_eq!(found.ok(), expected.map(|names| names.map(str::to_owned)), "{id}");
        };
        let whole = Some(["North", "Ships", "Freight"]);
        check(&format!("/{OF}/invoiceSections/Freight"), whole);
        check(&format!("{OF}/invoiceSections/Freight"), whole);
        let small = Some(["north", "ships", "freight"]);
        check(&format!("/{OF}/InvoiceSections/Freight").to_ascii_lowercase(), small);
        for wrong in [
            String::new(),
            "Freight".to_owned(),
            format!("/{OF}"),
            format!("//{OF}/invoiceSections/Freight"),
            format!("/{OF}/invoiceSections/"),
            format!("/{OF}/invoiceSections/Freight/"),
            format!("/{OF}/invoiceSections/Freight/more"),
            format!("/{OF}/sections/Freight"),
            format!("https://host/{OF}/invoiceSections/Freight"),
        ] {
            check(&wrong, None);
        }
        let found = profile(&format!("/{OF}")).map(|one| (one.account, one.profile));
        assert_eq!(found.ok(), Some(("North".to_owned(), "Ships".to_owned())));
        assert!(profile(&format!("/{OF}/invoiceSections/Freight")).is_err());
        let refused = serde_json::to_string(&profile("x").map(drop).unwrap_err().code()).unwrap();
        assert_eq!(refused, r#""BadRequest""#);
    }

    #[test]
    fn each_obstacle_has_a_word_and_a_status_of_its_own() {
        let check = |operation: &str, obstacle: Obstacle, expected: (u16, &str)| {
            let (status, code) = spelled(operation, obstacle);
            assert_eq!((status.as_u16(), code), expected, "{operation} {obstacle:?}");
        };
        let (subscription, product) = ("BillingSubscriptions_Move", "Products_Move");
        check(subscription, Obstacle::NotActive, (409, "SubscriptionNotActive"));
        check(product, Obstacle::NotActive, (409, "ProductNotActive"));
        check(subscription, Obstacle::OtherAccount, (400, "CrossBillingAccountNotAllowed"));
        check(product, Obstacle::NoRightAtSource, (403, "InsufficientPermissionOnSource"));
        check(product, Obstacle::PlanStays, (409, "ProductTypeNotSupported"));
        let told = |obstacle: Obstacle| spelled(subscription, obstacle).1;
        let words: std::collections::BTreeSet<&str> = Obstacle::ALL.into_iter().map(told).collect();
        assert_eq!(words.len(), Obstacle::ALL.len());
    }

    #[test]
    fn a_member_is_named_only_where_it_must_have_been_sent() {
        let named: Vec<Obstacle> =
            Obstacle::ALL.into_iter().filter(|one| target(*one).is_some()).collect();
        assert_eq!(named, [Obstacle::NoSection]);
    }

    #[test]
    fn the_first_obstacle_is_the_error_and_the_others_are_its_details() {
        let told = |obstacles: &[Obstacle]| {
            let error = eligibility_error("Products_ValidateMove", obstacles).unwrap();
            error.map(|one| (one.code, one.details))
        };
        assert_eq!(told(&[]), None);
        let code = || "ProductNotActive".to_owned();
        assert_eq!(told(&[Obstacle::NotActive]), Some((code(), None)));
        let both = [Obstacle::NotActive, Obstacle::NoPrice];
        let other = "NotAvailableForDestinationMarket: nothing of it has a price at the \
                     destination";
        assert_eq!(told(&both), Some((code(), Some(other.to_owned()))));
        // What products have no word for stands behind what they have one for, or is refused.
        assert_eq!(told(&[Obstacle::Unclear, Obstacle::NotActive]).unwrap().0, code());
        let refused = eligibility_error("Products_ValidateMove", &[Obstacle::Unclear]).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (400, "InvalidDestination"));
        let of_subscription =
            eligibility_error("BillingSubscriptions_ValidateMove", &[Obstacle::Unclear]);
        assert_eq!(of_subscription.unwrap().unwrap().code, "InvalidDestination");
    }
}
