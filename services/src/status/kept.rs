//! Orders as a state: in memory while they are open, watched or have ended lately, and else in a file of this
//! instance. Snapshots say where in the file they are; replays compare what they are.
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | one order as bytes |
//! | [`file`](self::file) | ended orders, appended and read back |
//! | [`place`] | where in the file one is |
//! | [`ended`] | which orders leave memory next; pure |
//! | [`retire`] | their way out of memory |
//! | [`begin`] | what a start finds |

mod begin;
mod ended;
mod file;
mod place;
mod record;
mod retire;

pub(super) use self::begin::{begin, open};
pub(super) use self::ended::Ended;
pub(super) use self::file::PastFile;
pub(super) use self::place::Place;
pub(super) use self::retire::{Leaving, MOST, Retirement};

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use contract::Timestamp;
use contract::events::Event;
use contract::ids::OrderId;
use contract::topics::Step;
use foldhash::fast::RandomState;

use super::domain::{Folded, Orders, StoredOrder};
use super::view::{Past, SharedView};
use crate::kit::fed::Fed;
use crate::kit::log::Received;
use crate::kit::snapshot::book::{Book, Entry};
use crate::kit::snapshot::state::Undone;
use crate::kit::snapshot::{Content, State, Unit, Units};

/// In a snapshot an order that is in the file begins with this, where another begins with its first event's type.
const IN_FILE: u8 = 0xff;

/// All orders, wherever they are.
#[derive(Debug, Default)]
pub(super) struct Kept {
    orders: Orders,
    /// Orders that stand in the file; some of them are in memory, too.
    places: Book<Place>,
    /// None where tables are kept, and where no file can be.
    file: Option<Arc<PastFile>>,
}

impl Kept {
    pub(super) fn in_file(file: Arc<PastFile>) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// Those in memory.
    pub(super) const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Where in the file an order stands.
    pub(super) fn place(&self, order: OrderId) -> Option<Place> {
        self.places.get(order).copied()
    }

    pub(super) fn fold(
        &mut self,
        event: &Event,
        version: &'static str,
        at: Timestamp,
        value: &[u8],
    ) -> Folded {
        let order = event.order_id();
        if let Some(place) = self.place(order) {
            if place.has_seen(event.step()) {
                return Folded::default();
            }
            // It had ended: only a log that says more than a saga has steps gets here.
            self.bring_back(order, place);
            self.places.remove(order);
        }
        self.orders.fold(event, version, at, value)
    }

    fn bring_back(&mut self, order: OrderId, place: Place) {
        if self.orders.get_any(order).is_some() {
            return;
        }
        let file = self.file.as_ref().ok_or_else(|| io::Error::other("there is no file"));
        match file.and_then(|file| read(file, order, place)) {
            Ok(events) => self.recall_all(&events),
            Err(error) => tracing::error!(%order, %error, "an order that had ended is lost"),
        }
    }

    /// Brings an event of an order back into memory that tables or the file hold.
    pub(super) fn recall(&mut self, past: &Past) -> Folded {
        self.orders.fold(&past.event, past.version, past.at, past.text.as_bytes())
    }

    fn recall_all(&mut self, events: &[Past]) {
        for past in events {
            self.recall(past);
        }
    }

    /// Takes an order out of memory that stands in the file, or in tables.
    pub(super) fn leave(&mut self, order: OrderId) {
        self.orders.forget(order);
    }

    /// Notes where in the file an order stands.
    pub(super) fn stands_at(&mut self, order: OrderId, place: Place) {
        self.places.insert(order, place);
    }

    /// Forgets the order.
    pub(super) fn forget(&mut self, order: OrderId) {
        self.orders.forget(order);
        self.places.remove(order);
    }
}

/// What `file` says of an order.
///
/// # Errors
/// What the file system says, and damage.
pub(super) fn read(file: &PastFile, order: OrderId, place: Place) -> io::Result<Vec<Past>> {
    let record = file.read(place)?;
    record::decode(order, &record).ok_or_else(|| {
        let (file, offset) = (file.path().display(), place.offset());
        io::Error::other(format!("{file}: not order {order} at byte {offset}"))
    })
}

impl State for Kept {
    fn units(&self) -> Units {
        Units::Whole
    }

    fn fold(&mut self, record: &Received) {
        let Received { event, version, timestamp, value, .. } = record;
        Self::fold(self, event, version, *timestamp, value);
    }

