//! Topic configuration: the settings that change what this broker does, and the ones that it
//! accepts for the sake of clients but that mean nothing to a log in memory.

use crate::error::ErrorCode;
use crate::log::Retention;

/// Kafka's default for `max.message.bytes`: 1 MiB of records and the batch's overhead.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// Accepted and ignored: they tune files, replicas or compaction, of which there are none.
const IGNORED: &[&str] = &[
    "compression.type",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "max.compaction.lag.ms",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    pub(crate) retention: Retention,
    pub(crate) max_message_bytes: usize,
    /// Names of the settings that the topic's creator gave.
    given: Vec<&'static str>,
}

/// One setting as DescribeConfigs shows it.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Given for this topic; else the broker's default.
    pub(crate) given: bool,
    pub(crate) kind: SettingKind,
}

/// Kafka's numbers for the types of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettingKind {
    Text = 2,
    Integer = 3,
    Long = 5,
    List = 7,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self::with_retention(Retention::default())
    }
}

impl TopicConfig {
    pub(crate) fn with_retention(retention: Retention) -> Self {
        Self { retention, max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES, given: Vec::new() }
    }

    /// Applies one setting of a CreateTopics request.
    ///
    /// # Errors
    /// INVALID_CONFIG with a message for the client.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), (ErrorCode, String)> {
        let refuse = |why: &str| Err((ErrorCode::InvalidConfig, format!("{name}={value}: {why}")));
        let number = value.parse::<i64>();
        let given = match (name, number) {
            ("retention.ms", Ok(ms)) if ms >= -1 => {
                self.retention.ms = (ms >= 0).then_some(ms);
                "retention.ms"
            }
            ("retention.bytes", Ok(bytes)) if bytes >= -1 => {
                self.retention.bytes = u64::try_from(bytes).ok();
                "retention.bytes"
            }
            ("max.message.bytes", Ok(bytes)) if (0..=i64::from(i32::MAX)).contains(&bytes) => {
                self.max_message_bytes = bytes as usize;
                "max.message.bytes"
            }
            ("retention.ms" | "retention.bytes" | "max.message.bytes", _) => {
                return refuse("not a number in range");
            }
            ("cleanup.policy", _) if value == "delete" => "cleanup.policy",
            ("cleanup.policy", _) => return refuse("only delete is supported"),
            ("message.timestamp.type", _) if value == "CreateTime" => "message.timestamp.type",
            ("message.timestamp.type", _) => return refuse("only CreateTime is supported"),
            _ if IGNORED.contains(&name) => return Ok(()),
            _ => return refuse("unknown topic configuration"),
        };
        self.given.retain(|earlier| *earlier != given);
        self.given.push(given);
        Ok(())
    }

    pub(crate) fn settings(&self) -> Vec<Setting> {
        let retention_ms = self.retention.ms.unwrap_or(-1);
        let retention_bytes = self.retention.bytes.map_or("-1".to_owned(), |b| b.to_string());
        let setting = |name, value: String, kind| Setting {
            name,
            value,
            given: self.given.contains(&name),
            kind,
        };
        vec![
            setting("cleanup.policy", "delete".to_owned(), SettingKind::List),
            setting("max.message.bytes", self.max_message_bytes.to_string(), SettingKind::Integer),
            setting("message.timestamp.type", "CreateTime".to_owned(), SettingKind::Text),
            setting("retention.bytes", retention_bytes, SettingKind::Long),
            setting("retention.ms", retention_ms.to_string(), SettingKind::Long),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_nonsense_is_refused() {
        let mut config = TopicConfig::default();
        config.set("retention.ms", "60000").unwrap();
        config.set("retention.bytes", "-1").unwrap();
        config.set("segment.bytes", "1024").unwrap();
        assert_eq!(config.retention, Retention { bytes: None, ms: Some(60_000) });
        let given: Vec<_> = config.settings().into_iter().filter(|setting| setting.given).collect();
        assert_eq!(given.len(), 2);
        for (name, value) in [
            ("retention.ms", "-2"),
            ("retention.ms", "soon"),
            ("cleanup.policy", "compact"),
            ("max.message.bytes", "99999999999"),
            ("retention.mz", "1"),
        ] {
            assert_eq!(config.set(name, value).unwrap_err().0, ErrorCode::InvalidConfig, "{name}");
        }
    }
}
