//! loadgen

pub mod metrics;
pub mod threshold;
