//! The command line of the order service.

use std::time::Duration;

use crate::cli::CommonArgs;
use crate::kit::breaker::BreakerSettings;
use crate::kit::http::EdgeArgs;
use crate::order::queue::QueueSettings;

/// Command line of the order service.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Orders a minute from one client address; 0 for no limit.
    #[arg(long, env = "ORDER_LIMIT", default_value_t = 10)]
    pub order_limit: u32,
    #[command(flatten)]
    pub away: AwayArgs,
    #[command(flatten)]
    pub edge: EdgeArgs,
}

/// What happens while Kafka is away.
#[derive(Debug, Clone, clap::Args)]
pub struct AwayArgs {
    /// How long an order may wait for Kafka before it goes to the local queue, in milliseconds.
    #[arg(long, env = "PUBLISH_TIMEOUT_MS", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(1..=9_000))]
    pub publish_timeout_ms: u64,
    /// Orders in a row that Kafka does not take before no order waits for it any more.
    #[arg(long, env = "BREAKER_MAX_FAILURES", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub breaker_max_failures: u32,
    /// How long it then takes until one order tries Kafka again, in milliseconds.
    #[arg(long, env = "BREAKER_RESET_MS", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub breaker_reset_ms: u64,
    /// Orders that the local queue holds at most.
    #[arg(long, env = "QUEUE_MAX_ORDERS", default_value_t = 1_000_000)]
    pub queue_max_orders: u64,
    /// Bytes that the local queue takes on disk at most.
    #[arg(long, env = "QUEUE_MAX_BYTES", default_value_t = 512 * 1024 * 1024)]
    pub queue_max_bytes: u64,
}

impl AwayArgs {
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_millis(self.publish_timeout_ms)
    }

    pub(crate) const fn breaker(&self) -> BreakerSettings {
        BreakerSettings {
            max_failures: self.breaker_max_failures,
            reset_timeout: Duration::from_millis(self.breaker_reset_ms),
        }
    }

    pub(crate) const fn queue(&self) -> QueueSettings {
        QueueSettings { max_orders: self.queue_max_orders, max_bytes: self.queue_max_bytes }
    }
}
