//! Groups: who may commit, join, leave and be deleted.

use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::create_topics_request::CreatableTopic;

use super::Transcript;
use super::admin::{create, is_there, named, text};

fn id(group: &str) -> GroupId {
    GroupId(text(group))
}

async fn commit(
    told: &mut Transcript,
    version: i16,
    group: &str,
    member: &str,
    generation: i32,
    note: usize,
) {
    use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(7)
            .with_committed_metadata(Some(text(&"x".repeat(note))))
    };
    let topic = told.name("committed");
    let committed = OffsetCommitRequestTopic::default()
        .with_name(named(&topic))
        .with_partitions(vec![partition(0), partition(9)]);
    let request = m::OffsetCommitRequest::default()
        .with_group_id(id(group))
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![committed]);
    let response = told.wire.call(version, &request).await;
    let mut codes: Vec<_> = response.topics[0]
        .partitions
        .iter()
        .map(|one| (one.partition_index, one.error_code))
        .collect();
    codes.sort_unstable();
    let group = group.split('-').next().unwrap_or_default().to_owned();
    let member = if member.is_empty() { "nobody" } else { "somebody" };
    told.note(&format!("commit {version} {group} {member} {generation} {note}"), codes);
}

async fn delete_offset(told: &mut Transcript, group: &str) {
    use m::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
    let topic = told.name("committed");
    let partition = |index| OffsetDeleteRequestPartition::default().with_partition_index(index);
    let wanted = OffsetDeleteRequestTopic::default()
        .with_name(named(&topic))
        .with_partitions(vec![partition(0), partition(1), partition(9)]);
    let request =
        m::OffsetDeleteRequest::default().with_group_id(id(group)).with_topics(vec![wanted]);
    let response = told.wire.call(0, &request).await;
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let mut codes: Vec<_> = partitions.map(|one| (one.partition_index, one.error_code)).collect();
    codes.sort_unstable();
    told.note("delete offsets", (response.error_code, codes));
}

async fn delete_groups(told: &mut Transcript, groups: &[&str]) {
    let ids = groups.iter().map(|group| id(group)).collect();
    let request = m::DeleteGroupsRequest::default().with_groups_names(ids);
    let response = told.wire.call(2, &request).await;
    let mut codes: Vec<_> =
        response.results.iter().map(|one| (one.group_id.to_string(), one.error_code)).collect();
    codes.sort();
    told.note("delete groups", codes);
}

async fn describe(told: &mut Transcript, version: i16, group: &str) {
    let request = m::DescribeGroupsRequest::default()
        .with_groups(vec![id(group)])
        .with_include_authorized_operations(true);
    let response = told.wire.call(version, &request).await;
    let one = &response.groups[0];
    let members: Vec<_> = one
        .members
        .iter()
        .map(|member| {
            (
                member.client_id.clone(),
                member.client_host.clone(),
                member.group_instance_id.clone(),
                member.member_metadata.clone(),
                member.member_assignment.clone(),
            )
        })
        .collect();
    told.note(
        "describe group",
        (
            one.error_code,
            one.error_message.is_some(),
            one.group_state.clone(),
            one.protocol_type.clone(),
            one.protocol_data.clone(),
            one.authorized_operations,
            members,
        ),
    );
}

