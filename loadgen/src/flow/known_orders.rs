//! Orders that some virtual user of the shard placed, for others to ask about.

use contract::ids::OrderId;
use rand::{Rng, RngExt};

use crate::client::instances::MOST_INSTANCES;

/// The newest so many are remembered: a minute at 1000 a second.
const CAPACITY: usize = 65_536;

#[derive(Debug, Clone, Copy)]
struct Known {
    order_id: OrderId,
    /// Which instances of the status service have shown it: a bit each. From then on those must always;
    /// another may not have read that far yet.
    seen: u16,
}

/// A ring of the newest orders.
#[derive(Debug, Default)]
pub(crate) struct KnownOrders {
    orders: Vec<Known>,
    oldest: usize,
}

/// One order of the ring. Its place may have been taken over when the answer comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pick {
    place: usize,
    pub(crate) order_id: OrderId,
    seen: u16,
}

impl Pick {
    /// Whether `instance` of the status service has shown it.
    pub(crate) const fn is_seen_by(&self, instance: usize) -> bool {
        self.seen & bit(instance) != 0
    }
}

const fn bit(instance: usize) -> u16 {
    1 << (instance % MOST_INSTANCES)
}

impl KnownOrders {
    pub(crate) fn push(&mut self, order_id: OrderId) {
        let known = Known { order_id, seen: 0 };
        if self.orders.len() < CAPACITY {
            self.orders.push(known);
        } else {
            self.orders[self.oldest] = known;
            self.oldest = (self.oldest + 1) % CAPACITY;
        }
    }

    pub(crate) fn pick(&self, rng: &mut impl Rng) -> Option<Pick> {
        if self.orders.is_empty() {
            return None;
        }
        let place = rng.random_range(0..self.orders.len());
        let Known { order_id, seen } = *self.orders.get(place)?;
        Some(Pick { place, order_id, seen })
    }

    pub(crate) fn mark_seen(&mut self, pick: Pick, instance: usize) {
        if let Some(known) = self.orders.get_mut(pick.place)
            && known.order_id == pick.order_id
        {
            known.seen |= bit(instance);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn only_the_newest_are_remembered_and_a_lost_place_is_not_marked() {
        let id = |n: usize| OrderId::for_idempotency_key(&n.to_string());
        let mut rng = SmallRng::seed_from_u64(1);
        let mut orders = KnownOrders::default();
        assert_eq!(orders.pick(&mut rng), None);
        orders.push(id(0));
        let first = orders.pick(&mut rng).unwrap();
        assert_eq!((first.order_id, first.seen), (id(0), 0));
        orders.mark_seen(first, 1);
        let again = orders.pick(&mut rng).unwrap();
        assert!(again.is_seen_by(1) && !again.is_seen_by(0));
        for n in 1..=CAPACITY {
            orders.push(id(n));
        }
        assert_eq!(orders.orders.len(), CAPACITY);
        assert_eq!(orders.orders[0].order_id, id(CAPACITY));
        orders.mark_seen(first, 0);
        assert_eq!(orders.orders[0].seen, 0);
    }
}
