//! Group requests as frames, and frames as answers. Every version used is served by Kafka 4 and is one
//! before the flexible encodings, whose only gain would be tags that we have no use for.

use std::collections::BTreeMap;

use anyhow::ensure;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use contract::topics::Topic;
use kafka_protocol::messages::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition,
};
use kafka_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use kafka_protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic};
use kafka_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use kafka_protocol::messages::{
    ConsumerProtocolSubscription, FindCoordinatorRequest, HeartbeatRequest, RequestHeader,
    TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};

use super::assignor::Share;

/// The protocol type and name under which members of all Kafka clients share partitions.
const PROTOCOL_TYPE: &str = "consumer";
const PROTOCOL_NAME: &str = "range";

/// Version of the subscription and assignment encodings inside join and sync requests.
const EMBEDDED_VERSION: i16 = 0;

/// Keys of FindCoordinator that name groups.
const GROUP_KEY: i8 = 0;

/// A request that group members send, in the version that we speak.
pub(crate) trait Spoken: Request {
    const VERSION: i16;
}

impl Spoken for FindCoordinatorRequest {
    const VERSION: i16 = 2;
}
impl Spoken for JoinGroupRequest {
    const VERSION: i16 = 5;
}
impl Spoken for SyncGroupRequest {
    const VERSION: i16 = 3;
}
impl Spoken for HeartbeatRequest {
    const VERSION: i16 = 3;
}
impl Spoken for LeaveGroupRequest {
    const VERSION: i16 = 3;
}
impl Spoken for OffsetCommitRequest {
    const VERSION: i16 = 7;
}
impl Spoken for OffsetFetchRequest {
    const VERSION: i16 = 5;
}

/// `request` with its header.
pub(crate) fn encode<R: Spoken>(
    request: &R,
    correlation_id: i32,
    client_id: &str,
) -> anyhow::Result<Bytes> {
    let mut frame = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(R::VERSION)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(text(client_id)))
        .encode(&mut frame, R::header_version(R::VERSION))?;
    request.encode(&mut frame, R::VERSION)?;
    Ok(frame.freeze())
}

/// The answer to a request of type `R`.
///
/// # Errors
/// When the frame is cut short or answers another request.
pub(crate) fn decode<R: Spoken>(
    mut frame: Bytes,
    correlation_id: i32,
) -> anyhow::Result<R::Response> {
    ensure!(frame.remaining() >= 4, "an answer of {} bytes", frame.remaining());
    let answered = frame.get_i32();
    ensure!(answered == correlation_id, "an answer to {answered} instead of {correlation_id}");
    R::Response::decode(&mut frame, R::VERSION)
}

/// Who a member is, as the coordinator knows it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) group: StrBytes,
    pub(crate) instance: StrBytes,
    pub(crate) member_id: StrBytes,
    pub(crate) generation: i32,
}

impl Identity {
    pub(crate) fn find_coordinator(&self) -> FindCoordinatorRequest {
        FindCoordinatorRequest::default().with_key(self.group.clone()).with_key_type(GROUP_KEY)
    }

