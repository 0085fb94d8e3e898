//! From charges to documents and entries.

mod delivery;
mod histories;
mod offers;

use super::*;
use crate::billing_terms::{Approval, LegalEntity, Trade};
use crate::catalog::Aggregation;
use crate::fixtures::*;
use crate::ids::PlanId;
use crate::ids::ReservationId;
use crate::invoice::LineReference;
use crate::ledger::{Entry, LedgerAccount, Purpose};
use crate::rated::RowKind;
use crate::recurring::{Plan, Proration, Timing};
use crate::reservations::{End, HeldReservation, Reservation, ReservationScope};
use crate::tax::{Buyers, Liability, TaxRate, TaxedSupply};
use crate::timeline::Timeline;
use money::Currency;

/// A rated row of `a` in March: day, meter, cost and currency.
fn row(text: &str) -> RatedRow {
    let mut words = text.split_whitespace();
    let mut next = || words.next().unwrap();
    let (day, meter, cost) = (next(), next(), next());
    let currency = Currency::parse(words.next().unwrap_or("USD")).unwrap();
    RatedRow {
        position: None,
        slice: 0,
        kind: RowKind::Usage,
        billing_account: account("a"),
        subscription: crate::ids::SubscriptionId::new("s").unwrap(),
        resource: String::new(),
        meter: meter_id(meter),
        category: match meter {
            "shop" => ChargeCategory::Marketplace,
            _ => ChargeCategory::Usage,
        },
        service_period: Interval::at(t(&format!("2026-03-{day}"))),
        reported_at: t("2026-03-31"),
        quantity: n("1"),
        unit_price: None,
        tier: 0,
        cost: Cost { major: n(cost), currency },
        price: None,
        counter_before: n("0"),
        dimensions: BTreeMap::new(),
        tags: BTreeMap::new(),
        details: None,
        reserved: None,
    }
}

/// What a payer was sent: invoices alone.
fn sent(invoices: Vec<Invoice>) -> Sent {
    Sent { invoices, ..Sent::default() }
}

/// `a` buys from `us`, taxed at a tenth.
fn company_of(lots: Vec<Lot>) -> Company {
    let mut company = company(Aggregation::Sum, Vec::new());
    let seller = LegalEntity {
        name: "Us".to_owned(),
        trade: Trade::Sells,
        country: crate::addresses::Country::parse("US").unwrap(),
        address: None,
        registrations: Vec::new(),
    };
    company.legal_entities.insert(legal_entity("us"), Timeline::from(t("2026-01-01"), seller));
    let supply = TaxedSupply {
        seller: legal_entity("us"),
        category: tax_category("standard"),
        buyers: Buyers::All,
    };
    let rate = TaxRate { rate: n("0.1"), liability: Liability::Seller };
    company.taxes.insert(supply, Timeline::from(t("2026-01-01"), rate));
    company.lots.insert(account("a"), lots);
    company
}

fn payer(company: &Company, month: &str) -> Payer<'static> {
    let book = PriceBook::new(std::sync::Arc::new(company.clone()));
    Payer::of(Box::leak(Box::new(book)), &account("a"), period(month)).unwrap()
}

fn billed(payer: &Payer<'_>, rows: &[&str], before: &Balances) -> Result<Billed> {
    let rows: Vec<RatedRow> = rows.iter().map(|text| row(text)).collect();
    let charges = payer.charges(&rows, payer.company.lots_of(&account("a")))?;
    let grants = payer.lots_to_grant(|_| false);
    payer.bill(&charges, &[], &grants, before, t("2026-04-05"))
}

/// Each line: meter or item, days, pricing, booked, left.
fn shown(invoice: &Invoice) -> Vec<String> {
    let line = |line: &invoice::Line| {
        let what = line.key.meter.as_ref().map_or(line.key.item.as_str(), |meter| meter.as_str());
        let days = line.key.service_period;
        let (from, until) = (days.start().day(), days.end().day());
        format!("{what} {from}..{until} {} {} {}", line.pricing.major, line.booked, line.left)
    };
    invoice.lines.iter().map(line).collect()
}

#[test]
fn rows_of_a_key_are_one_line_rounded_once() {
    let payer = payer(&company_of(Vec::new()), "2026-03");
    let rows = ["01 m1 0.004", "02 m1 0.004", "03 m2 5", "04 shop 7"];
    let billed = billed(&payer, &rows, &Balances::default()).unwrap();
    let [own, marketplace] = billed.invoices.as_slice() else { panic!("{:?}", billed.invoices) };
    let march = "2026-03-01..2026-04-01";
    let expected =
        [format!("m1 {march} 0.008 0.01 USD 0.01 USD"), format!("m2 {march} 5 5.00 USD 5.00 USD")];
    assert_eq!(shown(own), expected);
    assert_eq!(shown(marketplace), [format!("shop {march} 7 7.00 USD 7.00 USD")]);
    assert_eq!(own.id.as_str(), "a/2026-03");
    assert_eq!(marketplace.id.as_str(), "a/2026-03/marketplace");
    assert_eq!(own.totals().unwrap().total, dollars("5.51"));
}

