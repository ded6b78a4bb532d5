//! Randomness, from one place, so that a simulation can supply its own.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// A generator that nobody can foresee.
#[must_use]
pub(crate) fn from_entropy() -> StdRng {
    rand::make_rng()
}

/// A generator that repeats itself for the same `seed`.
#[must_use]
pub(crate) fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}
