//! The harness's tests: the audit's checks one by one, the command line, and whole runs with real
//! processes.

mod audit_checks;
mod command_line;
mod draft;
mod process;
mod runs;
