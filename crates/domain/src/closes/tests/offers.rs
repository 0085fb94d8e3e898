//! Terms of offers on the documents of subscriptions.

use super::*;
use crate::catalog::OfferTerm;
use crate::offer_terms::{MeterCost, Provider, TermsInForce, apply};

/// Subscription `s` of `a` on a card with these terms: `discount 0.1 from 100`, `credit 5`,
/// `recurring 7`, each with ` not METER` behind it; `at` is when they begin.
fn offered(kind: AgreementType, terms: &[&str], at: &str) -> Company {
    let mut company = agreed(kind, "", None);
    let read = |text: &&str| {
        let (text, excluded) = text.split_once(" not ").unwrap_or((text, ""));
        let excluded: Vec<_> = excluded.split_whitespace().map(meter_id).collect();
        let words: Vec<&str> = text.split(' ').collect();
        let effective_from = t(at);
        match words.as_slice() {
            ["discount", share, "from", bound] => {
                let discounts = vec![(n(bound), n(share))];
                OfferTerm::MonetaryCommitment { effective_from, discounts, excluded }
            }
            ["credit", credit] => {
                OfferTerm::MonetaryCredit { effective_from, credit: n(credit), excluded }
            }
            ["recurring", amount] => {
                OfferTerm::RecurringCharge { effective_from, amount: n(amount) }
            }
            _ => panic!("{text}"),
        }
    };
    for list in company.price_lists.values_mut() {
        list.terms = terms.iter().map(read).collect();
    }
    let (id, mut third) = meter("third", Aggregation::Sum);
    third.tags = vec!["Third Party".to_owned()];
    company.meters.insert(id, third);
    company
}

/// Each line: category, meter or item, pricing, what lots paid, what is left.
fn told(invoice: &Invoice) -> Vec<String> {
    let line = |line: &invoice::Line| {
        let what = line.key.meter.as_ref().map_or(line.key.item.as_str(), |meter| meter.as_str());
        let paid: i128 = line.paid.iter().map(|part| part.amount.minor()).sum();
        let (category, left) = (line.key.category.name(), line.left.minor());
        format!("{category} {what} {} {paid} {left}", line.pricing.major)
    };
    invoice.lines.iter().map(line).collect()
}

#[test]
fn discount_then_credit_then_recurring_charge() {
    let check = |terms: &[&str], committed: &str, rows: &[&str], expected: &[&str]| {
        let company = offered(AgreementType::OnlineServices, terms, "2026-03-01");
        let mut payer = payer(&company, "2026-03");
        payer.terms.committed = n(committed);
        let billed = billed(&payer, rows, &Balances::default()).unwrap();
        let lines: Vec<String> = billed.invoices.iter().flat_map(told).collect();
        assert_eq!(lines, expected, "{terms:?} of {committed} on {rows:?}");
        let credit = billed.balances.iter().filter(|(account, held)| {
            matches!(account, LedgerAccount::Credit(_)) && !held.is_zero()
        });
        assert_eq!(credit.count(), 0, "the period's credit ends with it");
    };
    let discount = "discount 0.1 from 100";
    check(&[discount], "99", &["01 m 10"], &["usage m 10 0 1000"]);
    let lowered = ["usage m 10 0 900", "adjustment m -1 0 0"];
    check(&[discount], "100", &["01 m 10"], &lowered);
    let not = "discount 0.1 from 100 not m";
    check(&[not], "100", &["01 m 10"], &["usage m 10 0 1000"]);
    check(&[discount], "100", &["01 third 10"], &["usage third 10 0 1000"]);
    check(&["credit 4"], "0", &["01 m 10"], &["usage m 10 400 600"]);
    check(&["credit 40"], "0", &["01 m 10"], &["usage m 10 1000 0"]);
    check(&["credit 4 not m"], "0", &["01 m 10"], &["usage m 10 0 1000"]);
    check(&["recurring 7"], "0", &[], &["purchase offer O 7 0 700"]);
    let all = [discount, "credit 30", "recurring 7"];
    let lines = ["usage m 10 900 0", "purchase offer O 7 0 700", "adjustment m -1 0 0"];
    check(&all, "100", &["01 m 10"], &lines);
    // The lines of a marketplace document have no terms.
    let apart = ["purchase offer O 7 0 700", "marketplace shop 9 0 900"];
    check(&all, "100", &["01 shop 9"], &apart);
    check(&["credit 4"], "0", &[], &[]);
}

#[test]
fn terms_are_those_of_online_services_that_held_when_the_period_began() {
    let check = |kind: AgreementType, at: &str, expected: usize| {
        let payer = payer(&offered(kind, &["recurring 7"], at), "2026-03");
        let billed = billed(&payer, &[], &Balances::default()).unwrap();
        assert_eq!(billed.invoices.len(), expected, "{kind} from {at}");
    };
    check(AgreementType::OnlineServices, "2026-03-01", 1);
    check(AgreementType::OnlineServices, "2026-03-01T00:00:01Z", 0);
    for kind in [AgreementType::Customer, AgreementType::Enterprise, AgreementType::Messaging] {
        check(kind, "2026-03-01", 0);
    }
}

#[test]
fn the_documents_sum_is_what_the_terms_come_to() {
    let terms = ["discount 0.05 from 0", "credit 3 not m2", "recurring 7"];
    let company = offered(AgreementType::OnlineServices, &terms, "2026-01-01");
    let payer = payer(&company, "2026-03");
    let rows = ["01 m 10.333", "02 m 1", "03 m2 4", "04 third 1.5"];
    let billed = billed(&payer, &rows, &Balances::default()).unwrap();
    let [invoice] = billed.invoices.as_slice() else { panic!("{:?}", billed.invoices) };
    let terms = &company.price_lists.values().next().unwrap().terms;
    let cost = |meter: &str, provider: Provider, cost: &str| MeterCost {
        meter: meter_id(meter),
        provider,
        cost: n(cost),
    };
    let costs = [
        cost("m", Provider::Own, "11.333"),
        cost("m2", Provider::Own, "4"),
        cost("third", Provider::Third, "1.5"),
    ];
    let applied = apply(&TermsInForce::of(terms, period("2026-03")), n("0"), &costs).unwrap();
    let exact = Cost { major: applied.total, currency: usd() };
    let subtotal = invoice.totals().unwrap().subtotal;
    let apart = subtotal.to_cost().unwrap().checked_sub(exact).unwrap();
    assert!(apart.major < n("0.02") && n("-0.02") < apart.major, "{subtotal} for {exact:?}");
}
