//! `constant-vus`: a fixed number of users, each running iteration after iteration for `duration`.

use std::time::Duration;

use super::Run;
use super::clock::Woken;
use super::crew::{Crew, Terms};

pub(super) async fn run(run: &Run, vus: u32, duration: Duration) {
    let crew = Crew::new(run, Terms { end: duration, ramp_down: None, quota: None });
    loop {
        crew.resize(vus);
        if run.clock.until(duration).await != Woken::Changed {
            break;
        }
    }
    crew.send_home();
}
