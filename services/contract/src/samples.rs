//! Events of a sample order, for tests and benchmarks of all packages. Always compiled, since a feature of its own
//! would make everything be compiled twice.

use std::collections::BTreeMap;

use crate::Timestamp;
use crate::events::{
    Carrier, Event, EventType, InventoryEvent, NotificationEvent, OrderCreated, PaymentEvent,
    ShippingEvent,
};
use crate::ids::{OrderId, ProductId};
use crate::topics::{Step, header};

/// A saga that ends well.
pub const SAGA: [EventType; 5] = [
    EventType::OrderCreated,
    EventType::InventoryConfirmed,
    EventType::PaymentCompleted,
    EventType::Shipped,
    EventType::NotificationSent,
];

/// An event of an order of three pieces of product-2.
#[must_use]
pub fn event(order_id: OrderId, event_type: EventType, at: Timestamp) -> Event {
    event_of(order_id, (ProductId::Product2, 3), event_type, at)
}

/// An event of an order of so many pieces of a product.
#[must_use]
pub fn event_of(
    order_id: OrderId,
    (product_id, quantity): (ProductId, u32),
    event_type: EventType,
    at: Timestamp,
) -> Event {
    match event_type.step() {
        Step::Created => Event::Order(OrderCreated {
            order_id,
            product_id,
            quantity,
            event_type,
            request_id: Some("0123456789abcdef".to_owned()),
        }),
        Step::Inventory | Step::Release => Event::Inventory(InventoryEvent {
            order_id,
            product_id,
            quantity,
            event_type,
            reason: None,
        }),
        Step::Payment => Event::Payment(PaymentEvent {
            order_id,
            product_id,
            quantity,
            amount: product_id.price() * quantity,
            event_type,
            processed_at: at,
            reason: None,
        }),
        Step::Shipping => Event::Shipping(ShippingEvent {
            order_id,
            product_id,
            quantity,
            event_type,
            tracking_number: "TRK00ff00ff".to_owned(),
            carrier: Carrier::DHL,
            estimated_delivery_days: 3,
            shipped_at: at,
        }),
        Step::Notification => Event::Notification(NotificationEvent {
            order_id,
            product_id,
            quantity,
            event_type,
            channel: "email".to_owned(),
            sent_at: at,
        }),
    }
}

/// The headers of the event's record.
#[must_use]
pub fn headers(event: &Event, at: Timestamp) -> BTreeMap<String, Vec<u8>> {
    let event_type = event.event_type();
    let headers = [
        (header::EVENT_TYPE, event_type.name()),
        (header::EVENT_VERSION, header::CURRENT_VERSION),
        (header::PRODUCER_SERVICE, event_type.topic().producer()),
        (header::TIMESTAMP, &at.to_rfc3339()),
    ];
    headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).into()
}
