use bytes::{BufMut, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequest;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::LeaveGroupRequest;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequest;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequest;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequest;
use kafka_protocol::messages::{
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupResponse, LeaveGroupResponse, OffsetCommitResponse, OffsetFetchResponse,
    SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::{Encodable, Request};

use super::*;

const START: Duration = Duration::from_secs(100);

/// A member and the coordinator's side of its connection.
struct Table {
    member: Member,
    now: Duration,
}

impl Table {
    fn set() -> Self {
        let member = Member::new(GroupSettings {
            group: "payment-service".into(),
            instance: "payment-1".into(),
            topics: vec![Topic::Inventory],
            partitions: 2,
            sharing: Sharing::Range,
            session: Duration::from_secs(10),
        });
        Self { member, now: START }
    }

    fn next(&mut self) -> Action {
        self.member.next(self.now).unwrap()
    }

    /// Expects a request of type `R` and hands it over.
    fn asked<R: wire::Spoken>(&mut self) -> R {
        let Action::Call { frame, .. } = self.next() else { panic!("no request") };
        assert_eq!(i16::from_be_bytes([frame[0], frame[1]]), R::KEY);
        let client_id = usize::from(u16::from_be_bytes([frame[8], frame[9]]));
        R::decode(&mut frame.slice(10 + client_id..), R::VERSION).unwrap()
    }

    fn answer<R: wire::Spoken>(&mut self, response: &<R as Request>::Response) {
        let mut frame = BytesMut::new();
        frame.put_i32(self.member.correlation_id);
        response.encode(&mut frame, R::VERSION).unwrap();
        self.member.answered(frame.freeze(), self.now).unwrap();
    }

    fn reach_coordinator(&mut self) {
        assert_eq!(self.next(), Action::Connect(None));
        self.member.connected();
        assert_eq!(&*self.asked::<FindCoordinatorRequest>().key, "payment-service");
        let found = FindCoordinatorResponse::default()
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(9092);
        self.answer::<FindCoordinatorRequest>(&found);
        assert_eq!(self.next(), Action::Connect(Some("127.0.0.1:9092".into())));
        self.member.connected();
    }

    /// Joins as the leader of a group of one.
    fn join(&mut self, generation: i32) {
        let request = self.asked::<JoinGroupRequest>();
        assert_eq!(request.group_instance_id.as_deref(), Some("payment-1"));
        let id = StrBytes::from_static_str("payment-1-abc");
        let member = JoinGroupResponseMember::default()
            .with_member_id(id.clone())
            .with_group_instance_id(Some(StrBytes::from_static_str("payment-1")));
        let joined = JoinGroupResponse::default()
            .with_generation_id(generation)
            .with_protocol_name(Some(StrBytes::from_static_str("range")))
            .with_leader(id.clone())
            .with_member_id(id)
            .with_members(vec![member]);
        self.answer::<JoinGroupRequest>(&joined);

        let sync = self.asked::<SyncGroupRequest>();
        assert_eq!(sync.generation_id, generation);
        let assignment = sync.assignments[0].assignment.clone();
        self.answer::<SyncGroupRequest>(&SyncGroupResponse::default().with_assignment(assignment));
        self.asked::<OffsetFetchRequest>();
        let partition = |index, offset| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
        };
        let topic = OffsetFetchResponseTopic::default()
            .with_name(TopicName(StrBytes::from_static_str("inventory")))
            .with_partitions(vec![partition(0, 17), partition(1, -1)]);
        self.answer::<OffsetFetchRequest>(&OffsetFetchResponse::default().with_topics(vec![topic]));
        let share = Share { partitions: [(Topic::Inventory, vec![0, 1])].into(), holder: None };
        let committed = [((Topic::Inventory, 0), 17)].into();
        assert_eq!(self.next(), Action::Tell(Event::Assigned { share, committed }));
    }

    fn stable() -> Self {
        let mut table = Self::set();
        table.reach_coordinator();
        table.join(1);
        table
    }

    fn heartbeat(&mut self, error: Option<ResponseError>) {
        self.now += HEARTBEAT_INTERVAL;
        self.asked::<HeartbeatRequest>();
        let code = error.map_or(0, |error| error.code());
        self.answer::<HeartbeatRequest>(&HeartbeatResponse::default().with_error_code(code));
    }

    fn refuse_commit(&mut self, error: ResponseError) {
        self.asked::<OffsetCommitRequest>();
        let partition = OffsetCommitResponsePartition::default().with_error_code(error.code());
        let topic = OffsetCommitResponseTopic::default().with_partitions(vec![partition]);
        self.answer::<OffsetCommitRequest>(
            &OffsetCommitResponse::default().with_topics(vec![topic]),
        );
    }

    fn committed(&mut self, offset: i64) {
        let request = self.asked::<OffsetCommitRequest>();
        assert_eq!(request.topics[0].partitions[0].committed_offset, offset);
        let partition = OffsetCommitResponsePartition::default();
        let topic = OffsetCommitResponseTopic::default().with_partitions(vec![partition]);
        self.answer::<OffsetCommitRequest>(
            &OffsetCommitResponse::default().with_topics(vec![topic]),
        );
    }
}

fn offsets(offset: i64) -> Offsets {
    [((Topic::Inventory, 0), offset)].into()
}

#[test]
fn a_member_commits_between_its_heartbeats() {
    let mut table = Table::stable();
    assert_eq!(table.next(), Action::Wait(HEARTBEAT_INTERVAL));
    table.member.command(Command::Commit(offsets(18)));
    table.member.command(Command::Commit(offsets(20)));
    table.committed(20);
    table.heartbeat(None);
    assert_eq!(table.next(), Action::Wait(HEARTBEAT_INTERVAL));
}

#[test]
fn a_rebalance_waits_until_the_service_has_drained_and_committed() {
    let mut table = Table::stable();
    table.heartbeat(Some(ResponseError::RebalanceInProgress));
    assert_eq!(table.next(), Action::Tell(Event::Revoked));
    assert!(matches!(table.next(), Action::Wait(_)));
    table.member.command(Command::Drained(offsets(21)));
    table.committed(21);
    table.join(2);
}

#[test]
fn leaving_commits_first_and_names_the_instance() {
    let mut table = Table::stable();
    table.member.command(Command::Leave(offsets(30)));
    table.committed(30);
    let request = table.asked::<LeaveGroupRequest>();
    assert_eq!(request.members[0].group_instance_id.as_deref(), Some("payment-1"));
    table.answer::<LeaveGroupRequest>(&LeaveGroupResponse::default());
    assert_eq!(table.next(), Action::End);
}

#[test]
fn a_broken_connection_is_made_again_and_nothing_else_changes() {
    let mut table = Table::stable();
    table.member.command(Command::Commit(offsets(18)));
    table.asked::<OffsetCommitRequest>();
    table.member.broken(table.now);
    assert_eq!(table.next(), Action::Wait(RETRY_PAUSE));
    table.now += RETRY_PAUSE;
    table.reach_coordinator();
    table.committed(18);
    table.heartbeat(None);
}

#[test]
fn a_member_that_the_coordinator_forgot_joins_anew() {
    let mut table = Table::stable();
    table.heartbeat(Some(ResponseError::UnknownMemberId));
    assert_eq!(table.next(), Action::Tell(Event::Lost));
    table.join(5);
}

#[test]
fn whose_place_was_taken_ends() {
    let mut table = Table::stable();
    table.heartbeat(Some(ResponseError::FencedInstanceId));
    let Action::Tell(Event::Failed(reason)) = table.next() else { panic!("goes on") };
    assert!(reason.contains("payment-1"), "{reason}");
    assert_eq!(table.next(), Action::End);
}

/// Joins again, without having been told of anything.
fn comes_back(mut table: Table) {
    assert_eq!(table.next(), Action::Wait(RETRY_PAUSE));
    table.now += RETRY_PAUSE;
    table.join(9);
}

#[test]
fn every_refusal_of_a_heartbeat_has_its_answer() {
    use ResponseError as E;
    for error in [E::UnknownMemberId, E::IllegalGeneration] {
        let mut table = Table::stable();
        table.heartbeat(Some(error));
        assert_eq!(table.next(), Action::Tell(Event::Lost), "{error:?}");
        assert_eq!(table.member.confirmed_at(), None, "{error:?}");
        table.join(2);
        assert!(table.member.confirmed_at().is_some());
    }
    for error in [E::NotCoordinator, E::CoordinatorNotAvailable] {
        let mut table = Table::stable();
        table.heartbeat(Some(error));
        assert_eq!(table.next(), Action::Wait(RETRY_PAUSE), "{error:?}");
        table.now += RETRY_PAUSE;
        table.reach_coordinator();
        table.heartbeat(None);
    }
    let mut table = Table::stable();
    table.heartbeat(Some(E::CoordinatorLoadInProgress));
    assert_eq!(table.next(), Action::Wait(RETRY_PAUSE));
    table.heartbeat(None);
    for error in [E::FencedInstanceId, E::GroupAuthorizationFailed] {
        let mut table = Table::stable();
        table.heartbeat(Some(error));
        assert!(matches!(table.next(), Action::Tell(Event::Failed(_))), "{error:?}");
        assert_eq!(table.member.confirmed_at(), None, "{error:?}");
    }
}

#[test]
fn every_refusal_of_a_commit_has_its_answer() {
    use ResponseError as E;
    let refused = |error: E| {
        let mut table = Table::stable();
        table.member.command(Command::Commit(offsets(18)));
        table.refuse_commit(error);
        table
    };
    for error in [E::UnknownMemberId, E::IllegalGeneration] {
        let mut table = refused(error);
        assert_eq!(table.next(), Action::Tell(Event::Lost), "{error:?}");
        table.join(2);
        assert_eq!(
            table.next(),
            Action::Wait(HEARTBEAT_INTERVAL),
            "what was lost is not committed"
        );
    }
    for error in [E::NotCoordinator, E::CoordinatorNotAvailable] {
        let mut table = refused(error);
        assert_eq!(table.next(), Action::Wait(RETRY_PAUSE), "{error:?}");
        table.now += RETRY_PAUSE;
        table.reach_coordinator();
        table.committed(18);
    }
    let mut table = refused(E::RebalanceInProgress);
    assert_eq!(table.next(), Action::Tell(Event::Revoked));
    let mut table = refused(E::FencedInstanceId);
    assert!(matches!(table.next(), Action::Tell(Event::Failed(_))));
}

#[test]
fn a_commit_that_the_coordinator_cannot_take_now_is_told_again_between_heartbeats() {
    let mut table = Table::stable();
    table.member.command(Command::Commit(offsets(18)));
    table.refuse_commit(ResponseError::CoordinatorLoadInProgress);
    assert_eq!(table.next(), Action::Wait(RETRY_PAUSE));
    table.member.command(Command::Commit(offsets(19)));
    table.now += RETRY_PAUSE;
    table.refuse_commit(ResponseError::CoordinatorLoadInProgress);
    table.member.commit_at = table.now + HEARTBEAT_INTERVAL * 2;
    table.heartbeat(None);
    table.now += HEARTBEAT_INTERVAL * 2;
    table.committed(19);
}

#[test]
fn a_drained_member_joins_only_when_its_offsets_are_committed() {
    let mut table = Table::stable();
    table.heartbeat(Some(ResponseError::RebalanceInProgress));
    assert_eq!(table.next(), Action::Tell(Event::Revoked));
    table.member.command(Command::Drained(offsets(21)));
    table.refuse_commit(ResponseError::CoordinatorLoadInProgress);
    assert_eq!(table.next(), Action::Wait(RETRY_PAUSE));
    table.now += RETRY_PAUSE;
    table.committed(21);
    table.join(2);
}

#[test]
fn offsets_of_partitions_that_were_lost_while_draining_are_dropped() {
    let mut table = Table::stable();
    table.heartbeat(Some(ResponseError::RebalanceInProgress));
    assert_eq!(table.next(), Action::Tell(Event::Revoked));
    // It takes too long: the coordinator gives it up, and it learns so by its next commit.
    table.member.command(Command::Commit(offsets(20)));
    table.refuse_commit(ResponseError::UnknownMemberId);
    assert_eq!(table.next(), Action::Tell(Event::Lost));
    table.member.command(Command::Drained(offsets(21)));
    table.join(3);
    assert_eq!(table.next(), Action::Wait(HEARTBEAT_INTERVAL));
}

#[test]
fn every_refusal_of_a_join_or_a_sync_has_its_answer() {
    use ResponseError as E;
    for error in [
        E::UnknownMemberId,
        E::IllegalGeneration,
        E::RebalanceInProgress,
        E::CoordinatorLoadInProgress,
    ] {
        let mut table = Table::set();
        table.reach_coordinator();
        table.asked::<JoinGroupRequest>();
        let refusal = JoinGroupResponse::default().with_error_code(error.code());
        table.answer::<JoinGroupRequest>(&refusal);
        comes_back(table);
    }
    for error in [E::UnknownMemberId, E::IllegalGeneration, E::RebalanceInProgress] {
        let mut table = Table::set();
        table.reach_coordinator();
        table.asked::<JoinGroupRequest>();
        let id = StrBytes::from_static_str("payment-1-abc");
        let joined = JoinGroupResponse::default().with_generation_id(1).with_member_id(id);
        table.answer::<JoinGroupRequest>(&joined);
        table.asked::<SyncGroupRequest>();
        let refusal = SyncGroupResponse::default().with_error_code(error.code());
        table.answer::<SyncGroupRequest>(&refusal);
        comes_back(table);
    }
    for error in [E::FencedInstanceId, E::InconsistentGroupProtocol, E::InvalidSessionTimeout] {
        let mut table = Table::set();
        table.reach_coordinator();
        table.asked::<JoinGroupRequest>();
        let refusal = JoinGroupResponse::default().with_error_code(error.code());
        table.answer::<JoinGroupRequest>(&refusal);
        assert!(matches!(table.next(), Action::Tell(Event::Failed(_))), "{error:?}");
    }
}

#[test]
fn a_member_is_confirmed_as_of_when_it_asked() {
    let mut table = Table::stable();
    assert_eq!(table.member.confirmed_at(), Some(START));
    table.now += HEARTBEAT_INTERVAL;
    table.asked::<HeartbeatRequest>();
    let asked = table.now;
    table.now += Duration::from_secs(2);
    table.answer::<HeartbeatRequest>(&HeartbeatResponse::default());
    assert_eq!(
        table.member.confirmed_at(),
        Some(asked),
        "the answer may have been long on its way"
    );
    table.heartbeat(Some(ResponseError::RebalanceInProgress));
    assert!(table.member.confirmed_at() > Some(asked), "a member until it joins again");
}
