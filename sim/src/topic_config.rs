//! Topic configuration: what was given for a topic, and what holds for it, since a setting that was
//! not given follows the broker's, now and whenever that changes.

use crate::broker_config::BrokerConfig;
use crate::config::{
    Alterable, Operation, Overrides, Refusal, Shown, Source, Synonym, alter, items,
};
use crate::error::ErrorCode;
use crate::log::Retention;

mod settings;

use settings::{TOPIC_SETTINGS, TopicSetting};

/// Whose clock the timestamps of a topic come from, and how far they may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamps {
    /// The broker's; else the producer's.
    pub(crate) log_append_time: bool,
    pub(crate) before_max_ms: i64,
    pub(crate) after_max_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    /// What may be removed; nothing of a topic that is only compacted.
    pub(crate) retention: Retention,
    pub(crate) max_message_bytes: usize,
    pub(crate) timestamps: Timestamps,
    /// Whether `cleanup.policy` has `delete`.
    pub(crate) deletes: bool,
    /// Whether `cleanup.policy` has `compact`: every record needs a key.
    pub(crate) compacts: bool,
    pub(crate) segment_bytes: u64,
    given: Overrides,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self::new(Overrides::new(), &BrokerConfig::default())
    }
}

impl TopicConfig {
    /// The configuration of a topic that was given these values, which [`TopicConfig::altered`]
    /// made or a journal kept.
    pub(crate) fn new(given: Overrides, broker: &BrokerConfig) -> Self {
        let value = |name| value(name, &given, broker).unwrap_or_default();
        let number = |name| value(name).parse::<i64>().unwrap_or(-1);
        let policy = value("cleanup.policy");
        let deletes = items(&policy).any(|item| item == "delete");
        let limit = |name| Some(number(name)).filter(|limit| deletes && *limit >= 0);
        Self {
            retention: Retention {
                bytes: limit("retention.bytes").map(i64::unsigned_abs),
                ms: limit("retention.ms"),
            },
            max_message_bytes: usize::try_from(number("max.message.bytes")).unwrap_or(0),
            timestamps: Timestamps {
                log_append_time: value("message.timestamp.type") == "LogAppendTime",
                before_max_ms: number("message.timestamp.before.max.ms"),
                after_max_ms: number("message.timestamp.after.max.ms"),
            },
            deletes,
            compacts: items(&policy).any(|item| item == "compact"),
            segment_bytes: number("segment.bytes").unsigned_abs(),
            given,
        }
    }

    /// What changes would lead to.
    ///
    /// # Errors
    /// INVALID_CONFIG with a message for the client.
    pub(crate) fn altered(
        &self,
        changes: &[(String, Operation)],
        broker: &BrokerConfig,
    ) -> Result<Overrides, Refusal> {
        altered(&self.given, changes, broker)
    }

    /// The values given for this topic.
    pub(crate) fn given(&self) -> &Overrides {
        &self.given
    }

    /// Everything, as DescribeConfigs shows it.
    pub(crate) fn shown(&self, broker: &BrokerConfig) -> Vec<Shown> {
        TOPIC_SETTINGS.iter().map(|setting| self.show(setting, broker)).collect()
    }

    fn show(&self, setting: &'static TopicSetting, broker: &BrokerConfig) -> Shown {
        let given = self.given.get(setting.name).map(|value| Synonym {
            name: setting.name,
            value: value.clone(),
            source: Source::Topic,
        });
        let names: Vec<&str> = setting.follows.iter().map(|(name, _)| *name).collect();
        let synonyms: Vec<Synonym> = given.into_iter().chain(broker.synonyms(&names)).collect();
        Shown {
            name: setting.name,
            value: value(setting.name, &self.given, broker),
            source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
            read_only: false,
            rule: setting.rule,
            documentation: setting.documentation,
            synonyms,
        }
    }
}

/// The values of a new topic.
///
/// # Errors
/// INVALID_CONFIG with a message for the client.
pub(crate) fn altered(
    given: &Overrides,
    changes: &[(String, Operation)],
    broker: &BrokerConfig,
) -> Result<Overrides, Refusal> {
    alter(given, changes, |name| {
        let setting = find(name)?;
        let default = value(setting.name, &Overrides::new(), broker);
        Ok(Alterable { name: setting.name, rule: setting.rule, default })
    })
}

fn find(name: &str) -> Result<&'static TopicSetting, Refusal> {
    TOPIC_SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .ok_or_else(|| (ErrorCode::InvalidConfig, format!("Unknown topic config name: {name}")))
}

