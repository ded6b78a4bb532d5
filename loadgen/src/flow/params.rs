//! What each flow can be told in its scenario's `params`.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::events::QUANTITY;
use contract::ids::ProductId;
use serde::{Deserialize, Serialize};

use super::context::Targets;
use super::http::HttpParams;
use super::shop_urls;
use super::websocket::WebsocketParams;
use crate::scenario::reader::TableReader;

/// k6's default time for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an order may take to end before a watcher gives up on it.
const END_WITHIN: Duration = Duration::from_secs(30);
/// Kafka's own limit for a topic name.
const LONGEST_TOPIC: usize = 249;
const MOST_PARTITIONS: i32 = 1024;
/// A message must carry who sent it, which it is and when.
pub(crate) const SMALLEST_MESSAGE: u32 = 32;
const LARGEST_MESSAGE: u32 = 1 << 20;
const MOST_MESSAGES: u32 = 100_000;

/// What an iteration does, and with which settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Flow {
    PlaceOrder(OrderParams),
    WatchOrder(WatchParams),
    CheckStatus(ReadParams),
    CheckInventory(InventoryParams),
    KafkaPipe(PipeParams),
    Http(HttpParams),
    Websocket(WebsocketParams),
}

/// What of the shop a flow asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    Nothing,
    Broker,
    Services,
}

/// How often to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// For one attempt, connecting included.
    pub timeout: Duration,
    /// How long to retry after connection errors, timeouts and 5xx. Zero: never.
    pub retry_for: Duration,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderParams {
    pub products: Vec<ProductId>,
    /// Pieces, from and to.
    pub quantity: [u32; 2],
    pub patience: Patience,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchParams {
    pub order: OrderParams,
    /// How long the socket stays open, counted from its opening.
    pub hold: Duration,
    /// How long the order may take to end, counted from the iteration's start.
    pub end_within: Duration,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadParams {
    pub patience: Patience,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InventoryParams {
    pub products: Vec<ProductId>,
    pub patience: Patience,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipeParams {
    /// The shard's number is appended, so that every shard accounts for its own messages.
    pub topic: String,
    pub partitions: i32,
    /// Produced by one iteration.
    pub messages: u32,
    /// Of one message's value.
    pub size_bytes: u32,
    /// How long to wait at the end for what was acknowledged and has not arrived.
    pub drain_timeout: Duration,
}

/// The names for `exec`.
pub const NAMES: [&str; 7] = [
    "place-order",
    "watch-order",
    "check-status",
    "check-inventory",
    "kafka-pipe",
    "http",
    "websocket",
];

impl Flow {
    /// Reads `exec` and the `params` that belong to it.
    /// `given` is what the phase's setup captures.
    pub(crate) fn read(reader: &mut TableReader<'_>, given: &[String]) -> Option<Self> {
        let Some(name) = reader.choice("exec", &NAMES, None) else {
            reader.tolerate_unknown_keys();
            return None;
        };
        let read = |params: &mut TableReader<'_>| match name {
            "place-order" => Self::PlaceOrder(OrderParams::read(params)),
            "watch-order" => Self::WatchOrder(WatchParams::read(params)),
            "check-status" => Self::CheckStatus(ReadParams { patience: Patience::read(params) }),
            "check-inventory" => Self::CheckInventory(InventoryParams {
                products: products(params),
                patience: Patience::read(params),
            }),
            "kafka-pipe" => Self::KafkaPipe(PipeParams::read(params)),
            "http" => Self::Http(HttpParams::read(params, given)),
            _ => Self::Websocket(WebsocketParams::read(params, given)),
        };
        if reader.has("params") {
            reader.table("params", read)
        } else {
            Some(reader.absent("params", read))
        }
    }

    #[must_use]
    pub fn needs(&self) -> Needs {
        let url = match self {
            Self::KafkaPipe(_) => return Needs::Broker,
            Self::Http(params) => return params.needs(),
            Self::Websocket(params) => shop_urls::mentions(&params.url),
            _ => true,
        };
        if url { Needs::Services } else { Needs::Nothing }
    }

    /// What the flow cannot do with the values of `env`.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn check(
        &self,
        env: &BTreeMap<String, String>,
        given: &[String],
    ) -> Result<(), String> {
        let env = shop_urls::with(env, &Targets::nowhere());
        match self {
            Self::Http(params) => params.check(&env, given),
            Self::Websocket(params) => params.check(&env, given),
            _ => Ok(()),
        }
    }

    /// The name in `exec`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::PlaceOrder(_) => NAMES[0],
            Self::WatchOrder(_) => NAMES[1],
            Self::CheckStatus(_) => NAMES[2],
            Self::CheckInventory(_) => NAMES[3],
            Self::KafkaPipe(_) => NAMES[4],
            Self::Http(_) => NAMES[5],
            Self::Websocket(_) => NAMES[6],
        }
    }
}

