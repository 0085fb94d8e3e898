//! What every answer is made of: the resource around its properties, times, words of the vendor.

use calendar::{Instant, Interval};
use domain::Error;
use domain::agreements::{AgreementType, Permission};
use domain::places::PlaceState;
use httpkit::ExactNumber;
use money::{Cost, Fixed18, Money};
use serde::Serialize;
use service::OfferTold;

/// A resource.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Resource<P> {
    #[cfg_attr(test, serde(default))]
    pub(crate) id: String,
    #[cfg_attr(test, serde(default))]
    pub(crate) name: String,
    #[cfg_attr(test, serde(default))]
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) properties: P,
}

impl<P> Resource<P> {
    /// `kind` is the type below the provider.
    pub(crate) fn new(id: String, name: &str, kind: &str, properties: P) -> Resource<P> {
        let kind = format!("Microsoft.Billing/{kind}");
        Resource { id, name: name.to_owned(), kind, properties }
    }
}

/// Azure plans, as both versions spell them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct AzurePlan {
    sku_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_description: Option<String>,
}

impl From<&OfferTold> for AzurePlan {
    fn from(OfferTold { id, name }: &OfferTold) -> AzurePlan {
        AzurePlan { sku_id: id.to_string(), sku_description: name.clone() }
    }
}

/// `Amount`, as both versions spell it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct Amount {
    currency: String,
    value: ExactNumber<Fixed18>,
}

/// Money as an amount, digit by digit.
pub(crate) fn amount(money: Money) -> Result<Amount, Error> {
    let cost = money.to_cost().map_err(|e| Error::money("spell an amount", e))?;
    Ok(Amount { currency: cost.currency.to_string(), value: ExactNumber(cost.major) })
}

/// What is exact and not booked.
impl From<Cost> for Amount {
    fn from(Cost { major, currency }: Cost) -> Amount {
        Amount { currency: currency.to_string(), value: ExactNumber(major) }
    }
}

/// A text, if there is any.
pub(crate) fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A time, if it is one: what holds always has no start, what holds for ever no end.
pub(crate) fn time(instant: Instant) -> Option<String> {
    (instant != Instant::MIN && instant != Instant::MAX).then(|| instant.to_string())
}

/// In years, else in months: `P1Y`; nothing for a term that is neither.
pub(crate) fn term(term: Interval) -> Option<String> {
    term.whole_months().map(|months| match months % 12 {
        0 => format!("P{}Y", months / 12),
        _ => format!("P{months}M"),
    })
}

/// What the vendor calls the kind of an agreement; messaging agreements are none of its own.
pub(crate) const fn agreement_type(kind: AgreementType) -> Option<&'static str> {
    match kind {
        AgreementType::Customer => Some("MicrosoftCustomerAgreement"),
        AgreementType::Enterprise => Some("EnterpriseAgreement"),
        AgreementType::Partner => Some("MicrosoftPartnerAgreement"),
        AgreementType::OnlineServices => Some("MicrosoftOnlineServicesProgram"),
        AgreementType::Messaging => None,
    }
}

/// Who signs agreements of a kind.
pub(crate) const fn account_type(kind: AgreementType) -> Option<&'static str> {
    match kind {
        AgreementType::Customer | AgreementType::Enterprise => Some("Enterprise"),
        AgreementType::Partner => Some("Partner"),
        AgreementType::OnlineServices => Some("Individual"),
        AgreementType::Messaging => None,
    }
}

/// How a billing profile relates to the seller: only a partner's differ.
pub(crate) const fn relationship(kind: Option<AgreementType>) -> Option<&'static str> {
    match kind {
        Some(AgreementType::Customer) => Some("Direct"),
        Some(AgreementType::Partner) => Some("CSPPartner"),
        Some(
            AgreementType::Enterprise | AgreementType::OnlineServices | AgreementType::Messaging,
        )
        | None => None,
    }
}

/// Of a billing profile.
pub(crate) const fn profile_status(state: PlaceState) -> &'static str {
    match state {
        PlaceState::Active => "Active",
        PlaceState::PastDue => "Warned",
        PlaceState::Pending | PlaceState::Inactive => "Disabled",
    }
}

/// Why a billing profile is not simply active.
pub(crate) const fn status_reason(state: PlaceState) -> Option<&'static str> {
    match state {
        PlaceState::PastDue => Some("PastDue"),
        PlaceState::Active | PlaceState::Pending | PlaceState::Inactive => None,
    }
}

/// Of an invoice section.
pub(crate) const fn section_state(state: PlaceState) -> &'static str {
    match state {
        PlaceState::Active => "Active",
        PlaceState::Pending | PlaceState::PastDue | PlaceState::Inactive => "Restricted",
    }
}

/// Of a department or enrollment account.
pub(crate) const fn enrollment_status(state: PlaceState) -> &'static str {
    match state {
        PlaceState::Active => "Active",
        PlaceState::Pending => "Pending",
        PlaceState::PastDue => "PastDue",
        PlaceState::Inactive => "Inactive",
    }
}

/// Of a policy.
pub(crate) const fn allowed(permission: Permission) -> &'static str {
    match permission {
        Permission::Allowed => "Allowed",
        Permission::NotAllowed => "NotAllowed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_told_in_whole_years_or_months() {
        let check = |from: &str, until: &str, expected: Option<&str>| {
            let [from, until] = [from, until].map(|text| Instant::parse(text).unwrap());
            let term = Interval::new(from, until).unwrap();
            assert_eq!(super::term(term).as_deref(), expected, "{term:?}");
        };
        check("2026-05-10", "2027-05-10", Some("P1Y"));
        check("2026-05-10T03:00:00Z", "2029-05-10T03:00:00Z", Some("P3Y"));
        check("2026-05-01", "2026-11-01", Some("P6M"));
        check("2026-05-01", "2026-05-02", None);
        check("2026-05-10", "2027-05-11", None);
    }
}
