//! `doorbuster up`.

use std::path::PathBuf;

use clap::Args;

use super::{DatabaseUrl, Stock, database, share, stock};
use crate::supervise::Replicas;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster up                              forgotten when it is closed
  doorbuster up --data ./shop                again, and it goes on with the same orders
  doorbuster up --stock product-1=500 --decline-rate 0.1
  doorbuster up --replicas order=2,payment=3,status=2
  doorbuster up --kafka localhost:9092
  doorbuster up --data ./shop --database postgres://shop:secret@localhost/shop --replicas inventory=2";

#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Use the Kafka at HOST:PORT instead of the embedded broker
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Keep everything in this folder: opened again, the shop goes on with the same orders
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Pieces of each product [default: what the shop in --data began with, else 1000]
    #[arg(long, value_name = "PRODUCT=PIECES,…", value_parser = stock)]
    pub stock: Option<Stock>,
    /// Share of cards that the payment gateway declines
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    pub decline_rate: f64,
    /// Orders a minute from one client address; 0 for no limit
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    pub order_limit: u32,
    /// Status requests a minute from one client address; 0 for no limit
    #[arg(long, default_value_t = 60, value_name = "COUNT")]
    pub status_limit: u32,
    /// WebSockets from one client address; 0 for no limit
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    pub sockets_per_address: u32,
    /// Partitions of each topic [default: what the shop in --data began with, else 4]
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=1000), value_name = "COUNT")]
    pub partitions: Option<i32>,
    /// Processes of each service: order=2,payment=3. Each further one listens 100 ports above the one before
    #[arg(long, value_name = "SERVICE=COUNT,…")]
    pub replicas: Option<Replicas>,
    /// Keep the inventory and the orders in this PostgreSQL, which belong to one log: to open such a shop again,
    /// keep that as well, with --data or with a Kafka of its own
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true, value_parser = database)]
    pub database: Option<DatabaseUrl>,
    /// Where each process's log goes [default: below --data, else a folder that is deleted at the end]
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// Listen on free ports instead of the known ones: for a second shop on one machine
    #[arg(long)]
    pub free_ports: bool,
}
