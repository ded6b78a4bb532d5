//! Ended orders that are in memory, in the order in which they ended: the oldest leave first. Pure.

use std::collections::VecDeque;

use contract::ids::OrderId;

#[derive(Debug, Default)]
pub(in crate::status) struct Ended {
    queue: VecDeque<OrderId>,
    /// How many have been put in so far.
    pushed: u64,
}

impl Ended {
    pub(in crate::status) fn push(&mut self, order: OrderId) {
        self.queue.push_back(order);
        self.pushed += 1;
    }

    /// How many have been put in so far: orders that came up to here are those before it.
    pub(in crate::status) const fn pushed(&self) -> u64 {
        self.pushed
    }

    pub(in crate::status) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Takes out the oldest beyond the `recent` newest: at most `most`, and only those that came up to `until`.
    pub(in crate::status) fn take(
        &mut self,
        recent: usize,
        most: usize,
        until: u64,
    ) -> Vec<OrderId> {
        let beyond = self.queue.len().saturating_sub(recent);
        let before = self.pushed - self.queue.len() as u64;
        let allowed = usize::try_from(until.saturating_sub(before)).unwrap_or(usize::MAX);
        self.queue.drain(..beyond.min(most).min(allowed)).collect()
    }

    /// Puts back what was taken out, in its order.
    pub(in crate::status) fn put_back(&mut self, orders: impl DoubleEndedIterator<Item = OrderId>) {
        orders.rev().for_each(|order| self.queue.push_front(order));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leave_and_no_more_than_may() {
        let ids: Vec<OrderId> =
            (0..6).map(|number| OrderId::for_idempotency_key(&number.to_string())).collect();
        let mut ended = Ended::default();
        assert!(ended.take(0, 10, u64::MAX).is_empty());
        ids[..4].iter().for_each(|id| ended.push(*id));
        let written = ended.pushed();
        ids[4..].iter().for_each(|id| ended.push(*id));
        assert_eq!(ended.take(3, 2, u64::MAX), ids[..2], "at most two at once");
        ended.put_back(ids[..2].iter().copied());
        assert_eq!(ended.take(3, 10, u64::MAX), ids[..3], "three stay");
        assert_eq!(ended.take(0, 10, written), ids[3..4], "the others came later");
        assert_eq!((ended.len(), ended.pushed()), (2, 6));
    }
}
