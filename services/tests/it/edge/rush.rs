//! Kafka comes back while orders never stop coming: the queue is emptied all the same, and once for all.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use contract::ids::OrderId;
use contract::topics::partition_for_key;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::child::{DEADLINE, Service};
use super::queue::{PAUSE, Scene, created, health, orders_in, until};
use crate::pipeline::metrics::metric;

/// Customers who order again as soon as they are answered.
const CUSTOMERS: usize = 32;

/// Between two of those who come whether others have been answered or not, and how many wait at most.
const NEXT_PASSER_BY: Duration = Duration::from_millis(2);
const PASSERS_BY: usize = 256;

/// More than follow into the log at once.
const MANY: u64 = 1_200;

/// Orders that are taken while nothing goes to the queue any more.
const STRAIGHT: usize = 400;

/// Orders with when they were asked for and when they were answered.
#[derive(Default)]
struct Rush {
    now: Cell<usize>,
    placed: RefCell<HashMap<OrderId, (usize, usize)>>,
    over: Cell<bool>,
}

impl Rush {
    fn tick(&self) -> usize {
        self.now.replace(self.now.get() + 1)
    }

    fn taken(&self) -> usize {
        self.placed.borrow().len()
    }

    async fn place(&self, service: &Service, key: String) {
        let asked = self.tick();
        let id = created(service, &key).await;
        self.placed.borrow_mut().insert(id, (asked, self.tick()));
    }

    async fn customer(&self, service: &Service, number: usize) {
        for order in 0.. {
            if self.over.get() {
                return;
            }
            self.place(service, format!("customer-{number}-{order}")).await;
        }
    }

    async fn passers_by(&self, service: &Service) {
        let (mut next, mut waiting) =
            (tokio::time::interval(NEXT_PASSER_BY), FuturesUnordered::new());
        let mut number = 0;
        while !self.over.get() {
            tokio::select! {
                _ = next.tick(), if waiting.len() < PASSERS_BY => {
                    number += 1;
                    waiting.push(self.place(service, format!("passer-by-{number}")));
                }
                Some(()) = waiting.next() => {}
            }
        }
        while waiting.next().await.is_some() {}
    }

    /// Waits until many orders have been taken of which none went to the queue; how many ever did.
    async fn goes_straight(&self, service: &Service) -> f64 {
        let straight = async {
            loop {
                let (queued, first) = (metric(service, QUEUED).await, self.taken());
                while self.taken() < first + STRAIGHT {
                    tokio::time::sleep(PAUSE).await;
                }
                let told = health(service).await;
                if (told.queue, metric(service, QUEUED).await) == (Some(0), queued) {
                    return queued;
                }
            }
        };
        let straight = tokio::time::timeout(DEADLINE, straight).await;
        straight.expect("the queue is emptied, and no order goes there any more")
    }

    /// Each order stands once in the log, and none before one that had been answered when it was asked for.
    async fn is_in_the_log(&self, kafka: SocketAddr, others: usize) {
        let (counts, firsts) = orders_in(kafka).await;
        let placed = self.placed.borrow();
        assert_eq!(counts.len(), placed.len() + others);
        let mut asked = [0; 4];
        for id in firsts {
            let Some(order) = placed.get(&id) else { continue };
            assert_eq!(counts[&id], 1, "{id} stands twice in the log");
            let partition = partition_for_key(id.to_string().as_bytes(), 4);
            let asked = &mut asked[usize::try_from(partition).unwrap()];
            assert!(order.1 > *asked, "{id} was answered before somebody asked who comes first");
            *asked = order.0.max(*asked);
        }
    }
}

const QUEUED: &str = "orders_queued_total";

#[tokio::test]
async fn the_queue_is_emptied_once_for_all_although_orders_never_stop() {
    let mut scene = Scene::open();
    let service = scene.service(&["--publish-timeout-ms", "3000"]).await;
    scene.stop_kafka().await;
    // These have tried Kafka, and may be there twice: they are not counted.
    let early: Vec<String> = (0..5).map(|number| format!("early-{number}")).collect();
    join_all(early.iter().map(|key| created(&service, key))).await;
    until(&service, "the breaker opens", |told| told.breaker.as_deref() != Some("closed")).await;

    let rush = Rush::default();
    let shop = async {
        until(&service, "many wait", |told| told.queue >= Some(MANY)).await;
        scene.start_kafka();
        let queued = rush.goes_straight(&service).await;
        rush.over.set(true);
        queued
    };
    let customers = join_all((0..CUSTOMERS).map(|number| rush.customer(&service, number)));
    let (_, (), queued) = tokio::join!(customers, rush.passers_by(&service), shop);
    assert!(queued >= MANY as f64);
    assert_eq!(metric(&service, "orders_drained_total").await, queued);
    let mended = r#"circuit_breaker_transitions_total{from="half_open",to="closed"}"#;
    assert_eq!(metric(&service, mended).await, 1.0);
    rush.is_in_the_log(scene.kafka, early.len()).await;
}
