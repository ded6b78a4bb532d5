//! Everything known about one order, in time order: what a violation prints.

use std::fmt::Write as _;

use contract::Timestamp;
use contract::events::EventType;
use contract::ids::OrderId;

use super::Evidence;
use super::journal::{OrderEntry, Outcome};
use super::model::{Detail, Record, Role};

/// One line per thing known: journal entries, records with topic/partition@offset, the ledger.
#[must_use]
pub fn timeline(evidence: &Evidence, id: OrderId) -> Vec<String> {
    let mut entries: Vec<(Option<Timestamp>, String)> = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    if let Some(order) = evidence.model.find(id) {
        for record in evidence.model.records().iter().filter(|record| record.order == order) {
            if let Detail::Created { request_id: Some(key) } = &record.detail {
                keys.push(key);
            }
            entries.push((Some(record.created_at), record_line(record)));
        }
    }
    for request in evidence.journal.iter().flat_map(|journal| &journal.requests) {
        if request.order_id == Some(id) || keys.contains(&&*request.key) {
            entries.push((Some(request.sent_at), request_line(request)));
        }
    }
    // A stable sort: what carries the same time stays in the order in which it was read.
    entries.sort_by_key(|(at, _)| (at.is_none(), *at));
    let mut lines: Vec<String> = entries.into_iter().map(|(at, line)| stamp(at, &line)).collect();
    if let Some(charge) = evidence.ledger.as_ref().and_then(|ledger| ledger.charges.get(&id)) {
        let line = format!(
            "gateway   {:?} {}, {} attempt(s), money taken {} time(s)",
            charge.outcome, charge.amount, charge.attempts, charge.captures
        );
        lines.push(stamp(None, &line));
    }
    lines
}

fn stamp(at: Option<Timestamp>, line: &str) -> String {
    match at {
        Some(at) => format!("{} {line}", at.format("%H:%M:%S%.3f")),
        None => format!("{:12} {line}", ""),
    }
}

fn record_line(record: &Record) -> String {
    let place = format!("{}/{}@{}", record.topic.name(), record.partition, record.offset);
    let mut line = format!("log       {place:22} {}", record.event_type.name());
    // Writing into a string cannot fail.
    let _ = match &record.detail {
        Detail::Created { .. } => write!(line, " {} × {}", record.quantity, record.product),
        Detail::Payment { amount } => write!(line, " {amount}"),
        Detail::Shipped { tracking_number, carrier, .. } => {
            write!(line, " {tracking_number} {carrier:?}")
        }
        Detail::Inventory | Detail::Notification => Ok(()),
    };
    line.push_str(match record.role {
        Role::First => "",
        Role::Repeat => " (repeat)",
        Role::LostRace => " (lost a race)",
    });
    line
}

fn request_line(request: &OrderEntry) -> String {
    let told = match request.outcome {
        Outcome::Created => "told created",
        Outcome::Refused => "told no",
        Outcome::Unknown => "never learnt",
    };
    let status = request.status.map_or(String::new(), |status| format!(" ({status})"));
    let (quantity, product, key) = (request.quantity, request.product_id, &request.key);
    let mut line = format!("client    {quantity} × {product}, key {key}, {told}{status}");
    if let Some(socket) = &request.socket {
        let seen: Vec<&str> = socket.events.iter().map(|event| EventType::name(*event)).collect();
        let _ = write!(
            line,
            "; socket opened {}×, {} frames, last showed {}",
            socket.opened,
            socket.frames,
            seen.join(" ")
        );
    }
    line
}
