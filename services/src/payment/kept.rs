//! Payments in a snapshot: which steps each order has taken, and what the unpaid ones have to pay.
//!
//! A parked payment is told by the history alone (confirmed, committed and of no known end), so a snapshot
//! that takes the history's place has to tell it too.

use std::sync::Arc;

use contract::Timestamp;
use contract::ids::{OrderId, ProductId};
use contract::topics::Step;

use super::domain::{Due, Payments};
use crate::kit::first_wins::{ByOrder, Steps};
use crate::kit::log::Received;
use crate::kit::snapshot::state::{Content, State, Undone, Unit, Units};

/// Behind the steps' byte: product, quantity, and when it was confirmed, in microseconds since 1970.
const DUE_BYTES: usize = 1 + 4 + 8;

impl State for Payments {
    fn units(&self) -> Units {
        self.steps.units()
    }

    fn fold(&mut self, record: &Received) {
        Self::fold(self, record);
    }

    fn has_taken(&self, partition: i32, order: OrderId, step: Step) -> bool {
        self.steps.has_taken(partition, order, step)
    }

    fn lend(&mut self, unit: Unit, undone: Undone) -> Arc<dyn Content> {
        Arc::new(Kept { steps: self.steps.lend(unit, undone), unpaid: self.unpaid.clone() })
    }

    fn expect(&mut self, unit: Unit, orders: usize) {
        self.steps.expect(unit, orders);
    }

    fn restore(&mut self, unit: Unit, order: OrderId, entry: &[u8]) -> bool {
        let Some((steps, due)) = entry.split_at_checked(1) else { return false };
        if !due.is_empty() {
            let Some(due) = decode(order, due) else { return false };
            self.reopen(due);
        }
        self.steps.restore(unit, order, steps)
    }

    fn fresh(&self) -> Box<dyn State> {
        Box::new(Self::default())
    }
}

/// As they were when they were lent.
struct Kept {
    steps: Arc<dyn Content>,
    /// In flight or parked: few, whatever the number of orders.
    unpaid: ByOrder<Due>,
}

impl Kept {
    fn append_due(&self, order: OrderId, entry: &mut Vec<u8>) {
        if let Some(due) = self.unpaid.get(&order)
            && Steps::awaits_payment(entry)
        {
            encode(due, entry);
        }
    }
}

impl Content for Kept {
    fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
        let mut whole = Vec::with_capacity(1 + DUE_BYTES);
        self.steps.visit(&mut |order, steps| {
            whole.clear();
            whole.extend_from_slice(steps);
            self.append_due(order, &mut whole);
            each(order, &whole);
        });
    }

    fn entry(&self, order: OrderId, out: &mut Vec<u8>) {
        let mut whole = Vec::with_capacity(1 + DUE_BYTES);
        self.steps.entry(order, &mut whole);
        self.append_due(order, &mut whole);
        out.extend_from_slice(&whole);
    }
}

fn encode(due: &Due, out: &mut Vec<u8>) {
    out.push(due.product_id as u8);
    out.extend_from_slice(&due.quantity.to_le_bytes());
    out.extend_from_slice(&due.since.timestamp_micros().to_le_bytes());
}

fn decode(order_id: OrderId, bytes: &[u8]) -> Option<Due> {
    let (product, rest) = bytes.split_first()?;
    let (quantity, since) = rest.split_at_checked(4)?;
    let product_id = ProductId::ALL.into_iter().find(|known| *known as u8 == *product)?;
    let quantity = u32::from_le_bytes(quantity.try_into().ok()?);
    let since = i64::from_le_bytes(since.try_into().ok()?);
    let since = Timestamp::from_timestamp_micros(since)?;
    Some(Due { order_id, product_id, quantity, since, trace: None })
}

#[cfg(test)]
mod tests {
    use contract::events::{Event, EventType, InventoryEvent};

    use super::super::charge::Settled;
    use super::super::domain::payment;
    use super::*;
    use crate::kit::snapshot::state::StepSet;

    fn received(event: Event) -> Received {
        Received {
            topic: event.event_type().topic(),
            partition: 2,
            offset: 0,
            timestamp: Timestamp::from_timestamp_micros(1_750_000_000_123_456).unwrap(),
            version: "v1",
            trace: None,
            value: event.encode().into(),
            event,
        }
    }

    fn confirmed(name: &str) -> Received {
        received(Event::Inventory(InventoryEvent {
            order_id: OrderId::for_idempotency_key(name),
            product_id: ProductId::Product3,
            quantity: 7,
            event_type: EventType::InventoryConfirmed,
            reason: None,
        }))
    }

    fn restored(content: &dyn Content) -> Payments {
        let mut payments = Payments::default();
        content.visit(&mut |order, entry| {
            assert!(payments.restore(Unit::Partition(2), order, entry), "{entry:?}");
            let mut alone = Vec::new();
            content.entry(order, &mut alone);
            assert_eq!(alone, entry);
        });
        payments
    }

    #[test]
    fn a_parked_payment_survives_in_a_snapshot_and_what_is_read_again_does_not() {
        let mut payments = Payments::default();
        let (parked, paid, again) = (confirmed("parked"), confirmed("paid"), confirmed("again"));
        assert!(payments.wants_charge(&parked));
        assert!(payments.wants_charge(&paid));
        assert!(payments.wants_charge(&again));
        let end = payment(&Due::of(&paid), Settled::Paid, paid.timestamp);
        payments.fold(&received(end));

        let mut step = StepSet::NONE;
        step.insert(Step::Inventory);
        let undone = [(again.event.order_id(), step)].into_iter().collect();
        let content = payments.lend(Unit::Partition(2), undone);
        let mut back = restored(&*content);
        assert_eq!(back.take_open().collect::<Vec<_>>(), [Due::of(&parked)]);
        assert!(!back.wants_charge(&parked) && !back.wants_charge(&paid));
        assert!(back.wants_charge(&again), "its record is read again");
        // The next snapshot tells it too.
        let content = back.lend(Unit::Partition(2), Undone::default());
        assert!(restored(&*content).take_open().any(|due| due == Due::of(&parked)));
    }

    #[test]
    fn bytes_that_are_no_payment_are_refused() {
        let order = OrderId::for_idempotency_key("a");
        let good = [2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut payments = Payments::default();
        assert!(payments.restore(Unit::Partition(0), order, &good));
        let product = [&good[..1], &[9], &good[2..]].concat();
        for wrong in [&[][..], &good[..2], &good[..13], &[&good[..], &[0]].concat(), &product] {
            assert!(!payments.restore(Unit::Partition(0), order, wrong), "{wrong:?}");
        }
    }
}
