//! Tests over real sockets: rskafka as the client that the services use, raw frames for the rest of
//! the protocol, and Kafka's own tools where they are at hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a poll over real sockets ends at a real deadline")]

mod admin;
mod against_kafka;
mod durable;
mod every_api;
mod exposure;
mod groups;
mod malformed;
mod malformed_corpus;
mod malformed_mutations;
mod memory;
mod metadata;
mod panics;
mod process;
mod records;
mod requests;
mod rskafka_client;
mod slow_clients;
mod snippets;
mod wire;
