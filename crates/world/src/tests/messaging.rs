//! The company that sends messages: what its people can ask about is there.

use super::*;
use domain::rated::RowKind;

/// The contract's categories. Source: `infobip.md` section 5.
const CATEGORIES: [&str; 15] = [
    "SMS",
    "SMS_OPERATOR_FEE",
    "MMS",
    "MMS_OPERATOR_FEE",
    "EMAIL",
    "RCS",
    "WHATSAPP",
    "VIBER",
    "APPLE_MB",
    "MOBILE_PUSH",
    "NUMBER_LOOKUP",
    "CARRIER_LOOKUP",
    "EMAIL_VALIDATION",
    "AGENTOS",
    "AI",
];

#[test]
fn accounts_are_told_by_key_but_those_of_the_old_kind() {
    let world = demo();
    let MessagingCompany { billing_account, sub_account, accounts, closed } = &world.messaging;
    assert_eq!(*billing_account, ids(&world).account(ids::MESSENGER));
    let (itself, within) = accounts.split_first().expect("the company");
    assert_eq!((itself.key.as_str(), &itself.owner_key), (billing_account.as_str(), &None));
    let mut names: Vec<&str> = within.iter().map(|account| account.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Alerts", "Campaigns", "Campaigns", "Marketing"]);
    let keys: BTreeSet<&str> = accounts.iter().map(|account| account.key.as_str()).collect();
    assert_eq!(keys.len(), accounts.len(), "two accounts have one name and two keys");
    let mut owners = within.iter().filter_map(|account| account.owner_key.as_deref());
    assert!(owners.all(|owner| keys.contains(owner)));
    assert!(within.iter().any(|account| account.key == sub_account.key.id.as_str()));
    assert!(world.closed.contains(closed));
}

#[test]
fn each_closed_month_has_every_category_and_every_kind_of_price() {
    let world = demo();
    let company = Arc::new(company_of(&world));
    let book = PriceBook::new(Arc::clone(&company));
    for period in ["2026-08", "2026-09", "2026-10"] {
        let rated = rated(&world, &book, &world.messaging.billing_account, period);
        let charged = rated.rows.iter().filter(|row| row.kind != RowKind::Included);
        let categories: BTreeSet<&str> =
            charged.map(|row| company.meters[&row.meter].category.as_str()).collect();
        for category in CATEGORIES {
            assert!(categories.contains(category), "{period}: no {category}");
        }
        let kinds: BTreeSet<RowKind> = rated.rows.iter().map(|row| row.kind).collect();
        for kind in
            [RowKind::Usage, RowKind::Included, RowKind::Flat, RowKind::Minimum, RowKind::Maximum]
        {
            assert!(kinds.contains(&kind), "{period}: no {}", kind.name());
        }
        assert!(rated.rows.iter().any(|row| row.tier == 1), "{period}: one tier");
        let unpriced =
            |row: &&domain::rated::RatedRow| row.kind == RowKind::Usage && row.unit_price.is_none();
        assert!(rated.rows.iter().filter(unpriced).count() > 0, "{period}: no packages");
    }
}

#[test]
fn one_subscription_moves_between_accounts_within_a_month() {
    let world = demo();
    let company = company_of(&world);
    let moved = ids(&world).subscription("channels");
    let stands = |at: &str| {
        let held = &company.places.subscriptions[&moved];
        let standing = held.standings.at(company::date(at)).expect("it stands");
        standing.place.as_ref().expect("an account").key.id.to_string()
    };
    assert_ne!(stands("2026-10-14"), stands("2026-10-15"));
    let used = |event: &UsageRecord| {
        event.subscription == moved
            && BillingPeriod::of(event.service_period.start()) == world.messaging.closed
    };
    let days: BTreeSet<_> =
        world.events().filter(used).map(|event| event.service_period.start().day()).collect();
    assert_eq!(days.len(), 31);
}
