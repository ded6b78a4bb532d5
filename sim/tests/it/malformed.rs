//! Input that no client should send. It closes the connection it came on, and nothing else.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages as m;
use kafka_protocol::protocol::Request as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sim::{Broker, Options};
use tokio::runtime::Runtime;

use crate::wire::{Wire, frame_of};

async fn closes(broker: &Broker, bytes: &[u8]) {
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_bytes(bytes).await;
    assert_eq!(wire.receive_frame().await, None, "{bytes:?} was answered");
    still_serves(broker).await;
}

async fn still_serves(broker: &Broker) {
    let mut wire = Wire::connect(broker.address()).await;
    let versions = wire.call(0, &m::ApiVersionsRequest::default()).await;
    assert!(!versions.api_keys.is_empty());
}

fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_i32(10 + body.len() as i32);
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(1);
    frame.put_i16(-1);
    frame.extend_from_slice(body);
    frame.to_vec()
}

#[tokio::test]
async fn lying_lengths_close_the_connection() {
    let broker = Broker::start(Options::default()).unwrap();
    let huge = i32::MAX.to_be_bytes();
    for frame in [
        huge.to_vec(),
        vec![0xff; 4],
        vec![0; 4],
        vec![0, 0, 0, 7, 0, 18, 0, 0, 0, 0, 0],
        // Unknown APIs and versions, then arrays of two thousand million elements.
        request(9_999, 0, &[]),
        request(m::MetadataRequest::KEY, 99, &[]),
        request(m::ProduceRequest::KEY, 2, &[0; 20]),
        request(m::MetadataRequest::KEY, 1, &huge),
        request(m::FetchRequest::KEY, 4, &[&[0; 17][..], &huge].concat()),
        request(m::ProduceRequest::KEY, 3, &[&[0xff; 8][..], &huge].concat()),
        request(m::DescribeGroupsRequest::KEY, 0, &huge),
        request(m::OffsetFetchRequest::KEY, 1, &[&[0, 0][..], &huge].concat()),
        request(m::MetadataRequest::KEY, 9, &[0, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        // A string that is no text.
        request(m::FindCoordinatorRequest::KEY, 0, &[0, 2, 0xff, 0xfe]),
    ] {
        closes(&broker, &frame).await;
    }
}

#[tokio::test]
async fn what_came_before_a_bad_request_is_still_answered() {
    let broker = Broker::start(Options::default()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    let sound = frame_of(0, 1, &m::ApiVersionsRequest::default());
    wire.send_bytes(&[&sound[..], &request(9_999, 0, &[])].concat()).await;
    wire.receive::<m::ApiVersionsRequest>(0).await;
    assert_eq!(wire.receive_frame().await, None);
}

#[tokio::test]
async fn a_frame_beyond_the_limit_is_not_even_read() {
    let options = Options { max_frame_bytes: 2_000, ..Options::default() };
    let broker = Broker::start(options).unwrap();
    closes(&broker, &2_001u32.to_be_bytes()).await;
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_with_what_there_is() {
    let broker = Broker::start(Options::default()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_bytes(&request(m::ApiVersionsRequest::KEY, 77, &[1, 2, 3])).await;
    let versions = wire.receive::<m::ApiVersionsRequest>(0).await;
    assert_eq!(versions.error_code, 35);
    let produce = versions.api_keys.iter().find(|api| api.api_key == m::ProduceRequest::KEY);
    assert_eq!(produce.map(|api| api.min_version), Some(0));
    // The connection lives on: the client tries again with a version it now knows.
    wire.call(3, &m::ApiVersionsRequest::default()).await;
}

#[tokio::test]
async fn connections_are_bounded() {
    let broker = Broker::start(Options { max_connections: 1, ..Options::default() }).unwrap();
    let mut first = Wire::connect(broker.address()).await;
    first.call(0, &m::ApiVersionsRequest::default()).await;
    let mut second = Wire::connect(broker.address()).await;
    assert_eq!(second.receive_frame().await, None);
    first.call(0, &m::ApiVersionsRequest::default()).await;
}

/// Random bodies under sound headers reach every decoder there is.
#[test]
fn random_requests_hurt_nobody() {
    let runtime = Runtime::new().unwrap();
    let broker = Broker::start(Options::default()).unwrap();
    let keys = proptest::sample::select(vec![
        0i16, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 29, 32, 33, 35,
        37, 42, 44, 46, 47, 60, 61, 75,
    ]);
    let bodies = proptest::collection::vec(prop_oneof![any::<u8>(), 0u8..4], 0..200);
    let mut runner = TestRunner::new(Config::with_cases(2_000));
    runner
        .run(&(keys, 0i16..14, bodies), |(key, version, body)| {
            let mut session = broker.session();
            let frame = Bytes::from(request(key, version, &body)).slice(4..);
            // Answered, refused, or waiting (a group that waits for members): never a panic.
            let answer = session.request(frame);
            let limit = std::time::Duration::from_millis(1);
            let _ = runtime.block_on(async { tokio::time::timeout(limit, answer).await });
            Ok(())
        })
        .unwrap();
    runtime.block_on(still_serves(&broker));
}
