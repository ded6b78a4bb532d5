//! Configurations: what is shown, and what may be altered.

use std::collections::BTreeMap;

use kafka_protocol::messages as m;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};

use super::Transcript;
use super::admin::{create, is_there, named, text};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Where the two are meant to differ: see SKIPPED.md.
const OURS: [&str; 2] = ["retention.ms", "min.insync.replicas"];

type Change<'a> = (&'a str, i8, Option<&'a str>);

async fn alter(told: &mut Transcript, kind: i8, name: &str, changes: &[Change<'_>]) {
    let configs = changes.iter().map(|(name, operation, value)| {
        AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.collect());
    let request = m::IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let response = told.wire.call(1, &request).await;
    let result = &response.responses[0];
    let question = format!("alter {kind} {changes:?}");
    told.note(&question, (result.error_code, result.error_message.is_some()));
}

async fn value(told: &mut Transcript, topic: &str, key: &str) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(topic))
        .with_configuration_keys(Some(vec![text(key)]));
    let request = m::DescribeConfigsRequest::default().with_resources(vec![resource]);
    let response = told.wire.call(4, &request).await;
    let values: Vec<_> = response.results[0]
        .configs
        .iter()
        .map(|config| (config.value.clone(), config.config_source))
        .collect();
    told.note(key, values);
}

