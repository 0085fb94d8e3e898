use super::*;
use calendar::{Instant, MICROS_PER_HOUR};
use money::{Cost, Currency, Fixed18, Money, Rounding};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn day(text: &str) -> Day {
    Instant::parse(text).unwrap().day()
}

fn month(text: &str) -> BillingPeriod {
    BillingPeriod::parse(text).unwrap()
}

fn question(since: &str, until: &str) -> UsageQuestion {
    UsageQuestion {
        days: day(since)..day(until),
        columns: effective_columns(&[UsageColumn::CountryCode]),
        filter: UsageFilter::default(),
        unfinalized: true,
        options: UsageOptions::default(),
    }
}

fn named(names: &str) -> Vec<UsageColumn> {
    names.split_whitespace().map(|name| UsageColumn::parse(name).unwrap()).collect()
}

fn spelled(columns: &[UsageColumn]) -> String {
    columns.iter().map(|column| column.name()).collect::<Vec<_>>().join(" ")
}

#[test]
fn defaults_stand_before_what_is_asked_unless_a_column_of_their_thing_is() {
    let check = |asked: &str, expected: &str| {
        assert_eq!(spelled(&effective_columns(&named(asked))), expected, "{asked}");
    };
    check("", "account_name category_code");
    check("country_code", "account_name category_code country_code");
    check("month country_name", "account_name category_code month country_name");
    check("category_code country_name", "account_name category_code country_name");
    check("country_name category_name", "account_name country_name category_name");
    check("account_key", "category_code account_key");
    check("month account_name", "category_code month account_name");
    check("month account_key category_name", "month account_key category_name");
    check("category_name account_name", "category_name account_name");
    // A subcategory is no category.
    check("subcategory_code", "account_name category_code subcategory_code");
}

#[test]
fn names_and_codes_of_one_thing_tell_nothing_further_apart() {
    let check = |columns: &str, expected: usize| {
        assert_eq!(keys_of(&named(columns)).len(), expected, "{columns}");
    };
    check("account_name account_key", 1);
    check("category_code category_name subcategory_code subcategory_name", 2);
    check("country_name country_code country_prefix", 1);
    check("network_name network_code country_name", 2);
    check("day month", 2);
    check("campaign_id campaign_reference template_id", 3);
    check("application_id entity_id user_name sender sender_type direction traffic_type", 7);
    let all = keys_of(&UsageColumn::ALL);
    assert_eq!(all.len(), 17, "{all:?}");
    assert_eq!(keys_of(&named("country_prefix account_key country_name"))[1], UsageKey::Account);
}

#[test]
fn columns_formats_and_names_are_found_by_their_names() {
    for column in UsageColumn::ALL {
        assert_eq!(UsageColumn::parse(column.name()), Some(column));
    }
    for format in UsageFormat::ALL {
        assert_eq!(UsageFormat::parse(format.name()), Some(format));
    }
    for names in NamesAsOf::ALL {
        assert_eq!(NamesAsOf::parse(names.name()), Some(names));
    }
    assert_eq!(UsageColumn::parse("weather"), None);
    assert_eq!(UsageFormat::parse("pdf"), None);
    assert_eq!(NamesAsOf::parse("tomorrow"), None);
}

/// The fields that are at fault, in order, for a question asked on a day.
fn faults(question: &UsageQuestion, today: &str) -> Vec<UsageField> {
    let faults = question.faults(&UsageWindow::default(), day(today));
    assert!(faults.iter().all(|fault| !fault.problem.is_empty()));
    faults.into_iter().map(|fault| fault.field).collect()
}

