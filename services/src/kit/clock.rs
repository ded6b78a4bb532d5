//! Time, from one place, so that a simulation can supply its own.

use std::time::{Duration, Instant, SystemTime};

use contract::Timestamp;

/// The process's clock.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    origin: Instant,
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
impl Clock {
    #[must_use]
    pub(crate) fn system() -> Self {
        Self { origin: Instant::now() }
    }

    /// What time it is.
    #[must_use]
    pub(crate) fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    /// How long ago this clock was made: never jumps, for measuring.
    #[must_use]
    pub(crate) fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}
