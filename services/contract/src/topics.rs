//! Topics, saga steps, record headers and the partitioner.

use serde::{Deserialize, Serialize};

use crate::events::EventType;

/// The topics of the shop (specification §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    Orders,
    Inventory,
    Payment,
    Notification,
    Shipping,
}

impl Topic {
    pub const ALL: [Self; 5] =
        [Self::Orders, Self::Inventory, Self::Payment, Self::Notification, Self::Shipping];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Notification => "notification",
            Self::Shipping => "shipping",
        }
    }

    /// Where records of this topic go that nobody can read.
    #[must_use]
    pub const fn dead_letter(self) -> &'static str {
        match self {
            Self::Orders => "orders.dead-letter",
            Self::Inventory => "inventory.dead-letter",
            Self::Payment => "payment.dead-letter",
            Self::Notification => "notification.dead-letter",
            Self::Shipping => "shipping.dead-letter",
        }
    }

    /// The one service that produces to this topic, as its `producer-service` header names it.
    #[must_use]
    pub const fn producer(self) -> &'static str {
        match self {
            Self::Orders => "order-service",
            Self::Inventory => "inventory-service",
            Self::Payment => "payment-service",
            Self::Notification => "notification-service",
            Self::Shipping => "shipping-service",
        }
    }
}

/// Partitions of each topic where nothing else is said. All topics have the same number, for ever.
pub const DEFAULT_PARTITIONS: i32 = 4;

/// A step of an order's saga. The first record of a step in its partition is the truth (DESIGN §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Step {
    Created,
    Inventory,
    Payment,
    Release,
    Shipping,
    Notification,
}

impl Step {
    /// In causal order: no step comes before one that it depends on.
    pub const ALL: [Self; 6] = [
        Self::Created,
        Self::Inventory,
        Self::Payment,
        Self::Release,
        Self::Shipping,
        Self::Notification,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Release => "release",
            Self::Shipping => "shipping",
            Self::Notification => "notification",
        }
    }
}

impl EventType {
    /// The step that an event of this type takes.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::OrderCreated => Step::Created,
            Self::InventoryConfirmed | Self::InventoryRejected => Step::Inventory,
            Self::InventoryReleased => Step::Release,
            Self::PaymentCompleted | Self::PaymentFailed => Step::Payment,
            Self::Shipped => Step::Shipping,
            Self::NotificationSent => Step::Notification,
        }
    }

    /// The topic that carries events of this type.
    #[must_use]
    pub const fn topic(self) -> Topic {
        match self.step() {
            Step::Created => Topic::Orders,
            Step::Inventory | Step::Release => Topic::Inventory,
            Step::Payment => Topic::Payment,
            Step::Shipping => Topic::Shipping,
            Step::Notification => Topic::Notification,
        }
    }
}

/// Header names (specification §3.2), and the one version there is (§3.3).
pub mod header {
    pub const EVENT_TYPE: &str = "event-type";
    pub const EVENT_VERSION: &str = "event-version";
    pub const PRODUCER_SERVICE: &str = "producer-service";
    pub const TIMESTAMP: &str = "timestamp";

    pub const CURRENT_VERSION: &str = "v1";

    /// On dead letters: where the record stood and why nobody could read it.
    pub const ORIGIN_TOPIC: &str = "origin-topic";
    pub const ORIGIN_PARTITION: &str = "origin-partition";
    pub const ORIGIN_OFFSET: &str = "origin-offset";
    pub const DEAD_LETTER_REASON: &str = "reason";
}

/// The partition of `key` among `partitions`, as Kafka's default partitioner chooses it, so that
/// foreign producers and we agree.
///
/// # Panics
/// When `partitions` is not positive.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    assert!(partitions > 0, "a topic has at least one partition");
    let positive = murmur2(key) & 0x7fff_ffff;
    i32::try_from(positive % partitions.unsigned_abs()).unwrap_or(0)
}

/// Murmur2 with the seed that Kafka uses (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    #[expect(clippy::cast_possible_truncation, reason = "the algorithm works modulo 2^32")]
    let mut hash = SEED ^ (data.len() as u32);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k = (k ^ (k >> R)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_possible_wrap, reason = "Java prints the hash as a signed integer")]
    fn murmur2_agrees_with_kafka() {
        let known: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key) as i32, hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn every_event_type_has_its_topic_and_step() {
        for event_type in EventType::ALL {
            assert!(Topic::ALL.contains(&event_type.topic()));
            assert!(Step::ALL.contains(&event_type.step()));
        }
    }
}
