//! The broker's own configuration, under Kafka's names: what topics fall back to, what groups and
//! producers are held to, and what tools expect to see.

use crate::config::{
    Alterable, Operation, Overrides, Refusal, Rule, Shown, Source, Synonym, alter,
};
use crate::error::ErrorCode;

mod settings;

pub(crate) use settings::{BROKER_SETTINGS, BrokerSetting, CLEANUP, COMPRESSION, Scope, TIMESTAMP};

/// Whose dynamic configuration: that of this broker, or the default of all brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    ThisBroker,
    AllBrokers,
}

/// Values in the order of their strength: dynamic ones of this broker, dynamic defaults, those that
/// the broker was started with, Kafka's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerConfig {
    dynamic: Overrides,
    dynamic_default: Overrides,
    fixed: Overrides,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        let ours =
            |setting: &'static BrokerSetting| setting.here.map(|value| (setting.name, value));
        let fixed = BROKER_SETTINGS.iter().filter_map(ours);
        Self {
            dynamic: Overrides::new(),
            dynamic_default: Overrides::new(),
            fixed: fixed.map(|(name, value)| (name, value.to_owned())).collect(),
        }
    }
}

impl BrokerConfig {
    /// Gives a setting the value that this broker is started with.
    ///
    /// # Errors
    /// An unknown setting, or a value that does not fit.
    pub(crate) fn start_with(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let setting = find(name)?;
        if setting.scope == Scope::ByOption {
            let message = format!("{name} follows from the broker's own options");
            return Err((ErrorCode::InvalidConfig, message));
        }
        self.state(setting.name, value)
    }

    /// States a value that follows from an option of the broker.
    ///
    /// # Errors
    /// An unknown setting, or a value that does not fit.
    pub(crate) fn state(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let setting = find(name)?;
        let value = setting.rule.check(name, value)?;
        // Whoever says hours does not mean the milliseconds that are our default.
        if let Some(finest) = setting.coarser_than {
            self.fixed.remove(finest);
        }
        self.fixed.insert(setting.name, value);
        Ok(())
    }

    /// The value that holds; None where there is none.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let setting = BROKER_SETTINGS.iter().find(|setting| setting.name == name)?;
        self.layers(setting).next().map(|(_, value)| value)
    }

    /// A value as a number: 0 where there is none, which no table row of a number leaves out.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.value(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }

    fn layers(&self, setting: &'static BrokerSetting) -> impl Iterator<Item = (Source, &str)> {
        let given = [
            (Source::DynamicBroker, &self.dynamic),
            (Source::DynamicDefaultBroker, &self.dynamic_default),
            (Source::StaticBroker, &self.fixed),
        ];
        given
            .into_iter()
            .filter_map(|(source, values)| Some((source, values.get(setting.name)?.as_str())))
            .chain(setting.default.map(|value| (Source::Default, value)))
    }

    /// The places that name a value for any of these settings; those of the strongest source first.
    /// Of what is nowhere given only the first has a default to show, as in Kafka.
    pub(crate) fn synonyms(&self, names: &[&str]) -> Vec<Synonym> {
        let first = names.first().copied();
        let settings = names
            .iter()
            .filter_map(|name| BROKER_SETTINGS.iter().find(|setting| setting.name == *name));
        let mut all: Vec<Synonym> = settings
            .flat_map(|setting| {
                let synonym = |(source, value): (Source, &str)| Synonym {
                    name: setting.name,
                    value: value.to_owned(),
                    source,
                };
                self.layers(setting).map(synonym)
            })
            .collect();
        all.retain(|synonym| synonym.source != Source::Default || Some(synonym.name) == first);
        all.sort_by_key(|synonym| synonym.source as i8);
        all
    }

    /// What changes of dynamic settings would lead to.
    ///
    /// # Errors
    /// Settings that are unknown or fixed at start, and values that do not fit.
    pub(crate) fn altered(
        &self,
        whose: Whose,
        changes: &[(String, Operation)],
    ) -> Result<Overrides, Refusal> {
        // To Kafka, a broker's setting that does not fit is a request that does not.
        let unsound = |(_, why): Refusal| (ErrorCode::InvalidRequest, why);
        let altered = alter(self.given(whose), changes, |name| {
            let setting = find(name)?;
            if setting.scope != Scope::Dynamic {
                let message = format!("Cannot update these configs dynamically: {name}");
                return Err((ErrorCode::InvalidRequest, message));
            }
            let default = self.layers(setting).find(|(source, _)| *source != Source::DynamicBroker);
            let default = default.map(|(_, value)| value.to_owned());
            Ok(Alterable { name: setting.name, rule: setting.rule, default })
        });
        altered.map_err(unsound)
    }

    pub(crate) fn given(&self, whose: Whose) -> &Overrides {
        match whose {
            Whose::ThisBroker => &self.dynamic,
            Whose::AllBrokers => &self.dynamic_default,
        }
    }

    /// Takes dynamic settings over, as [`BrokerConfig::altered`] made them.
    pub(crate) fn set(&mut self, whose: Whose, given: Overrides) {
        match whose {
            Whose::ThisBroker => self.dynamic = given,
            Whose::AllBrokers => self.dynamic_default = given,
        }
    }

    /// Everything, as DescribeConfigs shows this broker.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        BROKER_SETTINGS
            .iter()
            .map(|setting| {
                let names = settings::with_coarser(setting.name);
                let synonyms = self.synonyms(&names);
                let value = self.value(setting.name).map(str::to_owned);
                show(setting, value, synonyms)
            })
            .collect()
    }

    /// The dynamic defaults of all brokers, as DescribeConfigs shows the broker without a name.
    pub(crate) fn shown_defaults(&self) -> Vec<Shown> {
        let given = BROKER_SETTINGS.iter().filter_map(|setting| {
            let value = self.dynamic_default.get(setting.name)?.clone();
            let synonym = Synonym {
                name: setting.name,
                value: value.clone(),
                source: Source::DynamicDefaultBroker,
            };
            Some(show(setting, Some(value), vec![synonym]))
        });
        given.collect()
    }
}

