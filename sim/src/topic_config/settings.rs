//! The table of the topics' settings.

use crate::broker_config::{CLEANUP, COMPRESSION, TIMESTAMP};
use crate::config::Rule;
use crate::config::Rule::{Boolean, Double, Integer, List, Long};

#[derive(Debug)]
pub(super) struct TopicSetting {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    /// The broker's settings that hold where the topic has none of its own, the finest first, each
    /// with its unit in the topic's.
    pub(super) follows: &'static [(&'static str, i64)],
    /// What holds where there is nothing to follow.
    pub(super) default: &'static str,
    pub(super) documentation: &'static str,
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

const fn follow(
    name: &'static str,
    rule: Rule,
    follows: &'static [(&'static str, i64)],
    documentation: &'static str,
) -> TopicSetting {
    TopicSetting { name, rule, follows, default: "", documentation }
}

const fn alone(
    name: &'static str,
    rule: Rule,
    default: &'static str,
    documentation: &'static str,
) -> TopicSetting {
    TopicSetting { name, rule, follows: &[], default, documentation }
}

const MAX_INT: i64 = i32::MAX as i64;
const INT: Rule = Integer(0, MAX_INT);
const LONG: Rule = Long(0, i64::MAX);

/// In the order of their names.
pub(super) static TOPIC_SETTINGS: &[TopicSetting] = &[
    follow(
        "cleanup.policy",
        CLEANUP,
        &[("log.cleanup.policy", 1)],
        "What happens to old records: delete, compact or both. Compaction keeps everything here.",
    ),
    follow(
        "compression.gzip.level",
        Integer(-1, 9),
        &[("compression.gzip.level", 1)],
        "Without effect: batches stay as they come.",
    ),
    follow(
        "compression.lz4.level",
        Integer(1, 17),
        &[("compression.lz4.level", 1)],
        "Without effect: batches stay as they come.",
    ),
    follow(
        "compression.type",
        COMPRESSION,
        &[("compression.type", 1)],
        "Without effect: batches stay as they come.",
    ),
    follow(
        "compression.zstd.level",
        Integer(-131_072, 22),
        &[("compression.zstd.level", 1)],
        "Without effect: batches stay as they come.",
    ),
    follow(
        "delete.retention.ms",
        LONG,
        &[("log.cleaner.delete.retention.ms", 1)],
        "Without effect: nothing is compacted.",
    ),
    follow(
        "file.delete.delay.ms",
        LONG,
        &[("log.segment.delete.delay.ms", 1)],
        "Without effect: files are deleted at once.",
    ),
    follow(
        "flush.messages",
        Long(1, i64::MAX),
        &[("log.flush.interval.messages", 1)],
        "Without effect: the broker's own option says when to flush.",
    ),
    follow(
        "flush.ms",
        LONG,
        &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)],
        "Without effect: the broker's own option says when to flush.",
    ),
    alone(
        "follower.replication.throttled.replicas",
        List(&[]),
        "",
        "Without effect: there is one broker.",
    ),
    follow(
        "index.interval.bytes",
        INT,
        &[("log.index.interval.bytes", 1)],
        "Without effect: every batch is indexed.",
    ),
    alone(
        "leader.replication.throttled.replicas",
        List(&[]),
        "",
        "Without effect: there is one broker.",
    ),
    follow(
        "local.retention.bytes",
        Long(-2, i64::MAX),
        &[("log.local.retention.bytes", 1)],
        "Without effect: storage has one tier.",
    ),
    follow(
        "local.retention.ms",
        Long(-2, i64::MAX),
        &[("log.local.retention.ms", 1)],
        "Without effect: storage has one tier.",
    ),
    follow(
        "max.compaction.lag.ms",
        Long(1, i64::MAX),
        &[("log.cleaner.max.compaction.lag.ms", 1)],
        "Without effect: nothing is compacted.",
    ),
    follow("max.message.bytes", INT, &[("message.max.bytes", 1)], "The largest record batch."),
    follow(
        "message.timestamp.after.max.ms",
        LONG,
        &[("log.message.timestamp.after.max.ms", 1)],
        "How far in the future a timestamp may lie.",
    ),
    follow(
        "message.timestamp.before.max.ms",
        LONG,
        &[("log.message.timestamp.before.max.ms", 1)],
        "How far in the past a timestamp may lie.",
    ),
    follow(
        "message.timestamp.type",
        TIMESTAMP,
        &[("log.message.timestamp.type", 1)],
        "Whose clock timestamps come from: CreateTime or LogAppendTime.",
    ),
    follow(
        "min.cleanable.dirty.ratio",
        Double(0.0, 1.0),
        &[("log.cleaner.min.cleanable.ratio", 1)],
        "Without effect: nothing is compacted.",
    ),
    follow(
        "min.compaction.lag.ms",
        LONG,
        &[("log.cleaner.min.compaction.lag.ms", 1)],
        "Without effect: nothing is compacted.",
    ),
    follow(
        "min.insync.replicas",
        Integer(1, MAX_INT),
        &[("min.insync.replicas", 1)],
        "Without effect: there is one replica.",
    ),
    follow(
        "preallocate",
        Boolean,
        &[("log.preallocate", 1)],
        "Without effect: files grow as they are written.",
    ),
    alone("remote.log.copy.disable", Boolean, "false", "Without effect: storage has one tier."),
    alone(
        "remote.log.delete.on.disable",
        Boolean,
        "false",
        "Without effect: storage has one tier.",
    ),
    alone("remote.storage.enable", Boolean, "false", "Without effect: storage has one tier."),
    follow(
        "retention.bytes",
        Long(-1, i64::MAX),
        &[("log.retention.bytes", 1)],
        "Bytes that each partition keeps; -1 keeps all.",
    ),
    follow(
        "retention.ms",
        Long(-1, i64::MAX),
        &[
            ("log.retention.ms", 1),
            ("log.retention.minutes", MINUTE_MS),
            ("log.retention.hours", HOUR_MS),
        ],
        "How long records are kept; -1 keeps them for ever.",
    ),
    follow(
        "segment.bytes",
        Integer(14, MAX_INT),
        &[("log.segment.bytes", 1)],
        "Size at which a new segment is begun.",
    ),
    follow(
        "segment.index.bytes",
        Integer(4, MAX_INT),
        &[("log.index.size.max.bytes", 1)],
        "Without effect: the index grows as needed.",
    ),
    follow(
        "segment.jitter.ms",
        LONG,
        &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR_MS)],
        "Without effect: segments roll by size.",
    ),
    follow(
        "segment.ms",
        Long(1, i64::MAX),
        &[("log.roll.ms", 1), ("log.roll.hours", HOUR_MS)],
        "Without effect: segments roll by size.",
    ),
    follow(
        "unclean.leader.election.enable",
        Boolean,
        &[("unclean.leader.election.enable", 1)],
        "Without effect: there is one replica.",
    ),
];
