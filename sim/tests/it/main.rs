//! Tests over real sockets: rskafka as the client that the services use, raw frames for the rest of
//! the protocol, and Kafka's own tools where they are at hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a poll over real sockets ends at a real deadline")]

mod admin;
mod against_kafka;
mod every_api;
mod groups;
mod malformed;
mod metadata;
mod records;
mod rskafka_client;
mod wire;