fn show(setting: &'static BrokerSetting, value: Option<String>, synonyms: Vec<Synonym>) -> Shown {
    Shown {
        name: setting.name,
        value: value.filter(|_| setting.rule != Rule::Password),
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        read_only: setting.scope != Scope::Dynamic,
        rule: setting.rule,
        documentation: setting.documentation,
        synonyms,
    }
}

fn find(name: &str) -> Result<&'static BrokerSetting, Refusal> {
    BROKER_SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .ok_or_else(|| (ErrorCode::InvalidConfig, format!("unknown broker configuration {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_fits_its_own_rule_and_names_are_in_order() {
        for setting in BROKER_SETTINGS {
            for value in [setting.default, setting.here].into_iter().flatten() {
                assert_eq!(setting.rule.check(setting.name, value).as_deref(), Ok(value));
            }
            if matches!(setting.rule, Rule::Integer(..) | Rule::Long(..)) {
                let optional = setting.name.ends_with(".ms") || setting.name.ends_with(".minutes");
                assert!(setting.default.is_some() || optional, "{}", setting.name);
            }
        }
        assert!(BROKER_SETTINGS.is_sorted_by_key(|setting| setting.name));
    }

    #[test]
    fn the_strongest_source_holds() {
        let mut config = BrokerConfig::default();
        let holds = |config: &BrokerConfig| {
            let shown = config.shown();
            let setting = shown.into_iter().find(|setting| setting.name == "message.max.bytes");
            let setting = setting.unwrap();
            (setting.value.unwrap(), setting.source, setting.synonyms.len())
        };
        assert_eq!(holds(&config), ("1048588".to_owned(), Source::Default, 1));
        config.start_with("message.max.bytes", "10").unwrap();
        assert_eq!(holds(&config), ("10".to_owned(), Source::StaticBroker, 2));
        for (whose, value, source) in [
            (Whose::AllBrokers, "20", Source::DynamicDefaultBroker),
            (Whose::ThisBroker, "30", Source::DynamicBroker),
        ] {
            let change = [("message.max.bytes".to_owned(), Operation::Set(value.to_owned()))];
            let given = config.altered(whose, &change).unwrap();
            config.set(whose, given);
            assert_eq!((holds(&config).0.as_str(), holds(&config).1), (value, source));
        }
        assert_eq!(config.shown_defaults().len(), 1);
    }

    #[test]
    fn what_is_fixed_at_start_cannot_be_altered() {
        let mut config = BrokerConfig::default();
        let change = [("num.partitions".to_owned(), Operation::Set("3".to_owned()))];
        let refused = config.altered(Whose::ThisBroker, &change).unwrap_err();
        assert_eq!(refused.0, ErrorCode::InvalidRequest);
        assert!(config.start_with("num.partitions", "0").is_err());
        assert!(config.start_with("node.id", "7").is_err());
        assert!(config.start_with("no.such.thing", "7").is_err());
        config.start_with("num.partitions", "7").unwrap();
        assert_eq!(config.number("num.partitions"), 7);
    }
}
