//! Memory for requests that are still arriving and for responses that nobody takes, bounded over all
//! connections together. Small amounts are free, as the limit on connections bounds them already.
//!
//! Of the whole, half is shared by all. A quarter waits for one request at a time: whoever finds the
//! half used up queues for it and is read to the end, so requests that block each other do not exist. The last
//! quarter is for the one batch that a fetch returns however large it is. When there is no room a
//! connection is not read: its client meets back pressure, not an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// What a connection may hold at a time without being counted.
pub(crate) const FREE_BYTES: usize = 16 * 1024;
/// One request may have at most this part of all.
pub(crate) const LARGEST_PART: usize = 4;
/// Of what is left, one response gets at most this part: many slow clients share what one could take.
const RESPONSE_PART: usize = 4;

pub(crate) struct Budget {
    shared_bytes: usize,
    largest_bytes: usize,
    used: AtomicUsize,
    freed: Notify,
    /// Who may use the quarter that lets one request through.
    express: Arc<Semaphore>,
}

impl Budget {
    /// All that connections may hold together, what is free of charge excepted.
    pub(crate) fn new(max_in_flight_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            shared_bytes: max_in_flight_bytes / 2,
            largest_bytes: max_in_flight_bytes / LARGEST_PART,
            used: AtomicUsize::new(0),
            freed: Notify::new(),
            express: Arc::new(Semaphore::new(1)),
        })
    }

    /// The largest request that always gets through.
    pub(crate) fn largest_bytes(&self) -> usize {
        self.largest_bytes
    }

    /// Whether memory is scarce, so that whoever holds some has to move.
    pub(crate) fn is_scarce(&self) -> bool {
        self.used() > self.shared_bytes / 2
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn left(&self) -> usize {
        self.shared_bytes.saturating_sub(self.used())
    }

    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: self.clone(), held: 0, express: None }
    }
}

/// What one connection holds of the budget; given back when it goes.
pub(crate) struct Share {
    budget: Arc<Budget>,
    held: usize,
    express: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Counts what the connection holds now, whether there is room for it or not.
    pub(crate) fn set(&mut self, bytes: usize) {
        let counted = if bytes > FREE_BYTES { bytes } else { 0 };
        if counted == self.held {
            return;
        }
        self.budget.used.fetch_add(counted, Ordering::Relaxed);
        self.budget.used.fetch_sub(self.held, Ordering::Relaxed);
        let shrinks = counted < self.held;
        self.held = counted;
        if counted == 0 {
            self.express = None;
        }
        if shrinks {
            self.pass_on();
        }
    }

    /// Counts them if there is room.
    pub(crate) fn try_set(&mut self, bytes: usize) -> bool {
        let grows_by = bytes.saturating_sub(self.held);
        let fits = bytes <= FREE_BYTES
            || grows_by == 0
            || self.express.is_some()
            || grows_by <= self.budget.left();
        if fits {
            self.set(bytes);
        }
        fits
    }

    /// Counts them as soon as there is room.
    pub(crate) async fn wait_to_set(&mut self, bytes: usize) {
        while !self.try_set(bytes) {
            let budget = self.budget.clone();
            tokio::select! {
                biased;
                express = budget.express.clone().acquire_owned() => self.express = express.ok(),
                () = budget.freed.notified() => {}
            }
        }
        self.pass_on();
    }

    /// The most that the next response should have: the less is left, the less.
    pub(crate) fn response_room(&self) -> usize {
        self.budget.left() / RESPONSE_PART
    }

    /// Whether others hold so much that a response of any size has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.express.is_none() && self.budget.used() - self.held >= self.budget.shared_bytes
    }

    /// Waits until a response may have memory.
    pub(crate) async fn wait_for_room(&self) {
        while self.is_full() {
            self.budget.freed.notified().await;
        }
        self.pass_on();
    }

    /// One waiter is woken at a time; each wakes the next while there is room.
    fn pass_on(&self) {
        if self.budget.left() > 0 {
            self.budget.freed.notify_one();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const KIB: usize = 1024;

    fn is_ready(future: impl Future) -> bool {
        matches!(pin!(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(_))
    }

    #[test]
    fn small_amounts_are_free_and_everything_is_given_back() {
        let budget = Budget::new(400 * KIB);
        let mut share = budget.share();
        share.set(FREE_BYTES);
        assert_eq!(budget.used(), 0);
        share.set(100 * KIB);
        assert_eq!(budget.used(), 100 * KIB);
        assert!(!budget.is_scarce());
        share.set(101 * KIB);
        assert!(budget.is_scarce());
        share.set(20 * KIB);
        assert_eq!(budget.used(), 20 * KIB);
        drop(share);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn without_room_one_at_a_time_goes_on_and_the_others_when_it_is_done() {
        let budget = Budget::new(400 * KIB);
        let mut shares: Vec<Share> = (0..4).map(|_| budget.share()).collect();
        assert!(shares[..2].iter_mut().all(|share| share.try_set(100 * KIB)));
        assert!(!shares[2].try_set(20 * KIB));
        assert!(is_ready(shares[2].wait_to_set(20 * KIB)), "it takes the express lane");
        assert!(is_ready(shares[2].wait_to_set(100 * KIB)), "and keeps it to the end");
        assert!(!is_ready(shares[3].wait_to_set(20 * KIB)));
        assert!(is_ready(shares[3].wait_to_set(FREE_BYTES)), "what is free needs no room");
        shares[2].set(0);
        assert!(is_ready(shares[3].wait_to_set(20 * KIB)));
    }

    #[test]
    fn room_that_is_given_back_wakes_every_waiter_that_it_suffices_for() {
        let budget = Budget::new(400 * KIB);
        let mut holder = budget.share();
        let mut express = budget.share();
        holder.set(200 * KIB);
        assert!(is_ready(express.wait_to_set(20 * KIB)));
        let (mut one, mut two) = (budget.share(), budget.share());
        let (mut one, mut two) =
            (Box::pin(one.wait_to_set(20 * KIB)), Box::pin(two.wait_to_set(20 * KIB)));
        assert!(!is_ready(&mut one) && !is_ready(&mut two));
        holder.set(0);
        assert!(is_ready(&mut two) || is_ready(&mut one), "the first in the queue is woken");
    }

    #[test]
    fn responses_become_smaller_and_then_wait() {
        let budget = Budget::new(400 * KIB);
        let (mut reader, waiter) = (budget.share(), budget.share());
        assert_eq!(waiter.response_room(), 50 * KIB);
        reader.set(160 * KIB);
        assert_eq!(waiter.response_room(), 10 * KIB);
        assert!(!waiter.is_full());
        reader.set(200 * KIB);
        assert!(waiter.is_full() && !is_ready(waiter.wait_for_room()));
        assert!(!reader.is_full(), "its own memory never keeps it from going on");
        reader.set(0);
        assert!(is_ready(waiter.wait_for_room()));
    }
}
