//! `doorbuster replay` (specification §9.3): checks a running service against the log, or sets back a group
//! that nobody is in.

mod bar;
mod check;
mod reset;

use anyhow::Context as _;

use crate::cli::ReplayArgs;
use crate::exit::Outcome;

/// # Errors
/// The service does not answer or cannot replay; the group has members; Kafka does not answer.
pub async fn replay(args: ReplayArgs) -> anyhow::Result<Outcome> {
    match (&args.reset, args.service) {
        (Some(group), _) => {
            let to = args.to.context("--reset needs --to")?;
            let kafka = args.kafka.as_deref().context("--reset needs --kafka")?;
            reset::reset(group, to, kafka, &args.data_dir).await
        }
        (None, Some(service)) => check::check(service, &args).await,
        (None, None) => anyhow::bail!("name a service with --service, or a group with --reset"),
    }
}
