//! Input that no client should send. It closes the connection it came on, and nothing else.

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages as m;
use kafka_protocol::protocol::Request as _;
use sim::{Broker, Options};

use crate::panics;
use crate::wire::{Wire, frame_of};

async fn closes(broker: &Broker, bytes: &[u8]) {
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_bytes(bytes).await;
    assert_eq!(wire.receive_frame().await, None, "{bytes:?} was answered");
    still_serves(broker).await;
}

pub(crate) async fn still_serves(broker: &Broker) {
    panics::assert_none();
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
    panics::watch();
    let broker = Broker::start().unwrap();
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
    let broker = Broker::start().unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    let sound = frame_of(0, 1, &m::ApiVersionsRequest::default());
    wire.send_bytes(&[&sound[..], &request(9_999, 0, &[])].concat()).await;
    wire.receive::<m::ApiVersionsRequest>(0).await;
    assert_eq!(wire.receive_frame().await, None);
}

#[tokio::test]
async fn a_frame_beyond_the_limit_is_not_even_read() {
    let options = Options { max_frame_bytes: 2_000, ..Options::default() };
    let broker = Broker::start_with(options).unwrap();
    closes(&broker, &2_001u32.to_be_bytes()).await;
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_with_what_there_is() {
    let broker = Broker::start().unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_bytes(&request(m::ApiVersionsRequest::KEY, 77, &[1, 2, 3])).await;
    let versions = wire.receive::<m::ApiVersionsRequest>(0).await;
    assert_eq!(versions.error_code, 35);
    let produce = versions.api_keys.iter().find(|api| api.api_key == m::ProduceRequest::KEY);
    assert_eq!(produce.map(|api| api.min_version), Some(0));
    // The connection lives on: the client tries again with a version it now knows.
    wire.call(3, &m::ApiVersionsRequest::default()).await;
}
