//! What keeps a service from starting is said in one line; what may come later is waited for.

use std::net::SocketAddr;

use contract::http::Health;
use rskafka::client::ClientBuilder;

use super::history::PAUSE;
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::read;

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    let broker = sim::Broker::start().unwrap();
    let kafka = broker.address().to_string();
    let client = ClientBuilder::new(vec![kafka.clone()]).build().await.unwrap();
    let controller = client.controller_client().unwrap();
    controller.create_topic("payment", 3, 1, 1_000).await.unwrap();
    let (message, status) = Service::fail(&["shipping", "--kafka", &kafka, "--port", "0"]).await;
    assert!(!status.success());
    assert!(message.contains("payment has 3 partitions"), "{message}");
}

/// An address where nobody listens: free a moment ago, and nobody else asks for a port by its number.
fn nowhere() -> SocketAddr {
    crate::edge::port::reserved()
}

#[tokio::test]
async fn services_wait_for_a_broker_that_comes_later() {
    let kafka = nowhere();
    let mut waiting = Vec::new();
    for name in ["order", "inventory", "notification", "status"] {
        waiting.push(Service::starting(&[name, "--kafka", &kafka.to_string()]).await);
    }
    for service in &waiting {
        let health: Health = read(service.address, "/health").await.json();
        let told = (health.status.as_str(), health.kafka.as_str());
        assert_eq!(told, ("starting", "disconnected"));
        assert_eq!(read(service.address, "/ready").await.status, 503);
    }
    let _broker =
        sim::Broker::start_with(sim::Options { listen: kafka, ..sim::Options::default() });
    for service in &waiting {
        let ready = async {
            while read(service.address, "/ready").await.status != 200 {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(DEADLINE, ready).await.expect("ready once the broker is there");
        let health: Health = read(service.address, "/health").await.json();
        assert_eq!(health.kafka, "connected");
    }
}

#[tokio::test]
async fn a_service_that_waits_for_its_broker_stops_when_told_to() {
    let kafka = nowhere().to_string();
    let mut service = Service::starting(&["shipping", "--kafka", &kafka]).await;
    service.terminate();
    assert!(service.ended().await.success());
}
