//! Orders as a state that replay compares: an order is its events, the held back ones included.

use std::collections::HashMap;
use std::sync::Arc;

use contract::Timestamp;
use contract::events::{Event, EventType};
use contract::ids::OrderId;
use contract::topics::{Step, header};
use foldhash::fast::RandomState;

use super::domain::{Orders, StoredEvent, StoredOrder};
use super::view::SharedView;
use crate::kit::fed::Fed;
use crate::kit::log::Received;
use crate::kit::snapshot::format::{Reader, put_length};
use crate::kit::snapshot::state::Undone;
use crate::kit::snapshot::{Content, State, Unit, Units};

impl State for Orders {
    fn units(&self) -> Units {
        Units::Whole
    }

    fn fold(&mut self, record: &Received) {
        let Received { event, version, timestamp, value, .. } = record;
        Self::fold(self, event, version, *timestamp, value);
    }

    fn has_taken(&self, _partition: i32, order: OrderId, step: Step) -> bool {
        self.get_any(order).is_some_and(|order| order.has_seen(step))
    }

    fn lend(&mut self, _unit: Unit, _undone: Undone) -> Arc<dyn Content> {
        Arc::new(Lent(self.all().clone()))
    }

    fn expect(&mut self, _unit: Unit, orders: usize) {
        self.reserve(orders);
    }

    fn restore(&mut self, _unit: Unit, order: OrderId, entry: &[u8]) -> bool {
        let Some(events) = decode(entry) else { return false };
        self.forget(order);
        events.iter().all(|(event, at, data)| {
            let belongs = event.order_id() == order;
            if belongs {
                Self::fold(self, event, header::CURRENT_VERSION, *at, data);
            }
            belongs
        })
    }

    fn fresh(&self) -> Box<dyn State> {
        Box::new(Self::default())
    }
}

/// Orders as they were when they were lent.
struct Lent(HashMap<OrderId, Arc<StoredOrder>, RandomState>);

impl Content for Lent {
    fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
        let mut entry = Vec::new();
        for (order_id, order) in &self.0 {
            entry.clear();
            encode(order, &mut entry);
            each(*order_id, &entry);
        }
    }

    fn entry(&self, order_id: OrderId, out: &mut Vec<u8>) {
        if let Some(order) = self.0.get(&order_id) {
            encode(order, out);
        }
    }
}

/// Type, time and value of each event, in the order of the saga: topics are read side by side, and what came
/// first differs from reading to reading.
fn encode(order: &StoredOrder, out: &mut Vec<u8>) {
    let mut events: Vec<&StoredEvent> = order.all_events().collect();
    events.sort_by_key(|event| event.event_type.step());
    for event in events {
        out.push(event.event_type as u8);
        out.extend_from_slice(&event.timestamp.timestamp().to_le_bytes());
        out.extend_from_slice(&event.timestamp.timestamp_subsec_nanos().to_le_bytes());
        put_length(event.data.len(), out);
        out.extend_from_slice(event.data.as_bytes());
    }
}

fn decode(entry: &[u8]) -> Option<Vec<(Event, Timestamp, &[u8])>> {
    let mut reader = Reader(entry);
    let mut events = Vec::new();
    while !reader.0.is_empty() {
        let event_type = EventType::ALL.get(usize::from(reader.byte()?)).copied()?;
        let seconds = i64::from_le_bytes(reader.array()?);
        let nanoseconds = u32::from_le_bytes(reader.array()?);
        let at = Timestamp::from_timestamp(seconds, nanoseconds)?;
        let length = reader.length()?;
        let data = reader.take(length)?;
        events.push((Event::decode(Some(event_type.name()), data).ok()?, at, data));
    }
    Some(events)
}

impl Fed for SharedView {
    fn with(&self, work: &mut dyn FnMut(&mut dyn State)) {
        work(self.lock().orders());
    }

    /// Only the orders that differ: sockets watch the others.
    fn replace(&self, content: &dyn Content, live: &dyn Content) {
        let mut changed = Vec::new();
        let mut other = Vec::new();
        content.visit(&mut |order, entry| {
            other.clear();
            live.entry(order, &mut other);
            if other != entry {
                changed.push((order, entry.to_vec()));
            }
        });
        live.visit(&mut |order, _| {
            other.clear();
            content.entry(order, &mut other);
            if other.is_empty() {
                changed.push((order, Vec::new()));
            }
        });
        let mut view = self.lock();
        for (order, entry) in changed {
            view.replace(order, &entry);
        }
    }

    /// An order is a whole history of about 1.5 KB: all of them are too much to write again and again.
    fn is_kept(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::domain::{event, sample_id};
    use super::*;

    fn folded(event_types: &[EventType]) -> Orders {
        let mut orders = Orders::default();
        for event_type in event_types {
            let event = event(*event_type);
            let at = Timestamp::from_timestamp_nanos(1_750_000_000_123_456_789);
            Orders::fold(&mut orders, &event, "v1", at, &event.encode());
        }
        orders
    }

    fn entry(orders: &mut Orders) -> Vec<u8> {
        let mut entry = Vec::new();
        orders.lend(Unit::Whole, Undone::default()).entry(sample_id(), &mut entry);
        entry
    }

    #[test]
    fn an_order_is_its_events_in_whatever_order_they_were_read() {
        let types = [EventType::OrderCreated, EventType::InventoryConfirmed, EventType::Shipped];
        let [a, b, c] = types;
        let told = entry(&mut folded(&[a, b, c]));
        for order in [[c, b, a], [b, a, c], [a, c, b]] {
            assert_eq!(
                entry(&mut folded(&order)),
                told,
                "the last one is held back in all of them"
            );
        }
        assert_ne!(entry(&mut folded(&[a, b])), told);

        let mut restored = Orders::default();
        assert!(restored.restore(Unit::Whole, sample_id(), &told));
        assert_eq!(entry(&mut restored), told);
        assert!(restored.has_taken(0, sample_id(), Step::Shipping));
        assert!(!restored.has_taken(0, sample_id(), Step::Payment));
        assert!(!restored.restore(Unit::Whole, sample_id(), &told[..told.len() - 1]));
        assert!(!restored.restore(Unit::Whole, OrderId::for_idempotency_key("other"), &told));
    }
}
