use super::*;
use crate::spend_filters::{COMPARISONS_MOST, SpendColumn, SpendTest};
use proptest::prelude::*;

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}

fn t(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn budget(grain: TimeGrain, start: &str, end: &str) -> Budget {
    Budget {
        amount: number("100"),
        grain,
        start: BillingPeriod::parse(start).unwrap(),
        end: t(end),
        filter: SpendFilter::default(),
        notifications: BTreeMap::new(),
    }
}

fn notification() -> Notification {
    Notification {
        enabled: true,
        operator: Operator::GreaterOrEqual,
        threshold: number("80"),
        measured: Measured::Actual,
        emails: vec!["ops@acme.example".to_owned()],
        roles: Vec::new(),
        groups: Vec::new(),
        locale: None,
    }
}

const HERE: Declaring<'static> =
    Declaring { now: Instant::EPOCH, is_at_subscription: true, agreement: None, before: None };

fn here() -> Declaring<'static> {
    Declaring { now: t("2026-05-10T12:00:00Z"), ..HERE }
}

#[test]
fn a_window_is_the_one_that_a_moment_lies_in() {
    let check = |grain: TimeGrain, start: &str, at: &str, expected: Option<(&str, &str)>| {
        let told = budget(grain, start, "2027-03-15").window_at(t(at));
        let told = told.map(|window| (window.start(), window.end()));
        let expected = expected.map(|(start, end)| (t(start), t(end)));
        assert_eq!(told, expected, "{grain:?} {start} {at}");
    };
    use TimeGrain::{BillingMonth, BillingQuarter, BillingYear, Month, Quarter, Year};
    let may = Some(("2026-05-01", "2026-06-01"));
    check(Month, "2026-05", "2026-04-30T23:59:59Z", None);
    check(Month, "2026-05", "2026-05-01", may);
    check(Month, "2026-05", "2026-05-31T23:59:59Z", may);
    check(Month, "2026-05", "2026-06-01", Some(("2026-06-01", "2026-07-01")));
    check(BillingMonth, "2026-05", "2026-05-10", may);
    // Of the calendar: the first window is what is left of it.
    check(Quarter, "2026-05", "2026-05-10", Some(("2026-05-01", "2026-07-01")));
    check(Quarter, "2026-05", "2026-07-01", Some(("2026-07-01", "2026-10-01")));
    check(Year, "2026-05", "2026-12-31", Some(("2026-05-01", "2027-01-01")));
    // From the first month on.
    check(BillingQuarter, "2026-05", "2026-07-31", Some(("2026-05-01", "2026-08-01")));
    check(BillingYear, "2026-02", "2027-01-31", Some(("2026-02-01", "2027-02-01")));
    // The end cuts the last one.
    check(Month, "2026-05", "2027-03-14", Some(("2027-03-01", "2027-03-15")));
    check(Year, "2026-05", "2027-01-01", Some(("2027-01-01", "2027-03-15")));
    check(Month, "2026-05", "2027-03-15", None);
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn windows_follow_each_other_without_gap(
        grain in 0_usize..6,
        month in 0_i32..24,
        days in 0_i64..2_000,
    ) {
        let start = BillingPeriod::parse("2025-01").unwrap().plus_months(month).unwrap();
        let budget = Budget {
            start,
            end: Budget::usual_end(start),
            ..budget(TimeGrain::ALL[grain], "2025-01", "2026-01-01")
        };
        let at = start.start().plus_seconds(days * 86_400 + 1);
        let window = budget.window_at(at).unwrap();
        prop_assert!(window.contains(at));
        prop_assert_eq!(budget.window_at(window.start()), Some(window));
        prop_assert_eq!(budget.window_at(window.end().plus_micros(-1)), Some(window));
        let next = budget.window_at(window.end()).unwrap();
        prop_assert_eq!(next.start(), window.end());
    }

    #[test]
    fn a_threshold_is_reached_from_its_bound_on(cents in 1_i64..100_000, percent in 0_i64..=1_000) {
        let mut budget = budget(TimeGrain::Month, "2026-05", "2027-05-01");
        budget.amount = number(&format!("{cents}e-2"));
        let one = Notification { threshold: Fixed18::from_int(percent), ..notification() };
        budget.notifications.insert("a".to_owned(), one.clone());
        let bound = budget.bound(&one).unwrap();
        prop_assert_eq!(bound, number(&format!("{}e-4", cents * percent)));
        let less = bound.checked_sub(Fixed18::from_atoms(1)).unwrap();
        prop_assert_eq!(budget.reached(bound, None).unwrap().len(), 1);
        prop_assert_eq!(budget.reached(less, None).unwrap().len(), 0);
    }
}

