//! The checks, one a file, and the one register that names them all.
//!
//! A check looks at the evidence and returns what it looked at and what it found wrong. One that
//! looked at nothing fails: it would pass whatever the shop did. A check whose subject a phase does not
//! have by design is not listed at all ([`Check::applies`]).

mod accepted;
mod amounts;
mod answers;
mod causality;
mod clients;
mod dead_letters;
mod ended;
mod exclusion;
mod headers;
mod lag;
mod ledger;
mod money;
mod once;
mod path;
mod payload;
mod phantoms;
mod placement;
mod sockets;
mod stock_end;
mod stock_prefix;
mod table_events;
mod table_orders;
mod table_shipments;
mod table_stock;
mod tracking;
mod view;

use contract::ids::OrderId;

use super::Evidence;

/// Violations that a finding keeps in full; beyond it they are only counted.
pub const KEPT_VIOLATIONS: usize = 20;

/// How much a check looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookedAt {
    pub orders: u64,
    pub records: u64,
    pub frames: u64,
}

impl LookedAt {
    const fn nothing(self) -> bool {
        self.orders == 0 && self.records == 0 && self.frames == 0
    }
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The order that it happened to, where it happened to one.
    pub order: Option<OrderId>,
    pub what: String,
}

/// What one check found.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    pub name: &'static str,
    /// What holds when the check passes.
    pub claim: &'static str,
    pub looked_at: LookedAt,
    /// The first [`KEPT_VIOLATIONS`].
    pub violations: Vec<Violation>,
    /// All of them.
    pub violation_count: u64,
}

impl Finding {
    /// Nothing is wrong, and there was something to look at.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.violation_count == 0 && !self.looked_at.nothing()
    }

    fn order(&mut self) {
        self.looked_at.orders += 1;
    }

    fn record(&mut self) {
        self.looked_at.records += 1;
    }

    fn violation(&mut self, order: impl Into<Option<OrderId>>, what: impl Into<String>) {
        self.violation_count += 1;
        if self.violations.len() < KEPT_VIOLATIONS {
            self.violations.push(Violation { order: order.into(), what: what.into() });
        }
    }
}

/// An entry of the register.
pub struct Check {
    pub name: &'static str,
    pub claim: &'static str,
    applies: fn(&Evidence) -> bool,
    look: fn(&Evidence, &mut Finding),
}

impl Check {
    /// `None` when the phase does not have by design what this check looks at.
    #[must_use]
    pub fn judge(&self, evidence: &Evidence) -> Option<Finding> {
        (self.applies)(evidence).then(|| {
            let mut finding = Finding { name: self.name, claim: self.claim, ..Finding::default() };
            (self.look)(evidence, &mut finding);
            finding
        })
    }
}

const fn always(_: &Evidence) -> bool {
    true
}

const fn with_journal(evidence: &Evidence) -> bool {
    evidence.journal.is_some()
}

const fn with_ledger(evidence: &Evidence) -> bool {
    evidence.ledger.is_some()
}

const fn with_stock(evidence: &Evidence) -> bool {
    evidence.initial_stock.is_some()
}

const fn with_tables(evidence: &Evidence) -> bool {
    evidence.tables.is_some()
}

/// Every check, in the order of the report.
pub const REGISTER: &[Check] = &[
    accepted::CHECK,
    answers::CHECK,
    phantoms::CHECK,
    ended::CHECK,
    path::CHECK,
    exclusion::CHECK,
    once::CHECK,
    payload::CHECK,
    amounts::CHECK,
    ledger::CHECK,
    money::CHECK,
    stock_prefix::CHECK,
    stock_end::CHECK,
    tracking::CHECK,
    causality::CHECK,
    placement::CHECK,
    headers::CHECK,
    dead_letters::CHECK,
    lag::CHECK,
    sockets::CHECK,
    view::CHECK,
    table_orders::CHECK,
    table_events::CHECK,
    table_shipments::CHECK,
    table_stock::CHECK,
    clients::CHECK,
];
