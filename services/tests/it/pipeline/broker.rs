//! The broker dies and comes back: its members are forgotten, its records and their commits are not.

use std::net::SocketAddr;
use std::path::Path;

use contract::events::EventType;
use contract::http::Charge;
use contract::ids::OrderId;
use contract::topics::{Step, Topic};

use super::coordinator::{committed, until_shared};
use super::history::{History, PAUSE};
use super::metrics::{metric, until_metric};
use super::parked::{SILENT, SOUND, faults};
use super::shop::{Shop, names};
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::read;

const GROUP: &str = "payment-service";

/// Of each partition; their sum is the service's.
const LAG: &str = r#"consumer_lag_records{consumer="payment-service""#;
const BOTH: [(&str, usize); 2] = [("payment-1", 2), ("payment-2", 2)];

/// A broker in a process of its own, which remembers.
async fn broker(listen: &str, data: &Path) -> Service {
    Service::start(&["broker", "--listen", listen, "--data-dir", data.to_str().unwrap()]).await
}

/// Charges stay under way for as long as the gateway is silent.
async fn payment(shop: &Shop, instance: &str) -> Service {
    let gateway = format!("http://{}", shop.gateway.address);
    let patient = ["--gateway-patience-ms", "200", "--payment-budget-ms", "3600000"];
    let arguments = ["payment", "--gateway", &gateway, "--instance", instance];
    shop.service(&[&arguments[..], &patient].concat()).await
}

/// Looks until so many payments are under way at these together, and some at each.
async fn until_under_way(payments: [&Service; 2], count: f64) {
    let look = async {
        loop {
            let [first, second] = payments.map(|payment| metric(payment, LAG));
            let (first, second) = tokio::join!(first, second);
            if first > 0.0 && second > 0.0 && first + second == count {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("payments under way in time");
}

/// Everything that payments read is done with, and the coordinator knows it.
async fn until_all_is_committed(shop: &Shop) {
    let ends = shop.reader.ends(Topic::Inventory).await;
    let look = async {
        while committed(shop.kafka(), GROUP).await != ends {
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(DEADLINE, look).await.is_err() {
        panic!("{:?} and never {ends:?}", committed(shop.kafka(), GROUP).await);
    }
}

async fn charged_once(gateway: SocketAddr, orders: &[OrderId]) {
    for order in orders {
        let charge: Charge = read(gateway, &format!("/charges/{order}")).await.json();
        assert_eq!(charge.captures, 1, "{order}");
    }
}

fn written(history: &History, orders: &[OrderId], step: Step, most: usize) {
    for order in orders {
        let events = history.orders[order].iter().filter(|event| event.step() == step);
        let types: Vec<EventType> = events.map(|event| event.event_type()).collect();
        assert!((1..=most).contains(&types.len()), "{order}: {types:?}");
        assert!(types.iter().all(|it| *it == types[0]), "{order}: {types:?}");
    }
}

#[tokio::test]
async fn workers_whose_broker_is_killed_join_again_and_do_everything_once() {
    let data = tempfile::tempdir().unwrap();
    let first_life = broker("127.0.0.1:0", data.path()).await;
    let address = first_life.address;
    let mut shop = Shop::at(address, "0.0").await;
    let _inventory = shop.inventory(3_000).await;
    let (mut first, second) = (payment(&shop, "1").await, payment(&shop, "2").await);
    let _delivery = shop.delivery().await;
    until_shared(address, GROUP, &BOTH).await;
    let before = shop.order(names("before", 20)).await;
    shop.reader.all_ended(&before).await;

    // Charges are under way when it dies, and decided while it is away.
    faults(&shop.gateway, SILENT).await;
    let caught = shop.order(names("caught", 20)).await;
    until_under_way([&first, &second], 20.0).await;
    first_life.kill().await;
    for payment in [&first, &second] {
        until_metric(payment, "kafka_connected", |connected| connected == 0.0).await;
    }
    faults(&shop.gateway, SOUND).await;
    let second_life = broker(&address.to_string(), data.path()).await;
    shop.reconnect().await;
    let history = shop.reader.all_ended(&caught).await;
    written(&history, &[before, caught.clone()].concat(), Step::Payment, 1);
    charged_once(shop.gateway.address, &caught).await;

    // Nobody told the new coordinator of them: they came by themselves.
    until_shared(address, GROUP, &BOTH).await;
    let after = shop.order(names("after", 40)).await;
    let history = shop.reader.all_ended(&after).await;
    for step in [Step::Inventory, Step::Payment, Step::Shipping, Step::Notification] {
        written(&history, &after, step, 1);
    }
    until_all_is_committed(&shop).await;

    // In the midst of it: what was written and not acknowledged may be there once more.
    let midst = shop.order(names("midst", 60)).await;
    second_life.kill().await;
    let _third_life = broker(&address.to_string(), data.path()).await;
    shop.reconnect().await;
    let history = shop.reader.all_ended(&midst).await;
    written(&history, &midst, Step::Payment, 2);
    charged_once(shop.gateway.address, &midst).await;
    until_shared(address, GROUP, &BOTH).await;

    // A group like any other: who leaves is replaced.
    first.terminate();
    assert!(first.ended().await.success());
    until_shared(address, GROUP, &[("payment-2", 4)]).await;
    let handed_over = shop.order(names("handed-over", 20)).await;
    let history = shop.reader.all_ended(&handed_over).await;
    written(&history, &handed_over, Step::Payment, 1);
    until_all_is_committed(&shop).await;
}
