//! Every version of every API that the broker advertises is asked once, with a request that has
//! something in every array, and its response is read to the last byte.

use std::collections::BTreeMap;

use kafka_protocol::messages as m;
use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use sim::{Broker, Options};
use uuid::Uuid;

use crate::wire::{Wire, batch};

mod admin;

/// Versions that were asked, by API key.
struct Asker {
    advertised: BTreeMap<i16, (i16, i16)>,
    asked: Vec<i16>,
    wire: Wire,
}

impl Asker {
    async fn ask<R: Request>(&mut self, request: impl Fn(i16) -> R) -> Vec<R::Response> {
        let (min, max) = self.advertised[&R::KEY];
        self.asked.push(R::KEY);
        let mut responses = Vec::new();
        // Produce is advertised from 0 and served from 3.
        for version in if R::KEY == m::ProduceRequest::KEY { 3 } else { min }..=max {
            // Printed when the test fails: a request that is not answered ends the connection.
            println!("API {} version {version}", R::KEY);
            responses.push(self.wire.call(version, &request(version)).await);
        }
        responses
    }
}

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn group() -> GroupId {
    GroupId(StrBytes::from_static_str("readers"))
}

#[tokio::test]
async fn every_advertised_version_is_served() {
    let broker = Broker::start(Options::default()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    let versions = wire.call(0, &m::ApiVersionsRequest::default()).await;
    let advertised = versions.api_keys.iter();
    let advertised =
        advertised.map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
    let mut asker = Asker { advertised, asked: Vec::new(), wire };
    topics_and_records(&mut asker).await;
    groups(&mut asker).await;
    administration(&mut asker).await;
    admin::of_stored_things(&mut asker).await;
    let mut asked = asker.asked;
    asked.sort_unstable();
    assert_eq!(asked, asker.advertised.keys().copied().collect::<Vec<_>>());
}

async fn topics_and_records(asker: &mut Asker) {
    let name = StrBytes::from_static_str("test");
    let request = m::ApiVersionsRequest::default()
        .with_client_software_name(name.clone())
        .with_client_software_version(name);
    for response in
        asker.ask(|version| if version < 3 { Default::default() } else { request.clone() }).await
    {
        assert_eq!(response.api_keys.len(), asker.advertised.len());
    }
    let wanted = m::metadata_request::MetadataRequestTopic::default().with_name(Some(topic()));
    for response in
        asker.ask(|_| m::MetadataRequest::default().with_topics(Some(vec![wanted.clone()]))).await
    {
        assert_eq!(response.topics[0].error_code, 0);
        assert_eq!(response.topics[0].partitions.len(), 4);
    }
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData::default().with_records(Some(batch(&["a", "b"], -1, -1)));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    let produce = m::ProduceRequest::default().with_acks(-1).with_topic_data(vec![data]);
    for (at, response) in asker.ask(|_| produce.clone()).await.iter().enumerate() {
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, 2 * at as i64));
    }
    use m::fetch_request::{FetchPartition, FetchTopic};
    let partition = FetchPartition::default().with_fetch_offset(1).with_partition_max_bytes(1);
    let fetched = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    let fetch = m::FetchRequest::default().with_max_wait_ms(0).with_min_bytes(1);
    let fetch = fetch.with_max_bytes(1 << 20).with_topics(vec![fetched]);
    for response in asker.ask(|_| fetch.clone()).await {
        let records = response.responses[0].partitions[0].records.clone().unwrap();
        assert_eq!(records.len(), batch(&["a", "b"], -1, -1).len(), "the batch with offset 1");
    }
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let partition = ListOffsetsPartition::default().with_timestamp(1_001);
    let wanted = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![partition]);
    for response in
        asker.ask(|_| m::ListOffsetsRequest::default().with_topics(vec![wanted.clone()])).await
    {
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.offset), (0, 1));
    }
    use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    let partitions = vec![OffsetForLeaderPartition::default().with_leader_epoch(0)];
    let wanted = OffsetForLeaderTopic::default().with_topic(topic()).with_partitions(partitions);
    let request = m::OffsetForLeaderEpochRequest::default().with_topics(vec![wanted]);
    for response in asker.ask(|_| request.clone()).await {
        assert_eq!(response.topics[0].partitions[0].end_offset, 20);
    }
    for response in
        asker.ask(|_| m::InitProducerIdRequest::default().with_transactional_id(None)).await
    {
        assert!(response.producer_id > ProducerId(0) && response.producer_epoch == 0);
    }
}

