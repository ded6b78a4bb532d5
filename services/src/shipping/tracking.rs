//! Tracking numbers: unique without a table, since they are a permutation of a running number.

/// Rounds of mixing: four make a good permutation of two good halves.
const ROUND_KEYS: [u32; 4] = [0x9e37_79b9, 0x85eb_ca6b, 0xc2b2_ae35, 0x27d4_eb2f];

/// The tracking number of the order whose payment stands at `offset` of `partition`.
///
/// Every payment record of the first 2^32 has its own. The same record always gets the same number, so
/// that a shipment that is repeated after a crash does not change it.
#[must_use]
pub(crate) fn tracking_number(partition: i32, offset: i64, partitions: i32) -> String {
    let sequence = offset.wrapping_mul(i64::from(partitions)).wrapping_add(i64::from(partition));
    // Beyond 2^32 shipments the specification's eight digits must repeat.
    let sequence = u32::try_from(sequence & i64::from(u32::MAX)).unwrap_or(0);
    format!("TRK{:08x}", permute(sequence))
}

/// A Feistel network: each round adds a mixture of one half to the other, which can be undone whatever
/// the mixture, so that no two numbers meet.
fn permute(number: u32) -> u32 {
    let (mut left, mut right) = (number >> 16, number & 0xffff);
    for key in ROUND_KEYS {
        (left, right) = (right, left ^ mix(right, key));
    }
    left << 16 | right
}

/// 16 bits of `half` stirred with `key`.
const fn mix(half: u32, key: u32) -> u32 {
    let product = (half ^ (key >> 16)).wrapping_mul(key | 1);
    (product ^ (product >> 15)) >> 8 & 0xffff
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn undo(number: u32) -> u32 {
        let (mut left, mut right) = (number >> 16, number & 0xffff);
        for key in ROUND_KEYS.into_iter().rev() {
            (left, right) = (right ^ mix(left, key), left);
        }
        left << 16 | right
    }

    proptest! {
        #[test]
        fn no_two_numbers_meet(number in any::<u32>()) {
            prop_assert_eq!(undo(permute(number)), number);
        }
    }

    #[test]
    fn every_payment_has_its_own_number() {
        let numbers: HashSet<String> = (0..4)
            .flat_map(|partition| {
                (0..25_000).map(move |offset| tracking_number(partition, offset, 4))
            })
            .collect();
        assert_eq!(numbers.len(), 100_000);
        assert!(numbers.iter().all(|number| {
            let digits = number.strip_prefix("TRK").unwrap();
            digits.len() == 8 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }));
    }
}
