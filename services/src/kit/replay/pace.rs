//! So many events a second, in batches. Pure.

use std::time::Duration;

/// Keeps a rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Events a second; 0 for no limit.
    rate: u32,
    batch_size: u32,
    began: Duration,
}

impl Pace {
    pub(super) const fn new(rate: u32, batch_size: u32, began: Duration) -> Self {
        Self { rate, batch_size, began }
    }

    /// Events to take in before the clock is looked at again: a batch, or less where that would take longer than
    /// a moment, so that the progress can be seen.
    pub(super) fn step(self) -> usize {
        let moment = if self.rate == 0 { u32::MAX } else { (self.rate / 5).max(1) };
        usize::try_from(self.batch_size.min(moment).max(1)).unwrap_or(usize::MAX)
    }

    /// How long to wait at `now` when so many events are done.
    pub(super) fn pause(self, events: u64, now: Duration) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let micros = events.saturating_mul(1_000_000) / u64::from(self.rate);
        (self.began + Duration::from_micros(micros)).saturating_sub(now)
    }

    /// Events a second so far.
    pub(super) fn achieved(self, events: u64, now: Duration) -> f64 {
        let elapsed = now.saturating_sub(self.began).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let events = events as f64;
        if elapsed > 0.0 { events / elapsed } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_events_take_a_second_at_a_hundred_a_second() {
        let began = Duration::from_secs(7);
        let pace = Pace::new(100, 1_000, began);
        assert_eq!(pace.pause(100, began), Duration::from_secs(1));
        assert_eq!(pace.pause(100, began + Duration::from_millis(400)), Duration::from_millis(600));
        assert_eq!(pace.pause(100, began + Duration::from_secs(2)), Duration::ZERO);
        assert!((pace.achieved(100, began + Duration::from_secs(2)) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_limit_nothing_waits_and_batches_are_whole() {
        let pace = Pace::new(0, 1_000, Duration::ZERO);
        assert_eq!((pace.pause(u64::MAX, Duration::ZERO), pace.step()), (Duration::ZERO, 1_000));
        assert_eq!(Pace::new(100, 1_000, Duration::ZERO).step(), 20);
        assert_eq!(Pace::new(1, 1_000, Duration::ZERO).step(), 1);
    }
}
