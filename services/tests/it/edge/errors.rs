//! Whatever is wrong with a request, the answer is the specification's error body and says what to change.

use axum::http::Request;
use bytes::Bytes;
use contract::http::{CreateOrderResponse, Health};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::child::{DEADLINE, Service};
use super::client::{HERE, JSON, connect_from, get, post, read, send_from};

const ORDER: &str = r#"{"product_id":"product-1","quantity":2}"#;

fn broker() -> sim::Broker {
    sim::Broker::start().unwrap()
}

#[tokio::test]
async fn every_wrong_order_is_answered_with_what_is_wrong() {
    let broker = broker();
    let order = Service::on(broker.address(), &["order", "--order-limit", "0"]).await;
    let quantity =
        |quantity: &str| format!(r#"{{"product_id":"product-1","quantity":{quantity}}}"#);
    let wrong: [(&str, String, u16, &str); 14] = [
        ("application/json", "{\"product_id\":".into(), 400, "line 1"),
        ("application/json", String::new(), 400, "empty"),
        ("application/json", "[]".into(), 400, "an array"),
        ("application/json", r#"{"product_id":"product-4","quantity":1}"#.into(), 400, "product-4"),
        ("application/json", r#"{"product_id":4,"quantity":1}"#.into(), 400, "a number"),
        ("application/json", r#"{"quantity":1}"#.into(), 400, "product_id is missing"),
        ("application/json", r#"{"product_id":"product-1"}"#.into(), 400, "quantity is missing"),
        ("application/json", quantity("0"), 400, "is 0"),
        ("application/json", quantity("101"), 400, "is 101"),
        ("application/json", quantity("1.5"), 400, "is 1.5"),
        ("application/json", quantity("-1"), 400, "is -1"),
        ("application/json", quantity("\"1\""), 400, "a string"),
        ("application/json", " ".repeat(3 * 1024 * 1024), 413, "65536 bytes"),
        ("text/plain", ORDER.into(), 415, "application/json instead of text/plain"),
    ];
    for (content_type, body, status, details) in wrong {
        let request = post("/order", &[("content-type", content_type)], body);
        let error = send_from(HERE, order.address, request).await.error(status);
        assert!(error.details.contains(details), "{details:?} is not in {error:?}");
    }
    for key in ["", "tab\tinside", &"k".repeat(256)] {
        let request = post("/order", &[JSON, ("idempotency-key", key)], ORDER);
        let error = send_from(HERE, order.address, request).await.error(400);
        assert_eq!(error.error, "invalid Idempotency-Key");
    }
    let answer = send_from(HERE, order.address, post("/order", &[], ORDER)).await;
    answer.error(415);
    let answer = send_from(HERE, order.address, post("/order", &[JSON], ORDER)).await;
    assert_eq!(answer.status, 201, "and a right one still is: {answer:?}");
    let created: CreateOrderResponse = answer.json();
    assert_eq!((created.status.as_str(), created.quantity), ("created", 2));
    assert_eq!(created.order_id.0.get_version_num(), 4);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_errors_of_the_same_shape() {
    let broker = broker();
    let order = Service::on(broker.address(), &["order"]).await;
    let error = read(order.address, "/orders").await.error(404);
    assert!(error.details.contains("/orders"));
    let answer = read(order.address, "/order").await;
    assert!(answer.error(405).details.contains("GET"));
    assert_eq!(answer.header("allow"), Some("POST"));
    let health = read(order.address, "/health").await;
    assert_eq!(health.status, 200);
    let health: Health = health.json();
    assert_eq!((health.status.as_str(), health.service.as_str()), ("ok", "order"));
    assert_eq!(health.kafka, "connected");
    assert_eq!(read(order.address, "/ready").await.status, 200);
}

#[tokio::test]
async fn a_status_needs_a_uuid_and_an_order() {
    let broker = broker();
    let status = Service::on(broker.address(), &["status"]).await;
    let error = read(status.address, "/status/not-a-uuid").await.error(400);
    assert!(error.details.contains("UUID"));
    let unknown = "/status/3fa85f64-5717-4562-b3fc-2c963f66afa6";
    let error = read(status.address, unknown).await.error(404);
    assert_eq!(error.error, "order not found");
    read(status.address, "/status/%ff").await.error(400);
    read(status.address, "/ws/no-handshake").await.error(426);
    read(status.address, &format!("/ws/{}", "x".repeat(65))).await.error(400);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_pages_of_the_list_may_read_it() {
    let broker = broker();
    let order = Service::on(broker.address(), &["order"]).await;
    for path in ["/health", "/nowhere"] {
        let answer = read(order.address, path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("x-xss-protection"), Some("1; mode=block"));
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(answer.header("content-security-policy"), Some(policy));
    }
    let preflight = |origin: &str| {
        Request::options("/order")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,idempotency-key")
            .body(Full::<Bytes>::default())
            .unwrap()
    };
    let origin = "http://localhost:3000";
    let answer = send_from(HERE, order.address, preflight(origin)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("idempotency-key"));
    let answer = send_from(HERE, order.address, preflight("http://evil.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let request = post("/order", &[JSON, ("origin", origin)], ORDER);
    let answer = send_from(HERE, order.address, request).await;
    let exposed = answer.header("access-control-expose-headers").unwrap().to_owned();
    for header in ["x-ratelimit-remaining", "retry-after"] {
        assert!(exposed.contains(header), "{exposed}");
    }
}

#[tokio::test]
async fn before_it_has_read_the_log_a_service_answers_503_and_says_when_to_come_again() {
    // A broker that takes connections and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let kafka = silent.local_addr().unwrap().to_string();
    for (service, path) in [
        ("status", "/status/3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        ("status", "/ws/any"),
        ("order", "/order"),
    ] {
        let starting = Service::starting(&[service, "--kafka", &kafka]).await;
        for (path, status) in [("/health", 200), ("/ready", 503)] {
            let health = read(starting.address, path).await;
            assert_eq!(health.status, status, "{path}");
            let health: Health = health.json();
            let told = (health.status.as_str(), health.kafka.as_str());
            assert_eq!(told, ("starting", "disconnected"));
        }
        let request = if service == "order" { post(path, &[JSON], ORDER) } else { get(path) };
        let answer = send_from(HERE, starting.address, request).await;
        answer.error(503);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_cut_off() {
    let gateway = Service::start(&["gateway", "--port", "0"]).await;
    let mut stream = connect_from(HERE, gateway.address).await;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: ").await.unwrap();
    let mut rest = Vec::new();
    // Ends only when the service closes the connection.
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await;
    read.expect("cut off in time").unwrap();
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}

#[tokio::test]
async fn an_occupied_port_and_a_wrong_setting_are_told_at_the_start() {
    let gateway = Service::start(&["gateway", "--port", "0"]).await;
    let port = gateway.address.port().to_string();
    let (message, status) = Service::fail(&["gateway", "--port", &port]).await;
    assert_eq!(status.code(), Some(104));
    assert!(message.contains(&format!("cannot listen on {}", gateway.address)), "{message}");
    let contradiction = ["gateway", "--port", "0", "--latency-p99-ms", "1"];
    let (message, status) = Service::fail(&contradiction).await;
    assert_eq!(status.code(), Some(104));
    assert!(message.contains("--latency-p99-ms"), "{message}");
    let wrong = ["order", "--port", "0", "--trusted-proxies", "everybody"];
    let (message, status) = Service::fail(&wrong).await;
    assert_eq!(status.code(), Some(104));
    assert!(message.contains("--trusted-proxies"), "{message}");
}

#[tokio::test]
async fn a_service_stops_when_told_to_and_when_its_parent_is_gone() {
    let mut told = Service::start(&["gateway", "--port", "0"]).await;
    told.terminate();
    assert!(told.ended().await.success());
    let mut orphan = Service::start(&["gateway", "--port", "0"]).await;
    assert_eq!(send_from(HERE, orphan.address, get("/health")).await.status, 200);
    orphan.abandon();
    assert!(orphan.ended().await.success());
}
