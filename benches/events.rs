//! Encoding and decoding of events: every hop of every order pays both once.

use contract::Timestamp;
use contract::events::{Event, EventType, OrderCreated, PaymentEvent};
use contract::ids::{OrderId, ProductId};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

fn samples() -> [(&'static str, Event); 2] {
    let order_id = OrderId::for_idempotency_key("bench");
    let (product_id, quantity) = (ProductId::Product2, 3);
    let created = OrderCreated {
        order_id,
        product_id,
        quantity,
        event_type: EventType::OrderCreated,
        request_id: Some("0192f5a0-7b7c-7c3e-9d3a-1b2c3d4e5f60".to_owned()),
    };
    let paid = PaymentEvent {
        order_id,
        product_id,
        quantity,
        amount: product_id.price() * quantity,
        event_type: EventType::PaymentCompleted,
        processed_at: Timestamp::from_timestamp_micros(1_750_000_000_123_456).unwrap_or_default(),
        reason: None,
    };
    [("OrderCreated", Event::Order(created)), ("PaymentCompleted", Event::Payment(paid))]
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event");
    for (name, event) in samples() {
        let value = event.encode();
        group.throughput(Throughput::Bytes(value.len() as u64));
        group.bench_function(format!("encode {name}"), |b| b.iter(|| black_box(&event).encode()));
        group.bench_function(format!("decode {name}"), |b| {
            b.iter(|| Event::decode(Some(event.event_type().name()), black_box(&value)));
        });
        group.bench_function(format!("decode {name} without its header"), |b| {
            b.iter(|| Event::decode(None, black_box(&value)));
        });
    }
    group.finish();
}

criterion_group!(events, benches);
criterion_main!(events);
