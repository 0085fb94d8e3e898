//! What is noted of billing accounts and moves no money: accepted agreements, instructions, payment
//! methods, policies.

use crate::Reckoner;
use async_recursion::async_recursion as boxed;
use domain::accepted_agreements::AcceptedAgreement;
use domain::access::{Action, Caller, Scope};
use domain::ids::{AcceptedAgreementId, BillingAccountId, InstructionId, PaymentMethodId, PlaceId};
use domain::instructions::Instruction;
use domain::payment_methods::{PaymentMethod, PaymentMethodStanding};
use domain::places::{Detail, Level, Place, PlaceKey};
use domain::{Error, Result};
use money::Currency;

/// A payment method that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethodTold {
    /// Its id.
    pub id: PaymentMethodId,
    /// What it is.
    pub method: PaymentMethod,
    /// What it pays in.
    pub currency: Currency,
}

impl Reckoner {
    /// Lists what was accepted for a billing account, in order of id.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn accepted_agreements(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
    ) -> Result<Vec<(AcceptedAgreementId, AcceptedAgreement)>> {
        let scope = Scope::Account(account.clone());
        let look = self.demand_in_sight(caller, Action::ReadPlace, &scope)?;
        let known = look.company.accepted_agreements_at(account, look.now);
        Ok(known.map(|(id, one)| (id.clone(), one.clone())).collect())
    }

    /// Lists the instructions for a billing profile, over or not, in order of id.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn instructions(
        &self,
        caller: &Caller,
        profile: &Place,
    ) -> Result<Vec<(InstructionId, Instruction)>> {
        let scope = Scope::Place(profile.clone());
        let look = self.demand_in_sight(caller, Action::ReadPlace, &scope)?;
        let known = look.company.instructions_at(&profile.billing_account, look.now);
        let own = known.filter(|(_, one)| one.profile == profile.key.id);
        Ok(own.map(|(id, one)| (id.clone(), one.clone())).collect())
    }

    /// Lists the payment methods that are taken, in order of id: all of a billing account, or those
    /// that pay for one of its billing profiles.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn payment_methods(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        profile: Option<&PlaceId>,
    ) -> Result<Vec<PaymentMethodTold>> {
        let scope =
            profile.map_or_else(|| Scope::Account(account.clone()), |id| of_profile(account, id));
        let look = self.demand_in_sight(caller, Action::ReadPaymentMethods, &scope)?;
        let missing = || Error::not_found("billing account", account.as_str());
        let currency = look.company.accounts.get(account).ok_or_else(missing)?.currency;
        let taken = look.company.payment_methods_at(account, look.now).filter(|(_, method)| {
            let is_asked = profile.is_none() || method.profile.as_ref() == profile;
            is_asked && method.standing != PaymentMethodStanding::Detached
        });
        let told = |(id, method): (&PaymentMethodId, &PaymentMethod)| {
            let own = method.profile.as_ref().and_then(|profile| {
                let key = PlaceKey { level: Level::BillingProfile, id: profile.clone() };
                let place = Place { billing_account: account.clone(), key };
                match &look.company.places.facts_at(&place, look.now)?.detail {
                    Detail::BillingProfile(profile) => Some(profile.currency),
                    Detail::InvoiceSection
                    | Detail::Customer(_)
                    | Detail::Department { .. }
                    | Detail::EnrollmentAccount
                    | Detail::MessagingAccount { .. } => None,
                }
            });
            let (id, method) = (id.clone(), method.clone());
            PaymentMethodTold { id, method, currency: own.unwrap_or(currency) }
        };
        Ok(taken.map(told).collect())
    }

    /// What holds of a billing profile or customer, for whoever may see its policies.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn policies(&self, caller: &Caller, place: &Place) -> Result<Detail> {
        let scope = Scope::Place(place.clone());
        let look = self.demand_in_sight(caller, Action::ReadPolicies, &scope)?;
        let facts = look.company.places.facts_at(place, look.now);
        let missing = || Error::not_found(place.key.level.name(), place.key.id.as_str());
        Ok(facts.ok_or_else(missing)?.detail.clone())
    }
}

fn of_profile(account: &BillingAccountId, id: &PlaceId) -> Scope {
    let key = PlaceKey { level: Level::BillingProfile, id: id.clone() };
    Scope::Place(Place { billing_account: account.clone(), key })
}
