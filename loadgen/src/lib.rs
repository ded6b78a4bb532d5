//! loadgen

pub mod metrics;
pub mod report;
pub mod tui;
pub mod threshold;
