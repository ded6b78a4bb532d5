//! Replay: a state is checked against the log, and mended.

use std::path::Path;

use contract::events::EventType;
use contract::ids::OrderId;
use contract::order::Order;
use contract::replay::{ReplayState, ReplayStatus};

use super::history::PAUSE;
use super::metrics::{metric, until_metric};
use super::shop::{Shop, names, shelf, shelf_settles};
use super::snapshots::often;
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::{HERE, JSON, get, history, open, post, read, send_from};
use crate::edge::records::event;

async fn begin(service: &Service, body: &str) -> u16 {
    let management = service.management.unwrap();
    send_from(HERE, management, post("/replay", &[JSON], body.to_owned())).await.status.as_u16()
}

pub(super) async fn status(service: &Service) -> ReplayStatus {
    send_from(HERE, service.management.unwrap(), get("/replay")).await.json()
}

/// Replays, and waits for the findings.
pub(crate) async fn replay(service: &Service, body: &str) -> contract::replay::ReplayReport {
    assert_eq!(begin(service, body).await, 202);
    let look = async {
        loop {
            let replay = status(service).await.replay.unwrap();
            if replay.state != ReplayState::Running {
                return replay;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("a replay in time")
}

const ALL: &str = r#"{"from":"earliest","rate":0}"#;

#[tokio::test]
async fn every_worker_is_found_as_the_log_says_and_nothing_is_published() {
    let shop = Shop::open("0.3").await;
    let inventory = shop.inventory(90).await;
    let payment = shop.payment("1").await;
    let [shipping, notification] = shop.delivery().await;
    let orders = shop.order(names("replayed", 40)).await;
    let history = shop.reader.all_ended(&orders).await;
    let status = shop.service(&["status"]).await;
    let order = shop.service(&["order"]).await;
    // The test's orders are dated long ago.
    let always = r#"{"from":"earliest","rate":0,"window_hours":1000000}"#;
    for service in [&inventory, &payment, &shipping, &notification, &status, &order] {
        let report = replay(service, always).await;
        assert_eq!(report.state, ReplayState::Consistent, "{report:?}");
        assert!(report.applied > 0 && report.orders_compared > 0, "{report:?}");
        assert_eq!((report.read, report.differences), (report.total, 0));
        assert_eq!(metric(service, "state_consistent").await, 1.0);
        let checkpoint = replay(service, r#"{"rate":0}"#).await;
        assert_eq!(checkpoint.state, ReplayState::Consistent, "{checkpoint:?}");
    }
    assert_eq!(shop.reader.history().await.len(), history.len(), "a replay has no effect");
}

/// Changes what a snapshot says of an order, as nobody but a tester would: the checksum fits.
pub(super) fn tamper(folder: &Path, order: OrderId, change: impl Fn(&mut [u8])) {
    let files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for path in files {
        let mut bytes = std::fs::read(&path).unwrap();
        let id = order.0.as_bytes();
        let Some(place) = bytes.windows(16).position(|window| window == id) else { continue };
        // The id, the entry's length (7 bits a byte, the low ones first), the entry.
        let more = bytes[place + 16..].iter().position(|byte| byte & 0x80 == 0).unwrap();
        let start = place + 16 + more + 1;
        let length = bytes[place + 16..start].iter().rev();
        let length = length.fold(0, |length, byte| (length << 7) | usize::from(byte & 0x7f));
        change(&mut bytes[start..start + length]);
        let end = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&crc);
        std::fs::write(&path, bytes).unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_that_lies_is_found_and_mended() {
    let shop = Shop::open("0.0").await;
    let folder = tempfile::tempdir().unwrap();
    let settings = often(folder.path());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let arguments = [&["inventory", "--stock", "product-2=90"], &settings[..]].concat();
    let inventory = shop.service(&arguments).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("tampered", 20)).await;
    shop.reader.all_ended(&orders).await;
    until_metric(&inventory, "snapshot_orders", |value| value >= 20.0).await;
    shelf_settles(&inventory, 30).await;
    inventory.kill().await;

    // The lie: the first order was rejected and never paid.
    // An entry is product, quantity, and the bits that say what has happened.
    tamper(&folder.path().join("inventory-1"), orders[0], |entry| entry[2] = 0b0_00_10);
    let rare = ["--data-dir", settings[1], "--snapshot-interval-ms", "0"];
    let arguments = [&["inventory", "--stock", "product-2=90"], &rare[..]].concat();
    let inventory = shop.service(&arguments).await;
    assert_eq!(shelf(&inventory).await.current_stock, 33, "the lie is believed");
    assert_eq!(status(&inventory).await.start.unwrap().orders_restored, 20);

    let report = replay(&inventory, ALL).await;
    assert_eq!((report.state, report.differences), (ReplayState::Differs, 1), "{report:?}");
    assert_eq!(report.examples[0].order_id, orders[0]);
    assert_eq!(metric(&inventory, "state_consistent").await, 0.0);
    let report = replay(&inventory, r#"{"from":"earliest","rate":0,"apply":true}"#).await;
    assert_eq!(report.state, ReplayState::Mended, "{report:?}");
    shelf_settles(&inventory, 30).await;
    assert_eq!(replay(&inventory, ALL).await.state, ReplayState::Consistent);

    // It goes on with its work, and a restart begins with what was mended.
    let next = shop.order(["next".to_owned()]).await;
    shop.reader.all_ended(&next).await;
    shelf_settles(&inventory, 27).await;
    inventory.kill().await;
    let inventory = shop.service(&arguments).await;
    shelf_settles(&inventory, 27).await;
    assert_eq!(metric(&inventory, "snapshot_orders_restored").await, 20.0);
}

#[tokio::test]
async fn an_order_that_the_status_service_shows_wrongly_is_mended_before_the_eyes_of_who_watches() {
    let shop = Shop::open("0.0").await;
    let folder = tempfile::tempdir().unwrap();
    let settings = often(folder.path());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let first = shop.service(&[&["status"], &settings[..]].concat()).await;
    let orders = shop.order(names("shown", 10)).await;
    until_metric(&first, "snapshot_orders", |value| value >= 10.0).await;
    let path = format!("/status/{}", orders[0]);
    let truth: Order = read(first.address, &path).await.json();
    first.kill().await;

    // The lie: the order was placed a second later. An entry begins with an event's type and its second.
    tamper(&folder.path().join("status-1"), orders[0], |entry| entry[1] ^= 1);
    let rare = ["--data-dir", settings[1], "--snapshot-interval-ms", "0"];
    let status = shop.service(&[&["status"], &rare[..]].concat()).await;
    let lie: Order = read(status.address, &path).await.json();
    assert_ne!(lie.created_at, truth.created_at, "the lie is believed");
    let mut watched = open(HERE, status.address, &orders[0].to_string()).await.unwrap();
    assert_eq!(watched.update().await, lie);
    let mut other = open(HERE, status.address, &orders[1].to_string()).await.unwrap();
    let before = other.update().await;

    let always =
        |apply| format!(r#"{{"from":"earliest","rate":0,"window_hours":1000000,"apply":{apply}}}"#);
    let report = replay(&status, &always(false)).await;
    assert_eq!((report.state, report.differences), (ReplayState::Differs, 1), "{report:?}");
    assert_eq!(report.examples[0].order_id, orders[0]);
    let report = replay(&status, &always(true)).await;
    assert_eq!(report.state, ReplayState::Mended, "{report:?}");
    assert_eq!(watched.update().await, truth, "who watches is told");
    assert_eq!(read(status.address, &path).await.json::<Order>(), truth);
    assert_eq!(replay(&status, &always(false)).await.state, ReplayState::Consistent);

    // Whoever watches another order hears of that one only.
    shop.topics.write(&event(orders[1], EventType::InventoryConfirmed)).await;
    assert_eq!(history(&other.update().await).len(), before.events.len() + 1);
}

#[tokio::test]
async fn one_replay_at_a_time_at_the_rate_that_was_asked_for() {
    let shop = Shop::open("0.0").await;
    let inventory = shop.inventory(300).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("slow", 60)).await;
    shop.reader.all_ended(&orders).await;
    assert_eq!(begin(&inventory, r#"{"from":"earliest","rate":1}"#).await, 202);
    assert_eq!(begin(&inventory, ALL).await, 409);
    let running = status(&inventory).await.replay.unwrap();
    assert_eq!((running.state, running.request.batch_size), (ReplayState::Running, 1_000));
    assert!(running.applied < 60, "{running:?}");
    for wrong in ["", "[]", r#"{"rate":-1}"#, r#"{"batch_size":0}"#, r#"{"speed":1}"#] {
        assert_eq!(begin(&inventory, wrong).await, 400, "{wrong}");
    }
}

#[tokio::test]
async fn orders_from_before_the_window_are_not_compared() {
    let shop = Shop::open("0.0").await;
    let inventory = shop.inventory(300).await;
    // Written by the test with a timestamp of long ago; the inventory's answers are of today.
    let orders = shop.order(names("old", 10)).await;
    let answered = |history: &super::history::History| {
        orders
            .iter()
            .all(|order| history.first(*order, contract::topics::Step::Inventory).is_some())
    };
    shop.reader.until("every order is decided", answered).await;
    for order in &orders[..5] {
        shop.topics.write(&event(*order, EventType::PaymentCompleted)).await;
    }
    shelf_settles_reserved(&inventory, 15).await;
    // What the inventory has decided becomes a part of its state when it reads it back.
    let look = async {
        loop {
            let report = replay(&inventory, ALL).await;
            assert_eq!(report.state, ReplayState::Consistent, "{report:?}");
            assert!(report.orders_compared <= 5, "{report:?}");
            if (report.orders_compared, report.outside_window) == (5, 5) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("five orders compared in time");
}

async fn shelf_settles_reserved(inventory: &Service, reserved: u64) {
    let look = async {
        while shelf(inventory).await.reserved_stock != reserved {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("the payments are read in time");
}

#[tokio::test]
async fn a_start_without_a_snapshot_says_that_it_replayed_the_log() {
    let shop = Shop::open("0.0").await;
    let inventory = shop.inventory(300).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("first", 10)).await;
    shop.reader.all_ended(&orders).await;
    inventory.kill().await;
    let inventory = shop.inventory(300).await;
    let start = status(&inventory).await.start.unwrap();
    assert_eq!((start.orders_restored, start.without_snapshot), (0, 1));
    assert!(start.records_folded >= 10, "{start:?}");
    let labels = r#"replays_total{trigger="no_snapshot",outcome="consistent"}"#;
    let text = send_from(HERE, inventory.management.unwrap(), get("/metrics")).await;
    assert!(String::from_utf8(text.body.to_vec()).unwrap().contains(labels));
}
