//! The harness's tests: the audit's checks one by one, and real processes.

mod audit_checks;
mod draft;
