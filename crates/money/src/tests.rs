//! Numbers: reading, writing, rounding, booking, splitting; against a slow exact reference.

use crate::{Cost, Currency, Fixed18, Money, MoneyError, Rounding, allocate, allocate_amounts};
use ethnum::I256;
use proptest::prelude::*;

const RULES: [Rounding; 4] = [
    Rounding::HalfAwayFromZero,
    Rounding::HalfToEven,
    Rounding::TowardZero,
    Rounding::AwayFromZero,
];

fn n(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}

#[test]
fn decimals_are_read_exactly_or_refused() {
    let check = |text: &str, expected: &str| {
        let read = match Fixed18::parse(text) {
            Ok(number) => number.to_string(),
            Err(MoneyError::NotANumber { .. }) => "not a number".to_owned(),
            Err(MoneyError::TooManyPlaces { .. }) => "too many places".to_owned(),
            Err(MoneyError::Overflow) => "overflow".to_owned(),
            Err(other) => other.to_string(),
        };
        assert_eq!(read, expected, "{text}");
    };
    check("0", "0");
    check("-0", "0");
    check("+7", "7");
    check("7.", "7");
    check(".5", "0.5");
    check("-1.50", "-1.5");
    check("1.542000000000000299", "1.542000000000000299");
    check("0.072999999996", "0.072999999996");
    check("0.0600000000000000000000000000", "0.06");
    check("2.323760000E-9", "0.00000000232376");
    check("5.64902E-05", "0.0000564902");
    check("1e3", "1000");
    check("1E+3", "1000");
    check("0e99999999999999999999", "0");
    check("0.000e-99999999999999999999", "0");
    check("1e-18", "0.000000000000000001");
    check("1e-19", "too many places");
    check("1e-99999999999999999999", "too many places");
    check("1e99999999999999999999", "overflow");
    check("0.0000000000000000001", "too many places");
    check("1.5420000000000002999", "too many places");
    check("170141183460469231731.687303715884105727", "170141183460469231731.687303715884105727");
    check("170141183460469231731.687303715884105728", "overflow");
    check("-170141183460469231731.687303715884105728", "-170141183460469231731.687303715884105728");
    check("-170141183460469231731.687303715884105729", "overflow");
    check("999999999999999999999999999999999999999999", "overflow");
    for text in [
        "", "-", ".", "+.", "e5", "1e", "1e+", "1.2.3", "1,5", "--1", "0x1f", " 1", "1 ", "NaN",
        "inf", "١", "1e5e5", "1e1.5",
    ] {
        check(text, "not a number");
    }
}

#[test]
fn digits_beyond_the_18th_place_round_by_the_rule() {
    let check = |text: &str, expected: [i128; 4]| {
        for (rule, expected) in RULES.into_iter().zip(expected) {
            let read = Fixed18::parse_rounded(text, rule).unwrap();
            assert_eq!(read.atoms(), expected, "{text} {rule:?}");
        }
    };
    //                                away even zero up
    check("0.0000000000000000005", [1, 0, 0, 1]);
    check("0.0000000000000000015", [2, 2, 1, 2]);
    check("0.00000000000000000250000", [3, 2, 2, 3]);
    check("0.000000000000000002500001", [3, 3, 2, 3]);
    check("0.00000000000000000049", [0, 0, 0, 1]);
    check("-0.0000000000000000005", [-1, 0, 0, -1]);
    check("-0.0000000000000000015", [-2, -2, -1, -2]);
    check("5e-40", [0, 0, 0, 1]);
}

#[test]
fn products_round_once_at_the_bound_and_overflow_one_beyond() {
    let check = |a: &str, b: &str, places: u32, expected: &str| {
        for (a, b) in [(n(a), n(b)), (n(b), n(a))] {
            let product = a.checked_mul(b, places, Rounding::HalfAwayFromZero);
            assert_eq!(product.map_or("overflow".to_owned(), |p| p.to_string()), expected);
        }
    };
    check("450", "0.0089", 18, "4.005");
    check("450", "0.0089", 2, "4.01");
    check("-450", "0.0089", 2, "-4.01");
    check("0.000000000000000001", "0.5", 18, "0.000000000000000001");
    check("0.000000000000000001", "0.4", 18, "0");
    check(
        "170141183460469231731.687303715884105727",
        "1",
        18,
        "170141183460469231731.687303715884105727",
    );
    check("170141183460469231731.687303715884105727", "1.000000000000000001", 18, "overflow");
    check(
        "-170141183460469231731.687303715884105728",
        "1",
        18,
        "-170141183460469231731.687303715884105728",
    );
    check("-170141183460469231731.687303715884105728", "-1", 18, "overflow");
    check(
        "13043817825.332782212349571806",
        "13043817825.332782212349571806",
        18,
        "170141183460469231731.687303709296759402",
    );
    check("13043817825.332782212349571807", "13043817825.332782212349571807", 18, "overflow");
    check("170141183460469231731", "1", 0, "170141183460469231731");
    check("170141183460469231731.6", "1", 0, "overflow");
}

