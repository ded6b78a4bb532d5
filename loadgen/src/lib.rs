//! loadgen

pub mod metrics;
