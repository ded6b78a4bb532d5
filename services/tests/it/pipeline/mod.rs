//! The workers behind the log: each a process of its own, on an embedded broker.

mod broker;
mod coordinator;
mod crashes;
mod fencing;
mod group;
pub(crate) mod history;
mod lag;
mod lag_series;
pub(crate) mod metrics;
mod parked;
mod races;
pub(crate) mod replay;
mod saga;
mod schemas;
pub(crate) mod shop;
mod snapshots;
mod start;
mod unreadable;
