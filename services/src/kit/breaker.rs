//! A circuit breaker (specification §9.2): calls to something that has failed again and again are not
//! made for a while, so that nobody waits for what will fail.
//!
//! ```text
//!            max failures in a row              reset timeout
//!   Closed ───────────────────────▶ Open ───────────────────────▶ HalfOpen
//!      ▲                              ▲   the next call is a probe   │  │
//!      │                              └──────── the probe fails ─────┘  │
//!      └─────────────────────────── the probe succeeds ─────────────────┘
//! ```
//!
//! [`Breaker`] is pure: time is passed in. [`Guard`] shares one between tasks.

mod guard;

use std::time::Duration;

pub(crate) use guard::Guard;

/// When to open, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BreakerSettings {
    /// Failures in a row that open it.
    pub(crate) max_failures: u32,
    /// How long it stays open before a probe may look.
    pub(crate) reset_timeout: Duration,
}

/// What a breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum BreakerState {
    /// Every call.
    Closed,
    /// None.
    Open,
    /// One at a time, to find out.
    HalfOpen,
}

impl BreakerState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeded,
    /// So many calls that were made as one.
    Failed(u32),
    /// Nobody waited for its end.
    GivenUp,
}

/// The right to one call. It belongs to the time between two changes of state: what a call from before
/// says of the present is too old to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permit {
    era: u64,
}

/// The breaker itself. All times are of a clock that never jumps.
#[derive(Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    phase: Phase,
    /// Changes of state so far.
    era: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed { failures: u32 },
    Open { since: Duration },
    HalfOpen { probing: bool },
}

impl Breaker {
    pub(crate) const fn new(settings: BreakerSettings) -> Self {
        Self { settings, phase: Phase::Closed { failures: 0 }, era: 0 }
    }

    pub(crate) const fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Asks for a call; `None` when it must not be made. Whoever gets a permit says how the call ended
    /// ([`Self::settle`]).
    pub(crate) fn admit(&mut self, now: Duration) -> Option<Permit> {
        match &mut self.phase {
            Phase::Closed { .. } => {}
            Phase::Open { since } if now < *since + self.settings.reset_timeout => return None,
            Phase::Open { .. } => self.change(Phase::HalfOpen { probing: true }),
            Phase::HalfOpen { probing: true } => return None,
            Phase::HalfOpen { probing } => *probing = true,
        }
        Some(Permit { era: self.era })
    }

    /// How long it is until a probe may be made. `None` when time alone changes nothing.
    pub(crate) fn opens_to_probes_in(&self, now: Duration) -> Option<Duration> {
        match self.phase {
            Phase::Open { since } => {
                Some((since + self.settings.reset_timeout).saturating_sub(now))
            }
            Phase::Closed { .. } | Phase::HalfOpen { .. } => None,
        }
    }

    /// A call ended.
    pub(crate) fn settle(&mut self, permit: Permit, ending: Ending, now: Duration) {
        if permit.era != self.era {
            return;
        }
        match (&mut self.phase, ending) {
            (Phase::Closed { failures }, Ending::Succeeded) => *failures = 0,
            (Phase::Closed { failures }, Ending::Failed(more)) => {
                *failures = failures.saturating_add(more);
                if *failures >= self.settings.max_failures {
                    self.change(Phase::Open { since: now });
                }
            }
            (Phase::HalfOpen { .. }, Ending::Succeeded) => {
                self.change(Phase::Closed { failures: 0 });
            }
            (Phase::HalfOpen { .. }, Ending::Failed(_)) => self.change(Phase::Open { since: now }),
            (Phase::HalfOpen { probing }, Ending::GivenUp) => *probing = false,
            // No call is made while it is open, and one that nobody waited for says nothing.
            (Phase::Open { .. }, _) | (Phase::Closed { .. }, Ending::GivenUp) => {}
        }
    }

