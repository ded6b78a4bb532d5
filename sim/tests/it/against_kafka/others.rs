//! The rest: coordinators, producer ids, epochs, versions, odd requests.

use std::collections::BTreeSet;

use bytes::{BufMut as _, BytesMut};
use kafka_protocol::messages as m;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{ApiKey, BrokerId, GroupId, ProducerId};
use kafka_protocol::protocol::Request as _;

use super::Transcript;
use super::admin::{create, is_there, named, text};

const LOADING: i16 = 14;
const SKIPPED: &str = include_str!("../../../SKIPPED.md");

/// What a Kafka of this version serves is served here or named in SKIPPED.md.
pub(super) async fn served(
    told: &mut Transcript,
    ours: &[(i16, i16, i16)],
) -> Vec<(i16, i16, i16)> {
    let versions = told.wire.call(0, &m::ApiVersionsRequest::default()).await;
    let served: Vec<_> = versions
        .api_keys
        .iter()
        .map(|api| (api.api_key, api.min_version, api.max_version))
        .collect();
    let mut unsaid = Vec::new();
    for (key, least, most) in served.iter().filter(|_| !ours.is_empty()) {
        let Ok(name) = ApiKey::try_from(*key).map(|key| format!("{key:?}")) else { continue };
        let found = ours.iter().find(|(ours, ..)| ours == key);
        if found == Some(&(*key, *least, *most)) {
            continue;
        }
        let mut words = SKIPPED.split(|c: char| !c.is_ascii_alphanumeric());
        if !words.any(|word| word == name) {
            unsaid.push(format!("{name} {least}..={most}: {found:?} here"));
        }
    }
    assert!(unsaid.is_empty(), "neither served nor in SKIPPED.md: {unsaid:#?}");
    served
}

pub(super) async fn versions(told: &mut Transcript) {
    for (name, version) in [("", ""), ("a client", "1"), ("client", "1.0-rc"), ("-client", "1")] {
        let request = m::ApiVersionsRequest::default()
            .with_client_software_name(text(name))
            .with_client_software_version(text(version));
        let response = told.wire.call(3, &request).await;
        let question = format!("versions for {name:?} {version:?}");
        told.note(&question, (response.error_code, response.api_keys.is_empty()));
    }
    // An unknown API, an unknown version, and a header without a body.
    for (key, version) in [
        (9_999, 0),
        (m::MetadataRequest::KEY, 99),
        (m::ProduceRequest::KEY, 2),
        (m::MetadataRequest::KEY, 1),
        (m::ApiVersionsRequest::KEY, 99),
    ] {
        let mut frame = BytesMut::new();
        let in_full = key == m::ApiVersionsRequest::KEY;
        frame.put_i32(if in_full { 11 } else { 10 });
        frame.put_i16(key);
        frame.put_i16(version);
        frame.put_i32(1);
        frame.put_i16(-1);
        if in_full {
            frame.put_u8(0);
        }
        told.wire.send_bytes(&frame).await;
        let answered =
            told.wire.receive_frame().await.map(|frame| frame.get(4..6).map(<[u8]>::to_vec));
        told.note(&format!("odd {key} {version}"), answered);
        told.reconnect().await;
    }
}
pub(super) async fn coordinators(told: &mut Transcript) {
    for (version, kind) in [(0, 0), (2, 0), (3, 0), (3, 7), (4, 0), (4, 7)] {
        let request = m::FindCoordinatorRequest::default();
        let request = if version < 4 {
            request.with_key(text("g"))
        } else {
            request.with_coordinator_keys(vec![text("g"), text("")])
        };
        let request = if version > 0 { request.with_key_type(kind) } else { request };
        told.wire.send(version, &request).await;
        let response = told.wire.try_receive::<m::FindCoordinatorRequest>(version).await;
        let answer = response.map(|response| {
            let each: Vec<_> = response
                .coordinators
                .iter()
                .map(|one| (one.error_code, one.node_id, one.error_message.is_some()))
                .collect();
            (response.error_code, response.error_message.is_some(), response.node_id, each)
        });
        if answer.is_none() {
            told.reconnect().await;
        }
        told.note(&format!("coordinator {version} {kind}"), answer);
    }
    for (id, epoch) in [(-1, -1), (4_000, 3), (-1, 3)] {
        let request = m::InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch);
        let mut response = told.wire.call(4, &request).await;
        // A Kafka that has just started has no ids to give out yet.
        while response.error_code == LOADING {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            response = told.wire.call(4, &request).await;
        }
        let answer =
            (response.error_code, response.producer_id >= ProducerId(0), response.producer_epoch);
        told.note(&format!("producer id {id} {epoch}"), answer);
    }
    let response = told
        .wire
        .call(
            2,
            &m::DescribeAclsRequest::default()
                .with_resource_type_filter(1)
                .with_pattern_type_filter(1)
                .with_operation(1)
                .with_permission_type(1),
        )
        .await;
    told.note("acls", (response.error_code, response.error_message.is_some()));
    let response = told
        .wire
        .call(
            0,
            &m::ListPartitionReassignmentsRequest::default()
                .with_topics(None)
                .with_timeout_ms(1_000),
        )
        .await;
    told.note("reassignments", (response.error_code, response.topics.len()));
}