/// 744 dollars for the hours of March; given back at noon of the 11th, for a fee of 1.
fn reserved() -> HeldReservation {
    let bought = Reservation {
        id: ReservationId::new("r").unwrap(),
        billed_to: SubscriptionId::new("s").unwrap(),
        term: span("2026-03-01", "2026-04-01"),
        scope: ReservationScope::Account(account("a")),
        meters: vec![meter_id("m1")],
        conditions: Vec::new(),
        quantity: n("1"),
        price: Cost { major: n("744"), currency: usd() },
    };
    let end = Some(End::Cancelled { at: t("2026-03-11T12:00:00"), fee: n("1") });
    HeldReservation { bought, refunds: Vec::new(), end }
}

#[test]
fn reservations_are_charged_when_they_are_bought_and_given_back() {
    let lines = |held: HeldReservation, month: &str, rows: &[&str]| -> Vec<String> {
        let mut company = company_of(Vec::new());
        company.reservations.insert(account("a"), vec![held]);
        let billed = billed(&payer(&company, month), rows, &Balances::default()).unwrap();
        billed.invoices.iter().flat_map(shown).collect()
    };
    let (first, end) = ("2026-03-01..2026-03-01", "2026-03-11..2026-03-11");
    let bought = format!("r purchase {first} 744 744.00 USD 744.00 USD");
    let whole = HeldReservation { end: None, ..reserved() };
    assert_eq!(lines(whole.clone(), "2026-03", &[]), [bought]);
    assert_eq!(lines(whole, "2026-04", &[]), [""; 0]);
    // What goes back is set off against purchases first.
    let expected = [
        format!("r purchase {first} 744 744.00 USD 252.00 USD"),
        format!("r cancel {end} 1 1.00 USD 1.00 USD"),
        format!("r refund {end} -492 -492.00 USD 0.00 USD"),
    ];
    let mut found = lines(reserved(), "2026-03", &[]);
    found.sort();
    let mut wanted = expected.to_vec();
    wanted.sort();
    assert_eq!(found, wanted);
}

#[test]
fn what_goes_back_once_another_pays_stands_where_it_was_paid_for() {
    let mut company = agreed(AgreementType::Customer, "", Some("p"));
    company.reservations.insert(account("a"), vec![reserved()]);
    for subscription in company.subscriptions.values_mut() {
        subscription.placements[0].during = span("2026-01-01", "2026-03-11");
        let after = placement("b", span("2026-03-11", "2027-01-01"));
        let after = crate::company::Placement { profile: Some("q".to_owned()), ..after };
        subscription.placements.push(after);
    }
    let billed = billed(&payer(&company, "2026-03"), &[], &Balances::default()).unwrap();
    let ids: Vec<&str> = billed.invoices.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["a/2026-03/profile/p"]);
}

#[test]
fn lost_hours_are_on_no_invoice() {
    let payer = payer(&company_of(Vec::new()), "2026-03");
    let mut lost = row("03 m2 0");
    lost.kind = RowKind::Unused;
    let charges = payer.charges(&[row("01 m1 1"), lost], &[]).unwrap();
    assert_eq!(charges.iter().map(|(_, lines)| lines.iter().count()).collect::<Vec<_>>(), [1]);
}

#[test]
fn nothing_charged_is_no_invoice() {
    let payer = payer(&company_of(Vec::new()), "2026-03");
    let billed = billed(&payer, &[], &Balances::default()).unwrap();
    assert_eq!((billed.invoices, billed.entries), (Vec::new(), Vec::new()));
}

#[test]
fn lots_are_granted_drawn_and_ended() {
    let lot = Lot { holds: span("2026-03-10", "2026-03-20"), ..march_lot("c 4") };
    let company = company_of(vec![lot]);
    let payer = payer(&company, "2026-03");
    let rows = ["09 m1 1", "10 m1 1.5", "20 m1 1"];
    let billed = billed(&payer, &rows, &Balances::default()).unwrap();
    let expected = [
        "m1 2026-03-01..2026-03-10 1 1.00 USD 1.00 USD",
        "m1 2026-03-10..2026-03-20 1.5 1.50 USD 0.00 USD",
        "m1 2026-03-20..2026-04-01 1 1.00 USD 1.00 USD",
    ];
    assert_eq!(shown(&billed.invoices[0]), expected);
    let amounts: Vec<String> = billed
        .entries
        .iter()
        .map(|entry| format!("{}: {}", entry.purpose(), entry.postings()[0].amount))
        .collect();
    let expected = [
        "grant of c: 4.00 USD",
        "line 1 of a/2026-03: 1.00 USD",
        "line 2 of a/2026-03: 1.50 USD",
        "line 3 of a/2026-03: 1.00 USD",
        "tax 1 of a/2026-03: 0.20 USD",
        "drawdown of c for a/2026-03: 1.50 USD",
        "expiry of c: 2.50 USD",
    ];
    assert_eq!(amounts, expected);
    assert_eq!(billed.balances.of(&LedgerAccount::Credit(lot_id("c")), usd()), cents(0));
}