#[test]
fn the_current_and_two_earlier_months_can_be_asked_for() {
    use UsageField::{Interval, Since, Until};
    let check = |since: &str, until: &str, today: &str, expected: &[UsageField]| {
        assert_eq!(faults(&question(since, until), today), expected, "{since} {until} {today}");
    };
    check("2026-03-01", "2026-04-01", "2026-05-15", &[]);
    check("2026-03-01", "2026-06-01", "2026-05-15", &[]);
    check("2026-03-01", "2026-06-01", "2026-05-01", &[]);
    check("2026-03-01", "2026-06-01", "2026-05-31", &[]);
    check("2026-05-31", "2026-06-01", "2026-05-01", &[]);
    // One day earlier is not kept; a month later the first of them is not either.
    check("2026-02-28", "2026-03-01", "2026-05-15", &[Since]);
    check("2026-03-01", "2026-04-01", "2026-06-01", &[Since]);
    check("2025-12-01", "2026-01-01", "2026-02-01", &[]);
    check("2025-11-30", "2026-01-01", "2026-02-01", &[Since]);
    // What is yet to come.
    check("2026-05-01", "2026-06-02", "2026-05-15", &[Until]);
    check("2026-06-01", "2026-06-02", "2026-05-31", &[Since, Until]);
    // The end is exclusive.
    check("2026-05-01", "2026-05-01", "2026-05-15", &[Until]);
    check("2026-05-02", "2026-05-01", "2026-05-15", &[Until]);
    check("2026-05-01", "2026-05-02", "2026-05-15", &[]);
    // All that is wrong is said.
    check("2026-01-01", "2026-07-01", "2026-05-15", &[Since, Until, Interval]);
    check("2026-01-01", "2026-05-01", "2026-05-15", &[Since, Interval]);
    check("2026-01-01", "2025-12-01", "2026-05-15", &[Until, Since]);
}

#[test]
fn three_months_are_asked_for_at_once_and_a_long_range_has_its_own_bound() {
    let check = |since: &str, until: &str, long_range: bool, expected: &[UsageField]| {
        let options = UsageOptions { long_range, ..UsageOptions::default() };
        let question = UsageQuestion { options, ..question(since, until) };
        let window = UsageWindow { months_kept: 24, long_months_most: 12, ..Default::default() };
        let faults = question.faults(&window, day("2026-05-15"));
        let fields: Vec<UsageField> = faults.into_iter().map(|fault| fault.field).collect();
        assert_eq!(fields, expected, "{since} {until} {long_range}");
    };
    let long = [UsageField::Interval];
    check("2026-01-01", "2026-04-01", false, &[]);
    check("2026-01-01", "2026-04-02", false, &long);
    check("2026-01-15", "2026-04-15", false, &[]);
    check("2026-01-15", "2026-04-16", false, &long);
    // Three months behind the last day of November end with February.
    check("2025-11-30", "2026-02-28", false, &[]);
    check("2025-11-30", "2026-03-01", false, &long);
    check("2026-01-01", "2026-04-02", true, &[]);
    check("2025-05-01", "2026-05-01", true, &[]);
    check("2025-05-01", "2026-05-02", true, &long);
    check("2024-05-01", "2024-06-01", false, &[UsageField::Since]);
    check("2004-05-01", "2004-06-01", true, &[]);
    // Nobody knows what is to come.
    check("2026-05-01", "2026-06-02", true, &[UsageField::Until]);
}

#[test]
fn a_list_has_as_many_values_as_may_be() {
    let values = |count: u32| (0..count).map(|number| number.to_string()).collect();
    let filter = UsageFilter { senders: values(1_001), ..UsageFilter::default() };
    let asked = question("2026-05-01", "2026-05-02");
    let many = UsageQuestion { filter, ..asked.clone() };
    assert_eq!(faults(&many, "2026-05-15"), [UsageField::Senders]);
    let platforms = (0..1_001).map(|number: u32| (number.to_string(), "e".to_owned())).collect();
    let filter = UsageFilter { platforms, accounts: values(1_000), ..UsageFilter::default() };
    assert!(!filter.is_empty() && UsageFilter::default().is_empty());
    let many = UsageQuestion { filter, ..asked.clone() };
    assert_eq!(faults(&many, "2026-05-15"), [UsageField::Platforms]);
    let none = UsageQuestion { columns: Vec::new(), ..asked };
    assert_eq!(faults(&none, "2026-05-15"), [UsageField::Columns]);
}

#[test]
fn times_that_no_calendar_has_are_faults_and_nothing_worse() {
    let far = |days: Range<i32>| {
        let days = Day::from_number(days.start)..Day::from_number(days.end);
        let options = UsageOptions { long_range: true, ..UsageOptions::default() };
        let question = UsageQuestion { days, options, ..question("2026-05-01", "2026-05-02") };
        let months = months_of(&aligned_span(&question, &Day::start));
        (question.faults(&UsageWindow::default(), day("2026-05-15")).is_empty(), months.len())
    };
    assert!(!far(i32::MIN..i32::MAX).0);
    assert!(!far(i32::MAX - 1..i32::MAX).0);
    assert!(far(i32::MIN..i32::MAX).1 > 100_000);
}

