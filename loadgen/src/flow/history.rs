//! An order's history as its watcher sees it grow. Pure: updates in, violations out.
//!
//! Every update carries the whole history, so each must begin with the one before, and within it no
//! effect may come before its cause. The first update after a reconnect must hold all that was seen, but
//! steps that do not wait for each other (shipping and notification) may stand the other way round: a
//! restarted service reads its topics anew, and no order is defined between them.

use contract::Timestamp;
use contract::events::EventType;

use super::update::Events;
use crate::metrics::names;

/// What has been seen of one order.
#[derive(Debug, Default)]
pub(super) struct History {
    /// In the order of the updates.
    pub(super) seen: Vec<EventType>,
    /// By event type, for the stages' times.
    times: Vec<(EventType, Timestamp)>,
    /// The next update is the first of a new socket.
    reconnected: bool,
}

/// What is wrong with an update.
pub(super) type Violation = &'static str;

impl History {
    /// A new socket takes over: its first update may order concurrent events anew.
    pub(super) fn reconnect(&mut self) {
        self.reconnected = true;
    }

    /// Takes the events of an update. `on_new` is called for each event that was not there before, with
    /// the stage that it completes and how long that took.
    ///
    /// # Errors
    /// The first thing that is wrong; what was seen before stays.
    pub(super) fn extend(
        &mut self,
        events: &Events<'_>,
        mut on_new: impl FnMut(EventType, Option<Stage>),
    ) -> Result<(), Violation> {
        if events.count() != events.iter().count() {
            return Err("an update holds more events than an order can have");
        }
        let no_news = self.before_reconnect(events)?;
        // Unknown types may come with newer services and are no business of ours.
        let mut known = events.iter().filter_map(|event| Some((event.event_type?, event)));
        for before in &self.seen {
            match known.next() {
                Some((event_type, _)) if event_type == *before => {}
                Some(_) => return Err("an update changed the events of the one before"),
                None => return Err("an update lost events of the one before"),
            }
        }
        for (event_type, event) in known {
            self.follows(event_type)?;
            self.seen.push(event_type);
            if no_news.contains(&event_type) {
                continue;
            }
            let stage = event.time().and_then(|time| {
                self.times.push((event_type, time));
                self.stage(event_type, time)
            });
            on_new(event_type, stage);
        }
        Ok(())
    }

    /// What was seen on earlier sockets, when this is a new one's first update: it must hold all of it,
    /// and is then read from its beginning.
    fn before_reconnect(&mut self, events: &Events<'_>) -> Result<Vec<EventType>, Violation> {
        if !std::mem::take(&mut self.reconnected) {
            return Ok(Vec::new());
        }
        let is_there =
            |seen: &EventType| events.iter().any(|event| event.event_type == Some(*seen));
        if !self.seen.iter().all(is_there) {
            return Err("the first update after a reconnect lost events");
        }
        Ok(std::mem::take(&mut self.seen))
    }

    fn has(&self, event_type: EventType) -> bool {
        self.seen.contains(&event_type)
    }

    fn follows(&self, event_type: EventType) -> Result<(), Violation> {
        if self.seen.iter().any(|seen| seen.step() == event_type.step()) {
            return Err("an update holds two events of one step");
        }
        if causes(event_type).is_empty() || causes(event_type).iter().any(|cause| self.has(*cause))
        {
            return Ok(());
        }
        Err("an update puts an effect before its cause")
    }

    fn stage(&self, event_type: EventType, time: Timestamp) -> Option<Stage> {
        let metric = match event_type {
            EventType::InventoryConfirmed | EventType::InventoryRejected => {
                names::PIPELINE_INVENTORY
            }
            EventType::PaymentCompleted | EventType::PaymentFailed => names::PIPELINE_PAYMENT,
            EventType::Shipped => names::PIPELINE_SHIPPING,
            EventType::NotificationSent => names::PIPELINE_NOTIFICATION,
            EventType::OrderCreated | EventType::InventoryReleased => return None,
        };
        let (_, since) = self.times.iter().find(|(seen, _)| causes(event_type).contains(seen))?;
        Some(Stage { metric, took: (time - *since).to_std().unwrap_or_default() })
    }

    /// Shipped and notified; rejected and notified; payment failed, released and notified.
    pub(super) fn has_ended(&self) -> bool {
        use EventType::{
            InventoryRejected, InventoryReleased, NotificationSent, PaymentFailed, Shipped,
        };
        let released = self.has(PaymentFailed) && self.has(InventoryReleased);
        let decided = self.has(Shipped) || self.has(InventoryRejected) || released;
        decided && self.has(NotificationSent)
    }
}

/// A stage of the pipeline that an event completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) metric: &'static str,
    pub(super) took: std::time::Duration,
}

