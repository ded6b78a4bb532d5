//! Kafka away: every order is answered 201, and follows when Kafka is back; nothing that was promised is
//! lost, whatever dies in between.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::http::{CreateOrderResponse, Health};
use contract::ids::OrderId;
use contract::topics::{Topic, partition_for_key};
use futures_util::future::join_all;
use tempfile::TempDir;

use super::child::{DEADLINE, Service};
use super::client::{Answer, HERE, JSON, post, read, send_from};
use crate::pipeline::history::Reader;
use crate::pipeline::metrics::metric;

/// Pause between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// A broker that can go away and come back, and the folder of an order service.
pub(super) struct Scene {
    folder: TempDir,
    pub(super) kafka: SocketAddr,
    broker: Option<sim::Broker>,
}

impl Scene {
    pub(super) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Self { folder, kafka: ([127, 0, 0, 1], 0).into(), broker: None };
        scene.start_kafka();
        scene.kafka = scene.broker.as_ref().unwrap().address();
        scene
    }

    pub(super) fn start_kafka(&mut self) {
        let options = sim::Options {
            listen: self.kafka,
            data_dir: Some(self.folder.path().join("broker")),
            ..sim::Options::default()
        };
        self.broker = Some(sim::Broker::start_with(options).unwrap());
    }

    pub(super) async fn stop_kafka(&mut self) {
        self.broker.take().unwrap().stop().await;
    }

    fn arguments<'a>(kafka: &'a str, data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let arguments = ["order", "--order-limit", "0", "--kafka", kafka, "--data-dir", data];
        let patience = ["--publish-timeout-ms", "300"];
        // What a test says itself counts.
        let patience = if more.contains(&patience[0]) { &[][..] } else { &patience };
        [&arguments[..], &["--breaker-reset-ms", "200"], patience, more].concat()
    }

    pub(super) async fn service(&self, more: &[&str]) -> Service {
        let (kafka, data) = (self.kafka.to_string(), self.data());
        let more = [more, &["--port", "0"]].concat();
        Service::start(&Self::arguments(&kafka, &data, &more)).await
    }

    fn data(&self) -> String {
        self.folder.path().to_str().unwrap().to_owned()
    }

    fn queue(&self) -> PathBuf {
        self.folder.path().join("order-1/queue")
    }
}

async fn order(service: &Service, key: &str, quantity: u32) -> Answer {
    let body = format!(r#"{{"product_id":"product-2","quantity":{quantity}}}"#);
    send_from(HERE, service.address, post("/order", &[JSON, ("idempotency-key", key)], body)).await
}

pub(super) async fn created(service: &Service, key: &str) -> OrderId {
    let answer = order(service, key, 1).await;
    assert_eq!(answer.status, 201, "{key}: {answer:?}");
    answer.json::<CreateOrderResponse>().order_id
}

pub(super) async fn health(service: &Service) -> Health {
    read(service.address, "/health").await.json()
}

pub(super) async fn until(service: &Service, what: &str, wanted: impl Fn(&Health) -> bool) {
    let look = async {
        while !wanted(&health(service).await) {
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(DEADLINE, look).await.is_err() {
        panic!("{what}: never, but {:?}", health(service).await);
    }
}

/// How often each order stands in the log, and in which order they first do, by partition.
pub(super) async fn orders_in(kafka: SocketAddr) -> (HashMap<OrderId, usize>, Vec<OrderId>) {
    let reader = Reader::at(kafka).await;
    let (mut counts, mut firsts) = (HashMap::new(), Vec::new());
    for record in reader.records(Topic::Orders.name()).await {
        let key = String::from_utf8(record.record.key.unwrap()).unwrap();
        let id: OrderId = key.parse().unwrap();
        let count = counts.entry(id).or_insert(0);
        *count += 1;
        if *count == 1 {
            firsts.push(id);
        }
    }
    (counts, firsts)
}

/// One after the other, so that their order is known.
async fn place(service: &Service, prefix: &str, count: usize) -> Vec<OrderId> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(created(service, &format!("{prefix}-{number}")).await);
    }
    ids
}

#[tokio::test]
async fn orders_wait_on_disk_while_kafka_is_away_and_follow_in_order_even_after_a_kill() {
    let mut scene = Scene::open();
    let service = scene.service(&[]).await;
    let mut placed = place(&service, "before", 5).await;
    scene.stop_kafka().await;
    placed.extend(place(&service, "away", 40).await);
    let told = health(&service).await;
    assert_eq!((told.status.as_str(), told.queue), ("ok", Some(40)));
    until(&service, "the breaker opens", |told| told.breaker.as_deref() != Some("closed")).await;
    // The same order again, another under its key, and one without a key, all while it waits.
    assert_eq!(created(&service, "away-7").await, placed[12]);
    order(&service, "away-7", 2).await.error(422);
    let body = r#"{"product_id":"product-1","quantity":1}"#;
    let keyless = send_from(HERE, service.address, post("/order", &[JSON], body)).await;
    placed.push(keyless.json::<CreateOrderResponse>().order_id);

    service.kill().await;
    let (kafka, data) = (scene.kafka.to_string(), scene.data());
    let service = Service::starting(&Scene::arguments(&kafka, &data, &[])).await;
    // It cannot yet know what stands in the log, and so cannot tell a repeat from a contradiction.
    let answer = order(&service, "away-7", 1).await;
    answer.error(503);
    assert!(answer.number("retry-after") > 0);
    let told = health(&service).await;
    assert_eq!((told.status.as_str(), told.queue), ("starting", Some(41)));

    scene.start_kafka();
    until(&service, "ready and drained", |told| {
        (told.status.as_str(), told.queue) == ("ok", Some(0))
    })
    .await;
    assert_eq!(health(&service).await.breaker.as_deref(), Some("closed"));
    assert_eq!(created(&service, "away-7").await, placed[12]);
    order(&service, "away-7", 2).await.error(422);
    placed.extend(place(&service, "after", 5).await);

    let (counts, firsts) = orders_in(scene.kafka).await;
    for id in &placed {
        // Those that were sent before the breaker opened may have been sent again.
        assert!(counts.contains_key(id), "{id} is missing");
    }
    assert_eq!(counts.len(), placed.len());
    let place_of: HashMap<_, _> = placed.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut by_partition: HashMap<i32, Vec<usize>> = HashMap::new();
    for id in firsts {
        let key = id.to_string();
        let partition = partition_for_key(key.as_bytes(), 4);
        by_partition.entry(partition).or_default().push(place_of[&id]);
    }
    for (partition, places) in by_partition {
        assert!(
            places.is_sorted(),
            "first come, first served on partition {partition}: {places:?}"
        );
    }
    assert!(segments(&scene.queue()).is_empty(), "a drained queue is empty");
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|it| it == "queue")).collect()
}