pub(super) async fn coordinator_is_there(told: &mut Transcript) {
    // A fresh Kafka first has to make the topic of its offsets.
    let request = m::FindCoordinatorRequest::default().with_key(text("any")).with_key_type(0);
    while told.wire.call(3, &request).await.error_code != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let describe = m::DescribeGroupsRequest::default().with_groups(vec![id("any")]);
    while told.wire.call(5, &describe).await.groups[0].error_code != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

pub(super) async fn commits(told: &mut Transcript) {
    coordinator_is_there(told).await;
    let topic = told.name("committed");
    let made = CreatableTopic::default()
        .with_name(named(&topic))
        .with_num_partitions(2)
        .with_replication_factor(1);
    create(told, vec![made], false).await;
    is_there(told, &topic, 2).await;
    let simple = told.name("simple");
    let other = told.name("other");
    commit(told, 8, &simple, "", -1, 5).await;
    commit(told, 8, &simple, "", -1, 4_096).await;
    commit(told, 8, &simple, "", -1, 4_097).await;
    commit(told, 8, &simple, "somebody", 1, 5).await;
    commit(told, 8, &simple, "", 3, 5).await;
    commit(told, 8, &other, "somebody", 1, 5).await;
    commit(told, 9, &other, "somebody", 1, 5).await;
    commit(told, 8, "", "", -1, 5).await;
    describe(told, 5, &simple).await;
    describe(told, 6, &other).await;
    describe(told, 5, &other).await;
    use m::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
    let wanted = OffsetFetchRequestTopics::default()
        .with_name(named(&topic))
        .with_partition_indexes(vec![0, 1, 9]);
    for (group, topics) in [
        (&simple, Some(vec![wanted.clone()])),
        (&simple, None),
        (&other, Some(vec![wanted])),
        (&other, None),
    ] {
        let group = OffsetFetchRequestGroup::default().with_group_id(id(group)).with_topics(topics);
        let response =
            told.wire.call(8, &m::OffsetFetchRequest::default().with_groups(vec![group])).await;
        let one = &response.groups[0];
        let offsets: Vec<_> = one
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|one| {
                (
                    one.partition_index,
                    one.committed_offset,
                    one.committed_leader_epoch,
                    one.metadata.as_ref().map(|note| note.len()),
                    one.error_code,
                )
            })
            .collect();
        told.note("fetch offsets", (one.error_code, offsets));
    }
    delete_offset(told, &other).await;
    delete_offset(told, "").await;
    delete_offset(told, &simple).await;
    delete_offset(told, &simple).await;
    delete_groups(told, &[&simple, &other, ""]).await;
    delete_groups(told, &[&simple]).await;
}

fn join(
    group: &str,
    member: &str,
    instance: Option<&str>,
    session_timeout_ms: i32,
) -> m::JoinGroupRequest {
    use m::join_group_request::JoinGroupRequestProtocol;
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"\0\x01\0\0\0\x01\0\x06orders\0\0\0\0\0\0\0\0"));
    m::JoinGroupRequest::default()
        .with_group_id(id(group))
        .with_session_timeout_ms(session_timeout_ms)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(text(member))
        .with_group_instance_id(instance.map(text))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

async fn joins(
    told: &mut Transcript,
    what: &str,
    version: i16,
    request: &m::JoinGroupRequest,
) -> m::JoinGroupResponse {
    let response = told.wire.call(version, request).await;
    told.note(
        &format!("join {what}"),
        (
            response.error_code,
            response.generation_id,
            response.protocol_type.clone(),
            response.protocol_name.clone(),
            response.leader.is_empty(),
            response.member_id.is_empty(),
            response.members.len(),
            response.skip_assignment,
        ),
    );
    response
}

async fn beats(
    told: &mut Transcript,
    group: &str,
    member: &str,
    generation: i32,
    instance: Option<&str>,
) {
    let request = m::HeartbeatRequest::default()
        .with_group_id(id(group))
        .with_member_id(text(member))
        .with_generation_id(generation)
        .with_group_instance_id(instance.map(text));
    let response = told.wire.call(4, &request).await;
    told.note("heartbeat", response.error_code);
}

async fn leaves(told: &mut Transcript, group: &str, members: &[(&str, Option<&str>)]) {
    let members = members.iter().map(|(member, instance)| {
        m::leave_group_request::MemberIdentity::default()
            .with_member_id(text(member))
            .with_group_instance_id(instance.map(text))
            .with_reason(Some(text("a test")))
    });
    let request =
        m::LeaveGroupRequest::default().with_group_id(id(group)).with_members(members.collect());
    let response = told.wire.call(5, &request).await;
    let codes: Vec<_> = response.members.iter().map(|one| one.error_code).collect();
    told.note("leave", (response.error_code, codes));
}

async fn syncs(told: &mut Transcript, group: &str, member: &str, generation: i32, protocol: &str) {
    use m::sync_group_request::SyncGroupRequestAssignment;
    let assigned = SyncGroupRequestAssignment::default()
        .with_member_id(text(member))
        .with_assignment(Bytes::from_static(b"all"));
    let request = m::SyncGroupRequest::default()
        .with_group_id(id(group))
        .with_member_id(text(member))
        .with_generation_id(generation)
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text(protocol)))
        .with_assignments(vec![assigned]);
    let response = told.wire.call(5, &request).await;
    told.note(
        "sync",
        (response.error_code, response.protocol_type, response.protocol_name, response.assignment),
    );
}

