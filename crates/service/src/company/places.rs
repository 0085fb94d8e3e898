//! The twin of places: one for all levels, since they share most keys. Which level it is says the
//! kind, and what another level alone has is refused.

use super::legal_entities::Address;
use super::parties::unless;
use super::step::Step;
use super::text::Text;
use super::words::{amount, major};
use super::wrong::Wrong;
use calendar::Instant;
use domain::addresses;
use domain::agreements::Permission;
use domain::ids::{BillingAccountId, OfferId, PlaceId, ResellerId};
use domain::places::{
    self, BillingProfile, Customer, Detail, Generation, Level, MarketplacePurchases, PlaceFacts,
    PlaceKey, PlaceState,
};
use money::{Currency, Fixed18};
use serde::{Deserialize, Serialize};

/// A place below a billing account, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    billing_account: Text<BillingAccountId>,
    id: Text<PlaceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Text<PlaceState>>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    cost_center: String,
    /// What it lies below, by the name of its level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    billing_profile: Option<Text<PlaceId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    department: Option<Text<PlaceId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    messaging_account: Option<Text<PlaceId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<Text<Currency>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    marketplace_purchases: Option<Text<MarketplacePurchases>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reservation_purchases: Option<Text<Permission>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    view_charges: Option<Text<Permission>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plans: Option<Vec<Text<OfferId>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resellers: Option<Vec<Reseller>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quota: Option<Text<Fixed18>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<Text<Generation>>,
}

/// Who sells a partner's plans on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reseller {
    id: Text<ResellerId>,
    name: String,
}

/// The key that names a place of a level as what another lies below.
pub(super) const fn parent_key(level: Level) -> &'static str {
    match level {
        Level::InvoiceSection => "billing_profile",
        Level::EnrollmentAccount => "department",
        Level::MessagingAccount => "messaging_account",
        Level::BillingProfile | Level::Customer | Level::Department => "",
    }
}

/// Keys that some levels have and others have not.
const OWN: [(&str, &[Level]); 13] = [
    ("billing_profile", &[Level::InvoiceSection]),
    ("department", &[Level::EnrollmentAccount]),
    ("messaging_account", &[Level::MessagingAccount]),
    ("currency", &[Level::BillingProfile, Level::Department]),
    ("address", &[Level::BillingProfile]),
    ("order_number", &[Level::BillingProfile]),
    ("marketplace_purchases", &[Level::BillingProfile]),
    ("reservation_purchases", &[Level::BillingProfile]),
    ("view_charges", &[Level::BillingProfile, Level::Customer]),
    ("plans", &[Level::Customer]),
    ("resellers", &[Level::Customer]),
    ("quota", &[Level::Department]),
    ("generation", &[Level::MessagingAccount]),
];

impl Place {
    /// The step of a place of a level.
    pub(super) fn step(self, level: Level) -> Result<Step<places::Place, PlaceFacts>, Wrong> {
        self.check(level)?;
        let Place {
            billing_account,
            id,
            from,
            name,
            state,
            cost_center,
            billing_profile,
            department,
            messaging_account,
            currency,
            address,
            order_number,
            marketplace_purchases,
            reservation_purchases,
            view_charges,
            plans,
            resellers,
            quota,
            generation,
        } = self;
        let view_charges = view_charges.map_or(Permission::NotAllowed, |policy| policy.0);
        let key = |level| move |id: Text<PlaceId>| PlaceKey { level, id: id.0 };
        let parent = billing_profile.map(key(Level::BillingProfile));
        let parent = parent.or(department.map(key(Level::Department)));
        let parent = parent.or(messaging_account.map(key(Level::MessagingAccount)));
        let detail = match level {
            Level::BillingProfile => {
                let address = address.map(addresses::Address::try_from).transpose();
                Detail::BillingProfile(Box::new(BillingProfile {
                    currency: required("currency", currency)?,
                    address: address.map_err(|wrong| wrong.below("address"))?,
                    order_number: order_number.unwrap_or_default(),
                    marketplace_purchases: marketplace_purchases
                        .map_or(MarketplacePurchases::All, |policy| policy.0),
                    reservation_purchases: reservation_purchases
                        .map_or(Permission::Allowed, |policy| policy.0),
                    view_charges,
                }))
            }
            Level::InvoiceSection => Detail::InvoiceSection,
            Level::Customer => Detail::Customer(Customer {
                plans: plans.unwrap_or_default().into_iter().map(|plan| plan.0).collect(),
                resellers: resellers.unwrap_or_default().into_iter().map(Reseller::into).collect(),
                view_charges,
            }),
            Level::Department => Detail::Department { quota: quota_of(quota, currency)? },
            Level::EnrollmentAccount => Detail::EnrollmentAccount,
            Level::MessagingAccount => Detail::MessagingAccount {
                generation: generation.map_or(Generation::Current, |generation| generation.0),
            },
        };
        let state = state.map_or(PlaceState::Active, |state| state.0);
        Ok(Step {
            of: places::Place {
                billing_account: billing_account.0,
                key: PlaceKey { level, id: id.0 },
            },
            from: from.map_or(Instant::MIN, |from| from.0),
            value: PlaceFacts { name, parent, state, cost_center, detail },
        })
    }

