//! The load generator: scenarios in k6's words, and numbers that cannot flatter.
//!
//! | module | what it does |
//! |---|---|
//! | [`scenario`] | reads scenario files |
//! | [`preflight`], [`estimate`] | say whether this machine can carry them, and what they come to |
//! | [`conductor`] | starts the load processes, merges what they tell, judges |
//! | [`shard`] | is such a process |
//! | [`course`] | a plan's clock, and what is changed while it goes on |
//! | [`executor`] | starts iterations when they are due |
//! | [`vu`] | all that the engine knows of the work it starts |
//! | [`flow`] | what users do with the shop |
//! | `client` | HTTP and WebSocket connections with their phases timed |
//! | `lease` | client addresses |
//! | [`metrics`] | records, merges |
//! | [`threshold`] | judges |
//! | [`journal`] | what was asked and answered, for the auditor |
//! | [`output`] | writes what happens while it happens |
//! | [`report`], [`tui`] | show it; [`color`] says how |
//! | [`compare`] | two runs side by side |
//!
//! The engine knows nothing of whoever shows its numbers, and services only by their URLs.

mod client;
pub mod color;
pub mod compare;
pub mod conductor;
pub mod course;
pub mod estimate;
pub mod executor;
pub mod flow;
pub mod journal;
mod lease;
pub mod metrics;
pub mod output;
pub mod preflight;
pub mod report;
pub mod scenario;
pub mod shard;
pub mod threshold;
pub mod tui;
pub mod vu;
