//! What Azure's clients need before they ask for anything: tokens, OpenID and cloud metadata,
//! subscriptions.

mod basic;
mod metadata;
mod subscriptions;
mod tokens;

use armkit::{LetterCase, correlate};
use httpkit::{Group, House, Surface};
use service::Reckoner;
use std::sync::Arc;

/// The surface.
///
/// # Panics
///
/// Never: its paths spell each segment in one way, which a test checks.
pub fn surface(reckoner: &Reckoner, house: &House) -> Surface {
    let group = group();
    let letter_case = LetterCase::new(group.operations()).expect("each segment has one spelling");
    let frame = house.frame(armkit::render);
    let mut surface = Surface::new("arm-base", group, reckoner.clone(), frame);
    let clock = reckoner.clone();
    let now = Arc::new(move || clock.system_now().to_string());
    surface.router = correlate(surface.router, now);
    surface.rewrites.push(letter_case.into_rewrite());
    surface
}

fn group() -> Group<Reckoner> {
    Group::new()
        .get("Metadata_Endpoints", "/metadata", "/endpoints", metadata::endpoints)
        .get(
            "OpenId_Configuration",
            "/{tenant}/v2.0",
            "/.well-known/openid-configuration",
            tokens::configuration,
        )
        .get("OpenId_Keys", "/{tenant}/discovery", "/v2.0/keys", tokens::keys)
        .post("OAuth2_Token", "/{tenant}/oauth2", "/v2.0/token", tokens::issue)
        .get("Subscriptions_List", "/subscriptions", "", subscriptions::list)
        .get("Subscriptions_Get", "/subscriptions", "/{subscription}", subscriptions::get)
        // What no surface serves is refused as ARM refuses.
        .rest("")
}

#[cfg(test)]
mod tests;