    /// Refuses an empty name, and keys of other levels.
    fn check(&self, level: Level) -> Result<(), Wrong> {
        if self.name.is_empty() {
            return Err(Wrong::new("name", "must not be empty"));
        }
        let said = [
            self.billing_profile.is_some(),
            self.department.is_some(),
            self.messaging_account.is_some(),
            self.currency.is_some(),
            self.address.is_some(),
            self.order_number.is_some(),
            self.marketplace_purchases.is_some(),
            self.reservation_purchases.is_some(),
            self.view_charges.is_some(),
            self.plans.is_some(),
            self.resellers.is_some(),
            self.quota.is_some(),
            self.generation.is_some(),
        ];
        let mut wrong =
            OWN.iter().zip(said).filter(|((_, of), said)| *said && !of.contains(&level));
        match wrong.next() {
            Some(((key, _), _)) => Err(Wrong::new(*key, format!("is no key of the level {level}"))),
            None => Ok(()),
        }
    }
}

fn required<T>(key: &str, value: Option<Text<T>>) -> Result<T, Wrong> {
    value.map(|value| value.0).ok_or_else(|| Wrong::new(key, "must be there"))
}

fn quota_of(
    quota: Option<Text<Fixed18>>,
    currency: Option<Text<Currency>>,
) -> Result<Option<money::Money>, Wrong> {
    match (quota, currency) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Wrong::new("currency", "is that of `quota`, which is not there")),
        (Some(quota), currency) => {
            amount("quota", quota.0, required("currency", currency)?).map(Some)
        }
    }
}

impl From<Reseller> for places::Reseller {
    fn from(Reseller { id, name }: Reseller) -> places::Reseller {
        places::Reseller { id: id.0, name }
    }
}

impl From<Step<places::Place, PlaceFacts>> for Place {
    fn from(step: Step<places::Place, PlaceFacts>) -> Place {
        let Step { of: places::Place { billing_account, key }, from, value } = step;
        let PlaceFacts { name, parent, state, cost_center, detail } = value;
        let below = |level| parent.iter().find(|key| key.level == level).map(|key| key.id.clone());
        let twin = Place {
            billing_account: Text(billing_account),
            id: Text(key.id),
            from: unless(from, Instant::MIN),
            name,
            state: unless(state, PlaceState::Active),
            cost_center,
            billing_profile: below(Level::BillingProfile).map(Text),
            department: below(Level::Department).map(Text),
            messaging_account: below(Level::MessagingAccount).map(Text),
            currency: None,
            address: None,
            order_number: None,
            marketplace_purchases: None,
            reservation_purchases: None,
            view_charges: None,
            plans: None,
            resellers: None,
            quota: None,
            generation: None,
        };
        twin.with(detail)
    }
}

impl Place {
    /// The twin with what only its level has; what leaving it out would say again is left out.
    fn with(self, detail: Detail) -> Place {
        match detail {
            Detail::BillingProfile(profile) => {
                let BillingProfile {
                    currency,
                    address,
                    order_number,
                    marketplace_purchases,
                    reservation_purchases,
                    view_charges,
                } = *profile;
                Place {
                    currency: Some(Text(currency)),
                    address: address.map(Address::from),
                    order_number: (!order_number.is_empty()).then_some(order_number),
                    marketplace_purchases: unless(marketplace_purchases, MarketplacePurchases::All),
                    reservation_purchases: unless(reservation_purchases, Permission::Allowed),
                    view_charges: unless(view_charges, Permission::NotAllowed),
                    ..self
                }
            }
            Detail::Customer(Customer { plans, resellers, view_charges }) => {
                let resellers: Vec<Reseller> = resellers
                    .into_iter()
                    .map(|places::Reseller { id, name }| Reseller { id: Text(id), name })
                    .collect();
                let plans: Vec<Text<OfferId>> = plans.into_iter().map(Text).collect();
                Place {
                    plans: (!plans.is_empty()).then_some(plans),
                    resellers: (!resellers.is_empty()).then_some(resellers),
                    view_charges: unless(view_charges, Permission::NotAllowed),
                    ..self
                }
            }
            Detail::Department { quota } => Place {
                currency: quota.map(|quota| Text(quota.currency())),
                quota: quota.map(|quota| Text(major(quota))),
                ..self
            },
            Detail::MessagingAccount { generation } => {
                Place { generation: unless(generation, Generation::Current), ..self }
            }
            Detail::InvoiceSection | Detail::EnrollmentAccount => self,
        }
    }
}
