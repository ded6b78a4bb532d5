//! Notification: tells buyers how their orders ended. Instances share the partitions.

mod domain;

use contract::Timestamp;
use contract::process::port;
use contract::topics::Topic;

use self::domain::Notifications;
use crate::cli::CommonArgs;
use crate::kit::kafka::assignor::Sharing;
use crate::kit::log::Received;
use crate::kit::process::{Process, Routes};
use crate::kit::publisher::PublisherSettings;
use crate::kit::service;
use crate::kit::snapshot::State;
use crate::kit::worker::{Decision, Domain, WorkerSettings};

/// Notifications that wait for the log at once.
const MAX_IN_FLIGHT: usize = 2_000;

/// The command line of the notification service.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let settings = WorkerSettings {
        service: "notification",
        instance: args.common.instance.clone(),
        inputs: &[Topic::Inventory, Topic::Payment],
        remembered: &[Topic::Inventory, Topic::Payment],
        output: Topic::Notification,
        sharing: Sharing::Range,
        max_in_flight: MAX_IN_FLIGHT,
        publisher: PublisherSettings::default(),
    };
    let messenger = Messenger(Notifications::default());
    let parts = |_: &Process| Ok((messenger, Routes::default()));
    service::run(&args.common, port::NOTIFICATION, settings, parts).await
}

struct Messenger(Notifications);

impl Domain for Messenger {
    fn reset(&mut self) {
        self.0.clear();
    }

    fn fold(&mut self, record: &Received) {
        self.0.fold(record.partition, &record.event);
    }

    fn decide(&mut self, record: &Received, now: Timestamp) -> Decision {
        let sent = self.0.decide(record.partition, &record.event, now);
        sent.map_or(Decision::Nothing, Decision::Publish)
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self.0.steps())
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
        inputs: &[Topic::Inventory, Topic::Payment],
        remembered: &[Topic::Inventory, Topic::Payment],
        output: Topic::Notification,
    };

    const TYPES: [EventType; 4] = [
        EventType::InventoryConfirmed,
        EventType::InventoryRejected,
        EventType::PaymentCompleted,
        EventType::PaymentFailed,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn whenever_it_is_killed_every_buyer_is_told_once(
            inputs in model::inputs(&TYPES),
            acts in model::acts(),
        ) {
            let new = || Messenger(Notifications::default());
            let logs = model::play(new, TOPICS, &inputs, &acts);
            let mut rejected = model::firsts(&logs[&Topic::Inventory], Step::Inventory);
            rejected.retain(|_, inventory| *inventory == EventType::InventoryRejected);
            let paid = model::firsts(&logs[&Topic::Payment], Step::Payment);
            let sent = model::count(&logs[&Topic::Notification], Step::Notification);
            for order in rejected.keys().chain(paid.keys()) {
                let sent = sent.get(order).copied().unwrap_or(0);
                // A log that holds both contradicts itself: the buyer hears of either.
                let contradiction = rejected.contains_key(order) && paid.contains_key(order);
                prop_assert!(sent == 1 || contradiction && sent == 2, "{}: {} times", order, sent);
            }
            let told = |order| rejected.contains_key(order) || paid.contains_key(order);
            prop_assert!(sent.keys().all(told));
        }
    }
}
