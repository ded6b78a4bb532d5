//! `ramping-arrival-rate`: iterations at a rate that goes in straight lines from target to target.

use std::time::Duration;

use super::schedule::Arrivals;
use super::{Run, arrivals};
use crate::scenario::Stage;

pub(super) async fn run(run: &Run, start_rate: f64, time_unit: Duration, stages: &[Stage]) {
    arrivals::run(run, Arrivals::ramping(start_rate, time_unit, stages)).await;
}
