//! `per-vu-iterations`: each user runs `iterations` iterations. What is not started when `maxDuration`
//! is over counts as dropped.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Run;

pub(super) async fn run(run: &Run, vus: u32, iterations: u64, max_duration: Duration) {
    let end = run.start + max_duration;
    for _ in 0..run.stripe.share(vus) {
        let Some(mut vu) = run.pool.take() else { break };
        let (pool, stop) = (Rc::clone(&run.pool), run.stop.clone());
        run.pool.spawn(async move {
            let mut left = iterations;
            while left > 0 && Instant::now() < end && !stop.is_cancelled() {
                left -= 1;
                pool.run_now(vu.as_mut()).await;
            }
            pool.count_dropped(left);
            pool.give_back(vu);
        });
    }
    tokio::select! {
        biased;
        () = run.pool.all_ended() => {}
        _ = run.wait_until(max_duration) => {}
    }
}
