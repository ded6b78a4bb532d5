//! How work is shared: among the shards of a machine, and among machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The part of the work that one shard does: every `of`-th, beginning with `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stripe {
    pub index: u32,
    pub of: u32,
}

impl Stripe {
    /// All of the work.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// How many of `count` things belong to this shard.
    #[must_use]
    pub fn share(self, count: u32) -> u32 {
        count.saturating_sub(self.index).div_ceil(self.of)
    }

    /// Likewise, where there may be more than the earth has people.
    #[must_use]
    pub fn share_of_many(self, count: u64) -> u64 {
        count.saturating_sub(self.index.into()).div_ceil(self.of.into())
    }

    /// A shard's part of the whole, where `segment` is its machine's, of a scenario with so many virtual users.
    /// `None` when it gets no user: what had none could only be dropped, so the work is shared among those that
    /// have one.
    #[must_use]
    pub fn with_users(self, segment: Self, vus: u32) -> Option<Self> {
        let segment = segment.among(vus)?;
        let shard = self.among(segment.share(vus))?;
        // The machine's things, every `of`-th of them.
        let index = segment.index + segment.of * shard.index;
        Some(Self { index, of: segment.of * shard.of })
    }

    fn among(self, vus: u32) -> Option<Self> {
        (self.index < vus).then(|| Self { index: self.index, of: self.of.min(vus) })
    }

    /// The number, over all shards, of this shard's `local`th iteration.
    #[must_use]
    pub fn number(self, local: u64) -> u64 {
        local * u64::from(self.of) + u64::from(self.index)
    }
}

/// As people count: `1/4` is the first of four.
impl fmt::Display for Stripe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index + 1, self.of)
    }
}

/// More machines than this share no test.
const MOST_PARTS: u32 = 1000;

impl FromStr for Stripe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            Some((number.trim().parse::<u32>().ok()?, of.trim().parse::<u32>().ok()?))
        });
        match parts {
            Some((number, of)) if (1..=of).contains(&number) && of <= MOST_PARTS => {
                Ok(Self { index: number - 1, of })
            }
            _ => Err(format!(
                "{text:?} is no part of a whole: 1/4 is the first of four, and there are at most {MOST_PARTS}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_named_as_people_count() {
        let first = Stripe { index: 0, of: 4 };
        assert_eq!("1/4".parse(), Ok(first));
        assert_eq!(first.to_string(), "1/4");
        for wrong in ["0/4", "5/4", "1", "1/0", "a/b", "-1/2", "1/1001", ""] {
            assert!(wrong.parse::<Stripe>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn machines_with_shards_of_their_own_share_without_gap_or_overlap(
            count in 0_u64..5000,
            vus in 1_u32..12,
            shards in prop::collection::vec(1_u32..5, 1..5),
        ) {
            let machines = u32::try_from(shards.len()).unwrap();
            let mut numbers = Vec::new();
            let mut users = 0;
            for (machine, of) in (0..).zip(&shards) {
                let segment = Stripe { index: machine, of: machines };
                for index in 0..*of {
                    let shard = Stripe { index, of: *of };
                    let Some(stripe) = shard.with_users(segment, vus) else { continue };
                    prop_assert!(stripe.share(vus) > 0, "nobody has work and no user for it");
                    users += stripe.share(vus);
                    numbers.extend((0..stripe.share_of_many(count)).map(|local| stripe.number(local)));
                }
            }
            numbers.sort_unstable();
            prop_assert_eq!(users, vus);
            prop_assert!(numbers.into_iter().eq(0..count));
        }

        #[test]
        fn stripes_share_without_gap_or_overlap(count in 0_u32..10_000, of in 1_u32..9) {
            let shares = (0..of).map(|index| Stripe { index, of }.share(count));
            prop_assert_eq!(shares.sum::<u32>(), count);
            let numbers = (0..of).flat_map(|index| {
                let stripe = Stripe { index, of };
                (0..u64::from(stripe.share(count))).map(move |local| stripe.number(local))
            });
            let mut numbers: Vec<_> = numbers.collect();
            numbers.sort_unstable();
            prop_assert!(numbers.into_iter().eq(0..u64::from(count)));
        }
    }
}
