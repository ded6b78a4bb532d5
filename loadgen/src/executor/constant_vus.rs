//! `constant-vus`: a fixed number of users, each running iteration after iteration for `duration`.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Run;

pub(super) async fn run(run: &Run, vus: u32, duration: Duration) {
    let end = run.start + duration;
    for _ in 0..run.stripe.share(vus) {
        let Some(mut vu) = run.pool.take() else { break };
        let (pool, stop) = (Rc::clone(&run.pool), run.stop.clone());
        run.pool.spawn(async move {
            while Instant::now() < end && !stop.is_cancelled() {
                pool.run_now(vu.as_mut()).await;
            }
            pool.give_back(vu);
        });
    }
    run.wait_until(duration).await;
}
