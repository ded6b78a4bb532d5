//! Orders that do not end in time are listed with what they wait for, until they end.

use contract::events::EventType;
use contract::ids::OrderId;
use contract::management::StuckOrders;
use contract::order::OrderStatus;
use contract::topics::Step;

use super::child::{DEADLINE, Service};
use super::client::read;
use super::records::{SAGA, Topics, event};

async fn page(status: &Service, query: &str) -> StuckOrders {
    read(status.management.unwrap(), &format!("/orders/stuck{query}")).await.json()
}

/// Asks until exactly these are stuck, each waiting for these steps: the log's events arrive a moment
/// later, and until then other orders may be stuck, or these at an earlier step.
async fn until_stuck(status: &Service, expected: &[(OrderId, &[Step])]) -> StuckOrders {
    let look = async {
        loop {
            let page = page(status, "").await;
            let waits = |(order, steps): &(OrderId, &[Step])| {
                page.orders.iter().any(|it| it.order_id == *order && it.waits_for == *steps)
            };
            if page.stuck == expected.len() && expected.iter().all(waits) {
                return page;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("listed in time")
}

#[tokio::test]
async fn an_order_that_does_not_end_is_listed_with_what_it_waits_for() {
    let broker = sim::Broker::start().unwrap();
    let status = Service::on(broker.address(), &["status"]).await;
    let topics = Topics::at(broker.address()).await;
    // These events are long past: their orders are late from the start.
    let [waits, paid, ended] = ["waits", "paid", "ended"].map(OrderId::for_idempotency_key);
    topics.write(&event(waits, EventType::OrderCreated)).await;
    for event_type in &SAGA[..3] {
        topics.write(&event(paid, *event_type)).await;
    }
    for event_type in SAGA {
        topics.write(&event(ended, event_type)).await;
    }
    let both = [(waits, &[Step::Inventory][..]), (paid, &[Step::Shipping, Step::Notification][..])];
    let listed = until_stuck(&status, &both).await;
    assert_eq!((listed.after_seconds, listed.orders.len(), &listed.next), (30, 2, &None));
    let of = |order| listed.orders.iter().find(|it| it.order_id == order).unwrap();
    assert_eq!(of(waits).status, OrderStatus::Created);
    assert!(of(waits).age_seconds > 30);

    let first = page(&status, "?limit=1").await;
    let next = first.next.expect("a second page");
    let second = page(&status, &format!("?limit=1&after={next}")).await;
    assert_eq!(second.next, None);
    let paged: Vec<_> =
        first.orders.iter().chain(&second.orders).map(|order| order.order_id).collect();
    assert_eq!(paged, listed.orders.iter().map(|order| order.order_id).collect::<Vec<_>>());
    for wrong in ["?limit=0", "?limit=ten", "?after=nowhere"] {
        read(status.management.unwrap(), &format!("/orders/stuck{wrong}")).await.error(400);
    }

    for event_type in &SAGA[3..] {
        topics.write(&event(paid, *event_type)).await;
    }
    until_stuck(&status, &both[..1]).await;
    let metrics = read(status.management.unwrap(), "/metrics").await;
    let metrics = std::str::from_utf8(&metrics.body).unwrap().to_owned();
    assert!(metrics.contains("\norders_stuck 1\n"), "{metrics}");
    read(status.address, "/orders/stuck").await.error(404);
}
