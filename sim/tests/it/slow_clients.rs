//! Clients that begin and do not end, that ask and do not listen, that come and go: they lose their own
//! connections at most, and nobody else waits for them.

use std::net::SocketAddr;
use std::time::Duration;

use kafka_protocol::messages as m;
use sim::{Broker, Options};
use tokio::net::TcpSocket;

use crate::malformed::still_serves;
use crate::wire::{Wire, frame_of};
use crate::{panics, requests};

/// What a test waits for must not come by itself.
const NEVER: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(100);

fn api_versions(correlation_id: i32) -> bytes::Bytes {
    frame_of(0, correlation_id, &m::ApiVersionsRequest::default())
}

#[tokio::test]
async fn a_request_that_never_comes_to_its_end_closes_its_connection_only() {
    let options = Options { transfer_timeout: SOON, ..Options::default() };
    let broker = Broker::start_with(options).unwrap();
    let mut other = Wire::connect(broker.address()).await;
    for beginning in [1, 4, 9] {
        let mut half = Wire::connect(broker.address()).await;
        half.send_bytes(&api_versions(1)[..beginning]).await;
        assert_eq!(half.receive_frame().await, None);
        other.call(0, &m::ApiVersionsRequest::default()).await;
    }
}

#[tokio::test]
async fn idle_connections_are_closed_and_waiting_ones_are_not() {
    let options = Options { max_idle: SOON, ..Options::default() };
    let broker = Broker::start_with(options).unwrap();
    let mut waiting = Wire::connect(broker.address()).await;
    waiting.call(1, &requests::metadata(1)).await;
    let fetch = requests::fetch(4).with_max_wait_ms(2_000);
    let mut partition = fetch.topics[0].clone();
    partition.partitions[0].fetch_offset = 0;
    waiting.send(4, &fetch.with_topics(vec![partition])).await;
    let mut silent = Wire::connect(broker.address()).await;
    assert_eq!(silent.receive_frame().await, None);
    let mut served = Wire::connect(broker.address()).await;
    served.call(0, &m::ApiVersionsRequest::default()).await;
    assert_eq!(served.receive_frame().await, None);
    // Whoever waits for records is not idle, however long that takes.
    let fetched = waiting.receive::<m::FetchRequest>(4).await;
    assert_eq!(fetched.responses[0].partitions[0].error_code, 0);
}

#[tokio::test]
async fn a_byte_at_a_time_is_a_request_too_and_others_are_served_between_any_two() {
    let broker = Broker::start().unwrap();
    let mut slow = Wire::connect(broker.address()).await;
    let mut other = Wire::connect(broker.address()).await;
    for byte in &api_versions(1) {
        slow.send_bytes(&[*byte]).await;
        other.call(0, &m::ApiVersionsRequest::default()).await;
    }
    slow.receive::<m::ApiVersionsRequest>(0).await;
}

#[tokio::test]
async fn others_are_served_while_one_client_sends_thousands_of_requests_at_once() {
    const REQUESTS: i32 = 20_000;
    let broker = Broker::start().unwrap();
    let mut greedy = Wire::connect(broker.address()).await;
    let mut other = Wire::connect(broker.address()).await;
    let all: Vec<u8> = (0..REQUESTS).flat_map(|at| api_versions(at).to_vec()).collect();
    let sending = greedy.start_sending(all);
    other.call(0, &m::ApiVersionsRequest::default()).await;
    // None of its responses is taken before the other client has got its own.
    for at in 0..REQUESTS {
        let frame = greedy.receive_frame().await.expect("an answer to each");
        assert_eq!(frame[..4], at.to_be_bytes(), "in their order");
    }
    sending.await.unwrap();
}

/// Fills the topic `orders` with a few batches of nearly 1 MB each.
async fn fill(wire: &mut Wire) {
    wire.call(1, &requests::metadata(1)).await;
    for _ in 0..4 {
        let produced = wire.call(3, &large_produce()).await;
        assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    }
}

fn large_produce() -> m::ProduceRequest {
    let value = "x".repeat(900_000);
    let mut produce = requests::produce(3);
    produce.topic_data[0].partition_data[0].records = Some(crate::wire::batch(&[&value], -1, -1));
    produce
}

fn large_fetch() -> m::FetchRequest {
    let mut fetch = requests::fetch(4);
    fetch.topics[0].partitions[0].fetch_offset = 0;
    fetch.topics[0].partitions[0].partition_max_bytes = 1 << 30;
    fetch.with_max_bytes(1 << 30)
}

