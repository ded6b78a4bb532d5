//! The log decides: whoever comes second has lost, and undoes what it did.

use contract::events::EventType;
use contract::ids::OrderId;
use contract::topics::Step;

use super::history::History;
use super::shop::{Shop, names, shelf_settles};
use crate::edge::records::event;

#[tokio::test]
async fn decisions_that_lost_are_undone_and_nobody_acts_on_them() {
    let shop = Shop::open("0.0").await;
    let inventory = shop.inventory(1_000).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;

    // A stale inventory's rejections reach the log just before this one decides. It reads them back
    // only after it has decided, some of them at least.
    let orders: Vec<OrderId> =
        names("race", 30).iter().map(|name| OrderId::for_idempotency_key(name)).collect();
    for order in &orders {
        shop.topics.write(&event(*order, EventType::InventoryRejected)).await;
        shop.topics.write(&event(*order, EventType::OrderCreated)).await;
    }
    let lost = |history: &History| {
        orders.iter().filter(|o| history.count(**o, EventType::InventoryConfirmed) > 0).count()
    };
    let history = shop.reader.all_ended(&orders).await;
    assert!(lost(&history) > 0, "no race took place");

    // What comes after all of that shows that it has been dealt with.
    let last = shop.order(["last".to_owned()]).await;
    let history = shop.reader.all_ended(&last).await;
    for order in &orders {
        assert_eq!(history.outcome(*order, Step::Payment), None);
        assert_eq!(history.count(*order, EventType::NotificationSent), 1);
    }
    // All pieces but those of the last order.
    shelf_settles(&inventory, 997).await;
}