async fn groups(asker: &mut Asker) {
    for response in asker
        .ask(|version| {
            let request = m::FindCoordinatorRequest::default();
            if version < 4 {
                request.with_key(group().0)
            } else {
                request.with_coordinator_keys(vec![group().0, group().0])
            }
        })
        .await
    {
        let port = response.coordinators.first().map_or(response.port, |found| found.port);
        assert!(port > 0);
    }
    use m::join_group_request::JoinGroupRequestProtocol;
    let protocol =
        JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range"));
    let join = m::JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol]);
    // Each version makes a group of its own: nobody waits for anybody.
    let group_of = |version: i16| GroupId(StrBytes::from_string(format!("group-{version}")));
    for (version, response) in
        asker.ask(|version| join.clone().with_group_id(group_of(version))).await.iter().enumerate()
    {
        assert_eq!(response.error_code, if version < 4 { 0 } else { 79 }, "version {version}");
    }
    use m::sync_group_request::SyncGroupRequestAssignment;
    let sync = m::SyncGroupRequest::default()
        .with_group_id(group())
        .with_assignments(vec![SyncGroupRequestAssignment::default()]);
    let unknown_member = 25;
    for response in asker.ask(|_| sync.clone()).await {
        assert_eq!(response.error_code, unknown_member);
    }
    for response in asker.ask(|_| m::HeartbeatRequest::default().with_group_id(group())).await {
        assert_eq!(response.error_code, unknown_member);
    }
    for response in asker
        .ask(|version| {
            let member = m::leave_group_request::MemberIdentity::default();
            let request = m::LeaveGroupRequest::default().with_group_id(group());
            if version < 3 { request } else { request.with_members(vec![member]) }
        })
        .await
    {
        let member = response.members.first().map_or(response.error_code, |left| left.error_code);
        assert_eq!(member, unknown_member);
    }
    offsets(asker).await;
    for response in asker
        .ask(|_| m::DescribeGroupsRequest::default().with_groups(vec![group_of(0), group_of(99)]))
        .await
    {
        assert_eq!(response.groups[0].members.len(), 1);
        assert_eq!(&*response.groups[1].group_state, "Dead");
    }
    for response in asker.ask(|_| m::ListGroupsRequest::default()).await {
        assert!(response.groups.iter().any(|listed| listed.group_id == group_of(0)));
    }
}

async fn offsets(asker: &mut Asker) {
    use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(7)
        .with_committed_metadata(Some(StrBytes::from_static_str("note")));
    let committed =
        OffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
    let commit = m::OffsetCommitRequest::default().with_group_id(group());
    let commit = commit.with_generation_id_or_member_epoch(-1).with_topics(vec![committed]);
    for response in asker.ask(|_| commit.clone()).await {
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }
    use m::offset_fetch_request as request;
    let fetch = |version| {
        if version < 8 {
            let wanted = request::OffsetFetchRequestTopic::default()
                .with_name(topic())
                .with_partition_indexes(vec![0, 1]);
            return m::OffsetFetchRequest::default()
                .with_group_id(group())
                .with_topics(Some(vec![wanted]));
        }
        let wanted =
            request::OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(None);
        m::OffsetFetchRequest::default().with_groups(vec![wanted])
    };
    for response in asker.ask(fetch).await {
        let partition = match response.groups.first() {
            Some(group) => {
                let partition = &group.topics[0].partitions[0];
                (partition.committed_offset, partition.metadata.clone())
            }
            None => {
                let partitions = &response.topics[0].partitions;
                assert_eq!(partitions[1].committed_offset, -1);
                (partitions[0].committed_offset, partitions[0].metadata.clone())
            }
        };
        assert_eq!(partition, (7, Some(StrBytes::from_static_str("note"))));
    }
}

async fn administration(asker: &mut Asker) {
    let name_of = |version: i16| TopicName(StrBytes::from_string(format!("made-{version}")));
    use m::create_topics_request::{
        CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
    };
    let config = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("retention.ms"))
        .with_value(Some(StrBytes::from_static_str("1000")));
    let assigned = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let topic_like = |version| {
        CreatableTopic::default()
            .with_name(name_of(version))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(vec![assigned.clone()])
            .with_configs(vec![config.clone()])
    };
    for response in asker
        .ask(|version| m::CreateTopicsRequest::default().with_topics(vec![topic_like(version)]))
        .await
    {
        assert_eq!(response.topics[0].error_code, 0);
    }
    use m::describe_configs_request::DescribeConfigsResource;
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(name_of(2).0)
        .with_configuration_keys(Some(vec![StrBytes::from_static_str("retention.ms")]));
    let describe = m::DescribeConfigsRequest::default().with_resources(vec![resource]);
    for response in asker.ask(|_| describe.clone().with_include_synonyms(true)).await {
        assert_eq!(response.results[0].configs[0].value.as_deref(), Some("1000"));
    }
    for response in asker
        .ask(|version| {
            let request = m::DeleteTopicsRequest::default();
            let state = m::delete_topics_request::DeleteTopicState::default();
            match version {
                1..=5 => request.with_topic_names(vec![name_of(version.max(2))]),
                _ => request.with_topics(vec![
                    state.clone().with_name(Some(name_of(6))),
                    state.with_name(None).with_topic_id(Uuid::from_u128(9)),
                ]),
            }
        })
        .await
    {
        let first = &response.responses[0];
        let again = first.name == Some(name_of(2)) && first.error_code == 3;
        assert!(first.error_code == 0 || again, "{first:?}");
    }
    for response in asker.ask(|_| m::DescribeClusterRequest::default()).await {
        assert_eq!(response.brokers.len(), 1);
    }
    let moving =
        m::list_partition_reassignments_request::ListPartitionReassignmentsTopics::default()
            .with_name(topic())
            .with_partition_indexes(vec![0]);
    let request = m::ListPartitionReassignmentsRequest::default().with_topics(Some(vec![moving]));
    for response in asker.ask(|_| request.clone()).await {
        assert!(response.topics.is_empty());
    }
}
