//! How far a service is behind the log is one number, wherever it is told.

use contract::http::Health;
use contract::replay::ReplayStatus;

use super::history::PAUSE;
use super::metrics::values;
use super::shop::{Shop, names};
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::read;

#[tokio::test]
async fn metrics_health_and_replay_tell_the_same_lag() {
    let shop = Shop::open("0.0").await;
    let silent = Service::start(&["gateway", "--silent-rate", "1", "--port", "0"]).await;
    let gateway = format!("http://{}", silent.address);
    let _inventory = shop.inventory(3_000).await;
    let patient = ["--gateway-patience-ms", "60000", "--payment-budget-ms", "60000"];
    let payment = ["payment", "--gateway", &gateway, "--lag-limit", "4"];
    let payment = shop.service(&[&payment[..], &patient].concat()).await;
    shop.order(names("waiting", 5)).await;

    let told = async {
        loop {
            let health: Health = read(payment.address, "/health").await.json();
            if health.lag == Some(5) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, told).await.expect("told in time");
    let shown = values(&payment, r#"consumer_lag_records{consumer="payment-service""#).await;
    assert_eq!((shown.iter().sum::<f64>(), shown.len()), (5.0, 4));
    let status: ReplayStatus = read(payment.management.unwrap(), "/replay").await.json();
    assert_eq!((status.lag.records, status.lag.exceeded), (5, true));
}
