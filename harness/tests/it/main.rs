//! The harness's tests: the audit's checks one by one, the command line, and whole runs with real
//! processes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod any_service;
mod audit_checks;
mod command_line;
mod draft;
mod flags;
mod gate;
mod kafka_away;
mod keys;
mod logs;
mod process;
mod records;
mod replay;
mod results;
mod runs;
#[path = "../../../services/tests/schemas/mod.rs"]
mod schemas;
mod steering;
mod stock_checks;
mod table_checks;
mod up;
