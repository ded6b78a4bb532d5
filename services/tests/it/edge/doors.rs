//! What the doors bear: crowds from one address, clients that never come to the point, and who comes through
//! which door.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::child::{DEADLINE, Service};
use super::client::{HERE, JSON, connect_from, open, post, read, send_from, send_over};

const ORDER: &str = r#"{"product_id":"product-1","quantity":1}"#;

async fn order(arguments: &[&str]) -> (sim::Broker, Service) {
    let broker = sim::Broker::start().unwrap();
    let order = Service::on(broker.address(), &[&["order"], arguments].concat()).await;
    (broker, order)
}

/// Everything that the service says until it closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut said)).await;
    // A connection that was reset is closed as well.
    let _ = read.expect("closed in time");
    String::from_utf8(said).unwrap()
}

/// Whether a connection is turned away, and with what.
async fn refusal(source: &str, address: SocketAddr) -> Option<String> {
    let mut stream = connect_from(source, address).await;
    // Who is not turned away is asked for nothing, and hears nothing, until it asks.
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")
        .await
        .ok()?;
    let said = rest(&mut stream).await;
    (!said.starts_with("HTTP/1.1 200")).then_some(said)
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_others_and_proxies_are_served() {
    let limit = ["--connections-per-address", "2", "--trusted-proxies", "127.0.0.9"];
    let (_broker, order) = order(&limit).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(connect_from(HERE, order.address).await);
    }
    // It says nothing, so that its refusal cannot be lost with what it said.
    let mut third = connect_from(HERE, order.address).await;
    let said = rest(&mut third).await;
    assert!(said.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{said}");
    assert!(said.contains("\r\nretry-after: 1\r\n") && said.contains("2 at once"), "{said}");
    let (_, body) = said.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<contract::http::ErrorResponse>(body).unwrap();

    assert_eq!(refusal("127.0.0.2", order.address).await, None);
    let _behind_a_proxy: Vec<_> =
        futures_util::future::join_all((0..5).map(|_| connect_from("127.0.0.9", order.address)))
            .await;
    assert_eq!(refusal("127.0.0.9", order.address).await, None);
    let metrics = read(order.management.unwrap(), "/metrics").await;
    let metrics = std::str::from_utf8(&metrics.body).unwrap().to_owned();
    assert!(metrics.contains("\nhttp_connections_refused_total 1\n"), "{metrics}");

    held.pop();
    // The place is free when the service has seen the end, a moment after the client has.
    while refusal(HERE, order.address).await.is_some() {
        tokio::task::yield_now().await;
    }
}

/// One request, and so much of its answer that it is known to have been served.
async fn is_served(stream: &mut TcpStream) {
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    answers(stream).await;
}

/// Reads the answer to a request that was sent before; all of it is there at once.
async fn answers(stream: &mut TcpStream) {
    let mut said = vec![0; 4096];
    let length = tokio::time::timeout(DEADLINE, stream.read(&mut said)).await;
    let said = &said[..length.expect("served in time").unwrap()];
    assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(said));
}

#[tokio::test]
async fn more_connections_than_there_may_be_wait_until_one_is_closed() {
    let (_broker, order) = order(&["--max-connections", "2"]).await;
    let mut held =
        [connect_from(HERE, order.address).await, connect_from(HERE, order.address).await];
    for stream in &mut held {
        is_served(stream).await;
    }
    let mut waiting = Vec::new();
    for source in [HERE, "127.0.0.2"] {
        let mut stream = connect_from(source, order.address).await;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        waiting.push(stream);
    }
    // All those who are in are served many times, and so is whoever runs the shop.
    for _ in 0..50 {
        for stream in &mut held {
            is_served(stream).await;
        }
        assert_eq!(read(order.management.unwrap(), "/health").await.status, 200);
    }
    for stream in &waiting {
        let said = stream.try_read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(said, Err(std::io::ErrorKind::WouldBlock), "it was not its turn");
    }
    // First come, first served, each when another one goes.
    let [first, second] = held;
    drop(first);
    answers(&mut waiting[0]).await;
    let said = waiting[1].try_read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(said, Err(std::io::ErrorKind::WouldBlock), "one place was free");
    drop(second);
    answers(&mut waiting[1]).await;
}

