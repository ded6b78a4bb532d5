//! Orders that have ended, written past every service.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use contract::Timestamp;
use contract::events::{Carrier, Event, EventType, InventoryEvent, NotificationEvent};
use contract::events::{OrderCreated, PaymentEvent, ShippingEvent};
use contract::ids::{OrderId, ProductId};
use contract::topics::{DEFAULT_PARTITIONS, Step, header, partition_for_key};
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

/// Records of one request.
const BATCH: usize = 1_000;

const SAGA: [EventType; 5] = [
    EventType::OrderCreated,
    EventType::InventoryConfirmed,
    EventType::PaymentCompleted,
    EventType::NotificationSent,
    EventType::Shipped,
];

pub(crate) struct Orders(Client);

impl Orders {
    pub(crate) async fn at(kafka: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self(ClientBuilder::new(vec![kafka.to_string()]).build().await?))
    }

    pub(crate) fn id(&self, number: usize) -> String {
        id(number).to_string()
    }

    /// Writes so many orders, topic by topic.
    pub(crate) async fn write(&self, count: usize) -> anyhow::Result<()> {
        for event_type in SAGA {
            let mut partitions: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
            for number in 0..count {
                let event = event(id(number), event_type);
                let key = event.order_id().to_string().into_bytes();
                let partition = partition_for_key(&key, DEFAULT_PARTITIONS);
                partitions.entry(partition).or_default().push(record(&event, key));
            }
            for (partition, records) in partitions {
                let topic = event_type.topic().name();
                let client =
                    self.0.partition_client(topic, partition, UnknownTopicHandling::Retry).await?;
                for batch in records.chunks(BATCH) {
                    client.produce(batch.to_vec(), Compression::NoCompression).await?;
                }
            }
        }
        Ok(())
    }
}

fn id(number: usize) -> OrderId {
    OrderId::for_idempotency_key(&number.to_string())
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn record(event: &Event, key: Vec<u8>) -> Record {
    let headers = [
        (header::EVENT_TYPE, event.event_type().name()),
        (header::EVENT_VERSION, header::CURRENT_VERSION),
        (header::PRODUCER_SERVICE, event.event_type().topic().producer()),
        (header::TIMESTAMP, "2026-01-01T00:00:00.000000Z"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    Record { key: Some(key), value: Some(event.encode()), headers: headers.into(), timestamp: at() }
}

fn event(order_id: OrderId, event_type: EventType) -> Event {
    let (product_id, quantity) = (ProductId::Product2, 3);
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
            processed_at: at(),
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
            shipped_at: at(),
        }),
        Step::Notification => Event::Notification(NotificationEvent {
            order_id,
            product_id,
            quantity,
            event_type,
            channel: "email".to_owned(),
            sent_at: at(),
        }),
    }
}