#[tokio::test]
async fn a_crowd_in_the_outage_is_answered_by_the_queue_and_counted() {
    let mut scene = Scene::open();
    let service = scene.service(&[]).await;
    scene.stop_kafka().await;
    let keys: Vec<String> = (0..200).map(|number| format!("crowd-{number}")).collect();
    let ids = join_all(keys.iter().map(|key| created(&service, key))).await;
    scene.start_kafka();
    until(&service, "drained", |told| told.queue == Some(0)).await;
    let (counts, _) = orders_in(scene.kafka).await;
    assert!(ids.iter().all(|id| counts.contains_key(id)));
    assert_eq!(counts.len(), ids.len());

    assert_eq!(metric(&service, "orders_queued_total").await, 200.0);
    assert_eq!(metric(&service, "orders_drained_total").await, 200.0);
    assert_eq!(metric(&service, "circuit_breaker_state").await, 0.0);
    let opened = r#"circuit_breaker_transitions_total{from="closed",to="open"}"#;
    assert_eq!(metric(&service, opened).await, 1.0);
    let syncs = metric(&service, "order_queue_commit_seconds_count").await;
    assert!(syncs > 0.0 && syncs < 200.0, "one sync for many, and not {syncs}");
}

#[tokio::test]
async fn a_full_queue_and_one_that_cannot_be_written_answer_503() {
    let mut scene = Scene::open();
    let service = scene.service(&["--queue-max-orders", "3"]).await;
    scene.stop_kafka().await;
    let placed = place(&service, "fits", 3).await;
    let answer = order(&service, "too-many", 1).await;
    assert!(answer.error(503).details.contains("Idempotency-Key"));
    assert!(answer.number("retry-after") > 0);
    assert_eq!(created(&service, "fits-1").await, placed[1], "what was promised still holds");
    scene.start_kafka();
    until(&service, "drained", |told| told.queue == Some(0)).await;
    created(&service, "too-many").await;

    let away = scene.folder.path().join("away");
    std::fs::rename(scene.queue(), &away).unwrap();
    scene.stop_kafka().await;
    let answer = order(&service, "no-folder", 1).await;
    assert!(answer.error(503).details.contains("disk"));
    assert!(answer.number("retry-after") > 0);
    std::fs::rename(&away, scene.queue()).unwrap();
    created(&service, "no-folder").await;
    scene.start_kafka();
    until(&service, "drained", |told| told.queue == Some(0)).await;
    let (counts, _) = orders_in(scene.kafka).await;
    assert_eq!(counts.len(), 5);
}

#[tokio::test]
async fn a_second_process_on_one_queue_says_so_and_ends() {
    let scene = Scene::open();
    let _first = scene.service(&[]).await;
    let (kafka, data) = (scene.kafka.to_string(), scene.data());
    let second = Scene::arguments(&kafka, &data, &["--port", "0"]);
    let (message, status) = Service::fail(&second).await;
    assert_eq!(status.code(), Some(104));
    assert!(message.contains("another order service"), "{message}");
}

#[tokio::test]
async fn a_damaged_queue_is_told_kept_and_published_as_far_as_it_can_be_read() {
    let mut scene = Scene::open();
    let service = scene.service(&[]).await;
    scene.stop_kafka().await;
    let placed = place(&service, "damaged", 9).await;
    service.kill().await;
    let segment = segments(&scene.queue()).remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    std::fs::write(&segment, &bytes).unwrap();
    scene.start_kafka();
    let service = scene.service(&[]).await;
    until(&service, "drained", |told| told.queue == Some(0)).await;
    assert_eq!(std::fs::read(segment.with_extension("damaged")).unwrap(), bytes);
    let (counts, _) = orders_in(scene.kafka).await;
    let missing: Vec<_> = placed.iter().filter(|id| !counts.contains_key(id)).collect();
    // The first ones may have reached the log on their own before the breaker opened.
    assert!(missing.len() <= 1 && counts.len() >= 8, "{missing:?}");
}
