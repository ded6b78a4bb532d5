//! What keeps a service from starting is said in one line.

use rskafka::client::ClientBuilder;

use crate::edge::child::Service;

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

#[tokio::test]
async fn a_broker_out_of_reach_is_named() {
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let kafka = occupied.local_addr().unwrap().to_string();
    drop(occupied);
    let (message, status) =
        Service::fail(&["notification", "--kafka", &kafka, "--port", "0"]).await;
    assert!(!status.success());
    assert!(message.contains(&kafka), "{message}");
    assert_eq!(message.trim().lines().count(), 1, "{message}");
}
