//! What the payment service decides: pure.

use contract::Timestamp;
use contract::events::{Event, EventType, PaymentEvent};
use contract::ids::{OrderId, ProductId};
use contract::money::Cents;
use contract::topics::Step;

use super::charge::Settled;
use crate::kit::first_wins::{ByOrder, Steps, Verdict};
use crate::kit::trace::TraceContext;

/// What a confirmed order has to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) order_id: OrderId,
    pub(crate) product_id: ProductId,
    pub(crate) quantity: u32,
    /// When it was confirmed.
    pub(crate) since: Timestamp,
    pub(crate) trace: Option<TraceContext>,
}

impl Due {
    /// What an `InventoryConfirmed`, written at `since`, asks for.
    pub(crate) fn of(confirmed: &Event, since: Timestamp, trace: Option<TraceContext>) -> Self {
        let (product_id, quantity) = (confirmed.product_id(), confirmed.quantity());
        Self { order_id: confirmed.order_id(), product_id, quantity, since, trace }
    }

    pub(crate) fn amount(&self) -> Cents {
        self.product_id.price() * self.quantity
    }
}

/// The orders of the assigned partitions.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    steps: Steps,
    /// Settled here, and not yet read back from the log.
    settled: ByOrder<EventType>,
    /// Confirmed by the history, and of no known end: a payment that was parked, by whomever, since an input
    /// is committed only when its payment is in the log or parked. So the log itself is the list of what is
    /// parked: nothing else has to survive a process, or to move with its partitions.
    open: ByOrder<Due>,
}

impl Payments {
    /// Whether a record of `inventory` asks for a charge.
    pub(crate) fn wants_charge(&mut self, event: &Event) -> bool {
        let first = self.steps.observe(event.order_id(), event.event_type()) == Verdict::First;
        first
            && event.event_type() == EventType::InventoryConfirmed
            && !self.steps.has(event.order_id(), Step::Payment)
    }

    /// `event` is about to be published.
    pub(crate) fn settled(&mut self, event: &Event) {
        self.settled.insert(event.order_id(), event.event_type());
    }

    /// Takes in a record of the past, written `at`. Some order when the log says the opposite of what was
    /// settled here.
    pub(crate) fn fold(
        &mut self,
        event: &Event,
        at: Timestamp,
        trace: Option<TraceContext>,
    ) -> Option<OrderId> {
        let order = event.order_id();
        if self.steps.observe(order, event.event_type()) != Verdict::First {
            return None;
        }
        if event.event_type() == EventType::InventoryConfirmed
            && !self.steps.has(order, Step::Payment)
        {
            self.open.insert(order, Due::of(event, at, trace));
        }
        if event.step() != Step::Payment {
            return None;
        }
        self.open.remove(&order);
        let settled = self.settled.remove(&order)?;
        (settled != event.event_type()).then_some(order)
    }

    /// All history is in: the payments that it leaves open.
    pub(crate) fn take_open(&mut self) -> impl Iterator<Item = Due> + use<> {
        std::mem::take(&mut self.open).into_values()
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.settled.clear();
        self.open.clear();
    }
}

/// The event that says how the charge for a confirmed order ended.
pub(crate) fn payment(due: &Due, settled: Settled, at: Timestamp) -> Event {
    let (event_type, reason) = match settled {
        Settled::Paid => (EventType::PaymentCompleted, None),
        Settled::NotPaid(reason) => (EventType::PaymentFailed, Some(reason)),
    };
    Event::Payment(PaymentEvent {
        order_id: due.order_id,
        product_id: due.product_id,
        quantity: due.quantity,
        amount: due.amount(),
        event_type,
        processed_at: at,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use contract::events::InventoryEvent;

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

    fn at() -> Timestamp {
        Timestamp::from_timestamp_millis(0).unwrap()
    }

    fn settle(confirmed: &Event, settled: Settled) -> Event {
        payment(&Due::of(confirmed, at(), None), settled, at())
    }

    #[test]
    fn an_order_is_charged_once_and_only_when_the_log_confirmed_it_first() {
        let mut payments = Payments::default();
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        assert!(payments.wants_charge(&confirmed));
        assert!(!payments.wants_charge(&confirmed));
        assert!(!payments.wants_charge(&inventory("a", EventType::InventoryReleased)));

        assert!(!payments.wants_charge(&inventory("b", EventType::InventoryRejected)));
        assert!(!payments.wants_charge(&inventory("b", EventType::InventoryConfirmed)));
    }

    #[test]
    fn what_the_log_knows_is_not_charged_again() {
        let mut payments = Payments::default();
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        assert_eq!(payments.fold(&settle(&confirmed, Settled::Paid), at(), None), None);
        assert!(!payments.wants_charge(&confirmed));
    }

    #[test]
    fn a_settlement_that_the_log_contradicts_is_noticed() {
        let mut payments = Payments::default();
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        let paid = settle(&confirmed, Settled::Paid);
        payments.settled(&paid);
        let failed = settle(&confirmed, Settled::NotPaid("no funds".into()));
        assert_eq!(payments.fold(&failed, at(), None), Some(confirmed.order_id()));
        assert_eq!(payments.fold(&paid, at(), None), None);

        let other = inventory("b", EventType::InventoryConfirmed);
        let paid = settle(&other, Settled::Paid);
        payments.settled(&paid);
        assert_eq!(payments.fold(&paid, at(), None), None);
    }

    #[test]
    fn the_amount_is_price_times_quantity() {
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        let Event::Payment(paid) = settle(&confirmed, Settled::Paid) else { panic!("no payment") };
        assert_eq!(paid.amount, Cents(29_997));
    }

    #[test]
    fn what_the_history_confirmed_and_never_ended_is_open() {
        let mut payments = Payments::default();
        let [parked, paid, early] =
            ["a", "b", "c"].map(|name| inventory(name, EventType::InventoryConfirmed));
        payments.fold(&parked, at(), None);
        payments.fold(&paid, at(), None);
        payments.fold(&settle(&paid, Settled::Paid), at(), None);
        // Topics are read side by side: the end may be seen first.
        payments.fold(&settle(&early, Settled::NotPaid("no".into())), at(), None);
        payments.fold(&early, at(), None);
        payments.fold(&inventory("d", EventType::InventoryRejected), at(), None);
        payments.fold(&inventory("d", EventType::InventoryConfirmed), at(), None);
        assert!(!payments.wants_charge(&parked), "it was tried, and is never charged again");
        let open: Vec<_> = payments.take_open().map(|due| due.order_id).collect();
        assert_eq!(open, [parked.order_id()]);
        assert_eq!(payments.take_open().count(), 0);
    }
}
