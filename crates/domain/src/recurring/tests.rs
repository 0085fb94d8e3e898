//! Recurring charges, month by month.

use super::*;
use crate::fixtures::{few, n, period, t, usd};
use Proration::*;
use Timing::*;
use proptest::prelude::*;

fn day(text: &str) -> Day {
    t(text).day()
}

/// A monthly plan of actual days in advance.
fn plan(anchor_day: u8, amounts: &str, ends: Option<&str>) -> Plan {
    let amount = |text: &str| {
        let (from, amount) = text.trim().split_once(' ').unwrap();
        (day(from), n(amount))
    };
    Plan {
        currency: usd(),
        anchor_day,
        cycle_months: 1,
        proration: ActualDays,
        timing: InAdvance,
        amounts: amounts.split(',').map(amount).collect(),
        ends: ends.map(day),
    }
}

/// `03-15..04-15 31, …`: for when and how much, of the charges of one billing period.
fn shown(plan: &Plan, month: &str) -> String {
    let charges = plan.charges(period(month)).unwrap();
    let days = |moment: Instant| moment.day().to_string()[5..].to_owned();
    let charge = |charge: &RecurringCharge| {
        let (from, until) = (charge.service_period.start(), charge.service_period.end());
        format!("{}..{} {}", days(from), days(until), charge.cost.major)
    };
    charges.iter().map(charge).collect::<Vec<_>>().join(", ")
}

fn check(plan: &Plan, month: &str, expected: &str) {
    assert_eq!(shown(plan, month), expected, "{month} of {plan:?}");
}

#[test]
fn a_cycle_is_charged_when_it_begins_or_when_it_ends() {
    let advance = plan(15, "2026-01-15 31", None);
    check(&advance, "2025-12", "");
    check(&advance, "2026-01", "01-15..02-15 31");
    check(&advance, "2026-02", "02-15..03-15 31");
    let arrears = Plan { timing: InArrears, ..advance };
    check(&arrears, "2026-01", "");
    check(&arrears, "2026-02", "01-15..02-15 31");
    check(&arrears, "2026-03", "02-15..03-15 31");
    // A cycle that ends with a month belongs to that month.
    let by_month = Plan { timing: InArrears, ..plan(1, "2026-01-01 31", None) };
    check(&by_month, "2026-01", "01-01..02-01 31");
    check(&by_month, "2026-02", "02-01..03-01 31");
}

#[test]
fn an_early_end_is_charged_when_it_happens() {
    let ending = |ends| Plan { timing: InArrears, ..plan(2, "2026-01-02 31", Some(ends)) };
    check(&ending("2026-02-01"), "2026-01", "");
    check(&ending("2026-02-01"), "2026-02", "01-02..02-01 30");
    check(&ending("2026-01-31"), "2026-01", "01-02..01-31 29");
    // With a whole cycle nothing ends early.
    let by_month = Plan { timing: InArrears, ..plan(1, "2026-01-01 31", Some("2026-02-01")) };
    check(&by_month, "2026-01", "01-01..02-01 31");
    check(&by_month, "2026-02", "");
}

#[test]
fn an_anchor_is_clamped_to_the_months_end_and_never_drifts() {
    let last = plan(31, "2026-01-31 1", None);
    check(&last, "2026-01", "01-31..02-28 1");
    check(&last, "2026-02", "02-28..03-31 1");
    check(&last, "2026-03", "03-31..04-30 1");
    check(&last, "2026-04", "04-30..05-31 1");
    let thirty = plan(30, "2026-01-30 1", None);
    check(&thirty, "2026-02", "02-28..03-30 1");
    check(&thirty, "2028-02", "02-29..03-30 1");
}

#[test]
fn a_yearly_anchor_on_29_february_returns_to_it() {
    let leap = Plan { cycle_months: 12, ..plan(29, "2024-02-29 366", None) };
    for (year, start, end) in [
        (2024, "02-29", "02-28"),
        (2025, "02-28", "02-28"),
        (2026, "02-28", "02-28"),
        (2027, "02-28", "02-29"),
        (2028, "02-29", "02-28"),
        (2031, "02-28", "02-29"),
        (2032, "02-29", "02-28"),
    ] {
        check(&leap, &format!("{year}-02"), &format!("{start}..{end} 366"));
        check(&leap, &format!("{year}-03"), "");
    }
}

