//! A group as its coordinator sees it, asked past every service.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment, DescribeGroupsRequest, GroupId, OffsetFetchRequest, RequestHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::history::PAUSE;
use crate::edge::child::DEADLINE;

/// Versions without flexible fields.
const DESCRIBE_GROUPS_VERSION: i16 = 3;
const OFFSET_FETCH_VERSION: i16 = 5;

async fn ask<R: Request>(kafka: SocketAddr, request: &R, version: i16) -> R::Response {
    let mut frame = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(R::KEY);
    let header = header.with_request_api_version(version).with_client_id(None);
    header.encode(&mut frame, R::header_version(version)).unwrap();
    request.encode(&mut frame, version).unwrap();
    let mut stream = TcpStream::connect(kafka).await.unwrap();
    let mut whole = BytesMut::new();
    whole.put_u32(u32::try_from(frame.len()).unwrap());
    whole.put(frame);
    stream.write_all(&whole).await.unwrap();
    let length = usize::try_from(stream.read_u32().await.unwrap()).unwrap();
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await.unwrap();
    let mut answer = Bytes::from(answer);
    // The correlation id: one request, one answer.
    answer.advance(size_of::<i32>());
    R::Response::decode(&mut answer, version).unwrap()
}

fn group_id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

async fn described(kafka: SocketAddr, group: &str) -> DescribedGroup {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    ask(kafka, &request, DESCRIBE_GROUPS_VERSION).await.groups.remove(0)
}

/// Who has how many partitions, once each of them belongs to somebody and nobody is coming or going.
fn settled(group: &DescribedGroup, partitions: i32) -> Option<BTreeMap<String, usize>> {
    if group.group_state.as_str() != "Stable" {
        return None;
    }
    let (mut shares, mut owned) = (BTreeMap::new(), Vec::new());
    for member in &group.members {
        let mut assignment = member.member_assignment.clone();
        let version = assignment.try_get_i16().ok()?;
        let assignment =
            ConsumerProtocolAssignment::decode(&mut assignment, version.min(1)).ok()?;
        let partitions = assignment.assigned_partitions.iter().flat_map(|of| of.partitions.clone());
        let partitions: Vec<i32> = partitions.collect();
        shares.insert(member.client_id.to_string(), partitions.len());
        owned.extend(partitions);
    }
    owned.sort_unstable();
    (owned == (0..partitions).collect::<Vec<_>>()).then_some(shares)
}

/// Looks until the four partitions of the group's one topic are shared out so: members and how many each has.
pub(super) async fn until_shared(kafka: SocketAddr, group: &str, wanted: &[(&str, usize)]) {
    let wanted = wanted.iter().map(|(member, count)| ((*member).to_owned(), *count)).collect();
    let look = async {
        while settled(&described(kafka, group).await, 4).as_ref() != Some(&wanted) {
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(DEADLINE, look).await.is_err() {
        panic!("{group} is never shared out as {wanted:?}: {:?}", described(kafka, group).await);
    }
}

/// What the group has committed of its one topic, by partition.
pub(super) async fn committed(kafka: SocketAddr, group: &str) -> BTreeMap<i32, i64> {
    let request = OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(None);
    let answer = ask(kafka, &request, OFFSET_FETCH_VERSION).await;
    let partitions = answer.topics.into_iter().flat_map(|topic| topic.partitions);
    partitions.map(|place| (place.partition_index, place.committed_offset)).collect()
}
