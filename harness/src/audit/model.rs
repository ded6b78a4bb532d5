//! What the log says, record by record, and each order's history folded from it.
//!
//! This fold is the audit's own and shares no code with the services: the first record of a step in
//! its partition is the truth (DESIGN §4), later ones are repeats (identical bytes) or lost a race.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use contract::Timestamp;
use contract::events::{Carrier, Event, EventType};
use contract::ids::{OrderId, ProductId};
use contract::money::Cents;
use contract::order::OrderStatus;
use contract::topics::{Step, Topic, header};

/// A record as a reader hands it over.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    pub topic: Topic,
    pub partition: i32,
    pub offset: i64,
    pub key: Option<&'a [u8]>,
    pub value: &'a [u8],
    pub headers: &'a BTreeMap<String, Vec<u8>>,
    /// The record's own timestamp (Kafka's `CreateTime`).
    pub created_at: Timestamp,
}

/// An order's place in [`Model::orders`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderIndex(u32);

/// A record's place in [`Model::records`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordIndex(u32);

/// What only some event types carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    Created { request_id: Option<Box<str>> },
    Inventory,
    Payment { amount: Cents },
    Shipped { tracking_number: Box<str>, carrier: Carrier, delivery_days: u32 },
    Notification,
}

/// One record of the shop's topics, without what no check needs.
#[derive(Debug, Clone)]
pub struct Record {
    pub order: OrderIndex,
    pub topic: Topic,
    pub partition: i32,
    pub offset: i64,
    pub created_at: Timestamp,
    /// The `timestamp` header.
    pub stamped_at: Option<Timestamp>,
    pub event_type: EventType,
    pub product: ProductId,
    pub quantity: u32,
    pub detail: Detail,
    /// Equal for equal record values.
    pub value_hash: u64,
    /// The key is the order's id.
    pub key_is_order: bool,
    /// What is wrong with the headers, if anything.
    pub header_fault: Option<Box<str>>,
    pub role: Role,
}

impl Record {
    /// To the microsecond where the `timestamp` header tells it, else to the millisecond.
    #[must_use]
    pub fn decided_at(&self) -> Timestamp {
        self.stamped_at.unwrap_or(self.created_at)
    }
}

/// What a record is to its order's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The step's first: the truth.
    First,
    /// The same bytes and the same timestamp again: a client's retry, or a restart's.
    Repeat,
    /// A second decision on a decided step; everybody ignores it.
    LostRace,
}

/// A record in a topic of the shop that is no event that we can read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    pub topic: Topic,
    pub partition: i32,
    pub offset: i64,
    pub reason: String,
}

/// The first record of each step of one order.
#[derive(Debug, Clone, Copy, Default)]
pub struct History {
    first: [Option<RecordIndex>; Step::ALL.len()],
}

/// The log, read.
#[derive(Debug, Default)]
pub struct Model {
    orders: Vec<OrderId>,
    index: HashMap<OrderId, OrderIndex>,
    histories: Vec<History>,
    records: Vec<Record>,
    ended: usize,
    pub unreadable: Vec<Unreadable>,
    /// One past the last record of each partition that holds any.
    pub ends: BTreeMap<(Topic, i32), i64>,
    /// Partitions of each topic that was read.
    pub partitions: BTreeMap<Topic, i32>,
    /// Records in each dead-letter topic that exists, with the first one's origin and reason.
    pub dead_letters: BTreeMap<String, Vec<String>>,
    pub repeats: u64,
    pub lost_races: u64,
}

impl Model {
    /// Takes the next record in. Records of one partition come in the order of their offsets.
    pub fn add(&mut self, raw: RawRecord<'_>) {
        self.ends.insert((raw.topic, raw.partition), raw.offset + 1);
        let declared = raw.headers.get(header::EVENT_TYPE);
        let declared = declared.and_then(|value| std::str::from_utf8(value).ok());
        match Event::decode(declared, raw.value) {
            Ok(event) => self.add_event(raw, &event),
            Err(error) => self.unreadable.push(Unreadable {
                topic: raw.topic,
                partition: raw.partition,
                offset: raw.offset,
                reason: error.to_string(),
            }),
        }
    }

    fn add_event(&mut self, raw: RawRecord<'_>, event: &Event) {
        let order_id = event.order_id();
        let order = self.order_index(order_id);
        let stamped_at = header_text(raw.headers, header::TIMESTAMP)
            .and_then(|text| text.parse::<Timestamp>().ok());
        let mut record = Record {
            order,
            topic: raw.topic,
            partition: raw.partition,
            offset: raw.offset,
            created_at: raw.created_at,
            stamped_at,
            event_type: event.event_type(),
            product: event.product_id(),
            quantity: event.quantity(),
            detail: detail(event),
            value_hash: hash_of(raw.value),
            key_is_order: raw.key.is_some_and(|key| is_id(key, order_id)),
            header_fault: header_fault(raw, stamped_at).map(String::into_boxed_str),
            role: Role::First,
        };
        let was_ended = self.has_ended(order);
        let index = RecordIndex(u32::try_from(self.records.len()).unwrap_or(u32::MAX));
        let first = self.histories[order.0 as usize].first[event.step() as usize];
        record.role = match first.map(|first| self.record(first)) {
            None => Role::First,
            Some(first) if same_bytes(first, &record) => Role::Repeat,
            Some(_) => Role::LostRace,
        };
        match record.role {
            Role::First => {
                self.histories[order.0 as usize].first[event.step() as usize] = Some(index);
            }
            Role::Repeat => self.repeats += 1,
            Role::LostRace => self.lost_races += 1,
        }
        self.records.push(record);
        if !was_ended && self.has_ended(order) {
            self.ended += 1;
        }
    }