#[test]
fn a_first_and_a_last_part_are_charged_by_days() {
    let check_part = |proration, first: &str, back: &str| {
        let plan = Plan { proration, ..plan(1, "2026-01-11 31", Some("2026-02-15")) };
        check(&plan, "2026-01", first);
        check(&plan, "2026-02", back);
        check(&plan, "2026-03", "");
    };
    check_part(ActualDays, "01-11..02-01 21", "02-01..03-01 31, 02-15..03-01 -15.5");
    check_part(ThirtyDays, "01-11..02-01 20.67", "02-01..03-01 31, 02-15..03-01 -16.53");
    check_part(WholeCycle, "01-11..02-01 31", "02-01..03-01 31");
}

#[test]
fn a_change_takes_the_old_rest_back_and_charges_the_new_one() {
    let check_change = |proration, timing, expected: &str| {
        let plan = plan(1, "2026-01-01 30, 2026-04-11 60", None);
        check(&Plan { proration, timing, ..plan }, "2026-04", expected);
    };
    check_change(ActualDays, InAdvance, "04-01..05-01 30, 04-11..05-01 -20, 04-11..05-01 40");
    check_change(ActualDays, InArrears, "04-01..04-11 10, 04-11..05-01 40");
    check_change(ThirtyDays, InArrears, "04-01..04-11 10, 04-11..05-01 40");
    // Without proration the amount with which a cycle begins holds to its end.
    check_change(WholeCycle, InAdvance, "04-01..05-01 30");
    check_change(WholeCycle, InArrears, "04-01..05-01 30");
}

#[test]
fn a_day_is_a_thirtieth_whatever_the_month_has() {
    let check_from = |from: &str, month: &str, expected: &str| {
        let plan = Plan { proration: ThirtyDays, ..plan(1, &format!("{from} 30"), None) };
        assert_eq!(shown(&plan, month).rsplit_once(' ').unwrap().1, expected, "{from}");
    };
    check_from("2026-03-02", "2026-03", "29");
    check_from("2026-03-30", "2026-03", "1");
    check_from("2026-03-31", "2026-03", "0"); // the 31st is free
    check_from("2026-02-28", "2026-02", "3"); // and February's last day takes what is left
    let quarter = |from: &str| Plan {
        cycle_months: 3,
        proration: ThirtyDays,
        timing: InArrears,
        ..plan(1, &format!("2026-01-01 90, {from} 180"), None)
    };
    check(&quarter("2026-02-16"), "2026-03", "01-01..02-16 45, 02-16..04-01 90");
    check(&quarter("2026-03-01"), "2026-03", "01-01..03-01 60, 03-01..04-01 60");
}

#[test]
fn parts_of_whole_cents_are_whole_cents_and_others_are_exact() {
    let thirds = |amount: &str| Plan {
        timing: InArrears,
        ..plan(1, &format!("2026-04-01 {amount}, 2026-04-11 {amount}, 2026-04-21 {amount}"), None)
    };
    let cents = "04-01..04-11 3.33, 04-11..04-21 3.34, 04-21..05-01 3.33";
    check(&thirds("10"), "2026-04", cents);
    let shown = shown(&thirds("0.001"), "2026-04");
    assert_eq!(
        shown,
        "04-01..04-11 0.000333333333333333, 04-11..04-21 0.000333333333333334, \
         04-21..05-01 0.000333333333333333"
    );
}

#[test]
fn what_is_declared_is_checked() {
    let check = |plan: Plan, expected: &str| {
        assert_eq!(plan.charges(period("2026-01")).unwrap_err().to_string(), expected);
    };
    let fine = || plan(1, "2026-01-01 1", None);
    check(Plan { anchor_day: 0, ..fine() }, "anchor day: 0 is not 1 to 31");
    check(Plan { anchor_day: 32, ..fine() }, "anchor day: 32 is not 1 to 31");
    check(Plan { cycle_months: 0, ..fine() }, "cycle months: must be above zero");
    check(Plan { amounts: Vec::new(), ..fine() }, "amounts: name what a cycle costs");
    check(plan(1, "2026-01-02 1, 2026-01-01 1", None), "amounts: days must rise");
    let ended = plan(1, "2026-01-02 1", Some("2026-01-02"));
    check(ended, "ends: 2026-01-02 is not after the start on 2026-01-02");
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let amounts = prop::collection::btree_map(0_i32..500, -2_000_i64..9_000, 1..5);
    let cycle = (1_u8..=31, prop::sample::select(vec![1_u8, 3, 12]));
    let proration = prop::sample::select(vec![ActualDays, ThirtyDays, WholeCycle]);
    let timing = prop::sample::select(vec![InAdvance, InArrears]);
    let ends = prop::option::of(1_i32..700);
    (cycle, proration, timing, amounts, ends).prop_map(
        |((anchor_day, cycle_months), proration, timing, amounts, ends)| {
            let origin = day("2027-11-17").number();
            let first = origin + amounts.keys().next().unwrap();
            let amount = |(after, cents): (i32, i64)| {
                let atoms = i128::from(cents) * 10_000_000_000_000_000;
                (Day::from_number(origin + after), Fixed18::from_atoms(atoms))
            };
            Plan {
                currency: usd(),
                anchor_day,
                cycle_months,
                proration,
                timing,
                amounts: amounts.into_iter().map(amount).collect(),
                ends: ends.map(|after| Day::from_number(first + after)),
            }
        },
    )
}

