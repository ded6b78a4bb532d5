//! The specification's examples of tests (§10.2, §10.3), in this project's terms.

use contract::events::{Event, EventType};
use contract::http::CreateOrderResponse;
use contract::ids::ProductId;
use services::inventory::stock::Stock;

use crate::edge::child::Service;
use crate::edge::client::{HERE, JSON, post, read, send_from};
use crate::edge::records::Topics;
use crate::schemas::judge_all;

/// `TestCreateOrder_Success`.
#[tokio::test]
async fn creating_an_order_publishes_its_event() {
    let broker = sim::Broker::start().unwrap();
    let service = Service::on(broker.address(), &["order"]).await;
    let body = r#"{"product_id":"product-1","quantity":2}"#;
    let answer = send_from(HERE, service.address, post("/order", &[JSON], body)).await;
    assert_eq!(answer.status, 201);
    let response: CreateOrderResponse = answer.json();
    assert_eq!((response.product_id, response.quantity), (ProductId::Product1, 2));
    assert_eq!(response.status, "created");

    let published = Topics::at(broker.address()).await.events_of(response.order_id).await;
    let [Event::Order(event)] = published.as_slice() else { panic!("one event: {published:?}") };
    assert_eq!(event.event_type, EventType::OrderCreated);
    assert_eq!(event.order_id, response.order_id);
    assert_eq!((event.product_id, event.quantity), (ProductId::Product1, 2));
    assert_eq!(judge_all(broker.address(), &[]).await["OrderCreated"], 1);
}

fn shelf(pieces: u32) -> Stock {
    Stock::new(|product| if product == ProductId::Product1 { pieces } else { 0 })
}

/// `TestInventoryService_ReserveStock_Success`.
#[test]
fn reserving_takes_exactly_what_was_asked_for() {
    let stock = shelf(10);
    assert!(stock.reserve(ProductId::Product1, 5));
    assert_eq!(stock.levels(ProductId::Product1).available, 5);
}

/// `TestInventoryService_ReserveStock_InsufficientStock`.
#[test]
fn reserving_more_than_there_is_takes_nothing() {
    let stock = shelf(3);
    assert!(!stock.reserve(ProductId::Product1, 5));
    assert_eq!(stock.levels(ProductId::Product1).available, 3);
}

/// `docker-compose.test.yml` tells a service by its environment.
#[tokio::test]
async fn the_environment_tells_a_service_where_kafka_is() {
    let broker = sim::Broker::start().unwrap();
    let kafka = broker.address().to_string();
    let environment = [("KAFKA_BROKER", kafka.as_str()), ("PORT", "0"), ("HOST", HERE)];
    let service = Service::told_by(&environment, &["inventory"]).await;
    assert_eq!(read(service.address, "/inventory/product-1").await.status, 200);
}