#[test]
fn sums_hold_to_the_bound_and_not_one_beyond() {
    let atom = Fixed18::from_atoms(1);
    let below = Fixed18::from_atoms(i128::MAX - 1);
    assert_eq!(Fixed18::checked_sum([below, atom]), Ok(Fixed18::MAX));
    assert_eq!(Fixed18::checked_sum([below, atom, atom]), Err(MoneyError::Overflow));
    assert_eq!(Fixed18::MIN.checked_sub(atom), Err(MoneyError::Overflow));
    assert_eq!(Fixed18::MIN.checked_neg(), Err(MoneyError::Overflow));
    assert_eq!(Fixed18::MIN.checked_abs(), Err(MoneyError::Overflow));
    assert_eq!(Fixed18::MAX.round(0, Rounding::AwayFromZero), Err(MoneyError::Overflow));
    assert!(Fixed18::MAX.round(0, Rounding::TowardZero).is_ok());
}

#[test]
fn whole_blocks_are_counted_either_way_and_only_of_a_size_above_zero() {
    let check = |quantity: &str, size: &str, rule: Rounding, expected: Option<&str>| {
        let blocks = n(quantity).blocks(n(size), rule).ok().map(|b| b.to_string());
        assert_eq!(blocks.as_deref(), expected, "{quantity} in blocks of {size}");
    };
    check("0", "10", Rounding::AwayFromZero, Some("0"));
    check("10", "10", Rounding::AwayFromZero, Some("1"));
    check("10.000000000000000001", "10", Rounding::AwayFromZero, Some("2"));
    check("19.99", "10", Rounding::TowardZero, Some("1"));
    check("-1", "10", Rounding::AwayFromZero, Some("-1"));
    check("5", "0", Rounding::AwayFromZero, None);
    check("5", "-1", Rounding::AwayFromZero, None);
    check(
        "-170141183460469231731.687303715884105728",
        "0.000000000000000001",
        Rounding::TowardZero,
        None,
    );
}

#[test]
fn percentages_and_means_round_once() {
    let half = Rounding::HalfAwayFromZero;
    assert_eq!(n("19.99").percent(n("2.9"), 18, half), Ok(n("0.57971")));
    assert_eq!(n("19.99").percent(n("2.9"), 2, half), Ok(n("0.58")));
    assert_eq!(n("0.000000000000000049").percent(n("1.02"), 18, half), Ok(Fixed18::ZERO));
    assert_eq!(n("0.000000000000000050").percent(n("1"), 18, half), Ok(Fixed18::from_atoms(1)));
    assert_eq!(Fixed18::MAX.percent(n("100"), 18, half), Ok(Fixed18::MAX));
    assert_eq!(Fixed18::MAX.percent(n("101"), 18, half), Err(MoneyError::Overflow));
    let third = Fixed18::weighted_mean([(n("1"), 1)], 3, half);
    assert_eq!(third, Ok(n("0.333333333333333333")));
    let all = Fixed18::weighted_mean([(n("1"), 1), (n("1"), 1), (n("1"), 1)], 3, half);
    assert_eq!(all, Ok(n("1")));
    assert_eq!(Fixed18::weighted_mean([(n("1"), 1)], 0, half), Err(MoneyError::DivisionByZero));
    let thirds = n("1").mul_div(n("2"), n("3"), half);
    assert_eq!(thirds, Ok(n("0.666666666666666667")));
    assert_eq!(n("1").mul_div(n("2"), n("0"), half), Err(MoneyError::DivisionByZero));
}

#[test]
fn costs_book_as_published() {
    let check = |quantity: &str, price: &str, code: &str, rule: Rounding, expected: i128| {
        let major = n(quantity).checked_mul(n(price), 18, Rounding::default()).unwrap();
        let cost = Cost { major, currency: Currency::parse(code).unwrap() };
        assert_eq!(cost.book(rule).unwrap().minor(), expected, "{quantity} x {price} {code}");
    };
    let (up, even) = (Rounding::HalfAwayFromZero, Rounding::HalfToEven);
    check("1500", "0.0075", "USD", up, 1125);
    check("450", "0.0089", "USD", up, 401); // to-even, or floating point, would say 400
    check("450", "0.0089", "USD", even, 400);
    check("-450", "0.0089", "USD", up, -401); // a refund mirrors its charge
    check("3", "0.5", "JPY", even, 2);
    check("3", "0.5", "JPY", up, 2);
    check("1", "1.2345", "BHD", up, 1235);
    check("1", "1.23455", "CLF", up, 12346);
    check("1", "1.23455", "CLF", even, 12346);
    check("1", "1.23445", "CLF", even, 12344);
}

