//! The whole saga, with every ending.

use std::collections::BTreeSet;

use contract::events::{Event, EventType};
use contract::ids::OrderId;
use contract::topics::Step;

use super::history::History;
use super::shop::{Shop, names, shelf_settles};
use crate::edge::client::{HERE, get, send_from};
use crate::edge::records::event;

fn with(history: &History, orders: &[OrderId], event_type: EventType) -> Vec<OrderId> {
    let step = event_type.step();
    orders.iter().copied().filter(|o| history.outcome(*o, step) == Some(event_type)).collect()
}

#[tokio::test]
async fn every_order_ends_once_and_the_stock_adds_up() {
    let shop = Shop::open("0.3").await;
    let inventory = shop.inventory(90).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;

    // Every second order stands in the log twice, as after a retry.
    let mut orders = Vec::new();
    for (number, name) in names("saga", 60).into_iter().enumerate() {
        orders.extend(shop.order([name]).await);
        if number % 2 == 0 {
            shop.topics.write(&event(orders[number], EventType::OrderCreated)).await;
        }
    }
    let history = shop.reader.all_ended(&orders).await;

    let completed = with(&history, &orders, EventType::PaymentCompleted);
    let failed = with(&history, &orders, EventType::PaymentFailed);
    let rejected = with(&history, &orders, EventType::InventoryRejected);
    assert_eq!(completed.len() + failed.len() + rejected.len(), orders.len());
    assert!(!completed.is_empty() && !failed.is_empty() && !rejected.is_empty(), "{history:?}");
    for order in &orders {
        for event_type in EventType::ALL.into_iter().filter(|t| t.step() != Step::Created) {
            assert!(history.count(*order, event_type) <= 1, "{order}: {event_type:?} repeated");
        }
    }
    let reasons = failed.iter().chain(&rejected).all(|order| {
        [Step::Inventory, Step::Payment].into_iter().any(|step| match history.first(*order, step) {
            Some(Event::Inventory(event)) => event.reason.is_some(),
            Some(Event::Payment(event)) => event.reason.is_some(),
            _ => false,
        })
    });
    assert!(reasons, "whoever is turned away learns why");
    let tracking: BTreeSet<&str> = completed
        .iter()
        .filter_map(|order| match history.first(*order, Step::Shipping)? {
            Event::Shipping(shipped) => Some(shipped.tracking_number.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(tracking.len(), completed.len());

    shelf_settles(&inventory, 90 - 3 * u64::try_from(completed.len()).unwrap()).await;
    let unknown = send_from(HERE, inventory.address, get("/inventory/product-9")).await;
    assert!(unknown.error(404).details.contains("product-9"));
}

#[tokio::test]
async fn a_gateway_that_errs_is_asked_until_it_answers() {
    let shop = Shop::open("0.0").await;
    let unreliable = ["gateway", "--error-rate", "0.5", "--latency-median-ms", "2", "--port", "0"];
    let gateway = crate::edge::child::Service::start(&unreliable).await;
    let url = format!("http://{}", gateway.address);
    let _inventory = shop.inventory(1_000).await;
    let _payment = shop.service(&["payment", "--gateway", &url]).await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("errs", 20)).await;
    let history = shop.reader.all_ended(&orders).await;
    assert_eq!(with(&history, &orders, EventType::PaymentCompleted).len(), orders.len());
    for order in orders {
        let charge = send_from(HERE, gateway.address, get(&format!("/charges/{order}"))).await;
        assert_eq!(charge.json::<contract::http::Charge>().captures, 1);
    }
}
