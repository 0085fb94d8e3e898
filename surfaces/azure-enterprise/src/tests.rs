use super::routes::Version;
use super::*;

#[test]
fn the_surface_serves_what_its_list_says() {
    let lines = httpkit::listing(group().operations());
    assert_eq!(lines, include_str!("../routes.txt"), "routes.txt should be:\n{lines}");
}

#[test]
fn each_segment_has_one_spelling() {
    assert!(LetterCase::new(group().operations()).is_ok());
}

#[test]
fn versions_are_the_first_segment_in_any_letter_case() {
    let check = |path: &str, expected: Option<Version>| assert_eq!(Version::of(path), expected);
    check("/v1/enrollments/100/billingperiods", Some(Version::V1));
    check("/V4/enrollments/100/reservationcharges", Some(Version::V4));
    check("/v5/enrollments/100/billingperiods", None);
    check("/v0/enrollments/100/billingperiods", None);
    check("/v", None);
    check("", None);
}