/// What is answered when these months are final: the period, and each month with its finality.
fn answered(question: &UsageQuestion, finals: &str) -> String {
    let is_final = |of: BillingPeriod| finals.split_whitespace().any(|text| month(text) == of);
    let UsageSpan { requested, months } = span_of(question, &is_final, &Day::start);
    let mut told = format!("{} {}", requested.start.day(), requested.end.day());
    for (month, is_final) in months {
        told.push_str(&format!(" {month}{}", if is_final { "!" } else { "?" }));
    }
    told
}

#[test]
fn months_are_brought_out_where_rows_are_told_apart_by_them() {
    let check = |columns: &str, since: &str, until: &str, expected: &str| {
        let columns = named(columns);
        let question = UsageQuestion { columns, ..question(since, until) };
        assert_eq!(answered(&question, ""), expected, "{since} {until}");
    };
    let april = "2026-04-01 2026-05-01 2026-04?";
    check("month", "2026-04-10", "2026-04-20", april);
    check("month", "2026-04-01", "2026-04-02", april);
    check("month", "2026-04-01", "2026-05-01", april);
    check("month", "2026-04-30", "2026-05-01", april);
    check("month", "2026-04-30", "2026-05-02", "2026-04-01 2026-06-01 2026-04? 2026-05?");
    check("month", "2025-12-31", "2026-01-02", "2025-12-01 2026-02-01 2025-12? 2026-01?");
    // The day is finer, and without either the days stay as they were asked for.
    check("month day", "2026-04-10", "2026-04-20", "2026-04-10 2026-04-20 2026-04?");
    check("day", "2026-04-10", "2026-04-20", "2026-04-10 2026-04-20 2026-04?");
    check("country_code", "2026-04-10", "2026-05-02", "2026-04-10 2026-05-02 2026-04? 2026-05?");
    // Nothing is asked for.
    check("month", "2026-04-10", "2026-04-10", "2026-04-10 2026-04-10");
}

#[test]
fn months_that_are_not_final_are_left_out_on_demand() {
    let check = |since: &str, until: &str, finals: &str, expected: [&str; 2]| {
        let all = question(since, until);
        let finals_only = UsageQuestion { unfinalized: false, ..all.clone() };
        let told = [answered(&all, finals), answered(&finals_only, finals)];
        assert_eq!(told, expected, "{since} {until}, {finals} final");
    };
    let (since, until) = ("2026-03-10", "2026-05-20");
    let all = "2026-03-10 2026-05-20";
    check(
        since,
        until,
        "2026-03",
        [&format!("{all} 2026-03! 2026-04? 2026-05?"), "2026-03-10 2026-04-01 2026-03!"],
    );
    check(
        since,
        until,
        "2026-03 2026-04",
        [&format!("{all} 2026-03! 2026-04! 2026-05?"), "2026-03-10 2026-05-01 2026-03! 2026-04!"],
    );
    let whole = format!("{all} 2026-03! 2026-04! 2026-05!");
    check(since, until, "2026-03 2026-04 2026-05", [&whole, &whole]);
    // None is left: an empty period where the asked one begins.
    check(
        since,
        until,
        "",
        [&format!("{all} 2026-03? 2026-04? 2026-05?"), "2026-03-10 2026-03-10"],
    );
    check(
        since,
        until,
        "2026-02",
        [&format!("{all} 2026-03? 2026-04? 2026-05?"), "2026-03-10 2026-03-10"],
    );
    // One that is parked between others is left out, and nothing of it is answered.
    check(
        since,
        until,
        "2026-03 2026-05",
        [&format!("{all} 2026-03! 2026-04? 2026-05!"), &format!("{all} 2026-03! 2026-05!")],
    );
}

#[test]
fn with_months_brought_out_none_left_is_empty_at_the_start_that_was_asked() {
    let columns = named("month");
    let question =
        UsageQuestion { columns, unfinalized: false, ..question("2026-04-10", "2026-04-20") };
    assert_eq!(answered(&question, ""), "2026-04-10 2026-04-10");
    assert_eq!(answered(&question, "2026-04"), "2026-04-01 2026-05-01 2026-04!");
}