/// One of these must come before an event of the type.
fn causes(event_type: EventType) -> &'static [EventType] {
    use EventType::{
        InventoryConfirmed, InventoryRejected, InventoryReleased, NotificationSent, OrderCreated,
        PaymentCompleted, PaymentFailed, Shipped,
    };
    match event_type {
        OrderCreated => &[],
        InventoryConfirmed | InventoryRejected => &[OrderCreated],
        PaymentCompleted | PaymentFailed => &[InventoryConfirmed],
        InventoryReleased => &[PaymentFailed],
        Shipped => &[PaymentCompleted],
        NotificationSent => &[PaymentCompleted, PaymentFailed, InventoryRejected],
    }
}

#[cfg(test)]
mod tests {
    use EventType::{
        InventoryConfirmed, InventoryRejected, InventoryReleased, NotificationSent, OrderCreated,
        PaymentCompleted, PaymentFailed, Shipped,
    };

    use super::*;

    fn feed(history: &mut History, events: &[EventType]) -> Result<Vec<EventType>, Violation> {
        let event = |(second, event_type): (usize, &EventType)| {
            let name = event_type.name();
            format!(r#"{{"event_type":"{name}","timestamp":"2026-01-02T03:04:{second:02}Z"}}"#)
        };
        let events: Vec<_> = events.iter().enumerate().map(event).collect();
        let json = format!("[{}]", events.join(","));
        let mut new = Vec::new();
        history
            .extend(&serde_json::from_str(&json).unwrap(), |event_type, _| new.push(event_type))?;
        Ok(new)
    }

    #[test]
    fn histories_grow_until_they_end() {
        let happy = [OrderCreated, InventoryConfirmed, PaymentCompleted, Shipped, NotificationSent];
        let swapped =
            [OrderCreated, InventoryConfirmed, PaymentCompleted, NotificationSent, Shipped];
        let rejected = [OrderCreated, InventoryRejected, NotificationSent];
        let failed =
            [OrderCreated, InventoryConfirmed, PaymentFailed, InventoryReleased, NotificationSent];
        for whole in [&happy[..], &swapped, &rejected, &failed] {
            let mut history = History::default();
            for length in 1..=whole.len() {
                assert!(!history.has_ended());
                let new = feed(&mut history, &whole[..length]);
                assert_eq!(new.as_deref(), Ok(&whole[length - 1..length]));
                assert_eq!(feed(&mut history, &whole[..length]), Ok(vec![]), "repeats are fine");
            }
            assert!(history.has_ended());
        }
    }

    #[test]
    fn what_takes_back_or_precedes_its_cause_is_a_violation() {
        let mut history = History::default();
        feed(&mut history, &[OrderCreated, InventoryConfirmed]).unwrap();
        for (events, violation) in [
            (&[OrderCreated][..], "an update lost events of the one before"),
            (&[InventoryConfirmed, OrderCreated], "an update changed the events of the one before"),
            (
                &[OrderCreated, InventoryConfirmed, Shipped],
                "an update puts an effect before its cause",
            ),
            (
                &[OrderCreated, InventoryConfirmed, InventoryRejected],
                "an update holds two events of one step",
            ),
        ] {
            assert_eq!(feed(&mut history, events), Err(violation));
        }
        assert_eq!(
            feed(&mut History::default(), &[Shipped]),
            Err("an update puts an effect before its cause")
        );
    }

    #[test]
    fn a_reconnect_may_reorder_what_is_concurrent_and_must_lose_nothing() {
        let mut history = History::default();
        feed(&mut history, &[OrderCreated, InventoryConfirmed, PaymentCompleted, Shipped]).unwrap();
        let anew = [OrderCreated, InventoryConfirmed, PaymentCompleted, NotificationSent, Shipped];
        assert!(feed(&mut history, &anew).is_err(), "not on the same socket");
        history.reconnect();
        assert_eq!(feed(&mut history, &anew), Ok(vec![NotificationSent]));
        assert_eq!(history.seen, anew);
        history.reconnect();
        assert!(feed(&mut history, &anew[..4]).is_err(), "an event is missing");
        history.reconnect();
        assert!(feed(&mut history, &[OrderCreated, Shipped, PaymentCompleted]).is_err());
    }

    #[test]
    fn stages_last_from_cause_to_effect() {
        let events =
            [OrderCreated, InventoryConfirmed, PaymentCompleted, NotificationSent, Shipped];
        let json: Vec<_> = events
            .iter()
            .zip([0, 1, 3, 4, 9])
            .map(|(event_type, second)| {
                let name = event_type.name();
                format!(r#"{{"event_type":"{name}","timestamp":"2026-01-02T03:04:{second:02}Z"}}"#)
            })
            .collect();
        let json = format!("[{}]", json.join(","));
        let mut stages = Vec::new();
        let mut history = History::default();
        history
            .extend(&serde_json::from_str(&json).unwrap(), |_, stage| {
                stages.extend(stage.map(|stage| (stage.metric, stage.took.as_secs())));
            })
            .unwrap();
        let wanted = [
            (names::PIPELINE_INVENTORY, 1),
            (names::PIPELINE_PAYMENT, 2),
            (names::PIPELINE_NOTIFICATION, 1),
            (names::PIPELINE_SHIPPING, 6),
        ];
        assert_eq!(stages, wanted);
    }
}
