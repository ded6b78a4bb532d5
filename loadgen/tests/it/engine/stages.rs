//! Stages with names: a sample belongs to the stage in which its iteration was due.

use std::time::Duration;

use loadgen::threshold::evaluate_all;

use super::shop::{Script, Shop};
use super::{perform, phase};

/// 20 iterations are due in `calm`, 40 in `peak`, 20 after it.
const STAGED: &str = r#"
[scenarios.orders]
executor = "ramping-arrival-rate"
exec = "place-order"
startRate = 50
preAllocatedVUs = 100
stages = [
    { duration = "400ms", target = 50, name = "calm" },
    { duration = "0s", target = 100 },
    { duration = "400ms", target = 100, name = "peak" },
    { duration = "0s", target = 50 },
    { duration = "400ms", target = 50 },
]
[thresholds]
"http_reqs{stage:peak}" = ["count==40", "rate>=100"]
"iterations{stage:peak}" = ["rate>=100%"]
"http_req_duration{stage:calm}" = ["min>=500"]
"http_req_duration" = ["min<500"]
"checks{stage:peak}" = ["rate==1"]
"#;

#[test]
fn a_stage_has_what_was_due_in_it_however_late_it_ends() {
    // Everybody waits until long after the first stage: none of its samples comes while it lasts.
    let freeze = Duration::from_millis(1000);
    let shop = Shop::open(Script { freeze, ..Script::default() });
    let outcome = perform(STAGED, &shop.targets);
    let count = |stage: &str| outcome.count("iterations", &[("stage", stage)]);
    assert_eq!((count("calm"), count("peak")), (20, 40));
    assert_eq!(outcome.count("iterations", &[]), 80);
    assert_eq!(outcome.count("send_lag", &[("stage", "peak")]), 40);
    assert_eq!(
        outcome.rate("checks", &[("stage", "calm"), ("check", "order is created")]),
        (20, 20)
    );
    let phase = phase(STAGED);
    let verdicts = evaluate_all(&phase.thresholds, &outcome.load, phase.load_duration());
    assert!(verdicts.iter().all(|verdict| verdict.ok), "{verdicts:#?}");
}

#[test]
fn what_is_dropped_belongs_to_the_stage_in_which_it_was_due() {
    let shop = Shop::open(Script { order_delay: Duration::from_secs(2), ..Script::default() });
    let few = STAGED.replace("preAllocatedVUs = 100", "preAllocatedVUs = 5");
    let outcome = perform(&few, &shop.targets);
    let dropped = |tags: &[(&str, &str)]| outcome.count("dropped_iterations", tags);
    assert_eq!(dropped(&[("stage", "calm")]), 15);
    assert_eq!(dropped(&[("stage", "peak")]), 40);
    assert_eq!(dropped(&[]), 75);
}