impl Patience {
    fn read(reader: &mut TableReader<'_>) -> Self {
        let timeout = reader.or("timeout", REQUEST_TIMEOUT);
        reader.ensure("timeout", !timeout.is_zero(), "must be longer than nothing");
        Self { timeout, retry_for: reader.or("retryFor", Duration::ZERO) }
    }
}

impl OrderParams {
    fn read(reader: &mut TableReader<'_>) -> Self {
        let products = products(reader);
        let quantity = reader.or("quantity", [1, 1]);
        let [least, most] = quantity;
        let inside = QUANTITY.contains(&least) && QUANTITY.contains(&most);
        reader.ensure("quantity", inside, "must lie between 1 and 100");
        reader.ensure("quantity", least <= most, "must name the smaller number first");
        Self { products, quantity, patience: Patience::read(reader) }
    }
}

impl WatchParams {
    fn read(reader: &mut TableReader<'_>) -> Self {
        let order = OrderParams::read(reader);
        let hold = reader.or("hold", Duration::ZERO);
        let end_within = reader.or("endWithin", END_WITHIN);
        reader.ensure("endWithin", !end_within.is_zero(), "must be longer than nothing");
        Self { order, hold, end_within }
    }
}

impl PipeParams {
    fn read(reader: &mut TableReader<'_>) -> Self {
        let topic = reader.or("topic", "doorbuster-pipe".to_owned());
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let plain = !topic.is_empty() && topic.len() < LONGEST_TOPIC && topic.chars().all(legal);
        reader.ensure("topic", plain, "is no topic name: letters, digits, `.`, `_` and `-`");
        let partitions = reader.or("partitions", contract::topics::DEFAULT_PARTITIONS);
        let allowed = (1..=MOST_PARTITIONS).contains(&partitions);
        reader.ensure("partitions", allowed, "must lie between 1 and 1024");
        let messages = reader.or("messages", 100);
        let allowed = (1..=MOST_MESSAGES).contains(&messages);
        reader.ensure("messages", allowed, "must lie between 1 and 100,000");
        let size_bytes = reader.or("sizeBytes", 300);
        let allowed = (SMALLEST_MESSAGE..=LARGEST_MESSAGE).contains(&size_bytes);
        reader.ensure("sizeBytes", allowed, "must lie between 32 and 1,048,576");
        let drain_timeout = reader.or("drainTimeout", Duration::from_secs(10));
        Self { topic, partitions, messages, size_bytes, drain_timeout }
    }
}

fn products(reader: &mut TableReader<'_>) -> Vec<ProductId> {
    let Some(names) = reader.optional::<Vec<String>>("products") else {
        return ProductId::ALL.to_vec();
    };
    reader.ensure("products", !names.is_empty(), "must name at least one product");
    let mut products = Vec::new();
    for name in names {
        match name.parse() {
            Ok(product) => products.push(product),
            Err(error) => reader.reject("products", format!("{error}")),
        }
    }
    products
}
