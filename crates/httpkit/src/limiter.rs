//! How often somebody may ask: GCRA per principal and scope.

use crate::edge::Elapsed;
use domain::Error;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// A rate: so many at once, and one more for every interval gone.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Requests that may come at once.
    pub burst: NonZeroU32,
    /// Time until one more may come; at least a nanosecond.
    pub refill_every: Duration,
    /// Most callers that are told apart; beyond them new ones are refused until others rest.
    pub keys_most: usize,
}

/// Who asks, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LimitKey {
    /// The principal, or the address of somebody unknown.
    pub principal: String,
    /// The scope or tenant, empty for all.
    pub scope: String,
}

/// Counts requests.
pub struct Limiter {
    inner:
        RateLimiter<LimitKey, DefaultKeyedStateStore<LimitKey>, Ticks, StateInformationMiddleware>,
    clock: Ticks,
    keys_most: usize,
}

impl Limiter {
    /// A limiter on a clock that never goes back.
    pub fn new(rate: Rate, elapsed: Elapsed) -> Limiter {
        let Rate { burst, refill_every, keys_most } = rate;
        let quota = Quota::with_period(refill_every.max(Duration::from_nanos(1)))
            .unwrap_or_else(|| Quota::per_second(burst))
            .allow_burst(burst);
        let clock = Ticks(elapsed);
        let store = DefaultKeyedStateStore::default();
        let inner = RateLimiter::new(quota, store, clock.clone());
        Limiter { inner, clock, keys_most }
    }

    /// Counts one request and says how many more may come at once.
    ///
    /// Errors: [`Error::TooMany`] with the seconds to wait.
    pub fn check(&self, key: &LimitKey) -> Result<u32, Error> {
        if self.inner.len() >= self.keys_most {
            self.inner.retain_recent();
            if self.inner.len() >= self.keys_most {
                return Err(Error::TooMany { retry_after_s: 1 });
            }
        }
        match self.inner.check_key(key) {
            Ok(snapshot) => Ok(snapshot.remaining_burst_capacity()),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let retry_after_s =
                    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
                Err(Error::TooMany { retry_after_s: retry_after_s.max(1) })
            }
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limiter({} keys)", self.inner.len())
    }
}

#[derive(Clone)]
struct Ticks(Elapsed);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        (self.0)()
    }
}