    fn change(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RESET: Duration = Duration::from_secs(2);

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings { max_failures: 3, reset_timeout: RESET })
    }

    fn fail(breaker: &mut Breaker, times: u32, now: Duration) {
        for _ in 0..times {
            let permit = breaker.admit(now).unwrap();
            breaker.settle(permit, Ending::Failed(1), now);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = breaker();
        fail(&mut breaker, 2, Duration::ZERO);
        let permit = breaker.admit(Duration::ZERO).unwrap();
        breaker.settle(permit, Ending::Succeeded, Duration::ZERO);
        fail(&mut breaker, 2, Duration::ZERO);
        assert_eq!(breaker.state(), BreakerState::Closed);
        fail(&mut breaker, 1, Duration::ZERO);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.opens_to_probes_in(RESET / 2), Some(RESET / 2));
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let mut breaker = breaker();
        fail(&mut breaker, 3, Duration::ZERO);
        assert_eq!(breaker.admit(RESET - Duration::from_nanos(1)), None);
        let probe = breaker.admit(RESET).unwrap();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert_eq!(breaker.admit(RESET * 9), None);
        breaker.settle(probe, Ending::GivenUp, RESET);
        let probe = breaker.admit(RESET).unwrap();
        breaker.settle(probe, Ending::Failed(1), RESET);
        assert_eq!(breaker.state(), BreakerState::Open);
        let probe = breaker.admit(RESET * 2).unwrap();
        breaker.settle(probe, Ending::Succeeded, RESET * 2);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn what_began_before_a_change_says_nothing_of_the_present() {
        let mut breaker = breaker();
        let old = breaker.admit(Duration::ZERO).unwrap();
        fail(&mut breaker, 3, Duration::ZERO);
        let probe = breaker.admit(RESET).unwrap();
        breaker.settle(old, Ending::Failed(1), RESET);
        breaker.settle(old, Ending::Succeeded, RESET);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        breaker.settle(probe, Ending::Succeeded, RESET);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[derive(Debug, Clone)]
    enum Happening {
        Pass(u64),
        Call,
        End(usize, u8),
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            (0..1_500_u64).prop_map(Happening::Pass),
            Just(Happening::Call),
            (any::<usize>(), 0..5_u8).prop_map(|(call, ending)| Happening::End(call, ending)),
        ]
    }

    proptest! {
        /// Whatever happens: only the four arrows of the picture, none of them early; no call while it
        /// is open; never two probes; and open only after as many failures in a row as it takes.
        #[test]
        fn only_legal_transitions_and_no_call_while_open(
            story in prop::collection::vec(happening(), 1..300),
        ) {
            use BreakerState::{Closed, HalfOpen, Open};
            let mut breaker = breaker();
            let mut now = Duration::ZERO;
            let mut calls: Vec<Permit> = Vec::new();
            let (mut opened_at, mut row, mut probes) = (Duration::ZERO, 0_u32, 0_u32);
            for happening in story {
                let before = breaker.state();
                match happening {
                    Happening::Pass(millis) => now += Duration::from_millis(millis),
                    Happening::Call => {
                        let permit = breaker.admit(now);
                        let due = now >= opened_at + RESET;
                        let expected = match before {
                            Closed => true,
                            Open => due,
                            HalfOpen => probes == 0,
                        };
                        prop_assert_eq!(permit.is_some(), expected, "while {:?}", before);
                        calls.extend(permit);
                        if before != Closed && permit.is_some() {
                            probes += 1;
                        }
                    }
                    Happening::End(..) if calls.is_empty() => continue,
                    Happening::End(call, ending) => {
                        let permit = calls.swap_remove(call % calls.len());
                        let current = permit.era == breaker.era;
                        let ending = match ending {
                            0 => Ending::Succeeded,
                            1 => Ending::GivenUp,
                            more => Ending::Failed(u32::from(more) - 1),
                        };
                        breaker.settle(permit, ending, now);
                        if current && before == HalfOpen {
                            probes -= 1;
                        }
                        if current && before == Closed {
                            row = match ending {
                                Ending::Succeeded => 0,
                                Ending::Failed(more) => row + more,
                                Ending::GivenUp => row,
                            };
                            prop_assert_eq!(breaker.state() == Open, row >= 3);
                        }
                    }
                }
                let after = breaker.state();
                let legal = [(Closed, Open), (Open, HalfOpen), (HalfOpen, Open), (HalfOpen, Closed)];
                prop_assert!(before == after || legal.contains(&(before, after)));
                prop_assert!(probes <= 1 && (after == HalfOpen || probes == 0));
                if before != after {
                    row = 0;
                    if after == Open {
                        opened_at = now;
                    }
                }
            }
        }
    }
}
