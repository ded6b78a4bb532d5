use std::collections::BTreeMap;

use contract::events::EventType;
use contract::ids::ProductId;
use contract::topics::Step;

use super::{Check, Finding, with_stock};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "stock-adds-up",
    claim: "at the end, initial stock = on the shelf + sold, nothing is reserved, and GET /inventory agrees at every instance",
    applies: with_stock,
    look,
};

#[derive(Default)]
struct Tally {
    reserved: u64,
    released: u64,
    sold: u64,
}

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(initial), model) = (&evidence.initial_stock, &evidence.model) else { return };
    let mut tallies: BTreeMap<ProductId, Tally> = BTreeMap::new();
    for order in model.orders() {
        finding.order();
        let Some(decided) = model.step(order, Step::Inventory) else { continue };
        if decided.event_type != EventType::InventoryConfirmed {
            continue;
        }
        let tally = tallies.entry(decided.product).or_default();
        let pieces = u64::from(decided.quantity);
        tally.reserved += pieces;
        if model.step(order, Step::Release).is_some() {
            tally.released += pieces;
        } else if model.outcome(order, Step::Payment) == Some(EventType::PaymentCompleted) {
            tally.sold += pieces;
        }
    }
    for (product, start) in initial {
        let tally = tallies.remove(product).unwrap_or_default();
        judge(evidence, finding, *product, *start, &tally);
    }
    for product in tallies.keys() {
        finding.violation(None, format!("{product} was sold, but there was never any"));
    }
    for shelf in &evidence.shelves {
        let at = &shelf.instance;
        for (product, reason) in &shelf.failures {
            finding.violation(None, format!("GET {at}/inventory/{product}: {reason}"));
        }
    }
    let Some((first, others)) = evidence.shelves.split_first() else { return };
    // They show one table: to its time of change they say the same.
    for other in others.iter().filter(|other| other.items != first.items) {
        let (one, another) = (&first.instance, &other.instance);
        finding.violation(None, format!("the shelves of {one} and {another} are not the same"));
    }
}

fn judge(evidence: &Evidence, out: &mut Finding, product: ProductId, start: u64, tally: &Tally) {
    let Tally { reserved, released, sold } = tally;
    if *reserved != released + sold {
        let what = format!(
            "{product}: {reserved} reserved, of them {sold} sold and {released} released: the rest hangs"
        );
        out.violation(None, what);
    }
    let Some(left) = start.checked_sub(*sold) else {
        out.violation(None, format!("{product}: {sold} sold of {start}"));
        return;
    };
    for shelf in &evidence.shelves {
        let Some(item) = shelf.items.get(&product) else { continue };
        let at = &shelf.instance;
        if item.current_stock != left {
            let found = item.current_stock;
            let what = format!(
                "{product}: {start} − {sold} sold = {left}; the shelf of {at} says {found}"
            );
            out.violation(None, what);
        }
        if item.reserved_stock != 0 {
            let found = item.reserved_stock;
            out.violation(
                None,
                format!("{product}: the shelf of {at} still says {found} reserved"),
            );
        }
    }
}
