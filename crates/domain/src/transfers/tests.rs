//! Transfers: their life step by step, and what may move by one.

use super::*;
use crate::fixtures::places::place;
use crate::fixtures::t;
use TransferState::*;

mod moves;

/// A transfer that was asked on the first of March, for a section, with what was chosen of it.
fn asked(state: TransferState, products: &[(ProductKind, &str)]) -> Transfer {
    let product = |(kind, id): &(ProductKind, &str)| TransferProduct {
        kind: *kind,
        id: (*id).to_owned(),
        end: None,
    };
    Transfer {
        id: TransferId::new("t1").unwrap(),
        initiator: place("mca/section s1"),
        profile: PlaceId::new("p1").unwrap(),
        reseller: None,
        asked_by: Some(PrincipalId::new("ann").unwrap()),
        asked_by_email: Some("ann@example.com".to_owned()),
        recipient_email: "bob@example.com".to_owned(),
        created_at: t("2026-03-01"),
        expires_at: t("2026-03-31"),
        modified_at: t("2026-03-01"),
        state,
        canceled_by: None,
        accepted: None,
        products: products.iter().map(product).collect(),
    }
}

fn refused() -> ProductEnd {
    ProductEnd::Refused(TransferProblem { code: "No".to_owned(), message: "no".to_owned() })
}

#[test]
fn every_state_and_step_has_one_answer() {
    // One row for each state, one column for each step; a dash is refused.
    let table = "\
        state       accept      cancel   decline  expire  complete  in-part fail
        pending     in_progress canceled declined expired -         -       -
        in_progress -           -        -        -       completed completed_with_errors failed
        completed   -           -        -        -       -         -       -
        completed_with_errors - -        -        -       -         -       -
        failed      -           -        -        -       -         -       -
        canceled    -           -        -        -       -         -       -
        declined    -           -        -        -       -         -       -
        expired     -           -        -        -       -         -       -";
    let rows: Vec<Vec<&str>> =
        table.lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    let shown = |state: TransferState| state.name().replace(' ', "_");
    assert_eq!(rows.len(), TransferState::ALL.len());
    for (state, row) in TransferState::ALL.into_iter().zip(rows) {
        assert_eq!(shown(state), row[0]);
        for (step, expected) in Step::ALL.into_iter().zip(&row[1..]) {
            let found = state.after(step, "t").map_or("-".to_owned(), shown);
            assert_eq!(found, *expected, "{state:?} {step:?}");
        }
    }
}

#[test]
fn a_refused_step_says_what_stands_against_it() {
    let refused = Completed.after(Step::Accept, "t-7").unwrap_err();
    assert_eq!(refused.to_string(), "transfer `t-7`: is completed; it cannot be accepted");
}

#[test]
fn what_is_not_answered_in_time_expires_by_itself() {
    let check = |state: TransferState, now: &str, expected: TransferState, modified: &str| {
        let transfer = asked(state, &[]);
        assert_eq!(transfer.state_at(t(now)), expected, "{state:?} {now}");
        assert_eq!(transfer.modified_at(t(now)), t(modified), "{state:?} {now}");
    };
    check(Pending, "2026-03-30T23:59:59.999999Z", Pending, "2026-03-01");
    check(Pending, "2026-03-31", Expired, "2026-03-31");
    check(Pending, "2027-01-01", Expired, "2026-03-31");
    for state in [InProgress, Completed, CompletedWithErrors, Failed, Canceled, Declined] {
        check(state, "2027-01-01", state, "2026-03-01");
    }
    let late = asked(Pending, &[]).after(Step::Accept, t("2026-03-31")).unwrap_err();
    assert_eq!(late.to_string(), "transfer `t1`: is expired; it cannot be accepted");
}

#[test]
fn the_last_holding_that_ends_ends_the_transfer() {
    let check = |ends: &[bool], expected: TransferState| {
        let products: Vec<_> = ends.iter().map(|_| (ProductKind::Subscription, "s")).collect();
        let mut transfer = asked(InProgress, &products);
        for (number, moves) in ends.iter().enumerate() {
            assert_eq!(transfer.state, InProgress, "{ends:?}");
            assert_eq!(transfer.product_state(number), ProductTransferState::InProgress);
            let end = if *moves { ProductEnd::Moved } else { refused() };
            transfer = transfer.with_end(number, end, t("2026-03-05")).unwrap();
            let ended =
                if *moves { ProductTransferState::Completed } else { ProductTransferState::Failed };
            assert_eq!(transfer.product_state(number), ended);
        }
        assert_eq!((transfer.state, transfer.turn()), (expected, None), "{ends:?}");
        assert_eq!(transfer.modified_at, t("2026-03-05"));
    };
    check(&[true], Completed);
    check(&[true, true], Completed);
    check(&[true, false], CompletedWithErrors);
    check(&[false, true, false], CompletedWithErrors);
    check(&[false], Failed);
    check(&[false, false], Failed);
}

#[test]
fn subscriptions_have_their_turn_before_reservations() {
    let products = [(ProductKind::Reservation, "r"), (ProductKind::Subscription, "s")];
    let transfer = asked(InProgress, &products);
    assert_eq!(transfer.turn(), Some(1));
    assert_eq!(transfer.product_state(0), ProductTransferState::NotStarted);
    let out_of_turn = transfer.with_end(0, ProductEnd::Moved, t("2026-03-05")).unwrap_err();
    assert_eq!(out_of_turn.to_string(), "transfer `t1`: it is not the turn of product 0");
    let next = transfer.with_end(1, ProductEnd::Moved, t("2026-03-05")).unwrap();
    assert_eq!(next.turn(), Some(0));
    // Nothing moves twice.
    assert!(next.with_end(1, ProductEnd::Moved, t("2026-03-05")).is_err());
    assert_eq!(asked(Pending, &products).turn(), None);
}

#[test]
fn the_gravest_finding_counts() {
    let (error, warning) = (Finding::error("E", "e"), Finding::warning("W", "w"));
    let check = |findings: &[&Finding], expected: Outcome| {
        let findings: Vec<Finding> = findings.iter().map(|one| (*one).clone()).collect();
        assert_eq!(Outcome::of(&findings), expected);
    };
    check(&[], Outcome::Ready);
    check(&[&warning], Outcome::Warning);
    check(&[&warning, &error], Outcome::Failed);
    let sorted = gravest_first(vec![warning.clone(), error.clone()]);
    assert_eq!(sorted, [error, warning]);
}
