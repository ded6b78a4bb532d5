use contract::events::EventType;

use super::{Check, Finding};
use crate::audit::Evidence;
use crate::audit::journal::{OrderEntry, Outcome, SocketEntry};
use crate::audit::model::{Model, OrderIndex};

pub(super) const CHECK: Check = Check {
    name: "sockets",
    claim: "every frame extended the one before, in causal order; who saw the order's end saw all of it",
    applies: |evidence| evidence.sockets_expected && evidence.journal.is_some(),
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(journal), model) = (&evidence.journal, &evidence.model) else { return };
    for request in &journal.requests {
        let Some(socket) = &request.socket else { continue };
        finding.looked_at.frames += u64::from(socket.frames);
        if socket.frames > 0 {
            finding.order();
        }
        for violation in &socket.violations {
            finding.violation(request.order_id, violation.to_string());
        }
        if let Some(what) = judge(model, request, socket) {
            finding.violation(request.order_id, what);
        }
    }
}

fn judge(model: &Model, request: &OrderEntry, socket: &SocketEntry) -> Option<String> {
    if request.outcome != Outcome::Created || socket.frames == 0 {
        return None;
    }
    let order = model.find(request.order_id?)?;
    let logged: Vec<EventType> = model.history(order).map(|record| record.event_type).collect();
    if let Some(alien) = socket.events.iter().find(|seen| !logged.contains(seen)) {
        return Some(format!("the socket showed {}, the log has none", alien.name()));
    }
    if let Some(effect) = without_cause(model, order, &socket.events) {
        return Some(format!("the socket showed {} before its cause", effect.name()));
    }
    if socket.ended && socket.events.len() != logged.len() {
        let (seen, all) = (socket.events.len(), logged.len());
        return Some(format!("the socket showed the end, but {seen} of {all} events"));
    }
    None
}

/// An event in the frame that stands before one that causes it, or twice.
fn without_cause(model: &Model, order: OrderIndex, seen: &[EventType]) -> Option<EventType> {
    let logged: Vec<EventType> = model.history(order).map(|record| record.event_type).collect();
    let place = |event: EventType| logged.iter().position(|logged| *logged == event);
    for (at, event) in seen.iter().enumerate() {
        if seen[..at].contains(event) {
            return Some(*event);
        }
        // Shipping, the release and the notification do not wait for one another.
        let causes = place(*event).map_or(0, |place| place.min(branches_at(&logged)));
        if logged[..causes].iter().any(|cause| !seen[..at].contains(cause)) {
            return Some(*event);
        }
    }
    None
}

/// Where the chain of causes ends and the independent effects begin: behind the last decision.
fn branches_at(logged: &[EventType]) -> usize {
    let decision = |event: &EventType| {
        !matches!(
            event,
            EventType::Shipped | EventType::NotificationSent | EventType::InventoryReleased
        )
    };
    logged.iter().filter(|event| decision(event)).count()
}
