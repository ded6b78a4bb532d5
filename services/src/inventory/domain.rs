//! What the inventory decides: pure, but for the atomics inside the ledger.

use contract::events::{Event, EventType, InventoryEvent};
use contract::ids::OrderId;

use super::ledger::{Applied, Ledger, Reservation};

/// The reason of a rejection.
pub(super) const SOLD_OUT: &str = "insufficient stock";

/// The reason of a release.
pub(super) const PAYMENT_FAILED: &str = "payment failed";

/// The answer to a record of `orders` or `payment`, if it asks for one.
pub(crate) fn decide(ledger: &Ledger, event: &Event) -> Option<Event> {
    match event.event_type() {
        EventType::OrderCreated => reserve(ledger, event),
        EventType::PaymentFailed => release(ledger, event),
        EventType::PaymentCompleted => {
            ledger.apply(event);
            None
        }
        _ => None,
    }
}

fn reserve(ledger: &Ledger, event: &Event) -> Option<Event> {
    let quantity = u8::try_from(event.quantity()).ok()?;
    match ledger.reserve(event.order_id(), event.product_id(), quantity) {
        Reservation::Reserved => Some(answer(event, EventType::InventoryConfirmed, None)),
        Reservation::SoldOut => Some(answer(event, EventType::InventoryRejected, Some(SOLD_OUT))),
        Reservation::Known => None,
    }
}

/// A failed payment gives the pieces back once the log says so, not before: until then nobody else may
/// have them.
fn release(ledger: &Ledger, event: &Event) -> Option<Event> {
    let first = ledger.apply(event) == Applied::First;
    let missing = first && !ledger.is_released(event.order_id());
    missing.then(|| answer(event, EventType::InventoryReleased, Some(PAYMENT_FAILED)))
}

pub(super) fn answer(event: &Event, event_type: EventType, reason: Option<&str>) -> Event {
    Event::Inventory(InventoryEvent {
        order_id: event.order_id(),
        product_id: event.product_id(),
        quantity: event.quantity(),
        event_type,
        reason: reason.map(str::to_owned),
    })
}

/// Takes in a record of the past. Some order when the log overrules a decision made here.
pub(crate) fn fold(ledger: &Ledger, event: &Event) -> Option<OrderId> {
    (ledger.apply(event) == Applied::Overruled).then(|| event.order_id())
}

#[cfg(test)]
mod tests;