pub(super) async fn members(told: &mut Transcript) {
    let group = told.name("members");
    joins(told, "no name", 7, &join("", "", None, 30_000)).await;
    joins(told, "short", 7, &join(&group, "", None, 10)).await;
    joins(told, "long", 7, &join(&group, "", None, 1_900_000)).await;
    joins(told, "unknown", 7, &join(&group, "unknown", None, 30_000)).await;
    let none = join(&group, "", None, 30_000).with_protocols(Vec::new());
    joins(told, "no protocols", 7, &none).await;
    let promised = joins(told, "new", 5, &join(&group, "", None, 30_000)).await;
    let first = joins(told, "promised", 5, &join(&group, &promised.member_id, None, 30_000)).await;
    let member = first.member_id.to_string();
    commit(told, 8, &group, &member, 1, 5).await;
    beats(told, &group, &member, 1, None).await;
    syncs(told, &group, &member, 1, "roundrobin").await;
    syncs(told, &group, &member, 9, "range").await;
    syncs(told, &group, "unknown", 1, "range").await;
    syncs(told, &group, &member, 1, "range").await;
    syncs(told, "", &member, 1, "range").await;
    describe(told, 5, &group).await;
    for (who, generation, instance) in [
        (member.as_str(), 1, None),
        (&member, 2, None),
        ("unknown", 1, None),
        (&member, 1, Some("other")),
    ] {
        beats(told, &group, who, generation, instance).await;
        commit(told, 8, &group, who, generation, 5).await;
    }
    beats(told, "", &member, 1, None).await;
    let missing = told.name("missing");
    beats(told, &missing, &member, 1, None).await;
    commit(told, 8, &group, "", -1, 5).await;
    commit(told, 8, &group, &member, -1, 5).await;
    delete_groups(told, &[&group]).await;
    delete_offset(told, &group).await;
    let filtered = |states: &[&str], types: &[&str]| {
        let texts = |words: &[&str]| words.iter().map(|word| text(word)).collect::<Vec<_>>();
        m::ListGroupsRequest::default()
            .with_states_filter(texts(states))
            .with_types_filter(texts(types))
    };
    for (states, types) in [
        (&[][..], &[][..]),
        (&["stable"], &[]),
        (&["Stable"], &["classic"]),
        (&["Stable"], &["Classic"]),
        (&["Empty"], &[]),
        (&[], &["consumer"]),
        (&["Odd"], &[]),
    ] {
        let response = told.wire.call(5, &filtered(states, types)).await;
        let found = response.groups.iter().find(|one| *one.group_id == id(&group).0);
        let found = found.map(|one| {
            (one.protocol_type.clone(), one.group_state.clone(), one.group_type.clone())
        });
        told.note(&format!("list {states:?} {types:?}"), (response.error_code, found));
    }
    joins(
        told,
        "other protocol",
        5,
        &join(&group, "", Some("odd"), 30_000).with_protocol_type(text("connect")),
    )
    .await;
    leaves(told, &missing, &[("x", None)]).await;
    leaves(told, "", &[("x", None)]).await;
    leaves(told, &group, &[("x", None), ("", Some("nobody")), (&member, None)]).await;
    describe(told, 5, &group).await;
    commit(told, 8, &group, &member, 1, 5).await;
    commit(told, 8, &group, "", -1, 5).await;
    let fixed = joins(told, "static", 5, &join(&group, "", Some("one"), 30_000)).await;
    let generation = fixed.generation_id;
    syncs(told, &group, &fixed.member_id, generation, "range").await;
    let again = joins(told, "static again", 9, &join(&group, "", Some("one"), 30_000)).await;
    beats(told, &group, &fixed.member_id, generation, Some("one")).await;
    joins(told, "static past", 5, &join(&group, &fixed.member_id, Some("one"), 30_000)).await;
    joins(told, "static unknown", 5, &join(&group, "x", Some("two"), 30_000)).await;
    leaves(told, &group, &[(&fixed.member_id, Some("one"))]).await;
    beats(told, &group, &again.member_id, again.generation_id, Some("one")).await;
    describe(told, 5, &group).await;
    leaves(told, &group, &[("", Some("one"))]).await;
    delete_offset(told, &group).await;
    delete_groups(told, &[&group]).await;
    let old = told.name("old");
    let request = join(&old, "", None, 30_000).with_rebalance_timeout_ms(60_000);
    let joined = joins(told, "version 1", 1, &request).await;
    let leave =
        m::LeaveGroupRequest::default().with_group_id(id(&old)).with_member_id(joined.member_id);
    let response = told.wire.call(0, &leave).await;
    told.note("leave 0", response.error_code);
}