#[test]
fn what_is_left_out_between_months_has_no_part() {
    let asked = question("2026-03-10", "2026-05-20");
    let question = UsageQuestion { unfinalized: false, ..asked };
    let span = span_of(&question, &|of| of != month("2026-04"), &Day::start);
    let parts = span.parts().into_iter();
    let told: Vec<String> =
        parts.map(|(of, within)| format!("{of} {} {}", within.start(), within.end())).collect();
    let expected = [
        "2026-03 2026-03-10T00:00:00Z 2026-04-01T00:00:00Z",
        "2026-05 2026-05-01T00:00:00Z 2026-05-20T00:00:00Z",
    ];
    assert_eq!(told, expected);
}

#[test]
fn days_of_another_time_zone_begin_when_they_do_there() {
    // Two hours before UTC does.
    let start_of = |day: Day| day.start().plus_micros(-2 * MICROS_PER_HOUR);
    let asked = UsageQuestion { columns: named("month"), ..question("2026-04-01", "2026-04-02") };
    let told = |question: &UsageQuestion, is_final: &dyn Fn(BillingPeriod) -> bool| {
        let UsageSpan { requested, months } = span_of(question, is_final, &start_of);
        let months: Vec<String> = months.iter().map(|(month, _)| month.to_string()).collect();
        format!("{} {} {}", requested.start, requested.end, months.join(" "))
    };
    let whole = "2026-03-31T22:00:00Z 2026-04-30T22:00:00Z 2026-03 2026-04";
    assert_eq!(told(&asked, &|_| false), whole);
    // Billing periods are in UTC: of the first day there, two hours are in one that is final.
    let question = UsageQuestion { unfinalized: false, ..asked };
    let expected = "2026-03-31T22:00:00Z 2026-04-01T00:00:00Z 2026-03";
    assert_eq!(told(&question, &|of| of < month("2026-04")), expected);
    let asked = asked_span(&question, &start_of);
    assert_eq!(asked.end.since(asked.start), 24 * MICROS_PER_HOUR);
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn what_is_answered_lies_in_what_is_asked_brought_out_and_is_final_on_demand(
        start in 0_i32..400,
        length in 0_i32..120,
        finals in proptest::collection::vec(any::<bool>(), 20),
        unfinalized in any::<bool>(),
        by_month in any::<bool>(),
        hours_ahead in -12_i64..15,
    ) {
        let first = day("2025-01-01").number();
        let days = Day::from_number(first + start)..Day::from_number(first + start + length);
        let columns = named(if by_month { "month" } else { "sender" });
        let asked = question("2025-01-01", "2025-01-02");
        let question = UsageQuestion { days, columns, unfinalized, ..asked };
        let is_final = |of: BillingPeriod| {
            let number = of.months_since(month("2024-12"));
            finals[usize::try_from(number).unwrap()]
        };
        let start_of = |day: Day| day.start().plus_micros(-hours_ahead * MICROS_PER_HOUR);
        let span = span_of(&question, &is_final, &start_of);
        let asked = asked_span(&question, &start_of);
        let aligned = aligned_span(&question, &start_of);
        prop_assert!(aligned.start <= asked.start && asked.end <= aligned.end);
        prop_assert!(span.requested.start <= span.requested.end);
        for (of, is_sealed) in &span.months {
            prop_assert_eq!(*is_sealed, is_final(*of));
            prop_assert!(unfinalized || *is_sealed);
        }
        let parts = span.parts();
        prop_assert_eq!(parts.len(), span.months.len());
        if let (Some((_, first)), Some((_, last))) = (parts.first(), parts.last()) {
            prop_assert_eq!(first.start()..last.end(), span.requested.clone());
            prop_assert!(aligned.start <= first.start() && last.end() <= aligned.end);
        } else {
            prop_assert_eq!(span.requested.clone(), asked.start..asked.start);
        }
        // Each month that the aligned period has a share in, and that may be told, is told.
        let wanted = months_of(&aligned).into_iter().filter(|of| unfinalized || is_final(*of));
        let told = span.months.iter().map(|(of, _)| *of);
        prop_assert!(wanted.eq(told));
    }
}

