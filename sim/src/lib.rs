//! An embedded Kafka broker: the real wire protocol over TCP, from memory, in one process.
//!
//! ```text
//! args      the command line of the broker as a process
//! broker    Broker::start: one thread, one runtime, everything below
//! server    accepts connections
//! connection, frame   one connection: frames in, responses out, in order
//! hub       the core behind a lock, its timer, and whom to wake; the in-process handle
//! core      the broker without I/O: requests and time in, responses out
//! dispatch  the one table of APIs; api/ has a file for each
//! topics, log/, producers   what is stored
//! config, broker_config, topic_config   settings under Kafka's names: tables and how they are altered
//! changes   what alters stored things other than records, a function each
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
mod changes;
mod clock;
mod config;
mod connection;
mod core;
mod dispatch;
mod error;
mod frame;
mod group;
mod hub;
mod log;
mod producers;
mod rng;
mod server;
mod topic_config;
mod topics;
mod wire;

pub use args::{BrokerArgs, run};
pub use broker::{Broker, Options};
pub use hub::{Session, SessionClosed};
pub use wire::Fatal;

use core::Token;
