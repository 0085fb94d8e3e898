use super::*;
use proptest::prelude::*;

fn numbers(texts: &[&str]) -> Vec<Fixed18> {
    texts.iter().map(|text| Fixed18::parse(text).unwrap()).collect()
}

fn trend(texts: &[&str]) -> Trend {
    Trend::of(&numbers(texts)).unwrap().unwrap()
}

#[test]
fn a_day_is_expected_to_cost_the_mean_of_the_last_ones() {
    let check = |days: &[&str], ahead: u32, expected: [&str; 3]| {
        let Forecast { cost, lower, upper } = trend(days).ahead(ahead).unwrap();
        let told = [cost, lower, upper].map(|number| number.to_string());
        assert_eq!(told, expected, "{days:?} {ahead}");
    };
    check(&["2", "2"], 3, ["6", "6", "6"]);
    check(&["2", "2"], 0, ["0", "0", "0"]);
    // Mean 2, mean distance 1, root of 1 x 3 / 2: 1.224744871391.
    check(&["1", "3"], 1, ["2", "0", "5.008524539328"]);
    // The same four times as long: 2.45645 and the root of 1 x 9 / 8, 1.060660171779.
    let eight = ["1", "3", "1", "3", "1", "3", "1", "3"];
    check(&eight, 1, ["2", "0", "4.605458678967"]);
    check(&["10", "11", "12"], 1, ["11", "9.109023908333", "12.890976091667"]);
    check(&["-1", "-3"], 1, ["-2", "-5.008524539328", "1.008524539328"]);
}

#[test]
fn too_few_days_say_nothing_and_old_ones_do_not_count() {
    assert_eq!(Trend::of(&[]).unwrap(), None);
    assert_eq!(Trend::of(&numbers(&["1"])).unwrap(), None);
    let mut days = numbers(&["1000"]);
    days.extend(vec![Fixed18::ONE; DAYS_MOST]);
    assert_eq!(Trend::of(&days).unwrap().unwrap().daily(), Fixed18::ONE);
}

#[test]
fn a_span_is_what_is_over_the_day_that_runs_and_the_rest() {
    let check = |over: &str, today: &str, ahead: u32, expected: &str| {
        let number = |text: &str| Fixed18::parse(text).unwrap();
        let told = whole(number(over), number(today), &trend(&["2", "2"]), ahead).unwrap();
        assert_eq!(told.cost.to_string(), expected, "{over} {today} {ahead}");
    };
    check("10", "0.5", 3, "18");
    check("10", "5", 3, "21");
    check("0", "0", 0, "2");
}

#[test]
fn what_cannot_be_computed_is_an_error() {
    assert!(Trend::of(&[Fixed18::MAX, Fixed18::MIN]).is_err());
    let large = Trend::of(&[Fixed18::MAX, Fixed18::MAX]).unwrap().unwrap();
    assert!(large.ahead(2).is_err());
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn the_range_holds_what_is_expected_and_grows_with_the_days(
        cents in proptest::collection::vec(0_i64..1_000_000, 2..60),
        ahead in 1_u32..366,
    ) {
        let cents = cents.into_iter().map(|cents| Fixed18::parse(&format!("{cents}e-2")).unwrap());
        let days: Vec<Fixed18> = cents.collect();
        let trend = Trend::of(&days).unwrap().unwrap();
        let (one, more) = (trend.ahead(ahead).unwrap(), trend.ahead(ahead + 1).unwrap());
        prop_assert!(one.lower <= one.cost && one.cost <= one.upper);
        prop_assert!(!one.lower.is_negative());
        prop_assert!(more.cost >= one.cost);
        let width = |told: Forecast| told.upper.checked_sub(told.cost).unwrap();
        prop_assert!(width(more) >= width(one));
        let (least, most) = (days.iter().min().unwrap(), days.iter().max().unwrap());
        prop_assert!(*least <= trend.daily() && trend.daily() <= *most);
    }
}
