//! What the process tells its caller (DESIGN §2): k6's codes where k6 has one.

use std::process::ExitCode;

use loadgen::report::Verdict;

/// Bad configuration: a wrong flag, a missing file, an occupied port, a Kafka that does not answer.
pub const BAD_CONFIGURATION: u8 = 104;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It was compared, and the later one is worse than allowed.
    Regression,
    /// The verdict of a run or of an audit.
    Judged(Verdict),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Regression => Self::from(Verdict::ThresholdCrossed.exit_code()),
            Outcome::Judged(verdict) => Self::from(verdict.exit_code()),
        }
    }
}
