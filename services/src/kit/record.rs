//! Events to records and back (specification §3.2).

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use contract::Timestamp;
use contract::events::{DecodeError, Event, EventType};
use contract::ids::OrderId;
use contract::topics::{Topic, header};

use super::log::{RawRecord, Received};
use super::trace::{TRACEPARENT, TraceContext};

/// The largest value that is read as an event: ours have less than a kilobyte, and every order is kept and
/// sent with all of its events.
pub(crate) const MAX_EVENT_BYTES: usize = 64 * 1024;

/// An event on its way into the log. Encoded once, so that every attempt sends the same bytes.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    order_id: OrderId,
    event_type: EventType,
    value: Vec<u8>,
    at: Timestamp,
    trace: Option<TraceContext>,
}

impl Outgoing {
    /// `event`, which happened `at`.
    #[must_use]
    pub(crate) fn new(event: &Event, at: Timestamp) -> Self {
        Self {
            order_id: event.order_id(),
            event_type: event.event_type(),
            value: event.encode(),
            at,
            trace: None,
        }
    }

    /// An event that was encoded before, and is sent as it was then.
    #[must_use]
    pub(crate) fn encoded(event: &Event, value: Vec<u8>, at: Timestamp) -> Self {
        let (order_id, event_type) = (event.order_id(), event.event_type());
        Self { order_id, event_type, value, at, trace: None }
    }

    /// As a part of a trace.
    #[must_use]
    pub(crate) fn traced(self, trace: Option<TraceContext>) -> Self {
        Self { trace, ..self }
    }

    #[must_use]
    pub(crate) const fn event_type(&self) -> EventType {
        self.event_type
    }

    /// When it happened, the trace that it is a part of, and the event as it will stand in the log.
    #[must_use]
    pub(crate) fn into_parts(self) -> (Timestamp, Option<TraceContext>, Vec<u8>) {
        (self.at, self.trace, self.value)
    }

    /// The key: decides the partition.
    #[must_use]
    pub(crate) fn key(&self) -> String {
        self.order_id.to_string()
    }

    /// The record for one attempt.
    #[must_use]
    pub(crate) fn record(&self) -> RawRecord {
        let timestamp = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let mut headers = BTreeMap::from([
            (header::EVENT_TYPE.to_owned(), self.event_type.name().into()),
            (header::EVENT_VERSION.to_owned(), header::CURRENT_VERSION.into()),
            (header::PRODUCER_SERVICE.to_owned(), self.event_type.topic().producer().into()),
            (header::TIMESTAMP.to_owned(), timestamp.into()),
        ]);
        if let Some(trace) = self.trace {
            headers.insert(TRACEPARENT.to_owned(), trace.to_string().into());
        }
        RawRecord {
            key: Some(self.key().into_bytes()),
            value: Some(self.value.clone()),
            headers,
            timestamp: self.at,
        }
    }
}

/// A record that is no event of ours.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) reason: String,
    pub(crate) record: RawRecord,
}

/// What a record turned out to be.
#[derive(Debug)]
pub(crate) enum Decoded {
    Event(Box<Received>),
    /// Of a type that only newer services know: not an error.
    UnknownType(String),
    Unreadable(Box<Unreadable>),
}

/// Reads one record.
pub(crate) fn decode(topic: Topic, partition: i32, offset: i64, mut record: RawRecord) -> Decoded {
    let value = Bytes::from(record.value.take().unwrap_or_default());
    let reason = match read(topic, &record, &value) {
        Ok(event) => {
            let timestamp = timestamp_of(&record);
            let trace = trace_of(&record);
            let version = header::CURRENT_VERSION;
            return Decoded::Event(Box::new(Received {
                topic,
                partition,
                offset,
                timestamp,
                version,
                trace,
                value,
                event,
            }));
        }
        Err(Misfit::Decode(DecodeError::UnknownType(name))) => return Decoded::UnknownType(name),
        Err(misfit) => misfit.to_string(),
    };
    record.value = Some(value.into());
    Decoded::Unreadable(Box::new(Unreadable { topic, partition, offset, reason, record }))
}

/// Why a record does not fit where it stands.
#[derive(Debug, thiserror::Error)]
enum Misfit {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("{0} does not belong on topic {1}")]
    Topic(&'static str, &'static str),
    #[error("the key is not the order's id")]
    Key,
    #[error("an event has at most {MAX_EVENT_BYTES} bytes, this one has {0}")]
    Large(usize),
}

