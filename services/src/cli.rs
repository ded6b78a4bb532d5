//! The command line of the services.

use std::path::PathBuf;
use std::time::Duration;

pub use crate::gateway::Args as GatewayArgs;
pub use crate::inventory::Args as InventoryArgs;
pub use crate::kit::http::EdgeArgs;
pub use crate::kit::postgres::DatabaseArgs;
pub use crate::kit::process::ProcessArgs;
pub use crate::kit::replay::ReplayArgs;
pub use crate::kit::snapshot::keeper::SnapshotArgs;
pub use crate::notification::Args as NotificationArgs;
pub use crate::order::Args as OrderArgs;
pub use crate::payment::Args as PaymentArgs;
pub use crate::shipping::Args as ShippingArgs;
pub use crate::status::Args as StatusArgs;

/// Which service this process is.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum ServiceCommand {
    /// Takes orders over HTTP.
    Order(OrderArgs),
    /// Reserves stock for orders; tells the stock over HTTP.
    Inventory(InventoryArgs),
    /// Charges reserved orders at the payment gateway.
    Payment(PaymentArgs),
    /// Tells buyers how their orders ended.
    Notification(NotificationArgs),
    /// Ships paid orders.
    Shipping(ShippingArgs),
    /// Tells where orders stand, over HTTP and WebSockets.
    Status(StatusArgs),
    /// The simulated payment gateway.
    Gateway(GatewayArgs),
}

/// What every service around the log is told.
#[derive(Debug, Clone, clap::Args)]
pub struct CommonArgs {
    /// Kafka brokers to start from, HOST:PORT, separated by commas.
    #[arg(long, env = "KAFKA_BROKER", default_value = "127.0.0.1:9092", value_delimiter = ',')]
    pub kafka: Vec<String>,
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Folder for what must outlive the process (orders that wait for Kafka, snapshots): each instance
    /// uses SERVICE-INSTANCE in it.
    #[arg(long, env = "DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,
    /// Partitions that each topic has.
    #[arg(long, env = "PARTITIONS", default_value_t = contract::topics::DEFAULT_PARTITIONS,
          value_parser = clap::value_parser!(i32).range(1..=MAX_PARTITIONS))]
    pub partitions: i32,
    /// Which instance of its service this is: a restart under the same name takes its work back at once.
    #[arg(long, env = "INSTANCE", default_value = "1")]
    pub instance: String,
    /// How long a member of a group may be silent before others get its work, in milliseconds.
    #[arg(long, env = "SESSION_TIMEOUT_MS", default_value_t = DEFAULT_SESSION_TIMEOUT_MS,
          value_parser = clap::value_parser!(u64).range(1_000..=1_800_000))]
    pub session_timeout_ms: u64,
    /// How long records may gather before they are fetched together, in milliseconds.
    #[arg(long, env = "FETCH_LINGER_MS", default_value_t = DEFAULT_FETCH_LINGER_MS)]
    pub fetch_linger_ms: u64,
    #[command(flatten)]
    pub snapshots: SnapshotArgs,
    #[command(flatten)]
    pub replays: ReplayArgs,
}

/// More partitions than this is a typing error: each costs every service a connection per topic.
const MAX_PARTITIONS: i64 = 1_000;

/// Ten milliseconds at each of the four hops from order to shipment add 20 ms on average and 40 at
/// worst, and let one fetch bring several records where each would otherwise cost a round trip.
const DEFAULT_FETCH_LINGER_MS: u64 = 10;

/// A restart is much faster, and takes its place back under the same instance name.
const DEFAULT_SESSION_TIMEOUT_MS: u64 = 10_000;

impl CommonArgs {
    #[must_use]
    pub const fn session_timeout(&self) -> Duration {
        Duration::from_millis(self.session_timeout_ms)
    }

    /// Where this instance of `service` keeps what must outlive it.
    #[must_use]
    pub fn state_dir(&self, service: &str) -> PathBuf {
        self.data_dir.join(format!("{service}-{}", self.instance))
    }

    #[must_use]
    pub const fn fetch_linger(&self) -> Duration {
        Duration::from_millis(self.fetch_linger_ms)
    }
}
