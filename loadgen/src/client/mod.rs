//! HTTP and WebSocket clients of virtual users: one owned connection each, from a leased address,
//! driven within the user's own task, with the phases of every exchange timed.

pub(crate) mod connection;
pub(crate) mod frame;
pub(crate) mod http;
pub(crate) mod instances;
pub(crate) mod request;
pub(crate) mod socket;
pub(crate) mod target;
pub(crate) mod wire;
