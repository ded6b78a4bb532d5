//! What a watcher reads of a WebSocket message: the events' types and times. The rest of the order, some
//! kilobytes with each event's record in it, is skipped and not copied.

use std::borrow::Cow;
use std::fmt;

use contract::Timestamp;
use contract::events::EventType;
use contract::ws::MessageType;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

/// A [`contract::ws::Message`], borrowed.
#[derive(Debug, Deserialize)]
pub(super) struct Update<'a> {
    #[serde(rename = "type")]
    pub(super) message_type: MessageType,
    #[serde(borrow, default)]
    pub(super) order_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Data<'a>>,
}

/// Of an order update or of an error.
#[derive(Debug, Deserialize)]
pub(super) struct Data<'a> {
    #[serde(borrow, default)]
    pub(super) events: Option<Events<'a>>,
    #[serde(borrow, default)]
    pub(super) code: Option<Cow<'a, str>>,
}

/// An order has at most one event for each step of its saga; more than this breaks the contract.
pub(super) const MOST_EVENTS: usize = 8;

/// The events of an order, without an allocation.
#[derive(Debug, Default)]
pub(super) struct Events<'a> {
    known: [Option<Event<'a>>; MOST_EVENTS],
    count: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    /// `None` for a type that we do not know.
    pub(super) event_type: Option<EventType>,
    /// RFC 3339.
    timestamp: &'a str,
}

impl Event<'_> {
    /// When the event happened, by its record's header.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.timestamp.parse().ok()
    }
}

impl<'a> Events<'a> {
    /// How many there are, those beyond [`MOST_EVENTS`] included.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Event<'a>> {
        self.known.iter().map_while(|event| *event)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Events<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EventsVisitor)
    }
}

struct EventsVisitor;

impl<'de> Visitor<'de> for EventsVisitor {
    type Value = Events<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Events<'de>, A::Error> {
        let mut events = Events::default();
        while let Some(place) = events.known.get_mut(events.count) {
            let Some(event) = array.next_element::<EventText<'de>>()? else { return Ok(events) };
            *place = Some(Event {
                event_type: event.event_type.parse().ok(),
                timestamp: event.timestamp,
            });
            events.count += 1;
        }
        while array.next_element::<IgnoredAny>()?.is_some() {
            events.count += 1;
        }
        Ok(events)
    }
}

#[derive(Deserialize)]
struct EventText<'a> {
    event_type: &'a str,
    timestamp: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: &str = r#"{"type":"order_update","order_id":"o-1","timestamp":"2026-01-02T03:04:05Z",
        "data":{"order_id":"o-1","status":"created","events":[
            {"event_id":"e","event_type":"OrderCreated","data":"{\"a\":\"\\\"\"}",
             "timestamp":"2026-01-02T03:04:05.123Z","version":"v1"},
            {"event_id":"f","event_type":"Teleported","data":"","timestamp":"x","version":"v9"}],
        "last_updated":"2026-01-02T03:04:05Z"}}"#;

    #[test]
    fn types_and_times_are_read_and_the_rest_is_skipped() {
        let update: Update<'_> = serde_json::from_str(UPDATE).unwrap();
        assert_eq!(update.message_type, MessageType::OrderUpdate);
        assert_eq!(update.order_id.as_deref(), Some("o-1"));
        let events = update.data.unwrap().events.unwrap();
        let types: Vec<_> = events.iter().map(|event| event.event_type).collect();
        assert_eq!(types, [Some(EventType::OrderCreated), None]);
        let times: Vec<_> = events.iter().map(|event| event.time().is_some()).collect();
        assert_eq!(times, [true, false]);
    }

    #[test]
    fn errors_and_pings_are_read_and_a_flood_of_events_is_counted() {
        let error = r#"{"type":"error","timestamp":"2026-01-02T03:04:05Z",
            "data":{"code":"order_not_found","message":"say \"hi\"","details":null}}"#;
        let update: Update<'_> = serde_json::from_str(error).unwrap();
        assert_eq!(update.data.unwrap().code.as_deref(), Some("order_not_found"));
        let ping = r#"{"type":"ping","timestamp":"2026-01-02T03:04:05Z"}"#;
        let update: Update<'_> = serde_json::from_str(ping).unwrap();
        assert_eq!(update.message_type, MessageType::Ping);
        let event = r#"{"event_type":"Shipped","timestamp":"t"}"#;
        let flood = format!("[{}]", vec![event; 20].join(","));
        let events: Events<'_> = serde_json::from_str(&flood).unwrap();
        assert_eq!((events.count(), events.iter().count()), (20, MOST_EVENTS));
    }
}
