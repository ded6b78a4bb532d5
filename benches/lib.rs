//! What several benchmarks need: the services as child processes, orders in the log, and what a process costs.

pub mod child;
pub mod orders;
pub mod process;
