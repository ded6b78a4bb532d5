//! Several instances of one service: what one has said, the others must not contradict.

use contract::events::EventType;
use contract::http::CreateOrderResponse;
use contract::ids::OrderId;
use futures_util::future::join_all;

use super::child::{DEADLINE, Service};
use super::client::{Answer, HERE, JSON, get, open, post, send_from};
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

async fn order(service: &Service, key: &str, quantity: u32) -> Answer {
    let body = format!(r#"{{"product_id":"product-3","quantity":{quantity}}}"#);
    let headers = [JSON, ("idempotency-key", key)];
    send_from(HERE, service.address, post("/order", &headers, body)).await
}

async fn two_order_services(broker: &sim::Broker) -> [Service; 2] {
    let start = async |instance| {
        let arguments = ["order", "--order-limit", "0", "--instance", instance];
        Service::on(broker.address(), &arguments).await
    };
    [start("1").await, start("2").await]
}

#[tokio::test]
async fn one_key_sent_to_two_order_instances_at_once_is_one_order() {
    let broker = sim::Broker::start().unwrap();
    let [first, second] = &two_order_services(&broker).await;
    let requests = (0..20).map(|at| order(if at % 2 == 0 { first } else { second }, "both", 2));
    let answers = join_all(requests).await;
    let created: Vec<CreateOrderResponse> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 201, "{answer:?}");
            answer.json()
        })
        .collect();
    assert!(created.iter().all(|order| *order == created[0]));
    // Each may have published it before it heard of the other's: a repeat, which every reader ignores.
    let topics = Topics::at(broker.address()).await;
    assert!((1..=2).contains(&topics.records_of(created[0].order_id).await));
    for service in [first, second] {
        order(service, "both", 3).await.error(422);
    }
}

#[tokio::test]
async fn whoever_wrote_first_wins_at_both_order_instances() {
    let broker = sim::Broker::start().unwrap();
    let [first, second] = &two_order_services(&broker).await;
    let truth: CreateOrderResponse = order(first, "contradicted", 2).await.json();
    // Until the other one has read that, a few milliseconds later, it takes another order for the truth, and
    // answers 201 to who contradicts; from then on nobody is told so any more.
    let agrees = async {
        while order(second, "contradicted", 3).await.status != 422 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, agrees).await.expect("it hears of the first order");
    for service in [first, second] {
        assert_eq!(order(service, "contradicted", 2).await.json::<CreateOrderResponse>(), truth);
        order(service, "contradicted", 3).await.error(422);
    }
}
