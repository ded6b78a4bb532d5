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
        self.0.fold(&record.event);
    }

    fn decide(&mut self, record: &Received, now: Timestamp) -> Decision {
        self.0.decide(&record.event, now).map_or(Decision::Nothing, Decision::Publish)
    }
}
