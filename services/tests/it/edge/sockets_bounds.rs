//! Who may have a WebSocket, how many, and how it ends.

use contract::ids::OrderId;
use contract::ws::close_code;
use tokio_tungstenite::tungstenite::Message;

use super::child::Service;
use super::client::{HERE, connect_from, handshake, open, open_with};

async fn status(arguments: &[&str]) -> (sim::Broker, Service) {
    let broker = sim::Broker::start().unwrap();
    let status = Service::on(broker.address(), &[&["status"], arguments].concat()).await;
    (broker, status)
}

#[tokio::test]
async fn five_sockets_from_one_address_and_no_more() {
    let (_broker, status) = status(&[]).await;
    let mut sockets = Vec::new();
    for number in 0..5 {
        sockets.push(open(HERE, status.address, &format!("order-{number}")).await.unwrap());
    }
    let refused = open(HERE, status.address, "order-5").await.err().unwrap();
    assert!(refused.error(429).details.contains("5 at once"));
    assert!(refused.number("retry-after") > 0);
    let elsewhere = open("127.0.0.2", status.address, "order-5").await;
    assert!(elsewhere.is_ok(), "another address has five of its own");
    sockets.pop().unwrap().close().await;
    // The place is free when the service has seen the end, a moment after the client has.
    while open(HERE, status.address, "order-5").await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn only_pages_of_the_list_may_open_one() {
    let (_broker, status) = status(&[]).await;
    for (origin, admitted) in [("http://localhost:3000", true), ("http://evil.example", false)] {
        let mut request = handshake(status.address, "order");
        request.headers_mut().insert("origin", origin.parse().unwrap());
        let opened = open_with(connect_from(HERE, status.address).await, request).await;
        match opened {
            Ok(socket) => {
                assert!(admitted, "{origin}");
                socket.close().await;
            }
            Err(refusal) => {
                assert!(!admitted, "{origin}");
                refusal.error(403);
            }
        }
    }
}

#[tokio::test]
async fn a_message_too_large_closes_its_socket() {
    let (_broker, status) = status(&[]).await;
    let mut socket = open(HERE, status.address, "order").await.unwrap();
    socket.send(Message::text("x".repeat(4096))).await;
    assert_eq!(socket.error().await.0, "invalid_message", "4 KiB are not too large");
    socket.send(Message::text("x".repeat(4097))).await;
    assert_eq!(socket.close_code().await, close_code::TOO_LARGE);
}

#[tokio::test]
async fn a_shutdown_says_good_bye_to_every_socket() {
    let (_broker, mut status) = status(&[]).await;
    let order_id = OrderId::for_idempotency_key("any").to_string();
    let mut sockets = Vec::new();
    for id in [order_id.as_str(), &order_id, "made-up"] {
        sockets.push(open(HERE, status.address, id).await.unwrap());
    }
    status.terminate();
    for mut socket in sockets {
        assert_eq!(socket.close_code().await, close_code::GOING_AWAY);
    }
    assert!(status.ended().await.success());
}

#[tokio::test]
async fn a_silent_end_is_closed_after_two_pings_and_a_living_one_is_not() {
    let (_broker, status) = status(&["--heartbeat-ms", "100"]).await;
    let mut silent = open(HERE, status.address, "silent").await.unwrap();
    let mut living = open(HERE, status.address, "living").await.unwrap();
    // Reading answers pings. This one answers ten: five times as many as silence is granted.
    let mut pings = 0;
    while pings < 10 {
        match living.next().await {
            Some(Message::Ping(_)) => pings += 1,
            Some(Message::Text(_)) => (),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(silent.close_code().await, close_code::POLICY);
}
