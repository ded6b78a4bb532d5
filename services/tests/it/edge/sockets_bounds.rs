//! Who may have a WebSocket, how many, and how it ends.

use contract::ids::OrderId;
use contract::ws::close_code;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::child::{DEADLINE, Service};
use super::client::{HERE, connect_from, handshake, open, open_with, read};
use super::records::{SAGA, Topics, event};

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
async fn a_message_too_large_is_none_the_smaller_in_pieces() {
    let (_broker, status) = status(&[]).await;
    let mut socket = open(HERE, status.address, "order").await.unwrap();
    let text = OpCode::Data(Data::Text);
    socket.send(Message::Frame(Frame::message(vec![b'x'; 4000], text, false))).await;
    let more = OpCode::Data(Data::Continue);
    socket.send(Message::Frame(Frame::message(vec![b'x'; 97], more, true))).await;
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

/// Asks for metrics until they hold a line.
async fn until_metric(status: &Service, line: &str) {
    let look = async {
        loop {
            let metrics = read(status.management.unwrap(), "/metrics").await;
            let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
            if metrics.lines().any(|it| it == line) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.unwrap_or_else(|_| panic!("never {line}"));
}

#[tokio::test]
async fn a_reader_that_stays_slow_is_closed_with_a_reason_and_slows_nobody() {
    let (broker, status) = status(&["--send-timeout-ms", "300"]).await;
    let topics = Topics::at(broker.address()).await;
    let order_id = OrderId::for_idempotency_key("stays slow");
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(status.address).await.unwrap();
    let request = handshake(status.address, &order_id.to_string());
    let mut slow = open_with(stream, request).await.unwrap();
    let mut quick = open(HERE, status.address, &order_id.to_string()).await.unwrap();
    // Five frames of 64 to 320 KB: far more than the pipe to the slow one holds.
    for (event_type, count) in SAGA.into_iter().zip(1..) {
        topics.write_padded(&event(order_id, event_type)).await;
        while quick.update().await.events.len() < count {}
    }
    until_metric(&status, "sockets_closed_total{reason=\"slow\"} 1").await;
    // Who reads on after all is told why.
    assert_eq!(slow.close_code().await, close_code::TRY_AGAIN_LATER);
    drop(slow);
    until_metric(&status, "sockets_open 1").await;
    until_metric(&status, "sockets_opened_total 2").await;
    quick.close().await;
    until_metric(&status, "sockets_closed_total{reason=\"client\"} 1").await;
    until_metric(&status, "sockets_open 0").await;
}

#[tokio::test]
async fn refused_handshakes_are_counted_by_reason() {
    let (_broker, status) = status(&["--sockets-per-address", "1"]).await;
    let _held = open(HERE, status.address, "order").await.unwrap();
    assert!(open(HERE, status.address, "order").await.is_err());
    let mut evil = handshake(status.address, "order");
    evil.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    assert!(open_with(connect_from("127.0.0.2", status.address).await, evil).await.is_err());
    until_metric(&status, "sockets_refused_total{reason=\"address\"} 1").await;
    until_metric(&status, "sockets_refused_total{reason=\"origin\"} 1").await;
}
