//! What becomes of later steps when something changes from now on: what a later step only repeats
//! of before changes in it too, what it says anew stays. So neither undoes the other.

use calendar::Instant;
use domain::billing_terms::LegalEntity;
use domain::company::AccountFacts;
use domain::holdings::{ProductFacts, Standing};
use domain::instructions::Instruction;
use domain::places::{BillingProfile, Customer, Detail, PlaceFacts};
use domain::tags::Tags;
use domain::timeline::Timeline;

/// How a later step reads after a change: what held before, what holds instead, what the step says.
type Carried<T> = fn(&T, &T, &T) -> T;

/// The steps by which `after` holds from `now` on: its own, and the later ones that change with it.
pub(crate) fn steps<T: Clone + PartialEq>(
    known: Option<&Timeline<T>>,
    now: Instant,
    after: T,
    carried: Carried<T>,
) -> Vec<(Instant, T)> {
    match known.and_then(|known| Some((known, known.at(now)?))) {
        Some((known, before)) => steps_over(known, now, (before, after), carried),
        None => vec![(now, after)],
    }
}

/// The same, of what held before, whether somebody said so or not.
pub(crate) fn steps_over<T: Clone + PartialEq>(
    known: &Timeline<T>,
    now: Instant,
    (before, after): (&T, T),
    carried: Carried<T>,
) -> Vec<(Instant, T)> {
    let mut steps = vec![(now, after.clone())];
    let (mut before, mut after) = (before, after);
    for (during, said) in known.spans().filter(|(during, _)| during.start() > now) {
        after = carried(before, &after, said);
        if after != *said {
            steps.push((during.start(), after.clone()));
        }
        before = said;
    }
    steps
}

/// Of what changes as a whole.
pub(crate) fn whole<T: Clone + PartialEq>(before: &T, after: &T, said: &T) -> T {
    if said == before { after.clone() } else { said.clone() }
}

pub(crate) fn of_account(
    before: &AccountFacts,
    after: &AccountFacts,
    said: &AccountFacts,
) -> AccountFacts {
    let AccountFacts { name, region } = said;
    AccountFacts {
        name: whole(&before.name, &after.name, name),
        region: whole(&before.region, &after.region, region),
    }
}

/// An address is in the country that its entity is taxed in.
pub(crate) fn of_entity(
    before: &LegalEntity,
    after: &LegalEntity,
    said: &LegalEntity,
) -> LegalEntity {
    let LegalEntity { name, trade, country, address, registrations } = said;
    let moves = *country != before.country;
    LegalEntity {
        name: whole(&before.name, &after.name, name),
        trade: whole(&before.trade, &after.trade, trade),
        country: whole(&before.country, &after.country, country),
        address: if moves {
            address.clone()
        } else {
            whole(&before.address, &after.address, address)
        },
        registrations: whole(&before.registrations, &after.registrations, registrations),
    }
}

pub(crate) fn of_instruction(
    before: &Instruction,
    after: &Instruction,
    said: &Instruction,
) -> Instruction {
    let Instruction { profile, amount, during, created_at } = said;
    Instruction {
        profile: whole(&before.profile, &after.profile, profile),
        amount: whole(&before.amount, &after.amount, amount),
        during: whole(&before.during, &after.during, during),
        created_at: whole(&before.created_at, &after.created_at, created_at),
    }
}

pub(crate) fn of_product(
    before: &ProductFacts,
    after: &ProductFacts,
    said: &ProductFacts,
) -> ProductFacts {
    let ProductFacts { name, auto_renew, ends_at } = said;
    ProductFacts {
        name: whole(&before.name, &after.name, name),
        auto_renew: whole(&before.auto_renew, &after.auto_renew, auto_renew),
        ends_at: whole(&before.ends_at, &after.ends_at, ends_at),
    }
}

pub(crate) fn of_standing(before: &Standing, after: &Standing, said: &Standing) -> Standing {
    let Standing { place, reseller } = said;
    Standing {
        place: whole(&before.place, &after.place, place),
        reseller: whole(&before.reseller, &after.reseller, reseller),
    }
}

