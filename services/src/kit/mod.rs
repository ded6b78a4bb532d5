//! What the services share.
//!
//! | module | what it holds |
//! |---|---|
//! | [`log`] | the log as services see it, behind traits that any broker can implement |
//! | [`kafka`] | those traits over the Kafka protocol: the only place that names Kafka client crates |
//! | [`record`] | events to records and back |
//! | [`reader`], [`follower`] | reading partitions; following whole topics |
//! | [`unknown_types`] | which unknown event types have been told of |
//! | [`publisher`] | appending events, batched by nature |
//! | [`worker`], [`progress`], [`dead_letter`] | group work: consume, decide, produce, commit |
//! | [`process`], [`service`] | the life of a process; of a service that works in a group |
//! | [`fed`] | a state that a follower feeds |
//! | [`replay`] | checks a state against the log, and mends it |
//! | [`postgres`] | a pool for the services that keep their state in PostgreSQL |
//! | [`snapshot`] | state on disk, so that a restart folds only what came after it |
//! | [`lag`] | how far a consumer is behind |
//! | [`lease`], [`sole`] | until when a member of a group may write; one process for each name |
//! | [`breaker`] | the circuit breaker around what may be away |
//! | [`first_wins`] | which record of a step is the truth |
//! | [`clock`], [`rng`] | the only sources of time and randomness |
//! | [`http`], [`health`], [`limit`], [`client_address`], [`shutdown`] | serving HTTP, starting and stopping |
//! | [`metrics`], [`trace`] | every metric, in one table; spans of traces, for a collector |

pub(crate) mod breaker;
pub(crate) mod client_address;
pub(crate) mod clock;
pub(crate) mod dead_letter;
pub(crate) mod fed;
pub(crate) mod first_wins;
pub(crate) mod follower;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod lag;
pub(crate) mod lease;
pub(crate) mod limit;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod progress;
pub(crate) mod publisher;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod rng;
pub(crate) mod service;
pub(crate) mod shutdown;
pub(crate) mod snapshot;
pub(crate) mod sole;
pub(crate) mod trace;
pub(crate) mod unknown_types;
pub(crate) mod worker;