/// What holds: the given value, else the broker's in the setting's own unit.
fn value(name: &str, given: &Overrides, broker: &BrokerConfig) -> Option<String> {
    if let Some(value) = given.get(name) {
        return Some(value.clone());
    }
    let setting = TOPIC_SETTINGS.iter().find(|setting| setting.name == name)?;
    if setting.follows.is_empty() {
        return Some(setting.default.to_owned());
    }
    let units = setting.follows.iter();
    let mut found = units.filter_map(|(name, unit)| {
        let value = broker.value(name)?;
        match unit {
            1 => Some(value.to_owned()),
            unit => Some(in_units(value, *unit)),
        }
    });
    found.next()
}

/// A negative number means "no limit" in every unit.
fn in_units(value: &str, unit: i64) -> String {
    let number = value.parse::<i64>().unwrap_or(-1);
    if number < 0 { number.to_string() } else { number.saturating_mul(unit).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker_config::BrokerSetting;

    fn altered_by(name: &str, value: &str) -> Result<TopicConfig, ErrorCode> {
        let broker = BrokerConfig::default();
        let changes = [(name.to_owned(), Operation::Set(value.to_owned()))];
        let given =
            TopicConfig::default().altered(&changes, &broker).map_err(|(error, _)| error)?;
        Ok(TopicConfig::new(given, &broker))
    }

    #[test]
    fn settings_are_read_and_nonsense_is_refused() {
        let config = altered_by("retention.ms", "60000").unwrap();
        assert_eq!(config.retention, Retention { bytes: None, ms: Some(60_000) });
        let config = altered_by("message.timestamp.type", "LogAppendTime").unwrap();
        assert!(config.timestamps.log_append_time);
        let config = altered_by("cleanup.policy", "compact").unwrap();
        assert!(config.compacts && !config.deletes);
        for (name, value) in [
            ("retention.ms", "-2"),
            ("retention.ms", "soon"),
            ("cleanup.policy", "compact,shrink"),
            ("max.message.bytes", "99999999999"),
            ("retention.mz", "1"),
        ] {
            assert_eq!(altered_by(name, value), Err(ErrorCode::InvalidConfig), "{name}");
        }
    }

    #[test]
    fn what_is_not_given_follows_the_broker_in_its_own_unit() {
        let mut broker = BrokerConfig::default();
        broker.start_with("log.retention.hours", "2").unwrap();
        broker.start_with("message.max.bytes", "77").unwrap();
        let config = TopicConfig::new(Overrides::new(), &broker);
        assert_eq!(config.retention.ms, Some(7_200_000));
        assert_eq!(config.max_message_bytes, 77);
        let shown = config.shown(&broker);
        let shown = shown.iter().find(|setting| setting.name == "retention.ms").unwrap();
        assert_eq!((shown.value.as_deref(), shown.source), (Some("7200000"), Source::StaticBroker));
        assert_eq!(shown.synonyms[0].name, "log.retention.hours");
        broker.start_with("log.retention.minutes", "-1").unwrap();
        assert_eq!(TopicConfig::new(Overrides::new(), &broker).retention.ms, None);
    }

    #[test]
    fn retention_leaves_a_topic_alone_that_is_only_compacted() {
        let broker = BrokerConfig::default();
        let given = Overrides::from([("retention.ms", "5".to_owned())]);
        let both = |policy: &str| {
            let mut given = given.clone();
            given.insert("cleanup.policy", policy.to_owned());
            TopicConfig::new(given, &broker).retention.ms
        };
        assert_eq!((both("compact"), both("compact,delete")), (None, Some(5)));
    }

    #[test]
    fn every_setting_follows_what_there_is_and_has_a_sound_default() {
        let config = TopicConfig::default();
        for setting in TOPIC_SETTINGS {
            let value = value(setting.name, &Overrides::new(), &BrokerConfig::default());
            let value = value.unwrap_or_else(|| panic!("{} has no value", setting.name));
            assert_eq!(setting.rule.check(setting.name, &value).as_ref(), Ok(&value));
            let rule = |name| find_broker(name).map(|broker| broker.rule.kind());
            assert!(
                setting.follows.iter().all(|(name, _)| rule(name).is_some()),
                "{}",
                setting.name
            );
        }
        assert!(TOPIC_SETTINGS.is_sorted_by_key(|setting| setting.name));
        assert_eq!(config.shown(&BrokerConfig::default()).len(), TOPIC_SETTINGS.len());
    }

    fn find_broker(name: &str) -> Option<&'static BrokerSetting> {
        crate::broker_config::BROKER_SETTINGS.iter().find(|setting| setting.name == name)
    }
}
