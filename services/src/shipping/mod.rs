//! Shipping: hands paid orders to a carrier. Instances share the partitions.

mod domain;
mod tracking;

use contract::Timestamp;
use contract::process::port;
use contract::topics::Topic;

use self::domain::Shipments;
use crate::cli::CommonArgs;
use crate::kit::kafka::assignor::Sharing;
use crate::kit::log::{Position, Received};
use crate::kit::process::{Process, Routes};
use crate::kit::publisher::PublisherSettings;
use crate::kit::service;
use crate::kit::snapshot::State;
use crate::kit::worker::{Decision, Domain, WorkerSettings};

/// Shipments that wait for the log at once.
const MAX_IN_FLIGHT: usize = 2_000;

/// The command line of the shipping service.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let settings = WorkerSettings {
        service: "shipping",
        instance: args.common.instance.clone(),
        inputs: &[Topic::Payment],
        remembered: &[Topic::Payment],
        output: Topic::Shipping,
        sharing: Sharing::Range,
        max_in_flight: MAX_IN_FLIGHT,
        publisher: PublisherSettings::default(),
    };
    let partitions = args.common.partitions;
    let dispatcher = Dispatcher { shipments: Shipments::default(), partitions };
    let parts = |_: &Process| Ok((dispatcher, Routes::default()));
    service::run(&args.common, port::SHIPPING, settings, parts).await
}

/// Shipments, and how many partitions number them.
struct Dispatcher {
    shipments: Shipments,
    partitions: i32,
}

impl Domain for Dispatcher {
    fn reset(&mut self) {
        self.shipments.clear();
    }

    fn fold(&mut self, record: &Received) {
        self.shipments.fold(record.partition, &record.event);
    }

    fn decide(&mut self, record: &Received, now: Timestamp) -> Decision {
        let position = Position { partition: record.partition, offset: record.offset };
        let shipped = self.shipments.decide(&record.event, position, self.partitions, now);
        shipped.map_or(Decision::Nothing, Decision::Publish)
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self.shipments.steps())
    }
}

#[cfg(test)]
mod tests {
    use contract::events::EventType;
    use contract::topics::Step;
    use proptest::prelude::*;

    use super::*;
    use crate::kit::worker::model::{self, Topics};

    const TOPICS: Topics = Topics {
        inputs: &[Topic::Payment],
        remembered: &[Topic::Payment],
        output: Topic::Shipping,
    };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn whenever_it_is_killed_every_paid_order_is_shipped_once(
            inputs in model::inputs(&[EventType::PaymentCompleted, EventType::PaymentFailed]),
            acts in model::acts(),
        ) {
            let new = || Dispatcher { shipments: Shipments::default(), partitions: 1 };
            let logs = model::play(new, TOPICS, &inputs, &acts);
            let mut paid = model::firsts(&logs[&Topic::Payment], Step::Payment);
            paid.retain(|_, payment| *payment == EventType::PaymentCompleted);
            let shipped = model::count(&logs[&Topic::Shipping], Step::Shipping);
            prop_assert_eq!(shipped, paid.into_keys().map(|order| (order, 1)).collect());
        }
    }
}