#[tokio::test]
async fn websockets_take_no_places_from_requests() {
    let broker = sim::Broker::start().unwrap();
    let status = Service::on(broker.address(), &["status", "--max-connections", "2"]).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(open(HERE, status.address, "any").await.unwrap());
    }
    assert_eq!(read(status.address, "/health").await.status, 200);
}

#[tokio::test]
async fn who_does_not_come_to_the_point_is_cut_off() {
    let (_broker, order) = order(&["--header-timeout-ms", "300"]).await;
    let mut silent = connect_from(HERE, order.address).await;
    assert_eq!(rest(&mut silent).await, "");

    // A byte now and then does not buy more time.
    let mut trickling = connect_from(HERE, order.address).await;
    let trickle = async {
        trickling.write_all(b"GET /health HTTP/1.1\r\nx-slow: ").await?;
        loop {
            trickling.write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let broken: std::io::Result<()> =
        tokio::time::timeout(DEADLINE, trickle).await.expect("cut off in time");
    assert!(broken.is_err());

    // One request does not buy the connection for ever either.
    let mut idle = connect_from(HERE, order.address).await;
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    let said = rest(&mut idle).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_answered_408_and_headers_too_large_are_refused() {
    let (_broker, order) = order(&[]).await;
    let mut slow = connect_from(HERE, order.address).await;
    let head = "POST /order HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n\
                content-length: 40\r\nconnection: close\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let said = rest(&mut slow).await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(said.contains("within 5 s"), "{said}");

    let mut large = connect_from(HERE, order.address).await;
    let head = format!("GET /health HTTP/1.1\r\nhost: shop\r\nx-large: {}\r\n", "x".repeat(20_000));
    // It may be cut off while it writes.
    let _ = large.write_all(head.as_bytes()).await;
    let said = rest(&mut large).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
}

#[tokio::test]
async fn management_listens_on_loopback_only_and_the_public_door_knows_nothing_of_it() {
    let (_broker, order) = order(&["--host", "0.0.0.0"]).await;
    let management = order.management.unwrap();
    assert_eq!(management.ip().to_string(), "127.0.0.1");
    assert!(order.address.ip().is_unspecified());
    let elsewhere = SocketAddr::new("127.0.0.2".parse().unwrap(), management.port());
    assert!(TcpStream::connect(elsewhere).await.is_err(), "it listens beyond 127.0.0.1");
    read(SocketAddr::new("127.0.0.2".parse().unwrap(), order.address.port()), "/metrics")
        .await
        .error(404);
}

#[tokio::test]
async fn a_client_of_ipv6_has_one_bucket_for_its_whole_block() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("SKIPPED: this machine has no IPv6 loopback");
        return;
    }
    let (_broker, order) = order(&["--host", "::1", "--order-limit", "1"]).await;
    let ask = async || {
        let stream = TcpStream::connect(order.address).await.unwrap();
        send_over(stream, post("/order", &[JSON], ORDER)).await
    };
    assert_eq!(ask().await.status, 201);
    ask().await.error(429);
}

#[tokio::test]
async fn refusals_for_want_of_tokens_are_counted_by_what_is_limited() {
    let (_broker, order) = order(&["--order-limit", "1"]).await;
    for _ in 0..3 {
        // Only the first can be admitted, whichever header it lies with.
        let lie = [JSON, ("x-forwarded-for", "203.0.113.77")];
        send_from(HERE, order.address, post("/order", &lie, ORDER)).await;
    }
    let metrics = read(order.management.unwrap(), "/metrics").await;
    let metrics = std::str::from_utf8(&metrics.body).unwrap().to_owned();
    assert!(metrics.contains("rate_limited_total{what=\"orders\"} 2"), "{metrics}");
}