    fn has_taken(&self, _partition: i32, order: OrderId, step: Step) -> bool {
        self.place(order).is_some_and(|place| place.has_seen(step))
            || self.orders.get_any(order).is_some_and(|order| order.has_seen(step))
    }

    fn lend(&mut self, _unit: Unit, undone: Undone) -> Arc<dyn Content> {
        Arc::new(Lent {
            orders: self.orders.all().clone(),
            places: self.places.lend(undone),
            file: self.file.clone(),
        })
    }

    fn expect(&mut self, _unit: Unit, orders: usize) {
        // Nearly all have ended.
        self.places.reserve(orders);
    }

    fn restore(&mut self, _unit: Unit, order: OrderId, entry: &[u8]) -> bool {
        self.forget(order);
        match (entry.split_first(), &self.file) {
            (Some((&IN_FILE, place)), Some(file)) => {
                let place = Place::decode(place).filter(|place| place.offset() < file.end());
                place.map(|place| self.stands_at(order, place)).is_some()
            }
            _ => record::decode(order, entry).map(|events| self.recall_all(&events)).is_some(),
        }
    }

    fn fresh(&self) -> Box<dyn State> {
        Box::new(Self { file: self.file.clone(), ..Self::default() })
    }
}

/// Orders as they were when they were lent.
struct Lent {
    orders: HashMap<OrderId, Arc<StoredOrder>, RandomState>,
    places: Arc<dyn Content>,
    file: Option<Arc<PastFile>>,
}

impl Lent {
    /// Each order that is in the file only, with its place.
    fn visit_places(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
        self.places.visit(&mut |order, place| {
            if !self.orders.contains_key(&order) {
                each(order, place);
            }
        });
    }

    /// What the file says of an order: nothing, which no order is, when it cannot be read.
    fn read(&self, order: OrderId, place: &[u8], out: &mut Vec<u8>) {
        let Some((file, place)) = self.file.as_ref().zip(Place::decode(place)) else { return };
        match file.read(place) {
            Ok(record) => record::append_canonical(&record, out),
            Err(error) => tracing::error!(%order, %error, "an order that has ended is lost"),
        }
    }
}

impl Content for Lent {
    fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
        let (mut seen, mut entry) = (Vec::new(), Vec::new());
        for (order_id, order) in &self.orders {
            seen.clear();
            entry.clear();
            record::encode(order, &mut seen);
            record::append_canonical(&seen, &mut entry);
            each(*order_id, &entry);
        }
        self.visit_places(&mut |order, place| {
            entry.clear();
            self.read(order, place, &mut entry);
            each(order, &entry);
        });
    }

    /// Orders in the file are kept as their places: the file outlives the process as well.
    fn keep(&self, each: &mut dyn FnMut(OrderId, &[u8])) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync()?;
        }
        let mut entry = Vec::new();
        for (order_id, order) in &self.orders {
            entry.clear();
            record::encode(order, &mut entry);
            each(*order_id, &entry);
        }
        self.visit_places(&mut |order, place| {
            entry.clear();
            entry.push(IN_FILE);
            entry.extend_from_slice(place);
            each(order, &entry);
        });
        Ok(())
    }

    fn entry(&self, order_id: OrderId, out: &mut Vec<u8>) {
        let mut seen = Vec::new();
        if let Some(order) = self.orders.get(&order_id) {
            record::encode(order, &mut seen);
            record::append_canonical(&seen, out);
        } else {
            self.places.entry(order_id, &mut seen);
            self.read(order_id, &seen, out);
        }
    }
}

impl Fed for SharedView {
    fn with(&self, work: &mut dyn FnMut(&mut dyn State)) {
        work(self.lock().kept());
    }

    /// Only the orders that differ: sockets watch the others.
    fn replace(&self, content: &dyn Content, live: &dyn Content) {
        let mut changed = Vec::new();
        let mut other = Vec::new();
        content.visit(&mut |order, entry| {
            other.clear();
            live.entry(order, &mut other);
            if other != entry {
                changed.push((order, entry.to_vec()));
            }
        });
        live.visit(&mut |order, _| {
            other.clear();
            content.entry(order, &mut other);
            if other.is_empty() {
                changed.push((order, Vec::new()));
            }
        });
        let mut view = self.lock();
        for (order, entry) in changed {
            view.replace(order, &entry);
        }
    }

    /// Where tables are, they are the state.
    fn is_kept(&self) -> bool {
        self.lock().kept().file.is_some()
    }
}

#[cfg(test)]
#[path = "kept/tests.rs"]
mod tests;
