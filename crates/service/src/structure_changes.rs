//! Changing the structure of a billing account: its own name and address, billing profiles, invoice
//! sections, and where what it pays for stands. What a change does not say stays as it is; what a
//! later step says anew stays too.

use crate::changes::{Decided, demand_living, line, named};
use crate::company::{Step, Thing};
use crate::holding_moves::{HoldingId, HoldingMove};
use crate::later_steps::{self, of_account, of_entity};
use crate::structure::Look;
use calendar::Instant;
use domain::access::{Action, Caller, Scope, may_at};
use domain::addresses::{Address, Country, Draft, check_address};
use domain::agreements::{AgreementType, Permission};
use domain::billing_terms::{LegalEntity, Trade};
use domain::company::{AccountFacts, BillingAccount};
use domain::ids::{BillingAccountId, PlaceId};
use domain::moves::Bought;
use domain::places::{
    BillingProfile, Detail, Level, MarketplacePurchases, Place, PlaceFacts, PlaceKey, PlaceState,
};
use domain::tags::Tags;
use domain::{Error, Result};
use money::Currency;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Deed;

/// Most characters of the id of a place that somebody makes.
const ID_MOST: usize = 64;

/// A change of a billing account, of a place below it, or of where something stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StructureChange {
    /// Of the account itself.
    Account(AccountChange),
    /// Of a billing profile.
    Profile(ProfileChange),
    /// Of an invoice section.
    Section(SectionChange),
    /// Of where a subscription or product stands.
    Move(HoldingMove),
}

/// What a billing account shall be called, and where its buyer is to be found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChange {
    /// Its name.
    pub name: Option<String>,
    /// The buyer's address.
    #[serde(with = "crate::drafts")]
    pub address: Option<Draft>,
}

/// What a billing profile shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileChange {
    /// Its id, in any letter case.
    pub id: String,
    /// Whether it is made where it is missing.
    pub put: Put,
    /// Its name; one that is made must have one.
    pub name: Option<String>,
    /// Where its invoices go.
    #[serde(with = "crate::drafts")]
    pub address: Option<Draft>,
    /// The customer's own order number.
    pub order_number: Option<String>,
    /// What the house notes on it: all of it.
    pub tags: Option<BTreeMap<String, String>>,
}

/// What an invoice section shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionChange {
    /// The billing profile that it lies below, in any letter case.
    pub profile: String,
    /// Its id, in any letter case.
    pub id: String,
    /// Whether it is made where it is missing.
    pub put: Put,
    /// Its name; one that is made must have one.
    pub name: Option<String>,
    /// What the house notes on it: all of it.
    pub tags: Option<BTreeMap<String, String>>,
}

/// What becomes of a change of something that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Put {
    /// It is made.
    Made,
    /// It is refused.
    Refused,
}

/// Who asks, of which billing account, by the facts of which moment.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) look: &'a Look,
    pub(crate) caller: &'a Caller,
    pub(crate) account: &'a BillingAccountId,
    /// What the moved subscription has bought in the marketplace, where one is moved.
    pub(crate) bought: Bought,
}

impl StructureChange {
    /// What is moved, if it is a move.
    pub(crate) fn holding(&self) -> Option<&HoldingId> {
        match self {
            StructureChange::Move(asked) => Some(&asked.holding),
            StructureChange::Account(_)
            | StructureChange::Profile(_)
            | StructureChange::Section(_) => None,
        }
    }

    /// The levels and ids on the way down to the place that is changed; none for the account
    /// itself, and for a move.
    pub(crate) fn target(&self) -> Vec<(Level, String)> {
        match self {
            StructureChange::Account(_) | StructureChange::Move(_) => Vec::new(),
            StructureChange::Profile(change) => vec![(Level::BillingProfile, change.id.clone())],
            StructureChange::Section(change) => vec![
                (Level::BillingProfile, change.profile.clone()),
                (Level::InvoiceSection, change.id.clone()),
            ],
        }
    }

    /// Decides it.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`],
    /// [`Error::Conflict`], [`Error::CannotMove`].
    pub(crate) fn decide(&self, asker: Asker<'_>) -> Result<Decided> {
        match self {
            StructureChange::Account(change) => asker.change_account(change),
            StructureChange::Profile(change) => asker.put_profile(change),
            StructureChange::Section(change) => asker.put_section(change),
            StructureChange::Move(asked) => asker.move_holding(asked),
        }
    }
}

