//! Events as rows. Pure.

use contract::Timestamp;
use contract::events::{Event, EventType};
use contract::order::OrderStatus;
use serde_json::Value;
use uuid::Uuid;

use crate::kit::log::Received;

/// Bounds of the specification's columns: `VARCHAR(20)`, and `DECIMAL(10,2)` in cents.
const TRACKING_NUMBER_LENGTH: usize = 20;
const AMOUNT_CENTS: i64 = 10_i64.pow(10);

/// How far along an order is after an event, in the order of [`STATUSES`]; the furthest counts.
pub(super) const STATUSES: [&str; 7] = [
    "created",
    "inventory_confirmed",
    "payment_completed",
    "notification_sent",
    "shipped",
    "inventory_rejected",
    "payment_failed",
];

/// Place in [`STATUSES`], from one as SQL counts; nothing where the event changes no status.
const fn rank(event_type: EventType) -> Option<i32> {
    let status = match event_type {
        EventType::OrderCreated => OrderStatus::Created,
        EventType::InventoryConfirmed => OrderStatus::InventoryConfirmed,
        EventType::InventoryRejected => OrderStatus::InventoryRejected,
        EventType::InventoryReleased => return None,
        EventType::PaymentCompleted => OrderStatus::PaymentCompleted,
        EventType::PaymentFailed => OrderStatus::PaymentFailed,
        EventType::Shipped => OrderStatus::Shipped,
        EventType::NotificationSent => OrderStatus::NotificationSent,
    };
    Some(status as i32 + 1)
}

/// Rows of new events, column by column.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) order: Vec<Uuid>,
    pub(super) event: Vec<Uuid>,
    pub(super) event_type: Vec<&'static str>,
    pub(super) data: Vec<String>,
    pub(super) text: Vec<String>,
    pub(super) version: Vec<&'static str>,
    pub(super) at: Vec<Timestamp>,
    pub(super) product: Vec<&'static str>,
    pub(super) quantity: Vec<i32>,
    pub(super) rank: Vec<Option<i32>>,
    pub(super) amount_cents: Vec<Option<i64>>,
    pub(super) tracking_number: Vec<Option<String>>,
    pub(super) carrier: Vec<Option<String>>,
    pub(super) days: Vec<Option<i32>>,
    pub(super) shipped_at: Vec<Option<Timestamp>>,
}

impl Columns {
    /// Adds a record, or says why the tables cannot hold it.
    pub(super) fn push(&mut self, record: &Received) -> Result<(), String> {
        let Received { event, .. } = record;
        let (mut amount, mut shipment) = (None, None);
        match event {
            Event::Payment(payment) if payment.event_type == EventType::PaymentCompleted => {
                let cents = payment.amount.0;
                if cents.abs() >= AMOUNT_CENTS {
                    return Err(format!("an amount of {} does not fit", payment.amount));
                }
                amount = Some(cents);
            }
            Event::Shipping(shipping) => {
                let number = &shipping.tracking_number;
                if number.chars().count() > TRACKING_NUMBER_LENGTH || number.contains('\0') {
                    return Err(format!("the tracking number {number:?} does not fit"));
                }
                let days = i32::try_from(shipping.estimated_delivery_days)
                    .map_err(|_| "the days of delivery do not fit".to_owned())?;
                let carrier = format!("{:?}", shipping.carrier);
                shipment = Some((number.clone(), carrier, days, shipping.shipped_at));
            }
            _ => {}
        }
        self.order.push(event.order_id().0);
        self.event.push(event.order_id().event_id(event.step()));
        self.event_type.push(event.event_type().name());
        self.data.push(json(event));
        // Only fields that nobody reads can hold what is no text.
        self.text.push(String::from_utf8_lossy(&record.value).into_owned());
        self.version.push(record.version);
        self.at.push(record.timestamp);
        self.product.push(event.product_id().as_str());
        self.quantity.push(i32::try_from(event.quantity()).unwrap_or(i32::MAX));
        self.rank.push(rank(event.event_type()));
        self.amount_cents.push(amount);
        let (number, carrier, days, at) = match shipment {
            Some((number, carrier, days, at)) => {
                (Some(number), Some(carrier), Some(days), Some(at))
            }
            None => (None, None, None, None),
        };
        self.tracking_number.push(number);
        self.carrier.push(carrier);
        self.days.push(days);
        self.shipped_at.push(at);
        Ok(())
    }
}

/// What this program knows of the event, as JSONB takes it: a NUL is legal JSON and no legal JSONB.
fn json(event: &Event) -> String {
    let text = String::from_utf8(event.encode()).unwrap_or_default();
    if !text.contains("\\u0000") {
        return text;
    }
    let mut value = serde_json::from_str(&text).unwrap_or(Value::Null);
    without_nul(&mut value);
    value.to_string()
}

fn without_nul(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(values) => values.iter_mut().for_each(without_nul),
        Value::Object(fields) => fields.values_mut().for_each(without_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use contract::money::Cents;

    use super::super::super::domain::event;
    use super::*;

    fn received(event: Event) -> Received {
        Received {
            topic: event.event_type().topic(),
            partition: 0,
            offset: 0,
            timestamp: Timestamp::default(),
            version: "v1",
            trace: None,
            value: event.encode().into(),
            event,
        }
    }

    #[test]
    fn the_furthest_status_counts() {
        for event_type in EventType::ALL {
            let Some(rank) = rank(event_type) else { continue };
            let name = STATUSES[usize::try_from(rank).unwrap() - 1];
            let status: OrderStatus = serde_json::from_value(name.into()).unwrap();
            assert_eq!(serde_json::to_value(status).unwrap(), name);
            assert_eq!(status as i32 + 1, rank);
        }
    }

    #[test]
    fn what_the_columns_cannot_hold_is_told_apart() {
        let mut columns = Columns::default();
        for event_type in EventType::ALL {
            assert_eq!(columns.push(&received(event(event_type))), Ok(()));
        }
        let mut dear = event(EventType::PaymentCompleted);
        let Event::Payment(payment) = &mut dear else { panic!("no payment") };
        payment.amount = Cents(AMOUNT_CENTS);
        assert!(columns.push(&received(dear)).unwrap_err().contains("amount"));
        let mut long = event(EventType::Shipped);
        let Event::Shipping(shipping) = &mut long else { panic!("no shipment") };
        shipping.tracking_number = "T".repeat(21);
        assert!(columns.push(&received(long)).unwrap_err().contains("tracking number"));
        assert_eq!(columns.order.len(), EventType::ALL.len());
        assert_eq!(columns.shipped_at.len(), EventType::ALL.len());
    }

    #[test]
    fn a_nul_does_not_reach_the_database() {
        let mut strange = event(EventType::OrderCreated);
        let Event::Order(order) = &mut strange else { panic!("no order") };
        order.request_id = Some("a\0\\u0000".to_owned());
        let value: Value = serde_json::from_str(&json(&strange)).unwrap();
        assert_eq!(value["request_id"], "a\u{fffd}\\u0000");
    }
}
