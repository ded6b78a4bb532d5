//! Payment: charges confirmed orders at the gateway. Instances share the partitions.
//!
//! | module | what it holds |
//! |---|---|
//! | [`domain`] | which orders want a charge, and which the log leaves open; pure |
//! | [`charge`] | what follows from an attempt at a charge; pure |
//! | [`gateway`] | the way to the gateway |
//! | [`parked`] | payments whose outcome is unknown; pure |
//! | [`desk`] | looks after those, by itself and by hand |
//! | [`http`] | their management routes |

mod charge;
mod desk;
mod domain;
mod gateway;
mod http;
mod kept;
mod parked;

use std::sync::Arc;
use std::time::Duration;

use contract::Timestamp;
use contract::events::Event;
use contract::process::port;
use contract::topics::{Step, Topic};
use futures_util::FutureExt;
use tracing::error;

pub(crate) use self::http::Api;

use self::desk::Desk;
use self::domain::{Due, Payments, payment};
use self::gateway::{Charged, Gateway, GatewaySettings};
use self::parked::ParkedSettings;
use crate::cli::CommonArgs;
use crate::kit::clock::Clock;
use crate::kit::kafka::assignor::Sharing;
use crate::kit::log::Received;
use crate::kit::process::Routes;
use crate::kit::publisher::{Publisher, PublisherSettings};
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
    /// How long the gateway may take for one answer, in milliseconds [default: twenty times what it takes
    /// in 99 of 100 cases].
    #[arg(long, default_value_t = 2_000, hide_default_value = true,
          value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub gateway_patience_ms: u64,
    /// How long an order's charge is tried, in milliseconds; if its outcome is unknown then, it is parked.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub payment_budget_ms: u64,
    /// How often the gateway is asked about a parked payment, in milliseconds.
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    pub parked_query_ms: u64,
    /// How long after the last attempt the gateway's "no such charge" is believed, in milliseconds: longer
    /// than any request can be on its way.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    pub parked_quiet_ms: u64,
    /// Parked payments at once; when there are more, no further orders are charged.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_parked: u32,
}

impl Args {
    const fn gateway_settings(&self) -> GatewaySettings {
        GatewaySettings {
            patience: Duration::from_millis(self.gateway_patience_ms),
            budget: Duration::from_millis(self.payment_budget_ms),
        }
    }

    const fn parked_settings(&self) -> ParkedSettings {
        ParkedSettings {
            pause: Duration::from_millis(self.parked_query_ms),
            quiet: Duration::from_millis(self.parked_quiet_ms),
        }
    }
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
        let gateway = Gateway::new(&args.gateway, args.gateway_settings(), clock.clone())?;
        let room = usize::try_from(args.max_parked).unwrap_or(usize::MAX);
        let desk = Desk::new(args.parked_settings(), room, gateway.clone(), clock.clone());
        // Ends with the process: what it has begun then is begun again after the next start.
        tokio::spawn(Arc::clone(&desk).attend());
        let management = http::routes(Arc::clone(&desk));
        let cashier = Cashier { payments: Payments::default(), gateway, desk, clock };
        Ok((cashier, Routes { management, ..Routes::default() }))
    })
    .await
}

/// Payments and the way to the gateway.
struct Cashier {
    payments: Payments,
    gateway: Gateway,
    desk: Arc<Desk>,
    clock: Clock,
}

impl Domain for Cashier {
    fn attach(&mut self, publisher: &Publisher) {
        self.desk.attach(publisher);
    }

    fn reset(&mut self) {
        self.payments.clear();
        self.desk.clear();
    }

    fn fold(&mut self, record: &Received) {
        let event = &record.event;
        let mut contradicted = self.payments.fold(record).is_some();
        if event.step() == Step::Payment {
            contradicted |= self.desk.fold(event.order_id(), event.event_type());
        }
        if contradicted {
            // Both outcomes came from the gateway's ledger, which the audit compares with the log.
            let order = event.order_id();
            error!(%order, "the log contradicts how the gateway settled this order");
        }
    }

    fn caught_up(&mut self) {
        for due in self.payments.take_open() {
            self.desk.restore(due);
        }
    }

    fn decide(&mut self, record: &Received, _now: Timestamp) -> Decision {
        if !self.payments.wants_charge(record) {
            return Decision::Nothing;
        }
        let (gateway, clock) = (self.gateway.clone(), self.clock.clone());
        let desk = Arc::clone(&self.desk);
        let due = Due::of(record);
        // Taken now: the process may stand still before the charge is sent.
        let began = clock.monotonic();
        Decision::Ask(Box::new(move |trace| {
            let due = Due { trace, ..due };
            let charge = async move {
                match gateway.settle(&due, began).await {
                    Charged::Settled(settled) => Some(payment(&due, settled, clock.now())),
                    Charged::Unknown(tried) => {
                        desk.park(due, tried).await;
                        None
                    }
                }
            };
            charge.boxed()
        }))
    }

    fn answered(&mut self, event: &Event) {
        self.payments.settled(event);
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(&mut self.payments)
    }
}