impl Asker<'_> {
    fn change_account(self, change: &AccountChange) -> Result<Decided> {
        let AccountChange { name, address } = change;
        let Asker { look, caller, account, .. } = self;
        look.demand(caller, Action::ManagePlace, &Scope::Account(account.clone()))?;
        let missing = || Error::not_found("billing account", account.as_str());
        let known = look.company.accounts.get(account).ok_or_else(missing)?;
        let mut things = Vec::new();
        if let Some(name) = name {
            let name = named("name", name)?;
            let now = known.known.at(look.now).ok_or_else(missing)?;
            if name != now.name {
                let (value, carried) = (AccountFacts { name, ..now.clone() }, of_account);
                let all = later_steps::steps(Some(&known.known), look.now, value, carried);
                let step = |(from, value)| Step { of: account.clone(), from, value };
                let all = all.into_iter().map(step);
                things.extend(all.map(|step| Thing::BillingAccount(known.currency, step)));
            }
        }
        if let Some(address) = address {
            things.extend(self.buyer_at(known, checked(address)?)?);
        }
        Ok(Decided { things, deed: deed("billing_account.change", format!("`{account}`")) })
    }

    /// The buyer of an account at another address. One that buys for other accounts too is
    /// changed by whoever may change those.
    fn buyer_at(self, known: &BillingAccount, address: Address) -> Result<Vec<Thing>> {
        let Asker { look, caller, account, .. } = self;
        let (company, now) = (&look.company, look.now);
        let of = company.terms_at(account, now)?.buyer;
        let others = company.billing_terms.iter().filter(|(other, terms)| {
            *other != account && terms.at(now).is_some_and(|terms| terms.buyer == of)
        });
        let refused = |problem: String| {
            Err(Error::Conflict { what: "legal entity", key: of.to_string(), problem })
        };
        for (other, _) in others {
            let scope = Scope::Account(other.clone());
            if !may_at(company, caller, Action::ManagePlace, &scope, now) {
                let problem = "buys for other billing accounts too; ask the operator";
                return refused(problem.to_owned());
            }
        }
        let before = match company.legal_entity_at(&of, now) {
            Some(entity) if entity.trade == Trade::Sells => {
                return refused("sells; its address is the operator's to change".to_owned());
            }
            Some(entity) => entity.clone(),
            None => LegalEntity {
                name: known.name_at(now).unwrap_or_default().to_owned(),
                trade: Trade::Buys,
                country: Country::parse(known.region_at(now).unwrap_or_default())?,
                address: None,
                registrations: Vec::new(),
            },
        };
        if before.address.as_ref() == Some(&address) {
            return Ok(Vec::new());
        }
        if before.country != address.country {
            let taxed = before.country;
            return refused(format!("is taxed in {taxed}; ask the operator for another country"));
        }
        let value = LegalEntity { address: Some(address), ..before };
        let all = later_steps::steps(company.legal_entities.get(&of), now, value, of_entity);
        let thing = |(from, value)| Thing::LegalEntity(Step { of: of.clone(), from, value });
        Ok(all.into_iter().map(thing).collect())
    }

    fn put_profile(self, change: &ProfileChange) -> Result<Decided> {
        let Asker { look, account, .. } = self;
        match self.found(Level::BillingProfile, &change.id) {
            Found::There(place, facts) => self.change_profile(place, facts, change),
            found => {
                let place = self.new_place(Level::BillingProfile, &change.id);
                self.demand_making(change.put, &place, &Scope::Account(account.clone()))?;
                let place = found.free(checked_id(place)?)?;
                let facts = self.new_profile(change)?;
                let mut things = look.place_steps(&place, facts);
                things.extend(self.tags(&place, change.tags.as_ref())?);
                Ok(Decided { things, deed: of_place("billing_profile.create", &place) })
            }
        }
    }

    fn change_profile(
        self,
        place: Place,
        before: &PlaceFacts,
        change: &ProfileChange,
    ) -> Result<Decided> {
        let ProfileChange { id: _, put: _, name, address, order_number, tags } = change;
        self.demand_change(&place, before)?;
        let mut facts = before.clone();
        if let Some(name) = name {
            facts.name = named("name", name)?;
        }
        if let Detail::BillingProfile(profile) = &mut facts.detail {
            if let Some(address) = address {
                profile.address = Some(checked(address)?);
            }
            if let Some(number) = order_number {
                profile.order_number = line("order_number", number)?;
            }
        }
        self.changed("billing_profile.change", &place, (before, facts), tags.as_ref())
    }

    /// A new billing profile: in its account's currency, with the policies that nobody said.
    fn new_profile(self, change: &ProfileChange) -> Result<PlaceFacts> {
        let ProfileChange { id: _, put: _, name, address, order_number, tags: _ } = change;
        let Asker { look, account, .. } = self;
        let refused = |problem: &str| {
            let (key, problem) = (account.to_string(), problem.to_owned());
            Err(Error::Conflict { what: "billing account", key, problem })
        };
        let agreement = look.company.places.agreement_at(account, look.now);
        if !agreement.is_some_and(|agreement| agreement.profile_creation().is_allowed()) {
            return refused("its agreement allows no new billing profiles; ask the seller");
        }
        let missing = || Error::not_found("billing account", account.as_str());
        let currency = look.company.accounts.get(account).ok_or_else(missing)?.currency;
        let is_partner = agreement.is_some_and(|one| one.kind() == AgreementType::Partner);
        if is_partner && self.has_profile_in(currency) {
            return refused("has a billing profile in its currency already; a partner has one");
        }
        let profile = BillingProfile {
            currency,
            address: address.as_ref().map(checked).transpose()?,
            order_number: line("order_number", order_number.as_deref().unwrap_or_default())?,
            marketplace_purchases: MarketplacePurchases::All,
            reservation_purchases: Permission::Allowed,
            view_charges: Permission::NotAllowed,
        };
        Ok(PlaceFacts {
            name: named("name", name.as_deref().unwrap_or_default())?,
            parent: None,
            state: PlaceState::Active,
            cost_center: String::new(),
            detail: Detail::BillingProfile(Box::new(profile)),
        })
    }

    fn has_profile_in(self, currency: Currency) -> bool {
        let known = self.look.company.places.of(self.account);
        let mut children =
            known.into_iter().flat_map(|known| known.children_at(None, self.look.now));
        children.any(|(_, facts)| match &facts.detail {
            Detail::BillingProfile(profile) => profile.currency == currency,
            Detail::InvoiceSection
            | Detail::Customer(_)
            | Detail::Department { .. }
            | Detail::EnrollmentAccount
            | Detail::MessagingAccount { .. } => false,
        })
    }

    fn put_section(self, change: &SectionChange) -> Result<Decided> {
        let SectionChange { profile, id, put, name, tags } = change;
        let Asker { look, .. } = self;
        let missing = || Error::not_found(Level::BillingProfile.name(), profile.as_str());
        let Found::There(parent, above) = self.found(Level::BillingProfile, profile) else {
            return Err(missing());
        };
        let found = match self.found(Level::InvoiceSection, id) {
            Found::There(_, facts) if facts.parent.as_ref() != Some(&parent.key) => Found::Taken,
            found => found,
        };
        if let Found::There(place, before) = found {
            self.demand_change(&place, before)?;
            let mut facts = before.clone();
            if let Some(name) = name {
                facts.name = named("name", name)?;
            }
            return self.changed("invoice_section.change", &place, (before, facts), tags.as_ref());
        }
        let place = self.new_place(Level::InvoiceSection, id);
        self.demand_making(*put, &place, &Scope::Place(parent.clone()))?;
        let place = found.free(checked_id(place)?)?;
        if above.state != PlaceState::Active {
            let problem = "is not active: nothing can be put there".to_owned();
            let (what, key) = (parent.key.level.name(), parent.key.id.to_string());
            return Err(Error::Conflict { what, key, problem });
        }
        let facts = PlaceFacts {
            name: named("name", name.as_deref().unwrap_or_default())?,
            parent: Some(parent.key),
            state: PlaceState::Active,
            cost_center: String::new(),
            detail: Detail::InvoiceSection,
        };
        let mut things = look.place_steps(&place, facts);
        things.extend(self.tags(&place, tags.as_ref())?);
        Ok(Decided { things, deed: of_place("invoice_section.create", &place) })
    }

    /// Demands the right to change a place that still lives.
    fn demand_change(self, place: &Place, facts: &PlaceFacts) -> Result<()> {
        self.look.demand(self.caller, Action::ManagePlace, &Scope::Place(place.clone()))?;
        demand_living(place, facts)
    }

    /// Demands the right to make a place below another, where it may be made at all.
    fn demand_making(self, put: Put, place: &NewPlace<'_>, below: &Scope) -> Result<()> {
        let action = match place.level {
            Level::BillingProfile => Action::CreateProfiles,
            Level::InvoiceSection => Action::CreateSections,
            Level::Customer
            | Level::Department
            | Level::EnrollmentAccount
            | Level::MessagingAccount => Action::ManageCompany,
        };
        match put {
            Put::Refused => Err(Error::not_found(place.level.name(), place.id)),
            Put::Made => self.look.demand(self.caller, action, below),
        }
    }

    fn new_place<'i>(self, level: Level, id: &'i str) -> NewPlace<'i> {
        NewPlace { account: self.account.clone(), level, id }
    }

    /// What a changed place comes to.
    fn changed(
        self,
        action: &'static str,
        place: &Place,
        (before, facts): (&PlaceFacts, PlaceFacts),
        tags: Option<&BTreeMap<String, String>>,
    ) -> Result<Decided> {
        let mut things = Vec::new();
        if facts != *before {
            things.extend(self.look.place_steps(place, facts));
        }
        things.extend(self.tags(place, tags)?);
        Ok(Decided { things, deed: of_place(action, place) })
    }

    /// What is noted on a place from now on; nothing where that is noted already.
    fn tags(self, place: &Place, tags: Option<&BTreeMap<String, String>>) -> Result<Vec<Thing>> {
        let Some(tags) = tags else { return Ok(Vec::new()) };
        let of = Scope::Place(place.clone());
        let value = Tags::new(tags.clone(), "")?;
        let before = self.look.company.tags_at(&of, self.look.now).cloned().unwrap_or_default();
        Ok(if before == value { Vec::new() } else { self.look.tags_steps(&of, value) })
    }

    /// A place of a level with an id.
    fn found(&self, level: Level, id: &str) -> Found<'_> {
        match self.look.known(self.account, level, id) {
            None => match self.look.begins(self.account, level, id) {
                Some(from) => Found::Later(from),
                None => Found::Nothing,
            },
            Some((place, facts)) => {
                let scope = Scope::Place(place.clone());
                match self.look.view(self.caller).sight(&scope) {
                    Some(_) => Found::There(place, facts),
                    None => Found::Taken,
                }
            }
        }
    }
}

