//! The broker alone, for trying clients against it: `cargo run -p sim --example broker -- --help`.

use std::process::ExitCode;

use clap::Parser;

/// As `doorbuster broker` ends when it cannot start.
const BAD_CONFIGURATION: u8 = 104;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    broker: sim::BrokerArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Reporting a line that cannot be written panics when standard error is on the full disk, too.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .init();
    match sim::run(Arguments::parse().broker).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}
