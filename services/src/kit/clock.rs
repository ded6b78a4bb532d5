//! Time, from one place, so that a simulation can supply its own.

use std::time::{Duration, SystemTime};

use contract::Timestamp;

/// The process's clock.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    origin: Duration,
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
impl Clock {
    #[must_use]
    pub(crate) fn system() -> Self {
        Self { origin: since_boot() }
    }

    /// What time it is.
    #[must_use]
    pub(crate) fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    /// How long ago this clock was made: never jumps, for measuring. Goes on while the process is stopped, and
    /// while the machine sleeps.
    #[must_use]
    pub(crate) fn monotonic(&self) -> Duration {
        since_boot().saturating_sub(self.origin)
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    // Every Linux that is still cared for has this clock.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Elsewhere the time that the machine sleeps is not counted.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
fn since_boot() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ORIGIN.elapsed()
}
