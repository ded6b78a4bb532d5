//! `doorbuster replay`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, ValueEnum};
use contract::replay::ReplayFrom;

use crate::service::Service;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster replay --service inventory              check its state since its last snapshot
  doorbuster replay --service status --from earliest --rate 0
                                                     check all of it, as fast as it goes
  doorbuster replay --service payment --apply        replace a state that differs
  doorbuster replay --service order --management http://localhost:9080
  doorbuster replay --reset payment-service --to checkpoint --kafka localhost:9092
                                                     let a stopped service read on from its last snapshot

Exit codes: 0 the state is what the log says (or was mended), 91 it is not,
104 no replay took place, or the group has members.";

#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["service", "reset"])))]
pub struct ReplayArgs {
    /// Check the state of this service
    #[arg(long, value_name = "NAME")]
    pub service: Option<Service>,
    /// Its management port [default: 1000 above its known port, on this machine]
    #[arg(long, value_name = "URL", conflicts_with = "reset")]
    pub management: Option<String>,
    /// Where to begin: with the last snapshot, or with the oldest event (which checks the snapshots too)
    #[arg(long, value_enum, default_value_t = From::Checkpoint, conflicts_with = "reset")]
    pub from: From,
    /// Replace a state that differs by the replayed one
    #[arg(long, conflicts_with = "reset")]
    pub apply: bool,
    /// Events in a batch
    #[arg(long, default_value_t = 1_000, value_name = "EVENTS", conflicts_with = "reset",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Events a second; 0 for as many as go
    #[arg(long, default_value_t = 100, value_name = "EVENTS", conflicts_with = "reset")]
    pub rate: u32,
    /// Hours to look back: older events are not replayed
    #[arg(long, default_value_t = 24, value_name = "HOURS", conflicts_with = "reset")]
    pub window: u32,
    /// Set back what this consumer group has read; its services must be stopped
    #[arg(long, value_name = "GROUP", requires = "to", requires = "kafka")]
    pub reset: Option<String>,
    /// Where the group goes on: earliest, checkpoint (its service's last snapshots), or an offset
    #[arg(long, value_name = "PLACE", requires = "reset")]
    pub to: Option<Place>,
    /// The Kafka that knows the group
    #[arg(long, value_name = "HOST:PORT", requires = "reset")]
    pub kafka: Option<String>,
    /// Where the services keep their snapshots
    #[arg(long, value_name = "DIR", default_value = "data", env = "DATA_DIR")]
    pub data_dir: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    Checkpoint,
    Earliest,
}

impl std::convert::From<From> for ReplayFrom {
    fn from(from: From) -> Self {
        match from {
            From::Checkpoint => Self::Checkpoint,
            From::Earliest => Self::Earliest,
        }
    }
}

/// Where a group is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Earliest,
    Checkpoint,
    Offset(i64),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "checkpoint" => Ok(Self::Checkpoint),
            number => match number.parse() {
                Ok(offset) if offset >= 0 => Ok(Self::Offset(offset)),
                _ => Err("use earliest, checkpoint or an offset from 0 on".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;

    fn parse(more: &str) -> Result<ReplayArgs, clap::Error> {
        let words = ["doorbuster", "replay"].into_iter().chain(more.split_whitespace());
        Cli::try_parse_from(words).map(|cli| match cli.command {
            Command::Replay(args) => *args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_defaults_are_the_specifications() {
        let args = parse("--service inventory").unwrap();
        assert_eq!((args.batch_size, args.rate, args.window), (1_000, 100, 24));
        assert!(!args.apply && args.from == From::Checkpoint);
    }

    #[test]
    fn a_reset_says_whose_where_to_and_on_which_kafka() {
        let args = parse("--reset payment-service --to 17 --kafka k:9092").unwrap();
        assert_eq!(args.to, Some(Place::Offset(17)));
        for wrong in [
            "",
            "--reset payment-service",
            "--reset g --to latest --kafka k:1",
            "--reset g --to earliest",
            "--service payment --reset g --to earliest --kafka k:1",
            "--reset g --to earliest --kafka k:1 --apply",
            "--service cashier",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
