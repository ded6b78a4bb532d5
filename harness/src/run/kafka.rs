//! A Kafka that is not ours: whether its topics are as fresh as a phase needs them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use contract::topics::Topic;
use rskafka::client::Client;
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};
use tokio::time::Instant;

use crate::audit::reader;

/// How long a Kafka may take to say that it is there.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to delete a topic.
const DELETED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Makes sure that the shop's topics are empty: old orders would be nobody's, and their stock sold
/// twice. Deletes them when `reset` says that this is wanted.
///
/// # Errors
/// Kafka does not answer; the topics are not empty and `reset` is not given; they do not go away.
pub async fn make_fresh(kafka: &str, reset: bool) -> anyhow::Result<()> {
    let client = reader::connect(kafka, PATIENCE).await?;
    if !reset {
        if let Some(topic) = first_filled(&client).await? {
            bail!(
                "topic {topic} on {kafka} holds records already; a phase needs fresh topics: \
                 --reset-topics deletes the shop's topics with all that is in them"
            );
        }
        return Ok(());
    }
    let controller = client.controller_client().context("Kafka names no controller")?;
    for topic in shop_topics(&client).await? {
        let millis = i32::try_from(DELETED_WITHIN.as_millis()).unwrap_or(i32::MAX);
        controller
            .delete_topic(&topic, millis)
            .await
            .with_context(|| format!("cannot delete topic {topic} on {kafka}"))?;
    }
    let deadline = Instant::now() + DELETED_WITHIN;
    while let Some(topic) = shop_topics(&client).await?.first() {
        if Instant::now() >= deadline {
            bail!("topic {topic} on {kafka} does not go away");
        }
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
    Ok(())
}

async fn shop_topics(client: &Client) -> anyhow::Result<Vec<String>> {
    let ours = |name: &String| {
        Topic::ALL.iter().any(|topic| [topic.name(), topic.dead_letter()].contains(&name.as_str()))
    };
    let listed = client.list_topics().await.context("Kafka does not list its topics")?;
    Ok(listed.into_iter().map(|topic| topic.name).filter(ours).collect())
}

async fn first_filled(client: &Client) -> anyhow::Result<Option<String>> {
    let listed = client.list_topics().await.context("Kafka does not list its topics")?;
    let ours = shop_topics(client).await?;
    for topic in listed.into_iter().filter(|topic| ours.contains(&topic.name)) {
        for partition in topic.partitions {
            let handling = UnknownTopicHandling::Error;
            let log = client.partition_client(&topic.name, partition, handling).await?;
            if log.get_offset(OffsetAt::Latest).await? > log.get_offset(OffsetAt::Earliest).await? {
                return Ok(Some(topic.name));
            }
        }
    }
    Ok(None)
}
