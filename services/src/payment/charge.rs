//! What to do about a charge, attempt by attempt: pure.
//!
//! | the last attempt came to | inside the budget | after it |
//! |---|---|---|
//! | captured, declined | settled | settled |
//! | a charge without an answer, or with an error | ask whether it was taken | ask once more |
//! | a charge that never left | charge again | ask once more |
//! | a question: no such charge | charge again | not paid; parked when a charge may still be on its way |
//! | a question without an answer, or with an error | ask again | parked |

use std::time::Duration;

/// Pause before the second attempt, doubled up to the maximum.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The reason of a payment that failed because the gateway was out of order.
pub(crate) const GATEWAY_DOWN: &str = "payment gateway unavailable";

/// What was asked of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To charge.
    Charge,
    /// Whether it has charged.
    Query,
}

impl Asked {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Query => "query",
        }
    }
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Captured,
    Declined(String),
    /// The gateway knows of no charge for this order.
    NotFound,
    /// The gateway answered that it could not do it: it may have charged all the same.
    Failed,
    /// No answer: it may have charged or not.
    Unknown,
    /// The request never left.
    NeverSent,
}

impl Outcome {
    /// As metrics name it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Declined(_) => "declined",
            Self::NotFound => "not_found",
            Self::Failed => "error",
            Self::Unknown => "silent",
            Self::NeverSent => "unreachable",
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Charge (again), under the same idempotency key.
    Charge(Duration),
    /// Ask whether the order was charged.
    Query(Duration),
    Settle(Settled),
    /// Whether the order was charged stays unknown: nothing may follow from it for now.
    Park,
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
    /// How long charging is tried.
    budget: Duration,
    pause: Duration,
    /// A charge request got no answer: it may still be on its way.
    open_end: bool,
}

impl Attempts {
    pub(crate) const fn within(budget: Duration) -> Self {
        Self { budget, pause: FIRST_PAUSE, open_end: false }
    }

    /// Whether a charge may still be sent, `elapsed` after the order was taken on. Asked right before it is
    /// sent: a process that stood still must not charge what its successor has given up.
    pub(crate) fn may_charge(&self, elapsed: Duration) -> bool {
        elapsed < self.budget
    }

