//! Everything that crosses a process of the shop, and nothing else: no I/O, no clock, no randomness.
//!
//! | module | what it holds |
//! |---|---|
//! | [`events`] | the events on the topics, how they are encoded, their headers |
//! | [`topics`] | topic names, saga steps, Kafka's key partitioner |
//! | [`order`] | the order as the status service shows it |
//! | [`http`] | request, response and error bodies |
//! | [`management`] | bodies of the management endpoints |
//! | [`ws`] | the WebSocket envelope |
//! | [`ids`] | order ids, event ids, product ids |
//! | [`money`] | integer cents inside, dollars outside |
//! | [`replay`] | replay: what is asked for and what is told |
//! | [`process`] | what a child process and its parent say to each other |
//! | [`samples`] | events of a sample order, for tests and benchmarks |

pub mod events;
pub mod http;
pub mod ids;
pub mod management;
pub mod money;
pub mod order;
pub mod process;
pub mod replay;
pub mod samples;
pub mod topics;
pub mod ws;

/// UTC time, encoded as RFC 3339.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
