//! Snapshots: a restart goes on from one, loses nothing and doubles nothing.

use std::path::Path;
use std::time::Duration;

use contract::events::EventType;
use contract::ids::OrderId;

use super::history::History;
use super::metrics::{metric, until_metric};
use super::shop::{Shop, names, shelf, shelf_settles};
use crate::edge::child::Service;

/// Settings that keep snapshots in `folder`, one after every few records.
pub(super) fn often(folder: &Path) -> [String; 6] {
    let folder = folder.display().to_string();
    ["--data-dir", &folder, "--snapshot-interval-ms", "50", "--snapshot-records", "5"]
        .map(Into::into)
}

async fn start(shop: &Shop, service: &[&str], settings: &[String]) -> Service {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    shop.service(&[service, &settings].concat()).await
}

fn no_doubles(history: &History, orders: &[OrderId]) {
    for order in orders {
        for event_type in EventType::ALL {
            assert!(history.count(*order, event_type) <= 1, "{order}: {event_type:?} twice");
        }
    }
}

#[tokio::test]
async fn a_killed_inventory_goes_on_from_its_snapshot() {
    let shop = Shop::open("0.3").await;
    let folder = tempfile::tempdir().unwrap();
    let (settings, service) = (often(folder.path()), ["inventory", "--stock", "product-2=90"]);
    let inventory = start(&shop, &service, &settings).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("kept", 40)).await;
    let history = shop.reader.all_ended(&orders).await;
    until_metric(&inventory, "snapshot_orders", |value| value >= 40.0).await;
    let before = shelf(&inventory).await;
    inventory.kill().await;

    let inventory = start(&shop, &service, &settings).await;
    assert!(metric(&inventory, "snapshot_orders_restored").await >= 40.0);
    let after = shelf(&inventory).await;
    assert_eq!((after.current_stock, after.reserved_stock), (before.current_stock, 0));

    // It goes on where it was: the next order is decided, and nothing is decided again.
    let next = shop.order(["next".to_owned()]).await;
    let after = shop.reader.all_ended(&next).await;
    assert_eq!(after.len(), history.len() + after.orders[&next[0]].len());
    no_doubles(&after, &orders);
}

#[tokio::test]
async fn workers_killed_under_load_with_snapshots_lose_and_double_nothing() {
    let shop = Shop::open("0.2").await;
    let folder = tempfile::tempdir().unwrap();
    let settings = often(folder.path());
    let gateway = format!("http://{}", shop.gateway.address);
    let kinds = [
        vec!["inventory", "--stock", "product-2=2000"],
        vec!["payment", "--gateway", &gateway],
        vec!["shipping"],
        vec!["notification"],
    ];
    let mut services = Vec::new();
    for kind in &kinds {
        services.push(start(&shop, kind, &settings).await);
    }
    let mut orders = Vec::new();
    for round in 0..2 {
        for (index, kind) in kinds.iter().enumerate() {
            orders.extend(shop.order(names(&format!("{round}-{index}"), 40)).await);
            until_metric(&services[index], "snapshots_written_total", |value| value >= 1.0).await;
            services.remove(index).kill().await;
            services.insert(index, start(&shop, kind, &settings).await);
        }
    }
    let history = shop.reader.all_ended(&orders).await;
    for order in &orders {
        for event_type in EventType::ALL {
            // A record that was appended and not acknowledged before the kill may be there once more.
            assert!(history.count(*order, event_type) <= 2, "{order}: {event_type:?}");
        }
    }
}

#[tokio::test]
async fn a_snapshot_of_another_log_is_refused_and_everything_folded() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, service) = (often(folder.path()), ["inventory", "--stock", "product-2=90"]);
    let before = Shop::open("0.0").await;
    let inventory = start(&before, &service, &settings).await;
    let _payment = before.payment("1").await;
    let _delivery = before.delivery().await;
    let orders = before.order(names("before", 10)).await;
    before.reader.all_ended(&orders).await;
    until_metric(&inventory, "snapshot_orders", |value| value >= 10.0).await;
    inventory.kill().await;

    // The same topics, created again: one order more, so that every offset of the snapshot exists.
    let shop = Shop::open("0.0").await;
    let first = start(&shop, &["inventory", "--stock", "product-2=90"], &[]).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("after", 25)).await;
    shop.reader.all_ended(&orders).await;
    first.terminate();
    drop(first);
    let inventory = start(&shop, &service, &settings).await;
    assert!(metric(&inventory, "snapshots_refused_total").await >= 1.0);
    assert_eq!(metric(&inventory, "snapshot_orders_restored").await, 0.0);
    tokio::time::timeout(Duration::from_secs(30), shelf_settles(&inventory, 90 - 75))
        .await
        .unwrap();
}
