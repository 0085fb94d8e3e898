//! Changing what moves no money: policies, instructions, the cost centre of a subscription.

use crate::changes::{Decided, demand_living, line};
use crate::company::{Step, Thing};
use crate::structure::{Look, is_same};
use crate::structure_changes::deed;
use crate::{Reckoner, later_steps};
use async_recursion::async_recursion as boxed;
use calendar::{Instant, Interval};
use domain::access::{Action, Caller, Scope};
use domain::agreements::Permission;
use domain::ids::{InstructionId, SubscriptionId};
use domain::instructions::Instruction;
use domain::places::{Detail, MarketplacePurchases, Place, PlaceFacts};
use domain::tags::Tags;
use domain::{Error, Result};
use money::{Cost, Currency, Fixed18};

/// Policies of a billing profile or customer; what is not said stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoliciesAsked {
    /// Of a billing profile: may marketplace products be bought?
    pub marketplace_purchases: Option<MarketplacePurchases>,
    /// Of a billing profile: may reservations be bought?
    pub reservation_purchases: Option<Permission>,
    /// May those with rights on a subscription alone see its charges?
    pub view_charges: Option<Permission>,
}

/// What may be billed to a billing profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstructionAsked {
    /// What is set aside, in major units of the profile's currency.
    pub amount: Fixed18,
    /// From when.
    pub starts: Instant,
    /// Until when, exclusive.
    pub ends: Instant,
}

impl Reckoner {
    /// Sets policies of a billing profile or customer; gives what holds from now on.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Conflict`] for a place that is
    /// inactive.
    #[boxed]
    pub async fn set_policies(
        &self,
        caller: &Caller,
        place: &Place,
        asked: PoliciesAsked,
        request_id: &str,
    ) -> Result<Detail> {
        let decide = |look: &Look| -> Result<Decided> {
            look.demand(caller, Action::ManagePolicies, &Scope::Place(place.clone()))?;
            let before = facts(look, place)?;
            demand_living(place, before)?;
            let mut facts = before.clone();
            set(&mut facts.detail, asked);
            let target = format!("{} of `{}`", place.key, place.billing_account);
            let things = if facts == *before { vec![] } else { look.place_steps(place, facts) };
            Ok(Decided { things, deed: deed("policies.set", target) })
        };
        let look = self.change(caller, request_id, &decide).await?;
        facts(&look, place).map(|facts| facts.detail.clone())
    }

    /// Puts an instruction for a billing profile in the place of one with the same id, in any
    /// letter case, or beside the others; gives it as it is kept.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Invalid`] for an amount below
    /// zero or finer than the currency's minor unit, and an end that is not after the start;
    /// [`Error::Conflict`] for a profile that is inactive, for an id of another profile's, and of
    /// one that is declared for later.
    #[boxed]
    pub async fn put_instruction(
        &self,
        caller: &Caller,
        profile: &Place,
        id: &InstructionId,
        asked: &InstructionAsked,
        request_id: &str,
    ) -> Result<(InstructionId, Instruction)> {
        let decide = |look: &Look| -> Result<Decided> {
            look.demand(caller, Action::ManagePlace, &Scope::Place(profile.clone()))?;
            demand_living(profile, facts(look, profile)?)?;
            let known = instruction(look, profile, id);
            if known.is_none() {
                check_free(look, profile, id)?;
            }
            let of = known.map_or(id, |(id, _)| id).clone();
            let value = instructed(look, profile, asked, known.map(|(_, known)| known))?;
            let target = format!("`{of}` of {} of `{}`", profile.key, profile.billing_account);
            let is_new = known.is_none_or(|(_, known)| *known != value);
            let things = if is_new { instruction_steps(look, profile, &of, value) } else { vec![] };
            Ok(Decided { things, deed: deed("instruction.put", target) })
        };
        let look = self.change(caller, request_id, &decide).await?;
        let kept = instruction(&look, profile, id);
        let (id, kept) = kept.ok_or_else(|| Error::not_found("instruction", id.as_str()))?;
        Ok((id.clone(), kept.clone()))
    }

    /// Sets whom the house books a subscription to; empty for nobody.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`] for a text that is
    /// too long.
    #[boxed]
    pub async fn set_cost_center(
        &self,
        caller: &Caller,
        subscription: &SubscriptionId,
        cost_center: &str,
        request_id: &str,
    ) -> Result<()> {
        let scope = Scope::Subscription(subscription.clone());
        let decide = |look: &Look| -> Result<Decided> {
            look.demand(caller, Action::ManagePlace, &scope)?;
            let before = look.company.tags_at(&scope, look.now).cloned().unwrap_or_default();
            let value = Tags::new(before.values().clone(), &line("cost_center", cost_center)?)?;
            let things = if value == before { vec![] } else { look.tags_steps(&scope, value) };
            let target = format!("subscription `{subscription}`");
            Ok(Decided { things, deed: deed("cost_center.set", target) })
        };
        self.change(caller, request_id, &decide).await.map(drop)
    }
}

