//! A batch of events and its offsets as one transaction.

use std::collections::HashSet;

use contract::topics::Topic;
use futures_util::future::{join, join5};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::rows::{Columns, STATUSES};
use crate::kit::log::Received;
use crate::kit::metrics::PROJECTION_SET_ASIDE;
use crate::kit::postgres::{Connection, DatabaseError, Work};
use crate::kit::snapshot::{Anchor, Cut, Mark};

/// The lock lets instances write one after the other, and skip what another one has written.
const LOCK_PLACES: &str = "SELECT topic, partition, next_offset, anchor_offset, anchor_timestamp_us, \
                           anchor_crc FROM status_offsets ORDER BY topic, partition FOR UPDATE";

const READ_PLACES: &str = "SELECT topic, partition, next_offset, anchor_offset, anchor_timestamp_us, \
                           anchor_crc FROM status_offsets";

/// An effect may be seen before its cause: any event is enough for an order to be there.
const ADD_ORDERS: &str = "INSERT INTO orders \
     (order_id, product_id, quantity, status, created_at, updated_at) \
     SELECT DISTINCT ON (id) id, product, quantity, $1, at, at \
     FROM unnest($2::uuid[], $3::text[], $4::int[], $5::timestamptz[]) \
     AS new (id, product, quantity, at) ORDER BY id ON CONFLICT (order_id) DO NOTHING";

/// The first event of a step is the truth: only what was really added changes anything else.
const ADD_EVENTS: &str = "WITH input AS ( \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::timestamptz[], $8::text[], $9::int[], $10::int[], $11::bigint[], $12::text[], \
             $13::text[], $14::int[], $15::timestamptz[]) \
         WITH ORDINALITY AS input (id, event, type, data, text, version, at, product, quantity, rank, \
             cents, number, carrier, days, shipped_at, place)), \
     added AS ( \
         INSERT INTO events (event_id, order_id, event_type, event_data, event_version, created_at, \
             event_text) \
         SELECT event, id, type, data::jsonb, version, at, text FROM input ORDER BY place \
         ON CONFLICT (event_id) DO NOTHING RETURNING event_id), \
     news AS (SELECT input.* FROM input JOIN added ON event = event_id), \
     shipped AS ( \
         INSERT INTO shipments (shipment_id, order_id, tracking_number, carrier, estimated_days, \
             shipped_at) \
         SELECT event, id, number, carrier, days, shipped_at FROM news WHERE number IS NOT NULL \
         ON CONFLICT DO NOTHING) \
     UPDATE orders SET \
         status = ($16::text[])[greatest(rank, array_position($16::text[], status::text))], \
         payment_amount = coalesce(payment_amount, (cents::numeric / 100)), \
         tracking_number = coalesce(tracking_number, number), \
         created_at = coalesce(begun_at, created_at), \
         updated_at = greatest(updated_at, at), \
         product_id = coalesce(product, product_id), \
         quantity = coalesce(pieces, orders.quantity) \
     FROM (SELECT id, max(rank) AS rank, max(cents) AS cents, max(number) AS number, max(at) AS at, \
               max(at) FILTER (WHERE type = 'OrderCreated') AS begun_at, \
               max(product) FILTER (WHERE type = 'OrderCreated') AS product, \
               max(quantity) FILTER (WHERE type = 'OrderCreated') AS pieces \
           FROM news GROUP BY id) AS new \
     WHERE order_id = id";

const END_ORDERS: &str = "UPDATE orders SET ended = TRUE \
     WHERE order_id = ANY($1) AND NOT ended \
     AND EXISTS (SELECT FROM events WHERE events.order_id = orders.order_id \
                 AND event_type = 'NotificationSent') \
     AND (status IN ('shipped', 'inventory_rejected') OR (status = 'payment_failed' \
          AND EXISTS (SELECT FROM events WHERE events.order_id = orders.order_id \
                      AND event_type = 'InventoryReleased')))";

