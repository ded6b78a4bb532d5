use contract::events::{OrderCreated, PaymentEvent};
use proptest::prelude::*;

use super::*;
use crate::inventory::domain;
use crate::inventory::ledger::Ledger;
use crate::inventory::stock::Stock;

const PRODUCT: ProductId = ProductId::Product1;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(1_750_000_000_000_000 + micros).unwrap()
}

fn event(name: &str, event_type: EventType, quantity: u32) -> Event {
    let (order_id, product_id) = (OrderId::for_idempotency_key(name), PRODUCT);
    match event_type {
        EventType::OrderCreated => Event::Order(OrderCreated {
            order_id,
            product_id,
            quantity,
            event_type,
            request_id: None,
        }),
        EventType::PaymentCompleted | EventType::PaymentFailed => Event::Payment(PaymentEvent {
            order_id,
            product_id,
            quantity,
            amount: product_id.price() * quantity,
            event_type,
            processed_at: at(0),
            reason: None,
        }),
        _ => answer(&event(name, EventType::OrderCreated, quantity), event_type, None),
    }
}

fn entry(name: &str, event_type: EventType, quantity: u32, micros: i64) -> Entry {
    Entry { event: event(name, event_type, quantity), at: at(micros) }
}

fn tables(pieces: i64) -> Tables {
    let levels = Levels { current: pieces, available: pieces };
    Tables { rows: HashMap::new(), levels: [levels; ProductId::ALL.len()] }
}

fn levels(tables: &Tables) -> (i64, i64) {
    let Levels { current, available } = tables.levels[PRODUCT as usize];
    (current, current - available)
}

fn types(plan: &Plan) -> Vec<Option<EventType>> {
    let of = |answer: &Option<Stamped>| answer.as_ref().map(|stamped| stamped.event.event_type());
    plan.answers.iter().map(of).collect()
}

#[test]
fn a_batch_reserves_pays_and_releases_in_its_order() {
    let batch = [
        entry("a", EventType::OrderCreated, 6, 1),
        entry("b", EventType::OrderCreated, 4, 2),
        entry("c", EventType::OrderCreated, 1, 3),
        entry("a", EventType::PaymentCompleted, 6, 4),
        entry("b", EventType::PaymentFailed, 4, 5),
    ];
    let planned = plan(&batch, tables(10)).unwrap();
    let [confirmed, rejected, released] = [
        Some(EventType::InventoryConfirmed),
        Some(EventType::InventoryRejected),
        Some(EventType::InventoryReleased),
    ];
    assert_eq!(types(&planned), [confirmed, confirmed, rejected, None, released]);
    assert_eq!(levels(&planned.tables), (4, 4), "held until the log has the release");
    let read_back = [entry("b", EventType::InventoryReleased, 4, 6)];
    let planned = plan(&read_back, planned.tables).unwrap();
    assert_eq!(levels(&planned.tables), (4, 0));
}

#[test]
fn whoever_asks_again_is_told_the_same_until_the_log_has_it() {
    let first = plan(&[entry("a", EventType::OrderCreated, 6, 1)], tables(10)).unwrap();
    let again = [
        entry("a", EventType::OrderCreated, 6, 500),
        entry("a", EventType::PaymentFailed, 6, 600),
        entry("a", EventType::PaymentFailed, 6, 700),
    ];
    let second = plan(&again, first.tables.clone()).unwrap();
    assert_eq!(second.answers[0], first.answers[0], "identical, its time included");
    assert_eq!(second.answers[1], second.answers[2]);
    assert!(second.answers[1].is_some());
    assert_eq!(levels(&second.tables), (10, 6));

    let logged = [
        entry("a", EventType::InventoryConfirmed, 6, 1),
        entry("a", EventType::InventoryReleased, 6, 600),
        entry("a", EventType::OrderCreated, 6, 800),
        entry("a", EventType::PaymentFailed, 6, 900),
    ];
    let third = plan(&logged, second.tables).unwrap();
    assert_eq!(types(&third), [None; 4]);
    assert_eq!(levels(&third.tables), (10, 0));
}

#[test]
fn the_log_overrules_the_table() {
    let sold_out = plan(&[entry("a", EventType::OrderCreated, 6, 1)], tables(0)).unwrap();
    let mut restocked = sold_out.tables;
    restocked.levels = tables(10).levels;
    let logged = [entry("a", EventType::InventoryConfirmed, 6, 1)];
    let planned = plan(&logged, restocked).unwrap();
    assert_eq!(planned.overruled, [OrderId::for_idempotency_key("a")]);
    assert_eq!(levels(&planned.tables), (10, 6));
}

#[test]
fn a_log_that_sold_more_than_the_tables_hold_is_told_apart() {
    let logged = [entry("a", EventType::InventoryConfirmed, 6, 1)];
    let impossible = plan(&logged, tables(5)).unwrap_err();
    assert!(impossible.to_string().contains("--stock"), "{impossible}");
    // The rest of the history may set it right: another order's release, read from another partition.
    let whole = [
        entry("a", EventType::InventoryConfirmed, 3, 1),
        entry("b", EventType::InventoryConfirmed, 3, 2),
        entry("a", EventType::PaymentFailed, 3, 3),
        entry("a", EventType::InventoryReleased, 3, 4),
    ];
    assert!(plan(&whole[..2], tables(5)).is_err());
    assert_eq!(levels(&plan(&whole, tables(5)).unwrap().tables), (5, 3));
}

proptest! {
    /// However the records fall into batches, and whatever is read twice, the table says what the
    /// inventory in memory says.
    #[test]
    fn batches_agree_with_the_ledger_in_memory(
        steps in prop::collection::vec((0..12_usize, 0..3_u8, 1..=20_u32), 1..80),
        cuts in prop::collection::vec(1..10_usize, 1..40),
    ) {
        let ledger = Ledger::new(Stock::new(|_| 60));
        let mut entries = Vec::new();
        let mut quantities = HashMap::new();
        for (step, (order, kind, quantity)) in steps.iter().enumerate() {
            let name = order.to_string();
            let quantity = *quantities.entry(*order).or_insert(*quantity);
            let kind = [EventType::OrderCreated, EventType::PaymentCompleted, EventType::PaymentFailed]
                [usize::from(*kind)];
            let micros = i64::try_from(step).unwrap();
            let entry = entry(&name, kind, quantity, micros);
            // A payment follows a confirmation; what it follows is read back before it, as from the log.
            let confirmed = ledger.confirmed(entry.event.order_id());
            if kind != EventType::OrderCreated && confirmed != Some(true) {
                continue;
            }
            let published = domain::decide(&ledger, &entry.event);
            entries.push(entry);
            if let Some(event) = published {
                domain::fold(&ledger, &event);
                entries.push(Entry { event, at: at(micros) });
            }
        }
        let mut state = tables(60);
        let (mut rest, mut cuts) = (&entries[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            state = plan(batch, state).unwrap().tables;
            // At least once: the batch comes again.
            let again = plan(batch, state.clone()).unwrap().tables;
            prop_assert_eq!(&again.rows, &state.rows);
            prop_assert_eq!(again.levels, state.levels);
            rest = later;
        }
        prop_assert_eq!(state.levels[PRODUCT as usize], ledger.levels(PRODUCT));
    }
}
