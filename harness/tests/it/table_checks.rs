//! The checks of the tables: a bug planted in each.

use std::collections::{BTreeMap, HashMap};

use contract::events::{Event, EventType};
use contract::ids::ProductId;
use contract::topics::Step;
use doorbuster::audit::model::Model;
use doorbuster::audit::tables::{
    EventRow, OrderRow, ReservationRow, ShipmentRow, StockRow, Tables,
};

use crate::audit_checks::caught;
use crate::draft::{Draft, PRODUCT, REJECTED, SHIPPED, UNPAID, id};

/// What correct services would have written, from the first draft of each step.
pub(crate) fn tables_of(
    model: &Model,
    records: &[Draft],
    initial: &BTreeMap<ProductId, u64>,
) -> Tables {
    let mut tables = Tables::default();
    let (mut sold, mut reserved) = (HashMap::new(), HashMap::new());
    for order in model.orders() {
        let id = model.id(order);
        let mut firsts: BTreeMap<Step, &Draft> = BTreeMap::new();
        for draft in records.iter().filter(|draft| draft.event.order_id() == id) {
            firsts.entry(draft.event.step()).or_insert(draft);
        }
        let Some(any) = firsts.values().next().map(|draft| &draft.event) else { continue };
        let content = firsts.get(&Step::Created).map_or(any, |draft| &draft.event);
        let (product, quantity) =
            (content.product_id(), i32::try_from(content.quantity()).unwrap());
        let outcome = |step| firsts.get(&step).map(|draft| draft.event.event_type());
        let paid = outcome(Step::Payment) == Some(EventType::PaymentCompleted);
        let shipment = firsts.get(&Step::Shipping).map(|draft| match &draft.event {
            Event::Shipping(event) => ShipmentRow {
                tracking_number: event.tracking_number.clone(),
                carrier: format!("{:?}", event.carrier),
                days: i32::try_from(event.estimated_delivery_days).unwrap(),
            },
            other => panic!("{other:?} ships nothing"),
        });
        let status = serde_json::to_value(model.status(order)).unwrap();
        let payment_cents = firsts.get(&Step::Payment).and_then(|draft| match &draft.event {
            Event::Payment(event) if paid => Some(event.amount.0),
            _ => None,
        });
        tables.orders.insert(
            id,
            OrderRow {
                product: product.to_string(),
                quantity,
                status: status.as_str().unwrap_or_default().to_owned(),
                payment_cents,
                tracking_number: shipment.as_ref().map(|row| row.tracking_number.clone()),
                ended: model.has_ended(order),
            },
        );
        let event = |(step, draft): (&Step, &&Draft)| EventRow {
            event_id: id.event_id(*step),
            event_type: draft.event.event_type().name().to_owned(),
            text: String::from_utf8(draft.event.encode()).unwrap(),
        };
        tables.events.insert(id, firsts.iter().map(event).collect());
        tables.shipments.extend(shipment.map(|row| (id, row)));
        let Some(decided) = firsts.get(&Step::Inventory).map(|draft| &draft.event) else {
            continue;
        };
        let confirmed = decided.event_type() == EventType::InventoryConfirmed;
        let released = firsts.contains_key(&Step::Release);
        let pieces = i32::try_from(decided.quantity()).unwrap();
        if confirmed && paid {
            *sold.entry(decided.product_id()).or_insert(0) += pieces;
        } else if confirmed && !released {
            *reserved.entry(decided.product_id()).or_insert(0) += pieces;
        }
        tables.reservations.insert(
            id,
            ReservationRow {
                product: decided.product_id().to_string(),
                quantity: pieces,
                decision: Some(if confirmed { "confirmed" } else { "rejected" }.to_owned()),
                payment: outcome(Step::Payment)
                    .map(|_| if paid { "completed" } else { "failed" }.to_owned()),
                released,
            },
        );
    }
    for (product, pieces) in initial {
        let current = i32::try_from(*pieces).unwrap() - sold.get(product).unwrap_or(&0);
        let reserved = reserved.get(product).copied().unwrap_or(0);
        tables.stock.insert(*product, StockRow { current, reserved });
    }
    tables
}

fn planted(check: &str, order: impl Into<Option<usize>>, plant: impl Fn(&mut Tables) + 'static) {
    caught(check, order, |shop| shop.edit_tables = Box::new(move |tables| plant(tables)));
}

#[test]
fn a_row_of_orders_that_says_something_else() {
    type Edit = fn(&mut OrderRow);
    let edits: [Edit; 6] = [
        |row| row.status = "created".into(),
        |row| row.payment_cents = None,
        |row| row.tracking_number = Some("TRKffffffff".into()),
        |row| row.quantity += 1,
        |row| row.product = "product-3".into(),
        |row| row.ended = false,
    ];
    for edit in edits {
        planted("table-orders", SHIPPED, move |tables| {
            edit(tables.orders.get_mut(&id(SHIPPED)).unwrap());
        });
    }
    planted("table-orders", UNPAID, |tables| drop(tables.orders.remove(&id(UNPAID))));
    planted("table-orders", None, |tables| {
        let row = tables.orders[&id(SHIPPED)].clone();
        tables.orders.insert(id(99), row);
    });
    caught("table-orders", REJECTED, |shop| {
        shop.edit_tables = Box::new(|tables| drop(tables.orders.remove(&id(REJECTED))));
    });
}

#[test]
fn events_that_are_missing_or_other_ones() {
    type Edit = fn(&mut Vec<EventRow>);
    let edits: [Edit; 4] = [
        |rows| drop(rows.pop()),
        |rows| rows[1].text.push(' '),
        |rows| rows[1].event_id = rows[0].event_id,
        |rows| rows[2].event_type = "PaymentFailed".into(),
    ];
    for edit in edits {
        caught("table-events", SHIPPED, |shop| {
            shop.edit_tables =
                Box::new(move |tables| edit(tables.events.get_mut(&id(SHIPPED)).unwrap()));
        });
    }
}

#[test]
fn shipments_that_never_were_and_that_are_missing() {
    caught("table-shipments", SHIPPED, |shop| {
        shop.edit_tables = Box::new(|tables| drop(tables.shipments.remove(&id(SHIPPED))));
    });
    planted("table-shipments", SHIPPED, |tables| {
        tables.shipments.get_mut(&id(SHIPPED)).unwrap().days += 1;
    });
    planted("table-shipments", UNPAID, |tables| {
        let row = tables.shipments[&id(SHIPPED)].clone();
        tables.shipments.insert(id(UNPAID), row);
    });
}

#[test]
fn stock_in_tables_that_does_not_add_up() {
    type Edit = fn(&mut ReservationRow);
    let edits: [Edit; 4] = [
        |row| row.decision = Some("confirmed".into()),
        |row| row.quantity += 1,
        |row| row.payment = Some("completed".into()),
        |row| row.released = true,
    ];
    for edit in edits {
        caught("table-stock", REJECTED, |shop| {
            shop.edit_tables =
                Box::new(move |tables| edit(tables.reservations.get_mut(&id(REJECTED)).unwrap()));
        });
    }
    planted("table-stock", UNPAID, |tables| drop(tables.reservations.remove(&id(UNPAID))));
    planted("table-stock", None, |tables| tables.stock.get_mut(&PRODUCT).unwrap().current += 1);
    planted("table-stock", None, |tables| tables.stock.get_mut(&PRODUCT).unwrap().reserved = 1);
    planted("table-stock", None, |tables| tables.stock.clear());
}
