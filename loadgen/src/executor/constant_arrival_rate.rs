//! `constant-arrival-rate`: `rate` iterations every `timeUnit` for `duration`.

use std::time::Duration;

use super::schedule::Arrivals;
use super::{Run, arrivals};

pub(super) async fn run(run: &Run, rate: f64, time_unit: Duration, duration: Duration) {
    arrivals::run(run, Arrivals::constant(rate, time_unit, duration)).await;
}
