//! The simulated payment gateway: an outside party, reached over HTTP only.
//!
//! It behaves as real ones do: slow at times, failing at times, before or after it took the money, and
//! idempotent by order. Its ledger is what the audit compares the shop's payments with.

mod domain;
mod faults;
mod http;
mod latency;

pub(crate) use self::faults::Api as ManagementApi;
pub(crate) use self::http::Api;

use std::sync::Arc;
use std::time::Duration;

use contract::process::port;

use crate::kit::health::Health;
use crate::kit::process::{Process, ProcessArgs, Routes};

const NAME: &str = "gateway";

/// Command line of the payment gateway.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Share of orders whose card is declined, 0 to 1. Which ones depends on the seed only.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub decline_rate: f64,
    /// Share of new charges answered with a server error, 0 to 1: half before the money is taken,
    /// half after.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub error_rate: f64,
    /// Share of new charges that are never answered, 0 to 1: for half of them the money is taken.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub silent_rate: f64,
    /// Share of questions about charges answered with a server error, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub query_error_rate: f64,
    /// How long after its start the gateway fails at these rates, in milliseconds; then it does no more
    /// [default: always].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    pub faults_for_ms: Option<u64>,
    /// Median time that a new charge takes, in milliseconds; 0 for none.
    #[arg(long, default_value_t = 20.0, value_parser = milliseconds)]
    pub latency_median_ms: f64,
    /// Time within which 99 of 100 new charges are answered, in milliseconds.
    #[arg(long, default_value_t = 100.0, value_parser = milliseconds)]
    pub latency_p99_ms: f64,
    /// Decides which cards are declined, which requests fail, and how long each takes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
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
    let gateway = http::Gateway::new(&args)?;
    let process = Process::begin(NAME, port::GATEWAY, &args.process, Health::without_kafka).await?;
    let (health, shutdown) = (Arc::clone(&process.health), process.shutdown.clone());
    let failures = Arc::clone(gateway.faults());
    let management = faults::routes(Arc::clone(&failures));
    let public = http::routes(gateway);
    let serving = process.serve(Routes { public, management, ..Routes::default() })?;
    health.set_ready();
    serving.announcement.print()?;
    let end_of_faults = args.faults_for_ms.map(Duration::from_millis);
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        never = failures.end(end_of_faults) => match never {},
    }
    serving.end().await;
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