/// Tags are one thing, the cost centre beside them is another.
pub(crate) fn of_tags(before: &Tags, after: &Tags, said: &Tags) -> Tags {
    let values = whole(before.values(), after.values(), said.values());
    let center = |tags: &Tags| tags.cost_center().to_owned();
    let cost_center = whole(&center(before), &center(after), &center(said));
    // Each part is one that tags have already.
    Tags::new(values, &cost_center).unwrap_or_else(|_| said.clone())
}

pub(crate) fn of_place(before: &PlaceFacts, after: &PlaceFacts, said: &PlaceFacts) -> PlaceFacts {
    let PlaceFacts { name, parent, state, cost_center, detail } = said;
    PlaceFacts {
        name: whole(&before.name, &after.name, name),
        parent: whole(&before.parent, &after.parent, parent),
        state: whole(&before.state, &after.state, state),
        cost_center: whole(&before.cost_center, &after.cost_center, cost_center),
        detail: match (&before.detail, &after.detail, detail) {
            (
                Detail::BillingProfile(before),
                Detail::BillingProfile(after),
                Detail::BillingProfile(said),
            ) => Detail::BillingProfile(Box::new(of_profile(before, after, said))),
            (Detail::Customer(before), Detail::Customer(after), Detail::Customer(said)) => {
                Detail::Customer(of_customer(before, after, said))
            }
            (before, after, said) => whole(before, after, said),
        },
    }
}

fn of_profile(
    before: &BillingProfile,
    after: &BillingProfile,
    said: &BillingProfile,
) -> BillingProfile {
    let BillingProfile {
        currency,
        address,
        order_number,
        marketplace_purchases,
        reservation_purchases,
        view_charges,
    } = said;
    let purchases = (&before.marketplace_purchases, &after.marketplace_purchases);
    let reservations = (&before.reservation_purchases, &after.reservation_purchases);
    BillingProfile {
        currency: whole(&before.currency, &after.currency, currency),
        address: whole(&before.address, &after.address, address),
        order_number: whole(&before.order_number, &after.order_number, order_number),
        marketplace_purchases: whole(purchases.0, purchases.1, marketplace_purchases),
        reservation_purchases: whole(reservations.0, reservations.1, reservation_purchases),
        view_charges: whole(&before.view_charges, &after.view_charges, view_charges),
    }
}

fn of_customer(before: &Customer, after: &Customer, said: &Customer) -> Customer {
    let Customer { plans, resellers, view_charges } = said;
    Customer {
        plans: whole(&before.plans, &after.plans, plans),
        resellers: whole(&before.resellers, &after.resellers, resellers),
        view_charges: whole(&before.view_charges, &after.view_charges, view_charges),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    #[test]
    fn what_a_later_step_repeats_changes_with_it_and_what_it_says_anew_stays() {
        let known = |later: &[(&str, &'static str)]| {
            let first = (day("2026-01-01"), "old");
            let later = later.iter().map(|(from, said)| (day(from), *said));
            Timeline::new("steps", [first].into_iter().chain(later)).unwrap()
        };
        let check = |later: &[(&str, &'static str)], expected: &[(&str, &str)]| {
            let found = steps(Some(&known(later)), day("2026-06-01"), "new", whole);
            let expected: Vec<_> = expected.iter().map(|(from, said)| (day(from), *said)).collect();
            assert_eq!(found, expected, "{later:?}");
        };
        check(&[], &[("2026-06-01", "new")]);
        check(&[("2026-05-01", "old")], &[("2026-06-01", "new")]);
        let repeated = [("2026-06-01", "new"), ("2026-07-01", "new")];
        check(&[("2026-07-01", "old")], &repeated);
        check(&[("2026-07-01", "other")], &[("2026-06-01", "new")]);
        check(&[("2026-07-01", "other"), ("2026-08-01", "old")], &[("2026-06-01", "new")]);
        check(&[("2026-07-01", "old"), ("2026-08-01", "other")], &repeated);
        check(&[("2026-07-01", "new"), ("2026-08-01", "new")], &[("2026-06-01", "new")]);
    }
}
