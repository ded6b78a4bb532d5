use contract::samples::{self, SAGA as SHIPPED};
use contract::topics::Step;
use proptest::prelude::*;

use super::*;

pub(in crate::status) fn sample_id() -> OrderId {
    OrderId::for_idempotency_key("sample")
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(1_750_000_000_000 + milliseconds).unwrap()
}

/// An event of the sample order.
pub(in crate::status) fn event(event_type: EventType) -> Event {
    let milliseconds = match event_type.step() {
        Step::Created | Step::Inventory | Step::Release | Step::Payment => 3,
        Step::Shipping => 4,
        Step::Notification => 5,
    };
    let mut event = samples::event(sample_id(), event_type, at(milliseconds));
    match &mut event {
        // What JSON has to quote.
        Event::Order(created) => created.request_id = Some("a \"key\"".to_owned()),
        Event::Inventory(answer) => answer.reason = Some("why".to_owned()),
        Event::Payment(_) | Event::Shipping(_) | Event::Notification(_) => (),
    }
    event
}

const FAILED: [EventType; 5] = [
    EventType::OrderCreated,
    EventType::InventoryConfirmed,
    EventType::PaymentFailed,
    EventType::InventoryReleased,
    EventType::NotificationSent,
];

const REJECTED: [EventType; 3] =
    [EventType::OrderCreated, EventType::InventoryRejected, EventType::NotificationSent];

fn fold(orders: &mut Orders, event_type: EventType, milliseconds: i64) -> bool {
    let event = event(event_type);
    orders.fold(&event, "v1", at(milliseconds), &event.encode()).shows_more
}

fn folded(event_types: &[EventType]) -> Orders {
    let mut orders = Orders::default();
    for (event_type, milliseconds) in event_types.iter().zip(0..) {
        fold(&mut orders, *event_type, milliseconds);
    }
    orders
}

fn history(orders: &Orders) -> Vec<EventType> {
    orders
        .get(sample_id())
        .map_or_else(Vec::new, |order| order.events.iter().map(|event| event.event_type).collect())
}

fn status(orders: &Orders) -> OrderStatus {
    orders.get(sample_id()).unwrap().status
}

#[test]
fn each_saga_ends_with_its_status() {
    for (saga, end) in [
        (&SHIPPED[..], OrderStatus::Shipped),
        (&FAILED[..], OrderStatus::PaymentFailed),
        (&REJECTED[..], OrderStatus::InventoryRejected),
    ] {
        let orders = folded(saga);
        assert_eq!(status(&orders), end);
        assert_eq!(history(&orders), saga);
    }
}

#[test]
fn a_shipped_order_has_its_number_its_amount_and_its_times() {
    let orders = folded(&SHIPPED);
    let order = orders.get(sample_id()).unwrap();
    assert_eq!(order.tracking_number.as_deref(), Some("TRK00ff00ff"));
    assert_eq!(order.payment_amount, Some(ProductId::Product2.price() * 3));
    assert_eq!((order.created_at, order.last_updated), (at(0), at(4)));
    let failed = folded(&FAILED);
    assert_eq!(failed.get(sample_id()).unwrap().payment_amount, None, "nothing was paid");
}

#[test]
fn the_notification_does_not_take_a_shipped_order_back() {
    let mut orders = folded(&SHIPPED[..3]);
    fold(&mut orders, EventType::NotificationSent, 4);
    assert_eq!(status(&orders), OrderStatus::NotificationSent);
    fold(&mut orders, EventType::Shipped, 5);
    assert_eq!(status(&orders), OrderStatus::Shipped);
    assert_eq!(status(&folded(&SHIPPED)), OrderStatus::Shipped);
}

#[test]
fn an_effect_waits_for_its_cause_and_nothing_is_known_before_the_beginning() {
    let mut orders = Orders::default();
    assert!(!fold(&mut orders, EventType::Shipped, 4));
    assert!(!fold(&mut orders, EventType::PaymentCompleted, 3));
    assert!(orders.get(sample_id()).is_none());
    assert!(fold(&mut orders, EventType::OrderCreated, 1));
    assert_eq!(history(&orders), [EventType::OrderCreated]);
    assert!(fold(&mut orders, EventType::InventoryConfirmed, 2));
    assert_eq!(history(&orders), SHIPPED[..4]);
    let order = orders.get(sample_id()).unwrap();
    assert_eq!((order.created_at, order.last_updated), (at(1), at(4)));
}

