//! The broker alone, for trying clients against it: `cargo run -p sim --example broker -- --help`.

use clap::Parser;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    broker: sim::BrokerArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    sim::run(Arguments::parse().broker).await
}
