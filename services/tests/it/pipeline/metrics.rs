//! What a service says of itself at its second door.

use super::history::PAUSE;
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::{HERE, get, send_from};

/// The value of the first series that is named so, or begins so where labels are named; 0 when there is none.
pub(crate) async fn metric(service: &Service, series: &str) -> f64 {
    let inner = service.management.expect("it has a second door");
    let answer = send_from(HERE, inner, get("/metrics")).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let is =
        |line: &&str| line.strip_prefix(series).is_some_and(|it| it.starts_with([' ', '{', ',']));
    let line = text.lines().find(is);
    line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
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
