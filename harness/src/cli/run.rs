//! `doorbuster run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use loadgen::executor::schedule::Stripe;
use loadgen::output::OutputSpec;
use loadgen::scenario::{Overrides, StageOverride, duration};

use super::{DatabaseUrl, DeployedUrls, database};
use crate::supervise::Replicas;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster run targets
  doorbuster run smoke flash-sale --no-tui
  doorbuster run my-sale.toml --scale 0.1    a tenth of the load, for a small machine
  doorbuster run my-sale.toml -u 50 -d 30s   50 virtual users for 30 seconds, whatever its executor is
  doorbuster run my-sale.toml -s 30s:100 -s 1m:0
  doorbuster run smoke --out json=smoke.jsonl --out prometheus=127.0.0.1:9464
  doorbuster run smoke --kafka localhost:9092
  doorbuster run smoke --replicas order=2,payment=3,status=2
  doorbuster run postgres --database postgres://shop:secret@localhost/shop
  doorbuster run smoke --order-url http://shop:8080 --status-url http://shop:8085 \\
      --inventory-url http://shop:8081 --kafka kafka:9092

What is not given here is taken from the environment, then from the scenario's file, then by default.";

#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Scenario files, or names of scenarios that ship (see `doorbuster scenarios list`)
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// Use the Kafka at HOST:PORT instead of the embedded broker
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Delete the shop's topics on that Kafka before each phase, with all that is in them
    #[arg(long, requires = "kafka")]
    pub reset_topics: bool,
    #[command(flatten)]
    pub deployed: DeployedUrls,
    /// Processes of each service, whatever the scenario says: order=2,payment=3
    #[arg(long, value_name = "SERVICE=COUNT,…", conflicts_with = "order_url")]
    pub replicas: Option<Replicas>,
    /// Keep the inventory and the orders in this PostgreSQL: each phase in a schema of its own, dropped after it
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true, value_parser = database)]
    pub database: Option<DatabaseUrl>,
    /// Multiply rates, virtual users and minimum counts by this
    #[arg(long, default_value_t = 1.0, value_parser = positive, value_name = "FACTOR")]
    pub scale: f64,
    /// Write what happens while it happens: json=FILE, csv=FILE, prometheus=HOST:PORT, hlog=FILE; several times
    #[arg(
        short,
        long = "out",
        value_name = "TYPE=TARGET",
        env = "DOORBUSTER_OUT",
        value_delimiter = ','
    )]
    pub outputs: Vec<OutputSpec>,
    /// Where the report folders go
    #[arg(long, default_value = "reports", value_name = "DIR", env = "DOORBUSTER_REPORTS")]
    pub reports: PathBuf,
    /// Write summary.json here as well; of several scenarios the last one's
    #[arg(long, value_name = "FILE", env = "DOORBUSTER_SUMMARY_EXPORT")]
    pub summary_export: Option<PathBuf>,
    /// Print one progress line a second instead of drawing the dashboard
    #[arg(long)]
    pub no_tui: bool,
    /// Print no progress, only the summary
    #[arg(short, long)]
    pub quiet: bool,
    /// No colours, as with NO_COLOR in the environment
    #[arg(long)]
    pub no_color: bool,
    /// Decides what the virtual users order and which cards are declined
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Processes that generate load
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub shards: u32,
    /// Run this part of the load only, one of several machines: 1/4 is the first of four
    #[arg(long, default_value = "1/1", value_name = "I/N")]
    pub segment: Stripe,
    /// Prepare everything and begin when `p` is pressed in the dashboard
    #[arg(long, conflicts_with = "no_tui")]
    pub paused: bool,
    #[command(flatten)]
    pub load: LoadArgs,
}

/// What the command line says over a scenario's file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Over the scenario's file")]
pub struct LoadArgs {
    /// Virtual users
    #[arg(short = 'u', long, value_name = "COUNT", env = "DOORBUSTER_VUS")]
    pub vus: Option<u32>,
    /// How long to start iterations
    #[arg(short, long, value_name = "TIME", env = "DOORBUSTER_DURATION", value_parser = duration::parse)]
    pub duration: Option<Duration>,
    /// Iterations that the virtual users share
    #[arg(short, long, value_name = "COUNT", env = "DOORBUSTER_ITERATIONS")]
    pub iterations: Option<u64>,
    /// A stage, like 30s:100: in 30 seconds to 100 virtual users; several times
    #[arg(
        short,
        long = "stage",
        value_name = "TIME:TARGET",
        env = "DOORBUSTER_STAGES",
        value_delimiter = ','
    )]
    pub stages: Vec<StageOverride>,
    /// A variable for flows, over `env` in the file; several times
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
    /// A tag for every sample; several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    pub tags: Vec<(String, String)>,
    /// Judge no threshold
    #[arg(long, env = "DOORBUSTER_NO_THRESHOLDS", value_parser = FalseyValueParser::new())]
    pub no_thresholds: bool,
}

impl LoadArgs {
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        Overrides {
            vus: self.vus,
            duration: self.duration,
            iterations: self.iterations,
            stages: self.stages.clone(),
            env: self.env.clone(),
            tags: self.tags.clone(),
            no_thresholds: self.no_thresholds,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not KEY=VALUE")),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if factor > 0.0 && factor.is_finite() { Ok(factor) } else { Err("not above 0".into()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;

    fn parse(line: &str) -> Result<RunArgs, clap::Error> {
        let words = ["doorbuster", "run", "smoke"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| match cli.command {
            Command::Run(args) => *args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn flags_are_those_of_k6() {
        let args = parse(
            "-u 5 -d 1m30s -e HOST=a=b -e USER= --tag commit=abc --out csv=a.csv --out json=b.jsonl \
             --summary-export s.json -q --no-color --no-thresholds --reports r",
        )
        .unwrap();
        let overrides = args.load.overrides();
        assert_eq!((overrides.vus, overrides.duration), (Some(5), Some(Duration::from_secs(90))));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(overrides.env, [pair("HOST", "a=b"), pair("USER", "")]);
        assert_eq!(overrides.tags, [pair("commit", "abc")]);
        assert!(args.quiet && args.no_color && overrides.no_thresholds);
        let outputs: Vec<_> = args.outputs.iter().map(ToString::to_string).collect();
        assert_eq!(outputs, ["csv=a.csv", "json=b.jsonl"]);
        let stages = parse("-s 30s:100 --stage 1m:0 -i 10").unwrap().load;
        assert_eq!((stages.stages.len(), stages.iterations), (2, Some(10)));
        assert_eq!(parse("").unwrap().load.overrides(), Overrides::default());
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (line, told) in [
            ("-d 10", "is no duration"),
            ("-s 10", "is no stage"),
            ("-e HOST", "KEY=VALUE"),
            ("--out reports", "there is no output"),
            ("--scale 0", "not above 0"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(told), "{line}: {error}");
        }
    }
}
