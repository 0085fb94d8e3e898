//! What requests about transfers name: who is asked, and what moves.

use crate::structure::is_same;
use domain::ids::{ReservationId, SubscriptionId};
use domain::transfers::ProductKind;
use domain::{Error, Result};

/// Most characters of a mail address. Source: RFC 5321, section 4.5.3.1.
const ADDRESS_MOST: usize = 254;
/// Most products that are named at once.
const PRODUCTS_MOST: usize = 100;

/// A mail address as it is kept: trimmed. Whether anybody reads there nobody knows.
///
/// Errors: [`Error::Invalid`].
pub(crate) fn address(text: &str) -> Result<String> {
    let text = text.trim();
    let is_plain = |part: &str| !part.is_empty() && !part.chars().any(|one| one.is_whitespace());
    let is_one = text.rsplit_once('@').is_some_and(|(name, host)| is_plain(name) && is_plain(host));
    if !is_one || text.chars().any(char::is_control) {
        return Err(Error::invalid("recipient_email", "must be a mail address"));
    }
    if text.chars().count() > ADDRESS_MOST {
        let problem = format!("is longer than {ADDRESS_MOST} characters");
        return Err(Error::invalid("recipient_email", problem));
    }
    Ok(text.to_owned())
}

/// Holdings as they are named: each once, by what can be an id of its kind.
///
/// Errors: [`Error::Invalid`].
pub(crate) fn check_products(products: &[(ProductKind, String)]) -> Result<()> {
    let refused = |problem: String| Err(Error::invalid("products", problem));
    if products.is_empty() {
        return refused("must name at least one".to_owned());
    }
    if products.len() > PRODUCTS_MOST {
        return refused(format!("are {}; at most {PRODUCTS_MOST}", products.len()));
    }
    for (number, (kind, id)) in products.iter().enumerate() {
        let named = match kind {
            ProductKind::Subscription => SubscriptionId::new(id).map(drop),
            ProductKind::Reservation => ReservationId::new(id).map(drop),
        };
        if let Err(problem) = named {
            return refused(format!("[{number}]: {problem}"));
        }
        let mut before = products.iter().take(number);
        if before.any(|(other, earlier)| other == kind && is_same(earlier, id)) {
            return refused(format!("name {} `{id}` twice", kind.name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_is_named_by_a_mail_address() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(address(text).ok().as_deref(), expected, "{text}");
        };
        check("bob@example.com", Some("bob@example.com"));
        check("  Bob@Example.com ", Some("Bob@Example.com"));
        check("\"a@b\"@example.com", Some("\"a@b\"@example.com"));
        check("", None);
        check("bob", None);
        check("@example.com", None);
        check("bob@", None);
        check("bob@ex ample", None);
        check("bob\u{7}@example.com", None);
        let long = |size: usize| format!("{}@b", "a".repeat(size));
        check(&long(252), Some(&long(252)));
        check(&long(253), None);
    }

    #[test]
    fn each_product_is_named_once() {
        let check = |products: &[(ProductKind, &str)], expected: Option<&str>| {
            let products: Vec<_> =
                products.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect();
            let found = check_products(&products).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{products:?}");
        };
        let (one, two) = (ProductKind::Subscription, ProductKind::Reservation);
        check(&[(one, "a"), (two, "a"), (one, "b")], None);
        check(&[], Some("products: must name at least one"));
        check(&[(one, "a"), (one, "A")], Some("products: name subscription `A` twice"));
        let many: Vec<(ProductKind, String)> =
            (0..=PRODUCTS_MOST).map(|number| (one, number.to_string())).collect();
        let refused = check_products(&many).unwrap_err().to_string();
        assert_eq!(refused, "products: are 101; at most 100");
        assert!(check_products(&many[1..]).is_ok());
        let long = "a".repeat(129);
        let said = |of: &str, problem: &str| format!("products: [1]: {of}: {problem}");
        let control = said("subscription", "must not hold control characters");
        check(&[(one, "a"), (one, "b\u{0}")], Some(control.as_str()));
        let empty = said("subscription", "must not be empty");
        check(&[(one, "a"), (one, "")], Some(empty.as_str()));
        let most = said("reservation", "is 129 bytes long; at most 128");
        check(&[(one, "a"), (two, long.as_str())], Some(most.as_str()));
    }
}
