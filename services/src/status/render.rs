//! An order as JSON, written straight from what is stored: the same bytes as [`contract::order::Order`]
//! would give, without building one.

use contract::Timestamp;
use contract::ids::{OrderId, ProductId};
use contract::money::Cents;
use contract::order::{EventRecord, OrderStatus};
use contract::ws::{ErrorData, Message, MessageType};
use serde::Serialize;
use uuid::Uuid;

use super::domain::{StoredEvent, StoredOrder};
use crate::kit::trace::TraceContext;

/// [`contract::order::Order`], borrowed. Field for field in its order.
#[derive(Serialize)]
struct OrderView<'a> {
    order_id: OrderId,
    product_id: ProductId,
    quantity: u32,
    status: OrderStatus,
    events: Vec<EventView<'a>>,
    last_updated: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_amount: Option<Cents>,
    created_at: Timestamp,
}

/// [`contract::order::EventRecord`], borrowed.
#[derive(Serialize)]
struct EventView<'a> {
    event_id: Uuid,
    event_type: &'static str,
    data: &'a str,
    timestamp: Timestamp,
    version: &'static str,
}

fn event_view(order_id: OrderId, event: &StoredEvent) -> EventView<'_> {
    EventView {
        event_id: order_id.event_id(event.event_type.step()),
        event_type: event.event_type.name(),
        data: &event.data,
        timestamp: event.timestamp,
        version: event.version,
    }
}

/// One event as a page shows it.
pub(super) fn record(order_id: OrderId, event: &StoredEvent) -> EventRecord {
    EventRecord {
        event_id: order_id.event_id(event.event_type.step()),
        event_type: event.event_type.name().to_owned(),
        data: event.data.clone().into(),
        timestamp: event.timestamp,
        version: event.version.to_owned(),
    }
}

fn order_view(order_id: OrderId, order: &StoredOrder) -> OrderView<'_> {
    OrderView {
        order_id,
        product_id: order.product_id,
        quantity: order.quantity,
        status: order.status,
        events: order.events.iter().map(|event| event_view(order_id, event)).collect(),
        last_updated: order.last_updated,
        tracking_number: order.tracking_number.as_deref(),
        payment_amount: order.payment_amount,
        created_at: order.created_at,
    }
}

/// What the JSON of an order adds to the bytes of its events, at most: saves growing the buffer.
const EVENT_OVERHEAD_BYTES: usize = 256;
const ORDER_OVERHEAD_BYTES: usize = 512;

fn json(value: &impl Serialize, capacity: usize) -> String {
    let mut bytes = Vec::with_capacity(capacity);
    // Writing plain structs into memory has no way to fail, and writes nothing but text.
    match serde_json::to_writer(&mut bytes, value) {
        Ok(()) => String::from_utf8(bytes).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

fn capacity(order: &StoredOrder) -> usize {
    let of_event = |event: &StoredEvent| event.data.len() + EVENT_OVERHEAD_BYTES;
    ORDER_OVERHEAD_BYTES + order.events.iter().map(of_event).sum::<usize>()
}

/// The body of `GET /status/{id}`.
pub(super) fn status(order_id: OrderId, order: &StoredOrder) -> String {
    json(&order_view(order_id, order), capacity(order))
}

/// An `order_update`: the whole order with all its events.
pub(super) fn update(
    order_id: OrderId,
    order: &StoredOrder,
    now: Timestamp,
    trace: Option<TraceContext>,
) -> String {
    let message = Message {
        message_type: MessageType::OrderUpdate,
        order_id: Some(order_id.to_string()),
        timestamp: now,
        traceparent: trace.map(|trace| trace.to_string()),
        data: Some(order_view(order_id, order)),
    };
    json(&message, capacity(order))
}

/// An `error`; `id` is what stands in the socket's path.
pub(super) fn error(id: &str, code: &str, message: &str, now: Timestamp) -> String {
    let data = ErrorData { code: code.to_owned(), message: message.to_owned(), details: None };
    let message_type = MessageType::Error;
    let (order_id, traceparent) = (Some(id.to_owned()), None);
    let data = Some(data);
    json(&Message { message_type, order_id, timestamp: now, traceparent, data }, 256)
}

/// The answer to a `ping` in JSON.
pub(super) fn pong(id: &str, now: Timestamp) -> String {
    let (message_type, order_id) = (MessageType::Pong, Some(id.to_owned()));
    let pong = Message::<ErrorData> {
        message_type,
        order_id,
        timestamp: now,
        traceparent: None,
        data: None,
    };
    json(&pong, 128)
}

#[cfg(test)]
mod tests {
    use contract::events::{Event, EventType};
    use contract::order::Order;

    use super::super::domain::{Orders, event, sample_id};
    use super::*;

    fn at(event: &Event) -> Timestamp {
        let nanoseconds = 1_750_000_000_123_000_000 + i64::from(event.event_type() as u8) * 1_001;
        Timestamp::from_timestamp_nanos(nanoseconds)
    }

    fn folded(event_types: &[EventType]) -> (Orders, Vec<EventRecord>) {
        let mut orders = Orders::default();
        let mut records = Vec::new();
        for event_type in event_types {
            let event = event(*event_type);
            let data = String::from_utf8(event.encode()).unwrap();
            orders.fold(&event, "v1", at(&event), data.as_bytes());
            records.push(EventRecord {
                event_id: sample_id().event_id(event.step()),
                event_type: event_type.name().to_owned(),
                data,
                timestamp: at(&event),
                version: "v1".to_owned(),
            });
        }
        (orders, records)
    }

    #[test]
    fn the_bytes_are_those_of_the_contracts_order() {
        let all = [
            EventType::OrderCreated,
            EventType::InventoryConfirmed,
            EventType::PaymentCompleted,
            EventType::Shipped,
            EventType::NotificationSent,
        ];
        for count in 1..=all.len() {
            let (orders, events) = folded(&all[..count]);
            let stored = orders.get(sample_id()).unwrap();
            let order = Order {
                order_id: sample_id(),
                product_id: ProductId::Product2,
                quantity: 3,
                status: stored.status,
                last_updated: events.iter().map(|event| event.timestamp).max().unwrap(),
                created_at: events[0].timestamp,
                events,
                tracking_number: (count >= 4).then(|| "TRK00ff00ff".to_owned()),
                payment_amount: (count >= 3).then(|| ProductId::Product2.price() * 3),
            };
            let expected = serde_json::to_string(&order).unwrap();
            assert_eq!(status(sample_id(), stored), expected);
            let frame = update(sample_id(), stored, order.created_at, None);
            let parsed: Message<Order> = serde_json::from_str(&frame).unwrap();
            assert_eq!(parsed.data, Some(order));
            assert_eq!(parsed.order_id, Some(sample_id().to_string()));
            assert!(frame.capacity() <= capacity(stored), "the buffer did not have to grow");
        }
    }

    #[test]
    fn messages_without_an_order_name_the_sockets_id() {
        let now = at(&event(EventType::OrderCreated));
        let parsed: Message<ErrorData> =
            serde_json::from_str(&error("any id", "code", "message", now)).unwrap();
        assert_eq!(parsed.message_type, MessageType::Error);
        assert_eq!(parsed.order_id.as_deref(), Some("any id"));
        assert_eq!(parsed.data.unwrap().code, "code");
        let parsed: Message<ErrorData> = serde_json::from_str(&pong("any id", now)).unwrap();
        assert_eq!((parsed.message_type, parsed.data), (MessageType::Pong, None));
    }
}
