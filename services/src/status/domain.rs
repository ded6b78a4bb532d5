//! One order's history from its events. Pure: no clock, no I/O.
//!
//! Topics are read side by side, so that an effect may be seen before its cause. It is then held back:
//! what is visible is always in causal order, and only ever grows at its end.
//!
//! | event | becomes visible after | status |
//! |---|---|---|
//! | `OrderCreated` | | `created` |
//! | `InventoryConfirmed`, `InventoryRejected` | `OrderCreated` | `inventory_confirmed`, `inventory_rejected` |
//! | `PaymentCompleted`, `PaymentFailed` | `InventoryConfirmed` | `payment_completed`, `payment_failed` |
//! | `InventoryReleased` | `PaymentFailed` | stays |
//! | `Shipped` | `PaymentCompleted` | `shipped` |
//! | `NotificationSent` | `PaymentCompleted`, `PaymentFailed` or `InventoryRejected` | `notification_sent` after `payment_completed`, else stays |

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use contract::Timestamp;
use contract::events::{Event, EventType};
use contract::ids::{OrderId, ProductId};
use contract::money::Cents;
use contract::order::OrderStatus;
use contract::topics::Step;
use foldhash::fast::RandomState;

/// One event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredEvent {
    pub(super) event_type: EventType,
    pub(super) version: &'static str,
    pub(super) timestamp: Timestamp,
    /// The record's value.
    pub(super) data: Box<str>,
}

/// One order: its history, and what was read from it. About 1.5 KB with all its events.
#[derive(Debug, Clone)]
pub(super) struct StoredOrder {
    pub(super) product_id: ProductId,
    pub(super) quantity: u32,
    pub(super) status: OrderStatus,
    pub(super) created_at: Timestamp,
    pub(super) last_updated: Timestamp,
    pub(super) tracking_number: Option<Box<str>>,
    pub(super) payment_amount: Option<Cents>,
    /// In causal order. Never empty once the order is known.
    pub(super) events: Vec<StoredEvent>,
    /// Effects whose causes have not arrived.
    held_back: Vec<(StoredEvent, Consequence)>,
    /// Steps of which a record has been seen, visible or held back: a bit each.
    seen: u8,
    /// Types of the visible events: a bit each.
    visible: u8,
}

/// What an event changes in its order beside the history.
#[derive(Debug, Clone)]
enum Consequence {
    Nothing,
    Paid(Cents),
    Tracked(Box<str>),
}

const fn type_bit(event_type: EventType) -> u8 {
    1 << event_type as u8
}

/// The events of which one has to be visible before this one is.
const fn causes(event_type: EventType) -> u8 {
    match event_type {
        EventType::OrderCreated => 0,
        EventType::InventoryConfirmed | EventType::InventoryRejected => {
            type_bit(EventType::OrderCreated)
        }
        EventType::PaymentCompleted | EventType::PaymentFailed => {
            type_bit(EventType::InventoryConfirmed)
        }
        EventType::InventoryReleased => type_bit(EventType::PaymentFailed),
        EventType::Shipped => type_bit(EventType::PaymentCompleted),
        EventType::NotificationSent => {
            type_bit(EventType::PaymentCompleted)
                | type_bit(EventType::PaymentFailed)
                | type_bit(EventType::InventoryRejected)
        }
    }
}

/// Where an order stands after an event: never further back than before.
const fn status_after(status: OrderStatus, event_type: EventType) -> OrderStatus {
    match (event_type, status) {
        (EventType::OrderCreated, _) => OrderStatus::Created,
        (EventType::InventoryConfirmed, _) => OrderStatus::InventoryConfirmed,
        (EventType::InventoryRejected, _) => OrderStatus::InventoryRejected,
        (EventType::PaymentCompleted, _) => OrderStatus::PaymentCompleted,
        (EventType::PaymentFailed, _) => OrderStatus::PaymentFailed,
        (EventType::Shipped, _) => OrderStatus::Shipped,
        (EventType::NotificationSent, OrderStatus::PaymentCompleted) => {
            OrderStatus::NotificationSent
        }
        (EventType::NotificationSent | EventType::InventoryReleased, status) => status,
    }
}

impl StoredOrder {
    /// An order of which nothing is visible yet; `event` is the first one that names it.
    fn new(event: &Event, at: Timestamp) -> Self {
        Self {
            product_id: event.product_id(),
            quantity: event.quantity(),
            status: OrderStatus::Created,
            created_at: at,
            last_updated: at,
            tracking_number: None,
            payment_amount: None,
            events: Vec::new(),
            held_back: Vec::new(),
            seen: 0,
            visible: 0,
        }
    }

    /// Whether a record of `step` has been seen, visible or held back.
    pub(super) const fn has_seen(&self, step: Step) -> bool {
        self.seen & 1 << step as u8 != 0
    }

    /// The steps of which a record has been seen: a bit each.
    pub(super) const fn seen(&self) -> u8 {
        self.seen
    }

    /// All events, the held back ones last.
    pub(super) fn all_events(&self) -> impl Iterator<Item = &StoredEvent> {
        self.events.iter().chain(self.held_back.iter().map(|(event, _)| event))
    }

