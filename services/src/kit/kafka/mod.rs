//! The log over the Kafka protocol: rskafka moves the records, [`group`] gives membership. Nothing
//! outside this folder names the crates that speak to Kafka.

pub(crate) mod assignor;
pub(crate) mod group;
pub(crate) mod membership;
pub(crate) mod partition;
pub(crate) mod topics;
pub(crate) mod transport;
pub(crate) mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::UnknownTopicHandling;
use rskafka::client::{Client, ClientBuilder};
use tokio::sync::Mutex;

use super::log::{ByteTransport, Driver, LogError, PartitionLog};
use partition::RskafkaPartition;

/// How long connecting, asking for metadata or creating a topic may take: rskafka itself would wait
/// for ever.
const REQUEST_PATIENCE: Duration = Duration::from_secs(3);

/// How long the broker may take to create a topic.
const CREATE_TOPIC_TIMEOUT_MS: i32 = 2_000;

/// Single-broker clusters have no second copy to keep; larger ones set their default by
/// creating the topics themselves beforehand.
const REPLICATION_FACTOR: i16 = 1;

/// One Kafka cluster.
pub(crate) struct KafkaDriver {
    brokers: Vec<String>,
    client_id: &'static str,
    client: Mutex<Option<Arc<Client>>>,
}

impl KafkaDriver {
    /// Connects when it is first used. `client_id` names the service in the broker's logs.
    pub(crate) fn new(brokers: Vec<String>, client_id: &'static str) -> Self {
        Self { brokers, client_id, client: Mutex::new(None) }
    }

    /// The client that all partitions start from.
    async fn client(&self) -> Result<Arc<Client>, LogError> {
        let mut slot = self.client.lock().await;
        if let Some(client) = &*slot {
            return Ok(Arc::clone(client));
        }
        let builder = ClientBuilder::new(self.brokers.clone())
            .client_id(self.client_id)
            .backoff_config(backoff());
        let client = within(REQUEST_PATIENCE, builder.build()).await?;
        Ok(Arc::clone(slot.insert(Arc::new(client))))
    }

    /// Runs `request` on the client; one that got no answer is not used again.
    async fn ask<T, F>(&self, request: impl FnOnce(Arc<Client>) -> F) -> Result<T, LogError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let client = self.client().await?;
        let answer = within(REQUEST_PATIENCE, request(Arc::clone(&client))).await;
        if let Err(LogError::TimedOut(_) | LogError::Unavailable(_)) = &answer {
            let mut slot = self.client.lock().await;
            if slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, &client)) {
                *slot = None;
            }
        }
        answer
    }
}

impl Driver for KafkaDriver {
    fn open<'a>(
        &'a self,
        topic: &'a str,
        partition: i32,
    ) -> BoxFuture<'a, Result<Arc<dyn PartitionLog>, LogError>> {
        let open = move |client: Arc<Client>| async move {
            client.partition_client(topic, partition, UnknownTopicHandling::Error).await
        };
        async move {
            let client = self.ask(open).await?;
            Ok(Arc::new(RskafkaPartition::new(client)) as Arc<dyn PartitionLog>)
        }
        .boxed()
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<(String, usize)>, LogError>> {
        async move {
            let topics = self.ask(|client| async move { client.list_topics().await }).await?;
            Ok(topics.into_iter().map(|topic| (topic.name, topic.partitions.len())).collect())
        }
        .boxed()
    }

    fn create_topic<'a>(
        &'a self,
        topic: &'a str,
        partitions: i32,
    ) -> BoxFuture<'a, Result<(), LogError>> {
        let create = move |client: Arc<Client>| async move {
            let controller = client.controller_client()?;
            let created = controller
                .create_topic(topic, partitions, REPLICATION_FACTOR, CREATE_TOPIC_TIMEOUT_MS)
                .await;
            match created {
                Err(Error::ServerError {
                    protocol_error: ProtocolError::TopicAlreadyExists,
                    ..
                }) => Ok(()),
                other => other,
            }
        };
        self.ask(create).boxed()
    }

    fn connect<'a>(
        &'a self,
        address: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn ByteTransport>, LogError>> {
        async move {
            let addresses: Vec<&str> = match address {
                Some(address) => vec![address],
                None => self.brokers.iter().map(String::as_str).collect(),
            };
            let transport = transport::TcpTransport::connect(&addresses).await;
            let transport = transport.map_err(|error| LogError::Unavailable(error.to_string()))?;
            Ok(Box::new(transport) as Box<dyn ByteTransport>)
        }
        .boxed()
    }
}

/// Short pauses and an end: rskafka's own defaults grow to minutes and never give up.
fn backoff() -> BackoffConfig {
    BackoffConfig {
        init_backoff: Duration::from_millis(50),
        max_backoff: Duration::from_secs(1),
        base: 2.0,
        deadline: Some(Duration::from_secs(2)),
    }
}

/// Gives `request` a limited time, and its errors our meaning.
async fn within<T>(
    patience: Duration,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, LogError> {
    match tokio::time::timeout(patience, request).await {
        Ok(answer) => answer.map_err(translate),
        Err(_elapsed) => Err(LogError::TimedOut(patience)),
    }
}

/// What an error of rskafka means to us: whether trying again can help.
fn translate(error: Error) -> LogError {
    match &error {
        Error::ServerError { protocol_error, .. } => match protocol_error {
            ProtocolError::OffsetOutOfRange => LogError::OffsetOutOfRange,
            ProtocolError::MessageTooLarge
            | ProtocolError::InvalidRecord
            | ProtocolError::InvalidTimestamp
            | ProtocolError::RecordListTooLarge
            | ProtocolError::InvalidTopicException
            | ProtocolError::InvalidPartitions
            | ProtocolError::TopicAuthorizationFailed
            | ProtocolError::ClusterAuthorizationFailed
            | ProtocolError::PolicyViolation => LogError::Refused(error.to_string()),
            _ => LogError::Unavailable(error.to_string()),
        },
        _ => LogError::Unavailable(error.to_string()),
    }
}
