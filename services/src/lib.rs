//! The services of the shop, each run as a process of its own, and the simulated payment gateway.
//!
//! | module | what it holds |
//! |---|---|
//! | [`checkpoint`] | what the snapshots in a data folder stand for |
//! | [`cli`] | the command line of every service |
//! | `order` | `POST /order`: publishes `OrderCreated` |
//! | [`inventory`] | reserves, gives back and accounts for stock |
//! | `payment` | charges the gateway |
//! | `shipping` | hands paid orders to a carrier |
//! | `notification` | tells the buyer how an order ended |
//! | `status` | folds all topics into orders; live updates over WebSockets |
//! | `gateway` | the payment gateway, an outside party reached over HTTP only |
//! | `openapi` | the document that describes them all, and its route |
//! | `kit` | what they share: the log, publishing, following, group work, HTTP, metrics |
//!
//! Services know each other only through the log (`contract` holds what crosses it).

pub mod checkpoint;
pub mod cli;
mod gateway;
pub mod inventory;
mod kit;
mod notification;
mod openapi;
mod order;
mod payment;
mod shipping;
mod status;

pub use cli::ServiceCommand;

/// The runtime that one service process needs.
///
/// One thread: a service waits for sockets far more than it computes, and eight processes share the
/// cores of one machine, so handing tasks between threads would only cost.
///
/// # Errors
/// When the operating system refuses the descriptors that a runtime needs.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Runs one service until it is told to stop (SIGTERM, Ctrl-C, or its parent's end).
///
/// # Errors
/// When it cannot start: an occupied port, topics with another number of partitions, a second inventory,
/// a folder that another process uses. While it runs: when another process has taken its place.
pub async fn run(command: ServiceCommand) -> anyhow::Result<()> {
    match command {
        ServiceCommand::Order(args) => order::run(args).await,
        ServiceCommand::Inventory(args) => inventory::run(args).await,
        ServiceCommand::Payment(args) => payment::run(args).await,
        ServiceCommand::Notification(args) => notification::run(args).await,
        ServiceCommand::Shipping(args) => shipping::run(args).await,
        ServiceCommand::Status(args) => status::run(args).await,
        ServiceCommand::Gateway(args) => gateway::run(args).await,
    }
}