    /// Whether the order has begun: before its `OrderCreated` nobody is shown anything.
    pub(super) fn is_known(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether nothing more can happen to the order (DESIGN §4).
    pub(super) const fn is_ended(&self) -> bool {
        self.shows(EventType::NotificationSent)
            && (self.shows(EventType::Shipped)
                || self.shows(EventType::InventoryRejected)
                || self.shows(EventType::InventoryReleased))
    }

    const fn shows(&self, event_type: EventType) -> bool {
        self.visible & type_bit(event_type) != 0
    }

    /// Since when the order is open; none when it has ended.
    pub(super) fn open_since(&self) -> Option<Timestamp> {
        (!self.is_ended()).then_some(self.created_at)
    }

    /// The steps that could be taken now and that nobody has taken.
    pub(super) fn waits_for(&self) -> Vec<Step> {
        let missing = |steps: &[(EventType, Step)]| {
            let missing = steps.iter().filter(|(event_type, _)| !self.shows(*event_type));
            missing.map(|(_, step)| *step).collect()
        };
        let notified = (EventType::NotificationSent, Step::Notification);
        if !self.is_known() {
            vec![Step::Created]
        } else if self.shows(EventType::PaymentCompleted) {
            missing(&[(EventType::Shipped, Step::Shipping), notified])
        } else if self.shows(EventType::PaymentFailed) {
            missing(&[(EventType::InventoryReleased, Step::Release), notified])
        } else if self.shows(EventType::InventoryRejected) {
            missing(&[notified])
        } else if self.shows(EventType::InventoryConfirmed) {
            vec![Step::Payment]
        } else {
            vec![Step::Inventory]
        }
    }

    /// Whether more became visible.
    fn fold(&mut self, event: &Event, stored: impl FnOnce() -> StoredEvent) -> bool {
        let step = 1 << event.step() as u8;
        if self.seen & step != 0 {
            return false;
        }
        self.seen |= step;
        if let Event::Order(created) = event {
            (self.product_id, self.quantity) = (created.product_id, created.quantity);
        }
        let consequence = match event {
            Event::Payment(payment) if payment.event_type == EventType::PaymentCompleted => {
                Consequence::Paid(payment.amount)
            }
            Event::Shipping(shipping) => {
                Consequence::Tracked(shipping.tracking_number.clone().into_boxed_str())
            }
            _ => Consequence::Nothing,
        };
        self.held_back.push((stored(), consequence));
        self.release()
    }

    /// Shows whatever is held back and has its cause by now, in the order of steps.
    fn release(&mut self) -> bool {
        let before = self.events.len();
        while let Some(next) = self.next_to_show() {
            let (event, consequence) = self.held_back.swap_remove(next);
            self.show(event, consequence);
        }
        if self.held_back.is_empty() {
            // Most orders never hold anything back again: they need not keep the room for it.
            self.held_back = Vec::new();
        }
        self.events.len() > before
    }

    fn next_to_show(&self) -> Option<usize> {
        let ready = self.held_back.iter().enumerate().filter(|(_, (event, _))| {
            let causes = causes(event.event_type);
            causes == 0 || causes & self.visible != 0
        });
        ready.min_by_key(|(_, (event, _))| event.event_type.step()).map(|(index, _)| index)
    }

    fn show(&mut self, event: StoredEvent, consequence: Consequence) {
        self.status = status_after(self.status, event.event_type);
        self.visible |= type_bit(event.event_type);
        if event.event_type == EventType::OrderCreated {
            (self.created_at, self.last_updated) = (event.timestamp, event.timestamp);
        }
        self.last_updated = self.last_updated.max(event.timestamp);
        match consequence {
            Consequence::Nothing => (),
            Consequence::Paid(amount) => self.payment_amount = Some(amount),
            Consequence::Tracked(number) => self.tracking_number = Some(number),
        }
        // Exactly one more: an order has five or six events, and doubling would waste as much again.
        self.events.reserve_exact(1);
        self.events.push(event);
    }
}

/// What a record did to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Folded {
    /// More of the order is visible than before.
    pub(super) shows_more: bool,
    /// Since when the order was open before, and is now.
    pub(super) was_open: Option<Timestamp>,
    pub(super) is_open: Option<Timestamp>,
}

/// The orders that are in memory.
#[derive(Debug, Default)]
pub(super) struct Orders(HashMap<OrderId, Arc<StoredOrder>, RandomState>);

impl Orders {
    /// Folds one record: the first of a step is the truth, later ones are repeats.
    pub(super) fn fold(
        &mut self,
        event: &Event,
        version: &'static str,
        at: Timestamp,
        value: &[u8],
    ) -> Folded {
        let (order, was_open) = match self.0.entry(event.order_id()) {
            Entry::Occupied(known) => {
                let order = known.into_mut();
                let was_open = order.open_since();
                (order, was_open)
            }
            Entry::Vacant(vacant) => (vacant.insert(Arc::new(StoredOrder::new(event, at))), None),
        };
        // Copied only while a replay compares it, or a file is written.
        let order = Arc::make_mut(order);
        let shows_more = order.fold(event, || StoredEvent {
            event_type: event.event_type(),
            version,
            timestamp: at,
            // Only fields that nobody reads can hold what is no text.
            data: String::from_utf8_lossy(value).into(),
        });
        Folded { shows_more, was_open, is_open: order.open_since() }
    }

    /// The order as it is now, shared.
    pub(super) fn shared(&self, order_id: OrderId) -> Option<&Arc<StoredOrder>> {
        self.0.get(&order_id)
    }

    /// Every order as it is now.
    pub(super) const fn all(&self) -> &HashMap<OrderId, Arc<StoredOrder>, RandomState> {
        &self.0
    }

    pub(super) fn forget(&mut self, order_id: OrderId) {
        self.0.remove(&order_id);
    }

    /// The order, known or not: its beginning may be missing.
    pub(super) fn get_any(&self, order_id: OrderId) -> Option<&StoredOrder> {
        self.0.get(&order_id).map(Arc::as_ref)
    }

    /// The order, once it is known.
    pub(super) fn get(&self, order_id: OrderId) -> Option<&StoredOrder> {
        self.0.get(&order_id).map(Arc::as_ref).filter(|order| order.is_known())
    }
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;

#[cfg(test)]
pub(super) use tests::{event, sample_id};
