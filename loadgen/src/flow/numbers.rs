//! What generic flows count for their placeholders, over all load processes.

use std::cell::Cell;

use crate::executor::schedule::Stripe;

/// The users of one scenario, and its sequence.
pub(super) struct Numbers {
    stripe: Stripe,
    users: Cell<u64>,
    sequence: Cell<u64>,
}

impl Numbers {
    pub(super) fn new(stripe: Stripe) -> Self {
        Self { stripe, users: Cell::default(), sequence: Cell::default() }
    }

    /// The next virtual user's number, from 1.
    pub(super) fn next_user(&self) -> u32 {
        u32::try_from(self.next(&self.users)).unwrap_or(u32::MAX)
    }

    /// The sequence's next number, from 1.
    pub(super) fn next_in_sequence(&self) -> u64 {
        self.next(&self.sequence)
    }

    /// One that no other load process gives out.
    fn next(&self, counter: &Cell<u64>) -> u64 {
        self.stripe.number(counter.replace(counter.get() + 1)) + 1
    }
}
