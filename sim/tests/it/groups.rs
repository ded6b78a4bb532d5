//! Groups over the wire: what the state machine's own tests show in the small, with real waiting.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::messages::GroupId;
use kafka_protocol::protocol::StrBytes;
use sim::Broker;

use crate::wire::Wire;

const JOIN: i16 = 7;
const SYNC: i16 = 5;
const HEARTBEAT: i16 = 4;
const REBALANCE_IN_PROGRESS: i16 = 27;
const FENCED: i16 = 82;

fn group() -> GroupId {
    GroupId(StrBytes::from_static_str("workers"))
}

fn join(member_id: &str, instance_id: &str, session_timeout_ms: i32) -> m::JoinGroupRequest {
    use m::join_group_request::JoinGroupRequestProtocol;
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str("range"))
        .with_metadata(Bytes::from_static(b"orders"));
    m::JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(session_timeout_ms)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(StrBytes::from_string(member_id.to_owned()))
        .with_group_instance_id(Some(StrBytes::from_string(instance_id.to_owned())))
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol])
}

fn sync(
    joined: &m::JoinGroupResponse,
    assign: &[(&StrBytes, &'static str)],
) -> m::SyncGroupRequest {
    use m::sync_group_request::SyncGroupRequestAssignment;
    let assignments = assign.iter().map(|(member_id, assignment)| {
        SyncGroupRequestAssignment::default()
            .with_member_id((*member_id).clone())
            .with_assignment(Bytes::from_static(assignment.as_bytes()))
    });
    m::SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_protocol_type(joined.protocol_type.clone())
        .with_protocol_name(joined.protocol_name.clone())
        .with_assignments(assignments.collect())
}

fn heartbeat(joined: &m::JoinGroupResponse, instance_id: &str) -> m::HeartbeatRequest {
    m::HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_group_instance_id(Some(StrBytes::from_string(instance_id.to_owned())))
}

/// Polls until the heartbeat is answered so: the event it waits for happens by itself.
async fn until_heartbeat(wire: &mut Wire, request: &m::HeartbeatRequest, expected: i16) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while wire.call(HEARTBEAT, request).await.error_code != expected {
        assert!(tokio::time::Instant::now() < deadline, "never answered {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn two_members_a_restart_and_an_end() {
    let broker = Broker::start().unwrap();
    let mut a = Wire::connect(broker.address()).await;
    let mut b = Wire::connect(broker.address()).await;
    let first = a.call(JOIN, &join("", "a", 60_000)).await;
    assert_eq!((first.error_code, first.generation_id), (0, 1));
    a.call(SYNC, &sync(&first, &[(&first.member_id, "all")])).await;

    b.send(JOIN, &join("", "b", 60_000)).await;
    until_heartbeat(&mut a, &heartbeat(&first, "a"), REBALANCE_IN_PROGRESS).await;
    let first = a.call(JOIN, &join(&first.member_id, "a", 60_000)).await;
    let second = b.receive::<m::JoinGroupRequest>(JOIN).await;
    assert_eq!((first.generation_id, second.generation_id), (2, 2));
    assert_eq!(first.leader, first.member_id);
    assert_eq!((first.members.len(), second.members.len()), (2, 0));
    b.send(SYNC, &sync(&second, &[])).await;
    let assign = [(&first.member_id, "half"), (&second.member_id, "rest")];
    assert_eq!(a.call(SYNC, &sync(&first, &assign)).await.assignment, "half");
    assert_eq!(b.receive::<m::SyncGroupRequest>(SYNC).await.assignment, "rest");

    // "b" dies and returns: the same generation, the same assignment, and "a" hears nothing.
    drop(b);
    let mut b = Wire::connect(broker.address()).await;
    let returned = b.call(JOIN, &join("", "b", 60_000)).await;
    assert_eq!((returned.error_code, returned.generation_id), (0, 2));
    assert_ne!(returned.member_id, second.member_id);
    assert_eq!(b.call(SYNC, &sync(&returned, &[])).await.assignment, "rest");
    assert_eq!(a.call(HEARTBEAT, &heartbeat(&first, "a")).await.error_code, 0);
    assert_eq!(b.call(HEARTBEAT, &heartbeat(&second, "b")).await.error_code, FENCED);

    let member = m::leave_group_request::MemberIdentity::default()
        .with_group_instance_id(Some(StrBytes::from_static_str("b")));
    let leave = m::LeaveGroupRequest::default().with_group_id(group()).with_members(vec![member]);
    assert_eq!(b.call(4, &leave).await.members[0].error_code, 0);
    let beat = a.call(HEARTBEAT, &heartbeat(&first, "a")).await;
    assert_eq!(beat.error_code, REBALANCE_IN_PROGRESS);
}

#[tokio::test]
async fn a_member_that_goes_silent_loses_its_place() {
    let broker = Broker::start().unwrap();
    let mut a = Wire::connect(broker.address()).await;
    let mut b = Wire::connect(broker.address()).await;
    let silent = a.call(JOIN, &join("", "a", 50)).await;
    a.call(SYNC, &sync(&silent, &[])).await;
    // The group waits for "a" to join again, and then no longer.
    let second = b.call(JOIN, &join("", "b", 60_000)).await;
    assert_eq!((second.error_code, second.members.len()), (0, 1));
    let beat = a.call(HEARTBEAT, &heartbeat(&silent, "a")).await;
    assert_eq!(beat.error_code, 25);
}
