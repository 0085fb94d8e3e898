use super::*;

#[test]
fn the_surface_serves_what_its_list_says() {
    let expected = "POST /intake/v1/events Events_Take\n\
         POST /intake/v1/sources/{source}/reportedUntil Sources_ReportUntil\n";
    assert_eq!(httpkit::listing(group().operations()), expected);
}