pub(super) async fn epochs_and_sessions(told: &mut Transcript) {
    let topic = told.name("epochs");
    let made = CreatableTopic::default()
        .with_name(named(&topic))
        .with_num_partitions(1)
        .with_replication_factor(1);
    create(told, vec![made], false).await;
    is_there(told, &topic, 1).await;
    use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    for (index, current, wanted) in
        [(0, -1, 0), (0, 0, 0), (0, 5, 0), (0, -1, 5), (0, -1, -1), (9, -1, 0)]
    {
        let partition = OffsetForLeaderPartition::default()
            .with_partition(index)
            .with_current_leader_epoch(current)
            .with_leader_epoch(wanted);
        let asked = OffsetForLeaderTopic::default()
            .with_topic(named(&topic))
            .with_partitions(vec![partition]);
        let request = m::OffsetForLeaderEpochRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![asked]);
        let response = told.wire.call(4, &request).await;
        let one = &response.topics[0].partitions[0];
        told.note(
            &format!("epoch {index} {current} {wanted}"),
            (one.error_code, one.leader_epoch, one.end_offset),
        );
    }
    use m::fetch_request::{FetchPartition, FetchTopic};
    for (index, epoch, offset, session) in [
        (0, -1, 0, (0, -1)),
        (0, 0, 0, (0, -1)),
        (0, 7, 0, (0, -1)),
        (9, -1, 0, (0, -1)),
        (0, -1, -1, (0, -1)),
        (0, -1, 5, (0, -1)),
        (0, -1, 0, (77, 1)),
        (0, -1, 0, (77, 0)),
    ] {
        let partition = FetchPartition::default()
            .with_partition(index)
            .with_current_leader_epoch(epoch)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1_000);
        let wanted =
            FetchTopic::default().with_topic(named(&topic)).with_partitions(vec![partition]);
        let request = m::FetchRequest::default()
            .with_max_wait_ms(10)
            .with_min_bytes(1)
            .with_max_bytes(1_000)
            .with_session_id(session.0)
            .with_session_epoch(session.1)
            .with_topics(vec![wanted]);
        let response = told.wire.call(12, &request).await;
        let partitions: Vec<_> = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|one| {
                (
                    one.error_code,
                    one.high_watermark,
                    one.last_stable_offset,
                    one.log_start_offset,
                    one.preferred_read_replica,
                )
            })
            .collect();
        told.note(
            &format!("fetch {index} {epoch} {offset} {session:?}"),
            (response.error_code, partitions),
        );
    }
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    for (index, epoch) in [(0, 7), (0, 0), (9, -1)] {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_current_leader_epoch(epoch)
            .with_timestamp(-1);
        let wanted =
            ListOffsetsTopic::default().with_name(named(&topic)).with_partitions(vec![partition]);
        let request = m::ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![wanted]);
        let response = told.wire.call(5, &request).await;
        let one = &response.topics[0].partitions[0];
        told.note(
            &format!("latest {index} {epoch}"),
            (one.error_code, one.offset, one.timestamp, one.leader_epoch),
        );
    }
}

pub(super) async fn repeated(told: &mut Transcript) {
    let topic = told.name("epochs");
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let partition =
        ListOffsetsPartition::default().with_current_leader_epoch(-1).with_timestamp(-1);
    let wanted = ListOffsetsTopic::default()
        .with_name(named(&topic))
        .with_partitions(vec![partition.clone(), partition]);
    let request =
        m::ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![wanted]);
    let response = told.wire.call(5, &request).await;
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let codes: BTreeSet<_> = partitions.map(|one| (one.error_code, one.offset)).collect();
    told.note("latest, twice", codes);
    let wanted =
        m::metadata_request::MetadataRequestTopic::default().with_name(Some(named(&topic)));
    let request = m::MetadataRequest::default().with_topics(Some(vec![wanted.clone(), wanted]));
    let response = told.wire.call(9, &request).await;
    told.note("metadata, twice", response.topics.len());
}

