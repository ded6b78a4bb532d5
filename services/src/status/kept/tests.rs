use contract::events::EventType;

use super::super::domain::{event, sample_id};
use super::super::view::View;
use super::*;

const SHIPPED: [EventType; 5] = [
    EventType::OrderCreated,
    EventType::InventoryConfirmed,
    EventType::PaymentCompleted,
    EventType::NotificationSent,
    EventType::Shipped,
];

fn at() -> Timestamp {
    Timestamp::from_timestamp_nanos(1_750_000_000_123_456_789)
}

fn fold(kept: &mut Kept, event_types: &[EventType]) {
    for event_type in event_types {
        let event = event(*event_type);
        kept.fold(&event, "v1", at(), &event.encode());
    }
}

fn folded(event_types: &[EventType]) -> Kept {
    let mut kept = Kept::default();
    fold(&mut kept, event_types);
    kept
}

fn entry(kept: &mut Kept) -> Vec<u8> {
    let mut entry = Vec::new();
    kept.lend(Unit::Whole, Undone::default()).entry(sample_id(), &mut entry);
    entry
}

/// As a snapshot has it.
fn as_kept(kept: &mut Kept) -> Vec<(OrderId, Vec<u8>)> {
    let mut entries = Vec::new();
    let lent = kept.lend(Unit::Whole, Undone::default());
    lent.keep(&mut |order, entry| entries.push((order, entry.to_vec()))).unwrap();
    entries
}

/// One order that has left memory for the file in `folder`.
fn retired(folder: &std::path::Path) -> Kept {
    let file = Arc::new(PastFile::open(folder).unwrap());
    let mut kept = Kept::in_file(Arc::clone(&file));
    fold(&mut kept, &SHIPPED);
    let places = file.append(kept.orders().get(sample_id()).into_iter()).unwrap();
    kept.stands_at(sample_id(), places[0]);
    kept.leave(sample_id());
    assert!(kept.orders().get_any(sample_id()).is_none());
    kept
}

#[test]
fn an_order_is_its_events_in_whatever_order_they_were_read() {
    let types = [EventType::OrderCreated, EventType::InventoryConfirmed, EventType::Shipped];
    let [a, b, c] = types;
    let told = entry(&mut folded(&[a, b, c]));
    for order in [[c, b, a], [b, a, c], [a, c, b]] {
        assert_eq!(entry(&mut folded(&order)), told, "the last one is held back in all of them");
    }
    assert_ne!(entry(&mut folded(&[a, b])), told);

    let mut restored = Kept::default();
    assert!(restored.restore(Unit::Whole, sample_id(), &told));
    assert_eq!(entry(&mut restored), told);
    assert!(restored.has_taken(0, sample_id(), Step::Shipping));
    assert!(!restored.has_taken(0, sample_id(), Step::Payment));
    assert!(!restored.restore(Unit::Whole, sample_id(), &told[..told.len() - 1]));
    assert!(!restored.restore(Unit::Whole, OrderId::for_idempotency_key("other"), &told));
}

#[test]
fn an_order_in_the_file_is_the_order_that_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = retired(folder.path());
    assert_eq!(entry(&mut kept), entry(&mut folded(&SHIPPED)));
    assert!(SHIPPED.iter().all(|it| kept.has_taken(0, sample_id(), it.step())));
    assert!(!kept.has_taken(0, sample_id(), Step::Release));
    // A repeat brings nothing back.
    fold(&mut kept, &SHIPPED);
    assert!(kept.orders().all().is_empty());

    let snapshot = as_kept(&mut kept);
    assert_eq!((snapshot.len(), snapshot[0].1.len()), (1, 9), "its place, no more");
    let mut restored = kept.fresh();
    assert!(restored.restore(Unit::Whole, sample_id(), &snapshot[0].1));
    let lent = restored.lend(Unit::Whole, Undone::default());
    let mut told = Vec::new();
    lent.visit(&mut |_, entry| told.extend_from_slice(entry));
    assert_eq!(told, entry(&mut kept));
}

#[test]
fn events_are_shown_as_they_were_seen_wherever_the_order_is() {
    let folder = tempfile::tempdir().unwrap();
    let kept = retired(folder.path());
    let file = kept.file.clone().unwrap();
    let events = read(&file, sample_id(), kept.place(sample_id()).unwrap()).unwrap();
    let mut view = View::of(kept);
    view.recall(events);
    let shown = view.known(sample_id()).unwrap().events.iter().map(|event| event.event_type);
    assert_eq!(shown.collect::<Vec<_>>(), SHIPPED, "notified before shipped");
}

#[test]
fn a_step_too_many_is_added_to_an_order_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = retired(folder.path());
    fold(&mut kept, &[EventType::InventoryReleased]);
    let all = [&SHIPPED[..], &[EventType::InventoryReleased]].concat();
    assert_eq!(entry(&mut kept), entry(&mut folded(&all)));
    assert_eq!(kept.place(sample_id()), None, "the file has less");
}

#[test]
fn a_place_beyond_the_file_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = retired(folder.path());
    let snapshot = as_kept(&mut kept);
    kept.file.as_ref().unwrap().cut_after(None).unwrap();
    assert!(!kept.fresh().restore(Unit::Whole, sample_id(), &snapshot[0].1));
}

#[test]
fn ended_orders_leave_and_watched_or_changed_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = Arc::new(PastFile::open(folder.path()).unwrap());
    let mut kept = Kept::in_file(Arc::clone(&file));
    fold(&mut kept, &SHIPPED);
    let mut view = View::of(kept);
    assert!(view.leaving(1, 10, u64::MAX).is_empty(), "one may stay");

    let socket = view.subscribe(sample_id(), 0);
    assert!(view.leaving(0, 10, u64::MAX).is_empty(), "it is watched");
    view.unsubscribe(sample_id(), &socket);
    let leaving = view.leaving(0, 10, u64::MAX);
    let places = file.append(leaving.iter().map(|(_, order)| &**order)).unwrap();
    // Somebody looks while it is written.
    let socket = view.subscribe(sample_id(), 0);
    view.left(sample_id(), &leaving[0].1, Some(places[0]));
    assert!(view.known(sample_id()).is_some());
    view.unsubscribe(sample_id(), &socket);
    assert!(view.leaving(0, 10, u64::MAX).is_empty(), "it need not be written again");
    assert!(view.known(sample_id()).is_none());
    assert_eq!(view.place(sample_id()), Some(places[0]));

    // One that changed while it was written is written again.
    let events = read(&file, sample_id(), places[0]).unwrap();
    view.recall(events);
    let event = event(EventType::InventoryReleased);
    view.kept().fold(&event, "v1", at(), &event.encode());
    let leaving = view.leaving(0, 10, u64::MAX);
    assert_eq!(leaving.len(), 1);
    view.kept().forget(sample_id());
    fold(view.kept(), &SHIPPED);
    view.left(sample_id(), &leaving[0].1, Some(places[0]));
    assert!(view.known(sample_id()).is_some(), "another one stands there by now");
}
