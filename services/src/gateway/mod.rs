//! The simulated payment gateway: an outside party, reached over HTTP only.
//!
//! It behaves as real ones do: slow at times, failing at times, before or after it took the money, and
//! idempotent by order. Its ledger is what the audit compares the shop's payments with.

mod domain;
mod http;
mod latency;

use anyhow::Context;

use crate::kit::clock::Clock;
use crate::kit::health::Health;
use crate::kit::http::{bind, router, serve};
use crate::kit::process::print_ready;
use crate::kit::shutdown::Shutdown;

const NAME: &str = "gateway";

/// Command line of the payment gateway.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Address to listen on.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on; 0 picks a free one.
    #[arg(long, env = "PORT", default_value_t = contract::process::port::GATEWAY)]
    pub port: u16,
    /// Share of orders whose card is declined, 0 to 1. Which ones depends on the seed only.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub decline_rate: f64,
    /// Share of new charges answered with a server error, 0 to 1: half before the money is taken,
    /// half after.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub error_rate: f64,
    /// Median time that a new charge takes, in milliseconds; 0 for none.
    #[arg(long, default_value_t = 20.0, value_parser = milliseconds)]
    pub latency_median_ms: f64,
    /// Time within which 99 of 100 new charges are answered, in milliseconds.
    #[arg(long, default_value_t = 100.0, value_parser = milliseconds)]
    pub latency_p99_ms: f64,
    /// Decides which cards are declined, which requests fail, and how long each takes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Stop when standard input closes.
    #[arg(long)]
    pub exit_with_parent: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("not between 0 and 1".to_owned()) }
}

/// The longest time that a charge can be made to take.
const MAX_LATENCY_MS: f64 = 60_000.0;

fn milliseconds(text: &str) -> Result<f64, String> {
    let milliseconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=MAX_LATENCY_MS).contains(&milliseconds) {
        Ok(milliseconds)
    } else {
        Err(format!("not between 0 and {MAX_LATENCY_MS}"))
    }
}

/// Serves charges until told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let clock = Clock::system();
    let shutdown = Shutdown::install(args.exit_with_parent)?;
    let listener = bind(&args.host, args.port).await?;
    let address = listener.local_addr().context("the listener has no address")?;
    let health = Health::without_kafka(NAME, clock.clone());
    let routes = http::routes(http::Gateway::new(&args)?);
    health.set_ready();
    print_ready(NAME, address)?;
    serve(listener, router(health, routes), clock, shutdown).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_their_bounds() {
        assert_eq!(share("0.02"), Ok(0.02));
        for wrong in ["-0.1", "1.1", "NaN", "some"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        assert_eq!(milliseconds("20"), Ok(20.0));
        for wrong in ["-1", "60001", "inf", "20ms"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
    }
}