#[test]
fn currencies_are_those_with_minor_units() {
    for (code, exponent) in [("USD", 2), ("jpy", 0), ("BHD", 3), ("CLF", 4), ("eur", 2)] {
        let currency = Currency::parse(code).unwrap();
        assert_eq!((currency.exponent(), currency.code()), (exponent, &*code.to_uppercase()));
    }
    for code in ["", "US", "USDX", "XAU", "XXX", "ZZZ", "U$D", "ÜSD"] {
        assert!(matches!(Currency::parse(code), Err(MoneyError::UnknownCurrency { .. })), "{code}");
    }
}

#[test]
fn money_shows_the_digits_of_its_currency_and_never_mixes() {
    let money = |minor, code| Money::from_minor(minor, Currency::parse(code).unwrap());
    assert_eq!(money(401, "USD").to_string(), "4.01 USD");
    assert_eq!(money(-5, "USD").to_string(), "-0.05 USD");
    assert_eq!(money(12, "JPY").to_string(), "12 JPY");
    assert_eq!(money(1, "BHD").to_string(), "0.001 BHD");
    assert_eq!(money(i128::MIN, "JPY").to_string(), format!("{} JPY", i128::MIN));
    let mixed = money(1, "USD").checked_add(money(1, "EUR"));
    assert!(matches!(mixed, Err(MoneyError::CurrencyMismatch { .. })));
    assert_eq!(money(i128::MAX, "USD").checked_add(money(1, "USD")), Err(MoneyError::Overflow));
    assert_eq!(money(i128::MAX, "USD").to_cost(), Err(MoneyError::Overflow));
    assert_eq!(money(401, "USD").to_cost().unwrap().major, n("4.01"));
    let cost = |minor, code| money(minor, code).to_cost().unwrap();
    assert_eq!(cost(401, "USD").checked_sub(cost(1, "USD")), Ok(cost(400, "USD")));
    let mixed = cost(1, "USD").checked_sub(cost(1, "EUR"));
    assert!(matches!(mixed, Err(MoneyError::CurrencyMismatch { .. })));
    let usd = money(0, "USD").currency();
    assert_eq!(Money::checked_sum(usd, []), Ok(Money::zero(usd)));
    assert_eq!(Money::checked_sum(usd, [money(2, "USD"), money(-3, "USD")]), Ok(money(-1, "USD")));
    assert!(Money::checked_sum(usd, [money(1, "EUR")]).is_err());
    assert_eq!(money(3, "USD").checked_neg(), Ok(money(-3, "USD")));
    assert_eq!(money(i128::MIN, "USD").checked_neg(), Err(MoneyError::Overflow));
}

#[test]
fn parts_of_a_split_are_fair_and_add_up() {
    let check = |total: i128, weights: &[u128], expected: &[i128]| {
        assert_eq!(allocate(total, weights).unwrap(), expected, "{total} by {weights:?}");
    };
    check(100, &[1, 1, 1], &[34, 33, 33]);
    check(-100, &[1, 1, 1], &[-34, -33, -33]);
    check(5, &[10, 21], &[2, 3]);
    check(0, &[3, 4], &[0, 0]);
    check(7, &[0, 1, 0], &[0, 7, 0]);
    check(i128::MAX, &[1], &[i128::MAX]);
    check(i128::MIN, &[1], &[i128::MIN]);
    assert_eq!(allocate(1, &[]), Err(MoneyError::NoWeights));
    assert_eq!(allocate(1, &[0, 0]), Err(MoneyError::NoWeights));
}

/// The reference: cuts with plain quotient and remainder, in 256 bits, and decides by the rule.
fn slow_round(value: I256, divisor: I256, rule: Rounding) -> I256 {
    let size = value.abs();
    let (whole, rest) = (size / divisor, size % divisor);
    let up = match rule {
        Rounding::TowardZero => false,
        Rounding::AwayFromZero => rest > I256::ZERO,
        Rounding::HalfAwayFromZero => rest * I256::new(2) >= divisor,
        Rounding::HalfToEven => {
            rest * I256::new(2) > divisor
                || (rest * I256::new(2) == divisor && whole % I256::new(2) == I256::ONE)
        }
    };
    let whole = if up { whole + I256::ONE } else { whole };
    if value < I256::ZERO { -whole } else { whole }
}

fn narrow(wide: I256) -> Option<i128> {
    i128::try_from(wide).ok()
}

/// Numbers of every size, often at the edges and often on ties.
fn atoms() -> impl Strategy<Value = i128> {
    prop_oneof![
        any::<i128>(),
        any::<i64>().prop_map(i128::from),
        -1_000_i128..1_000,
        (-1_000_i128..1_000).prop_map(|half| half * 500_000_000_000_000_000),
        Just(i128::MAX),
        Just(i128::MIN),
    ]
}

