//! All orders, and which sockets watch which. No I/O and no clock.
//!
//! A socket has one flag: that its order has changed since it was last shown. A slow reader so misses
//! states in between and never the newest, and nothing ever queues up for it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use contract::Timestamp;
use contract::events::Event;
use contract::ids::OrderId;
use foldhash::fast::RandomState;
use tokio::sync::Notify;

use super::domain::{Folded, StoredOrder};
use super::kept::{Ended, Kept, Leaving, Place};
use super::render;
use super::stuck::OpenOrders;
use crate::kit::log::Received;
use crate::kit::metrics::ORDERS_RETIRED;
use crate::kit::snapshot::{State as _, Unit};
use crate::kit::trace::TraceContext;

/// One socket, as the view knows it.
#[derive(Debug, Default)]
pub(super) struct Subscriber {
    changed: AtomicBool,
    news: Notify,
    /// Events that the other end has been shown already, maybe by another instance that had read further:
    /// with fewer it is shown nothing.
    after: u8,
}

impl Subscriber {
    /// Resolves when there may be something new to take.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }
}

/// What a socket is shown.
#[derive(Debug, PartialEq)]
pub(super) struct News {
    pub(super) frame: Utf8Bytes,
    /// The trace that the newest event belongs to.
    pub(super) trace: Option<TraceContext>,
}

/// The sockets of one order.
#[derive(Debug, Default)]
struct Watched {
    subscribers: Vec<Arc<Subscriber>>,
    /// How many of them have not taken the newest frame.
    waiting: usize,
    /// The newest frame, from when the first of them takes it until the last one has.
    frame: Option<Utf8Bytes>,
    /// Of the newest event.
    trace: Option<TraceContext>,
}

/// An event of an order that is brought back into memory.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) event: Event,
    pub(super) version: &'static str,
    pub(super) at: Timestamp,
    /// The record's value.
    pub(super) text: String,
}

/// Orders and their watchers.
#[derive(Debug, Default)]
pub(super) struct View {
    kept: Kept,
    pub(super) open: OpenOrders,
    /// In memory.
    pub(super) ended: Ended,
    watched: HashMap<OrderId, Watched, RandomState>,
}

impl View {
    /// Folds one record of the log, and raises the flag of every socket that watches its order.
    pub(super) fn fold(&mut self, record: &Received) {
        let Received { event, version, timestamp, value, .. } = record;
        let folded = self.kept.fold(event, version, *timestamp, value);
        self.folded(event.order_id(), folded, record.trace);
    }

    /// A view of what a start found.
    pub(super) fn of(kept: Kept) -> Self {
        let mut view = Self::default();
        for (order_id, order) in kept.orders().all() {
            match order.open_since() {
                Some(at) => view.open.moved(*order_id, None, Some(at)),
                None => view.ended.push(*order_id),
            }
        }
        view.kept = kept;
        view
    }

    /// Takes in what tables or the file hold of orders that are not in memory yet.
    pub(super) fn recall(&mut self, history: Vec<Past>) {
        let ids: HashSet<OrderId, RandomState> =
            history.iter().map(|past| past.event.order_id()).collect();
        let absent: HashSet<_, RandomState> =
            ids.into_iter().filter(|order| self.order(*order).is_none()).collect();
        for past in history {
            let order = past.event.order_id();
            if absent.contains(&order) {
                let folded = self.kept.recall(&past);
                self.folded(order, folded, None);
            }
        }
    }

    fn folded(&mut self, order_id: OrderId, folded: Folded, trace: Option<TraceContext>) {
        let Folded { shows_more, was_open, is_open } = folded;
        self.moved(order_id, was_open, is_open);
        if shows_more {
            self.tell(order_id, trace);
        }
    }

    fn moved(&mut self, order: OrderId, before: Option<Timestamp>, now: Option<Timestamp>) {
        self.open.moved(order, before, now);
        if before.is_some() && now.is_none() {
            self.ended.push(order);
        }
    }

    /// Raises the flag of every socket that watches an order.
    fn tell(&mut self, order_id: OrderId, trace: Option<TraceContext>) {
        let Some(watched) = self.watched.get_mut(&order_id) else { return };
        (watched.frame, watched.trace) = (None, trace);
        watched.waiting = watched.subscribers.len();
        for subscriber in &watched.subscribers {
            subscriber.changed.store(true, Ordering::Relaxed);
            subscriber.news.notify_one();
        }
    }

    /// All orders, as a state.
    pub(super) const fn kept(&mut self) -> &mut Kept {
        &mut self.kept
    }

