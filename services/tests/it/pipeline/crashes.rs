//! `kill -9` and restart: the state is a fold of the log.

use contract::topics::Step;

use super::shop::{Shop, names, shelf};
use crate::edge::child::Service;

#[tokio::test]
async fn a_killed_inventory_folds_to_the_same_state() {
    let shop = Shop::open("0.3").await;
    let inventory = shop.inventory(90).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("fold", 40)).await;
    let history = shop.reader.all_ended(&orders).await;
    inventory.kill().await;

    let inventory = shop.inventory(90).await;
    let sold = orders.iter().filter(|o| history.first(**o, Step::Shipping).is_some()).count();
    let item = shelf(&inventory).await;
    let left = 90 - 3 * u64::try_from(sold).unwrap();
    assert_eq!((item.current_stock, item.reserved_stock), (left, 0));

    // It goes on where it was: the next order is decided, and nothing is decided again.
    let next = shop.order(["next".to_owned()]).await;
    let after = shop.reader.all_ended(&next).await;
    let added = after.orders[&next[0]].len();
    assert_eq!(after.len(), history.len() + added);
}

#[tokio::test]
async fn every_worker_killed_under_load_loses_and_doubles_nothing() {
    let shop = Shop::open("0.2").await;
    let mut inventory = shop.inventory(2_000).await;
    let mut payment = shop.payment("1").await;
    let [mut shipping, mut notification] = shop.delivery().await;
    let mut orders = Vec::new();
    for round in 0..4 {
        orders.extend(shop.order(names(&format!("round-{round}"), 100)).await);
        // Killed with work in flight; the address is new each time, the place in the group is not.
        match round {
            0 => inventory = restart(inventory, shop.inventory(2_000)).await,
            1 => payment = restart(payment, shop.payment("1")).await,
            2 => shipping = restart(shipping, shop.service(&["shipping"])).await,
            _ => notification = restart(notification, shop.service(&["notification"])).await,
        }
    }
    let history = shop.reader.all_ended(&orders).await;
    for order in &orders {
        for step in Step::ALL {
            let mut outcomes: Vec<_> = history.orders[order]
                .iter()
                .filter(|event| event.step() == step)
                .map(contract::events::Event::event_type)
                .collect();
            outcomes.dedup();
            assert!(outcomes.len() <= 1, "{order}: {outcomes:?}");
        }
    }
}

async fn restart(service: Service, start: impl Future<Output = Service>) -> Service {
    service.kill().await;
    start.await
}
