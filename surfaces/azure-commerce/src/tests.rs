use super::*;

#[test]
fn the_surface_serves_what_its_list_says() {
    let expected = "GET /subscriptions/{subscription}/providers/Microsoft.Commerce/RateCard RateCard_Get\n\
         GET /subscriptions/{subscription}/providers/Microsoft.Commerce/RateCard/download RateCard_Download\n\
         GET /subscriptions/{subscription}/providers/Microsoft.Commerce/UsageAggregates UsageAggregates_List\n";
    assert_eq!(httpkit::listing(group().operations()), expected);
}

#[test]
fn each_segment_has_one_spelling() {
    assert!(LetterCase::new(group().operations()).is_ok());
}
