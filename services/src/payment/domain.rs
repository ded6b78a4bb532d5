//! What the payment service decides: pure.

use contract::Timestamp;
use contract::events::{Event, EventType, PaymentEvent};
use contract::ids::{OrderId, ProductId};
use contract::money::Cents;
use contract::topics::Step;

use super::charge::Settled;
use crate::kit::first_wins::{ByOrder, Steps, Verdict};
use crate::kit::log::Received;
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
    /// What the record of an `InventoryConfirmed` asks for.
    pub(crate) fn of(confirmed: &Received) -> Self {
        let Received { event, timestamp: since, trace, .. } = confirmed;
        let (product_id, quantity) = (event.product_id(), event.quantity());
        Self { order_id: event.order_id(), product_id, quantity, since: *since, trace: *trace }
    }

    pub(crate) fn amount(&self) -> Cents {
        self.product_id.price() * self.quantity
    }
}

/// The orders of the assigned partitions.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    pub(super) steps: Steps,
    /// Settled here, and not yet read back from the log.
    settled: ByOrder<EventType>,
    /// Confirmed by the history, and of no known end: a payment that was parked, by whomever, since an input
    /// is committed only when its payment is in the log or parked. So the log itself is the list of what is
    /// parked: nothing else has to survive a process, or to move with its partitions.
    open: ByOrder<Due>,
    /// All that are confirmed and of no known end: a snapshot has to hold them, since it takes the place of
    /// the history that would tell which are open.
    pub(super) unpaid: ByOrder<Due>,
}

impl Payments {
    /// Whether a record of `inventory` asks for a charge.
    pub(crate) fn wants_charge(&mut self, record: &Received) -> bool {
        let event = &record.event;
        let (order, event_type) = (event.order_id(), event.event_type());
        let wants = self.steps.observe(record.partition, order, event_type) == Verdict::First
            && event_type == EventType::InventoryConfirmed
            && !self.steps.has(record.partition, order, Step::Payment);
        if wants {
            self.unpaid.insert(order, Due::of(record));
        }
        wants
    }

    /// `event` is about to be published.
    pub(crate) fn settled(&mut self, event: &Event) {
        self.settled.insert(event.order_id(), event.event_type());
    }

    /// Takes in a record of the past. Some order when the log says the opposite of what was settled here.
    pub(crate) fn fold(&mut self, record: &Received) -> Option<OrderId> {
        let (partition, event) = (record.partition, &record.event);
        let order = event.order_id();
        if self.steps.observe(partition, order, event.event_type()) != Verdict::First {
            return None;
        }
        if event.event_type() == EventType::InventoryConfirmed
            && !self.steps.has(partition, order, Step::Payment)
        {
            self.reopen(Due::of(record));
        }
        if event.step() != Step::Payment {
            return None;
        }
        self.open.remove(&order);
        self.unpaid.remove(&order);
        let settled = self.settled.remove(&order)?;
        (settled != event.event_type()).then_some(order)
    }

    /// The history, or the snapshot in its place, leaves this open.
    pub(super) fn reopen(&mut self, due: Due) {
        self.open.insert(due.order_id, due);
        self.unpaid.insert(due.order_id, due);
    }

    /// All history is in: the payments that it leaves open.
    pub(crate) fn take_open(&mut self) -> impl Iterator<Item = Due> + use<> {
        std::mem::take(&mut self.open).into_values()
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.settled.clear();
        self.open.clear();
        self.unpaid.clear();
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

    fn inventory(name: &str, event_type: EventType) -> Received {
        received(Event::Inventory(InventoryEvent {
            order_id: OrderId::for_idempotency_key(name),
            product_id: ProductId::Product3,
            quantity: 3,
            event_type,
            reason: None,
        }))
    }

    fn received(event: Event) -> Received {
        Received {
            topic: event.event_type().topic(),
            partition: 0,
            offset: 0,
            timestamp: at(),
            version: "v1",
            trace: None,
            value: event.encode().into(),
            event,
        }
    }

    fn at() -> Timestamp {
        Timestamp::from_timestamp_millis(0).unwrap()
    }

    fn settle(confirmed: &Received, settled: Settled) -> Received {
        received(payment(&Due::of(confirmed), settled, at()))
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
        assert_eq!(payments.fold(&settle(&confirmed, Settled::Paid)), None);
        assert!(!payments.wants_charge(&confirmed));
    }

    #[test]
    fn a_settlement_that_the_log_contradicts_is_noticed() {
        let mut payments = Payments::default();
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        let paid = settle(&confirmed, Settled::Paid);
        payments.settled(&paid.event);
        let failed = settle(&confirmed, Settled::NotPaid("no funds".into()));
        assert_eq!(payments.fold(&failed), Some(confirmed.event.order_id()));
        assert_eq!(payments.fold(&paid), None);

        let other = inventory("b", EventType::InventoryConfirmed);
        let paid = settle(&other, Settled::Paid);
        payments.settled(&paid.event);
        assert_eq!(payments.fold(&paid), None);
    }

    #[test]
    fn the_amount_is_price_times_quantity() {
        let confirmed = inventory("a", EventType::InventoryConfirmed);
        let Event::Payment(paid) = settle(&confirmed, Settled::Paid).event else {
            panic!("no payment")
        };
        assert_eq!(paid.amount, Cents(29_997));
    }

    #[test]
    fn what_the_history_confirmed_and_never_ended_is_open() {
        let mut payments = Payments::default();
        let [parked, paid, early] =
            ["a", "b", "c"].map(|name| inventory(name, EventType::InventoryConfirmed));
        payments.fold(&parked);
        payments.fold(&paid);
        payments.fold(&settle(&paid, Settled::Paid));
        // Topics are read side by side: the end may be seen first.
        payments.fold(&settle(&early, Settled::NotPaid("no".into())));
        payments.fold(&early);
        payments.fold(&inventory("d", EventType::InventoryRejected));
        payments.fold(&inventory("d", EventType::InventoryConfirmed));
        assert!(!payments.wants_charge(&parked), "it was tried, and is never charged again");
        let open: Vec<_> = payments.take_open().map(|due| due.order_id).collect();
        assert_eq!(open, [parked.event.order_id()]);
        assert_eq!(payments.take_open().count(), 0);
    }
}
