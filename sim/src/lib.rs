//! An embedded Kafka broker: the real wire protocol over TCP, from memory or a data directory, in one
//! process, ready in milliseconds.
//!
//! [`Broker::start`] gives a test a Kafka of its own: it listens on a free port of 127.0.0.1, any Kafka
//! client of any language may use it, and it stops when it is dropped.
//!
//! ```
//! use rskafka::client::ClientBuilder;
//! use sim::Broker;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::start()?;
//! let client = ClientBuilder::new(vec![broker.address().to_string()]).build().await?;
//! client.controller_client()?.create_topic("orders", 4, 1, 5_000).await?;
//! assert_eq!(client.list_topics().await?[0].partitions.len(), 4);
//! # Ok(())
//! # }
//! ```
//!
//! [`Options`] has every setting: [`Broker::start_with`] takes them. A [`Session`] asks the broker without a
//! socket, frame by frame. [`BrokerArgs`] and [`run`] are the broker as a process with a command line.
//! `docs/broker.md` shows it in other languages' tests, and says what no input can do to it.
//!
//! # Inside
//!
//! ```text
//! args      the command line of the broker as a process
//! broker    Broker::start: one thread, one runtime, everything below
//! server, connections   accepts connections; which there are, and which take too long
//! connection, frame   one connection: frames in, responses out, in order
//! budget, pulse   what connections may hold in memory, and how long they may take
//! hub       the core behind a lock, its timer, and whom to wake; the in-process handle
//! core      the broker without I/O: requests and time in, responses out
//! dispatch  the one table of APIs; api/ has a file for each
//! topics, log/, producers   what is stored
//! config, broker_config, topic_config   settings under Kafka's names: tables and how they are altered
//! changes   what alters stored things other than records, a function each
//! metadata, durability      what outlives the process: the rest of it, and the promise to keep it
//! storage   the port to where that is kept: memory, or disk/
//! group/    the group coordinator, a pure state machine
//! wire/     bounded reading, vectored writing, shapes of requests
//! clock, rng   the only sources of time and randomness
//! ```
//!
//! `SKIPPED.md` names what Kafka has and this broker has not.

mod api;
mod args;
mod broker;
mod broker_config;
mod budget;
mod changes;
mod clock;
mod config;
mod connection;
mod connections;
mod core;
mod disk;
mod dispatch;
mod durability;
mod error;
mod frame;
mod group;
mod hub;
mod log;
mod mapping;
mod metadata;
mod producers;
mod pulse;
mod rng;
mod server;
mod storage;
mod topic_config;
mod topics;
mod wire;

pub use args::{BrokerArgs, FsyncMode, run};
pub use broker::{Broker, Options};
pub use disk::Fsync;
pub use hub::{Session, SessionClosed};
pub use wire::Fatal;

use core::Token;