#[test]
fn the_first_record_of_a_step_wins_even_while_it_is_held_back() {
    let mut orders = folded(&[EventType::InventoryConfirmed, EventType::InventoryRejected]);
    fold(&mut orders, EventType::OrderCreated, 9);
    assert_eq!(history(&orders), SHIPPED[..2]);
    assert!(!fold(&mut orders, EventType::OrderCreated, 10), "a repeat shows nothing new");
    assert_eq!(orders.get(sample_id()).unwrap().created_at, at(9));
}

#[test]
fn an_effect_of_a_decision_that_lost_is_never_shown() {
    let orders = folded(&[
        EventType::OrderCreated,
        EventType::InventoryRejected,
        EventType::PaymentCompleted,
        EventType::Shipped,
    ]);
    assert_eq!(status(&orders), OrderStatus::InventoryRejected);
    assert_eq!(history(&orders), REJECTED[..2]);
}

fn shuffled_saga() -> impl Strategy<Value = (Vec<EventType>, Vec<EventType>)> {
    prop::sample::select(vec![SHIPPED.to_vec(), FAILED.to_vec(), REJECTED.to_vec()]).prop_flat_map(
        |saga| {
            let doubled: Vec<_> = saga.iter().chain(&saga).copied().collect();
            (Just(saga), Just(doubled).prop_shuffle())
        },
    )
}

proptest! {
    /// However the topics interleave, and with every record doubled: history only grows at its end, causes
    /// precede effects, the status never moves back, and all is there at the end.
    #[test]
    fn whatever_the_interleaving((saga, arrivals) in shuffled_saga()) {
        let mut orders = Orders::default();
        let (mut last, mut last_status) = (Vec::new(), OrderStatus::Created);
        for (event_type, milliseconds) in arrivals.into_iter().zip(0..) {
            let grew = fold(&mut orders, event_type, milliseconds);
            let now = history(&orders);
            prop_assert!(now.starts_with(&last));
            prop_assert_eq!(grew, now.len() > last.len());
            for (index, event_type) in now.iter().enumerate() {
                let before = now[..index].iter().fold(0, |bits, earlier| bits | type_bit(*earlier));
                let causes = causes(*event_type);
                prop_assert!(causes == 0 || causes & before != 0, "{:?}", now);
            }
            if let Some(order) = orders.get(sample_id()) {
                prop_assert!(order.status >= last_status);
                last_status = order.status;
            }
            last = now;
        }
        let (mut all, mut expected) = (last, saga);
        all.sort();
        expected.sort();
        prop_assert_eq!(all, expected);
    }
}

#[test]
fn an_order_is_open_until_nothing_more_can_happen_and_says_what_it_waits_for() {
    use EventType::*;
    let ways: [&[(EventType, &[Step])]; 3] = [
        &[
            (OrderCreated, &[Step::Inventory]),
            (InventoryConfirmed, &[Step::Payment]),
            (PaymentCompleted, &[Step::Shipping, Step::Notification]),
            (NotificationSent, &[Step::Shipping]),
            (Shipped, &[]),
        ],
        &[
            (OrderCreated, &[Step::Inventory]),
            (InventoryConfirmed, &[Step::Payment]),
            (PaymentFailed, &[Step::Release, Step::Notification]),
            (InventoryReleased, &[Step::Notification]),
            (NotificationSent, &[]),
        ],
        &[
            (OrderCreated, &[Step::Inventory]),
            (InventoryRejected, &[Step::Notification]),
            (NotificationSent, &[]),
        ],
    ];
    for way in ways {
        let mut orders = Orders::default();
        for (event_type, waits_for) in way {
            fold(&mut orders, *event_type, 1);
            let order = orders.get(sample_id()).unwrap();
            assert_eq!(order.waits_for(), *waits_for, "{event_type:?}");
            assert_eq!(order.is_ended(), waits_for.is_empty(), "{event_type:?}");
        }
    }
    let mut orders = Orders::default();
    fold(&mut orders, Shipped, 4);
    assert_eq!(orders.get_any(sample_id()).unwrap().waits_for(), [Step::Created]);
}
