//! A broker inside a test, as `docs/broker.md` shows it: `cargo run -p sim --example in_a_test`.

use rskafka::client::ClientBuilder;
use sim::Broker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::start()?;
    let client = ClientBuilder::new(vec![broker.address().to_string()]).build().await?;
    client.controller_client()?.create_topic("orders", 4, 1, 5_000).await?;
    println!("{:?}", client.list_topics().await?);
    Ok(())
}
