//! Tax of a document: data in, one rounding for each tax, allocated back to the lines.
//!
//! Which supply is taxed how is data of the installation; there is no country's rule here.

use crate::addresses::Country;
use crate::ids::{LegalEntityId, TaxCategory};
use crate::{Error, Result};
use money::{Cost, Currency, Fixed18, Money, MoneyError, Rounding, allocate_amounts};
use std::collections::BTreeMap;

/// Places that a tax rate may have, so that its product with booked money (four places at most)
/// is exact.
pub const RATE_PLACES: u32 = 14;

/// How one category of supply from a seller to a buyer is taxed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxRule {
    /// What is supplied.
    pub category: TaxCategory,
    /// Who sells.
    pub seller: LegalEntityId,
    /// Who buys.
    pub buyer: LegalEntityId,
    /// A fraction: 0.19 for 19 %.
    pub rate: Fixed18,
    /// Who owes the tax.
    pub liability: Liability,
}

/// Who owes a tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Liability {
    /// The seller, who charges it.
    Seller,
    /// The buyer (reverse charge): the document names the rule and charges nothing.
    ReverseCharge,
}

/// What somebody declares a rate for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaxedSupply {
    /// Who sells.
    pub seller: LegalEntityId,
    /// What is supplied.
    pub category: TaxCategory,
    /// To whom.
    pub buyers: Buyers,
}

/// Whom a rate holds for; the narrowest that holds goes before wider ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Buyers {
    /// This one.
    One(LegalEntityId),
    /// Those of a country.
    Of(Country),
    /// Everybody.
    All,
}

/// What a tax comes to from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxRate {
    /// See [`TaxRule::rate`].
    pub rate: Fixed18,
    /// See [`TaxRule::liability`].
    pub liability: Liability,
}

impl TaxedSupply {
    /// The rule for one buyer.
    pub fn rule(&self, rate: TaxRate, buyer: &LegalEntityId) -> TaxRule {
        let TaxRate { rate, liability } = rate;
        let TaxedSupply { seller, category, buyers: _ } = self.clone();
        TaxRule { category, seller, buyer: buyer.clone(), rate, liability }
    }

    /// Whether the rate is for a buyer of a country.
    pub fn is_for(&self, buyer: &LegalEntityId, country: Country) -> bool {
        match &self.buyers {
            Buyers::One(one) => one == buyer,
            Buyers::Of(of) => *of == country,
            Buyers::All => true,
        }
    }
}

impl TaxRule {
    /// Checks what declared data must hold.
    ///
    /// Errors: [`Error::Invalid`] for a rate below 0, above 1 or with more than [`RATE_PLACES`].
    pub fn check(&self) -> Result<()> {
        let field = || format!("tax `{}` rate", self.category);
        if self.rate.is_negative() || self.rate > Fixed18::ONE {
            return Err(Error::invalid(field(), format!("{} is not between 0 and 1", self.rate)));
        }
        let rounded = self.rate.round(RATE_PLACES, Rounding::TowardZero);
        if rounded != Ok(self.rate) {
            let problem = format!("{} has more than {RATE_PLACES} places", self.rate);
            return Err(Error::invalid(field(), problem));
        }
        Ok(())
    }

    /// What is charged on each amount, to 18 places and exact.
    fn charged(&self) -> Fixed18 {
        match self.liability {
            Liability::Seller => self.rate,
            Liability::ReverseCharge => Fixed18::ZERO,
        }
    }
}

/// The rules of one seller and buyer, by category.
pub type TaxTable = BTreeMap<TaxCategory, TaxRule>;

/// One tax of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentTax {
    /// Number of the tax, from 1.
    pub number: u32,
    /// The rule.
    pub rule: TaxRule,
    /// Sum of the lines' taxable amounts.
    pub taxable: Money,
    /// The tax: rate × taxable amount, rounded once.
    pub tax: Money,
}

impl DocumentTax {
    /// Rate × taxable amount before it is rounded; nothing where the buyer owes the tax.
    ///
    /// Errors: [`Error::Money`].
    pub fn exact(&self) -> Result<Cost> {
        let of = |source| Error::money(format!("tax `{}`", self.rule.category), source);
        let Cost { major, currency } = self.taxable.to_cost().map_err(of)?;
        let exact = major.checked_mul(self.rule.charged(), Fixed18::PLACES, Rounding::TowardZero);
        Ok(Cost { major: exact.map_err(of)?, currency })
    }
}

/// A taxable amount of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taxable {
    /// What is supplied.
    pub category: TaxCategory,
    /// Minor units; may be below zero.
    pub amount: Money,
}

/// Taxes a document's lines: the taxes by category, and each line's part of its tax.
///
/// The parts of a tax add up to it by largest remainder.
/// Errors: [`Error::NotFound`] for a category without a rule; as [`TaxRule::check`];
/// [`Error::Money`].
pub fn tax(
    table: &TaxTable,
    currency: Currency,
    rounding: Rounding,
    lines: &[Taxable],
) -> Result<(Vec<DocumentTax>, Vec<Money>)> {
    let mut groups: BTreeMap<&TaxCategory, Vec<usize>> = BTreeMap::new();
    for (place, line) in lines.iter().enumerate() {
        groups.entry(&line.category).or_default().push(place);
    }
    let mut taxes = Vec::with_capacity(groups.len());
    let mut parts = vec![Money::zero(currency); lines.len()];
    for (number, (category, places)) in (1_u32..).zip(groups) {
        let rule = table.get(category);
        let rule = rule.ok_or_else(|| Error::not_found("tax rule", category.as_str()))?;
        rule.check()?;
        let of = |source| Error::money(format!("tax `{category}`"), source);
        let amounts: Vec<Money> = places.iter().map(|place| lines[*place].amount).collect();
        let taxable = Money::checked_sum(currency, amounts.iter().copied()).map_err(of)?;
        let shares = shares(rule, currency, rounding, &amounts).map_err(of)?;
        let tax = Money::checked_sum(currency, shares.iter().copied()).map_err(of)?;
        for (place, share) in places.into_iter().zip(shares) {
            parts[place] = share;
        }
        taxes.push(DocumentTax { number, rule: rule.clone(), taxable, tax });
    }
    Ok((taxes, parts))
}

/// Each amount's part of the tax on their sum.
fn shares(
    rule: &TaxRule,
    currency: Currency,
    rounding: Rounding,
    amounts: &[Money],
) -> std::result::Result<Vec<Money>, MoneyError> {
    let exact = amounts.iter().map(|amount| {
        let major = amount.to_cost()?.major;
        // Exact: the rate has 14 places at most, the amount 4.
        major.checked_mul(rule.charged(), Fixed18::PLACES, Rounding::TowardZero)
    });
    let exact = exact.collect::<std::result::Result<Vec<_>, _>>()?;
    let rounded = allocate_amounts(&exact, currency.exponent(), rounding)?;
    let book = |major| Cost { major, currency }.book(Rounding::TowardZero);
    rounded.into_iter().map(book).collect()
}

#[cfg(test)]
mod tests;
