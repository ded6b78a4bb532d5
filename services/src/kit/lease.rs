//! The right to write on behalf of a group: a member has it while its coordinator has lately said that it is
//! one, and only for what it decided since it got its present partitions.
//!
//! A process may stand still at any point (stopped, swapped out, its machine asleep) and go on when others have
//! its partitions. What it had decided by then must not reach the log: its successor has read the log to
//! its end and does not expect it. The coordinator waits a whole session before it gives a silent member's
//! partitions away; the member stops writing well before that, by a clock that went on while it stood still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Asked for by a publisher, renewed by the member, taken up by the worker. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lease(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Microseconds of the process's clock; 0 while the group does not have us.
    until: AtomicU64,
    /// Grows whenever the partitions were lost: what was decided before belongs to others.
    epoch: AtomicU64,
    /// The epoch whose partitions the worker works on, and one more; 0 before the first.
    taken_up: AtomicU64,
}

/// How long a heartbeat's answer is good for, from when the heartbeat was sent. The rest of the session is for
/// what was on its way to the broker then: an append that is not answered in 3 s is given up.
pub(crate) const fn term(session: Duration) -> Duration {
    Duration::from_millis(session.as_millis() as u64 / 5 * 3)
}

impl Lease {
    /// The coordinator has confirmed this member: it may write until then.
    pub(crate) fn renew(&self, until: Duration) {
        self.0.until.fetch_max(micros(until), Ordering::Release);
    }

    /// The coordinator no longer knows this member.
    pub(crate) fn lose(&self) {
        self.0.epoch.fetch_add(1, Ordering::AcqRel);
        self.0.until.store(0, Ordering::Release);
    }

    /// Names the assignment that a member has just been given.
    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// The worker has forgotten all that it had decided before the assignment of `epoch`.
    pub(crate) fn take_up(&self, epoch: u64) {
        self.0.taken_up.store(epoch + 1, Ordering::Release);
    }

    /// The worker has finished with its partitions: whatever is left over is no longer to be written.
    pub(crate) fn put_down(&self) {
        self.0.taken_up.store(0, Ordering::Release);
    }

    /// Whether an append may begin `now`.
    pub(crate) fn holds(&self, now: Duration) -> bool {
        micros(now) < self.0.until.load(Ordering::Acquire)
            && self.0.taken_up.load(Ordering::Acquire) == self.epoch() + 1
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_ends_by_itself_and_is_renewed_by_the_coordinator() {
        let lease = Lease::default();
        assert!(!lease.holds(at(0)), "nobody gave one");
        lease.renew(at(6));
        lease.take_up(lease.epoch());
        assert!(lease.holds(at(5)) && !lease.holds(at(6)));
        lease.renew(at(9));
        lease.renew(at(8));
        assert!(lease.holds(at(8)), "an older answer takes nothing away");
    }

    #[test]
    fn what_was_decided_before_a_loss_is_never_written() {
        let lease = Lease::default();
        lease.take_up(lease.epoch());
        lease.renew(at(6));
        lease.lose();
        assert!(!lease.holds(at(1)));
        lease.renew(at(7));
        assert!(!lease.holds(at(1)), "a member again, but the worker has not heard of it");
        let assigned = lease.epoch();
        lease.lose();
        lease.renew(at(8));
        lease.take_up(assigned);
        assert!(!lease.holds(at(1)), "that assignment is lost as well");
        lease.take_up(lease.epoch());
        assert!(lease.holds(at(1)));
        lease.put_down();
        assert!(!lease.holds(at(1)), "revoked");
    }

    #[test]
    fn the_rest_of_a_session_is_longer_than_an_append_may_take() {
        let session = at(10);
        assert_eq!(term(session), at(6));
        assert!(session - term(session) > crate::kit::kafka::partition::APPEND_PATIENCE);
    }
}