pub(super) async fn replaced_configs(told: &mut Transcript) {
    use m::alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let topic = told.name("epochs");
    let missing = told.name("missing");
    for (name, configs) in [
        (&topic, vec![("retention.ms", Some("7")), ("max.message.bytes", Some("99"))]),
        (&topic, vec![("retention.ms", Some("8"))]),
        (&topic, vec![("retention.ms", None)]),
        (&topic, vec![("no.such", Some("8"))]),
        (&missing, vec![("retention.ms", Some("8"))]),
    ] {
        let question = format!("replace {configs:?}");
        let configs = configs.into_iter().map(|(name, value)| {
            AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
        });
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(name))
            .with_configs(configs.collect());
        let request = m::AlterConfigsRequest::default().with_resources(vec![resource]);
        let response = told.wire.call(2, &request).await;
        told.note(
            &question,
            (response.responses[0].error_code, response.responses[0].error_message.is_some()),
        );
    }
    use m::describe_configs_request::DescribeConfigsResource;
    let keys = ["retention.ms", "max.message.bytes", "no.such"].map(text).to_vec();
    for version in [1, 2, 3, 4] {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(&topic))
            .with_configuration_keys(Some(keys.clone()));
        let request = m::DescribeConfigsRequest::default().with_resources(vec![resource]);
        let response = told.wire.call(version, &request).await;
        let mut values: Vec<_> = response.results[0]
            .configs
            .iter()
            .map(|one| {
                (
                    one.name.to_string(),
                    one.value.clone(),
                    one.config_source,
                    one.synonyms.len(),
                    one.documentation.is_some(),
                    one.config_type,
                )
            })
            .filter(|one| one.2 == 1)
            .collect();
        values.sort_by(|a, b| a.0.cmp(&b.0));
        told.note(&format!("replaced {version}"), values);
    }
}

pub(super) async fn old_offsets(told: &mut Transcript) {
    use m::offset_fetch_request::OffsetFetchRequestTopic;
    let topic = told.name("epochs");
    let group = GroupId(text(&told.name("nobody")));
    for version in [1, 2, 3, 5, 6, 7] {
        for topics in [Some(vec![0, 9]), None] {
            if version < 2 && topics.is_none() {
                continue;
            }
            let asked = topics.map(|indexes| {
                vec![
                    OffsetFetchRequestTopic::default()
                        .with_name(named(&topic))
                        .with_partition_indexes(indexes),
                ]
            });
            let request =
                m::OffsetFetchRequest::default().with_group_id(group.clone()).with_topics(asked);
            let response = told.wire.call(version, &request).await;
            let offsets: Vec<_> = response
                .topics
                .iter()
                .flat_map(|topic| &topic.partitions)
                .map(|one| {
                    (
                        one.partition_index,
                        one.committed_offset,
                        one.committed_leader_epoch,
                        one.metadata.clone(),
                        one.error_code,
                    )
                })
                .collect();
            told.note(&format!("offsets {version}"), (response.error_code, offsets));
        }
    }
    use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    for version in [2, 5, 9] {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(-1)
            .with_committed_metadata(None);
        let committed = OffsetCommitRequestTopic::default()
            .with_name(named(&topic))
            .with_partitions(vec![partition]);
        let request = m::OffsetCommitRequest::default()
            .with_group_id(group.clone())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![committed]);
        let response = told.wire.call(version, &request).await;
        told.note(&format!("commit -1 {version}"), response.topics[0].partitions[0].error_code);
    }
    let asked =
        OffsetFetchRequestTopic::default().with_name(named(&topic)).with_partition_indexes(vec![0]);
    let request =
        m::OffsetFetchRequest::default().with_group_id(group).with_topics(Some(vec![asked]));
    let response = told.wire.call(7, &request).await;
    let one = &response.topics[0].partitions[0];
    told.note(
        "committed -1",
        (one.committed_offset, one.committed_leader_epoch, one.metadata.clone(), one.error_code),
    );
}
