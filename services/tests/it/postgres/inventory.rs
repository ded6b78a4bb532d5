//! Inventory instances that share one stock.

use contract::events::EventType;
use contract::ids::OrderId;
use contract::topics::Step;
use tokio_postgres::Client;

use super::server::{number, server};
use crate::edge::child::Service;
use crate::edge::records::event;
use crate::pipeline::history::History;
use crate::pipeline::shop::{Shop, names, shelf, shelf_settles};

pub(super) async fn instance(shop: &Shop, url: &str, name: &str, pieces: u32) -> Service {
    let stock = format!("product-2={pieces}");
    shop.service(&["inventory", "--instance", name, "--stock", &stock, "--database", url]).await
}

fn with(history: &History, orders: &[OrderId], event_type: EventType) -> usize {
    let step = event_type.step();
    orders.iter().filter(|order| history.outcome(**order, step) == Some(event_type)).count()
}

/// One outcome of each step, however often it stands in the log.
fn decided_once(history: &History, orders: &[OrderId]) {
    for order in orders {
        for step in Step::ALL {
            let events = history.orders[order].iter().filter(|event| event.step() == step);
            let mut outcomes: Vec<_> = events.map(contract::events::Event::event_type).collect();
            outcomes.dedup();
            assert!(outcomes.len() <= 1, "{order}: {outcomes:?}");
        }
    }
}

/// The table's rows add up to its levels, and say what the log says.
async fn tables_agree(client: &Client, history: &History, orders: &[OrderId], pieces: i64) {
    let confirmed = with(history, orders, EventType::InventoryConfirmed);
    let count = "SELECT count(*) FROM reservations WHERE decision = 'confirmed'";
    assert_eq!(number(client, count).await, i64::try_from(confirmed).unwrap());
    let sold =
        "SELECT coalesce(sum(quantity), 0)::bigint FROM reservations WHERE payment = 'completed'";
    let current = "SELECT current_stock::bigint FROM inventory WHERE product_id = 'product-2'";
    assert_eq!(number(client, current).await, pieces - number(client, sold).await);
}

#[tokio::test]
async fn two_instances_reserve_exactly_what_there_is() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("exactly").await;
    let shop = Shop::open("0.0").await;
    let (first, second) =
        tokio::join!(instance(&shop, &url, "1", 90), instance(&shop, &url, "2", 90));
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;

    let orders = shop.order(names("exactly", 60)).await;
    let history = shop.reader.all_ended(&orders).await;
    assert_eq!(with(&history, &orders, EventType::InventoryConfirmed), 30);
    assert_eq!(with(&history, &orders, EventType::InventoryRejected), 30);
    decided_once(&history, &orders);
    shelf_settles(&first, 0).await;
    shelf_settles(&second, 0).await;
    tables_agree(&client, &history, &orders, 90).await;
}

#[tokio::test]
async fn an_instance_killed_under_load_loses_and_doubles_nothing() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("killed").await;
    let shop = Shop::open("0.3").await;
    let (mut first, second) =
        tokio::join!(instance(&shop, &url, "1", 300), instance(&shop, &url, "2", 300));
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let mut orders = Vec::new();
    for round in 0..3 {
        let placed = shop.order(names(&format!("killed-{round}"), 50)).await;
        orders.extend(placed);
        first.kill().await;
        first = instance(&shop, &url, "1", 300).await;
    }
    let history = shop.reader.all_ended(&orders).await;
    decided_once(&history, &orders);
    let sold = with(&history, &orders, EventType::PaymentCompleted);
    let left = 300 - 3 * u64::try_from(sold).unwrap();
    shelf_settles(&second, left).await;
    tables_agree(&client, &history, &orders, 300).await;
}

#[tokio::test]
async fn a_decision_that_never_reached_the_log_is_told_again_to_the_byte() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("told_again").await;
    let shop = Shop::open("0.0").await;
    let inventory = instance(&shop, &url, "1", 90).await;
    inventory.kill().await;
    // As if the process had died between its transaction and its append.
    let order = OrderId::for_idempotency_key("told-again");
    let decided_at = "2026-01-02T03:04:05.678901Z";
    client
        .batch_execute(&format!(
            "INSERT INTO reservations (order_id, product_id, quantity, decision, decided_at) \
             VALUES ('{order}', 'product-2', 3, 'rejected', '{decided_at}')"
        ))
        .await
        .unwrap();
    shop.topics.write(&event(order, EventType::OrderCreated)).await;
    let inventory = instance(&shop, &url, "1", 90).await;
    let records = shop.reader.until_some("inventory").await;
    assert_eq!(records[0].record.headers["timestamp"], decided_at.as_bytes());
    assert_eq!(records[0].record.headers["event-type"], b"InventoryRejected");
    assert_eq!(shelf(&inventory).await.current_stock, 90);
}

#[tokio::test]
async fn tables_that_come_later_fold_the_log() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("later").await;
    let shop = Shop::open("0.5").await;
    let inventory = shop.inventory(90).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let mut orders = shop.order(names("before", 60)).await;
    let history = shop.reader.all_ended(&orders).await;
    let sold = with(&history, &orders, EventType::PaymentCompleted);
    shelf_settles(&inventory, 90 - 3 * u64::try_from(sold).unwrap()).await;
    inventory.kill().await;

    // Too few pieces for what the log sold.
    let kafka = shop.kafka().to_string();
    let (other, _) = server.schema("too_few").await;
    let too_few = ["inventory", "--stock", "product-2=1", "--database", &other];
    let few = [&too_few[..], &["--kafka", &kafka, "--port", "0"]].concat();
    let (message, status) = Service::fail(&few).await;
    assert!(!status.success() && message.contains("--stock"), "{message}");

    let inventory = instance(&shop, &url, "1", 90).await;
    shelf_settles(&inventory, 90 - 3 * u64::try_from(sold).unwrap()).await;
    orders.extend(shop.order(names("after", 10)).await);
    let history = shop.reader.all_ended(&orders).await;
    decided_once(&history, &orders);
    let sold = with(&history, &orders, EventType::PaymentCompleted);
    shelf_settles(&inventory, 90 - 3 * u64::try_from(sold).unwrap()).await;
    tables_agree(&client, &history, &orders, 90).await;
}
