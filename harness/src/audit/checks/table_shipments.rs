use contract::topics::Step;

use super::{Check, Finding, with_tables};
use crate::audit::Evidence;
use crate::audit::model::Detail;

pub(super) const CHECK: Check = Check {
    name: "table-shipments",
    claim: "the table shipments has a row for each order that was shipped, and for no other",
    applies: with_tables,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(tables), model) = (&evidence.tables, &evidence.model) else { return };
    for order in model.orders() {
        finding.order();
        let id = model.id(order);
        let shipped = model.step(order, Step::Shipping).map(|record| &record.detail);
        match (shipped, tables.shipments.get(&id)) {
            (Some(Detail::Shipped { tracking_number, carrier, delivery_days }), Some(row)) => {
                let same = row.tracking_number == **tracking_number
                    && row.carrier == format!("{carrier:?}")
                    && i64::from(row.days) == i64::from(*delivery_days);
                if !same {
                    finding.violation(id, format!("the table has {row:?}"));
                }
            }
            (Some(_), _) => finding.violation(id, "was shipped and is not in the table shipments"),
            (None, Some(_)) => {
                finding.violation(id, "was not shipped and is in the table shipments")
            }
            (None, None) => {}
        }
    }
}
