//! What sockets and orders cost the status service: ten thousand and sixty thousand have to fit.

use contract::ids::OrderId;

use super::child::{DEADLINE, Service};
use super::client::{HERE, open, read};
use super::records::{SAGA, Topics, event};

/// A socket with its task, its buffers, and its place in the list of its order.
const SOCKET_BYTES: usize = 12 * 1024;

/// An order with its five events.
const ORDER_BYTES: usize = 2 * 1024;

async fn status() -> (sim::Broker, Service, Topics) {
    let broker = sim::Broker::start().unwrap();
    let arguments = ["status", "--sockets-per-address", "0", "--status-limit", "0"];
    let status = Service::on(broker.address(), &arguments).await;
    let topics = Topics::at(broker.address()).await;
    (broker, status, topics)
}

/// Opens sockets on one order and lets each see the whole saga.
async fn watch(
    status: &Service,
    topics: &Topics,
    key: &str,
    sockets: usize,
) -> Vec<super::client::Socket> {
    let order_id = OrderId::for_idempotency_key(key);
    // Known from the start, so that no socket is told on a slow machine that there is no such order.
    topics.write(&event(order_id, SAGA[0])).await;
    let mut open_sockets = Vec::new();
    for _ in 0..sockets {
        open_sockets.push(open(HERE, status.address, &order_id.to_string()).await.unwrap());
    }
    for (event_type, count) in SAGA.into_iter().zip(1..) {
        if count > 1 {
            topics.write(&event(order_id, event_type)).await;
        }
        for socket in &mut open_sockets {
            assert_eq!(socket.update().await.events.len(), count);
        }
    }
    open_sockets
}

#[tokio::test]
async fn a_socket_costs_no_more_than_its_share() {
    const SOCKETS: usize = 400;
    let (_broker, status, topics) = status().await;
    // The first ones bring in what the process needs once.
    let first = watch(&status, &topics, "first", 10).await;
    let before = status.memory_bytes();
    let sockets = watch(&status, &topics, "many", SOCKETS).await;
    let each = (status.memory_bytes() - before) / SOCKETS;
    println!("{each} bytes for each socket");
    assert!(each <= SOCKET_BYTES, "{each} bytes for each socket");
    drop((first, sockets));
}

#[tokio::test]
async fn an_order_costs_no_more_than_its_share() {
    const ORDERS: usize = 20_000;
    let (_broker, status, topics) = status().await;
    let before = status.memory_bytes();
    let id = |number: usize| OrderId::for_idempotency_key(&number.to_string());
    for event_type in SAGA {
        topics.write_all((0..ORDERS).map(|number| event(id(number), event_type))).await;
    }
    let complete = async {
        for number in 0..ORDERS {
            let path = format!("/status/{}", id(number));
            // Asking for each would take long: the last of many tells as much.
            if number % 1000 != 999 {
                continue;
            }
            loop {
                let answer = read(status.address, &path).await;
                if answer.status == 200
                    && answer.json::<contract::order::Order>().events.len() == SAGA.len()
                {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    };
    tokio::time::timeout(DEADLINE, complete).await.expect("folded in time");
    let each = (status.memory_bytes() - before) / ORDERS;
    println!("{each} bytes for each order");
    assert!(each <= ORDER_BYTES, "{each} bytes for each order");
}
