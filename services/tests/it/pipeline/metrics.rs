//! What a service says of itself at its second door.

use super::history::PAUSE;
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::{HERE, get, send_from};

/// The values of all series that are named so, or whose name and first labels begin so.
pub(crate) async fn values(service: &Service, series: &str) -> Vec<f64> {
    let inner = service.management.expect("it has a second door");
    let answer = send_from(HERE, inner, get("/metrics")).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let is =
        |line: &&str| line.strip_prefix(series).is_some_and(|it| it.starts_with([' ', '{', ',']));
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse().unwrap();
    text.lines().filter(is).map(value).collect()
}

/// The sum of these; 0 when there are none.
pub(crate) async fn metric(service: &Service, series: &str) -> f64 {
    values(service, series).await.iter().sum()
}

/// Looks until a metric is as it should be.
pub(crate) async fn until_metric(service: &Service, series: &str, wanted: impl Fn(f64) -> bool) {
    let look = async {
        while !wanted(metric(service, series).await) {
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(DEADLINE, look).await.is_err() {
        panic!("{series} stays at {}", metric(service, series).await);
    }
}
