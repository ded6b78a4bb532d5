//! What the payment service decides: pure.

use contract::Timestamp;
use contract::events::{Event, EventType, PaymentEvent};
use contract::ids::OrderId;
use contract::topics::Step;

use super::charge::Settled;
use crate::kit::first_wins::{ByOrder, Steps, Verdict};

/// The orders of the assigned partitions.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    steps: Steps,
    /// Settled here, and not yet read back from the log.
    settled: ByOrder<EventType>,
}

impl Payments {
    /// Whether a record of `inventory` asks for a charge.
    pub(crate) fn wants_charge(&mut self, partition: i32, event: &Event) -> bool {
        let (order, event_type) = (event.order_id(), event.event_type());
        self.steps.observe(partition, order, event_type) == Verdict::First
            && event_type == EventType::InventoryConfirmed
            && !self.steps.has(partition, order, Step::Payment)
    }

    /// `event` is about to be published.
    pub(crate) fn settled(&mut self, event: &Event) {
        self.settled.insert(event.order_id(), event.event_type());
    }

    /// Takes in a record of the past. Some order when the log says the opposite of what was settled here.
    pub(crate) fn fold(&mut self, partition: i32, event: &Event) -> Option<OrderId> {
        let order = event.order_id();
        let first = self.steps.observe(partition, order, event.event_type()) == Verdict::First;
        if !first || event.step() != Step::Payment {
            return None;
        }
        let settled = self.settled.remove(&order)?;
        (settled != event.event_type()).then_some(order)
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.settled.clear();
    }

    /// What is known from the log alone.
    pub(crate) const fn steps(&mut self) -> &mut Steps {
        &mut self.steps
    }
}

/// The event that says how the charge for a confirmed order ended.
pub(crate) fn payment(confirmed: &Event, settled: Settled, at: Timestamp) -> Event {
    let (event_type, reason) = match settled {
        Settled::Paid => (EventType::PaymentCompleted, None),
        Settled::NotPaid(reason) => (EventType::PaymentFailed, Some(reason)),
    };
    let (product_id, quantity) = (confirmed.product_id(), confirmed.quantity());
    Event::Payment(PaymentEvent {
        order_id: confirmed.order_id(),
        product_id,
        quantity,
        amount: product_id.price() * quantity,
        event_type,
        processed_at: at,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use contract::events::InventoryEvent;
    use contract::ids::ProductId;
    use contract::money::Cents;

    use super::*;

    fn inventory(name: &str, event_type: EventType) -> Event {
        Event::Inventory(InventoryEvent {
            order_id: OrderId::for_idempotency_key(name),
            product_id: ProductId::Product3,
            quantity: 3,
            event_type,
            reason: None,
        })
    }

    fn settle(confirmed: &Event, settled: Settled) -> Event {
        payment(confirmed, settled, Timestamp::from_timestamp_millis(0).unwrap())
    }

    #[test]
    fn an_order_is_charged_once_and_only_when_the_log_confirmed_it_first() {
        let mut payments = Payments::default();
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        assert!(payments.wants_charge(0, &confirmed));
        assert!(!payments.wants_charge(0, &confirmed));
        assert!(!payments.wants_charge(0, &inventory("a", EventType::InventoryReleased)));

        assert!(!payments.wants_charge(0, &inventory("b", EventType::InventoryRejected)));
        assert!(!payments.wants_charge(0, &inventory("b", EventType::InventoryConfirmed)));
    }

    #[test]
    fn what_the_log_knows_is_not_charged_again() {
        let mut payments = Payments::default();
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        assert_eq!(payments.fold(0, &settle(&confirmed, Settled::Paid)), None);
        assert!(!payments.wants_charge(0, &confirmed));
    }

    #[test]
    fn a_settlement_that_the_log_contradicts_is_noticed() {
        let mut payments = Payments::default();
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        let paid = settle(&confirmed, Settled::Paid);
        payments.settled(&paid);
        let failed = settle(&confirmed, Settled::NotPaid("no funds".into()));
        assert_eq!(payments.fold(0, &failed), Some(confirmed.order_id()));
        assert_eq!(payments.fold(0, &paid), None);

        let other = inventory("b", EventType::InventoryConfirmed);
        let paid = settle(&other, Settled::Paid);
        payments.settled(&paid);
        assert_eq!(payments.fold(0, &paid), None);
    }

    #[test]
    fn the_amount_is_price_times_quantity() {
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        let Event::Payment(paid) = settle(&confirmed, Settled::Paid) else { panic!("no payment") };
        assert_eq!(paid.amount, Cents(29_997));
    }
}