/// A real Kafka answers before its own broker has heard of what was altered.
async fn until_it_holds(told: &mut Transcript, topic: &str, key: &str, expected: &str) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(topic))
        .with_configuration_keys(Some(vec![text(key)]));
    let request = m::DescribeConfigsRequest::default().with_resources(vec![resource]);
    loop {
        let response = told.wire.call(4, &request).await;
        if response.results[0].configs[0].value.as_deref() == Some(expected) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub(super) async fn altered(told: &mut Transcript) {
    let topic = told.name("configured");
    let plain = CreatableTopic::default()
        .with_name(named(&topic))
        .with_num_partitions(1)
        .with_replication_factor(1);
    create(told, vec![plain], false).await;
    is_there(told, &topic, 1).await;
    let steps: &[&[Change<'_>]] = &[
        &[("retention.ms", SET, Some("1000"))],
        &[("retention.ms", SET, Some(" 5 "))],
        &[("retention.ms", SET, None)],
        &[("retention.ms", APPEND, Some("5"))],
        &[("cleanup.policy", APPEND, Some("compact"))],
        &[("cleanup.policy", APPEND, Some("compact"))],
        &[("cleanup.policy", SUBTRACT, Some("delete"))],
        &[("cleanup.policy", SUBTRACT, Some("nothing"))],
        &[("cleanup.policy", SET, Some("shrink"))],
        &[("retention.ms", SET, Some("7")), ("no.such", SET, Some("1"))],
        &[("retention.ms", SET, Some("7")), ("retention.ms", DELETE, None)],
        &[("retention.ms", DELETE, None), ("segment.ms", DELETE, None)],
        &[("no.such", DELETE, None)],
        &[("retention.ms", 9, Some("7"))],
        &[("preallocate", SET, Some("TRUE")), ("min.cleanable.dirty.ratio", SET, Some("1"))],
        &[("max.message.bytes", SET, Some("-1"))],
        &[("min.insync.replicas", SET, Some("0"))],
        &[("segment.bytes", SET, Some("13"))],
        &[("message.timestamp.type", SET, Some("LogAppendTime"))],
        &[],
    ];
    for step in steps {
        alter(told, TOPIC, &topic, step).await;
    }
    until_it_holds(told, &topic, "message.timestamp.type", "LogAppendTime").await;
    for key in
        ["cleanup.policy", "preallocate", "min.cleanable.dirty.ratio", "message.timestamp.type"]
    {
        value(told, &topic, key).await;
    }
    let missing = told.name("missing");
    alter(told, TOPIC, &missing, &[("retention.ms", SET, Some("1"))]).await;
    alter(told, 77, "x", &[("retention.ms", SET, Some("1"))]).await;
    alter(told, BROKER, "9", &[("message.max.bytes", SET, Some("1000000"))]).await;
    alter(told, BROKER, "1", &[("num.partitions", SET, Some("3"))]).await;
    alter(told, BROKER, "1", &[("message.max.bytes", SET, Some("none"))]).await;
    alter(told, BROKER, "", &[("message.max.bytes", SET, Some("1000001"))]).await;
    until_it_holds(told, &topic, "max.message.bytes", "1000001").await;
}

pub(super) async fn shown(told: &mut Transcript) {
    let topic = told.name("configured");
    for (kind, name) in [
        (TOPIC, topic.as_str()),
        (TOPIC, "b@d"),
        (TOPIC, "missing"),
        (BROKER, "9"),
        (BROKER, ""),
        (99, "x"),
        (BROKER, "1"),
    ] {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(None);
        let request = m::DescribeConfigsRequest::default()
            .with_resources(vec![resource])
            .with_include_synonyms(true)
            .with_include_documentation(true);
        let response = told.wire.call(4, &request).await;
        let result = &response.results[0];
        told.note(
            &format!("describe {kind} {name}"),
            (result.error_code, result.error_message.is_some()),
        );
        let configs: BTreeMap<String, _> = result
            .configs
            .iter()
            .map(|config| {
                let synonyms: Vec<_> = config
                    .synonyms
                    .iter()
                    .map(|synonym| {
                        (synonym.name.to_string(), synonym.value.clone(), synonym.source)
                    })
                    .collect();
                let value = if config.synonyms.iter().any(|synonym| synonym.source == 4) {
                    None
                } else {
                    config.value.clone()
                };
                (
                    config.name.to_string(),
                    (
                        value,
                        config.config_source,
                        config.config_type,
                        config.read_only,
                        config.is_sensitive,
                        config.documentation.is_some(),
                        synonyms,
                    ),
                )
            })
            .collect();
        if kind == BROKER && name == "1" {
            // Kafka has many more; those that are here are to look the same.
            for known in BROKER_SETTINGS {
                let shown = configs.get(*known);
                let shown =
                    shown.map(|(value, source, kind, read_only, sensitive, documented, _)| {
                        (value.clone(), *source, *kind, *read_only, *sensitive, *documented)
                    });
                told.note(known, shown);
            }
        } else {
            for (name, config) in configs {
                if !OURS.contains(&name.as_str()) {
                    told.note(&name, config);
                }
            }
        }
    }
    told.wire.call(1, &m::IncrementalAlterConfigsRequest::default()).await;
}

const BROKER_SETTINGS: &[&str] = &[
    "auto.create.topics.enable",
    "background.threads",
    "broker.rack",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.topic.enable",
    "group.consumer.assignors",
    "group.max.session.timeout.ms",
    "log.cleaner.delete.retention.ms",
    "log.cleaner.enable",
    "log.cleaner.max.compaction.lag.ms",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
    "log.cleanup.policy",
    "log.dir",
    "log.flush.interval.messages",
    "log.flush.interval.ms",
    "log.flush.scheduler.interval.ms",
    "log.index.interval.bytes",
    "log.index.size.max.bytes",
    "log.local.retention.bytes",
    "log.local.retention.ms",
    "log.message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.type",
    "log.preallocate",
    "log.retention.bytes",
    "log.retention.hours",
    "log.retention.minutes",
    "log.roll.hours",
    "log.roll.jitter.hours",
    "log.roll.jitter.ms",
    "log.roll.ms",
    "log.segment.bytes",
    "log.segment.delete.delay.ms",
    "max.request.partition.size.limit",
    "message.max.bytes",
    "num.io.threads",
    "num.network.threads",
    "num.replica.fetchers",
    "offset.metadata.max.bytes",
    "offsets.retention.check.interval.ms",
    "offsets.retention.minutes",
    "offsets.topic.num.partitions",
    "producer.id.expiration.ms",
    "ssl.key.password",
    "ssl.keystore.password",
    "transactional.id.expiration.ms",
    "unclean.leader.election.enable",
    "default.replication.factor",
    "connections.max.idle.ms",
];
