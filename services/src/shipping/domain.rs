//! What the shipping service decides: pure.

use contract::Timestamp;
use contract::events::{Carrier, Event, EventType, ShippingEvent};
use contract::topics::Step;

use super::tracking::tracking_number;
use crate::kit::first_wins::{Steps, Verdict};
use crate::kit::log::Position;

/// The longest delivery that is promised (specification §3.1).
const MAX_DAYS: u8 = 30;

/// The orders of the assigned partitions.
#[derive(Debug, Default)]
pub(crate) struct Shipments {
    steps: Steps,
}

impl Shipments {
    /// The shipment that a record of `payment` asks for. `partitions` is how many its topic has.
    pub(crate) fn decide(
        &mut self,
        event: &Event,
        position: Position,
        partitions: i32,
        now: Timestamp,
    ) -> Option<Event> {
        let order_id = event.order_id();
        let (partition, event_type) = (position.partition, event.event_type());
        let first = self.steps.observe(partition, order_id, event_type) == Verdict::First;
        if !first
            || event_type != EventType::PaymentCompleted
            || self.steps.has(partition, order_id, Step::Shipping)
        {
            return None;
        }
        // Parts of the id are as good as random, and the same for every attempt.
        let [carrier, days, ..] = *order_id.0.as_bytes();
        Some(Event::Shipping(ShippingEvent {
            order_id,
            product_id: event.product_id(),
            quantity: event.quantity(),
            event_type: EventType::Shipped,
            tracking_number: tracking_number(position.partition, position.offset, partitions),
            carrier: Carrier::ALL[usize::from(carrier) % Carrier::ALL.len()],
            estimated_delivery_days: u32::from(days % MAX_DAYS) + 1,
            shipped_at: now,
        }))
    }

    /// Takes in a record of the past.
    pub(crate) fn fold(&mut self, partition: i32, event: &Event) {
        self.steps.observe(partition, event.order_id(), event.event_type());
    }

    /// What is known from the log.
    pub(crate) const fn steps(&mut self) -> &mut Steps {
        &mut self.steps
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
    }
}

#[cfg(test)]
mod tests {
    use contract::events::PaymentEvent;
    use contract::ids::{OrderId, ProductId};
    use contract::money::Cents;

    use super::*;

    const AT: Position = Position { partition: 1, offset: 7 };

    fn payment(name: &str, event_type: EventType) -> Event {
        Event::Payment(PaymentEvent {
            order_id: OrderId::for_idempotency_key(name),
            product_id: ProductId::Product1,
            quantity: 1,
            amount: Cents(29_99),
            event_type,
            processed_at: Timestamp::default(),
            reason: None,
        })
    }

    fn ship(shipments: &mut Shipments, event: &Event) -> Option<ShippingEvent> {
        match shipments.decide(event, AT, 4, Timestamp::default())? {
            Event::Shipping(shipped) => Some(shipped),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_paid_order_is_shipped_once_and_a_failed_one_never() {
        let mut shipments = Shipments::default();
        let paid = payment("a", EventType::PaymentCompleted);
        assert!(ship(&mut shipments, &paid).is_some());
        assert!(ship(&mut shipments, &paid).is_none());
        assert!(ship(&mut shipments, &payment("b", EventType::PaymentFailed)).is_none());
        assert!(ship(&mut shipments, &payment("b", EventType::PaymentCompleted)).is_none());
    }

    #[test]
    fn a_shipment_in_the_log_is_not_repeated_and_a_lost_one_is_the_same_again() {
        let paid = payment("a", EventType::PaymentCompleted);
        let first = ship(&mut Shipments::default(), &paid).unwrap();
        assert_eq!(ship(&mut Shipments::default(), &paid), Some(first.clone()));
        assert!((1..=30).contains(&first.estimated_delivery_days));

        let mut restarted = Shipments::default();
        restarted.fold(AT.partition, &Event::Shipping(first));
        assert!(ship(&mut restarted, &paid).is_none());
    }
}
