//! `per-vu-iterations`: each user runs `iterations` iterations. What is not started when `maxDuration`
//! is over counts as dropped. How much each does is the plan, so a change of rate changes nothing here.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::Run;

pub(super) async fn run(run: &Run, vus: u32, iterations: u64, max_duration: Duration) {
    let users = run.stripe.share(vus);
    let left = Rc::new(Cell::new(u64::from(users) * iterations));
    for _ in 0..users {
        let Some(mut vu) = run.pool.take() else { break };
        let (pool, clock, left) = (Rc::clone(&run.pool), run.clock.clone(), Rc::clone(&left));
        run.pool.spawn(async move {
            for _ in 0..iterations {
                if !clock.is_open(max_duration).await {
                    break;
                }
                left.set(left.get() - 1);
                pool.run_now(vu.as_mut()).await;
            }
            pool.give_back(vu);
        });
    }
    tokio::select! {
        biased;
        () = run.pool.all_ended() => {}
        _ = run.clock.reach(max_duration) => {}
    }
    run.drop_rest(max_duration, left.get()).await;
}
