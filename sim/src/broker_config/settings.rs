//! The table of the broker's settings.

use crate::config::Rule;
use crate::config::Rule::{Boolean, Double, Integer, List, Long, OneOf, Password, Text};

/// When a setting may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// At any time.
    Dynamic,
    /// When the broker starts.
    AtStart,
    /// Never by name: it follows from an option of the broker, or from what it is.
    ByOption,
}

#[derive(Debug)]
pub(crate) struct BrokerSetting {
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    /// Kafka's default.
    pub(crate) default: Option<&'static str>,
    /// Where this broker starts with something else.
    pub(crate) here: Option<&'static str>,
    /// The setting in milliseconds for which this one is another unit.
    pub(crate) coarser_than: Option<&'static str>,
    pub(crate) scope: Scope,
    pub(crate) documentation: &'static str,
}

impl BrokerSetting {
    const fn here(mut self, value: &'static str) -> Self {
        self.here = Some(value);
        self
    }

    const fn coarser_than(mut self, finest: &'static str) -> Self {
        self.coarser_than = Some(finest);
        self
    }

    const fn at(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

const fn set(
    name: &'static str,
    rule: Rule,
    default: &'static str,
    documentation: &'static str,
) -> BrokerSetting {
    BrokerSetting {
        name,
        rule,
        default: Some(default),
        here: None,
        coarser_than: None,
        scope: Scope::AtStart,
        documentation,
    }
}

/// Without a default.
const fn unset(name: &'static str, rule: Rule, documentation: &'static str) -> BrokerSetting {
    BrokerSetting {
        name,
        rule,
        default: None,
        here: None,
        coarser_than: None,
        scope: Scope::AtStart,
        documentation,
    }
}

/// A setting with those that say the same in a coarser unit, finest first.
pub(crate) fn with_coarser(name: &'static str) -> Vec<&'static str> {
    let coarser = BROKER_SETTINGS.iter().filter(|setting| setting.coarser_than == Some(name));
    // Minutes before hours: the finer of two that are given holds, as in Kafka.
    let mut coarser: Vec<&'static str> = coarser.map(|setting| setting.name).collect();
    coarser.reverse();
    std::iter::once(name).chain(coarser).collect()
}

const INT: Rule = Integer(0, MAX_INT);
const POSITIVE_INT: Rule = Integer(1, MAX_INT);
const LONG: Rule = Long(0, i64::MAX);
const POSITIVE_LONG: Rule = Long(1, i64::MAX);
const LONG_OR_NONE: Rule = Long(-1, i64::MAX);
const MAX_INT: i64 = i32::MAX as i64;
const FOREVER: &str = "9223372036854775807";
pub(crate) const COMPRESSION: Rule =
    OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
pub(crate) const CLEANUP: Rule = List(&["compact", "delete"]);
pub(crate) const TIMESTAMP: Rule = OneOf(&["CreateTime", "LogAppendTime"]);

use Scope::{ByOption, Dynamic};

/// In the order of their names.
pub(crate) static BROKER_SETTINGS: &[BrokerSetting] = &[
    unset("advertised.listeners", Text, "Where clients are told to connect.").at(ByOption),
    set("auto.create.topics.enable", Boolean, "true", "Whether asking for a topic may create it."),
    set("background.threads", POSITIVE_INT, "10", "Without effect: there is one thread.")
        .at(Dynamic),
    set("broker.id", Integer(-1, MAX_INT), "-1", "The id of this broker.").here("1").at(ByOption),
    unset("broker.rack", Text, "Without effect: there is one broker."),
    set(
        "compression.gzip.level",
        Integer(-1, 9),
        "-1",
        "Without effect: batches stay as they come.",
    )
    .at(Dynamic),
    set("compression.lz4.level", Integer(1, 17), "9", "Without effect: batches stay as they come.")
        .at(Dynamic),
    set("compression.type", COMPRESSION, "producer", "Without effect: batches stay as they come.")
        .at(Dynamic),
    set(
        "compression.zstd.level",
        Integer(-131_072, 22),
        "3",
        "Without effect: batches stay as they come.",
    )
    .at(Dynamic),
    set(
        "connections.max.idle.ms",
        Long(-1, i64::MAX),
        "600000",
        "After which silence a connection is closed.",
    )
    .at(ByOption),
    set(
        "default.replication.factor",
        POSITIVE_INT,
        "1",
        "Replicas of a new topic; there is one broker.",
    )
    .at(ByOption),
    set("delete.topic.enable", Boolean, "true", "Whether topics may be deleted."),
    set(
        "group.consumer.assignors",
        List(&[]),
        "uniform,range",
        "Without effect: groups are classic.",
    ),
    set(
        "group.coordinator.rebalance.protocols",
        List(&[]),
        "classic,consumer,streams",
        "Kinds of groups.",
    )
    .here("classic")
    .at(ByOption),
    set(
        "group.initial.rebalance.delay.ms",
        INT,
        "3000",
        "How long a new group waits for more members.",
    )
    .here("0"),
    set(
        "group.max.session.timeout.ms",
        INT,
        "1800000",
        "The longest session a member may ask for.",
    ),
    set("group.max.size", POSITIVE_INT, "2147483647", "Members of one group.").here("1000"),
    set("group.min.session.timeout.ms", INT, "6000", "The shortest session a member may ask for.")
        .here("10"),
    unset("listeners", Text, "Where this broker listens.").at(ByOption),
    set(
        "log.cleaner.delete.retention.ms",
        LONG,
        "86400000",
        "Without effect: nothing is compacted.",
    )
    .at(Dynamic),
    set("log.cleaner.enable", Boolean, "true", "Without effect: nothing is compacted."),
    set(
        "log.cleaner.max.compaction.lag.ms",
        POSITIVE_LONG,
        FOREVER,
        "Without effect: nothing is compacted.",
    )
    .at(Dynamic),
    set(
        "log.cleaner.min.cleanable.ratio",
        Double(0.0, 1.0),
        "0.5",
        "Without effect: nothing is compacted.",
    )
    .at(Dynamic),
    set("log.cleaner.min.compaction.lag.ms", LONG, "0", "Without effect: nothing is compacted.")
        .at(Dynamic),
    set(
        "log.cleanup.policy",
        CLEANUP,
        "delete",
        "What happens to old records: delete, compact or both.",
    )
    .at(Dynamic),
    set("log.dir", Text, "/tmp/kafka-logs", "Where logs are stored, unless log.dirs says.")
        .at(ByOption),
    unset("log.dirs", Text, "Where logs are stored.").here("memory").at(ByOption),
    set(
        "log.flush.interval.messages",
        POSITIVE_LONG,
        FOREVER,
        "Records after which a log is flushed.",
    )
    .at(Dynamic),
    unset("log.flush.interval.ms", LONG, "The longest that records stay unflushed.").at(Dynamic),
    set(
        "log.flush.scheduler.interval.ms",
        LONG,
        FOREVER,
        "How often unflushed logs are looked for.",
    )
    .coarser_than("log.flush.interval.ms"),
    set("log.index.interval.bytes", INT, "4096", "Without effect: every batch is indexed.")
        .at(Dynamic),
    set(
        "log.index.size.max.bytes",
        Integer(4, MAX_INT),
        "10485760",
        "Without effect: the index grows as needed.",
    )
    .at(Dynamic),
    set(
        "log.local.retention.bytes",
        Long(-2, i64::MAX),
        "-2",
        "Without effect: storage has one tier.",
    )
    .at(Dynamic),
    set(
        "log.local.retention.ms",
        Long(-2, i64::MAX),
        "-2",
        "Without effect: storage has one tier.",
    )
    .at(Dynamic),
    set(
        "log.message.timestamp.after.max.ms",
        LONG,
        "3600000",
        "How far in the future a timestamp may lie.",
    )
    .at(Dynamic),
    set(
        "log.message.timestamp.before.max.ms",
        LONG,
        FOREVER,
        "How far in the past a timestamp may lie.",
    )
    .at(Dynamic),
    set("log.message.timestamp.type", TIMESTAMP, "CreateTime", "Whose clock timestamps come from.")
        .at(Dynamic),
    set("log.preallocate", Boolean, "false", "Without effect: files grow as they are written.")
        .at(Dynamic),
    set(
        "log.retention.bytes",
        LONG_OR_NONE,
        "-1",
        "Bytes that each partition keeps; -1 keeps all.",
    )
    .at(Dynamic),
    set(
        "log.retention.check.interval.ms",
        POSITIVE_LONG,
        "300000",
        "How often old records are looked for.",
    )
    .here("1000"),
    set("log.retention.hours", Integer(-1, MAX_INT), "168", "How long records are kept.")
        .coarser_than("log.retention.ms"),
    unset("log.retention.minutes", Integer(-1, MAX_INT), "How long records are kept.")
        .coarser_than("log.retention.ms"),
    unset("log.retention.ms", LONG_OR_NONE, "How long records are kept; -1 keeps them for ever.")
        .here("-1")
        .at(Dynamic),
    set("log.roll.hours", POSITIVE_INT, "168", "Age at which a new segment is begun.")
        .coarser_than("log.roll.ms"),
    set("log.roll.jitter.hours", INT, "0", "Without effect: segments roll by size.")
        .coarser_than("log.roll.jitter.ms"),
    unset("log.roll.jitter.ms", LONG, "Without effect: segments roll by size.").at(Dynamic),
    unset("log.roll.ms", POSITIVE_LONG, "Age at which a new segment is begun.").at(Dynamic),
    set(
        "log.segment.bytes",
        Integer(14, MAX_INT),
        "1073741824",
        "Size at which a new segment is begun.",
    )
    .at(Dynamic),
    set("log.segment.delete.delay.ms", LONG, "60000", "Without effect: files are deleted at once.")
        .at(Dynamic),
    set("max.connections", INT, "2147483647", "Connections at a time.").at(ByOption),
    set(
        "max.request.partition.size.limit",
        POSITIVE_INT,
        "2000",
        "Partitions in one answer to DescribeTopicPartitions.",
    ),
    set("message.max.bytes", INT, "1048588", "The largest record batch.").at(Dynamic),
    set("min.insync.replicas", POSITIVE_INT, "1", "Without effect: there is one replica.")
        .at(Dynamic),
    set("node.id", INT, "1", "The id of this broker.").here("1").at(ByOption),
    set("num.io.threads", POSITIVE_INT, "8", "Without effect: there is one thread.").at(Dynamic),
    set("num.network.threads", POSITIVE_INT, "3", "Without effect: there is one thread.")
        .at(Dynamic),
    set(
        "num.partitions",
        Integer(1, 50_000),
        "1",
        "Partitions of a topic created without a number.",
    )
    .here("4"),
    set("num.replica.fetchers", POSITIVE_INT, "1", "Without effect: there is one broker.")
        .at(Dynamic),
    set("offset.metadata.max.bytes", INT, "4096", "The longest note beside a committed offset."),
    set(
        "offsets.retention.check.interval.ms",
        POSITIVE_LONG,
        "600000",
        "How often old offsets are looked for.",
    ),
    set(
        "offsets.retention.minutes",
        POSITIVE_INT,
        "10080",
        "How long a group's offsets outlive its use.",
    ),
    set(
        "offsets.topic.num.partitions",
        POSITIVE_INT,
        "50",
        "Without effect: offsets are in no topic.",
    ),
    set(
        "offsets.topic.replication.factor",
        Integer(1, 32_767),
        "3",
        "Without effect: offsets are in no topic.",
    )
    .here("1"),
    set("process.roles", List(&[]), "", "What this process is.")
        .here("broker,controller")
        .at(ByOption),
    set(
        "producer.id.expiration.check.interval.ms",
        POSITIVE_INT,
        "600000",
        "How often silent producers are looked for.",
    ),
    set(
        "producer.id.expiration.ms",
        POSITIVE_INT,
        "86400000",
        "How long a silent producer is remembered.",
    )
    .at(Dynamic),
    set(
        "security.inter.broker.protocol",
        Text,
        "PLAINTEXT",
        "Without effect: there is one broker.",
    ),
    set("socket.request.max.bytes", POSITIVE_INT, "104857600", "The largest request.").at(ByOption),
    unset("ssl.key.password", Password, "Without effect: there is no TLS.").at(Dynamic),
    unset("ssl.keystore.password", Password, "Without effect: there is no TLS.").at(Dynamic),
    unset("ssl.truststore.password", Password, "Without effect: there is no TLS.").at(Dynamic),
    set(
        "transactional.id.expiration.ms",
        POSITIVE_INT,
        "604800000",
        "Without effect: there are no transactions.",
    ),
    set(
        "unclean.leader.election.enable",
        Boolean,
        "false",
        "Without effect: there is one replica.",
    )
    .at(Dynamic),
];
