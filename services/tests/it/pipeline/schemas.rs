//! The schemas of events catch what is wrong.

use contract::events::EventType;
use contract::ids::OrderId;
use contract::topics::{Topic, header};
use rskafka::record::Record;
use serde_json::{Value, json};

use crate::edge::records::{event, record};
use crate::schemas::Schemas;

fn right(event_type: EventType) -> (Topic, Record) {
    let event = event(OrderId::for_idempotency_key("schema"), event_type);
    let (topic, _, record) = record(&event, event.encode());
    (topic, record)
}

fn changed(event_type: EventType, change: impl FnOnce(&mut Value)) -> (Topic, Record) {
    let (topic, mut record) = right(event_type);
    let mut value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
    change(&mut value);
    record.value = Some(value.to_string().into_bytes());
    (topic, record)
}

#[test]
fn every_type_of_event_has_a_schema_that_it_fits_and_that_nothing_wrong_fits() {
    let schemas = Schemas::new();
    let judge = |(topic, record): (Topic, Record)| schemas.judge(topic.name(), &record);
    for event_type in EventType::ALL {
        judge(right(event_type)).unwrap();
        judge(changed(event_type, |value| value["new_field"] = json!(1))).unwrap();
        let (_, record) = right(event_type);
        let fields: Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
        let fields = || fields.as_object().unwrap().keys().filter(|field| *field != OURS);
        for field in fields().filter(|field| !OPTIONAL.contains(&field.as_str())) {
            let without = |value: &mut Value| drop(value.as_object_mut().unwrap().remove(field));
            judge(changed(event_type, without)).expect_err(field);
        }
        for field in fields() {
            judge(changed(event_type, |value| value[field] = json!([]))).expect_err(field);
        }
    }
}

/// Fields that the specification does not demand.
const OPTIONAL: [&str; 1] = ["estimated_delivery_days"];

/// The field of which the specification's schemas know nothing.
const OURS: &str = "request_id";

#[test]
fn a_planted_value_outside_its_schema_is_caught() {
    let schemas = Schemas::new();
    for (event_type, field, wrong) in [
        (EventType::OrderCreated, "order_id", json!("not-a-uuid")),
        (EventType::OrderCreated, "product_id", json!("product-4")),
        (EventType::OrderCreated, "quantity", json!(0)),
        (EventType::OrderCreated, "quantity", json!(101)),
        (EventType::OrderCreated, "quantity", json!(1.5)),
        (EventType::InventoryConfirmed, "event_type", json!("InventoryReserved")),
        (EventType::PaymentCompleted, "amount", json!(-0.01)),
        (EventType::PaymentFailed, "processed_at", json!("yesterday")),
        (EventType::Shipped, "tracking_number", json!("TRK00FF00FF")),
        (EventType::Shipped, "carrier", json!("Hermes")),
        (EventType::Shipped, "estimated_delivery_days", json!(31)),
        (EventType::Shipped, "shipped_at", json!(1_750_000_000)),
        (EventType::NotificationSent, "sent_at", json!("")),
    ] {
        let (topic, record) = changed(event_type, |value| value[field] = wrong);
        schemas.judge(topic.name(), &record).expect_err(field);
    }
}

#[test]
fn a_planted_header_key_or_topic_is_caught() {
    let schemas = Schemas::new();
    let (topic, record) = right(EventType::Shipped);
    for name in record.headers.keys() {
        let mut without = record.clone();
        without.headers.remove(name);
        schemas.judge(topic.name(), &without).expect_err(name);
    }
    for (name, wrong) in [
        (header::EVENT_TYPE, "OrderCreated"),
        (header::EVENT_VERSION, "v2"),
        (header::PRODUCER_SERVICE, "payment-service"),
        (header::TIMESTAMP, "1750000000"),
    ] {
        let mut lying = record.clone();
        lying.headers.insert(name.to_owned(), wrong.into());
        schemas.judge(topic.name(), &lying).expect_err(name);
    }
    let foreign = Record { key: Some(b"someone else".to_vec()), ..record.clone() };
    schemas.judge(topic.name(), &foreign).expect_err("key");
    let empty = Record { value: None, ..record.clone() };
    schemas.judge(topic.name(), &empty).expect_err("value");
    schemas.judge("orders", &record).expect_err("topic");
    schemas.judge("orders.dead-letter", &record).expect_err("origin");
}
