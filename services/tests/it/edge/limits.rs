//! The specification's limits, with their headers, for the right client.

use std::net::SocketAddr;

use super::child::Service;
use super::client::{Answer, HERE, JSON, get, post, send_from};

const ORDER: &str = r#"{"product_id":"product-1","quantity":1}"#;

async fn order(source: &str, address: SocketAddr, forwarded: Option<&str>) -> Answer {
    let mut headers = vec![JSON];
    headers.extend(forwarded.map(|forwarded| ("x-forwarded-for", forwarded)));
    send_from(source, address, post("/order", &headers, ORDER)).await
}

#[tokio::test]
async fn ten_orders_a_minute_and_the_headers_count_down() {
    let broker = sim::Broker::start().unwrap();
    let service = Service::on(broker.address(), &["order"]).await;
    for left in (0..10).rev() {
        let answer = order(HERE, service.address, None).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.number("x-ratelimit-limit"), 10);
        // A token comes back every six seconds, and a slow machine may take that long.
        assert!(answer.number("x-ratelimit-remaining") >= left);
        assert!((1..=60).contains(&answer.number("x-ratelimit-reset")));
    }
    let mut refused = order(HERE, service.address, None).await;
    while refused.status == 201 {
        refused = order(HERE, service.address, None).await;
    }
    assert!(refused.error(429).details.contains("10 orders a minute"));
    assert_eq!(refused.number("x-ratelimit-remaining"), 0);
    assert!((1..=6).contains(&refused.number("retry-after")));
    // A request that is wrong counts as well, and is told so.
    let wrong = send_from("127.0.0.2", service.address, post("/order", &[JSON], "{}")).await;
    wrong.error(400);
    assert_eq!(wrong.number("x-ratelimit-remaining"), 9);
    // Nobody believes a stranger who says that he is someone else.
    let mut spoofed = order(HERE, service.address, Some("203.0.113.9")).await;
    while spoofed.status == 201 {
        spoofed = order(HERE, service.address, Some("203.0.113.9")).await;
    }
    spoofed.error(429);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_bucket_and_cannot_lie() {
    let broker = sim::Broker::start().unwrap();
    let arguments = ["order", "--order-limit", "1", "--trusted-proxies", "127.0.0.0/8"];
    let service = Service::on(broker.address(), &arguments).await;
    for client in ["203.0.113.1", "203.0.113.2", "2001:db8:0:1::1"] {
        assert_eq!(order(HERE, service.address, Some(client)).await.status, 201, "{client}");
    }
    for lie in ["198.51.100.1, 203.0.113.1", "198.51.100.2,203.0.113.2, 127.0.0.9"] {
        order(HERE, service.address, Some(lie)).await.error(429);
    }
    order(HERE, service.address, Some("2001:db8:0:1::2")).await.error(429);
}

#[tokio::test]
async fn status_reads_have_a_limit_of_their_own_and_health_has_none() {
    let broker = sim::Broker::start().unwrap();
    let service = Service::on(broker.address(), &["status", "--status-limit", "2"]).await;
    let path = "/status/3fa85f64-5717-4562-b3fc-2c963f66afa6";
    for left in [1, 0] {
        let answer = send_from(HERE, service.address, get(path)).await;
        answer.error(404);
        assert_eq!(answer.number("x-ratelimit-remaining"), left);
    }
    send_from(HERE, service.address, get(path)).await.error(429);
    for _ in 0..5 {
        let health = send_from(HERE, service.address, get("/health")).await;
        assert_eq!((health.status.as_u16(), health.header("x-ratelimit-limit")), (200, None));
    }
}
