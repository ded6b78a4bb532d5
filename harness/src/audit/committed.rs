//! What the shop's groups have committed, asked of their coordinators: no code of the services is used.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, BufMut as _, BytesMut};
use contract::topics::Topic;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, OffsetFetchRequest, RequestHeader,
};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, Request, StrBytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The groups of the shop and what each consumes (specification §1.3; inventory reads payments to give
/// stock back, and the buyer is notified of a rejection too: DESIGN §4).
pub const GROUPS: [(&str, &[Topic]); 4] = [
    ("inventory-service", &[Topic::Orders, Topic::Payment]),
    ("payment-service", &[Topic::Inventory]),
    ("notification-service", &[Topic::Inventory, Topic::Payment]),
    ("shipping-service", &[Topic::Payment]),
];

/// Both are served by every Kafka since 2.0 and by Kafka 4, and have no flexible fields.
const FIND_COORDINATOR_VERSION: i16 = 2;
pub(crate) const OFFSET_FETCH_VERSION: i16 = 5;

const PATIENCE: Duration = Duration::from_secs(10);
/// Far above what a shop's groups have to tell.
const LARGEST_ANSWER_BYTES: usize = 4 << 20;

/// A group on a partition of a topic.
pub type Place = (&'static str, Topic, i32);

/// Every group on every partition that it consumes and that holds records, with the partition's end.
pub fn consumed(
    ends: &BTreeMap<(Topic, i32), i64>,
) -> impl Iterator<Item = (Place, i64)> + use<'_> {
    GROUPS.into_iter().flat_map(move |(group, topics)| {
        let consumed = ends.iter().filter(|((topic, _), _)| topics.contains(topic));
        consumed.map(move |(&(topic, partition), &end)| ((group, topic, partition), end))
    })
}

/// Committed offsets; what was never committed is not in here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commits(pub BTreeMap<Place, i64>);

impl Commits {
    /// Asks the coordinator of every group. `kafka` is `HOST:PORT`, several joined by commas.
    ///
    /// # Errors
    /// No broker answers, or not as Kafka does.
    pub async fn read(kafka: &str) -> anyhow::Result<Self> {
        let mut commits = BTreeMap::new();
        let mut bootstrap = Broker::connect_any(kafka).await?;
        for (group, _) in GROUPS {
            let mut coordinator = bootstrap.coordinator(group).await?;
            let request = OffsetFetchRequest::default()
                .with_group_id(GroupId(StrBytes::from_static_str(group)))
                .with_topics(None);
            let answer = coordinator.ask(&request, OFFSET_FETCH_VERSION).await?;
            ensure!(answer.error_code == 0, "offsets of {group}: code {}", answer.error_code);
            for of_topic in answer.topics {
                let is = |topic: &Topic| topic.name() == of_topic.name.as_str();
                let Some(topic) = Topic::ALL.into_iter().find(is) else { continue };
                for place in of_topic.partitions {
                    if place.committed_offset >= 0 {
                        let key = (group, topic, place.partition_index);
                        commits.insert(key, place.committed_offset);
                    }
                }
            }
        }
        Ok(Self(commits))
    }
}

/// The broker that keeps the offsets of `group`. `kafka` is `HOST:PORT`, several joined by commas.
///
/// # Errors
/// No broker answers, or not as Kafka does.
pub(crate) async fn coordinator(kafka: &str, group: &str) -> anyhow::Result<Broker> {
    Broker::connect_any(kafka).await?.coordinator(group).await
}

/// A connection on which one request at a time is answered.
pub(crate) struct Broker {
    address: String,
    stream: TcpStream,
}

impl Broker {
    async fn connect_any(addresses: &str) -> anyhow::Result<Self> {
        let mut last = anyhow::anyhow!("no broker is named");
        for address in addresses.split(',').map(str::trim) {
            match Self::connect(address).await {
                Ok(broker) => return Ok(broker),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect(address: &str) -> anyhow::Result<Self> {
        let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(address));
        let stream = connecting.await.map_err(anyhow::Error::from).and_then(|done| Ok(done?));
        let stream = stream.with_context(|| format!("Kafka at {address} does not answer"))?;
        stream.set_nodelay(true)?;
        Ok(Self { address: address.to_owned(), stream })
    }

    async fn coordinator(&mut self, group: &str) -> anyhow::Result<Self> {
        let key = StrBytes::from_string(group.to_owned());
        let request = FindCoordinatorRequest::default().with_key(key);
        let found = self.ask(&request, FIND_COORDINATOR_VERSION).await?;
        ensure!(found.error_code == 0, "{group} has no coordinator: code {}", found.error_code);
        Self::connect(&format!("{}:{}", found.host.as_str(), found.port)).await
    }

    pub(crate) async fn ask<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> anyhow::Result<R::Response> {
        let asking = tokio::time::timeout(PATIENCE, exchange(&mut self.stream, request, version));
        let answer = asking.await.map_err(anyhow::Error::from).flatten();
        answer.with_context(|| format!("asking Kafka at {} about a group", self.address))
    }
}

async fn exchange<R: Request>(
    stream: &mut TcpStream,
    request: &R,
    version: i16,
) -> anyhow::Result<R::Response> {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("doorbuster-audit")))
        .encode(&mut frame, R::header_version(version))?;
    request.encode(&mut frame, version)?;
    let length = u32::try_from(frame.len() - size_of::<u32>())?;
    frame[..size_of::<u32>()].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&frame).await?;
    let length = usize::try_from(stream.read_u32().await?)?;
    ensure!(length <= LARGEST_ANSWER_BYTES, "an answer of {length} bytes");
    let mut answer = BytesMut::zeroed(length);
    stream.read_exact(&mut answer).await?;
    ensure!(answer.remaining() >= size_of::<i32>(), "an answer without a header");
    answer.advance(size_of::<i32>());
    R::Response::decode(&mut answer.freeze(), version)
}
