//! `shared-iterations`: users that share `iterations` iterations, whoever is free the next. What is not
//! started when `maxDuration` is over counts as dropped.

use std::rc::Rc;
use std::time::Duration;

use super::Run;
use super::clock::Woken;
use super::crew::{Crew, Quota, Terms};

pub(super) async fn run(run: &Run, vus: u32, iterations: u64, max_duration: Duration) {
    let quota = Quota::new(run.stripe.share_of_many(iterations));
    let terms = Terms { end: max_duration, ramp_down: None, quota: Some(Rc::clone(&quota)) };
    let crew = Crew::new(run, terms);
    loop {
        crew.resize(vus);
        tokio::select! {
            biased;
            () = quota.used_up() => break,
            woken = run.clock.until(max_duration) => if woken != Woken::Changed {
                break;
            },
        }
    }
    crew.send_home();
    run.drop_rest(max_duration, quota.left()).await;
}
