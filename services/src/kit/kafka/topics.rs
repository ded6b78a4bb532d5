//! The shop's topics: all with the same number of partitions, created by whoever comes first.

use std::time::Duration;

use anyhow::{Context, bail};
use contract::topics::Topic;
use futures_util::future::try_join_all;
use tracing::{info, warn};

use crate::kit::log::{Log, LogError};

/// Pause before the broker is looked for again, doubled up to the maximum while nobody answers.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Makes sure that every topic of the shop exists with the log's number of partitions. Waits for a broker
/// for as long as it takes: a service must outlive the outage in which it was started.
///
/// # Errors
/// When a topic has another number of partitions, or may not be created.
pub(crate) async fn ensure(log: &Log, brokers: &str) -> anyhow::Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        match create_missing(log).await {
            Ok(found) => {
                if pause > FIRST_PAUSE {
                    info!(brokers, "a Kafka broker answers");
                }
                return check(&found, log.partitions);
            }
            Err(error @ LogError::Refused(_)) => return Err(error).context("cannot create topics"),
            Err(error) => {
                if pause == FIRST_PAUSE {
                    warn!(brokers, %error, "no Kafka broker answers: waiting for one");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Creates what is missing; all topics of the shop with their partitions.
async fn create_missing(log: &Log) -> Result<Vec<(Topic, usize)>, LogError> {
    let found = shop_topics(&log.driver.topics().await?);
    if found.len() == Topic::ALL.len() {
        return Ok(found);
    }
    let missing = Topic::ALL.into_iter().filter(|topic| !found.iter().any(|(has, _)| has == topic));
    try_join_all(missing.map(|topic| log.driver.create_topic(topic.name(), log.partitions)))
        .await?;
    let found = shop_topics(&log.driver.topics().await?);
    if found.len() < Topic::ALL.len() {
        return Err(LogError::Unavailable("topics just created are not there yet".into()));
    }
    Ok(found)
}

fn shop_topics(all: &[(String, usize)]) -> Vec<(Topic, usize)> {
    let of_shop = |(name, partitions): &(String, usize)| {
        Topic::ALL.into_iter().find(|topic| topic.name() == name).map(|topic| (topic, *partitions))
    };
    all.iter().filter_map(of_shop).collect()
}

fn check(found: &[(Topic, usize)], wanted: i32) -> anyhow::Result<()> {
    let other = found.iter().find(|(_, partitions)| i32::try_from(*partitions) != Ok(wanted));
    if let Some((topic, partitions)) = other {
        bail!(
            "topic {} has {partitions} partitions, but this service was told {wanted}: every topic of \
             the shop must have the same number; use --partitions {partitions} for all services, or \
             other topics",
            topic.name()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_of_partitions_is_refused_by_name() {
        let mut found: Vec<_> = Topic::ALL.into_iter().map(|topic| (topic, 4)).collect();
        assert!(check(&found, 4).is_ok());
        found[2].1 = 3;
        let message = check(&found, 4).unwrap_err().to_string();
        assert!(message.contains("payment has 3"), "{message}");
    }
}