    /// Puts `entry` in the place of what is known of an order, and shows it to whoever watches; nothing stands
    /// for no order.
    pub(super) fn replace(&mut self, order_id: OrderId, entry: &[u8]) {
        let was_open = self.order(order_id).and_then(StoredOrder::open_since);
        self.kept.forget(order_id);
        // What was encoded a moment ago can be decoded.
        let is_there = !entry.is_empty() && self.kept.restore(Unit::Whole, order_id, entry);
        let is_open = self.order(order_id).and_then(StoredOrder::open_since);
        self.open.moved(order_id, was_open, is_open);
        if is_there && is_open.is_none() {
            self.ended.push(order_id);
        }
        self.tell(order_id, None);
    }

    /// Ended orders beyond the `recent` newest that have to be written somewhere before they leave memory: at most
    /// `most`, and of those that ended before `until`. Whatever a socket watches stays.
    pub(super) fn leaving(&mut self, recent: usize, most: usize, until: u64) -> Vec<Leaving> {
        let mut leaving = Vec::new();
        for order_id in self.ended.take(recent, most, until) {
            let Some(order) = self.kept.orders().shared(order_id) else { continue };
            if self.watched.contains_key(&order_id) {
                self.ended.push(order_id);
            } else if self.kept.place(order_id).is_some() {
                self.kept.leave(order_id);
                ORDERS_RETIRED.add_to(&[], 1);
            } else if order.is_ended() {
                leaving.push((order_id, Arc::clone(order)));
            }
        }
        leaving
    }

    /// `order` as it was `shown` has been written, to `place` in the file or to tables: it leaves memory unless
    /// somebody needs it by now.
    pub(super) fn left(&mut self, order: OrderId, shown: &Arc<StoredOrder>, place: Option<Place>) {
        let is_same = self.kept.orders().shared(order).is_some_and(|it| Arc::ptr_eq(it, shown));
        if let Some(place) = place.filter(|_| is_same) {
            self.kept.stands_at(order, place);
        }
        if is_same && !self.watched.contains_key(&order) {
            self.kept.leave(order);
            ORDERS_RETIRED.add_to(&[], 1);
        } else {
            self.ended.push(order);
        }
    }

    /// How many ended orders are in memory, those on their way out included.
    pub(super) fn ended_in_memory(&self) -> usize {
        self.kept.orders().all().len().saturating_sub(self.open.len())
    }

    /// Where in the file an order stands.
    pub(super) fn place(&self, order_id: OrderId) -> Option<Place> {
        self.kept.place(order_id)
    }

    /// The order as far as anything of it has been seen.
    pub(super) fn order(&self, order_id: OrderId) -> Option<&StoredOrder> {
        self.kept.orders().get_any(order_id)
    }

    /// The order, once it is known.
    pub(super) fn known(&self, order_id: OrderId) -> Option<&StoredOrder> {
        self.kept.orders().get(order_id)
    }

    /// A new socket of `order_id`, whose other end has been shown `after` events. What is known already
    /// counts as new to it.
    pub(super) fn subscribe(&mut self, order_id: OrderId, after: u8) -> Arc<Subscriber> {
        let subscriber = Arc::new(Subscriber { after, ..Subscriber::default() });
        let known = self.kept.orders().get(order_id).is_some();
        let watched = self.watched.entry(order_id).or_default();
        subscriber.changed.store(known, Ordering::Relaxed);
        watched.waiting += usize::from(known);
        // Nearly every order has one socket.
        watched.subscribers.reserve_exact(1);
        watched.subscribers.push(Arc::clone(&subscriber));
        subscriber
    }

    /// The socket is gone; the last one takes the order's list with it.
    pub(super) fn unsubscribe(&mut self, order_id: OrderId, subscriber: &Arc<Subscriber>) {
        let Some(watched) = self.watched.get_mut(&order_id) else { return };
        if let Some(index) = watched.subscribers.iter().position(|it| Arc::ptr_eq(it, subscriber)) {
            watched.subscribers.swap_remove(index);
        }
        watched.taken(subscriber);
        if watched.subscribers.is_empty() {
            self.watched.remove(&order_id);
        }
    }

    /// What `subscriber` has not been shown yet: the whole order as it stands, rendered once for all its
    /// sockets.
    pub(super) fn take(
        &mut self,
        order_id: OrderId,
        subscriber: &Subscriber,
        now: Timestamp,
    ) -> Option<News> {
        if !subscriber.changed.load(Ordering::Relaxed) {
            return None;
        }
        let watched = self.watched.get_mut(&order_id)?;
        let order = self.kept.orders().get(order_id)?;
        if order.events.len() < usize::from(subscriber.after) {
            return None;
        }
        let frame = match &watched.frame {
            Some(frame) => frame.clone(),
            None => {
                let frame = render::update(order_id, order, now, watched.trace);
                watched.frame.insert(frame.into()).clone()
            }
        };
        watched.taken(subscriber);
        Some(News { frame, trace: watched.trace })
    }
}