#[test]
fn operators_compare_as_they_are_called() {
    let check = |operator: Operator, cost: &str, expected: bool| {
        assert_eq!(operator.holds(number(cost), number("80")), expected, "{operator:?} {cost}");
    };
    check(Operator::Equal, "79.99", false);
    check(Operator::Equal, "80", true);
    check(Operator::Equal, "80.01", false);
    check(Operator::Greater, "80", false);
    check(Operator::Greater, "80.01", true);
    check(Operator::GreaterOrEqual, "79.99", false);
    check(Operator::GreaterOrEqual, "80", true);
}

#[test]
fn each_threshold_is_held_against_its_own_cost() {
    let mut all = budget(TimeGrain::Month, "2026-05", "2027-05-01");
    let forecast = Notification { measured: Measured::Forecast, ..notification() };
    let off = Notification { enabled: false, ..notification() };
    let named = [("actual", notification()), ("forecast", forecast), ("off", off)];
    all.notifications = named.map(|(name, one)| (name.to_owned(), one)).into();
    let check = |actual: &str, forecast: Option<&str>, expected: &[&str]| {
        let told = all.reached(number(actual), forecast.map(number)).unwrap();
        let told: Vec<&str> = told.into_iter().map(|(name, _)| name).collect();
        assert_eq!(told, expected, "{actual} {forecast:?}");
    };
    check("79", Some("79"), &[]);
    check("80", Some("79"), &["actual"]);
    check("10", Some("80"), &["forecast"]);
    check("90", Some("120"), &["actual", "forecast"]);
    check("90", None, &["actual"]);
}

#[test]
fn what_the_contract_forbids_is_refused_by_its_field() {
    let check = |change: &dyn Fn(&mut Budget), at: Declaring<'_>, expected: &str| {
        let mut asked = budget(TimeGrain::Month, "2026-05", "2027-05-01");
        change(&mut asked);
        let told = asked.check(&at).err().map(|error| error.to_string()).unwrap_or_default();
        let field = told.split(": ").next().unwrap_or_default();
        assert_eq!(field, expected, "{told}");
    };
    let start = |text: &'static str| {
        move |asked: &mut Budget| asked.start = BillingPeriod::parse(text).unwrap()
    };
    let grain = |grain: TimeGrain| move |asked: &mut Budget| asked.grain = grain;
    check(&|_| {}, here(), "");
    check(&|asked| asked.amount = Fixed18::ZERO, here(), "amount");
    check(&|asked| asked.amount = number("-1"), here(), "amount");
    check(&|asked| asked.end = t("2026-05-01"), here(), "end_date");
    check(&start("2026-04"), here(), "start_date");
    check(&start("2017-05"), here(), "start_date");
    check(&start("2027-04"), here(), "");
    check(&start("2027-05"), here(), "end_date");
    let far = |asked: &mut Budget| {
        (asked.start, asked.end) = (BillingPeriod::parse("2027-06").unwrap(), t("2030-01-01"));
    };
    check(&far, here(), "start_date");
    let before = budget(TimeGrain::Month, "2026-01", "2027-05-01");
    let again = Declaring { before: Some(&before), ..here() };
    check(&start("2026-01"), again, "");
    check(&start("2026-02"), again, "start_date");
    let of = |agreement: AgreementType| Declaring { agreement: Some(agreement), ..here() };
    check(&grain(TimeGrain::BillingMonth), of(AgreementType::OnlineServices), "");
    check(&grain(TimeGrain::BillingYear), of(AgreementType::Enterprise), "time_grain");
    check(&grain(TimeGrain::Quarter), of(AgreementType::Enterprise), "");
    let year = |asked: &mut Budget| {
        asked.grain = TimeGrain::BillingYear;
        asked.start = BillingPeriod::parse("2025-06").unwrap();
    };
    check(&year, here(), "");
    let tests = |count: usize| {
        let test = SpendTest { on: SpendColumn::Meter, values: vec!["m".to_owned()] };
        move |asked: &mut Budget| asked.filter.all = vec![test.clone(); count]
    };
    check(&tests(2), here(), "");
    check(&tests(1), here(), "filter.and");
    check(&tests(COMPARISONS_MOST + 1), here(), "filter");
    let empty = |asked: &mut Budget| {
        asked.filter.not = Some(SpendTest { on: SpendColumn::Meter, values: Vec::new() });
    };
    check(&empty, here(), "filter.values");
    let many = |asked: &mut Budget| {
        let named = (0..6).map(|number| (number.to_string(), notification()));
        asked.notifications = named.collect();
    };
    check(&many, here(), "notifications");
}

