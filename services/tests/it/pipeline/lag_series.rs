//! How far a service is behind the log is one number, wherever it is told.

use contract::http::Health;
use contract::replay::ReplayStatus;

use super::history::PAUSE;
use super::shop::{Shop, names};
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::read;

/// The sum of the service's series, and how many there are.
async fn shown(service: &Service, consumer: &str) -> (f64, usize) {
    let metrics = read(service.management.unwrap(), "/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let series = format!("consumer_lag_records{{consumer=\"{consumer}\"");
    let lines = metrics.lines().filter(|line| line.starts_with(&series));
    let values: Vec<f64> =
        lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    (values.iter().sum(), values.len())
}

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
    let (records, partitions) = shown(&payment, "payment-service").await;
    assert_eq!((records, partitions), (5.0, 4));
    let status: ReplayStatus = read(payment.management.unwrap(), "/replay").await.json();
    assert_eq!((status.lag.records, status.lag.exceeded), (5, true));
}
