//! The database goes away under load and comes back.

use contract::http::Health;

use super::inventory::instance;
use super::server::{number, server};
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::read;
use crate::pipeline::history::PAUSE;
use crate::pipeline::shop::{Shop, names, shelf_settles};

/// Waits until the service says of its database what is expected, at both doors.
pub(super) async fn database_is(service: &Service, expected: &str) {
    let said = async {
        loop {
            let health: Health = read(service.address, "/health").await.json();
            if health.database.as_deref() == Some(expected) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, said).await.expect("told in time");
}

#[tokio::test]
async fn an_inventory_holds_its_work_until_the_database_is_back() {
    let Some(mut server) = server().await else { return };
    let (url, _) = server.schema("away").await;
    let shop = Shop::open("0.0").await;
    let inventory = instance(&shop, &url, "1", 900).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let mut orders = shop.order(names("before", 20)).await;
    server.down();
    orders.extend(shop.order(names("during", 20)).await);

    database_is(&inventory, "disconnected").await;
    assert_eq!(read(inventory.address, "/health").await.status, 200, "it lives");
    assert_eq!(read(inventory.address, "/ready").await.status, 503);
    let refused = read(inventory.address, "/inventory/product-2").await;
    assert!(refused.error(503).error.contains("database"));
    assert!(refused.number("retry-after") > 0);
    assert!(!shop.reader.history().await.ended(orders[39]), "nothing is decided without the table");

    server.up().await;
    orders.extend(shop.order(names("after", 20)).await);
    shop.reader.all_ended(&orders).await;
    database_is(&inventory, "connected").await;
    assert_eq!(read(inventory.address, "/ready").await.status, 200);
    shelf_settles(&inventory, 900 - 3 * 60).await;

    let metrics = read(inventory.management.unwrap(), "/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    for name in ["database_connections", "database_connections_in_use", "database_errors_total"] {
        assert!(metrics.contains(&format!("\n{name}")), "{name}: {metrics}");
    }
    let (_, client) = server.schema("unused").await;
    let rows = "SELECT count(*) FROM away.reservations WHERE decision = 'confirmed'";
    assert_eq!(number(&client, rows).await, 60);
}
