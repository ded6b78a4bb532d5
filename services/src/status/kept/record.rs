//! One order as bytes: type, time and value of each of its events.

use contract::Timestamp;
use contract::events::{Event, EventType};
use contract::ids::OrderId;
use contract::topics::header;

use super::super::domain::StoredOrder;
use super::super::view::Past;
use crate::kit::snapshot::format::{Reader, put_length};

/// Appends the events as they are shown, and those that are held back.
pub(super) fn encode(order: &StoredOrder, out: &mut Vec<u8>) {
    for event in order.all_events() {
        out.push(event.event_type as u8);
        out.extend_from_slice(&event.timestamp.timestamp().to_le_bytes());
        out.extend_from_slice(&event.timestamp.timestamp_subsec_nanos().to_le_bytes());
        put_length(event.data.len(), out);
        out.extend_from_slice(event.data.as_bytes());
    }
}

/// Appends the same events in the order of the saga. Topics are read side by side: in which order they were
/// seen differs from reading to reading, and is no difference between two states.
pub(super) fn append_canonical(record: &[u8], out: &mut Vec<u8>) {
    let mut reader = Reader(record);
    let mut events = Vec::new();
    while let before = reader.0
        && let Some(raw) = take(&mut reader)
    {
        events.push((raw.event_type.step(), &before[..before.len() - reader.0.len()]));
    }
    events.sort_by_key(|(step, _)| *step);
    events.iter().for_each(|(_, bytes)| out.extend_from_slice(bytes));
}

/// The events of `order`; nothing when the bytes are no order, or another one.
pub(super) fn decode(order: OrderId, record: &[u8]) -> Option<Vec<Past>> {
    let mut reader = Reader(record);
    let mut events = Vec::new();
    while !reader.0.is_empty() {
        let Raw { event_type, at, data } = take(&mut reader)?;
        let event = Event::decode(Some(event_type.name()), data).ok()?;
        if event.order_id() != order {
            return None;
        }
        let text = String::from_utf8_lossy(data).into_owned();
        events.push(Past { event, version: header::CURRENT_VERSION, at, text });
    }
    Some(events)
}

struct Raw<'a> {
    event_type: EventType,
    at: Timestamp,
    data: &'a [u8],
}

fn take<'a>(reader: &mut Reader<'a>) -> Option<Raw<'a>> {
    let event_type = EventType::ALL.get(usize::from(reader.byte()?)).copied()?;
    let seconds = i64::from_le_bytes(reader.array()?);
    let nanoseconds = u32::from_le_bytes(reader.array()?);
    let at = Timestamp::from_timestamp(seconds, nanoseconds)?;
    let length = reader.length()?;
    Some(Raw { event_type, at, data: reader.take(length)? })
}