#[test]
fn the_last_charge_is_the_newest_that_was_made() {
    let check = |plan: &Plan, until: &str, expected: &str| {
        let found = plan.last_charge(t(until)).unwrap();
        let told = found.map(|(cost, at)| format!("{} on {}", cost.major, at.day()));
        assert_eq!(told.unwrap_or_default(), expected, "{until}");
    };
    let monthly = plan(15, "2027-01-15 31", None);
    check(&monthly, "2027-01-14", "");
    check(&monthly, "2027-01-15", "31 on 2027-01-15");
    check(&monthly, "2027-04-14", "31 on 2027-03-15");
    // What one change gives and takes at once is one amount.
    let changed = plan(1, "2027-04-01 30, 2027-04-16 60", None);
    check(&changed, "2027-04-20", "15 on 2027-04-16");
    let ended = plan(1, "2027-01-01 10", Some("2027-03-01"));
    check(&ended, "2029-01-01", "10 on 2027-02-01");
    let yearly = Plan { cycle_months: 12, ..plan(20, "2027-01-20 70", None) };
    check(&yearly, "2028-01-19", "70 on 2027-01-20");
    let arrears = Plan { timing: InArrears, ..plan(1, "2027-01-01 10", None) };
    check(&arrears, "2027-02-10", "10 on 2027-01-31");
}

/// All charges of five years.
fn life(plan: &Plan) -> Vec<RecurringCharge> {
    let months = (0..60).map(|months| period("2027-10").plus_months(months).unwrap());
    months.flat_map(|month| plan.charges(month).unwrap()).collect()
}

fn sum(charges: &[RecurringCharge]) -> Fixed18 {
    Fixed18::checked_sum(charges.iter().map(|charge| charge.cost.major)).unwrap()
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn in_advance_and_in_arrears_come_to_the_same(plan in any_plan(), lasts in 1_i32..700) {
        let first = plan.amounts[0].0.number();
        let ends = Some(Day::from_number(first + lasts));
        let both = [InAdvance, InArrears].map(|timing| life(&Plan { timing, ends, ..plan.clone() }));
        prop_assert_eq!(sum(&both[0]), sum(&both[1]));
    }

    #[test]
    fn parts_of_a_cycle_add_up_to_the_whole(
        plan in any_plan(),
        cuts in prop::collection::btree_set(1_i32..900, 0..6),
    ) {
        // The same amount again from any day changes nothing in all.
        let (first, amount) = plan.amounts[0];
        let whole = Plan { amounts: vec![(first, amount)], ..plan };
        let again = |after: i32| (Day::from_number(first.number() + after), amount);
        let parts = [0].into_iter().chain(cuts).map(again).collect();
        let cut = Plan { amounts: parts, ..whole.clone() };
        prop_assert_eq!(sum(&life(&cut)), sum(&life(&whole)));
    }

    #[test]
    fn what_is_charged_does_not_depend_on_what_happens_later(plan in any_plan(), months in 0..30) {
        let month = period("2027-11").plus_months(months).unwrap();
        let known = |day: &Day| day.start() < month.end();
        let mut early = plan.clone();
        early.amounts.retain(|(from, _)| known(from));
        early.ends = early.ends.filter(known);
        let known = if early.amounts.is_empty() { Vec::new() } else { early.charges(month).unwrap() };
        prop_assert_eq!(known, plan.charges(month).unwrap());
    }

    #[test]
    fn each_whole_cycle_in_arrears_is_its_amount(plan in any_plan()) {
        let plan = Plan { timing: InArrears, ends: None, ..plan };
        let last = plan.amounts.last().unwrap().0;
        let plan = Plan { amounts: vec![plan.amounts[0]], ..plan };
        for charge in life(&plan).iter().skip(1) {
            prop_assert_eq!(charge.cost.major, plan.amounts[0].1);
        }
        prop_assert!(life(&plan).len() > 1 || plan.cycle_months == 12, "{last}");
    }
}
