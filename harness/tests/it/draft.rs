//! A small healthy shop in memory, for tests to plant a bug in.

use std::collections::BTreeMap;

use contract::Timestamp;
use contract::events::{Event, EventType};
use contract::http::{Charge, ChargeOutcome, InventoryItem};
use contract::ids::{OrderId, ProductId};
use contract::order::{EventRecord, Order};
use contract::samples;
use contract::topics::{Step, Topic, partition_for_key};
use doorbuster::audit::checks::REGISTER;
use doorbuster::audit::committed::{Commits, consumed};
use doorbuster::audit::journal::{Journal, OrderEntry, Outcome, SocketEntry};
use doorbuster::audit::model::{Model, RawRecord};
use doorbuster::audit::stock::Shelf;
use doorbuster::audit::tables::Tables;
use doorbuster::audit::view::Views;
use doorbuster::audit::{AuditReport, Evidence, audit};

use crate::table_checks::tables_of;

pub(crate) const PARTITIONS: i32 = 4;
const STOCK: u64 = 100;
const QUANTITY: u32 = 2;
pub(crate) const PRODUCT: ProductId = ProductId::Product1;

/// Places of the healthy orders: shipped, rejected, not paid.
pub(crate) const SHIPPED: usize = 0;
pub(crate) const REJECTED: usize = 1;
pub(crate) const UNPAID: usize = 2;
const KINDS: usize = 3;
const ORDERS: usize = 12;

/// A record that has not been written to the log yet.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) event: Event,
    pub(crate) headers: BTreeMap<String, Vec<u8>>,
    pub(crate) at: Timestamp,
}

/// Everything that evidence is made of, open to mutation.
pub(crate) struct Shop {
    pub(crate) records: Vec<Draft>,
    pub(crate) requests: Vec<OrderEntry>,
    pub(crate) journal: Journal,
    pub(crate) charges: Vec<Charge>,
    pub(crate) shelves: Vec<Shelf>,
    pub(crate) initial: BTreeMap<ProductId, u64>,
    pub(crate) dead_letters: BTreeMap<String, Vec<String>>,
    pub(crate) values: Vec<(Topic, Vec<u8>)>,
    pub(crate) edit_commits: Box<dyn FnMut(&mut Commits)>,
    pub(crate) edit_views: Box<dyn FnMut(&mut Views)>,
    pub(crate) edit_tables: Box<dyn FnMut(&mut Tables)>,
    pub(crate) undisturbed: bool,
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(1_750_000_000_000 + millis).unwrap()
}

pub(crate) fn key(order: usize) -> String {
    format!("request-{order}")
}

pub(crate) fn id(order: usize) -> OrderId {
    OrderId::for_idempotency_key(&key(order))
}

/// An event of `order` at `millis`, where and how the shop would write it.
pub(crate) fn draft(order: usize, event_type: EventType, millis: i64) -> Draft {
    let event = event(order, event_type, at(millis));
    let topic = event_type.topic();
    let key = id(order).to_string();
    let headers = samples::headers(&event, at(millis));
    let partition = partition_for_key(key.as_bytes(), PARTITIONS);
    Draft { topic, partition, key, event, headers, at: at(millis) }
}

fn event(order: usize, event_type: EventType, at: Timestamp) -> Event {
    let mut event = samples::event_of(id(order), (PRODUCT, QUANTITY), event_type, at);
    match &mut event {
        Event::Order(created) => created.request_id = Some(key(order)),
        Event::Shipping(shipping) => shipping.tracking_number = format!("TRK{order:08x}"),
        Event::Inventory(_) | Event::Payment(_) | Event::Notification(_) => (),
    }
    event
}

fn path(order: usize) -> Vec<EventType> {
    use EventType::{
        InventoryConfirmed, InventoryRejected, InventoryReleased, NotificationSent, OrderCreated,
        PaymentCompleted, PaymentFailed, Shipped,
    };
    match order % KINDS {
        SHIPPED => {
            vec![OrderCreated, InventoryConfirmed, PaymentCompleted, Shipped, NotificationSent]
        }
        REJECTED => vec![OrderCreated, InventoryRejected, NotificationSent],
        _ => vec![
            OrderCreated,
            InventoryConfirmed,
            PaymentFailed,
            InventoryReleased,
            NotificationSent,
        ],
    }
}

impl Shop {
    /// Twelve orders, a third of each kind, all ended, all in agreement.
    pub(crate) fn healthy() -> Self {
        let mut shop = Self {
            records: Vec::new(),
            requests: Vec::new(),
            journal: Journal::default(),
            charges: Vec::new(),
            shelves: Vec::new(),
            initial: BTreeMap::from([(PRODUCT, STOCK)]),
            dead_letters: BTreeMap::new(),
            values: Vec::new(),
            edit_commits: Box::new(|_| ()),
            edit_views: Box::new(|_| ()),
            edit_tables: Box::new(|_| ()),
            undisturbed: true,
        };
        let mut sold = 0;
        for order in 0..ORDERS {
            let events = path(order);
            for (step, event_type) in events.iter().enumerate() {
                let millis = i64::try_from(order * 100 + step * 10).unwrap();
                shop.records.push(draft(order, *event_type, millis));
            }
            shop.requests.push(request(order, events));
            let declined = order % KINDS == UNPAID;
            if order % KINDS == REJECTED {
                continue;
            }
            shop.charges.push(Charge {
                order_id: id(order),
                amount: PRODUCT.price() * QUANTITY,
                outcome: if declined { ChargeOutcome::Declined } else { ChargeOutcome::Captured },
                reason: None,
                attempts: 1,
                captures: u32::from(!declined),
            });
            sold += if declined { 0 } else { u64::from(QUANTITY) };
        }
        let item = InventoryItem {
            product_id: PRODUCT,
            current_stock: STOCK - sold,
            reserved_stock: 0,
            last_updated: at(5_000),
        };
        let instances = ["http://inventory-1", "http://inventory-2"].map(str::to_owned);
        let items = BTreeMap::from([(PRODUCT, item)]);
        let shelf = |instance| Shelf { instance, items: items.clone(), failures: Vec::new() };
        shop.shelves = instances.map(shelf).into();
        shop
    }

