//! What the notification service decides: pure.

use contract::Timestamp;
use contract::events::{Event, EventType, NotificationEvent};
use contract::topics::Step;

use crate::kit::first_wins::{Steps, Verdict};

/// How buyers are told.
const CHANNEL: &str = "email";

/// The orders of the assigned partitions.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    steps: Steps,
}

impl Notifications {
    /// The notification that a record of `inventory` or `payment` asks for: of a rejection, and of a
    /// payment whichever way it went.
    pub(crate) fn decide(
        &mut self,
        partition: i32,
        event: &Event,
        now: Timestamp,
    ) -> Option<Event> {
        let order_id = event.order_id();
        let first = self.steps.observe(partition, order_id, event.event_type()) == Verdict::First;
        let worth_telling = matches!(
            event.event_type(),
            EventType::InventoryRejected | EventType::PaymentCompleted | EventType::PaymentFailed
        );
        if !first || !worth_telling || self.steps.has(partition, order_id, Step::Notification) {
            return None;
        }
        Some(Event::Notification(NotificationEvent {
            order_id,
            product_id: event.product_id(),
            quantity: event.quantity(),
            event_type: EventType::NotificationSent,
            channel: CHANNEL.to_owned(),
            sent_at: now,
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
    use contract::events::InventoryEvent;
    use contract::ids::{OrderId, ProductId};

    use super::*;

    fn inventory(name: &str, event_type: EventType) -> Event {
        Event::Inventory(InventoryEvent {
            order_id: OrderId::for_idempotency_key(name),
            product_id: ProductId::Product1,
            quantity: 1,
            event_type,
            reason: None,
        })
    }

    #[test]
    fn a_rejection_is_told_once_and_a_confirmation_not_at_all() {
        let mut notifications = Notifications::default();
        let now = Timestamp::default();
        let rejected = inventory("a", EventType::InventoryRejected);
        let sent = notifications.decide(0, &rejected, now).unwrap();
        assert_eq!(sent.event_type(), EventType::NotificationSent);
        assert!(notifications.decide(0, &rejected, now).is_none());
        let confirmed = inventory("b", EventType::InventoryConfirmed);
        assert!(notifications.decide(0, &confirmed, now).is_none());
        let lost = inventory("b", EventType::InventoryRejected);
        assert!(notifications.decide(0, &lost, now).is_none(), "the confirmation came first");

        let mut restarted = Notifications::default();
        restarted.fold(0, &sent);
        assert!(restarted.decide(0, &rejected, now).is_none());
    }
}
