use contract::order::Order;

use super::{Check, Finding};
use crate::audit::Evidence;
use crate::audit::model::{Detail, Model, OrderIndex, hash_of};
use crate::audit::view::Views;

pub(super) const CHECK: Check = Check {
    name: "status-view",
    claim: "GET /status shows exactly what the log says: status, events, amounts, tracking number",
    applies: |evidence| !evidence.views.is_empty(),
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    for views in &evidence.views {
        look_at(&evidence.model, views, finding);
    }
}

fn look_at(model: &Model, views: &Views, finding: &mut Finding) {
    let at = &views.instance;
    for (id, reason) in &views.failures {
        finding.order();
        finding.violation(*id, format!("GET {at}/status: {reason}"));
    }
    for view in &views.orders {
        finding.order();
        finding.looked_at.records += view.events.len() as u64;
        let id = view.order_id;
        let Some(order) = model.find(id) else {
            finding.violation(id, format!("{at} knows an order that is not in the log"));
            continue;
        };
        if let Some(what) = difference(model, order, view) {
            finding.violation(id, format!("{at}: {what}"));
        }
    }
}

fn difference(model: &Model, order: OrderIndex, view: &Order) -> Option<String> {
    let id = model.id(order);
    if Some(view.status) != model.status(order) {
        return Some(format!("status {:?}, the log says {:?}", view.status, model.status(order)));
    }
    let logged: Vec<_> = model.history(order).collect();
    if view.events.len() != logged.len() {
        return Some(format!("{} events, the log has {}", view.events.len(), logged.len()));
    }
    for record in &logged {
        let event_id = id.event_id(record.event_type.step());
        let name = record.event_type.name();
        let Some(shown) = view.events.iter().find(|shown| shown.event_type == name) else {
            return Some(format!("{name} is missing"));
        };
        if shown.event_id != event_id {
            return Some(format!("{name} has event id {}, not {event_id}", shown.event_id));
        }
        if hash_of(shown.data.as_bytes()) != record.value_hash {
            return Some(format!("{name} shows other data than the deciding record"));
        }
        if Some(shown.timestamp) != record.stamped_at {
            return Some(format!("{name} shows another time than the deciding record"));
        }
    }
    let mut tracking = None;
    let mut amount = None;
    for record in &logged {
        match &record.detail {
            Detail::Shipped { tracking_number, .. } => tracking = Some(&**tracking_number),
            Detail::Payment { amount: paid } => amount = Some(*paid),
            _ => {}
        }
    }
    if view.tracking_number.as_deref() != tracking {
        return Some(format!("tracking number {:?}, not {tracking:?}", view.tracking_number));
    }
    if view.payment_amount.is_some() && view.payment_amount != amount {
        return Some(format!("amount {:?}, not {amount:?}", view.payment_amount));
    }
    None
}