    /// The record of `event_type` of `order`.
    pub(crate) fn record(&mut self, order: usize, event_type: EventType) -> &mut Draft {
        let found = self.records.iter_mut();
        found
            .filter(|draft| draft.event.order_id() == id(order))
            .find(|draft| draft.event.event_type() == event_type)
            .expect("the healthy shop has it")
    }

    pub(crate) fn remove(&mut self, order: usize, event_type: EventType) {
        self.records.retain(|draft| {
            draft.event.order_id() != id(order) || draft.event.event_type() != event_type
        });
    }

    /// Writes the log, asks the (correct) status service, and audits.
    pub(crate) fn audit(self) -> AuditReport {
        audit(&self.evidence())
    }

    pub(crate) fn evidence(mut self) -> Evidence {
        let model = self.model();
        let mut views = status_of(&model, &self.records);
        (self.edit_views)(&mut views);
        let mut commits = commits_of(&model);
        (self.edit_commits)(&mut commits);
        let mut tables = tables_of(&model, &self.records, &self.initial);
        (self.edit_tables)(&mut tables);
        self.journal.requests = self.requests;
        Evidence {
            model,
            journal: Some(self.journal),
            ledger: Some(self.charges.into_iter().collect()),
            initial_stock: Some(self.initial),
            shelves: self.shelves,
            views: vec![views],
            commits: Some(commits),
            tables: Some(tables),
            sockets_expected: true,
            undisturbed: self.undisturbed,
            sole_clients: true,
        }
    }

    fn model(&self) -> Model {
        let mut model = Model::default();
        model.partitions = Topic::ALL.map(|topic| (topic, PARTITIONS)).into();
        model.dead_letters = self.dead_letters.clone();
        let mut ends: BTreeMap<(Topic, i32), i64> = BTreeMap::new();
        let mut add = |draft: &Draft, value: &[u8]| {
            let end = ends.entry((draft.topic, draft.partition)).or_default();
            model.add(RawRecord {
                topic: draft.topic,
                partition: draft.partition,
                offset: *end,
                key: Some(draft.key.as_bytes()),
                value,
                headers: &draft.headers,
                created_at: draft.at,
            });
            *end += 1;
        };
        for draft in &self.records {
            add(draft, &draft.event.encode());
        }
        for (topic, value) in &self.values {
            let mut broken = self.records[0].clone();
            broken.topic = *topic;
            add(&broken, value);
        }
        model
    }
}

fn request(order: usize, events: Vec<EventType>) -> OrderEntry {
    let frames = u32::try_from(events.len()).unwrap();
    OrderEntry {
        key: key(order),
        product_id: PRODUCT,
        quantity: QUANTITY,
        outcome: Outcome::Created,
        order_id: Some(id(order)),
        status: Some(201),
        sent_at: at(i64::try_from(order * 100).unwrap() - 1),
        socket: Some(SocketEntry {
            opened: 1,
            frames,
            events,
            ended: true,
            violations: Vec::new(),
        }),
    }
}

/// What groups that have done all their work have committed.
fn commits_of(model: &Model) -> Commits {
    Commits(consumed(&model.ends).collect())
}

/// What a correct status service shows, folded from the drafts by the first record of each step.
fn status_of(model: &Model, records: &[Draft]) -> Views {
    let mut views = Views::default();
    for order in model.orders() {
        let id = model.id(order);
        let mut firsts: BTreeMap<Step, &Draft> = BTreeMap::new();
        for draft in records.iter().filter(|draft| draft.event.order_id() == id) {
            firsts.entry(draft.event.step()).or_insert(draft);
        }
        let mut tracking_number = None;
        let mut payment_amount = None;
        for draft in firsts.values() {
            match &draft.event {
                Event::Shipping(event) => tracking_number = Some(event.tracking_number.clone()),
                Event::Payment(event) => payment_amount = Some(event.amount),
                _ => {}
            }
        }
        let show = |(step, draft): (&Step, &&Draft)| EventRecord {
            event_id: id.event_id(*step),
            event_type: draft.event.event_type().name().into(),
            data: String::from_utf8(draft.event.encode()).unwrap(),
            timestamp: draft.at,
            version: "v1".into(),
        };
        let Some(status) = model.status(order) else { continue };
        views.orders.push(Order {
            order_id: id,
            product_id: PRODUCT,
            quantity: QUANTITY,
            status,
            events: firsts.iter().map(show).collect(),
            last_updated: at(0),
            tracking_number,
            payment_amount,
            created_at: at(0),
        });
    }
    views
}

/// Every check's name.
pub(crate) fn names() -> Vec<&'static str> {
    REGISTER.iter().map(|check| check.name).collect()
}