    pub(crate) fn join(
        &self,
        topics: &[Topic],
        session_timeout_ms: i32,
        rebalance_timeout_ms: i32,
    ) -> anyhow::Result<JoinGroupRequest> {
        let topics = topics.iter().map(|topic| StrBytes::from_static_str(topic.name())).collect();
        let subscription = ConsumerProtocolSubscription::default().with_topics(topics);
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str(PROTOCOL_NAME))
            .with_metadata(embed(&subscription)?);
        Ok(JoinGroupRequest::default()
            .with_group_id(self.group.clone().into())
            .with_session_timeout_ms(session_timeout_ms)
            .with_rebalance_timeout_ms(rebalance_timeout_ms)
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(Some(self.instance.clone()))
            .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
            .with_protocols(vec![protocol]))
    }

    /// `shares` come from the leader; other members send none.
    pub(crate) fn sync(&self, shares: &[(StrBytes, Share)]) -> anyhow::Result<SyncGroupRequest> {
        let assignments = shares.iter().map(|(member_id, share)| {
            Ok(SyncGroupRequestAssignment::default()
                .with_member_id(member_id.clone())
                .with_assignment(embed(&to_assignment(share))?))
        });
        Ok(SyncGroupRequest::default()
            .with_group_id(self.group.clone().into())
            .with_generation_id(self.generation)
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(Some(self.instance.clone()))
            .with_assignments(assignments.collect::<anyhow::Result<_>>()?))
    }

    pub(crate) fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest::default()
            .with_group_id(self.group.clone().into())
            .with_generation_id(self.generation)
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(Some(self.instance.clone()))
    }

    pub(crate) fn leave(&self) -> LeaveGroupRequest {
        let member = MemberIdentity::default()
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(Some(self.instance.clone()));
        LeaveGroupRequest::default()
            .with_group_id(self.group.clone().into())
            .with_members(vec![member])
    }

    pub(crate) fn commit(&self, offsets: &BTreeMap<(Topic, i32), i64>) -> OffsetCommitRequest {
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        for ((topic, partition), offset) in offsets {
            let name = topic_name(*topic);
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(*partition)
                .with_committed_offset(*offset)
                .with_committed_metadata(Some(StrBytes::new()));
            match topics.last_mut() {
                Some(last) if last.name == name => last.partitions.push(partition),
                _ => topics.push(
                    OffsetCommitRequestTopic::default()
                        .with_name(name)
                        .with_partitions(vec![partition]),
                ),
            }
        }
        OffsetCommitRequest::default()
            .with_group_id(self.group.clone().into())
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(Some(self.instance.clone()))
            .with_topics(topics)
    }

    pub(crate) fn fetch_offsets(&self, share: &Share) -> OffsetFetchRequest {
        let topic = |(topic, partitions): (&Topic, &Vec<i32>)| {
            OffsetFetchRequestTopic::default()
                .with_name(topic_name(*topic))
                .with_partition_indexes(partitions.clone())
        };
        OffsetFetchRequest::default()
            .with_group_id(self.group.clone().into())
            .with_topics(Some(share.partitions.iter().map(topic).collect()))
    }
}

/// What the coordinator handed to a member in a sync answer. Topics that are not ours are left out.
pub(crate) fn from_assignment(mut bytes: Bytes) -> anyhow::Result<Share> {
    if bytes.is_empty() {
        return Ok(Share::default());
    }
    ensure!(bytes.remaining() >= 2, "an assignment of {} bytes", bytes.remaining());
    let version = bytes.get_i16();
    let assignment = ConsumerProtocolAssignment::decode(&mut bytes, version.min(1))?;
    let partitions = assignment.assigned_partitions.into_iter().filter_map(|assigned| {
        let topic = Topic::ALL.into_iter().find(|topic| topic.name() == assigned.topic.as_str())?;
        Some((topic, assigned.partitions))
    });
    let holder = assignment.user_data.filter(|data| !data.is_empty());
    Ok(Share {
        partitions: partitions.collect(),
        holder: holder.map(|data| String::from_utf8_lossy(&data).into_owned()),
    })
}

fn to_assignment(share: &Share) -> ConsumerProtocolAssignment {
    let assigned = |(topic, partitions): (&Topic, &Vec<i32>)| {
        TopicPartition::default().with_topic(topic_name(*topic)).with_partitions(partitions.clone())
    };
    ConsumerProtocolAssignment::default()
        .with_assigned_partitions(share.partitions.iter().map(assigned).collect())
        .with_user_data(share.holder.clone().map(Bytes::from))
}

/// A version number and then the message, as consumers put them into group requests.
fn embed(message: &impl Encodable) -> anyhow::Result<Bytes> {
    let mut bytes = BytesMut::new();
    bytes.put_i16(EMBEDDED_VERSION);
    message.encode(&mut bytes, EMBEDDED_VERSION)?;
    Ok(bytes.freeze())
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(topic: Topic) -> TopicName {
    TopicName(StrBytes::from_static_str(topic.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_survives_its_encoding() {
        let share = Share {
            partitions: [(Topic::Orders, vec![0, 2]), (Topic::Payment, vec![0, 2])].into(),
            holder: Some("inventory-1".into()),
        };
        assert_eq!(from_assignment(embed(&to_assignment(&share)).unwrap()).unwrap(), share);
        assert_eq!(from_assignment(Bytes::new()).unwrap(), Share::default());
        assert!(from_assignment(Bytes::from_static(&[0])).is_err());
    }

    #[test]
    fn an_answer_to_another_request_is_refused() {
        let frame = Bytes::from_static(&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0]);
        assert!(decode::<HeartbeatRequest>(frame.clone(), 8).is_err());
        assert!(decode::<HeartbeatRequest>(frame.slice(..3), 7).is_err());
        assert_eq!(decode::<HeartbeatRequest>(frame, 7).unwrap().error_code, 0);
    }
}