    /// What follows from the outcome of an attempt, `elapsed` after the order was taken on.
    pub(crate) fn after(&mut self, asked: Asked, outcome: Outcome, elapsed: Duration) -> Next {
        let in_budget = self.may_charge(elapsed);
        match (outcome, asked) {
            (Outcome::Captured, _) => Next::Settle(Settled::Paid),
            (Outcome::Declined(reason), _) => Next::Settle(Settled::NotPaid(reason)),
            (Outcome::NotFound, _) if in_budget => Next::Charge(self.next_pause()),
            // While a request may still arrive, "not found" proves nothing.
            (Outcome::NotFound, _) if self.open_end => Next::Park,
            (Outcome::NotFound, _) => Next::Settle(Settled::NotPaid(GATEWAY_DOWN.to_owned())),
            (Outcome::NeverSent, Asked::Charge) if in_budget => Next::Charge(self.next_pause()),
            (outcome, Asked::Charge) => {
                self.open_end |= outcome == Outcome::Unknown;
                Next::Query(self.next_pause())
            }
            (_, Asked::Query) if in_budget => Next::Query(self.next_pause()),
            (_, Asked::Query) => Next::Park,
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
    use proptest::prelude::*;

    use super::*;

    const BUDGET: Duration = Duration::from_secs(10);
    const EARLY: Duration = Duration::from_secs(1);
    const LATE: Duration = Duration::from_secs(11);

    fn attempts() -> Attempts {
        Attempts::within(BUDGET)
    }

    #[test]
    fn a_definite_answer_settles() {
        let paid = attempts().after(Asked::Charge, Outcome::Captured, LATE);
        assert_eq!(paid, Next::Settle(Settled::Paid));
        let declined = attempts().after(Asked::Query, Outcome::Declined("no funds".into()), EARLY);
        assert_eq!(declined, Next::Settle(Settled::NotPaid("no funds".into())));
    }

    #[test]
    fn what_never_left_is_sent_again_with_growing_pauses_inside_the_budget() {
        let mut attempts = attempts();
        let mut next = || attempts.after(Asked::Charge, Outcome::NeverSent, EARLY);
        assert_eq!(next(), Next::Charge(FIRST_PAUSE));
        assert_eq!(next(), Next::Charge(FIRST_PAUSE * 2));
        for _ in 0..20 {
            next();
        }
        assert_eq!(next(), Next::Charge(LONGEST_PAUSE));
    }

    #[test]
    fn what_may_have_been_taken_is_asked_for_until_the_gateway_says_so() {
        for outcome in [Outcome::Unknown, Outcome::Failed] {
            let mut attempts = attempts();
            assert!(matches!(attempts.after(Asked::Charge, outcome, EARLY), Next::Query(_)));
            for unclear in [Outcome::Unknown, Outcome::Failed, Outcome::NeverSent] {
                assert!(matches!(attempts.after(Asked::Query, unclear, EARLY), Next::Query(_)));
            }
            assert!(matches!(
                attempts.after(Asked::Query, Outcome::NotFound, EARLY),
                Next::Charge(_)
            ));
        }
    }

    #[test]
    fn after_the_budget_what_is_still_unknown_is_parked() {
        let mut silent = attempts();
        assert!(matches!(silent.after(Asked::Charge, Outcome::Unknown, LATE), Next::Query(_)));
        assert_eq!(silent.after(Asked::Query, Outcome::Failed, LATE), Next::Park);
        // A late request may still arrive, so that even this says nothing.
        assert_eq!(silent.after(Asked::Query, Outcome::NotFound, LATE), Next::Park);
    }

    #[test]
    fn after_the_budget_only_a_gateway_that_never_took_the_charge_fails_the_payment() {
        let mut attempts = attempts();
        assert!(matches!(attempts.after(Asked::Charge, Outcome::Failed, LATE), Next::Query(_)));
        assert!(matches!(attempts.after(Asked::Charge, Outcome::NeverSent, LATE), Next::Query(_)));
        let settled = attempts.after(Asked::Query, Outcome::NotFound, LATE);
        assert_eq!(settled, Next::Settle(Settled::NotPaid(GATEWAY_DOWN.into())));
    }

    fn outcomes() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(Outcome::NotFound),
            Just(Outcome::Failed),
            Just(Outcome::Unknown),
            Just(Outcome::NeverSent),
        ]
    }

    proptest! {
        /// Whatever the gateway does: it ends soon after the budget, never charges after it, never charges
        /// again before a charge that may have been taken was asked about, and gives no money up for lost.
        #[test]
        fn it_ends_and_charges_nothing_blindly(
            answers in prop::collection::vec((outcomes(), 0_u64..3_000), 400),
        ) {
            let mut attempts = attempts();
            let (mut asked, mut elapsed, mut unclear) = (Asked::Charge, Duration::ZERO, false);
            let mut lost_sight = false;
            for (outcome, took) in answers {
                elapsed += Duration::from_millis(took);
                let outcome = match (asked, outcome) {
                    (Asked::Charge, Outcome::NotFound) => Outcome::Unknown,
                    (_, outcome) => outcome,
                };
                lost_sight |= asked == Asked::Charge && outcome == Outcome::Unknown;
                unclear = match (asked, &outcome) {
                    (Asked::Charge, Outcome::NeverSent) => unclear,
                    (Asked::Charge, _) => true,
                    (Asked::Query, Outcome::NotFound) => false,
                    (Asked::Query, _) => unclear,
                };
                match attempts.after(asked, outcome, elapsed) {
                    Next::Charge(pause) => {
                        prop_assert!(!unclear && elapsed < BUDGET);
                        (asked, elapsed) = (Asked::Charge, elapsed + pause);
                    }
                    Next::Query(pause) => (asked, elapsed) = (Asked::Query, elapsed + pause),
                    Next::Settle(settled) => {
                        prop_assert_eq!(settled, Settled::NotPaid(GATEWAY_DOWN.to_owned()));
                        prop_assert!(!lost_sight && elapsed >= BUDGET);
                        return Ok(());
                    }
                    Next::Park => {
                        prop_assert!(elapsed >= BUDGET);
                        return Ok(());
                    }
                }
                prop_assert!(elapsed < BUDGET + Duration::from_secs(9), "it goes on and on");
            }
        }
    }
}
