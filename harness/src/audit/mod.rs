//! The audit (DESIGN §6): what the log holds against what the clients were told.
//!
//! | module | what it does |
//! |---|---|
//! | [`model`] | the records of the shop's topics, compact, and each order's history: the first record of a step wins |
//! | [`reader`] | reads every topic from offset 0 with a plain reader: no group, no service code |
//! | [`committed`] | asks the groups' coordinators what they have committed |
//! | [`drain`] | reads on until every order has ended, or none has moved for a minute |
//! | [`journal`] | what the load generator's clients sent and were told |
//! | [`ledger`], [`stock`], [`view`] | what the gateway, the inventory and the status service say |
//! | [`tables`] | what stands in PostgreSQL, where the shop has one |
//! | [`checks`] | one check a file, all in one register |
//! | [`timeline`] | everything known about one order, in time order |
//! | [`report`] | the findings as JSON and as lines |
//!
//! The model and the checks are pure: all that they judge is in [`Evidence`].

pub mod checks;
pub mod committed;
pub mod drain;
pub mod evidence;
pub mod gather;
pub mod journal;
pub mod ledger;
pub mod model;
pub mod reader;
pub mod report;
pub mod stock;
pub mod tables;
pub mod timeline;
pub mod view;

pub use evidence::Evidence;
pub use report::AuditReport;

/// Judges the evidence by every check that has something to look at by design.
#[must_use]
pub fn audit(evidence: &Evidence) -> AuditReport {
    let findings =
        checks::REGISTER.iter().filter_map(|check| check.judge(evidence)).collect::<Vec<_>>();
    AuditReport::new(evidence, findings)
}
