//! The life of an invoice, step by step.

use super::*;
use crate::fixtures::{dollars, t};
use InvoiceState::*;

#[test]
fn every_state_and_step_has_one_answer() {
    // One row for each state, one column for each step; a dash is refused.
    let table = "\
        state     approve   take-back issue fall-due settle void
        draft     approved  -         -     -        -      -
        approved  -         draft     due   -        -      -
        due       -         -         -     overdue  paid   void
        overdue   -         -         -     -        paid   void
        paid      -         -         -     -        -      void
        void      -         -         -     -        -      -";
    let rows: Vec<Vec<&str>> =
        table.lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), InvoiceState::ALL.len());
    for (state, row) in InvoiceState::ALL.into_iter().zip(rows) {
        assert_eq!(state.name(), row[0]);
        for (step, expected) in Step::ALL.into_iter().zip(&row[1..]) {
            let shown = state.after(step, "i").map_or("-", InvoiceState::name);
            assert_eq!(shown, *expected, "{state:?} {step:?}");
        }
    }
}

#[test]
fn a_refused_step_says_what_stands_against_it() {
    let refused = Draft.after(Step::Issue, "i-7").unwrap_err();
    assert_eq!(refused.to_string(), "invoice `i-7`: is draft; it cannot be issued");
}

#[test]
fn time_and_money_move_issued_invoices_only() {
    let check = |state: InvoiceState, owed: &str, now: &str, expected: Option<Step>| {
        let pending = state.pending(dollars(owed), t("2026-05-01"), t(now));
        assert_eq!(pending, expected, "{state:?} {owed} {now}");
    };
    check(Due, "10", "2026-04-30T23:59:59.999999Z", None);
    check(Due, "10", "2026-05-01", Some(Step::FallDue));
    check(Due, "0", "2026-04-20", Some(Step::Settle));
    check(Due, "0", "2026-05-02", Some(Step::Settle));
    check(OverDue, "0.01", "2026-06-01", None);
    check(OverDue, "0", "2026-06-01", Some(Step::Settle));
    for state in [Draft, Approved, Paid, Void] {
        check(state, "10", "2026-06-01", None);
        check(state, "0", "2026-06-01", None);
    }
}

#[test]
fn a_rule_approves_up_to_its_limit_and_never_what_we_owe() {
    let rule = ApprovalRule { name: "small".to_owned(), at_most: dollars("100") };
    let check = |total: &str, approves: bool| {
        assert_eq!(rule.approver(dollars(total)).is_some(), approves, "{total}");
    };
    check("0", true);
    check("100", true);
    check("100.01", false);
    check("-0.01", false);
    let yen = Money::from_minor(5, money::Currency::parse("JPY").unwrap());
    assert_eq!(rule.approver(yen), None);
}
