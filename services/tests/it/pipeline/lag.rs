//! A service that falls behind the log says so and checks its state (specification §9.3).

use std::fs;
use std::path::Path;

use contract::events::EventType;
use contract::http::Health;
use contract::ids::OrderId;
use contract::replay::{ReplayReport, ReplayRequest, ReplayState, ReplayTrigger};

use super::history::PAUSE;
use super::metrics::{metric, until_metric};
use super::parked::{SILENT, SOUND, faults};
use super::replay::{status, tamper};
use super::shop::{Shop, names};
use super::snapshots::often;
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::read;

/// Charges stay under way for as long as the gateway is silent.
const PATIENT: [&str; 4] = ["--gateway-patience-ms", "200", "--payment-budget-ms", "3600000"];

const LIMIT: u64 = 10;

/// Of each partition; their sum is the service's.
const LAG: &str = r#"consumer_lag_records{consumer="payment-service""#;

async fn payment(shop: &Shop, settings: &[&str]) -> Service {
    let (gateway, limit) = (format!("http://{}", shop.gateway.address), LIMIT.to_string());
    let arguments = ["payment", "--gateway", &gateway, "--lag-limit", &limit];
    shop.service(&[&arguments[..], &PATIENT, settings].concat()).await
}

/// Falls behind by so many orders, and waits for what the replay finds that nobody asked for.
async fn falls_behind(
    shop: &Shop,
    payment: &Service,
    orders: &[String],
) -> (Vec<OrderId>, ReplayReport) {
    faults(&shop.gateway, SILENT).await;
    let orders = shop.order(orders.iter().cloned()).await;
    let look = async {
        loop {
            let told = status(payment).await;
            if told.lag.records < orders.len() as u64 {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            assert!(told.lag.exceeded, "{told:?}");
            match told.replay {
                Some(replay) if replay.finished_at.is_some() => return replay,
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    let replay = tokio::time::timeout(DEADLINE, look).await.expect("a replay because of the lag");
    (orders, replay)
}

async fn lag_in_health(payment: &Service) -> Option<u64> {
    read(payment.address, "/health").await.json::<Health>().lag
}

fn because_of_lag(outcome: &str) -> String {
    format!(r#"replays_total{{trigger="lag",outcome="{outcome}"}}"#)
}

#[tokio::test]
async fn who_falls_behind_the_log_says_so_and_checks_its_state_once() {
    let shop = Shop::open("0.3").await;
    let _inventory = shop.inventory(3_000).await;
    let payment = payment(&shop, &["--snapshot-interval-ms", "0"]).await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("in-time", 12)).await;
    shop.reader.all_ended(&orders).await;
    until_metric(&payment, LAG, |lag| lag == 0.0).await;
    let told = status(&payment).await;
    assert_eq!((told.replay, told.lag.limit, told.lag.exceeded), (None, LIMIT, false));

    for times in [1.0, 2.0] {
        let names = names(&format!("behind-{times}"), 30);
        let (behind, replay) = falls_behind(&shop, &payment, &names).await;
        assert_eq!(replay.trigger, ReplayTrigger::Lag);
        assert_eq!(replay.state, ReplayState::Consistent, "{replay:?}");
        assert_eq!(replay.request, ReplayRequest::default());
        assert!(replay.orders_compared >= 12 && replay.applied >= 24, "{replay:?}");
        // As long as it is behind it is not checked again, and everybody can see that it is.
        assert_eq!(metric(&payment, LAG).await, 30.0);
        assert_eq!(lag_in_health(&payment).await, Some(30));
        until_metric(&payment, &because_of_lag("consistent"), |count| count == times).await;
        until_metric(&payment, "state_consistent", |consistent| consistent == 1.0).await;

        faults(&shop.gateway, SOUND).await;
        shop.reader.all_ended(&behind).await;
        until_metric(&payment, LAG, |lag| lag == 0.0).await;
        assert_eq!(
            (lag_in_health(&payment).await, status(&payment).await.lag.exceeded),
            (None, false)
        );
        assert_eq!(metric(&payment, &because_of_lag("consistent")).await, times);
    }
}

/// Every file of a folder, to be put back.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[tokio::test]
async fn a_state_that_differs_is_found_because_of_the_lag() {
    let shop = Shop::open("0.0").await;
    let _inventory = shop.inventory(3_000).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = often(folder.path());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let first = payment(&shop, &settings).await;
    let _delivery = shop.delivery().await;
    let orders = shop.order(names("differs", 12)).await;
    shop.reader.all_ended(&orders).await;
    until_metric(&first, "snapshot_orders", |orders| orders >= 12.0).await;
    first.kill().await;

    // It begins with a lie, one payment that failed, and the snapshot that did not lie comes back.
    let state = folder.path().join("payment-1");
    let truth = contents(&state);
    tamper(&state, orders[0], |steps| steps[0] |= 1 << 7);
    let rare = ["--data-dir", settings[1], "--snapshot-interval-ms", "0"];
    let second = payment(&shop, &rare).await;
    assert_eq!(status(&second).await.start.unwrap().orders_restored, 12);
    for (path, bytes) in truth {
        fs::write(path, bytes).unwrap();
    }
    let (behind, replay) = falls_behind(&shop, &second, &names("behind", 30)).await;
    assert_eq!((replay.trigger, replay.state), (ReplayTrigger::Lag, ReplayState::Differs));
    assert_eq!((replay.differences, replay.examples[0].order_id), (1, orders[0]), "{replay:?}");
    until_metric(&second, &because_of_lag("differs"), |count| count == 1.0).await;
    until_metric(&second, "state_consistent", |consistent| consistent == 0.0).await;

    faults(&shop.gateway, SOUND).await;
    let history = shop.reader.all_ended(&behind).await;
    for order in orders {
        assert_eq!(history.count(order, EventType::PaymentCompleted), 1, "a check has no effect");
    }
}