#[test]
fn open_credit_pays_what_it_can() {
    let check = |open: i64, applied: Option<i64>, owed: i64| {
        let payer = payer(&company_of(Vec::new()), "2026-03");
        let before =
            [(LedgerAccount::OpenCredit, cents(open)), (LedgerAccount::Payments, cents(open))];
        let before = Balances::held(before).unwrap();
        let billed = billed(&payer, &["01 m1 10"], &before).unwrap();
        let is_applied = |entry: &&Entry| {
            matches!(entry.purpose(), Purpose::OpenCreditApplied { number: 1, .. })
        };
        let found = billed.entries.iter().find(is_applied);
        assert_eq!(found.map(|entry| entry.postings()[0].amount), applied.map(cents), "{open}");
        let receivable = LedgerAccount::Receivable(document("a/2026-03"));
        assert_eq!(billed.balances.of(&receivable, usd()), cents(owed), "{open}");
    };
    check(0, None, 1_100);
    check(300, Some(300), 800);
    check(5_000, Some(1_100), 0);
}

#[test]
fn a_missing_rate_or_tax_rule_is_refused() {
    let check = |company: &Company, rows: &[&str], expected: &str| {
        let error = billed(&payer(company, "2026-03"), rows, &Balances::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let company = company_of(Vec::new());
    check(&company, &["01 m1 1 EUR"], "exchange rate `EUR to USD` does not exist");
    let untaxed = Company { taxes: BTreeMap::new(), ..company.clone() };
    check(&untaxed, &["01 m1 1"], "tax rule `standard` does not exist");
    let unsold = Company { legal_entities: BTreeMap::new(), ..company };
    let unsold = PriceBook::new(std::sync::Arc::new(unsold));
    assert!(Payer::of(&unsold, &account("a"), period("2026-03")).is_err());
}

#[test]
fn a_plan_is_charged_whether_anything_is_used_or_not() {
    let mut company = company_of(Vec::new());
    let plan = Plan {
        currency: usd(),
        anchor_day: 1,
        cycle_months: 1,
        proration: Proration::ActualDays,
        timing: Timing::InAdvance,
        amounts: vec![(t("2026-02-01").day(), n("30"))],
        ends: None,
    };
    let held = HeldPlan {
        id: PlanId::new("support").unwrap(),
        name: "Support".to_owned(),
        place: None,
        subscription: None,
        tax_category: None,
        plan,
    };
    company.plans.insert(account("a"), vec![held]);
    let billed = billed(&payer(&company, "2026-03"), &[], &Balances::default()).unwrap();
    let expected = ["support 2026-03-01..2026-04-01 30 30.00 USD 30.00 USD"];
    assert_eq!(shown(&billed.invoices[0]), expected);
}

#[test]
fn late_usage_is_corrected_once() {
    let company = company_of(Vec::new());
    let (march, april) = (payer(&company, "2026-03"), payer(&company, "2026-04"));
    let before = billed(&march, &["01 m1 1"], &Balances::default()).unwrap();
    let late = ["01 m1 1", "02 m1 0.5", "02 m2 2"].map(row);
    let again = march.charges(&late, &[]).unwrap();
    let corrections = march.corrections(&sent(before.invoices.clone()), &again).unwrap();
    // What is not used any more is taken back, though nothing is charged again.
    let nothing = march.charges(&[], &[]).unwrap();
    let back = march.corrections(&sent(before.invoices.clone()), &nothing).unwrap();
    assert_eq!((back.len(), back[0].1.cost.major), (1, n("-1")));
    let mut charges = april.charges(&[], &[]).unwrap();
    for (part, correction) in &corrections {
        let (key, cost) = correction.charge();
        charges.add(part.clone(), key, cost).unwrap();
    }
    let after = april.bill(&charges, &[], &[], &before.balances, t("2026-05-05")).unwrap();
    let lines = &after.invoices[0].lines;
    let amends = |line| Some(LineReference { document: document("a/2026-03"), line });
    assert_eq!(lines[0].key.amends, amends(Some(1)));
    assert_eq!(lines[1].key.amends, amends(None), "no line was for m2");
    let expected = [
        "m1 2026-03-01..2026-04-01 0.5 0.50 USD 0.50 USD",
        "m2 2026-03-01..2026-04-01 2 2.00 USD 2.00 USD",
    ];
    assert_eq!(shown(&after.invoices[0]), expected);
    let both = [before.invoices, after.invoices].concat();
    assert_eq!(march.corrections(&sent(both), &again).unwrap(), []);
    // A period that had no invoice is amended as a whole.
    let corrections = march.corrections(&sent(Vec::new()), &again).unwrap();
    assert_eq!(corrections.len(), 2);
    assert_eq!(corrections[0].1.amends.document.as_str(), "a/2026-03");
}

#[test]
fn a_document_is_overdue_after_its_last_day() {
    let check = |days: u16, issued: &str, expected: &str| {
        let mut payer = payer(&company_of(Vec::new()), "2026-03");
        assert_eq!(payer.terms.approval, Approval::ByPerson);
        payer.terms.payment_days = days;
        assert_eq!(payer.due_until(t(issued)), t(expected), "{days} days from {issued}");
    };
    check(30, "2026-04-05T17:00:00Z", "2026-05-06");
    check(0, "2026-04-05", "2026-04-06");
}

/// The account's agreement and places, and the profile that its subscription is billed to.
fn agreed(kind: AgreementType, story: &str, profile: Option<&str>) -> Company {
    let mut company = company_of(Vec::new());
    company.places.accounts.insert(account("a"), places::below(kind, story));
    for subscription in company.subscriptions.values_mut() {
        for placement in &mut subscription.placements {
            placement.profile = profile.map(str::to_owned);
        }
    }
    company
}

#[test]
fn an_agreement_says_who_has_an_invoice() {
    let check = |kind: AgreementType, profile: Option<&str>, tail: &str| {
        let payer = payer(&agreed(kind, "", profile), "2026-03");
        let billed = billed(&payer, &["01 m1 1", "02 shop 2"], &Balances::default()).unwrap();
        let ids: Vec<&str> = billed.invoices.iter().map(|one| one.id.as_str()).collect();
        let expected = ["", "/marketplace"].map(|kind| format!("a/2026-03{kind}{tail}"));
        assert_eq!(ids, expected);
        for invoice in &billed.invoices {
            let part = Part::of_document(&invoice.id, &account("a"), period("2026-03")).unwrap();
            let again = part.document(&account("a"), period("2026-03")).unwrap();
            assert_eq!(again, invoice.id);
            assert_eq!(Part::of_document(&invoice.id, &account("b"), period("2026-03")), None);
            let own = Some((period("2026-03"), part.clone()));
            assert_eq!(Part::of_id(&invoice.id, &account("a")), own);
            assert_eq!(Part::of_id(&invoice.id, &account("b")), None);
            let rebill = part.rebill(&account("a"), period("2026-03"), 12).unwrap();
            let of_rebill = Part::of_document(&rebill, &account("a"), period("2026-03"));
            assert_eq!(of_rebill, Some(part), "{rebill}");
            assert_eq!(Part::of_id(&rebill, &account("a")), own);
        }
    };
    check(AgreementType::Customer, None, "");
    check(AgreementType::Customer, Some("p"), "/profile/p");
    check(AgreementType::Partner, Some("p"), "/profile/p");
    check(AgreementType::Enterprise, Some("p"), "");
    check(AgreementType::Messaging, Some("p"), "");
    check(AgreementType::OnlineServices, None, "/subscription/s");
}

#[test]
fn lines_tell_the_invoice_section_that_usage_stood_in() {
    let story = "profile p, section east < profile p, section west < profile p";
    let mut company = agreed(AgreementType::Customer, story, Some("p"));
    let mut held = places::held(Some(places::place("a/section east")));
    let west =
        crate::holdings::Standing { place: Some(places::place("a/section west")), reseller: None };
    held.standings.put(t("2026-03-10"), west);
    company.places.subscriptions.insert(SubscriptionId::new("s").unwrap(), held);
    let payer = payer(&company, "2026-03");
    let billed = billed(&payer, &["01 m1 1", "10 m1 2"], &Balances::default()).unwrap();
    let invoice = &billed.invoices[0];
    let sections = invoice.lines.iter().map(|line| line.key.section.as_ref().unwrap().as_str());
    assert_eq!(sections.collect::<Vec<_>>(), ["east", "west"]);
    let sums = invoice.sections().unwrap().into_values().map(|sum| sum.charges);
    assert_eq!(sums.collect::<Vec<_>>(), [dollars("1"), dollars("2")]);
}
