//! The two clocks. Both are passed in; nothing below `server` reads the time by itself.

use crate::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What billing means by "now": periods, prices, due dates, retention, "in the future".
pub trait BusinessClock: Send + Sync + 'static {
    /// The business moment.
    fn now(&self) -> Instant;
}

/// What machines mean by "now": certificates, tokens, signed links, leases, limits, retries.
pub trait SystemClock: Send + Sync + 'static {
    /// The real moment.
    fn now(&self) -> Instant;
}

/// The machine's own clock; made by `server` only.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

impl WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the machine's clock is read"
    )]
    fn read() -> Instant {
        let since =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl BusinessClock for WallClock {
    fn now(&self) -> Instant {
        WallClock::read()
    }
}

impl SystemClock for WallClock {
    fn now(&self) -> Instant {
        WallClock::read()
    }
}

/// A business clock that runs at a distance from a system clock; the distance can be moved forward.
#[derive(Clone)]
pub struct OffsetClock {
    base: Arc<dyn SystemClock>,
    offset_micros: Arc<AtomicI64>,
}

impl OffsetClock {
    /// A clock that says `now` at this moment and runs on from there.
    pub fn starting_at(now: Instant, base: Arc<dyn SystemClock>) -> OffsetClock {
        let offset = now.since(base.now());
        OffsetClock { base, offset_micros: Arc::new(AtomicI64::new(offset)) }
    }

    /// Moves the clock forward; negative distances are ignored.
    pub fn advance(&self, micros: i64) {
        let forward = |offset: i64| offset.saturating_add(micros.max(0));
        self.offset_micros.update(Ordering::SeqCst, Ordering::SeqCst, forward);
    }
}

impl BusinessClock for OffsetClock {
    fn now(&self) -> Instant {
        self.base.now().plus_micros(self.offset_micros.load(Ordering::SeqCst))
    }
}

/// A clock that stands still until it is set: for tests.
#[derive(Debug, Clone)]
pub struct SetClock(Arc<AtomicI64>);

impl SetClock {
    /// A clock that says `now` until told otherwise.
    pub fn at(now: Instant) -> SetClock {
        SetClock(Arc::new(AtomicI64::new(now.micros())))
    }

    /// Sets the clock.
    pub fn set(&self, now: Instant) {
        self.0.store(now.micros(), Ordering::SeqCst);
    }

    fn read(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }
}

impl BusinessClock for SetClock {
    fn now(&self) -> Instant {
        self.read()
    }
}

impl SystemClock for SetClock {
    fn now(&self) -> Instant {
        self.read()
    }
}
