//! The shop's topics: all with the same number of partitions, created by whoever comes first.

use std::time::Duration;

use anyhow::{Context, bail};
use contract::topics::Topic;
use futures_util::future::try_join_all;

use crate::kit::log::{Log, LogError};

/// How long a service looks for its broker at the start before it gives up.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes sure that every topic of the shop exists with the log's number of partitions.
///
/// # Errors
/// When no broker answers within [`START_PATIENCE`], or a topic has another number of partitions.
pub(crate) async fn ensure(log: &Log, brokers: &str) -> anyhow::Result<()> {
    let deadline = log.clock.monotonic() + START_PATIENCE;
    loop {
        match create_missing(log).await {
            Ok(found) => return check(&found, log.partitions),
            Err(error @ LogError::Refused(_)) => return Err(error).context("cannot create topics"),
            Err(error) if log.clock.monotonic() >= deadline => {
                bail!("no Kafka broker answers at {brokers}: {error}");
            }
            Err(_unavailable) => tokio::time::sleep(PAUSE).await,
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
