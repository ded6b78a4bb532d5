//! Where records go that nobody can read: `<topic>.dead-letter`, with origin and reason.

use std::sync::Arc;
use std::time::Duration;

use contract::topics::{Topic, header};
use tracing::warn;

use super::log::{Log, LogError, PartitionLog};
use super::metrics::DEAD_LETTERS;
use super::record::Unreadable;

/// Dead letters are few: one partition keeps them in order.
const PARTITIONS: i32 = 1;

/// Pause after a failed attempt, doubled up to the maximum: the record must not be lost.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The output topic of the service that buries what nobody can read on `topic`. Several groups read the
/// same topics; one of them is enough. The last two topics have no group that reads them.
#[must_use]
pub(crate) const fn buried_by(topic: Topic) -> Option<Topic> {
    match topic {
        Topic::Orders => Some(Topic::Inventory),
        Topic::Inventory => Some(Topic::Payment),
        Topic::Payment => Some(Topic::Shipping),
        Topic::Notification | Topic::Shipping => None,
    }
}

/// Writes a dead letter, creating its topic when it is the first; tries until the log has it.
pub(crate) async fn bury(log: Log, unreadable: Unreadable) {
    let Unreadable { topic, partition, offset, reason, mut record } = unreadable;
    warn!(topic = topic.name(), partition, offset, reason, "a record goes to the dead letters");
    let origin = [
        (header::ORIGIN_TOPIC, topic.name().to_owned()),
        (header::ORIGIN_PARTITION, partition.to_string()),
        (header::ORIGIN_OFFSET, offset.to_string()),
        (header::DEAD_LETTER_REASON, reason),
    ];
    for (name, value) in origin {
        record.headers.insert(name.to_owned(), value.into_bytes());
    }
    let mut pause = FIRST_PAUSE;
    loop {
        let written = async {
            let target = open(&log, topic).await?;
            target.append(vec![record.clone()]).await
        };
        match written.await {
            Ok(_offset) => {
                DEAD_LETTERS.add_to(&[("topic", topic.name())], 1);
                return;
            }
            Err(error) => warn!(topic = topic.dead_letter(), %error, "cannot write a dead letter"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn open(log: &Log, topic: Topic) -> Result<Arc<dyn PartitionLog>, LogError> {
    let name = topic.dead_letter();
    log.driver.create_topic(name, PARTITIONS).await?;
    log.driver.open(name, 0).await
}
