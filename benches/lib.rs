//! What several benchmarks of the services need: the services as child processes, and orders in the log.

pub mod child;
pub mod orders;