#[test]
fn whom_a_notification_tells_is_checked() {
    let check = |change: &dyn Fn(&mut Notification), at_subscription: bool, expected: &str| {
        let mut one = notification();
        change(&mut one);
        let mut asked = budget(TimeGrain::Month, "2026-05", "2027-05-01");
        asked.notifications.insert("high".to_owned(), one);
        let at = Declaring { is_at_subscription: at_subscription, ..here() };
        let told = asked.check(&at).err().map(|error| error.to_string()).unwrap_or_default();
        let field = told.split(": ").next().unwrap_or_default();
        let field = field.strip_prefix("notifications.high.").unwrap_or(field);
        assert_eq!(field, expected, "{told}");
    };
    let group = "/subscriptions/s/resourceGroups/g/providers/microsoft.insights/actionGroups/a";
    let with = |groups: Vec<String>, emails: Vec<String>| {
        move |one: &mut Notification| {
            (one.groups, one.emails) = (groups.clone(), emails.clone());
        }
    };
    let mail = |text: &str| with(Vec::new(), vec![text.to_owned()]);
    let to = |text: &str| with(vec![text.to_owned()], Vec::new());
    check(&|one| one.threshold = number("1000"), false, "");
    check(&|one| one.threshold = number("1000.1"), false, "threshold");
    check(&|one| one.threshold = number("-0.1"), false, "threshold");
    check(&mail("ops@acme.example"), false, "");
    for wrong in ["ops", "@acme.example", "ops@", "a@b@c", "a b@c.example", "a@b.example\r\nBcc: x"]
    {
        check(&mail(wrong), false, "contact_emails");
    }
    check(&with(Vec::new(), vec!["a@b.example".to_owned(); 51]), false, "contact_emails");
    check(&with(Vec::new(), Vec::new()), true, "contact_emails");
    check(&to(group), true, "");
    check(&to(&group.to_uppercase()), true, "");
    check(&to(group), false, "contact_groups");
    check(&to("ops"), true, "contact_groups");
    check(&to(&group.replace("/g/", "//")), true, "contact_groups");
    check(&with(vec![group.to_owned(); 51], Vec::new()), true, "contact_groups");
    check(&|one| one.roles = vec![ContactRole::Owner], true, "");
    check(&|one| one.roles = vec![ContactRole::Owner], false, "contact_roles");
}

#[test]
fn names_are_letters_digits_underscores_and_hyphens() {
    let check =
        |name: &str, expected: bool| assert_eq!(check_name(name).is_ok(), expected, "{name}");
    check("May_2026-a", true);
    check(&"a".repeat(NAME_MOST), true);
    check(&"a".repeat(NAME_MOST + 1), false);
    for name in ["", "a b", "a/b", "ä", "a.b"] {
        check(name, false);
    }
}

#[test]
fn usage_counts_where_all_tests_hold() {
    let test = |on: SpendColumn, values: &[&str]| SpendTest {
        on,
        values: values.iter().map(|one| (*one).to_owned()).collect(),
    };
    let filter = SpendFilter {
        alone: vec![test(SpendColumn::MeterCategory, &["Machines"])],
        all: vec![
            test(SpendColumn::Tag("team".to_owned()), &["blue", "red"]),
            test(SpendColumn::Location, &["westeurope"]),
        ],
        not: Some(test(SpendColumn::Meter, &["m2"])),
    };
    let check = |team: Option<&str>, place: &str, meter: &str, expected: bool| {
        let told = filter.counts(|on| match on {
            SpendColumn::MeterCategory => Some("machines"),
            SpendColumn::Tag(_) => team,
            SpendColumn::Location => Some(place),
            SpendColumn::Meter => Some(meter),
            _ => None,
        });
        assert_eq!(told, expected, "{team:?} {place} {meter}");
    };
    check(Some("Blue"), "WestEurope", "m1", true);
    check(Some("green"), "westeurope", "m1", false);
    check(None, "westeurope", "m1", false);
    check(Some("red"), "northeurope", "m1", false);
    check(Some("red"), "westeurope", "M2", false);
}

#[test]
fn a_resource_names_its_group() {
    let check = |resource: &str, expected: Option<&str>| {
        assert_eq!(resource_group(resource), expected, "{resource}");
    };
    check("/subscriptions/s/resourceGroups/Shop/providers/p/t/n", Some("Shop"));
    check("/subscriptions/s/RESOURCEGROUPS/Shop", Some("Shop"));
    check("/subscriptions/s/resourceGroups/", None);
    check("machine-1", None);
    check("", None);
}
