//! The log decides (DESIGN §4): the first record of a step is the truth, every later one is a repeat or
//! has lost a race.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use contract::events::EventType;
use contract::ids::OrderId;
use contract::topics::Step;

use super::log::Received;
use super::snapshot::book::{Book, Entry};
use super::snapshot::state::{Content, State, StepSet, Undone, Unit, Units};

/// What a record is to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    First,
    /// The same outcome again.
    Repeat,
    /// The step had another outcome before: this one never happened.
    LostRace,
}

/// A map by order id. Ids are as good as random, so that hashing them again would be a waste, and the
/// same in every process.
pub(crate) type ByOrder<T> = HashMap<OrderId, T, BuildHasherDefault<IdHasher>>;

/// Which steps each order has taken. One byte for an order beside its id, and partitions apart: they are
/// handed over one by one.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    partitions: BTreeMap<i32, Book<Taken>>,
}

/// A bit for each step that has been taken, and two for how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Taken(u8);

/// Bits beyond the steps' own: the outcome of the two steps that have a choice.
const REJECTED: u8 = 1 << 6;
const FAILED: u8 = 1 << 7;

impl Steps {
    /// Notes an event of `event_type` for `order`, in the order of the log's `partition`.
    pub(crate) fn observe(
        &mut self,
        partition: i32,
        order: OrderId,
        event_type: EventType,
    ) -> Verdict {
        let book = self.partitions.entry(partition).or_default();
        let Taken(taken) = book.entry(order, Taken::default());
        let step = bit(event_type.step());
        let (choice, outcome) = outcome(event_type);
        if *taken & step == 0 {
            *taken |= step | outcome;
            Verdict::First
        } else if *taken & choice == outcome {
            Verdict::Repeat
        } else {
            Verdict::LostRace
        }
    }

    /// Whether `order` has taken `step` in `partition`.
    pub(crate) fn has(&self, partition: i32, order: OrderId, step: Step) -> bool {
        let taken = self.partitions.get(&partition).and_then(|book| book.get(order));
        taken.is_some_and(|Taken(taken)| taken & bit(step) != 0)
    }

    /// Whether what a snapshot says of an order is that it was confirmed and not yet paid for.
    pub(crate) fn awaits_payment(entry: &[u8]) -> bool {
        let awaited = bit(Step::Inventory) | REJECTED | bit(Step::Payment);
        matches!(entry, [taken] if taken & awaited == bit(Step::Inventory))
    }

    /// Forgets everything, to fold anew.
    pub(crate) fn clear(&mut self) {
        self.partitions.clear();
    }

    fn book(&mut self, unit: Unit) -> Option<&mut Book<Taken>> {
        match unit {
            Unit::Partition(partition) => Some(self.partitions.entry(partition).or_default()),
            Unit::Whole => None,
        }
    }
}

impl State for Steps {
    fn units(&self) -> Units {
        Units::PerPartition
    }

    fn fold(&mut self, record: &Received) {
        self.observe(record.partition, record.event.order_id(), record.event.event_type());
    }

    fn has_taken(&self, partition: i32, order: OrderId, step: Step) -> bool {
        self.has(partition, order, step)
    }

    fn lend(&mut self, unit: Unit, undone: Undone) -> Arc<dyn Content> {
        match self.book(unit) {
            Some(book) => book.lend(undone),
            None => Book::<Taken>::default().lend(undone),
        }
    }

    fn expect(&mut self, unit: Unit, orders: usize) {
        if let Some(book) = self.book(unit) {
            book.reserve(orders);
        }
    }

    fn restore(&mut self, unit: Unit, order: OrderId, entry: &[u8]) -> bool {
        self.book(unit).is_some_and(|book| book.restore(order, entry))
    }

    fn fresh(&self) -> Box<dyn State> {
        Box::new(Self::default())
    }
}

impl Entry for Taken {
    fn encode(&self, undone: StepSet, out: &mut Vec<u8>) {
        let mut taken = self.0;
        for step in Step::ALL.into_iter().filter(|step| undone.contains(*step)) {
            taken &= !(bit(step) | choice(step));
        }
        if taken != 0 {
            out.push(taken);
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [taken] => Some(Self(*taken)),
            _ => None,
        }
    }
}

const fn bit(step: Step) -> u8 {
    1 << step as u8
}

/// The bit that tells the outcomes of a step apart.
const fn choice(step: Step) -> u8 {
    match step {
        Step::Inventory => REJECTED,
        Step::Payment => FAILED,
        Step::Created | Step::Release | Step::Shipping | Step::Notification => 0,
    }
}

/// That bit, and how `event_type` sets it.
const fn outcome(event_type: EventType) -> (u8, u8) {
    let choice = choice(event_type.step());
    match event_type {
        EventType::InventoryRejected | EventType::PaymentFailed => (choice, choice),
        _ => (choice, 0),
    }
}

/// Folds what it is given into 64 bits: enough for ids that are random already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct IdHasher(u64);

/// Odd, with its bits well mixed (the golden ratio's): spreads whatever little order ids have.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(SPREAD);
    }

    fn write_usize(&mut self, length: usize) {
        self.write_u64(length as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn the_first_record_of_a_step_is_the_truth() {
        let mut steps = Steps::default();
        let order = OrderId::for_idempotency_key("first");
        assert!(!steps.has(0, order, Step::Payment));
        assert_eq!(steps.observe(0, order, EventType::PaymentFailed), Verdict::First);
        assert_eq!(steps.observe(0, order, EventType::PaymentFailed), Verdict::Repeat);
        assert_eq!(steps.observe(0, order, EventType::PaymentCompleted), Verdict::LostRace);
        assert_eq!(steps.observe(0, order, EventType::InventoryConfirmed), Verdict::First);
        assert_eq!(steps.observe(0, order, EventType::InventoryRejected), Verdict::LostRace);
        assert_eq!(steps.observe(0, order, EventType::InventoryConfirmed), Verdict::Repeat);
        assert!(steps.has(0, order, Step::Payment));
        assert!(!steps.has(0, order, Step::Shipping));
    }

    #[test]
    fn every_event_type_is_first_once_for_each_order() {
        for event_type in EventType::ALL {
            let mut steps = Steps::default();
            for key in ["a", "b"] {
                let order = OrderId::for_idempotency_key(key);
                assert_eq!(steps.observe(0, order, event_type), Verdict::First);
                assert_eq!(steps.observe(0, order, event_type), Verdict::Repeat);
            }
        }
    }

    #[test]
    fn ids_are_spread_over_high_and_low_bits() {
        let hasher = BuildHasherDefault::<IdHasher>::default();
        let hashes: Vec<u64> = (0..4096)
            .map(|n| hasher.hash_one(OrderId::for_idempotency_key(&n.to_string())))
            .collect();
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xfff).collect();
        let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 52).collect();
        // 4096 balls into 4096 bins leave 63 % of them hit when they fall at random.
        assert!(low.len() > 2_400 && high.len() > 2_400, "{} {}", low.len(), high.len());
    }
}
