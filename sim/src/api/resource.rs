//! What can be configured: a topic, this broker, or the defaults of all brokers.

use crate::broker_config::Whose;
use crate::config::{Operation, Overrides, Refusal, Shown};
use crate::core::{BROKER_ID, Core};
use crate::dispatch::Call;
use crate::error::ErrorCode;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// One resource that there is.
pub(super) enum Resource<'a> {
    Topic(&'a str),
    Broker(Whose),
}

impl<'a> Resource<'a> {
    /// # Errors
    /// No such thing.
    pub(super) fn find(core: &Core, kind: i8, name: &'a str) -> Result<Self, Refusal> {
        match kind {
            TOPIC => {
                crate::topics::check_name(name)
                    .map_err(|error| (error, format!("{name} is no legal topic name")))?;
                if core.topics.get(name).is_some() {
                    return Ok(Self::Topic(name));
                }
                let message = format!("The topic '{name}' does not exist.");
                Err((ErrorCode::UnknownTopicOrPartition, message))
            }
            BROKER if name.is_empty() => Ok(Self::Broker(Whose::AllBrokers)),
            BROKER if name == BROKER_ID.to_string() => Ok(Self::Broker(Whose::ThisBroker)),
            BROKER => {
                let message = format!("Unexpected broker id, expected {BROKER_ID} or none");
                Err((ErrorCode::InvalidRequest, message))
            }
            kind => {
                let message = format!("resources of type {kind} have no configuration here");
                Err((ErrorCode::InvalidRequest, message))
            }
        }
    }

    pub(super) fn shown(&self, core: &Core) -> Vec<Shown> {
        match self {
            Self::Topic(name) => {
                let topic = core.topics.get(name);
                topic.map(|topic| topic.config.shown(&core.config)).unwrap_or_default()
            }
            Self::Broker(Whose::ThisBroker) => core.config.shown(),
            Self::Broker(Whose::AllBrokers) => core.config.shown_defaults(),
        }
    }

    /// Alters the values given so far, or with `from_nothing` those of a resource that has none.
    pub(super) fn alter(
        &self,
        core: &mut Core,
        call: &Call<'_>,
        changes: &[(String, Operation)],
        (from_nothing, validate_only): (bool, bool),
    ) -> Result<(), Refusal> {
        match self {
            Self::Topic(name) => {
                let topic = core.topics.get(name).ok_or_else(|| {
                    (ErrorCode::UnknownTopicOrPartition, format!("no topic {name}"))
                })?;
                let given = if from_nothing {
                    crate::topic_config::altered(&Overrides::new(), changes, &core.config)?
                } else {
                    topic.config.altered(changes, &core.config)?
                };
                if !validate_only {
                    core.set_topic_config(name, given, call.now)
                        .map_err(|error| (error, format!("{name} could not be altered")))?;
                }
            }
            Self::Broker(whose) => {
                let mut given = core.config.altered(*whose, changes)?;
                if from_nothing {
                    given.retain(|name, _| changes.iter().any(|(changed, _)| changed == name));
                }
                if !validate_only {
                    core.set_broker_config(*whose, given, call.now);
                }
            }
        }
        Ok(())
    }
}