fn costs(texts: &str) -> Vec<Cost> {
    let cost = |text: &str| {
        let (digits, code) = text.split_at(text.len() - 3);
        Cost { major: Fixed18::parse(digits).unwrap(), currency: Currency::parse(code).unwrap() }
    };
    texts.split_whitespace().map(cost).collect()
}

fn money(text: &str) -> Money {
    let cost = costs(text)[0];
    cost.to_money().unwrap().unwrap()
}

fn rounded(exact: &str, targets: &str) -> String {
    let targets = targets.split_whitespace().map(money);
    let targets: BTreeMap<Currency, Money> =
        targets.map(|target| (target.currency(), target)).collect();
    let totals = rounded_totals(&costs(exact), &targets).unwrap();
    totals.iter().map(|total| total.digits()).collect::<Vec<_>>().join(" ")
}

#[test]
fn totals_round_by_the_largest_remainder() {
    let check = |exact: &str, expected: &str| assert_eq!(rounded(exact, ""), expected, "{exact}");
    check("", "");
    check("4.005USD", "4.01");
    check("-4.005USD", "-4.01");
    check("0.004USD 0.004USD 0.004USD", "0.01 0.00 0.00");
    check("0.333USD 0.333USD 0.334USD", "0.33 0.33 0.34");
    check("0.335USD 0.335USD 0.33USD", "0.34 0.33 0.33");
    check("1.2USD 3.45USD", "1.20 3.45");
    check("0.006USD -0.006USD", "0.01 -0.01");
    check("0.009USD -0.004USD", "0.01 0.00");
    // Each currency for itself, each row in its place, to its own minor unit.
    check("0.5JPY 0.006USD 0.5JPY 0.006USD 0.0005BHD", "1 0.01 0 0.00 0.001");
    check("0USD 0USD 0.019USD", "0.00 0.00 0.02");
}

#[test]
fn totals_add_up_to_the_target_however_far_it_is() {
    let check = |exact: &str, target: &str, expected: &str| {
        assert_eq!(rounded(exact, target), expected, "{exact} to {target}");
    };
    check("0.004USD 0.004USD 0.004USD", "0.02USD", "0.01 0.01 0.00");
    check("0.004USD 0.004USD 0.004USD", "0.00USD", "0.00 0.00 0.00");
    // Lines that were rounded one by one may come to more than their remainders, or to less.
    check("1.004USD 3.004USD 0USD", "4.06USD", "1.02 3.04 0.00");
    check("2USD 6USD", "7.96USD", "1.99 5.97");
    check("0USD 0USD", "0.03USD", "0.02 0.01");
    check("5USD", "4.98USD", "4.98");
    check("-2USD -6USD", "-8.04USD", "-2.01 -6.03");
    // A target of a currency without rows is nobody's.
    check("1USD", "3EUR", "1.00");
    check("1USD 1.004EUR", "1.01EUR", "1.00 1.01");
}

