//! Integration tests of the services, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod edge;
mod examples;
mod pipeline;
mod postgres;
#[path = "../schemas/mod.rs"]
mod schemas;
