//! The broker's only source of time. Everything else is handed a [`Now`], so a test or a
//! simulation can hand it any time it likes.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One moment, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// Milliseconds since the broker started; never goes back. Deadlines use it.
    pub(crate) monotonic_ms: u64,
    /// Milliseconds since 1970. Retention by time uses it.
    pub(crate) wall_ms: i64,
}

/// The real clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_wall_ms: i64,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_wall_ms: wall.as_millis() as i64 }
    }

    /// One read of the monotonic clock serves both, so a step of the wall clock changes nothing.
    pub(crate) fn now(&self) -> Now {
        let elapsed_ms = self.started.elapsed().as_millis() as u64;
        Now { monotonic_ms: elapsed_ms, wall_ms: self.started_wall_ms + elapsed_ms as i64 }
    }

    pub(crate) fn instant(&self, monotonic_ms: u64) -> Instant {
        self.started + std::time::Duration::from_millis(monotonic_ms)
    }
}
