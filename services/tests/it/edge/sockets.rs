//! What a WebSocket shows of its order.

use contract::events::EventType;
use contract::ids::OrderId;
use contract::order::{Order, OrderStatus};
use contract::ws::{ErrorData, Message as Envelope, MessageType};
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;

use super::child::Service;
use super::client::{HERE, Socket, handshake, history, open, open_with, read};
use super::records::{SAGA, Topics, event};

struct Shop {
    status: Service,
    topics: Topics,
    // Ends when dropped, and so after its clients.
    _broker: sim::Broker,
}

async fn shop(arguments: &[&str]) -> Shop {
    let broker = sim::Broker::start().unwrap();
    let status = Service::on(broker.address(), &[&["status"], arguments].concat()).await;
    let topics = Topics::at(broker.address()).await;
    Shop { status, topics, _broker: broker }
}

/// Reads updates until one has `count` events; each extends the one before it.
async fn updates_until(socket: &mut Socket, count: usize) -> Vec<Order> {
    let mut updates: Vec<Order> = Vec::new();
    loop {
        let update = socket.update().await;
        if let Some(last) = updates.last() {
            assert!(update.events.starts_with(&last.events), "{last:?} then {update:?}");
            assert!(update.events.len() > last.events.len());
        }
        let done = update.events.len() >= count;
        updates.push(update);
        if done {
            return updates;
        }
    }
}

#[tokio::test]
async fn updates_come_in_causal_order_although_the_topics_arrive_shuffled() {
    let shop = shop(&[]).await;
    let order_id = OrderId::for_idempotency_key("shuffled");
    let mut early = open(HERE, shop.status.address, &order_id.to_string()).await.unwrap();
    for event_type in [EventType::Shipped, EventType::PaymentCompleted, EventType::OrderCreated] {
        shop.topics.write(&event(order_id, event_type)).await;
    }
    let first = early.update().await;
    assert_eq!(history(&first), ["OrderCreated"]);
    assert_eq!((first.status, first.quantity), (OrderStatus::Created, 3));
    for event_type in [EventType::NotificationSent, EventType::InventoryConfirmed] {
        shop.topics.write(&event(order_id, event_type)).await;
    }
    let updates = updates_until(&mut early, 5).await;
    let last = updates.last().unwrap();
    assert_eq!(history(last)[..3], ["OrderCreated", "InventoryConfirmed", "PaymentCompleted"]);
    assert_eq!(last.status, OrderStatus::Shipped, "also when the notification came later");
    assert_eq!(last.tracking_number.as_deref(), Some("TRK00ff00ff"));

    // A repeat shows nothing new; a late socket is shown everything at once, and so is a reader.
    shop.topics.write(&event(order_id, EventType::OrderCreated)).await;
    let mut late = open(HERE, shop.status.address, &order_id.to_string()).await.unwrap();
    assert_eq!(&late.update().await, last);
    let answer = read(shop.status.address, &format!("/status/{order_id}")).await;
    assert_eq!(&answer.json::<Order>(), last);
}

#[tokio::test]
async fn the_whole_history_is_there_after_a_restart() {
    let shop = shop(&[]).await;
    let order_id = OrderId::for_idempotency_key("restart");
    for event_type in SAGA {
        shop.topics.write(&event(order_id, event_type)).await;
    }
    let mut socket = open(HERE, shop.status.address, &order_id.to_string()).await.unwrap();
    let before = updates_until(&mut socket, SAGA.len()).await.pop().unwrap();
    shop.status.kill().await;
    let status = Service::on(shop._broker.address(), &["status"]).await;
    let after: Order = read(status.address, &format!("/status/{order_id}")).await.json();
    assert_eq!(after.status, OrderStatus::Shipped);
    assert_eq!(after.events[..3], before.events[..3]);
    assert_eq!(after.events.len(), before.events.len());
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_state_and_not_each_one_before_it() {
    let shop = shop(&["--status-limit", "0"]).await;
    let order_id = OrderId::for_idempotency_key("slow");
    // A receive buffer so small, and records so large, that few frames fit between sender and reader.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(shop.status.address).await.unwrap();
    let request = handshake(shop.status.address, &order_id.to_string());
    let mut slow = open_with(stream, request).await.unwrap();
    let path = format!("/status/{order_id}");
    for (event_type, seen) in SAGA.into_iter().zip(1..) {
        shop.topics.write_padded(&event(order_id, event_type)).await;
        // Each state stands for itself: the service has it before the next one is written.
        loop {
            let answer = read(shop.status.address, &path).await;
            if answer.status == 200 && answer.json::<Order>().events.len() == seen {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let updates = updates_until(&mut slow, SAGA.len()).await;
    assert!(updates.len() < SAGA.len(), "every state was sent to a reader that did not read");
}

#[tokio::test]
async fn an_unknown_order_is_told_so_and_its_socket_goes_on_waiting() {
    let shop = shop(&[]).await;
    let order_id = OrderId::for_idempotency_key("late");
    let mut made_up = open(HERE, shop.status.address, "test-order-1a2b").await.unwrap();
    let mut late = open(HERE, shop.status.address, &order_id.to_string()).await.unwrap();
    let not_found = "order_not_found".to_owned();
    assert_eq!(late.error().await, (not_found.clone(), Some(order_id.to_string())));
    assert_eq!(made_up.error().await, (not_found, Some("test-order-1a2b".to_owned())));
    shop.topics.write(&event(order_id, EventType::OrderCreated)).await;
    assert_eq!(history(&late.update().await), ["OrderCreated"]);
}

#[tokio::test]
async fn pings_of_both_kinds_are_answered_and_nonsense_is_named() {
    let shop = shop(&[]).await;
    let mut socket = open(HERE, shop.status.address, "any").await.unwrap();
    socket.send(Message::text(r#"{"type":"ping","timestamp":"2026-01-01T00:00:00Z"}"#)).await;
    let pong: Envelope<ErrorData> = socket.text().await;
    assert_eq!((pong.message_type, pong.order_id.as_deref()), (MessageType::Pong, Some("any")));
    socket.send(Message::Ping("here".into())).await;
    assert_eq!(socket.next().await, Some(Message::Pong("here".into())));
    for nonsense in [Message::text("{"), Message::binary(vec![1]), Message::text(r#"{"type":1}"#)] {
        socket.send(nonsense).await;
        assert_eq!(socket.error().await.0, "invalid_message");
    }
    socket.close().await;
}
