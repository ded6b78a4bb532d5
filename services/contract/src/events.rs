//! The events, as JSON record values (specification §3.1), and what stands in their headers (§3.2).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{OrderId, ProductId};
use crate::money::Cents;
use crate::topics::Step;

/// The types of event, named as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EventType {
    OrderCreated,
    InventoryConfirmed,
    InventoryRejected,
    InventoryReleased,
    PaymentCompleted,
    PaymentFailed,
    Shipped,
    NotificationSent,
}

impl EventType {
    pub const ALL: [Self; 8] = [
        Self::OrderCreated,
        Self::InventoryConfirmed,
        Self::InventoryRejected,
        Self::InventoryReleased,
        Self::PaymentCompleted,
        Self::PaymentFailed,
        Self::Shipped,
        Self::NotificationSent,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderCreated => "OrderCreated",
            Self::InventoryConfirmed => "InventoryConfirmed",
            Self::InventoryRejected => "InventoryRejected",
            Self::InventoryReleased => "InventoryReleased",
            Self::PaymentCompleted => "PaymentCompleted",
            Self::PaymentFailed => "PaymentFailed",
            Self::Shipped => "Shipped",
            Self::NotificationSent => "NotificationSent",
        }
    }
}

impl FromStr for EventType {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        Self::ALL
            .into_iter()
            .find(|event_type| event_type.name() == text)
            .ok_or_else(|| DecodeError::UnknownType(text.to_owned()))
    }
}

/// The first event of every order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCreated {
    pub order_id: OrderId,
    pub product_id: ProductId,
    /// Pieces, 1 to 100.
    pub quantity: u32,
    pub event_type: EventType,
    /// The client's `Idempotency-Key` (DESIGN §4): ties a request without an answer to its order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// `InventoryConfirmed`, `InventoryRejected` (with a reason) and `InventoryReleased`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryEvent {
    pub order_id: OrderId,
    pub product_id: ProductId,
    pub quantity: u32,
    pub event_type: EventType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `PaymentCompleted` and `PaymentFailed` (with a reason).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentEvent {
    pub order_id: OrderId,
    pub product_id: ProductId,
    pub quantity: u32,
    /// On the wire `amount`: dollars.
    pub amount: Cents,
    pub event_type: EventType,
    pub processed_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The carriers of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Carrier {
    FedEx,
    UPS,
    DHL,
    USPS,
}

impl Carrier {
    pub const ALL: [Self; 4] = [Self::FedEx, Self::UPS, Self::DHL, Self::USPS];
}

/// `Shipped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingEvent {
    pub order_id: OrderId,
    pub product_id: ProductId,
    pub quantity: u32,
    pub event_type: EventType,
    /// `TRK` and eight lower-case hexadecimal digits.
    pub tracking_number: String,
    pub carrier: Carrier,
    /// Days, 1 to 30.
    pub estimated_delivery_days: u32,
    pub shipped_at: Timestamp,
}

/// `NotificationSent` (DESIGN §7: the specification has no schema for it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationEvent {
    pub order_id: OrderId,
    pub product_id: ProductId,
    pub quantity: u32,
    pub event_type: EventType,
    pub channel: String,
    pub sent_at: Timestamp,
}

/// Any event of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Event {
    Order(OrderCreated),
    Inventory(InventoryEvent),
    Payment(PaymentEvent),
    Shipping(ShippingEvent),
    Notification(NotificationEvent),
}

/// Why a record value is no event that we can read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not an error of the producer: newer producers may know more types. Ignored and counted.
    #[error("unknown event type {0:?}")]
    UnknownType(String),
    #[error("not an event: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the header says {header} and the value says {value}")]
    TypeMismatch { header: &'static str, value: &'static str },
    #[error("quantity {0} is outside 1 to 100")]
    Quantity(u32),
    #[error("event version {0:?} is not one that we can read (v1)")]
    Version(String),
}

/// Pieces in one order (specification §3.1).
pub const QUANTITY: std::ops::RangeInclusive<u32> = 1..=100;

