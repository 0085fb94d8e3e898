use super::*;

#[test]
fn the_surface_serves_what_its_list_says() {
    let expected = "GET /metadata/endpoints Metadata_Endpoints\n\
         GET /subscriptions Subscriptions_List\n\
         GET /subscriptions/{subscription} Subscriptions_Get\n\
         GET /{tenant}/discovery/v2.0/keys OpenId_Keys\n\
         POST /{tenant}/oauth2/v2.0/token OAuth2_Token\n\
         GET /{tenant}/v2.0/.well-known/openid-configuration OpenId_Configuration\n";
    assert_eq!(httpkit::listing(group().operations()), expected);
}

#[test]
fn each_segment_has_one_spelling() {
    assert!(LetterCase::new(group().operations()).is_ok());
}
