//! Measures the embedded broker beside Apache Kafka, with the same foreign client, and prints one table:
//! `cargo run --release -p benches --bin brokers`. Linux only: CPU time and memory come from its /proc.

mod broker;
mod client;
mod java;
mod plan;
mod report;
mod rows;

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::plan::{Cli, Plan};
use crate::report::Report;

fn main() -> ExitCode {
    match measure(&Cli::parse()) {
        Ok(report) if report.all_met() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(99),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(104)
        }
    }
}

fn measure(cli: &Cli) -> anyhow::Result<Report> {
    let plan = Plan::prepare(cli)?;
    let mut report = Report::new(&plan);
    for (name, measure) in rows::ALL {
        if plan.wants(name) {
            eprintln!("measuring: {name}");
            report.extend(measure(&plan).with_context(|| format!("cannot measure {name}"))?);
        }
    }
    println!("{report}");
    if let Some(path) = &cli.json {
        fs::write(path, report.to_json()?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report)
}