const WRITE_PLACES: &str = "UPDATE status_offsets SET next_offset = new.next, \
     anchor_offset = new.at, anchor_timestamp_us = new.time, anchor_crc = new.crc \
     FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) \
     AS new (topic, partition, next, at, time, crc) \
     WHERE status_offsets.topic = new.topic AND status_offsets.partition = new.partition \
     AND status_offsets.next_offset < new.next";

/// Projects a batch, as far as nobody else has.
pub(super) struct Project<'a> {
    /// What this process has projected, or knows that it is.
    pub(super) places: &'a Cut,
    /// Each partition's in the order of the log, without gaps since `places`.
    pub(super) records: &'a [Received],
}

impl Work for Project<'_> {
    type Output = ();
    const NAME: &'static str = "project";

    async fn run(&mut self, connection: &Connection) -> Result<(), DatabaseError> {
        let read_places = connection.prepare_cached(LOCK_PLACES).await?;
        let (begun, places) =
            join(connection.batch_execute("BEGIN"), connection.query(&read_places, &[])).await;
        begun?;
        let written = read_rows(&places?)?;
        for (place, known) in self.places {
            let next = written.get(place).map_or(0, |mark| mark.next_offset);
            let ((topic, partition), known) = (place, known.next_offset);
            if next < known {
                return Err(DatabaseError::Refused(format!(
                    "the tables went back: {}/{partition} was projected up to {known} and is at {next} \
                     now; a restart goes on from there",
                    topic.name()
                )));
            }
        }
        let columns = self.missing(&written);
        if columns.order.is_empty() {
            return self.end(connection, &written).await;
        }
        self.write(connection, &columns, &written).await
    }
}

impl Project<'_> {
    /// Rows of what nobody has written. Of each step the first one: the others never happened.
    fn missing(&self, written: &Cut) -> Columns {
        let (mut columns, mut seen) = (Columns::default(), HashSet::new());
        for record in self.records {
            let place = (record.topic, record.partition);
            let is_written =
                written.get(&place).is_some_and(|mark| record.offset < mark.next_offset);
            if is_written || !seen.insert((record.event.order_id(), record.event.step())) {
                continue;
            }
            if let Err(reason) = columns.push(record) {
                PROJECTION_SET_ASIDE.add_to(&[("topic", record.topic.name())], 1);
                let (topic, offset) = (record.topic.name(), record.offset);
                let (order, partition) = (record.event.order_id(), record.partition);
                tracing::error!(%order, topic, partition, offset, reason, "an event is not projected");
            }
        }
        columns
    }

    async fn write(
        &self,
        connection: &Connection,
        columns: &Columns,
        written: &Cut,
    ) -> Result<(), DatabaseError> {
        let add_orders = connection.prepare_cached(ADD_ORDERS).await?;
        let add_events = connection.prepare_cached(ADD_EVENTS).await?;
        let end_orders = connection.prepare_cached(END_ORDERS).await?;
        let write_places = connection.prepare_cached(WRITE_PLACES).await?;
        let statuses = STATUSES.as_slice();
        let Columns { order, product, quantity, at, .. } = columns;
        let orders: [&(dyn ToSql + Sync); 5] = [&STATUSES[0], order, product, quantity, at];
        let events: [&(dyn ToSql + Sync); 16] = [
            order,
            &columns.event,
            &columns.event_type,
            &columns.data,
            &columns.text,
            &columns.version,
            at,
            product,
            quantity,
            &columns.rank,
            &columns.amount_cents,
            &columns.tracking_number,
            &columns.carrier,
            &columns.days,
            &columns.shipped_at,
            &statuses,
        ];
        let next = self.next_places(written);
        // Sent together, carried out one after the other.
        let (orders, events, ended, places, committed) = join5(
            connection.execute(&add_orders, &orders),
            connection.execute(&add_events, &events),
            connection.execute(&end_orders, &[order]),
            connection.execute(&write_places, &next.columns()),
            connection.batch_execute("COMMIT"),
        )
        .await;
        // A commit of a transaction that failed before "succeeds" as a rollback: each is asked.
        orders?;
        events?;
        ended?;
        places?;
        Ok(committed?)
    }

    /// Nothing is new but perhaps the offsets.
    async fn end(&self, connection: &Connection, written: &Cut) -> Result<(), DatabaseError> {
        let write_places = connection.prepare_cached(WRITE_PLACES).await?;
        let next = self.next_places(written);
        let (places, committed) = join(
            connection.execute(&write_places, &next.columns()),
            connection.batch_execute("COMMIT"),
        )
        .await;
        places?;
        Ok(committed?)
    }

    fn next_places(&self, written: &Cut) -> NextPlaces {
        let mut next = NextPlaces::default();
        for ((topic, partition), mark) in next_places(self.records) {
            let known = written.get(&(topic, partition));
            if known.is_none_or(|known| known.next_offset < mark.next_offset) {
                next.topics.push(topic.name());
                next.partitions.push(partition);
                next.offsets.push(mark.next_offset);
                next.anchor_offsets.push(mark.anchor.map(|anchor| anchor.offset));
                next.anchor_times.push(mark.anchor.map(|anchor| anchor.timestamp_us));
                next.anchor_crcs.push(mark.anchor.map(|anchor| i64::from(anchor.crc)));
            }
        }
        next
    }
}

