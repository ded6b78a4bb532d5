//! Several instances of one service: what one has said, the others must not contradict.

use contract::events::EventType;
use contract::ids::OrderId;

use super::child::Service;
use super::client::{HERE, get, open, send_from};
use super::records::{Topics, event};

#[tokio::test]
async fn a_socket_that_moves_to_an_instance_that_is_behind_waits_for_as_much_as_was_seen() {
    let broker = sim::Broker::start().unwrap();
    let status = Service::on(broker.address(), &["status", "--instance", "2"]).await;
    let topics = Topics::at(broker.address()).await;
    let order = OrderId::for_idempotency_key("moved");
    topics.write(&event(order, EventType::OrderCreated)).await;
    // It knows of one event; the client has been shown two by another instance.
    let mut first = open(HERE, status.address, &order.to_string()).await.unwrap();
    assert_eq!(first.update().await.events.len(), 1);
    let mut moved = open(HERE, status.address, &format!("{order}?after=2")).await.unwrap();
    topics.write(&event(order, EventType::InventoryConfirmed)).await;
    assert_eq!(moved.update().await.events.len(), 2);
}

#[tokio::test]
async fn every_status_instance_has_all_partitions() {
    let broker = sim::Broker::start().unwrap();
    let kafka = broker.address();
    let start = async |instance| {
        let arguments = ["status", "--sockets-per-address", "0", "--instance", instance];
        Service::on(kafka, &arguments).await
    };
    let instances = [start("1").await, start("2").await];
    let topics = Topics::at(broker.address()).await;
    for number in 0..20 {
        let order = OrderId::for_idempotency_key(&format!("everywhere-{number}"));
        topics.write(&event(order, EventType::OrderCreated)).await;
        for status in &instances {
            let mut socket = open(HERE, status.address, &order.to_string()).await.unwrap();
            assert_eq!(socket.update().await.events.len(), 1);
        }
    }
}

#[tokio::test]
async fn what_is_no_number_of_events_is_refused_with_a_reason() {
    let broker = sim::Broker::start().unwrap();
    let status = Service::on(broker.address(), &["status"]).await;
    for after in ["-1", "many", "256"] {
        let answer = send_from(HERE, status.address, get(&format!("/ws/any?after={after}"))).await;
        assert!(answer.error(400).details.contains("after"), "{after}");
    }
}
