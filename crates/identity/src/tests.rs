//! Facts about tokens, keys and links.

mod enterprise_keys;
mod external;
mod keys;
mod tokens;

use calendar::Instant;
use std::sync::{Arc, OnceLock};

use crate::Issuer;

/// 2026-11-21T00:00:00Z.
fn now() -> Instant {
    Instant::from_civil(2026, 11, 21, 0).unwrap()
}

/// Two issuers; making keys is slow, so all tests share them.
fn issuers() -> &'static [Arc<Issuer>; 2] {
    static MADE: OnceLock<[Arc<Issuer>; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        [(); 2].map(|()| Arc::new(Issuer::from_secret(&Issuer::new_secret().unwrap()).unwrap()))
    })
}