/// Where to go on, as columns.
#[derive(Default)]
struct NextPlaces {
    topics: Vec<&'static str>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    anchor_offsets: Vec<Option<i64>>,
    anchor_times: Vec<Option<i64>>,
    anchor_crcs: Vec<Option<i64>>,
}

impl NextPlaces {
    fn columns(&self) -> [&(dyn ToSql + Sync); 6] {
        let Self { topics, partitions, offsets, anchor_offsets, anchor_times, anchor_crcs } = self;
        [topics, partitions, offsets, anchor_offsets, anchor_times, anchor_crcs]
    }
}

/// Where to go on after `records`.
pub(super) fn next_places(records: &[Received]) -> Cut {
    let mut places = Cut::new();
    for record in records {
        let mark = places.entry((record.topic, record.partition)).or_default();
        mark.advance(record.offset.saturating_add(1), Some(Anchor::of(record)));
    }
    places
}

fn read_rows(rows: &[Row]) -> Result<Cut, DatabaseError> {
    let mut places = Cut::new();
    for row in rows {
        let name: &str = row.try_get(0)?;
        let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.name() == name) else {
            continue;
        };
        let anchor: (Option<i64>, Option<i64>, Option<i64>) =
            (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        let anchor = match anchor {
            (Some(offset), Some(timestamp_us), Some(crc)) => {
                u32::try_from(crc).ok().map(|crc| Anchor { offset, timestamp_us, crc })
            }
            // Tables from before there were any.
            _ => None,
        };
        places.insert((topic, row.try_get(1)?), Mark { next_offset: row.try_get(2)?, anchor });
    }
    Ok(places)
}

/// Makes sure that every partition has its place, and reads them.
pub(super) struct Begin {
    pub(super) partitions: i32,
}

impl Work for Begin {
    type Output = Cut;
    const NAME: &'static str = "begin";

    async fn run(&mut self, connection: &Connection) -> Result<Cut, DatabaseError> {
        let topics: Vec<&str> = Topic::ALL.iter().map(|topic| topic.name()).collect();
        let seed = "INSERT INTO status_offsets (topic, partition, next_offset) \
                    SELECT topic, partition, 0 FROM unnest($1::text[]) AS topic, \
                    generate_series(0, $2::int - 1) AS partition \
                    ORDER BY topic, partition ON CONFLICT DO NOTHING";
        connection.execute(seed, &[&topics, &self.partitions]).await?;
        read_rows(&connection.query(READ_PLACES, &[]).await?)
    }
}
