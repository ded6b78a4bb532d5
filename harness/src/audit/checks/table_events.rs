use super::{Check, Finding, with_tables};
use crate::audit::Evidence;
use crate::audit::model::hash_of;

pub(super) const CHECK: Check = Check {
    name: "table-events",
    claim: "the table events holds exactly the deciding records of the log, byte by byte",
    applies: with_tables,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(tables), model) = (&evidence.tables, &evidence.model) else { return };
    for order in model.orders() {
        finding.order();
        let id = model.id(order);
        let rows = tables.events.get(&id).map_or(&[][..], Vec::as_slice);
        let logged = model.history(order).count();
        if rows.len() != logged {
            finding
                .violation(id, format!("{} events in the table, the log has {logged}", rows.len()));
        }
        for record in model.history(order) {
            finding.record();
            let name = record.event_type.name();
            let event_id = id.event_id(record.event_type.step());
            match rows.iter().find(|row| row.event_id == event_id) {
                None => finding.violation(id, format!("{name} is not in the table events")),
                Some(row) if row.event_type != name => {
                    finding.violation(id, format!("{name} is a {} in the table", row.event_type));
                }
                Some(row) if hash_of(row.text.as_bytes()) != record.value_hash => {
                    finding.violation(id, format!("{name} has other bytes in the table"));
                }
                Some(_) => {}
            }
        }
    }
}
