//! A small value for each of millions of orders, which can be lent as it stands.

use std::sync::Arc;

use contract::ids::OrderId;

use super::lendable::Lendable;
use super::state::{Content, StepSet, Undone};
use crate::kit::first_wins::ByOrder;

/// A change while the book is lent copies one shard, so that no change waits for all of it.
const SHARDS: usize = 16;

/// The longest encoding of an entry: saves growing buffers.
const ENTRY_BYTES: usize = 8;

/// What is kept of an order.
pub(crate) trait Entry: Copy + Send + Sync + 'static {
    /// Appends it without what belongs to the steps in `undone`: nothing when nothing is left.
    fn encode(&self, undone: StepSet, out: &mut Vec<u8>);
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// Entries by order.
#[derive(Debug)]
pub(crate) struct Book<E: Entry> {
    shards: Vec<Lendable<ByOrder<E>>>,
}

impl<E: Entry> Default for Book<E> {
    fn default() -> Self {
        Self { shards: std::iter::repeat_with(Lendable::default).take(SHARDS).collect() }
    }
}

/// Any byte of a random id will do, but not those that the map inside hashes to its buckets by.
fn shard(order: OrderId, shards: usize) -> usize {
    usize::from(order.0.as_bytes()[15]) % shards
}

impl<E: Entry> Book<E> {
    pub(crate) fn get(&self, order: OrderId) -> Option<&E> {
        self.shards[shard(order, SHARDS)].get(&order)
    }

    /// The order's entry, which is `new` when it has none.
    pub(crate) fn entry(&mut self, order: OrderId, new: E) -> &mut E {
        self.shards[shard(order, SHARDS)].get_mut().entry(order).or_insert(new)
    }

    pub(crate) fn insert(&mut self, order: OrderId, entry: E) {
        self.shards[shard(order, SHARDS)].get_mut().insert(order, entry);
    }

    pub(crate) fn remove(&mut self, order: OrderId) {
        let shard = &mut self.shards[shard(order, SHARDS)];
        // A shard that is lent is copied only for a change.
        if shard.contains_key(&order) {
            shard.get_mut().remove(&order);
        }
    }

    pub(crate) fn reserve(&mut self, orders: usize) {
        // Random ids are not spread quite evenly.
        let each = orders / SHARDS + orders / SHARDS / 16;
        self.shards.iter_mut().for_each(|shard| shard.get_mut().reserve(each));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (OrderId, &E)> {
        self.shards.iter().flat_map(|shard| shard.iter()).map(|(order, entry)| (*order, entry))
    }

    /// Puts back an entry; false when the bytes are none.
    pub(crate) fn restore(&mut self, order: OrderId, bytes: &[u8]) -> bool {
        E::decode(bytes).map(|entry| self.insert(order, entry)).is_some()
    }

    pub(crate) fn lend(&mut self, undone: Undone) -> Arc<dyn Content> {
        Arc::new(Lent { shards: self.shards.iter_mut().map(Lendable::lend).collect(), undone })
    }
}

/// Entries as they were when they were lent.
pub(crate) struct Lent<E> {
    /// Orders lie in them as [`shard`] says.
    pub(crate) shards: Vec<Arc<ByOrder<E>>>,
    pub(crate) undone: Undone,
}

impl<E: Entry> Lent<E> {
    fn encode(&self, order: OrderId, entry: &E, out: &mut Vec<u8>) {
        let undone = match self.undone.is_empty() {
            true => StepSet::NONE,
            false => self.undone.get(&order).copied().unwrap_or_default(),
        };
        entry.encode(undone, out);
    }
}

impl<E: Entry> Content for Lent<E> {
    fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
        let mut bytes = Vec::with_capacity(ENTRY_BYTES);
        for (order, entry) in self.shards.iter().flat_map(|shard| shard.iter()) {
            bytes.clear();
            self.encode(*order, entry, &mut bytes);
            if !bytes.is_empty() {
                each(*order, &bytes);
            }
        }
    }

    fn entry(&self, order: OrderId, out: &mut Vec<u8>) {
        if let Some(entry) = self.shards[shard(order, self.shards.len())].get(&order) {
            self.encode(order, entry, out);
        }
    }
}
