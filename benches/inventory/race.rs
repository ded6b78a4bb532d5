//! Threads that reserve at once, from one beginning.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use contract::ids::{OrderId, ProductId};
use uuid::Uuid;

use crate::kinds::Inventory;

/// Orders of one thread in one race: a fresh inventory after each, so that growth counts and size stays alike.
pub(crate) const ROUND: usize = 20_000;

/// The orders of each thread, as random as the shop's.
pub(crate) struct Race(Vec<Vec<OrderId>>);

impl Race {
    pub(crate) fn of(threads: u64) -> Self {
        let ids = |thread: u64| {
            let namespace = Uuid::from_u128(u128::from(thread));
            (0..ROUND).map(|n| OrderId(Uuid::new_v5(&namespace, &n.to_le_bytes()))).collect()
        };
        Self((0..threads).map(ids).collect())
    }

    /// The time that every thread needs for `orders` reservations of its own, one piece each, and how many of
    /// them were granted.
    ///
    /// # Panics
    /// When more is sold than there is, or less than there is and somebody wanted.
    pub(crate) fn run<I: Inventory>(
        &self,
        orders: usize,
        pieces: u32,
        products: usize,
    ) -> Duration {
        let inventory = I::new(pieces);
        let barrier = Barrier::new(self.0.len());
        let work = |ids: &[OrderId]| {
            barrier.wait();
            let start = Instant::now();
            let granted = ids[..orders].iter().enumerate().filter(|(n, order)| {
                black_box(inventory.reserve(**order, ProductId::ALL[n % products]))
            });
            let granted = granted.count();
            (start.elapsed(), granted)
        };
        let ended: Vec<(Duration, usize)> = std::thread::scope(|scope| {
            let running: Vec<_> = self.0.iter().map(|ids| scope.spawn(|| work(ids))).collect();
            running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let granted: usize = ended.iter().map(|(_, granted)| granted).sum();
        let wanted = |product: usize| self.0.len() * ((orders + products - 1 - product) / products);
        let there = usize::try_from(pieces).unwrap_or(usize::MAX);
        let sold: usize = (0..products).map(|product| wanted(product).min(there)).sum();
        assert_eq!(granted, sold, "sold too much, or turned somebody away without need");
        ended.into_iter().map(|(took, _)| took).max().unwrap_or_default()
    }
}
