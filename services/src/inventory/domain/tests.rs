use contract::ids::ProductId;
use contract::samples;
use contract::topics::Step;
use proptest::prelude::*;

use super::*;
use crate::inventory::stock::{Levels, Stock};

const PRODUCT: ProductId = ProductId::Product1;

fn ledger(pieces: u32) -> Ledger {
    Ledger::new(Stock::new(|_| pieces))
}

fn order(name: &str, event_type: EventType, quantity: u32) -> Event {
    let at = contract::Timestamp::from_timestamp_millis(1_750_000_000_000).unwrap();
    let of = |event_type| {
        let order_id = OrderId::for_idempotency_key(name);
        samples::event_of(order_id, (PRODUCT, quantity), event_type, at)
    };
    match event_type.step() {
        Step::Created | Step::Payment => of(event_type),
        _ => answer(&of(EventType::OrderCreated), event_type, None),
    }
}

fn levels(ledger: &Ledger) -> (i64, i64) {
    let Levels { current, available } = ledger.levels(PRODUCT);
    (current, current - available)
}

#[test]
fn reserve_pay_and_release_move_the_levels() {
    let ledger = ledger(10);
    let confirmed = decide(&ledger, &order("a", EventType::OrderCreated, 4)).unwrap();
    assert_eq!(confirmed.event_type(), EventType::InventoryConfirmed);
    assert_eq!(levels(&ledger), (10, 4));
    assert_eq!(fold(&ledger, &confirmed), None);
    assert_eq!(levels(&ledger), (10, 4));
    assert!(decide(&ledger, &order("a", EventType::PaymentCompleted, 4)).is_none());
    assert_eq!(levels(&ledger), (6, 0));

    decide(&ledger, &order("b", EventType::OrderCreated, 6)).unwrap();
    let rejected = decide(&ledger, &order("c", EventType::OrderCreated, 1)).unwrap();
    assert_eq!(rejected.event_type(), EventType::InventoryRejected);
    let released = decide(&ledger, &order("b", EventType::PaymentFailed, 6)).unwrap();
    assert_eq!(released.event_type(), EventType::InventoryReleased);
    assert_eq!(levels(&ledger), (6, 6), "held until the log has the release");
    fold(&ledger, &released);
    assert_eq!(levels(&ledger), (6, 0));
}

#[test]
fn a_step_is_decided_once() {
    let ledger = ledger(10);
    assert!(decide(&ledger, &order("a", EventType::OrderCreated, 4)).is_some());
    assert!(decide(&ledger, &order("a", EventType::OrderCreated, 4)).is_none());
    assert!(decide(&ledger, &order("a", EventType::PaymentFailed, 4)).is_some());
    assert!(decide(&ledger, &order("a", EventType::PaymentFailed, 4)).is_none());
    assert!(decide(&ledger, &order("a", EventType::PaymentCompleted, 4)).is_none());
    assert_eq!(levels(&ledger), (10, 4));
}

#[test]
fn a_release_that_stands_in_the_log_is_not_repeated() {
    let ledger = ledger(10);
    for event_type in [EventType::InventoryConfirmed, EventType::InventoryReleased] {
        fold(&ledger, &order("a", event_type, 4));
    }
    assert!(decide(&ledger, &order("a", EventType::PaymentFailed, 4)).is_none());
    assert_eq!(levels(&ledger), (10, 0));
}

#[test]
fn a_decision_that_lost_is_undone() {
    let ledger = ledger(10);
    decide(&ledger, &order("a", EventType::OrderCreated, 4)).unwrap();
    let rejected = order("a", EventType::InventoryRejected, 4);
    assert_eq!(fold(&ledger, &rejected), Some(rejected.order_id()));
    assert_eq!(levels(&ledger), (10, 0));
    // What this process wrote itself comes later, and is nothing but a lost race.
    assert_eq!(fold(&ledger, &order("a", EventType::InventoryConfirmed, 4)), None);
    assert_eq!(levels(&ledger), (10, 0));

    decide(&ledger, &order("b", EventType::OrderCreated, 10)).unwrap();
    decide(&ledger, &order("c", EventType::OrderCreated, 2)).unwrap();
    fold(&ledger, &order("b", EventType::InventoryRejected, 10));
    fold(&ledger, &order("c", EventType::InventoryConfirmed, 2));
    assert_eq!(levels(&ledger), (10, 2));
}

/// One order's way through the log, by number.
fn story(number: usize, path: u8, quantity: u32) -> Vec<Event> {
    let name = number.to_string();
    let steps: &[EventType] = match path % 4 {
        0 => &[EventType::InventoryConfirmed],
        1 => &[EventType::InventoryRejected],
        2 => &[EventType::InventoryConfirmed, EventType::PaymentCompleted],
        _ => {
            &[EventType::InventoryConfirmed, EventType::PaymentFailed, EventType::InventoryReleased]
        }
    };
    steps.iter().map(|step| order(&name, *step, quantity)).collect()
}

proptest! {
    /// Topics are read side by side: whatever the order in which their records come, and however often,
    /// the fold is the same.
    #[test]
    fn the_fold_does_not_depend_on_the_order_of_topics(
        orders in prop::collection::vec((any::<u8>(), 1..=100_u32), 1..30),
        seed in any::<u64>(),
    ) {
        let events: Vec<Event> = orders
            .iter()
            .enumerate()
            .flat_map(|(number, (path, quantity))| story(number, *path, *quantity))
            .collect();
        let (straight, mixed) = (ledger(5_000), ledger(5_000));
        for event in &events {
            fold(&straight, event);
        }

        let mut shuffled: Vec<&Event> = events.iter().chain(&events).collect();
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        for event in shuffled {
            fold(&mixed, event);
        }
        prop_assert_eq!(levels(&straight), levels(&mixed));

        let expect = |wanted: u8| -> i64 {
            orders.iter().filter(|(path, _)| path % 4 == wanted).map(|(_, q)| i64::from(*q)).sum()
        };
        prop_assert_eq!(levels(&straight), (5_000 - expect(2), expect(0)));
    }

    /// A crash at any point: what was decided and logged, folded and decided anew, never oversells.
    #[test]
    fn a_restart_decides_the_rest_as_if_nothing_had_happened(
        orders in prop::collection::vec(1..=20_u32, 1..60),
        crash_after in 0..60_usize,
    ) {
        let created: Vec<Event> = orders
            .iter()
            .enumerate()
            .map(|(n, quantity)| order(&n.to_string(), EventType::OrderCreated, *quantity))
            .collect();
        let whole = ledger(200);
        let expected: Vec<Event> = created.iter().filter_map(|e| decide(&whole, e)).collect();

        let before = ledger(200);
        let mut log: Vec<Event> =
            created.iter().take(crash_after).filter_map(|e| decide(&before, e)).collect();
        let after = ledger(200);
        for event in &log {
            fold(&after, event);
        }
        // Nothing was committed: all orders come again.
        log.extend(created.iter().filter_map(|e| decide(&after, e)));
        prop_assert_eq!(log, expected);
        prop_assert_eq!(levels(&after), levels(&whole));
    }
}