fn read(topic: Topic, record: &RawRecord, value: &[u8]) -> Result<Event, Misfit> {
    let text = |name| record.headers.get(name).and_then(|bytes| std::str::from_utf8(bytes).ok());
    if let Some(version) = text(header::EVENT_VERSION)
        && version != header::CURRENT_VERSION
    {
        return Err(DecodeError::Version(version.to_owned()).into());
    }
    if value.len() > MAX_EVENT_BYTES {
        return Err(Misfit::Large(value.len()));
    }
    let event = Event::decode(text(header::EVENT_TYPE), value)?;
    if event.event_type().topic() != topic {
        return Err(Misfit::Topic(event.event_type().name(), topic.name()));
    }
    // A record without a key stands wherever its producer put it; one with the wrong key is a lie.
    if let Some(key) = &record.key
        && uuid::Uuid::try_parse_ascii(key).ok() != Some(event.order_id().0)
    {
        return Err(Misfit::Key);
    }
    Ok(event)
}

fn timestamp_of(record: &RawRecord) -> Timestamp {
    let header = record
        .headers
        .get(header::TIMESTAMP)
        .and_then(|bytes| DateTime::parse_from_rfc3339(std::str::from_utf8(bytes).ok()?).ok());
    header.map_or(record.timestamp, |time| time.with_timezone(&Utc))
}

fn trace_of(record: &RawRecord) -> Option<TraceContext> {
    record.headers.get(TRACEPARENT).and_then(|header| TraceContext::parse(header))
}

#[cfg(test)]
mod tests {
    use contract::events::OrderCreated;
    use contract::ids::ProductId;

    use super::*;

    fn outgoing() -> (Event, Outgoing) {
        let event = Event::Order(OrderCreated {
            order_id: OrderId::for_idempotency_key("record"),
            product_id: ProductId::Product1,
            quantity: 2,
            event_type: EventType::OrderCreated,
            request_id: None,
        });
        let at = Timestamp::from_timestamp_micros(1_750_000_000_123_456).unwrap();
        let outgoing = Outgoing::new(&event, at);
        (event, outgoing)
    }

    fn reason(decoded: Decoded) -> String {
        match decoded {
            Decoded::Unreadable(unreadable) => unreadable.reason,
            other => panic!("expected an unreadable record, got {other:?}"),
        }
    }

    #[test]
    fn an_event_comes_back_with_its_headers() {
        let (event, outgoing) = outgoing();
        let record = outgoing.record();
        assert_eq!(record.headers[header::PRODUCER_SERVICE], b"order-service");
        let Decoded::Event(received) = decode(Topic::Orders, 3, 7, record) else {
            panic!("unreadable");
        };
        assert_eq!(received.event, event);
        assert_eq!((received.partition, received.offset), (3, 7));
        assert_eq!(received.timestamp.timestamp_micros(), 1_750_000_000_123_456);
    }

    #[test]
    fn a_trace_goes_along_and_a_broken_one_is_none() {
        let trace = TraceContext { trace_id: 7, span_id: 8, sampled: true };
        let record = outgoing().1.traced(Some(trace)).record();
        let trace_in = |record| match decode(Topic::Orders, 0, 0, record) {
            Decoded::Event(received) => received.trace,
            other => panic!("unreadable: {other:?}"),
        };
        assert_eq!(trace_in(record.clone()), Some(trace));
        let mut broken = record;
        broken.headers.insert(TRACEPARENT.into(), b"00-7-8-01".to_vec());
        assert_eq!(trace_in(broken), None);
    }

    #[test]
    fn what_cannot_be_read_keeps_key_and_value_and_says_why() {
        let (_, outgoing) = outgoing();
        let mut newer = outgoing.record();
        newer.headers.insert(header::EVENT_VERSION.into(), b"v2".to_vec());
        assert!(reason(decode(Topic::Orders, 0, 0, newer)).contains("v2"));

        let mut torn = outgoing.record();
        torn.value = Some(b"{\"order_id\":".to_vec());
        let Decoded::Unreadable(kept) = decode(Topic::Orders, 0, 0, torn.clone()) else {
            panic!("readable");
        };
        assert_eq!(kept.record, torn);

        assert!(reason(decode(Topic::Payment, 0, 0, outgoing.record())).contains("payment"));

        let mut padded = outgoing.record();
        let value = padded.value.take().unwrap();
        let padding = " ".repeat(MAX_EVENT_BYTES + 1 - value.len()).into_bytes();
        padded.value = Some([value, padding].concat());
        assert!(reason(decode(Topic::Orders, 0, 0, padded.clone())).contains("65537"));
        padded.value.as_mut().unwrap().pop();
        assert!(matches!(decode(Topic::Orders, 0, 0, padded), Decoded::Event(_)));

        let mut foreign = outgoing.record();
        foreign.key = Some(b"someone else".to_vec());
        assert!(reason(decode(Topic::Orders, 0, 0, foreign)).contains("key"));
    }

    #[test]
    fn unknown_types_are_told_apart_from_broken_records() {
        let (_, outgoing) = outgoing();
        let mut newer = outgoing.record();
        newer.headers.insert(header::EVENT_TYPE.into(), b"OrderGiftWrapped".to_vec());
        let decoded = decode(Topic::Orders, 0, 0, newer);
        assert!(matches!(decoded, Decoded::UnknownType(name) if name == "OrderGiftWrapped"));
    }
}
