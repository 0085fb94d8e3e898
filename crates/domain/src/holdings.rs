//! Holdings: subscriptions and products, and where they stand below their payer.
//!
//! A [`Placement`] says who pays, on which profile and offer: rating reads it and nothing here. A
//! [`Standing`] says where inside the payer's account a holding stands. Both hold over time, apart
//! from each other, so that a move between two sections of one profile cuts no counter.

use crate::agreements::AgreementType;
use crate::company::Placement;
use crate::ids::{PrincipalId, ProductId, ResellerId};
use crate::places::{Detail, Fault, Level, Place, PlaceKey, Places, Problem};
use crate::timeline::Timeline;
use calendar::{Instant, Interval};

/// What the books know of a subscription or product beside who pays for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who made it, if anybody of ours: some roles may cancel only what they made.
    pub created_by: Option<PrincipalId>,
    /// Whether it is in use, over time.
    pub state: Timeline<HoldingState>,
    /// Where it stands, over time.
    pub standings: Timeline<Standing>,
}

/// Where a holding stands inside its payer's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The innermost place; none for the billing account itself.
    pub place: Option<Place>,
    /// Who sold it, of a partner's customer.
    pub reseller: Option<ResellerId>,
}

/// Whether a holding is in use. Surfaces have more words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum HoldingState {
    Active,
    PastDue,
    Suspended,
    Cancelled,
    Expired,
    Deleted,
}

/// Something bought and held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// How it is billed.
    pub billing_frequency: BillingFrequency,
    /// Its name, and what happens at its end, over time.
    pub facts: Timeline<ProductFacts>,
    /// Who pays for it, over time: sorted by start, not overlapping.
    pub placements: Vec<Placement>,
    /// Where it stands.
    pub held: Held,
}

/// What holds of a product from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductFacts {
    /// Its name.
    pub name: String,
    /// What happens at its end.
    pub auto_renew: AutoRenew,
    /// When it ends, or is renewed; none if it has no end.
    pub ends_at: Option<Instant>,
}

/// How a product is billed. Source: `microsoft-billing.md` section 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BillingFrequency {
    /// Once, when it is bought.
    OneTime,
    /// Every billing period.
    Monthly,
    /// By what was used.
    UsageBased,
}

/// What happens to a product at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AutoRenew {
    /// It is bought again.
    On,
    /// It ends.
    Off,
}

/// A subscription or product, as what stands somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Holding<'a> {
    /// How it is billed; a subscription is always [`BillingFrequency::UsageBased`].
    pub billing_frequency: BillingFrequency,
    /// Who pays for it, over time.
    pub placements: &'a [Placement],
    /// Where it stands.
    pub held: &'a Held,
}

impl Product {
    /// The product, as what stands somewhere.
    pub fn holding(&self) -> Holding<'_> {
        let Product { id: _, billing_frequency, facts: _, placements, held } = self;
        Holding { billing_frequency: *billing_frequency, placements, held }
    }

    /// Its state at a moment, of the one that was declared: what is in use until its end and not
    /// renewed has expired then.
    pub fn state_now(&self, declared: HoldingState, now: Instant) -> HoldingState {
        let is_over = self.facts.at(now).is_some_and(|facts| {
            facts.auto_renew == AutoRenew::Off && facts.ends_at.is_some_and(|end| end <= now)
        });
        if is_over && declared == HoldingState::Active { HoldingState::Expired } else { declared }
    }
}

/// Finds everything that does not hold of a product: what [`check_holding`] refuses, an end that
/// does not come after the step that says it, and a renewal without an end.
pub fn check_product(places: &Places, product: &Product) -> Vec<Fault> {
    let mut faults = check_holding(places, &product.holding());
    for (during, facts) in product.facts.spans() {
        let since = during.start();
        let field = format!("facts[{since}].ends_at");
        match (facts.ends_at, facts.auto_renew) {
            (Some(ends_at), _) if ends_at <= since => {
                faults.push(Fault { field, problem: Problem::NotAfter { since } });
            }
            (None, AutoRenew::On) => faults.push(Fault { field, problem: Problem::NoEnd }),
            (Some(_), _) | (None, AutoRenew::Off) => {}
        }
    }
    faults
}

