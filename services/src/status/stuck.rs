//! Orders that have not ended in time (specification §4.3): pure, time passed in.
//!
//! Open orders stand in the order of their creation, so that looking for stuck ones touches those that have
//! just become so and no others.

use std::collections::BTreeSet;
use std::ops::Bound;

use chrono::TimeDelta;
use contract::Timestamp;
use contract::ids::OrderId;

/// Where an order stands among the open ones.
pub(super) type Place = (Timestamp, OrderId);

/// All orders that have not ended.
#[derive(Debug, Default)]
pub(super) struct OpenOrders {
    open: BTreeSet<Place>,
    /// What was created up to here and is still open is stuck. None before the first look: while the log
    /// is being read, every order looks old.
    stuck_until: Option<Timestamp>,
    stuck: usize,
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) open: usize,
    pub(super) stuck: usize,
    /// Stuck since the last look.
    pub(super) newly: usize,
}

impl OpenOrders {
    /// An event moved an order: since when it was open before and is now, if it is.
    pub(super) fn moved(
        &mut self,
        order: OrderId,
        before: Option<Timestamp>,
        now: Option<Timestamp>,
    ) {
        if before == now {
            return;
        }
        if let Some(at) = before
            && self.open.remove(&(at, order))
            && self.is_stuck(at)
        {
            self.stuck -= 1;
        }
        if let Some(at) = now
            && self.open.insert((at, order))
            && self.is_stuck(at)
        {
            self.stuck += 1;
        }
    }

    fn is_stuck(&self, at: Timestamp) -> bool {
        self.stuck_until.is_some_and(|until| at <= until)
    }

    /// Looks for orders that are open for longer than `after` by now.
    pub(super) fn look(&mut self, now: Timestamp, after: TimeDelta) -> Look {
        let until = now.checked_sub_signed(after).unwrap_or(now);
        // A clock that is set back makes nothing unstuck.
        let until = self.stuck_until.map_or(until, |before| before.max(until));
        let from = match self.stuck_until {
            Some(before) => Bound::Excluded((before, OrderId::MAX)),
            None => Bound::Unbounded,
        };
        let newly = self.open.range((from, Bound::Included((until, OrderId::MAX)))).count();
        self.stuck_until = Some(until);
        self.stuck += newly;
        Look { open: self.open.len(), stuck: self.stuck, newly }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// How many are stuck.
    pub(super) const fn stuck(&self) -> usize {
        self.stuck
    }

    /// Up to `limit` stuck orders after a place, the oldest first.
    pub(super) fn page(&self, after: Option<Place>, limit: usize) -> Vec<Place> {
        let Some(until) = self.stuck_until else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let until = (until, OrderId::MAX);
        if after.is_some_and(|after| after > until) {
            return Vec::new();
        }
        self.open.range((from, Bound::Included(until))).take(limit).copied().collect()
    }
}

/// A place as the `next` of a page names it.
pub(super) fn cursor((at, order): Place) -> String {
    format!("{}-{order}", at.timestamp_micros())
}

/// The place that a `next` names.
pub(super) fn place(cursor: &str) -> Option<Place> {
    let (micros, order) = cursor.split_once('-')?;
    let at = Timestamp::from_timestamp_micros(micros.parse().ok()?)?;
    Some((at, order.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AFTER: TimeDelta = TimeDelta::seconds(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_750_000_000 + seconds, 0).unwrap()
    }

    fn order(number: i64) -> OrderId {
        OrderId::for_idempotency_key(&number.to_string())
    }

    #[test]
    fn what_is_open_for_too_long_is_stuck_until_it_ends() {
        let mut open = OpenOrders::default();
        for number in 0..10 {
            open.moved(order(number), None, Some(at(number)));
        }
        assert_eq!(open.look(at(29), AFTER), Look { open: 10, stuck: 0, newly: 0 });
        assert_eq!(open.look(at(34), AFTER), Look { open: 10, stuck: 5, newly: 5 });
        assert_eq!(open.look(at(34), AFTER), Look { open: 10, stuck: 5, newly: 0 });
        open.moved(order(2), Some(at(2)), None);
        open.moved(order(8), Some(at(8)), None);
        assert_eq!(open.stuck(), 4);
        assert_eq!(open.look(at(20), AFTER).stuck, 4, "a clock set back changes nothing");
        assert_eq!(open.look(at(60), AFTER), Look { open: 8, stuck: 8, newly: 4 });
        // One that waited somewhere for its turn is late when it arrives.
        open.moved(order(10), None, Some(at(10)));
        assert_eq!(open.stuck(), 9);
    }

    #[test]
    fn an_order_whose_beginning_comes_late_moves() {
        let mut open = OpenOrders::default();
        open.moved(order(1), None, Some(at(5)));
        open.moved(order(1), Some(at(5)), Some(at(3)));
        open.look(at(100), AFTER);
        assert_eq!(open.page(None, 10), [(at(3), order(1))]);
    }

    #[test]
    fn pages_together_are_the_stuck_ones_oldest_first() {
        let mut open = OpenOrders::default();
        for number in 0..7 {
            open.moved(order(number), None, Some(at(number / 2)));
        }
        assert!(open.page(None, 10).is_empty(), "nobody has looked");
        open.look(at(32), AFTER);
        let (mut seen, mut after) = (Vec::new(), None);
        while let Some(last) = open.page(after, 2).last().copied() {
            seen.extend(open.page(after, 2));
            after = place(&cursor(last));
            assert!(after.is_some());
        }
        let expected: Vec<_> = open.open.iter().copied().take(6).collect();
        assert_eq!(seen, expected);
        assert_eq!(place("no-place"), None);
        assert_eq!(place("17500000-x"), None);
        assert!(open.page(Some((at(1_000), order(1))), 2).is_empty());
    }

    proptest! {
        /// Against the definition.
        #[test]
        fn the_count_is_the_number_of_old_open_orders(
            steps in prop::collection::vec((0..40_i64, 0..3_u8), 1..200),
        ) {
            let mut open = OpenOrders::default();
            let mut model = std::collections::BTreeMap::new();
            let (mut now, mut looked) = (0, None);
            for (number, what) in steps {
                match what {
                    0 => {
                        let before = model.insert(number, number);
                        open.moved(order(number), before.map(at), Some(at(number)));
                    }
                    1 => {
                        let before = model.remove(&number);
                        open.moved(order(number), before.map(at), None);
                    }
                    _ => {
                        now += number;
                        looked = Some(now - 30);
                        open.look(at(now), AFTER);
                    }
                }
                let old = |at: &&i64| looked.is_some_and(|until| **at <= until);
                prop_assert_eq!(open.stuck(), model.values().filter(old).count());
            }
        }
    }
}