#[test]
fn a_target_in_another_currency_than_its_key_is_an_error() {
    let exact = costs("1USD");
    let targets = BTreeMap::from([(exact[0].currency, money("1EUR"))]);
    assert!(rounded_totals(&exact, &targets).is_err());
    let most = Cost { major: Fixed18::MAX, currency: exact[0].currency };
    assert!(rounded_totals(&[most, most], &BTreeMap::new()).is_err());
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn totals_add_up_and_none_is_a_minor_unit_away(
        atoms in proptest::collection::vec((-3_000_000_i64..9_000_000, 0_usize..3), 0..40),
    ) {
        let codes = ["USD", "JPY", "BHD"].map(|code| Currency::parse(code).unwrap());
        let exact: Vec<Cost> = atoms
            .iter()
            .map(|(micros, code)| Cost {
                major: Fixed18::parse(&format!("{micros}e-6")).unwrap(),
                currency: codes[*code],
            })
            .collect();
        let totals = rounded_totals(&exact, &BTreeMap::new()).unwrap();
        prop_assert_eq!(totals.len(), exact.len());
        for currency in codes {
            let of = |cost: &&Cost| cost.currency == currency;
            let sum = exact.iter().filter(of).try_fold(Cost::zero(currency), |sum, cost| {
                sum.checked_add(*cost)
            });
            let own = totals.iter().copied().filter(|total| total.currency() == currency);
            let told = Money::checked_sum(currency, own).unwrap();
            prop_assert_eq!(told, sum.unwrap().book(Rounding::HalfAwayFromZero).unwrap());
        }
        for (cost, total) in exact.iter().zip(&totals) {
            let unit = Money::from_minor(1, cost.currency).to_cost().unwrap().major;
            let away = total.to_cost().unwrap().checked_sub(*cost).unwrap().major;
            prop_assert!(away.checked_abs().unwrap() < unit, "{cost:?} {total:?}");
        }
    }

    #[test]
    fn totals_add_up_to_any_target(
        mills in proptest::collection::vec(-3_000_i64..9_000, 1..20),
        target in -100_000_i64..100_000,
    ) {
        let currency = Currency::parse("USD").unwrap();
        let major = |row: &i64| Fixed18::parse(&format!("{row}e-3")).unwrap();
        let exact: Vec<Cost> =
            mills.iter().map(|row| Cost { major: major(row), currency }).collect();
        let target = Money::from_minor(i128::from(target), currency);
        let targets = BTreeMap::from([(currency, target)]);
        let totals = rounded_totals(&exact, &targets).unwrap();
        prop_assert_eq!(Money::checked_sum(currency, totals).unwrap(), target);
    }
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

#[test]
fn a_callback_is_tried_ten_times_over_three_days() {
    let schedule = CallbackSchedule::default();
    let pauses: Vec<Option<i64>> =
        (0..12).map(|attempts| schedule.pause_after(attempts, None, 0)).collect();
    let expected = [
        Some(0),
        Some(5),
        Some(5 * MINUTE),
        Some(30 * MINUTE),
        Some(2 * HOUR),
        Some(5 * HOUR),
        Some(10 * HOUR),
        Some(14 * HOUR),
        Some(20 * HOUR),
        Some(24 * HOUR),
        None,
        None,
    ];
    assert_eq!(pauses, expected);
    assert_eq!(schedule.attempts(), 10);
    assert_eq!(schedule.whole_s(), 75 * HOUR + 35 * MINUTE + 5);
}

#[test]
fn a_pause_is_drawn_out_and_as_long_as_the_receiver_asks() {
    let schedule = CallbackSchedule::new(vec![0, 10, 1_000]).unwrap();
    let check = |attempts: u32, retry_after_s: Option<i64>, jitter: u16, expected: Option<i64>| {
        let told = schedule.pause_after(attempts, retry_after_s, jitter);
        assert_eq!(told, expected, "{attempts} {retry_after_s:?} {jitter}");
    };
    check(1, None, 0, Some(10));
    check(1, None, 100, Some(11));
    check(2, None, 55, Some(1_055));
    check(2, None, 1_000, Some(1_100)); // a tenth at most
    check(1, Some(30), 100, Some(30));
    check(1, Some(3), 0, Some(10)); // a shorter one is not asked for
    check(1, Some(-3), 0, Some(10));
    check(1, Some(i64::MAX), 0, Some(24 * HOUR));
    check(3, Some(30), 0, None); // nor is one more attempt
    check(u32::MAX, None, 0, None);
}

#[test]
fn a_schedule_has_an_attempt_and_no_pause_beyond_a_day() {
    let check = |pauses: Vec<i64>, is_sound: bool| {
        assert_eq!(CallbackSchedule::new(pauses.clone()).is_ok(), is_sound, "{pauses:?}");
    };
    check(vec![0], true);
    check(vec![24 * HOUR], true);
    check(vec![1; 50], true);
    check(vec![1; 51], false);
    check(Vec::new(), false);
    check(vec![-1], false);
    check(vec![0, 24 * HOUR + 1], false);
}

#[test]
fn a_status_says_whether_a_result_is_received() {
    let check = |statuses: &[u16], expected: Receipt| {
        for status in statuses {
            assert_eq!(receipt_of(*status), expected, "{status}");
        }
    };
    check(&[200, 201, 202, 204, 299], Receipt::Delivered);
    check(&[410], Receipt::Gone);
    check(&[429, 502, 503, 504], Receipt::Busy);
    check(&[0, 100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 408, 500, 501], Receipt::Refused);
}
