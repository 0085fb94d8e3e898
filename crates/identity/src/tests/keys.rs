//! API keys, client secrets, signed links, headers.

use super::now;
use crate::{ApiKey, Credential, LinkSigner, NewKey, hash_secret, new_secret, verify_secret};

#[test]
fn a_key_is_known_again_and_a_slip_of_the_pen_is_not() {
    let new = NewKey::from_random([7; 32]);
    let text = new.text.as_str();
    assert!(text.starts_with("rk_live_0707") && text.len() == 80);
    let shown = ApiKey::parse(text).unwrap();
    assert_eq!(shown.key_id(), new.key_id);
    assert!(shown.matches(&new.hash));
    assert!(!shown.matches(&NewKey::from_random([8; 32]).hash));
    let slips = [
        text.replacen("07", "08", 1),
        text.to_uppercase(),
        text[..79].to_owned(),
        format!("{text}0"),
        text.replacen("rk_live_", "rk_test_", 1),
        "rk_live_é".repeat(9),
        String::new(),
    ];
    for slip in slips {
        assert!(ApiKey::parse(&slip).is_err(), "{slip}");
    }
}

#[test]
fn any_of_two_secrets_opens() {
    let (old, new) = (new_secret([1; 32]), new_secret([2; 32]));
    let kept = [hash_secret(&old), hash_secret(&new)];
    for (given, opens) in [(old.as_str(), true), (new.as_str(), true), ("", false), ("x", false)] {
        assert_eq!(verify_secret(given, &kept), opens, "{given}");
    }
    assert!(!verify_secret(&old, &[]));
}

#[test]
fn a_link_opens_what_was_signed_and_nothing_else() {
    let signer = LinkSigner::new([3; 32]);
    let params = [("offer", "MS-AZR-0003P"), ("locale", "en-US & more")];
    let query = signer.sign("RateCard", &params, now().plus_seconds(60));
    let check = |operation: &str, query: &str, after_s: i64, expected: &str| {
        let outcome = match signer.verify(operation, query, now().plus_seconds(after_s)) {
            Ok(pairs) => format!("{pairs:?}"),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(outcome, expected, "{operation}?{query}");
    };
    let opened = r#"[("offer", "MS-AZR-0003P"), ("locale", "en-US & more")]"#;
    check("RateCard", &query, 0, opened);
    check("RateCard", &query, 59, opened);
    check("RateCard", &query, 60, "Expired");
    check("Invoice", &query, 0, "BadSignature");
    check("RateCard", &query.replace("0003P", "0062P"), 0, "BadSignature");
    check("RateCard", &query.replace("expires=1", "expires=9"), 0, "BadSignature");
    check("RateCard", &format!("{query}&extra=1"), 0, "BadSignature");
    check("RateCard", &query.replace("signature=", "signature=zz"), 0, "Malformed");
    check("RateCard", "offer=MS-AZR-0003P", 0, "Missing");
    let (head, tail) = query.split_once('&').unwrap();
    let reordered = format!("{tail}&{head}");
    assert!(signer.verify("RateCard", &reordered, now()).is_ok());
    assert!(LinkSigner::new([4; 32]).verify("RateCard", &query, now()).is_err());
}

#[test]
fn a_header_is_read_by_its_scheme() {
    let check = |value: Option<&str>, expected: &str| {
        assert_eq!(format!("{:?}", Credential::from_header(value)), expected, "{value:?}");
    };
    check(None, "Err(Missing)");
    check(Some("  "), "Err(Missing)");
    check(Some("Bearer abc.def.ghi"), "Ok(Token(…))");
    check(Some("bearer  abc.def.ghi "), "Ok(Token(…))");
    check(Some("bearer rk_live_1"), "Ok(Key(…))");
    check(Some("App rk_live_1"), "Ok(Key(…))");
    check(Some("Bearer"), "Err(Malformed)");
    check(Some("Bearer a b"), "Err(Malformed)");
    check(Some("Basic YTpi"), "Ok(Client(…))");
    check(Some("bAsIc YTpi"), "Ok(Client(…))");
    check(Some("IBSSO f9b9c1c2"), "Ok(Session(…))");
    check(Some("ibsso f9b9c1c2"), "Ok(Session(…))");
    check(Some("IBSSO"), "Err(Malformed)");
    check(Some("IBSSO a b"), "Err(Malformed)");
    check(Some("Digest YTpi"), "Err(Malformed)");
}

#[test]
fn a_client_is_read_up_to_the_first_colon() {
    let check = |header: &str, expected: &str| {
        let read = Credential::from_header(Some(header)).and_then(Credential::client);
        let told = match read {
            Ok(client) => format!("{} and {}", client.id, *client.secret),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(told, expected, "{header}");
    };
    check("Basic YTpi", "a and b");
    check("Basic YTpiOmM=", "a and b:c");
    check("Basic Og==", " and ");
    check("Basic YTpiOmM", "Malformed"); // without its padding
    check("Basic YQ==", "Malformed"); // no colon
    check("Basic /zo=", "Malformed"); // no text
    check("Basic ===", "Malformed");
    check("Bearer YTpi", "Malformed");
    check("App YTpi", "Malformed");
    check("IBSSO YTpi", "Malformed");
}

#[test]
fn debug_shows_no_secret() {
    let new = NewKey::from_random([7; 32]);
    let shown = format!(
        "{new:?} {:?} {:?} {:?} {:?}",
        ApiKey::parse(&new.text).unwrap(),
        LinkSigner::new([7; 32]),
        Credential::from_header(Some("Basic YTowNzA3")).and_then(Credential::client).unwrap(),
        Credential::from_header(Some(&format!("App {}", *new.text))).unwrap(),
    );
    assert!(!shown.contains("0707") && !shown.contains("7, 7") && shown.contains(&new.key_id));
}
