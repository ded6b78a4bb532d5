//! Membership: instances share partitions, and one inventory is enough.

use contract::events::EventType;
use contract::http::Charge;

use super::shop::{Shop, names};
use crate::edge::child::Service;
use crate::edge::client::{HERE, get, send_from};

#[tokio::test]
async fn two_payment_workers_share_and_hand_over() {
    let shop = Shop::open("0.0").await;
    let _inventory = shop.inventory(3_000).await;
    let _delivery = shop.delivery().await;
    let mut first = shop.payment("1").await;
    let mut orders = shop.order(names("alone", 50)).await;
    let _second = shop.payment("2").await;
    orders.extend(shop.order(names("shared", 50)).await);
    shop.reader.all_ended(&orders).await;

    first.terminate();
    assert!(first.ended().await.success());
    orders.extend(shop.order(names("handed-over", 50)).await);
    let history = shop.reader.all_ended(&orders).await;
    for order in orders {
        assert_eq!(history.count(order, EventType::PaymentCompleted), 1);
        let charge = send_from(HERE, shop.gateway.address, get(&format!("/charges/{order}"))).await;
        assert_eq!(charge.json::<Charge>().captures, 1);
    }
}

#[tokio::test]
async fn a_second_inventory_is_refused_and_the_first_goes_on() {
    let shop = Shop::open("0.0").await;
    let _inventory = shop.inventory(1_000).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let kafka = shop.kafka().to_string();
    let second = ["inventory", "--instance", "2", "--kafka", &kafka, "--port", "0"];
    let (message, status) = Service::fail(&second).await;
    assert!(!status.success());
    assert!(message.contains("inventory-1 is active"), "{message}");
    let orders = shop.order(names("goes-on", 10)).await;
    shop.reader.all_ended(&orders).await;
}

#[tokio::test]
async fn whoever_takes_a_name_over_ends_the_one_before() {
    let shop = Shop::open("0.0").await;
    let mut first = shop.inventory(1_000).await;
    let _second = shop.inventory(1_000).await;
    assert!(!first.ended().await.success());
}
