//! What to do about a charge, attempt by attempt: pure.

use std::time::Duration;

/// How long charging is tried before a gateway that never took the charge counts as out of order.
const BUDGET: Duration = Duration::from_secs(10);

/// Pause before the second attempt, doubled up to the maximum.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The reason of a payment that failed because the gateway was out of order.
const GATEWAY_DOWN: &str = "payment gateway unavailable";

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Captured,
    Declined(String),
    /// The gateway knows of no charge for this order.
    NotFound,
    /// The gateway answered that it could not do it.
    Failed,
    /// No answer: it may have charged or not.
    Unknown,
    /// The request never left.
    NeverSent,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Charge (again), under the same idempotency key.
    Charge(Duration),
    /// Ask whether the order was charged.
    Query(Duration),
    Settle(Settled),
}

/// How a charge ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    Paid,
    NotPaid(String),
}

/// The attempts at one charge.
#[derive(Debug)]
pub(crate) struct Attempts {
    pause: Duration,
    /// A charge request got no answer: it may still be on its way.
    open_end: bool,
}

impl Attempts {
    pub(crate) const fn new() -> Self {
        Self { pause: FIRST_PAUSE, open_end: false }
    }

    /// What follows from the outcome of an attempt, `elapsed` after the first began.
    pub(crate) fn after(&mut self, outcome: Outcome, elapsed: Duration) -> Next {
        let in_budget = elapsed < BUDGET;
        match outcome {
            Outcome::Captured => Next::Settle(Settled::Paid),
            Outcome::Declined(reason) => Next::Settle(Settled::NotPaid(reason)),
            Outcome::Unknown => {
                self.open_end = true;
                Next::Query(self.next_pause())
            }
            Outcome::Failed | Outcome::NeverSent if in_budget => Next::Charge(self.next_pause()),
            // A gateway that errs may have charged all the same.
            Outcome::Failed | Outcome::NeverSent => Next::Query(self.next_pause()),
            // While a request may still arrive, "not found" proves nothing; charging again under the same
            // key is safe and brings a definite answer.
            Outcome::NotFound if in_budget || self.open_end => Next::Charge(self.next_pause()),
            Outcome::NotFound => Next::Settle(Settled::NotPaid(GATEWAY_DOWN.to_owned())),
        }
    }

    fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: Duration = Duration::from_secs(1);
    const LATE: Duration = Duration::from_secs(11);

    #[test]
    fn a_definite_answer_settles() {
        assert_eq!(Attempts::new().after(Outcome::Captured, LATE), Next::Settle(Settled::Paid));
        let declined = Attempts::new().after(Outcome::Declined("no funds".into()), EARLY);
        assert_eq!(declined, Next::Settle(Settled::NotPaid("no funds".into())));
    }

    #[test]
    fn errors_are_tried_again_with_growing_pauses_inside_the_budget() {
        let mut attempts = Attempts::new();
        let first = attempts.after(Outcome::Failed, EARLY);
        let second = attempts.after(Outcome::NeverSent, EARLY);
        assert_eq!((first, second), (Next::Charge(FIRST_PAUSE), Next::Charge(FIRST_PAUSE * 2)));
        for _ in 0..20 {
            attempts.after(Outcome::Failed, EARLY);
        }
        assert_eq!(attempts.after(Outcome::Failed, EARLY), Next::Charge(LONGEST_PAUSE));
    }

    #[test]
    fn an_unknown_outcome_is_asked_for_and_never_taken_for_a_failure() {
        let mut attempts = Attempts::new();
        assert!(matches!(attempts.after(Outcome::Unknown, EARLY), Next::Query(_)));
        for _ in 0..50 {
            assert!(matches!(attempts.after(Outcome::NotFound, LATE), Next::Charge(_)));
            assert!(matches!(attempts.after(Outcome::Failed, LATE), Next::Query(_)));
        }
    }

    #[test]
    fn after_the_budget_only_a_gateway_that_never_took_the_charge_fails_the_payment() {
        let mut attempts = Attempts::new();
        assert!(matches!(attempts.after(Outcome::Failed, LATE), Next::Query(_)));
        assert!(matches!(attempts.after(Outcome::NeverSent, LATE), Next::Query(_)));
        let settled = attempts.after(Outcome::NotFound, LATE);
        assert_eq!(settled, Next::Settle(Settled::NotPaid(GATEWAY_DOWN.into())));
    }
}
