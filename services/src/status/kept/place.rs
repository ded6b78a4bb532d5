//! Where an ended order stands in the file, in eight bytes.

use contract::topics::Step;

use crate::kit::snapshot::book::Entry;
use crate::kit::snapshot::state::StepSet;

/// A position in the file, and the steps of which that order has a record: a repeat of them is known without
/// reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status) struct Place(u64);

/// The steps take the low byte, as [`StoredOrder::seen`](super::super::domain::StoredOrder::seen) has them.
const STEP_BITS: u32 = 8;

impl Place {
    pub(super) const fn new(offset: u64, seen: u8) -> Self {
        Self(offset << STEP_BITS | seen as u64)
    }

    pub(super) const fn offset(self) -> u64 {
        self.0 >> STEP_BITS
    }

    pub(super) const fn has_seen(self, step: Step) -> bool {
        self.0 & 1 << step as u8 != 0
    }
}

impl Entry for Place {
    /// Nothing of an ended order is undecided: no step is left out.
    fn encode(&self, _undone: StepSet, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self(u64::from_le_bytes(bytes.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_its_offset_and_its_steps() {
        let seen = 1 << Step::Created as u8 | 1 << Step::Shipping as u8;
        for offset in [0, 1, 1 << 20, (1 << 56) - 1] {
            let place = Place::new(offset, seen);
            assert_eq!(place.offset(), offset);
            assert!(place.has_seen(Step::Created) && place.has_seen(Step::Shipping));
            assert!(!place.has_seen(Step::Payment));
            let mut bytes = Vec::new();
            place.encode(StepSet::NONE, &mut bytes);
            assert_eq!(Place::decode(&bytes), Some(place));
            assert_eq!(Place::decode(&bytes[1..]), None);
        }
    }
}
