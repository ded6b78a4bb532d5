//! Payment: charges confirmed orders at the gateway. Instances share the partitions.

mod charge;
mod domain;
mod gateway;

use std::time::Duration;

use contract::Timestamp;
use contract::events::Event;
use contract::process::port;
use contract::topics::Topic;
use futures_util::FutureExt;
use tracing::error;

use self::domain::{Payments, payment};
use self::gateway::Gateway;
use crate::cli::CommonArgs;
use crate::kit::clock::Clock;
use crate::kit::kafka::assignor::Sharing;
use crate::kit::log::Received;
use crate::kit::process::Routes;
use crate::kit::publisher::PublisherSettings;
use crate::kit::service;
use crate::kit::snapshot::State;
use crate::kit::worker::{Decision, Domain, WorkerSettings};

/// Charges at once: eight times what 1,000 orders a second keep open at 30 ms each.
const MAX_IN_FLIGHT: usize = 256;

/// The gateway's answers come one by one: a short wait lets a few of them share a request.
const PUBLISH_LINGER: Duration = Duration::from_millis(4);

/// The command line of the payment service.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Where the payment gateway is.
    #[arg(long, env = "GATEWAY_URL", default_value = "http://127.0.0.1:8086")]
    pub gateway: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let settings = WorkerSettings {
        service: "payment",
        instance: args.common.instance.clone(),
        inputs: &[Topic::Inventory],
        remembered: &[Topic::Inventory],
        output: Topic::Payment,
        sharing: Sharing::Range,
        max_in_flight: MAX_IN_FLIGHT,
        publisher: PublisherSettings { linger: PUBLISH_LINGER, patience: None },
    };
    service::run(&args.common, port::PAYMENT, settings, |process| {
        let clock = process.clock.clone();
        let gateway = Gateway::new(&args.gateway, clock.clone())?;
        let cashier = Cashier { payments: Payments::default(), gateway, clock };
        Ok((cashier, Routes::default()))
    })
    .await
}

/// Payments and the way to the gateway.
struct Cashier {
    payments: Payments,
    gateway: Gateway,
    clock: Clock,
}

impl Domain for Cashier {
    fn reset(&mut self) {
        self.payments.clear();
    }

    fn fold(&mut self, record: &Received) {
        if let Some(order) = self.payments.fold(record.partition, &record.event) {
            // Both outcomes came from the gateway's ledger, which the audit compares with the log.
            error!(%order, "the log contradicts how the gateway settled this order");
        }
    }

    fn decide(&mut self, record: &Received, _now: Timestamp) -> Decision {
        if !self.payments.wants_charge(record.partition, &record.event) {
            return Decision::Nothing;
        }
        let (gateway, clock) = (self.gateway.clone(), self.clock.clone());
        let confirmed = record.event.clone();
        let charge = async move {
            let amount = confirmed.product_id().price() * confirmed.quantity();
            let settled = gateway.settle(confirmed.order_id(), amount).await;
            payment(&confirmed, settled, clock.now())
        };
        Decision::Ask(charge.boxed())
    }

    fn answered(&mut self, event: &Event) {
        self.payments.settled(event);
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self.payments.steps())
    }
}
