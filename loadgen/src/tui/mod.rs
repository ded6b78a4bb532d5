//! The live terminal dashboard, and the one line for where there is no terminal.
//!
//! `state` computes what is to be seen, `view` draws it, a file per panel; `terminal` owns the
//! screen and the keys.

mod dashboard;

pub use dashboard::{Action, Dashboard, RunInfo};
