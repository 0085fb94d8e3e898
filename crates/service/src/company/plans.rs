//! Twins of held plans.

use super::parties::unless;
use super::text::Text;
use super::wrong::Wrong;
use calendar::Day;
use domain::billing_terms::HeldPlan;
use domain::ids::{BillingAccountId, PlaceId, PlanId, SubscriptionId, TaxCategory};
use domain::places::{Level, PlaceKey};
use domain::recurring::{self, Proration, Timing};
use money::{Currency, Fixed18};
use serde::{Deserialize, Serialize};

/// A plan that a billing account holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    billing_account: Text<BillingAccountId>,
    id: Text<PlanId>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<PlaceOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subscription: Option<Text<SubscriptionId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tax_category: Option<Text<TaxCategory>>,
    currency: Text<Currency>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    anchor_day: u8,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    cycle_months: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proration: Option<Text<Proration>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timing: Option<Text<Timing>>,
    amounts: Vec<PlanAmount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<Text<Day>>,
}

/// A place in the account that the table names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceOf {
    level: Text<Level>,
    id: Text<PlaceId>,
}

/// What a cycle costs from a day on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanAmount {
    from: Text<Day>,
    amount: Text<Fixed18>,
}

fn one() -> u8 {
    1
}

fn is_one(number: &u8) -> bool {
    *number == 1
}

impl TryFrom<Plan> for (BillingAccountId, HeldPlan) {
    type Error = Wrong;

    fn try_from(twin: Plan) -> Result<Self, Wrong> {
        let Plan {
            billing_account,
            id,
            name,
            place,
            subscription,
            tax_category,
            currency,
            anchor_day,
            cycle_months,
            proration,
            timing,
            amounts,
            ends,
        } = twin;
        if name.is_empty() {
            return Err(Wrong::new("name", "must not be empty"));
        }
        let amounts = amounts.into_iter().map(|PlanAmount { from, amount }| (from.0, amount.0));
        let plan = recurring::Plan {
            currency: currency.0,
            anchor_day,
            cycle_months,
            proration: proration.map_or(Proration::ActualDays, |proration| proration.0),
            timing: timing.map_or(Timing::InAdvance, |timing| timing.0),
            amounts: amounts.collect(),
            ends: ends.map(|day| day.0),
        };
        plan.check().map_err(Wrong::of)?;
        let held = HeldPlan {
            id: id.0,
            name,
            place: place.map(|PlaceOf { level, id }| PlaceKey { level: level.0, id: id.0 }),
            subscription: subscription.map(|subscription| subscription.0),
            tax_category: tax_category.map(|category| category.0),
            plan,
        };
        Ok((billing_account.0, held))
    }
}

impl From<(BillingAccountId, HeldPlan)> for Plan {
    fn from((account, held): (BillingAccountId, HeldPlan)) -> Plan {
        let HeldPlan { id, name, place, subscription, tax_category, plan } = held;
        let recurring::Plan {
            currency,
            anchor_day,
            cycle_months,
            proration,
            timing,
            amounts,
            ends,
        } = plan;
        let amounts = amounts
            .into_iter()
            .map(|(from, amount)| PlanAmount { from: Text(from), amount: Text(amount) });
        Plan {
            billing_account: Text(account),
            id: Text(id),
            name,
            place: place.map(|PlaceKey { level, id }| PlaceOf { level: Text(level), id: Text(id) }),
            subscription: subscription.map(Text),
            tax_category: tax_category.map(Text),
            currency: Text(currency),
            anchor_day,
            cycle_months,
            proration: unless(proration, Proration::ActualDays),
            timing: unless(timing, Timing::InAdvance),
            amounts: amounts.collect(),
            ends: ends.map(Text),
        }
    }
}
