//! Every version of every API that the broker advertises is asked once, with the requests of
//! `requests`, and its response is read to the last byte.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use kafka_protocol::messages as m;
use kafka_protocol::messages::ProducerId;
use kafka_protocol::protocol::{Request, StrBytes};
use sim::Broker;

use crate::requests;
use crate::wire::{Wire, batch};

mod admin;

/// Versions that were asked, by API key.
struct Asker {
    served: BTreeMap<i16, RangeInclusive<i16>>,
    asked: Vec<i16>,
    wire: Wire,
}

impl Asker {
    async fn ask<R: Request>(&mut self, request: impl Fn(i16) -> R) -> Vec<R::Response> {
        self.asked.push(R::KEY);
        let mut responses = Vec::new();
        for version in self.served[&R::KEY].clone() {
            // Printed when the test fails: a request that is not answered ends the connection.
            println!("API {} version {version}", R::KEY);
            responses.push(self.wire.call(version, &request(version)).await);
        }
        responses
    }
}

#[tokio::test]
async fn every_advertised_version_is_served() {
    let broker = Broker::start().unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    let versions = wire.call(0, &m::ApiVersionsRequest::default()).await;
    let served = versions.api_keys.iter().map(|api| (api.api_key, requests::served(api)));
    let mut asker = Asker { served: served.collect(), asked: Vec::new(), wire };
    topics_and_records(&mut asker).await;
    groups(&mut asker).await;
    administration(&mut asker).await;
    admin::of_stored_things(&mut asker).await;
    let mut asked = asker.asked;
    asked.sort_unstable();
    assert_eq!(asked, asker.served.keys().copied().collect::<Vec<_>>());
}

async fn topics_and_records(asker: &mut Asker) {
    for response in asker.ask(requests::api_versions).await {
        assert_eq!(response.api_keys.len(), asker.served.len());
    }
    for response in asker.ask(requests::metadata).await {
        assert_eq!(response.topics[0].error_code, 0);
        assert_eq!(response.topics[0].partitions.len(), 4);
    }
    for (at, response) in asker.ask(requests::produce).await.iter().enumerate() {
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, 2 * at as i64));
    }
    for response in asker.ask(requests::fetch).await {
        let records = response.responses[0].partitions[0].records.clone().unwrap();
        assert_eq!(records.len(), batch(&["a", "b"], -1, -1).len(), "the batch with offset 1");
    }
    for response in asker.ask(requests::list_offsets).await {
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.offset), (0, 1));
    }
    for response in asker.ask(requests::offset_for_leader_epoch).await {
        assert_eq!(response.topics[0].partitions[0].end_offset, 20);
    }
    for response in asker.ask(requests::init_producer_id).await {
        assert!(response.producer_id > ProducerId(0) && response.producer_epoch == 0);
    }
}

async fn groups(asker: &mut Asker) {
    for response in asker.ask(requests::find_coordinator).await {
        let port = response.coordinators.first().map_or(response.port, |found| found.port);
        assert!(port > 0);
    }
    for (version, response) in asker.ask(requests::join_group).await.iter().enumerate() {
        assert_eq!(response.error_code, if version < 4 { 0 } else { 79 }, "version {version}");
    }
    let unknown_member = 25;
    for response in asker.ask(requests::sync_group).await {
        assert_eq!(response.error_code, unknown_member);
    }
    for response in asker.ask(requests::heartbeat).await {
        assert_eq!(response.error_code, unknown_member);
    }
    for response in asker.ask(requests::leave_group).await {
        let member = response.members.first().map_or(response.error_code, |left| left.error_code);
        assert_eq!(member, unknown_member);
    }
    for response in asker.ask(requests::offset_commit).await {
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }
    for response in asker.ask(requests::offset_fetch).await {
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
    for response in asker.ask(requests::describe_groups).await {
        assert_eq!(response.groups[0].members.len(), 1);
        assert_eq!(&*response.groups[1].group_state, "Dead");
    }
    for response in asker.ask(requests::list_groups).await {
        let group = requests::group_of(0);
        assert!(response.groups.iter().any(|listed| listed.group_id == group));
    }
}

async fn administration(asker: &mut Asker) {
    for response in asker.ask(requests::create_topics).await {
        assert_eq!(response.topics[0].error_code, 0);
    }
    for response in asker.ask(requests::describe_configs).await {
        assert_eq!(response.results[0].configs[0].value.as_deref(), Some("1000"));
    }
    for response in asker.ask(requests::delete_topics).await {
        let first = &response.responses[0];
        let again = first.name == Some(requests::topic_of(2)) && first.error_code == 3;
        assert!(first.error_code == 0 || again, "{first:?}");
    }
    for response in asker.ask(requests::describe_cluster).await {
        assert_eq!(response.brokers.len(), 1);
    }
    for response in asker.ask(requests::list_partition_reassignments).await {
        assert!(response.topics.is_empty());
    }
}
