//! One `Idempotency-Key` is one order: repeated, at once, and after a restart.

use std::net::SocketAddr;

use contract::http::CreateOrderResponse;
use contract::ids::OrderId;
use futures_util::future::join_all;

use super::child::Service;
use super::client::{Answer, HERE, JSON, post, send_from};
use super::records::Topics;

async fn order(address: SocketAddr, key: &str, quantity: u32) -> Answer {
    let body = format!(r#"{{"product_id":"product-3","quantity":{quantity}}}"#);
    send_from(HERE, address, post("/order", &[JSON, ("idempotency-key", key)], body)).await
}

fn created(answer: &Answer) -> CreateOrderResponse {
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_repeat_is_answered_the_same_and_another_body_is_refused() {
    let broker = sim::Broker::start().unwrap();
    let arguments = ["order", "--order-limit", "0"];
    let service = Service::on(broker.address(), &arguments).await;
    let first = created(&order(service.address, "key-1", 3).await);
    assert_eq!(first.order_id, OrderId::for_idempotency_key("key-1"));
    assert_eq!(created(&order(service.address, "key-1", 3).await), first);
    let error = order(service.address, "key-1", 4).await.error(422);
    assert!(error.error.contains("Idempotency-Key"));
    let other = created(&order(service.address, "key-2", 3).await);
    assert_ne!(other.order_id, first.order_id);
    let topics = Topics::at(broker.address()).await;
    assert_eq!(topics.records_of(first.order_id).await, 1);

    // Killed and started again on the same port, it knows from the log what it promised.
    let (kafka, port) = (broker.address().to_string(), service.address.port().to_string());
    service.kill().await;
    let arguments = ["order", "--order-limit", "0", "--kafka", &kafka, "--port", &port];
    let service = Service::start(&arguments).await;
    assert_eq!(created(&order(service.address, "key-1", 3).await), first);
    order(service.address, "key-1", 5).await.error(422);
    assert_eq!(topics.records_of(first.order_id).await, 1);
}

#[tokio::test]
async fn requests_at_once_are_one_order() {
    let broker = sim::Broker::start().unwrap();
    let arguments = ["order", "--order-limit", "0"];
    let service = Service::on(broker.address(), &arguments).await;
    let answers = join_all((0..50).map(|_| order(service.address, "crowd", 1))).await;
    let first = created(&answers[0]);
    assert!(answers.iter().all(|answer| created(answer) == first));
    let topics = Topics::at(broker.address()).await;
    assert_eq!(topics.records_of(first.order_id).await, 1);
}

#[tokio::test]
async fn without_a_key_every_request_is_an_order() {
    let broker = sim::Broker::start().unwrap();
    let service = Service::on(broker.address(), &["order", "--order-limit", "0"]).await;
    let body = r#"{"product_id":"product-1","quantity":1}"#;
    let request = || send_from(HERE, service.address, post("/order", &[JSON], body));
    let (first, second) = (created(&request().await), created(&request().await));
    assert_ne!(first.order_id, second.order_id);
}
