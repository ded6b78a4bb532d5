//! Orders that ended a while ago leave the status service's memory, and nobody can tell.

use std::path::Path;

use contract::ids::OrderId;
use contract::order::OrderStatus;
use contract::replay::ReplayState;

use super::child::Service;
use super::client::{HERE, get, open, send_from};
use super::records::{SAGA, Topics, event};
use crate::pipeline::metrics::{metric, until_metric};
use crate::pipeline::replay::replay;

/// Keeps nothing that has ended in memory, and snapshots often.
async fn start(kafka: std::net::SocketAddr, folder: &Path) -> Service {
    let folder = folder.display().to_string();
    let settings = ["--recent-orders", "0", "--snapshot-interval-ms", "50", "--status-limit", "0"];
    let arguments = [&["status", "--data-dir", &folder, "--stuck-after-ms", "1"], &settings[..]];
    Service::on(kafka, &arguments.concat()).await
}

fn ids(prefix: &str, count: usize) -> Vec<OrderId> {
    (0..count).map(|it| OrderId::for_idempotency_key(&format!("{prefix}-{it}"))).collect()
}

async fn write_whole(topics: &Topics, orders: &[OrderId]) {
    let steps = orders.iter().flat_map(|order| SAGA.map(|step| event(*order, step)));
    topics.write_all(steps).await;
}

/// Everything that is shown of orders, to the byte.
async fn shown(status: &Service, orders: &[OrderId]) -> Vec<String> {
    let mut bodies = Vec::new();
    for order in orders {
        let answer = send_from(HERE, status.address, get(&format!("/status/{order}"))).await;
        assert_eq!(answer.status, 200, "{order}");
        bodies.push(String::from_utf8(answer.body.to_vec()).unwrap());
    }
    bodies
}

/// Writes orders that end and one that stays open; until the first ones have left memory, and a snapshot says so.
async fn settled(status: &Service, topics: &Topics, orders: &[OrderId]) -> OrderId {
    write_whole(topics, orders).await;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let count = orders.len() as f64;
    until_metric(status, "orders_retired_total", |it| it >= count).await;
    let open_order = OrderId::for_idempotency_key("open");
    topics.write(&event(open_order, SAGA[0])).await;
    until_metric(status, "snapshot_orders", |it| it > count).await;
    open_order
}

#[tokio::test]
async fn a_killed_status_goes_on_from_its_snapshot_and_shows_what_it_showed() {
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let folder = tempfile::tempdir().unwrap();
    let orders = ids("old", 300);
    let status = start(broker.address(), folder.path()).await;
    let open_order = settled(&status, &topics, &orders).await;
    let before = shown(&status, &orders).await;
    assert!(before.iter().all(|body| body.contains("Shipped")));
    let mut socket = open(HERE, status.address, &orders[7].to_string()).await.unwrap();
    assert_eq!(socket.update().await.events.len(), SAGA.len());
    // One that had left is not forgotten because somebody watched it.
    drop(socket);
    status.kill().await;

    let status = start(broker.address(), folder.path()).await;
    assert!(metric(&status, "snapshot_orders_restored").await >= 300.0);
    assert_eq!(shown(&status, &orders).await, before);
    let management = status.management.unwrap();
    let stuck = send_from(HERE, management, get("/orders/stuck")).await;
    let stuck: contract::management::StuckOrders = stuck.json();
    assert_eq!(stuck.orders.iter().map(|it| it.order_id).collect::<Vec<_>>(), [open_order]);

    // What was open goes on, what had ended stays as it was though its records come again.
    let mut socket = open(HERE, status.address, &open_order.to_string()).await.unwrap();
    assert_eq!(socket.update().await.status, OrderStatus::Created);
    write_whole(&topics, &[&orders[..20], &[open_order]].concat()).await;
    while socket.update().await.events.len() < SAGA.len() {}
    assert_eq!(shown(&status, &orders).await, before);
}

#[tokio::test]
async fn a_replay_finds_orders_as_the_log_says_wherever_they_are() {
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let folder = tempfile::tempdir().unwrap();
    let orders = ids("replayed", 50);
    let status = start(broker.address(), folder.path()).await;
    settled(&status, &topics, &orders).await;
    for body in [
        // The test's orders are dated long ago.
        r#"{"from":"earliest","rate":0,"window_hours":1000000}"#,
        r#"{"rate":0,"window_hours":1000000}"#,
    ] {
        let report = replay(&status, body).await;
        assert_eq!(report.state, ReplayState::Consistent, "{report:?}");
        assert_eq!(report.orders_compared, 51, "{report:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_damaged_is_made_anew_from_the_log() {
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let folder = tempfile::tempdir().unwrap();
    let orders = ids("damaged", 40);
    let status = start(broker.address(), folder.path()).await;
    settled(&status, &topics, &orders).await;
    let before = shown(&status, &orders).await;
    let file = folder.path().join("status-1").join("ended.orders");
    // While it runs: that order is said to be unreadable, and the others are shown.
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let mut answers = Vec::new();
    for order in &orders {
        let answer = send_from(HERE, status.address, get(&format!("/status/{order}"))).await;
        answers.push(answer.status.as_u16());
    }
    assert_eq!(answers.iter().filter(|status| **status == 500).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 39, "{answers:?}");
    status.kill().await;

    // Cut short, it is not the file that the snapshot speaks of.
    std::fs::write(&file, &bytes[..bytes.len() - 10]).unwrap();
    let status = start(broker.address(), folder.path()).await;
    assert_eq!(metric(&status, "snapshot_orders_restored").await, 0.0, "all was folded again");
    assert!(metric(&status, "snapshots_refused_total").await >= 1.0);
    until_metric(&status, "snapshots_written_total", |it| it >= 1.0).await;
    assert_eq!(shown(&status, &orders).await, before);
}

#[tokio::test]
async fn a_second_status_service_with_the_same_folder_says_so_and_ends() {
    let broker = sim::Broker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let _first = start(broker.address(), folder.path()).await;
    let (kafka, folder) = (broker.address().to_string(), folder.path().display().to_string());
    let arguments = ["status", "--kafka", &kafka, "--port", "0", "--data-dir", &folder];
    let (errors, status) = Service::fail(&arguments).await;
    assert_eq!(status.code(), Some(104));
    assert!(errors.contains("another process runs as status service 1"), "{errors}");
    assert!(errors.contains("--instance"), "{errors}");
}

#[tokio::test]
async fn where_no_file_can_be_everything_stays_in_memory() {
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let folder = tempfile::NamedTempFile::new().unwrap();
    let orders = ids("memory", 10);
    write_whole(&topics, &orders).await;
    let status = start(broker.address(), folder.path()).await;
    assert_eq!(shown(&status, &orders).await.len(), 10);
}
