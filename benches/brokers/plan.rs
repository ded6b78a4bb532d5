//! What is measured, how often, and where the things are that it needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::broker::{Doorbuster, Kafka, Kind};
use crate::java::Java;
use crate::rows;

/// Measures the embedded broker beside Apache Kafka and prints one table. Exit code 99 when a goal is missed.
#[derive(Debug, clap::Parser)]
#[command(name = "brokers")]
pub(crate) struct Cli {
    /// Fewer rounds and fewer records: minutes less, for CI
    #[arg(long)]
    pub(crate) quick: bool,

    /// Write every figure and its samples to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Measure these rows alone
    #[arg(long, value_name = "ROW", value_delimiter = ',', value_parser = rows::NAMES)]
    pub(crate) only: Vec<String>,

    /// Leave Kafka out: the rows that compare have no verdict then
    #[arg(long)]
    pub(crate) no_kafka: bool,

    /// The broker to measure [default: built from this workspace]
    #[arg(long, value_name = "PATH", env = "DOORBUSTER")]
    pub(crate) doorbuster: Option<PathBuf>,

    /// Folder with Kafka's jars [default: target/kafka-tools, filled by Maven]
    #[arg(long, value_name = "DIR", env = "KAFKA_TOOLS_CLASSPATH")]
    pub(crate) jars: Option<PathBuf>,
}

/// Everything that a row needs to know.
pub(crate) struct Plan {
    pub(crate) doorbuster: Doorbuster,
    pub(crate) kafka: Option<Kafka>,
    pub(crate) java: Java,
    /// Repetitions of which a median is taken, after one that is thrown away.
    pub(crate) rounds: usize,
    /// Records of one run.
    pub(crate) records: u64,
    /// Starts of the embedded broker and of Kafka.
    pub(crate) starts: [usize; 2],
    pub(crate) paced_seconds: u64,
    only: Vec<String>,
}

impl Plan {
    pub(crate) fn prepare(cli: &Cli) -> anyhow::Result<Self> {
        let doorbuster = match &cli.doorbuster {
            Some(path) => path.clone(),
            None => build()?,
        };
        ensure!(doorbuster.is_file(), "{} is no file", doorbuster.display());
        let jars = match &cli.jars {
            Some(jars) => jars.clone(),
            None => fetch_jars()?,
        };
        let java = Java::new(jars);
        let kafka = if cli.no_kafka { None } else { Some(Kafka::new(java.clone())) };
        Ok(Self {
            doorbuster: Doorbuster::new(doorbuster),
            kafka,
            java,
            rounds: if cli.quick { 1 } else { 5 },
            records: if cli.quick { 300_000 } else { 1_000_000 },
            starts: if cli.quick { [10, 1] } else { [20, 5] },
            paced_seconds: if cli.quick { 8 } else { 30 },
            only: cli.only.clone(),
        })
    }

    pub(crate) fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == row)
    }

    /// The brokers to measure, ours first.
    pub(crate) fn kinds(&self) -> Vec<&dyn Kind> {
        let mut kinds: Vec<&dyn Kind> = vec![&self.doorbuster];
        kinds.extend(self.kafka.as_ref().map(|kafka| kafka as &dyn Kind));
        kinds
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds the binary and returns where it is: beside this one.
fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "-p", "doorbuster"])
        .current_dir(workspace())
        .status()
        .context("cannot run cargo")?;
    ensure!(built.success(), "cargo build failed");
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target),
        None => workspace().join("target"),
    };
    Ok(target.join("release/doorbuster"))
}

fn fetch_jars() -> anyhow::Result<PathBuf> {
    let jars = workspace().join("target/kafka-tools");
    if !jars.is_dir() {
        let fetched = Command::new("mvn")
            .args(["-q", "-f", "sim/tests/clients/pom.xml", "dependency:copy-dependencies"])
            .arg(format!("-DoutputDirectory={}", jars.display()))
            .current_dir(workspace())
            .status()
            .context("cannot run mvn")?;
        ensure!(fetched.success(), "mvn could not fetch Kafka's jars");
    }
    Ok(jars)
}
