//! The accounts that the demo hands out: each member is there, and nobody sees more than he may.

use super::*;
use domain::access::{Action, Caller, Scope, may_at};
use domain::agreements::AgreementType;
use domain::places::{Level, Place, PlaceKey, PlaceState};

/// A place of an account, which is active.
fn place(
    (company, now): (&Company, Instant),
    account: &BillingAccountId,
    level: Level,
    id: &domain::ids::PlaceId,
) -> Place {
    let key = PlaceKey { level, id: id.clone() };
    let place = Place { billing_account: account.clone(), key };
    let facts = company.places.facts_at(&place, now).expect("the place is there");
    assert_eq!(facts.state, PlaceState::Active, "{}", place.key);
    place
}

#[test]
fn every_member_of_the_accounts_is_there_and_stands_where_it_says() {
    let world = demo();
    let (company, now) = (company_of(&world), world.now);
    let Accounts { mca, ea, mpa, mosp, foreign, foreign_enrollment, recipient } = &world.accounts;
    let kind = |account: &BillingAccountId| company.places.of(account).expect("places").kind();
    assert_eq!(kind(&mca.billing_account), AgreementType::Customer);
    assert_eq!(kind(&ea.billing_account), AgreementType::Enterprise);
    assert_eq!(kind(&mpa.billing_account), AgreementType::Partner);
    assert_eq!(kind(&mosp.billing_account), AgreementType::OnlineServices);
    assert_eq!(kind(foreign), AgreementType::Customer);
    assert_eq!(kind(foreign_enrollment), AgreementType::Enterprise);
    assert_eq!(kind(&recipient.billing_account), AgreementType::Customer);

    let at = |account, level, id| place((&company, now), account, level, id);
    let stands = |id: &SubscriptionId, account: &BillingAccountId, expected: Option<&Place>| {
        let placement = company.subscriptions[id].placement_at(now).expect("somebody pays");
        assert_eq!(placement.billing_account, *account);
        let standing = company.places.subscriptions[id].standings.at(now).expect("it stands");
        assert_eq!(standing.place.as_ref(), expected);
        standing.reseller.clone()
    };
    let profile = at(&mca.billing_account, Level::BillingProfile, &mca.billing_profile);
    at(&mca.billing_account, Level::BillingProfile, &mca.other_billing_profile);
    let section = at(&mca.billing_account, Level::InvoiceSection, &mca.invoice_section);
    let other = at(&mca.billing_account, Level::InvoiceSection, &mca.other_invoice_section);
    for section in [&section, &other] {
        let facts = company.places.facts_at(section, now).expect("a section");
        assert_eq!(facts.parent.as_ref(), Some(&profile.key));
    }
    stands(&mca.subscription, &mca.billing_account, Some(&section));

    let department = at(&ea.billing_account, Level::Department, &ea.department);
    let holder = at(&ea.billing_account, Level::EnrollmentAccount, &ea.enrollment_account);
    let facts = company.places.facts_at(&holder, now).expect("an enrollment account");
    assert_eq!(facts.parent, Some(department.key));
    stands(&ea.subscription, &ea.billing_account, Some(&holder));

    at(&mpa.billing_account, Level::BillingProfile, &mpa.billing_profile);
    let customer = at(&mpa.billing_account, Level::Customer, &mpa.customer);
    let reseller = stands(&mpa.subscription, &mpa.billing_account, Some(&customer));
    assert_eq!(reseller.as_ref(), Some(&mpa.reseller));
    stands(&mosp.subscription, &mosp.billing_account, None);
    let books = PlaceKey { level: Level::InvoiceSection, id: ids(&world).place("books section") };
    let books = Place { billing_account: recipient.billing_account.clone(), key: books };
    stands(&recipient.subscription, &recipient.billing_account, Some(&books));
    let reserved = &company.reservations[&recipient.billing_account];
    assert!(reserved.iter().any(|held| held.bought.id == recipient.reservation));
    for (product, account) in [
        (&mca.product, &mca.billing_account),
        (&mpa.product, &mpa.billing_account),
        (&recipient.product, &recipient.billing_account),
    ] {
        let product = &company.places.products[product];
        assert!(product.placements.iter().all(|one| one.billing_account == *account));
    }
}

