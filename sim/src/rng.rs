//! The broker's only source of randomness: ids of topics, members, producers and the cluster.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};
use uuid::Uuid;

/// A seeded generator: the same seed gives the same ids in the same order.
#[derive(Debug)]
pub(crate) struct Rng(StdRng);

impl Rng {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A seed that no other run has.
    #[allow(clippy::disallowed_methods, reason = "this is where randomness comes from")]
    pub(crate) fn fresh_seed() -> u64 {
        rand::random()
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A number in `0..limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit.max(1)
    }
}
