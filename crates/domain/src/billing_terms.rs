//! Billing terms: who sells to a billing account, and how it is invoiced.
//!
//! What is declared holds from an instant. Where nothing is, [`Company::terms_at`] says what holds
//! then. Source: `docs/decisions/0008-books.md`.

use crate::addresses::{Address, Country};
use crate::company::Company;
use crate::correction::{InFavour, LatePolicy};
use crate::credits::{Exclusions, Lot};
use crate::ids::{BillingAccountId, LegalEntityId, PlanId, SubscriptionId, TaxCategory};
use crate::invoice::ExchangeRate;
use crate::places::PlaceKey;
use crate::recurring::Plan;
use crate::tax::TaxTable;
use crate::{Error, Result};
use calendar::Instant;
use money::{Currency, Fixed18, Money, Rounding};

/// What is known of a legal entity from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalEntity {
    /// Its name, as documents print it.
    pub name: String,
    /// Whether it sells: documents are numbered for each seller.
    pub trade: Trade,
    /// Where it is taxed.
    pub country: Country,
    /// Where it is to be found, if anybody said.
    pub address: Option<Address>,
    /// Where it is registered for taxes.
    pub registrations: Vec<TaxRegistration>,
}

/// On which side of documents a legal entity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trade {
    /// It issues documents.
    Sells,
    /// It receives documents.
    Buys,
}

/// A registration for a tax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxRegistration {
    /// Whose tax office gave the number.
    pub country: Country,
    /// The number, as documents print it.
    pub number: String,
}

/// How a billing account is invoiced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingTerms {
    /// Who sells.
    pub seller: LegalEntityId,
    /// Who buys.
    pub buyer: LegalEntityId,
    /// How charges are taxed of which nothing else is said.
    pub tax_category: TaxCategory,
    /// Days from the issue of a document until it is due.
    pub payment_days: u16,
    /// How lines and taxes are rounded.
    pub rounding: Rounding,
    /// What prepayment cannot cover.
    pub separately: Exclusions,
    /// How corrections reach the payer; its limit is in the account's currency.
    pub late: LatePolicy,
    /// Who lets invoices go out.
    pub approval: Approval,
    /// What the payer has committed to spend, in major units of its currency: offers grant
    /// discounts by it.
    pub committed: Fixed18,
}

/// Who agrees to a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Approval {
    /// Nobody has to: the draft is approved when it is computed.
    ByRule,
    /// Somebody who may.
    ByPerson,
}

/// A plan that a billing account holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPlan {
    /// Its id, of which the billing account has one.
    pub id: PlanId,
    /// What the invoice says it is for.
    pub name: String,
    /// Where in the account it stands; none for the account itself.
    pub place: Option<PlaceKey>,
    /// For which subscription, if for one.
    pub subscription: Option<SubscriptionId>,
    /// How it is taxed, if not as the account's other charges.
    pub tax_category: Option<TaxCategory>,
    /// What it charges when.
    pub plan: Plan,
}

impl BillingTerms {
    /// The category of supplies of which nothing else is said.
    pub const TAX_CATEGORY: &str = "standard";
    /// Days to pay of which nothing else is said.
    pub const PAYMENT_DAYS: u16 = 30;

    /// What holds of an account where nothing is declared: it is the buyer itself, has
    /// [`BillingTerms::PAYMENT_DAYS`] to pay, its charges are of
    /// [`BillingTerms::TAX_CATEGORY`], prepayment covers all that it can, corrections are lines of
    /// the next invoice however small they are, a person lets invoices go out, and it has
    /// committed to nothing.
    ///
    /// Errors: [`Error::Invalid`] when the account's id cannot name a legal entity.
    pub fn usual(
        seller: &LegalEntityId,
        account: &BillingAccountId,
        currency: Currency,
    ) -> Result<BillingTerms> {
        Ok(BillingTerms {
            seller: seller.clone(),
            buyer: LegalEntityId::new(account.as_str())?,
            tax_category: TaxCategory::new(BillingTerms::TAX_CATEGORY)?,
            payment_days: BillingTerms::PAYMENT_DAYS,
            rounding: Rounding::default(),
            separately: Exclusions::default(),
            late: LatePolicy {
                in_favour: InFavour::NextInvoice,
                not_billed_up_to: Money::zero(currency),
            },
            approval: Approval::ByPerson,
            committed: Fixed18::ZERO,
        })
    }
}

