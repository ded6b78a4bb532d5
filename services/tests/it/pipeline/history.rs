//! What the log says, read past every service.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use contract::events::{Event, EventType};
use contract::ids::OrderId;
use contract::topics::{DEFAULT_PARTITIONS, Step, Topic};
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::RecordAndOffset;

use crate::edge::child::DEADLINE;
use crate::schemas::judge_all;

/// Keys of records that tests plant because they fit no schema.
const PLANTED: [&str; 4] = ["torn", "newer", "unknown", "large"];

/// Pause between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// All events of the shop's topics, each order's in the order of their partitions.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) orders: BTreeMap<OrderId, Vec<Event>>,
}

impl History {
    /// How many records of `event_type` stand in the log for `order`.
    pub(crate) fn count(&self, order: OrderId, event_type: EventType) -> usize {
        let events = self.orders.get(&order).into_iter().flatten();
        events.filter(|event| event.event_type() == event_type).count()
    }

    /// What the first record of a step says: the truth.
    pub(crate) fn first(&self, order: OrderId, step: Step) -> Option<&Event> {
        self.orders.get(&order)?.iter().find(|event| event.step() == step)
    }

    pub(crate) fn outcome(&self, order: OrderId, step: Step) -> Option<EventType> {
        self.first(order, step).map(Event::event_type)
    }

    /// Whether nothing more can happen to `order`.
    pub(crate) fn ended(&self, order: OrderId) -> bool {
        let has = |step| self.first(order, step).is_some();
        let rejected = self.outcome(order, Step::Inventory) == Some(EventType::InventoryRejected);
        match self.outcome(order, Step::Payment) {
            Some(EventType::PaymentCompleted) => has(Step::Shipping) && has(Step::Notification),
            Some(_) => has(Step::Release) && has(Step::Notification),
            None => rejected && has(Step::Notification),
        }
    }

    /// Records in all.
    pub(crate) fn len(&self) -> usize {
        self.orders.values().map(Vec::len).sum()
    }
}

/// Reads the log from its beginning, again and again.
pub(crate) struct Reader {
    kafka: SocketAddr,
    client: Client,
}

impl Reader {
    pub(crate) async fn at(kafka: SocketAddr) -> Self {
        Self { kafka, client: ClientBuilder::new(vec![kafka.to_string()]).build().await.unwrap() }
    }

    /// Every record of one topic.
    pub(crate) async fn records(&self, topic: &str) -> Vec<RecordAndOffset> {
        let topics = self.client.list_topics().await.unwrap();
        let Some(topic) = topics.into_iter().find(|found| found.name == topic) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for partition in topic.partitions {
            let partition =
                self.client.partition_client(&topic.name, partition, UnknownTopicHandling::Retry);
            let partition = partition.await.unwrap();
            let mut offset = 0;
            loop {
                let fetch = partition.fetch_records(offset, 1..10_000_000, 0);
                let (records, high_watermark) = fetch.await.unwrap();
                offset = records.last().map_or(high_watermark, |record| record.offset + 1);
                all.extend(records);
                if offset >= high_watermark {
                    break;
                }
            }
        }
        all
    }

    /// Where each partition of a topic ends.
    pub(crate) async fn ends(&self, topic: Topic) -> BTreeMap<i32, i64> {
        let mut ends = BTreeMap::new();
        for partition in 0..DEFAULT_PARTITIONS {
            let handling = UnknownTopicHandling::Retry;
            let log = self.client.partition_client(topic.name(), partition, handling);
            let end = log.await.unwrap().get_offset(OffsetAt::Latest).await.unwrap();
            ends.insert(partition, end);
        }
        ends
    }

    /// Looks until a topic holds a record.
    pub(crate) async fn until_some(&self, topic: &str) -> Vec<RecordAndOffset> {
        let look = async {
            loop {
                let records = self.records(topic).await;
                if !records.is_empty() {
                    return records;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(DEADLINE, look).await.expect("a record in time")
    }

    pub(crate) async fn history(&self) -> History {
        let mut history = History::default();
        for topic in Topic::ALL {
            for record in self.records(topic.name()).await {
                let Some(value) = record.record.value else { continue };
                let Ok(event) = Event::decode(None, &value) else { continue };
                history.orders.entry(event.order_id()).or_default().push(event);
            }
        }
        history
    }

    /// Looks until the log satisfies `wanted`.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&History) -> bool) -> History {
        let look = async {
            loop {
                let history = self.history().await;
                if wanted(&history) {
                    return history;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        match tokio::time::timeout(DEADLINE, look).await {
            Ok(history) => history,
            Err(_) => panic!("{what}: not in time; the log holds {:#?}", self.history().await),
        }
    }

    /// Looks until all `orders` have ended. Every record of every topic then fits its schema.
    pub(crate) async fn all_ended(&self, orders: &[OrderId]) -> History {
        let ended = |history: &History| orders.iter().all(|order| history.ended(*order));
        let history = self.until("every order ends", ended).await;
        let judged = judge_all(self.kafka, &PLANTED).await;
        assert!(judged["OrderCreated"] >= orders.len(), "{judged:?}");
        history
    }
}
