//! `ramping-vus`: users that run iteration after iteration, as many as the stages say.

use std::time::Duration;

use super::Run;
use super::clock::Woken;
use super::crew::{Crew, Terms};
use super::schedule::vu_steps;
use crate::scenario::Stage;

pub(super) async fn run(run: &Run, start_vus: u32, stages: &[Stage], graceful_ramp_down: Duration) {
    let end = stages.iter().map(|stage| stage.duration).sum();
    let crew = Crew::new(run, Terms { end, ramp_down: Some(graceful_ramp_down), quota: None });
    let mut steps = vu_steps(start_vus, stages).chain([(end, 0)]).peekable();
    let mut count = start_vus;
    crew.resize(count);
    while let Some((at, next)) = steps.peek().copied() {
        match run.clock.until(at).await {
            Woken::Stopped => break,
            Woken::Changed => {}
            Woken::Due(_) | Woken::Overdue(_) => {
                steps.next();
                if steps.peek().is_none() {
                    break;
                }
                count = next;
            }
        }
        crew.resize(count);
    }
    crew.send_home();
}