impl Company {
    /// The terms of a billing account at a moment: those declared, or the usual ones where none
    /// are and one legal entity alone sells.
    ///
    /// Errors: [`Error::NotFound`] for an account that is not there; [`Error::Conflict`] where no
    /// terms hold and none or several sell.
    pub fn terms_at(&self, account: &BillingAccountId, at: Instant) -> Result<BillingTerms> {
        let missing = || Error::not_found("billing account", account.as_str());
        let holder = self.accounts.get(account).ok_or_else(missing)?;
        if let Some(terms) = self.billing_terms.get(account).and_then(|terms| terms.at(at)) {
            return Ok(terms.clone());
        }
        let sellers: Vec<&LegalEntityId> = self.sellers_at(at).collect();
        match sellers.as_slice() {
            [seller] => BillingTerms::usual(seller, account, holder.currency),
            _ => Err(Error::Conflict {
                what: "billing account",
                key: account.to_string(),
                problem: format!(
                    "has no billing terms at {at}, and {} legal entities sell then",
                    sellers.len()
                ),
            }),
        }
    }

    /// What is known at a moment of the legal entity that buys for a billing account: the one of
    /// the declared terms, else the one with the account's own id, as of the usual terms.
    pub fn buyer_at(&self, account: &BillingAccountId, at: Instant) -> Option<&LegalEntity> {
        match self.billing_terms.get(account).and_then(|terms| terms.at(at)) {
            Some(terms) => self.legal_entity_at(&terms.buyer, at),
            None => self.legal_entity_at(&LegalEntityId::new(account.as_str()).ok()?, at),
        }
    }

    /// Who sells at a moment, in order of id.
    pub fn sellers_at(&self, at: Instant) -> impl Iterator<Item = &LegalEntityId> {
        let now = self.legal_entities.iter().filter_map(move |(id, of)| Some((id, of.at(at)?)));
        now.filter(|(_, entity)| entity.trade == Trade::Sells).map(|(id, _)| id)
    }

    /// What is known of a legal entity at a moment.
    pub fn legal_entity_at(&self, id: &LegalEntityId, at: Instant) -> Option<&LegalEntity> {
        self.legal_entities.get(id)?.at(at)
    }

    /// How what is sold to a billing account on its terms is taxed at a moment.
    ///
    /// Of each category the narrowest rate that holds is taken: for the buyer, for the country of
    /// the buyer (that of the billing account where the buyer is no declared legal entity), for
    /// all. Errors: as [`Company::terms_at`]; [`Error::Conflict`] where nothing is known of the
    /// account yet; [`Error::Invalid`] for an unknown country.
    pub fn taxes_at(&self, account: &BillingAccountId, at: Instant) -> Result<TaxTable> {
        let BillingTerms { seller, buyer, .. } = self.terms_at(account, at)?;
        let country = match self.legal_entity_at(&buyer, at) {
            Some(entity) => entity.country,
            None => {
                let missing = || Error::not_found("billing account", account.as_str());
                let unknown = || Error::Conflict {
                    what: "billing account",
                    key: account.to_string(),
                    problem: format!("has no region at {at}"),
                };
                let holder = self.accounts.get(account).ok_or_else(missing)?;
                Country::parse(holder.region_at(at).ok_or_else(unknown)?)?
            }
        };
        let mut table = TaxTable::new();
        // In order of seller and category, then the narrowest first.
        for (supply, timeline) in &self.taxes {
            if supply.seller != seller || !supply.is_for(&buyer, country) {
                continue;
            }
            if let Some(rate) = timeline.at(at) {
                let rule = || supply.rule(*rate, &buyer);
                table.entry(supply.category.clone()).or_insert_with(rule);
            }
        }
        Ok(table)
    }

    /// The newest rate from one currency into another that is no later than a moment.
    pub fn exchange_rate_at(
        &self,
        from: Currency,
        to: Currency,
        at: Instant,
    ) -> Option<&ExchangeRate> {
        let rates = self.exchange_rates.iter();
        rates
            .filter(|rate| rate.from == from && rate.to == to && rate.at <= at)
            .max_by_key(|rate| rate.at)
    }

    /// Credit and prepayment of a billing account, in order of id.
    pub fn lots_of(&self, account: &BillingAccountId) -> &[Lot] {
        self.lots.get(account).map_or(&[], Vec::as_slice)
    }

    /// What a billing account is charged every cycle, in order of id.
    pub fn plans_of(&self, account: &BillingAccountId) -> &[HeldPlan] {
        self.plans.get(account).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests;