/// Finds everything in which placements and standings of one holding do not agree with the places
/// and each other, in order of time. Accounts without an agreement have no places to agree with.
///
/// Refused are: placements that overlap; places of another kind than the agreement's holdings stand
/// at, that are not there or lie in another account or profile; resellers that the customer does
/// not have.
pub fn check_holding(places: &Places, holding: &Holding<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, pair) in holding.placements.windows(2).enumerate() {
        if let [before, after] = pair
            && after.during.start() < before.during.end()
        {
            let since = before.during.end();
            let field = format!("placements[{}].from", number.saturating_add(1));
            faults.push(Fault { field, problem: Problem::TooEarly { since } });
        }
    }
    for (span, standing) in holding.held.standings.spans() {
        for (number, placement) in holding.placements.iter().enumerate() {
            if let Some(during) = span.intersection(&placement.during) {
                let check = Check { places, number, span, during };
                faults.extend(check.pair(standing, placement));
            }
        }
    }
    faults
}

/// One standing and one placement, while both hold.
struct Check<'a> {
    places: &'a Places,
    number: usize,
    span: Interval,
    during: Interval,
}

impl Check<'_> {
    fn pair(&self, standing: &Standing, placement: &Placement) -> Option<Fault> {
        let account = &placement.billing_account;
        let kind = self.places.of(account)?.kind();
        let wanted = Level::of_holdings(kind);
        let level = standing.place.as_ref().map(|place| place.key.level);
        let (Some(place), true) = (&standing.place, level == wanted) else {
            let is_right = level == wanted;
            let problem = Problem::NoPlace { level: wanted };
            return (!is_right).then(|| Fault { field: self.of_standing("place"), problem });
        };
        if place.billing_account != *account {
            let found = format!("billing account `{account}`");
            let expected = format!("`{}`", place.billing_account);
            return Some(self.elsewhere("billing_account", (found, expected), place));
        }
        if self.places.facts_at(place, self.during.start()).is_none() {
            let problem = Problem::Orphan { place: place.key.clone(), at: self.during.start() };
            return Some(Fault { field: self.of_standing("place"), problem });
        }
        self.profile(kind, place, placement).or_else(|| self.reseller(standing, place))
    }

    /// The profile that pays: the section's own, or one of the partner's.
    fn profile(&self, kind: AgreementType, place: &Place, placement: &Placement) -> Option<Fault> {
        let account = self.places.of(&place.billing_account)?;
        let declared = placement.profile.as_deref();
        let shown = |profile: Option<&str>| {
            profile.map_or_else(|| "no profile".to_owned(), |id| format!("profile `{id}`"))
        };
        match kind {
            AgreementType::Customer => {
                // The section may have changed its profile while it stood there.
                let upwards = account.upwards(&place.key, self.during).into_iter();
                let profiles = upwards.filter(|(key, _)| key.level == Level::BillingProfile);
                let mut own = profiles.map(|(key, _)| Some(key.id.as_str()));
                let other = own.find(|own| *own != declared)?;
                Some(self.elsewhere("profile", (shown(declared), shown(other)), place))
            }
            AgreementType::Partner => {
                let of_it = |key: &PlaceKey| {
                    key.level == Level::BillingProfile && declared == Some(key.id.as_str())
                };
                let texts = (shown(declared), format!("`{}`", place.billing_account));
                let is_there = account.places.keys().any(of_it);
                (!is_there).then(|| self.elsewhere("profile", texts, place))
            }
            AgreementType::Enterprise
            | AgreementType::OnlineServices
            | AgreementType::Messaging => None,
        }
    }

    fn reseller(&self, standing: &Standing, place: &Place) -> Option<Fault> {
        let reseller = standing.reseller.as_ref()?;
        let facts = self.places.facts_at(place, self.during.start())?;
        let is_one = matches!(
            &facts.detail,
            Detail::Customer(customer) if customer.resellers.iter().any(|one| one.id == *reseller)
        );
        let problem =
            Problem::NotAReseller { reseller: reseller.to_string(), customer: place.key.clone() };
        (!is_one).then(|| Fault { field: self.of_standing("reseller"), problem })
    }

    fn of_standing(&self, name: &str) -> String {
        format!("standings[{}].{name}", self.span.start())
    }

    fn elsewhere(&self, name: &str, (found, expected): (String, String), place: &Place) -> Fault {
        let field = format!("placements[{}].{name}", self.number);
        Fault { field, problem: Problem::Elsewhere { expected, found, place: place.key.clone() } }
    }
}

#[cfg(test)]
mod tests;
