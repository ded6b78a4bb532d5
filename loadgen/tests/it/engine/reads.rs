//! Reading statuses.

use loadgen::journal::Line;

use super::perform;
use super::shop::{Script, Shop};

/// One order, and reads that begin when it is known.
const READS: &str = r#"
[scenarios.orders]
executor = "per-vu-iterations"
exec = "place-order"
[scenarios.reads]
executor = "per-vu-iterations"
exec = "check-status"
iterations = 4
startTime = "500ms"
"#;

#[test]
fn a_404_before_the_first_event_counts_by_itself_and_fails_nothing() {
    let shop = Shop::open(Script { statuses: vec![404, 404], ..Script::default() });
    let outcome = perform(READS, &shop.targets);
    assert_eq!(outcome.count("status_not_yet", &[]), 2);
    assert_eq!(outcome.rate("http_req_failed", &[("name", "status")]), (0, 4));
    let (passed, total) = outcome.rate("checks", &[]);
    assert_eq!(passed, total);
    assert!(outcome.journal.iter().all(|line| matches!(line, Line::Order(_))));
}

#[test]
fn an_order_that_was_shown_and_is_gone_is_a_violation() {
    let shop = Shop::open(Script { statuses: vec![200, 404], ..Script::default() });
    let outcome = perform(READS, &shop.targets);
    let order_id = outcome.orders()[0].order_id;
    let gone = |line: &&Line| matches!(line, Line::Violation(entry) if entry.order_id == order_id);
    assert_eq!(outcome.journal.iter().filter(gone).count(), 1);
    assert_eq!(outcome.rate("checks", &[("check", "order stays known")]), (0, 1));
}