/// What is known of an id.
enum Found<'a> {
    /// Nothing.
    Nothing,
    /// It is a place's that the caller may know of.
    There(Place, &'a PlaceFacts),
    /// It is another place's.
    Taken,
    /// It is the one of a place that is declared from an instant on.
    Later(Instant),
}

impl Found<'_> {
    /// The place to be made, if its id is nobody's.
    fn free(self, place: Place) -> Result<Place> {
        let problem = match self {
            Found::Nothing => return Ok(place),
            Found::There(..) | Found::Taken => "is there already; take another name".to_owned(),
            Found::Later(from) => format!("is declared from {from} on; take another name"),
        };
        let (what, key) = (place.key.level.name(), place.key.id.to_string());
        Err(Error::Conflict { what, key, problem })
    }
}

/// A place that somebody wants to make.
struct NewPlace<'a> {
    account: BillingAccountId,
    level: Level,
    id: &'a str,
}

/// The place, if its id can be one that stands in addresses as it is.
fn checked_id(NewPlace { account, level, id }: NewPlace<'_>) -> Result<Place> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if id.is_empty() || id.len() > ID_MOST || !id.bytes().all(is_plain) {
        let problem = format!("a new {level} is named by 1 to {ID_MOST} letters, digits and -_.:");
        return Err(Error::invalid("name in the address", problem));
    }
    Ok(Place { billing_account: account, key: PlaceKey { level, id: PlaceId::new(id)? } })
}

fn of_place(action: &'static str, place: &Place) -> Deed {
    deed(action, format!("{} of `{}`", place.key, place.billing_account))
}

pub(crate) fn deed(action: &'static str, target: String) -> Deed {
    Deed { action, target, closes: None }
}

/// The address in its country's form.
///
/// Errors: the first thing that is wrong with it.
fn checked(draft: &Draft) -> Result<Address> {
    check_address(draft).map_err(|wrong| {
        let first = wrong.into_iter().next();
        first.unwrap_or_else(|| Error::invalid("address", "cannot be right"))
    })
}