    fn order_index(&mut self, id: OrderId) -> OrderIndex {
        if let Some(index) = self.index.get(&id) {
            return *index;
        }
        let index = OrderIndex(u32::try_from(self.orders.len()).unwrap_or(u32::MAX));
        self.orders.push(id);
        self.histories.push(History::default());
        self.index.insert(id, index);
        index
    }

    /// Every order with at least one record, in the order of their first appearance.
    pub fn orders(&self) -> impl ExactSizeIterator<Item = OrderIndex> + use<'_> {
        (0..self.orders.len()).map(|at| OrderIndex(u32::try_from(at).unwrap_or(u32::MAX)))
    }

    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    #[must_use]
    pub fn find(&self, id: OrderId) -> Option<OrderIndex> {
        self.index.get(&id).copied()
    }

    #[must_use]
    pub fn id(&self, order: OrderIndex) -> OrderId {
        self.orders[order.0 as usize]
    }

    #[must_use]
    pub fn record(&self, index: RecordIndex) -> &Record {
        &self.records[index.0 as usize]
    }

    /// The deciding record of `step`.
    #[must_use]
    pub fn step(&self, order: OrderIndex, step: Step) -> Option<&Record> {
        let first = self.histories[order.0 as usize].first[step as usize];
        first.map(|index| self.record(index))
    }

    /// The type of the deciding record of `step`.
    #[must_use]
    pub fn outcome(&self, order: OrderIndex, step: Step) -> Option<EventType> {
        self.step(order, step).map(|record| record.event_type)
    }

    /// The deciding records of an order in causal order.
    pub fn history(&self, order: OrderIndex) -> impl Iterator<Item = &Record> + use<'_> {
        Step::ALL.into_iter().filter_map(move |step| self.step(order, step))
    }

    /// Shipped and notified; rejected and notified; or payment failed, released and notified.
    #[must_use]
    pub fn has_ended(&self, order: OrderIndex) -> bool {
        let has = |step| self.histories[order.0 as usize].first[step as usize].is_some();
        let settled =
            match (self.outcome(order, Step::Inventory), self.outcome(order, Step::Payment)) {
                (Some(EventType::InventoryRejected), _) => true,
                (_, Some(EventType::PaymentCompleted)) => has(Step::Shipping),
                (_, Some(EventType::PaymentFailed)) => has(Step::Release),
                _ => false,
            };
        settled && has(Step::Notification)
    }

    /// How many orders have ended.
    #[must_use]
    pub const fn ended(&self) -> usize {
        self.ended
    }

    /// When the last event came that an ended order needed; `None` while it has not ended.
    #[must_use]
    pub fn ended_at(&self, order: OrderIndex) -> Option<Timestamp> {
        if !self.has_ended(order) {
            return None;
        }
        self.history(order).map(|record| record.created_at).max()
    }

    /// Where the order stands (never backwards: DESIGN §4); `None` before its first event.
    #[must_use]
    pub fn status(&self, order: OrderIndex) -> Option<OrderStatus> {
        self.history(order).filter_map(|record| status_after(record.event_type)).max()
    }
}

const fn status_after(event_type: EventType) -> Option<OrderStatus> {
    match event_type {
        EventType::OrderCreated => Some(OrderStatus::Created),
        EventType::InventoryConfirmed => Some(OrderStatus::InventoryConfirmed),
        EventType::InventoryRejected => Some(OrderStatus::InventoryRejected),
        EventType::InventoryReleased => None,
        EventType::PaymentCompleted => Some(OrderStatus::PaymentCompleted),
        EventType::PaymentFailed => Some(OrderStatus::PaymentFailed),
        EventType::Shipped => Some(OrderStatus::Shipped),
        EventType::NotificationSent => Some(OrderStatus::NotificationSent),
    }
}

fn detail(event: &Event) -> Detail {
    match event {
        Event::Order(event) => {
            Detail::Created { request_id: event.request_id.as_deref().map(Box::from) }
        }
        Event::Inventory(_) => Detail::Inventory,
        Event::Payment(event) => Detail::Payment { amount: event.amount },
        Event::Shipping(event) => Detail::Shipped {
            tracking_number: event.tracking_number.as_str().into(),
            carrier: event.carrier,
            delivery_days: event.estimated_delivery_days,
        },
        Event::Notification(_) => Detail::Notification,
    }
}

fn same_bytes(first: &Record, later: &Record) -> bool {
    first.value_hash == later.value_hash
        && first.stamped_at == later.stamped_at
        && first.topic == later.topic
        && first.partition == later.partition
}

fn is_id(key: &[u8], id: OrderId) -> bool {
    key == id.0.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).as_bytes()
}

/// A hash that is the same in every process: values are compared, never kept.
#[must_use]
pub fn hash_of(value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn header_text<'a>(headers: &'a BTreeMap<String, Vec<u8>>, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| std::str::from_utf8(value).ok())
}

fn header_fault(raw: RawRecord<'_>, stamped_at: Option<Timestamp>) -> Option<String> {
    let text = |name| header_text(raw.headers, name);
    if text(header::EVENT_TYPE).is_none() {
        return Some(format!("no {} header", header::EVENT_TYPE));
    }
    for (name, expected) in [
        (header::EVENT_VERSION, header::CURRENT_VERSION),
        (header::PRODUCER_SERVICE, raw.topic.producer()),
    ] {
        match text(name) {
            Some(found) if found == expected => {}
            Some(found) => return Some(format!("{name} is {found:?}, not {expected:?}")),
            None => return Some(format!("no {name} header")),
        }
    }
    stamped_at.is_none().then(|| format!("no {} header in RFC 3339", header::TIMESTAMP))
}