/// What holds of a place now.
fn facts<'a>(look: &'a Look, place: &Place) -> Result<&'a PlaceFacts> {
    let missing = || Error::not_found(place.key.level.name(), place.key.id.as_str());
    look.company.places.facts_at(place, look.now).ok_or_else(missing)
}

fn set(detail: &mut Detail, asked: PoliciesAsked) {
    let PoliciesAsked { marketplace_purchases, reservation_purchases, view_charges } = asked;
    match detail {
        Detail::BillingProfile(profile) => {
            let before = profile.marketplace_purchases;
            profile.marketplace_purchases = marketplace_purchases.unwrap_or(before);
            let before = profile.reservation_purchases;
            profile.reservation_purchases = reservation_purchases.unwrap_or(before);
            profile.view_charges = view_charges.unwrap_or(profile.view_charges);
        }
        Detail::Customer(customer) => {
            customer.view_charges = view_charges.unwrap_or(customer.view_charges);
        }
        Detail::InvoiceSection
        | Detail::Department { .. }
        | Detail::EnrollmentAccount
        | Detail::MessagingAccount { .. } => {}
    }
}

/// An instruction of the account that a profile is of, by its id in any letter case.
fn instruction<'a>(
    look: &'a Look,
    profile: &Place,
    id: &InstructionId,
) -> Option<(&'a InstructionId, &'a Instruction)> {
    let mut known = look.company.instructions_at(&profile.billing_account, look.now);
    known.find(|(known, _)| is_same(known.as_str(), id.as_str()))
}

/// Refuses the id of an instruction that is declared from a later instant on.
fn check_free(look: &Look, profile: &Place, id: &InstructionId) -> Result<()> {
    let all = look.company.instructions.get(&profile.billing_account);
    let mut all = all.into_iter().flatten();
    match all.find(|(known, _)| is_same(known.as_str(), id.as_str())) {
        None => Ok(()),
        Some((known, timeline)) => {
            let problem = format!("is declared from {} on; take another name", timeline.begins());
            Err(Error::Conflict { what: "instruction", key: known.to_string(), problem })
        }
    }
}

/// What holds of an instruction from now on, and what changes with it in later steps.
fn instruction_steps(
    look: &Look,
    profile: &Place,
    of: &InstructionId,
    value: Instruction,
) -> Vec<Thing> {
    let account = &profile.billing_account;
    let known = look.company.instructions.get(account).and_then(|known| known.get(of));
    let all = later_steps::steps(known, look.now, value, later_steps::of_instruction);
    let step = |(from, value)| Step { of: of.clone(), from, value };
    let thing = |step| Thing::Instruction(account.clone(), step);
    all.into_iter().map(step).map(thing).collect()
}

/// The instruction as it is kept; `known` is the one before it.
fn instructed(
    look: &Look,
    profile: &Place,
    asked: &InstructionAsked,
    known: Option<&Instruction>,
) -> Result<Instruction> {
    let InstructionAsked { amount, starts, ends } = asked;
    let id = &profile.key.id;
    if known.is_some_and(|known| known.profile != *id) {
        let problem = "has an instruction of this name for another billing profile".to_owned();
        let key = profile.billing_account.to_string();
        return Err(Error::Conflict { what: "billing account", key, problem });
    }
    let currency = currency(look, profile)?;
    if amount.is_negative() {
        return Err(Error::invalid("amount", "must not be below zero"));
    }
    let cost = Cost { major: *amount, currency };
    let money = cost.to_money().map_err(|error| Error::invalid("amount", error.to_string()))?;
    let places = currency.exponent();
    let finer = || {
        let problem = format!("{amount} {currency} has more than {places} decimal places");
        Error::invalid("amount", problem)
    };
    if ends <= starts {
        return Err(Error::invalid("ends", format!("must be after {starts}, where it starts")));
    }
    let during = Interval::new(*starts, *ends);
    Ok(Instruction {
        profile: id.clone(),
        amount: money.ok_or_else(finer)?,
        during: during.map_err(|error| Error::invalid("ends", error.to_string()))?,
        created_at: known.map_or(look.now, |known| known.created_at),
    })
}

fn currency(look: &Look, profile: &Place) -> Result<Currency> {
    match &facts(look, profile)?.detail {
        Detail::BillingProfile(profile) => Ok(profile.currency),
        Detail::InvoiceSection
        | Detail::Customer(_)
        | Detail::Department { .. }
        | Detail::EnrollmentAccount
        | Detail::MessagingAccount { .. } => {
            Err(Error::not_found("billing profile", profile.key.id.as_str()))
        }
    }
}
