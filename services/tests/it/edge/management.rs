//! The second door: metrics, on this machine only.

use super::child::Service;
use super::client::{HERE, JSON, get, post, read, send_from};

/// The value of the one series that begins like this.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.starts_with(series))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn metrics_count_what_happened_and_are_served_at_the_inner_door_only() {
    let broker = sim::Broker::start().unwrap();
    let order = Service::on(broker.address(), &["order"]).await;
    let inner = order.management.expect("it says where");
    assert!(inner.ip().is_loopback());
    let request = post("/order", &[JSON], r#"{"product_id":"product-1","quantity":1}"#);
    assert_eq!(send_from(HERE, order.address, request).await.status, 201);
    read(order.address, "/nowhere/of/the/clients/choice").await.error(404);

    let answer = send_from(HERE, inner, get("/metrics")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let metrics = String::from_utf8(answer.body.to_vec()).unwrap();
    let created = r#"http_requests_total{route="/order",method="POST",status="201"}"#;
    assert_eq!(value(&metrics, created), Some(1.0), "{metrics}");
    let unmatched = r#"http_requests_total{route="unmatched",method="GET",status="404"}"#;
    assert_eq!(value(&metrics, unmatched), Some(1.0));
    assert!(!metrics.contains("choice"), "a path of the client's became a label");
    let within = r#"http_request_duration_seconds_bucket{route="/order",le="10"}"#;
    assert_eq!(value(&metrics, within), Some(1.0));
    assert_eq!(value(&metrics, r#"events_published_total{topic="orders"}"#), Some(1.0));
    assert_eq!(value(&metrics, "service_ready"), Some(1.0));
    for line in ["# HELP kafka_connected", "# TYPE publish_duration_seconds histogram"] {
        assert!(metrics.contains(line), "{line}");
    }

    for path in ["/health", "/ready"] {
        assert_eq!(send_from(HERE, inner, get(path)).await.status, 200);
    }
    read(order.address, "/metrics").await.error(404);
}
