//! What must hold between the facts of accounts that move no money, and what they name.

use super::Step;
use super::check::{account, scope};
use super::wrong::Wrong;
use domain::accepted_agreements::AcceptedAgreement;
use domain::access::Scope;
use domain::company::{AccountFacts, Company};
use domain::ids::{AcceptedAgreementId, BillingAccountId, InstructionId, PaymentMethodId, PlaceId};
use domain::instructions::Instruction;
use domain::payment_methods::PaymentMethod;
use domain::places::{Detail, Level, Place, PlaceKey};
use domain::tags::Tags;
use money::Currency;

/// Checks a billing account: all that is declared of it is in one currency.
pub(super) fn check_account(
    company: &Company,
    currency: Currency,
    step: &Step<BillingAccountId, AccountFacts>,
) -> Vec<Wrong> {
    let billed = company.accounts.get(&step.of).map(|account| account.currency);
    let other = billed.filter(|billed| *billed != currency);
    let problem = |billed| {
        format!(
            "billing account `{}` is billed in {billed}: another currency is another account",
            step.of
        )
    };
    Vec::from_iter(other.map(|billed| Wrong::new("currency", problem(billed))))
}

/// Checks a payment method: one is the default at a time.
pub(super) fn check_payment_method(
    company: &Company,
    id: &BillingAccountId,
    step: &Step<PaymentMethodId, PaymentMethod>,
) -> Vec<Wrong> {
    let mut wrongs = Vec::from_iter(account(company, "billing_account".to_owned(), id));
    wrongs.extend(step.value.profile.as_ref().and_then(|of| profile(company, id, of)));
    wrongs.extend(company.rival_default(id, &step.of).map(|(other, since)| {
        Wrong::new("standing", format!("`{other}` is the default at {since} already"))
    }));
    wrongs
}

/// Checks an accepted agreement.
pub(super) fn check_accepted(
    company: &Company,
    id: &BillingAccountId,
    _: &Step<AcceptedAgreementId, AcceptedAgreement>,
) -> Vec<Wrong> {
    Vec::from_iter(account(company, "billing_account".to_owned(), id))
}

/// Checks an instruction: it is in its profile's currency.
pub(super) fn check_instruction(
    company: &Company,
    id: &BillingAccountId,
    step: &Step<InstructionId, Instruction>,
) -> Vec<Wrong> {
    let mut wrongs = Vec::from_iter(account(company, "billing_account".to_owned(), id));
    let Instruction { profile: of, amount, during: _, created_at: _ } = &step.value;
    if let Some(wrong) = profile(company, id, of) {
        wrongs.push(wrong);
        return wrongs;
    }
    let Some(timeline) = company.places.timeline(&place(id, of)) else { return wrongs };
    if let Detail::BillingProfile(detail) = &timeline.newest().1.detail
        && detail.currency != amount.currency()
    {
        let problem = format!("billing profile `{of}` is billed in {}", detail.currency);
        wrongs.push(Wrong::new("currency", problem));
    }
    wrongs
}

/// Checks that what tags are noted on is there.
pub(super) fn check_tags(company: &Company, step: &Step<Scope, Tags>) -> Vec<Wrong> {
    scope(company, &step.of).into_iter().collect()
}

fn place(account: &BillingAccountId, profile: &PlaceId) -> Place {
    let key = PlaceKey { level: Level::BillingProfile, id: profile.clone() };
    Place { billing_account: account.clone(), key }
}

fn profile(company: &Company, account: &BillingAccountId, id: &PlaceId) -> Option<Wrong> {
    let place = place(account, id);
    let problem = || format!("{} does not exist in `{account}`", place.key);
    let is_there = company.places.timeline(&place).is_some();
    (!is_there).then(|| Wrong::new("billing_profile", problem()))
}