#[test]
fn the_owner_gives_roles_everywhere_but_at_the_foreign_account_and_the_recipients() {
    let world = demo();
    let (company, now) = (company_of(&world), world.now);
    let caller = |name| Caller::Principal(world.client(name).expect("a client").id.clone());
    let accounts = &world.accounts;
    let check = |name, account: &BillingAccountId, expected: bool| {
        let scope = Scope::Account(account.clone());
        for action in [Action::ManageRoles, Action::ReadInvoices] {
            let found = may_at(&company, &caller(name), action, &scope, now);
            assert_eq!(found, expected, "{name} {account} {}", action.name());
        }
    };
    for own in [
        &accounts.mca.billing_account,
        &accounts.ea.billing_account,
        &accounts.mpa.billing_account,
        &accounts.mosp.billing_account,
        &ids(&world).account(ids::MESSENGER),
    ] {
        check("owner", own, true);
        check("recipient", own, false);
        check("nobody", own, false);
    }
    check("owner", &accounts.foreign, false);
    check("owner", &accounts.foreign_enrollment, false);
    check("owner", &accounts.recipient.billing_account, false);
    check("recipient", &accounts.recipient.billing_account, true);
    check("operator", &accounts.foreign, true);
    let recipient = world.client("recipient").expect("a client");
    let declared = &company.clients[&recipient.id];
    assert_eq!(declared.email.as_deref(), Some("juno@quillmere.example"));
}

#[test]
fn ids_look_as_vendors_write_them() {
    let world = demo();
    let guid = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    let check = |text: &str, pattern: &str| {
        let fits = |(letter, wanted): (char, char)| match wanted {
            'h' => letter.is_ascii_digit() || ('a'..='f').contains(&letter),
            'd' => letter.is_ascii_digit(),
            'X' => letter.is_ascii_digit() || letter.is_ascii_uppercase(),
            other => letter == other,
        };
        assert_eq!(text.len(), pattern.len(), "{text}");
        assert!(text.chars().zip(pattern.chars()).all(fits), "{text} is no {pattern}");
    };
    let Accounts { mca, ea, mpa, mosp, .. } = &world.accounts;
    let agreement = format!("{guid}:{guid}_dddd-dd-dd");
    check(mca.billing_account.as_str(), &agreement);
    check(mpa.billing_account.as_str(), &agreement);
    check(mosp.billing_account.as_str(), guid);
    check(ea.billing_account.as_str(), "ddddddd");
    check(ea.department.as_str(), "dddddd");
    check(mca.billing_profile.as_str(), "XXXX-XXXX-XXX-XXX");
    check(mca.subscription.as_str(), guid);
    check(mpa.customer.as_str(), guid);
    check(ids(&world).of(ids::MESSENGER), &"X".repeat(32));
}

#[test]
fn the_past_comes_in_order_and_ends_before_now() {
    let world = demo();
    assert!(world.past.is_sorted_by_key(|deed| deed.at));
    assert!(world.past.iter().all(|deed| deed.at < world.now));
    let closes = world.past.iter().filter_map(|deed| match deed.what {
        What::Close(period) => Some((period, deed.at)),
        What::Pay { .. } | What::Refund { .. } | What::Void { .. } => None,
    });
    let closes: Vec<(BillingPeriod, Instant)> = closes.collect();
    assert_eq!(closes.iter().map(|(period, _)| *period).collect::<Vec<_>>(), world.closed);
    // Some usage comes too late for each close.
    for (period, at) in closes {
        let late = world.events().filter(|event| {
            BillingPeriod::of(event.service_period.start()) == period
                && event.reported_at > Some(at)
        });
        assert!(late.count() > 0, "{period}");
    }
    assert_eq!(BillingPeriod::of(world.now), world.open);
}

#[test]
fn names_change_over_time() {
    let company = company_of(&demo());
    let check = |dimension: &str, value: &str, at: &str, expected: &str| {
        assert_eq!(company.name_of(dimension, value, company::date(at)), expected, "{at}");
    };
    check("campaign", "101", "2026-08-19", "Late summer");
    check("campaign", "101", "2026-08-20", "Last days of summer");
    check("template", "t-2", "2026-09-14", "Voucher");
    check("template", "t-2", "2026-09-15", "Gift voucher");
    check("template", "t-4", "2026-09-15", "t-4");
}