#[tokio::test]
async fn clients_that_never_read_their_answers_lose_them_and_the_others_get_theirs() {
    const DEAF: usize = 12;
    const FETCHES: usize = 40;
    panics::watch();
    let options = Options {
        max_in_flight_bytes: 8 << 20,
        transfer_timeout: NEVER,
        max_idle: NEVER,
        ..Options::default()
    };
    let broker = Broker::start_with(options).unwrap();
    let mut other = Wire::connect(broker.address()).await;
    fill(&mut other).await;
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        let mut wire = Wire::connect(broker.address()).await;
        // More than the kernel's buffers take, whatever their size.
        let fetch = frame_of(4, 1, &large_fetch());
        wire.send_all(&fetch.repeat(FETCHES)).await;
        deaf.push(wire);
    }
    // Requests of a few bytes need no memory that the deaf ones hold,
    other.call(0, &m::ApiVersionsRequest::default()).await;
    other.call(1, &requests::metadata(1)).await;
    // and large ones get it: from the quarter that waits for them, or when the deaf are given up.
    other.call(3, &large_produce()).await;
    let fetched = other.call(4, &large_fetch()).await;
    assert!(fetched.responses[0].partitions[0].records.as_ref().unwrap().len() >= 900_000);
    let mut taken = 0;
    for mut wire in deaf {
        while wire.receive_frame().await.is_some() {
            taken += 1;
        }
    }
    assert!(taken < DEAF * FETCHES, "whoever does not read loses what is owed");
    still_serves(&broker).await;
}

#[tokio::test]
async fn requests_that_use_up_all_memory_and_stand_still_do_not_keep_others_from_theirs() {
    let options = Options {
        max_in_flight_bytes: 8 << 20,
        transfer_timeout: NEVER,
        max_idle: NEVER,
        ..Options::default()
    };
    let broker = Broker::start_with(options).unwrap();
    let mut other = Wire::connect(broker.address()).await;
    fill(&mut other).await;
    let large = frame_of(3, 1, &large_produce());
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut wire = Wire::connect(broker.address()).await;
        wire.start_sending(large[..large.len() - 1].to_vec());
        stuck.push(wire);
    }
    other.call(0, &m::ApiVersionsRequest::default()).await;
    for _ in 0..3 {
        let produced = other.call(3, &large_produce()).await;
        assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    }
    for mut wire in stuck {
        assert_eq!(wire.receive_frame().await, None, "it stood still when memory was scarce");
    }
}

#[tokio::test]
async fn many_large_requests_at_once_all_get_through_in_little_memory() {
    let options = Options { max_in_flight_bytes: 4 << 20, ..Options::default() };
    let broker = Broker::start_with(options).unwrap();
    Wire::connect(broker.address()).await.call(1, &requests::metadata(1)).await;
    let large = frame_of(3, 1, &large_produce());
    let mut clients = Vec::new();
    for _ in 0..30 {
        let (address, large) = (broker.address(), large.clone());
        clients.push(tokio::spawn(async move {
            let mut wire = Wire::connect(address).await;
            for piece in large.chunks(50_000) {
                wire.send_bytes(piece).await;
                tokio::task::yield_now().await;
            }
            wire.receive::<m::ProduceRequest>(3).await
        }));
    }
    for client in clients {
        let produced = client.await.unwrap();
        assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    }
}

#[tokio::test]
async fn a_request_of_more_than_a_quarter_of_the_memory_is_refused() {
    let options = Options { max_in_flight_bytes: 4 << 20, ..Options::default() };
    let broker = Broker::start_with(options).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_bytes(&((1u32 << 20) + 1).to_be_bytes()).await;
    assert_eq!(wire.receive_frame().await, None);
}

#[tokio::test]
async fn clients_that_come_and_go_leave_their_places_behind() {
    panics::watch();
    const PLACES: usize = 20;
    let broker =
        Broker::start_with(Options { max_connections: PLACES, ..Options::default() }).unwrap();
    for round in 0..2_000 {
        let mut wire = Wire::connect(broker.address()).await;
        match round % 4 {
            0 => {}
            1 => wire.send_bytes(&api_versions(1)).await,
            2 => wire.send_bytes(&api_versions(1)[..7]).await,
            _ => wire.reset_on_drop(),
        }
    }
    // All are gone, so all places are free: the last ones as soon as the broker has noticed.
    let mut held: Vec<Wire> = Vec::new();
    while held.len() < PLACES {
        let mut wire = Wire::connect(broker.address()).await;
        wire.try_send(&api_versions(1)).await;
        if wire.receive_frame().await.is_some() {
            held.push(wire);
        }
    }
    let mut one_too_many = Wire::connect(broker.address()).await;
    assert_eq!(one_too_many.receive_frame().await, None);
}

async fn connect_from(client: &str, broker: SocketAddr) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{client}:0").parse().unwrap()).unwrap();
    Wire::over(socket.connect(broker).await.unwrap())
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn connections_from_one_address_are_bounded_and_other_addresses_are_not_touched() {
    let options = Options { max_connections_per_address: 1, ..Options::default() };
    let broker = Broker::start_with(options).unwrap();
    let mut first = connect_from("127.0.0.1", broker.address()).await;
    first.call(0, &m::ApiVersionsRequest::default()).await;
    let mut second = connect_from("127.0.0.1", broker.address()).await;
    assert_eq!(second.receive_frame().await, None);
    let mut elsewhere = connect_from("127.0.0.2", broker.address()).await;
    elsewhere.call(0, &m::ApiVersionsRequest::default()).await;
    first.call(0, &m::ApiVersionsRequest::default()).await;
}
