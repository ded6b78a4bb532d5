//! What both arrival-rate executors do: start everything that is due, drop what finds no user.

use std::time::Instant;

use super::Run;
use super::schedule::Arrivals;

/// When the generator is late it starts what is overdue in bursts of this size, and lets what has been
/// started get on between them.
const BURST: u32 = 64;

/// Starts iterations as planned until the plan is over or the test is to end.
pub(super) async fn run(run: &Run, plan: &Arrivals) {
    let mut burst = 0;
    for local in 0.. {
        let number = run.stripe.number(local);
        let Some(offset) = plan.start_of(number) else { break };
        let due = run.start + offset;
        if due > Instant::now() {
            burst = 0;
            if !run.wait_until(offset).await {
                return;
            }
        } else if burst == BURST {
            burst = 0;
            tokio::task::yield_now().await;
        }
        if run.stop.is_cancelled() {
            return;
        }
        burst += 1;
        run.pool.start_due(number, due).await;
    }
    run.wait_until(plan.end()).await;
}