fn rule() -> impl Strategy<Value = Rounding> {
    (0..RULES.len()).prop_map(|place| RULES[place])
}

/// Few cases by default; `PROPTEST_CASES` asks for more.
fn few() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        config
    } else {
        ProptestConfig { cases: 64, ..config }
    }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn reading_gives_back_what_was_written(atoms in atoms()) {
        let number = Fixed18::from_atoms(atoms);
        prop_assert_eq!(Fixed18::parse(&number.to_string()), Ok(number));
    }

    #[test]
    fn reading_never_panics(text in "[-+0-9.eE]{0,48}|\\PC{0,12}") {
        if let (Ok(exact), Ok(rounded)) =
            (Fixed18::parse(&text), Fixed18::parse_rounded(&text, Rounding::HalfToEven))
        {
            prop_assert_eq!(exact, rounded);
        }
    }

    #[test]
    fn products_equal_the_reference(
        a in atoms(), b in atoms(), places in 0_u32..=18, rule in rule(),
    ) {
        let back = I256::new(10).pow(18 - places);
        let exact = I256::from(a) * I256::from(b);
        let expected = slow_round(exact, I256::new(10).pow(36 - places), rule) * back;
        let product = Fixed18::from_atoms(a).checked_mul(Fixed18::from_atoms(b), places, rule);
        prop_assert_eq!(product.ok().map(Fixed18::atoms), narrow(expected));
    }

    #[test]
    fn rounding_equals_the_reference(a in atoms(), places in 0_u32..=18, rule in rule()) {
        let unit = I256::new(10).pow(18 - places);
        let expected = narrow(slow_round(I256::from(a), unit, rule) * unit);
        let rounded = Fixed18::from_atoms(a).round(places, rule);
        prop_assert_eq!(rounded.ok().map(Fixed18::atoms), expected);
    }

    #[test]
    fn quotients_equal_the_reference(a in atoms(), b in atoms(), c in atoms(), rule in rule()) {
        prop_assume!(c != 0);
        let sign = if c < 0 { I256::new(-1) } else { I256::ONE };
        let exact = I256::from(a) * I256::from(b) * sign;
        let expected = narrow(slow_round(exact, I256::from(c).abs(), rule));
        let fixed = Fixed18::from_atoms;
        let quotient = fixed(a).mul_div(fixed(b), fixed(c), rule).ok().map(Fixed18::atoms);
        prop_assert_eq!(quotient, expected);
    }

    #[test]
    fn percentages_equal_the_reference(
        a in atoms(), b in atoms(), places in 0_u32..=18, rule in rule(),
    ) {
        let back = I256::new(10).pow(18 - places);
        let exact = I256::from(a) * I256::from(b);
        let expected = slow_round(exact, I256::new(10).pow(38 - places), rule) * back;
        let percent = Fixed18::from_atoms(a).percent(Fixed18::from_atoms(b), places, rule);
        prop_assert_eq!(percent.ok().map(Fixed18::atoms), narrow(expected));
    }

    #[test]
    fn a_split_adds_up_and_no_part_is_a_unit_off(
        total in any::<i128>(),
        weights in prop::collection::vec(0_u128..1 << 60, 1..8),
    ) {
        prop_assume!(weights.iter().any(|w| *w > 0));
        let parts = allocate(total, &weights).unwrap();
        let sum: I256 = parts.iter().map(|p| I256::from(*p)).sum();
        prop_assert_eq!(sum, I256::from(total));
        let all: I256 = weights.iter().map(|w| I256::from(*w)).sum();
        for (part, weight) in parts.iter().zip(&weights) {
            let off = I256::from(*part) * all - I256::from(total) * I256::from(*weight);
            prop_assert!(off.abs() < all);
        }
    }

    #[test]
    fn shown_amounts_add_up_to_the_shown_total(
        amounts in prop::collection::vec(any::<i64>(), 0..12),
        places in 0_u32..=18,
        rule in rule(),
    ) {
        let amounts: Vec<_> =
            amounts.into_iter().map(|a| Fixed18::from_atoms(i128::from(a) * 1_000_003)).collect();
        let shown = allocate_amounts(&amounts, places, rule).unwrap();
        let total = Fixed18::checked_sum(amounts.iter().copied()).unwrap();
        prop_assert_eq!(
            Fixed18::checked_sum(shown.iter().copied()).unwrap(),
            total.round(places, rule).unwrap()
        );
        let unit = 10_i128.pow(18 - places);
        for (shown, exact) in shown.iter().zip(&amounts) {
            prop_assert_eq!(shown.atoms() % unit, 0);
            prop_assert!((shown.atoms() - exact.atoms()).abs() <= unit);
        }
    }
}
