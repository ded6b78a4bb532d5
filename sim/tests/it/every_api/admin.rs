//! Administration of what is stored: partitions, records, offsets, groups and configurations.

use super::Asker;
use crate::requests;

pub(super) async fn of_stored_things(asker: &mut Asker) {
    partitions(asker).await;
    configurations(asker).await;
    records(asker).await;
    offsets_and_groups(asker).await;
}

async fn partitions(asker: &mut Asker) {
    for response in asker.ask(requests::create_partitions).await {
        assert_eq!(response.results[0].error_code, 0, "{:?}", response.results[0].error_message);
    }
    for response in asker.ask(requests::describe_topic_partitions).await {
        let partitions = response.topics[0].partitions.iter();
        let indexes: Vec<i32> = partitions.map(|partition| partition.partition_index).collect();
        assert_eq!(indexes, [2, 3, 4]);
        assert_eq!(response.next_cursor.map(|cursor| cursor.partition_index), Some(5));
    }
    for response in asker.ask(requests::describe_log_dirs).await {
        let partition = &response.results[0].topics[0].partitions[0];
        assert!(partition.partition_size > 0);
    }
    for response in asker.ask(requests::describe_producers).await {
        let partitions = &response.topics[0].partitions;
        assert_eq!((partitions[0].error_code, partitions[1].error_code), (0, 3));
    }
}

async fn configurations(asker: &mut Asker) {
    for response in asker.ask(requests::incremental_alter_configs).await {
        assert_eq!(response.responses[0].error_code, 0);
    }
    for response in asker.ask(requests::alter_configs).await {
        assert_eq!(response.responses[0].error_code, 0);
    }
    let security_disabled = 54;
    for response in asker.ask(requests::describe_acls).await {
        assert_eq!(response.error_code, security_disabled);
    }
}

async fn records(asker: &mut Asker) {
    for (version, response) in asker.ask(requests::delete_records).await.iter().enumerate() {
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.low_watermark), (0, version as i64));
    }
}

async fn offsets_and_groups(asker: &mut Asker) {
    for response in asker.ask(requests::offset_delete).await {
        assert_eq!((response.error_code, response.topics[0].partitions[0].error_code), (0, 0));
    }
    let (not_found, not_empty) = (69, 68);
    for (version, response) in asker.ask(requests::delete_groups).await.iter().enumerate() {
        let expected = if version == 0 { 0 } else { not_found };
        let results = &response.results;
        assert_eq!((results[0].error_code, results[1].error_code), (expected, not_empty));
    }
}