impl Event {
    /// Reads a record value. `event_type` is the record's `event-type` header; without one the value
    /// is looked into first. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`DecodeError`]: an unknown type, JSON that is not this event, a header that contradicts the
    /// value, a quantity out of range.
    pub fn decode(event_type: Option<&str>, value: &[u8]) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Peek<'a> {
            #[serde(borrow)]
            event_type: std::borrow::Cow<'a, str>,
        }
        let expected: EventType = match event_type {
            Some(name) => name.parse()?,
            None => serde_json::from_slice::<Peek<'_>>(value)?.event_type.parse()?,
        };
        let event = match expected.step() {
            Step::Created => Self::Order(serde_json::from_slice(value)?),
            Step::Inventory | Step::Release => Self::Inventory(serde_json::from_slice(value)?),
            Step::Payment => Self::Payment(serde_json::from_slice(value)?),
            Step::Shipping => Self::Shipping(serde_json::from_slice(value)?),
            Step::Notification => Self::Notification(serde_json::from_slice(value)?),
        };
        if event.event_type() != expected {
            let (header, value) = (expected.name(), event.event_type().name());
            return Err(DecodeError::TypeMismatch { header, value });
        }
        if !QUANTITY.contains(&event.quantity()) {
            return Err(DecodeError::Quantity(event.quantity()));
        }
        Ok(event)
    }

    /// The record value: JSON in UTF-8.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Serializing plain structs into memory has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::Order(event) => event.event_type,
            Self::Inventory(event) => event.event_type,
            Self::Payment(event) => event.event_type,
            Self::Shipping(event) => event.event_type,
            Self::Notification(event) => event.event_type,
        }
    }

    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::Order(event) => event.order_id,
            Self::Inventory(event) => event.order_id,
            Self::Payment(event) => event.order_id,
            Self::Shipping(event) => event.order_id,
            Self::Notification(event) => event.order_id,
        }
    }

    #[must_use]
    pub const fn product_id(&self) -> ProductId {
        match self {
            Self::Order(event) => event.product_id,
            Self::Inventory(event) => event.product_id,
            Self::Payment(event) => event.product_id,
            Self::Shipping(event) => event.product_id,
            Self::Notification(event) => event.product_id,
        }
    }

    #[must_use]
    pub const fn quantity(&self) -> u32 {
        match self {
            Self::Order(event) => event.quantity,
            Self::Inventory(event) => event.quantity,
            Self::Payment(event) => event.quantity,
            Self::Shipping(event) => event.quantity,
            Self::Notification(event) => event.quantity,
        }
    }

    #[must_use]
    pub const fn step(&self) -> Step {
        self.event_type().step()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn sample(event_type: EventType) -> Event {
        let at = Timestamp::from_timestamp_millis(1_750_000_000_123).unwrap();
        samples::event(OrderId::for_idempotency_key("sample"), event_type, at)
    }

    #[test]
    fn every_event_survives_the_wire_with_and_without_its_header() {
        for event_type in EventType::ALL {
            let event = sample(event_type);
            let value = event.encode();
            assert_eq!(Event::decode(Some(event_type.name()), &value).unwrap(), event);
            assert_eq!(Event::decode(None, &value).unwrap(), event);
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_unknown_types_named() {
        let mut value: serde_json::Value =
            serde_json::from_slice(&sample(EventType::Shipped).encode()).unwrap();
        value["gift_wrap"] = true.into();
        assert!(Event::decode(None, value.to_string().as_bytes()).is_ok());
        value["event_type"] = "Teleported".into();
        let error = Event::decode(None, value.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::UnknownType(name) if name == "Teleported"));
    }

    #[test]
    fn a_header_that_contradicts_the_value_is_refused() {
        let value = sample(EventType::InventoryConfirmed).encode();
        let error = Event::decode(Some("InventoryRejected"), &value).unwrap_err();
        assert!(matches!(error, DecodeError::TypeMismatch { .. }));
    }

    #[test]
    fn quantities_outside_the_specification_are_refused() {
        let mut value: serde_json::Value =
            serde_json::from_slice(&sample(EventType::OrderCreated).encode()).unwrap();
        for quantity in [0, 101] {
            value["quantity"] = quantity.into();
            let error = Event::decode(None, value.to_string().as_bytes()).unwrap_err();
            assert!(matches!(error, DecodeError::Quantity(q) if q == quantity));
        }
    }
}
