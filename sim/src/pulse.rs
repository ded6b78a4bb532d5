//! How long a connection may take. The connection says what it is doing, which costs it a store and
//! no look at the clock; from time to time all of them are looked at, with the time passed in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Now;

/// A transfer that has not ended within its time must have moved at least this many bytes in it,
const LEAST_BYTES: u64 = 64 * 1024;
/// and at least this part of all that it has moved: who holds more must be faster.
const LEAST_PART: u64 = 8;
/// The time that is left to it when memory is scarce.
const SCARCE_TRANSFER_MS: u64 = 2_000;

const PHASES: u64 = 3;
const IDLE: u64 = 0;
const TRANSFERRING: u64 = 1;
const EXEMPT: u64 = 2;

/// What a connection is doing: written by itself, read by who watches it.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Counts phases; which one it is, is the remainder.
    phase: AtomicU64,
    /// Bytes of the request that arrives, or of the responses that leave.
    moved_bytes: AtomicU64,
}

impl Pulse {
    fn enter(&self, phase: u64) {
        let turn = self.phase.load(Ordering::Relaxed) / PHASES + 1;
        self.phase.store(turn * PHASES + phase, Ordering::Relaxed);
    }

    /// Nothing has begun: the next request may take its time.
    pub(crate) fn idle(&self) {
        self.enter(IDLE);
    }

    /// A request has begun to arrive, or responses to leave: the client has to go on.
    pub(crate) fn transferring(&self, moved_bytes: usize) {
        self.moved_bytes.store(moved_bytes as u64, Ordering::Relaxed);
        self.enter(TRANSFERRING);
    }

    /// More of the same transfer.
    pub(crate) fn moved(&self, bytes: usize) {
        self.moved_bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// It is the client's turn to wait: for records, for its group, for memory.
    pub(crate) fn exempt(&self) {
        self.enter(EXEMPT);
    }
}

/// How long is too long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) idle_ms: u64,
    pub(crate) transfer_ms: u64,
}

impl Patience {
    pub(crate) fn new(idle: Duration, transfer: Duration) -> Self {
        Self { idle_ms: idle.as_millis() as u64, transfer_ms: transfer.as_millis() as u64 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    Idle {
        for_ms: u64,
    },
    /// The bytes of the whole transfer, of which few came in this time.
    Transfer {
        moved_bytes: u64,
        for_ms: u64,
    },
}

/// What its watcher knows of a pulse.
#[derive(Debug)]
pub(crate) struct Watched {
    phase: u64,
    moved_before: u64,
    since_ms: u64,
}

impl Watched {
    pub(crate) fn new(now: Now) -> Self {
        Self { phase: 0, moved_before: 0, since_ms: now.monotonic_ms }
    }

    /// Looks at a connection; returns why it should be closed, if so.
    pub(crate) fn look(
        &mut self,
        pulse: &Pulse,
        now: Now,
        patience: Patience,
        scarce: bool,
    ) -> Option<Overdue> {
        let phase = pulse.phase.load(Ordering::Relaxed);
        let moved = pulse.moved_bytes.load(Ordering::Relaxed);
        if phase != self.phase {
            *self = Self { phase, moved_before: moved, since_ms: now.monotonic_ms };
            return None;
        }
        let for_ms = now.monotonic_ms - self.since_ms;
        match phase % PHASES {
            IDLE if for_ms >= patience.idle_ms => Some(Overdue::Idle { for_ms }),
            TRANSFERRING => {
                let longest_ms = if scarce { SCARCE_TRANSFER_MS } else { u64::MAX };
                if for_ms < patience.transfer_ms.min(longest_ms) {
                    return None;
                }
                let least = LEAST_BYTES.max(moved / LEAST_PART);
                if moved - self.moved_before < least {
                    return Some(Overdue::Transfer { moved_bytes: moved, for_ms });
                }
                *self = Self { phase, moved_before: moved, since_ms: now.monotonic_ms };
                None
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { idle_ms: 600_000, transfer_ms: 30_000 };

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, wall_ms: 0 }
    }

    fn look(watched: &mut Watched, pulse: &Pulse, ms: u64) -> Option<Overdue> {
        watched.look(pulse, at(ms), PATIENCE, false)
    }

    #[test]
    fn a_silent_client_is_idle_from_its_last_request_on() {
        let (pulse, mut watched) = (Pulse::default(), Watched::new(at(0)));
        assert_eq!(look(&mut watched, &pulse, 599_999), None);
        pulse.idle();
        assert_eq!(look(&mut watched, &pulse, 600_000), None, "it has asked something meanwhile");
        assert_eq!(look(&mut watched, &pulse, 1_199_999), None);
        let idle = Some(Overdue::Idle { for_ms: 600_000 });
        assert_eq!(look(&mut watched, &pulse, 1_200_000), idle);
    }

    #[test]
    fn a_request_must_go_on_arriving() {
        let (pulse, mut watched) = (Pulse::default(), Watched::new(at(0)));
        pulse.transferring(10);
        assert_eq!(look(&mut watched, &pulse, 0), None);
        assert_eq!(look(&mut watched, &pulse, 29_999), None);
        pulse.moved(10 + 64 * 1024);
        assert_eq!(look(&mut watched, &pulse, 30_000), None, "a slow line that works is no fault");
        assert_eq!(look(&mut watched, &pulse, 59_999), None);
        pulse.moved(9 + 128 * 1024);
        let stuck = Some(Overdue::Transfer { moved_bytes: 9 + 128 * 1024, for_ms: 30_000 });
        assert_eq!(look(&mut watched, &pulse, 60_000), stuck);
    }

    #[test]
    fn who_holds_much_must_be_fast() {
        let (pulse, mut watched) = (Pulse::default(), Watched::new(at(0)));
        pulse.transferring(0);
        look(&mut watched, &pulse, 0);
        pulse.moved(8 << 20);
        assert_eq!(look(&mut watched, &pulse, 30_000), None);
        pulse.moved(9 << 20);
        assert!(look(&mut watched, &pulse, 60_000).is_some());
    }

    #[test]
    fn when_memory_is_scarce_transfers_have_less_time_and_idleness_as_much() {
        let (pulse, mut watched) = (Pulse::default(), Watched::new(at(0)));
        pulse.transferring(0);
        watched.look(&pulse, at(0), PATIENCE, true);
        assert_eq!(watched.look(&pulse, at(1_999), PATIENCE, true), None);
        assert!(watched.look(&pulse, at(2_000), PATIENCE, true).is_some());
        pulse.idle();
        watched.look(&pulse, at(3_000), PATIENCE, true);
        assert_eq!(watched.look(&pulse, at(600_000), PATIENCE, true), None);
    }

    #[test]
    fn who_waits_for_the_broker_may_wait_forever() {
        let (pulse, mut watched) = (Pulse::default(), Watched::new(at(0)));
        pulse.exempt();
        assert_eq!(look(&mut watched, &pulse, 0), None);
        assert_eq!(look(&mut watched, &pulse, u64::MAX), None);
    }
}