impl Watched {
    fn taken(&mut self, subscriber: &Subscriber) {
        if subscriber.changed.swap(false, Ordering::Relaxed) {
            self.waiting -= 1;
            if self.waiting == 0 {
                self.frame = None;
            }
        }
    }
}

/// The view, shared by the consumer, the handlers and the sockets. Locked for moments only.
#[derive(Debug, Default)]
pub(super) struct SharedView(Mutex<View>);

impl SharedView {
    pub(super) fn lock(&self) -> MutexGuard<'_, View> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use contract::events::EventType;
    use contract::order::Order;
    use contract::ws::Message;

    use super::super::domain::{event, sample_id};
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_timestamp_millis(1_750_000_000_000).unwrap()
    }

    fn received(event_type: EventType) -> Received {
        let event = event(event_type);
        Received {
            topic: event_type.topic(),
            partition: 0,
            offset: 0,
            timestamp: now(),
            version: "v1",
            trace: None,
            value: event.encode().into(),
            event,
        }
    }

    fn events_in(news: Option<News>) -> Option<usize> {
        let frame: Message<Order> = serde_json::from_str(news?.frame.as_str()).unwrap();
        Some(frame.data.unwrap().events.len())
    }

    #[test]
    fn a_socket_is_shown_what_is_known_then_each_change_once() {
        let mut view = View::default();
        let early = view.subscribe(sample_id(), 0);
        assert_eq!(view.take(sample_id(), &early, now()), None);
        view.fold(&received(EventType::OrderCreated));
        let late = view.subscribe(sample_id(), 0);
        assert_eq!(events_in(view.take(sample_id(), &early, now())), Some(1));
        assert_eq!(events_in(view.take(sample_id(), &late, now())), Some(1));
        assert_eq!(view.take(sample_id(), &early, now()), None);
        view.fold(&received(EventType::InventoryConfirmed));
        assert_eq!(events_in(view.take(sample_id(), &late, now())), Some(2));
    }

    #[test]
    fn a_slow_socket_gets_the_newest_state_only() {
        let mut view = View::default();
        let slow = view.subscribe(sample_id(), 0);
        for event_type in [EventType::OrderCreated, EventType::InventoryConfirmed] {
            view.fold(&received(event_type));
        }
        view.fold(&received(EventType::PaymentCompleted));
        assert_eq!(events_in(view.take(sample_id(), &slow, now())), Some(3));
        assert_eq!(view.take(sample_id(), &slow, now()), None);
    }

    #[test]
    fn a_frame_is_rendered_once_and_kept_no_longer_than_somebody_waits_for_it() {
        let mut view = View::default();
        let sockets: Vec<_> = (0..3).map(|_| view.subscribe(sample_id(), 0)).collect();
        view.fold(&received(EventType::OrderCreated));
        let first = view.take(sample_id(), &sockets[0], now()).unwrap();
        let second = view.take(sample_id(), &sockets[1], now()).unwrap();
        assert_eq!(first.frame.as_str().as_ptr(), second.frame.as_str().as_ptr(), "the same bytes");
        assert!(view.watched[&sample_id()].frame.is_some());
        view.unsubscribe(sample_id(), &sockets[2]);
        assert!(view.watched[&sample_id()].frame.is_none());
    }

    #[test]
    fn who_has_seen_more_elsewhere_is_shown_nothing_before_as_much_is_known_here() {
        let mut view = View::default();
        view.fold(&received(EventType::OrderCreated));
        let moved = view.subscribe(sample_id(), 2);
        assert_eq!(view.take(sample_id(), &moved, now()), None);
        view.fold(&received(EventType::InventoryConfirmed));
        assert_eq!(events_in(view.take(sample_id(), &moved, now())), Some(2));
        assert_eq!(view.take(sample_id(), &moved, now()), None);
    }

    #[test]
    fn repeats_wake_nobody() {
        let mut view = View::default();
        view.fold(&received(EventType::OrderCreated));
        let socket = view.subscribe(sample_id(), 0);
        assert!(view.take(sample_id(), &socket, now()).is_some());
        view.fold(&received(EventType::OrderCreated));
        assert_eq!(view.take(sample_id(), &socket, now()), None);
    }

    #[test]
    fn an_order_without_sockets_costs_no_list() {
        let mut view = View::default();
        let sockets: Vec<_> = (0..2).map(|_| view.subscribe(sample_id(), 0)).collect();
        view.unsubscribe(sample_id(), &sockets[0]);
        assert_eq!(view.watched.len(), 1);
        view.unsubscribe(sample_id(), &sockets[1]);
        assert!(view.watched.is_empty());
    }
}
