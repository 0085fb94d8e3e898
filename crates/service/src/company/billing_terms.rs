//! Twins of billing terms.

use super::lots::Exclusions;
use super::parties::unless;
use super::step::Step;
use super::text::Text;
use super::words::{amount, major};
use super::wrong::Wrong;
use calendar::Instant;
use domain::billing_terms::{self, Approval};
use domain::correction::{InFavour, LatePolicy};
use domain::ids::{BillingAccountId, LegalEntityId, TaxCategory};
use money::{Currency, Fixed18, Rounding};
use serde::{Deserialize, Serialize};

/// How a billing account is invoiced from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BillingTerms {
    billing_account: Text<BillingAccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    seller: Text<LegalEntityId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buyer: Option<Text<LegalEntityId>>,
    currency: Text<Currency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tax_category: Option<Text<TaxCategory>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payment_days: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rounding: Option<Text<Rounding>>,
    #[serde(default, skip_serializing_if = "Exclusions::is_empty")]
    separately: Exclusions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_favour: Option<Text<InFavour>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_billed_up_to: Option<Text<Fixed18>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approval: Option<Text<Approval>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    committed: Option<Text<Fixed18>>,
}

impl TryFrom<BillingTerms> for Step<BillingAccountId, billing_terms::BillingTerms> {
    type Error = Wrong;

    fn try_from(twin: BillingTerms) -> Result<Self, Wrong> {
        let BillingTerms {
            billing_account,
            from,
            seller,
            buyer,
            currency,
            tax_category,
            payment_days,
            rounding,
            separately,
            in_favour,
            not_billed_up_to,
            approval,
            committed,
        } = twin;
        let usual = usual(&seller.0, &billing_account.0, currency.0)?;
        let limit = at_least_zero("not_billed_up_to", not_billed_up_to)?;
        let value = billing_terms::BillingTerms {
            seller: seller.0,
            buyer: buyer.map_or(usual.buyer, |buyer| buyer.0),
            tax_category: tax_category.map_or(usual.tax_category, |category| category.0),
            payment_days: payment_days.unwrap_or(usual.payment_days),
            rounding: rounding.map_or(usual.rounding, |rounding| rounding.0),
            separately: separately.into(),
            late: LatePolicy {
                in_favour: in_favour.map_or(usual.late.in_favour, |way| way.0),
                not_billed_up_to: amount("not_billed_up_to", limit, currency.0)?,
            },
            approval: approval.map_or(usual.approval, |approval| approval.0),
            committed: at_least_zero("committed", committed)?,
        };
        let from = from.map_or(Instant::MIN, |from| from.0);
        Ok(Step { of: billing_account.0, from, value })
    }
}

/// Reads major units; nothing said is zero.
fn at_least_zero(path: &str, text: Option<Text<Fixed18>>) -> Result<Fixed18, Wrong> {
    let major = text.map_or(Fixed18::ZERO, |text| text.0);
    if major.is_negative() {
        return Err(Wrong::new(path, "must not be below zero"));
    }
    Ok(major)
}

fn usual(
    seller: &LegalEntityId,
    account: &BillingAccountId,
    currency: Currency,
) -> Result<billing_terms::BillingTerms, Wrong> {
    billing_terms::BillingTerms::usual(seller, account, currency)
        .map_err(|error| Wrong::new("billing_account", error))
}

/// What leaving it out would say again is left out, but for the limit's currency.
impl From<Step<BillingAccountId, billing_terms::BillingTerms>> for BillingTerms {
    fn from(step: Step<BillingAccountId, billing_terms::BillingTerms>) -> BillingTerms {
        let Step { of, from, value } = step;
        let billing_terms::BillingTerms {
            seller,
            buyer,
            tax_category,
            payment_days,
            rounding,
            separately,
            late: LatePolicy { in_favour, not_billed_up_to },
            approval,
            committed,
        } = value;
        let currency = not_billed_up_to.currency();
        // An account whose id names no legal entity leaves nothing out.
        let usual = usual(&seller, &of, currency).ok();
        let is_usual_buyer = usual.as_ref().is_some_and(|usual| usual.buyer == buyer);
        let is_usual_tax = usual.is_some_and(|usual| usual.tax_category == tax_category);
        let is_usual_time = payment_days == billing_terms::BillingTerms::PAYMENT_DAYS;
        BillingTerms {
            billing_account: Text(of),
            from: unless(from, Instant::MIN),
            seller: Text(seller),
            buyer: (!is_usual_buyer).then_some(Text(buyer)),
            currency: Text(currency),
            tax_category: (!is_usual_tax).then_some(Text(tax_category)),
            payment_days: (!is_usual_time).then_some(payment_days),
            rounding: unless(rounding, Rounding::default()),
            separately: separately.into(),
            in_favour: unless(in_favour, InFavour::NextInvoice),
            not_billed_up_to: unless(major(not_billed_up_to), Fixed18::ZERO),
            approval: unless(approval, Approval::ByPerson),
            committed: unless(committed, Fixed18::ZERO),
        }
    }
}
