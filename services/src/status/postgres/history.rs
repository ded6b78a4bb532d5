//! Reading orders back: what several ask for is one query.

use contract::Timestamp;
use contract::events::Event;
use contract::ids::OrderId;
use contract::topics::header;
use tokio::sync::mpsc;
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::view::Past;
use super::Answer;
use crate::kit::postgres::{Connection, Database, DatabaseError, Work};

/// Orders in one query.
const MAX_BATCH: usize = 500;

/// Answers reads until nobody can ask any more.
pub(super) async fn serve(database: Database, mut asked: mpsc::Receiver<(OrderId, Answer)>) {
    let mut batch = Vec::new();
    while asked.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let orders: Vec<OrderId> = batch.iter().map(|(order, _)| *order).collect();
        let read = database.read(&mut ReadOrders::of(&orders)).await;
        for (order, answer) in batch.drain(..) {
            let history = match &read {
                Ok(all) => {
                    Ok(all.iter().filter(|past| past.event.order_id() == order).cloned().collect())
                }
                Err(error) => Err(DatabaseError::Unavailable(error.to_string())),
            };
            // Whoever asked may have given up.
            let _ = answer.send(history);
        }
    }
}

/// All events of some orders, as they were seen.
pub(super) struct ReadOrders(Vec<Uuid>);

impl ReadOrders {
    pub(super) fn of(orders: &[OrderId]) -> Self {
        Self(orders.iter().map(|order| order.0).collect())
    }
}

impl Work for ReadOrders {
    type Output = Vec<Past>;
    const NAME: &'static str = "read-orders";

    async fn run(&mut self, connection: &Connection) -> Result<Vec<Past>, DatabaseError> {
        let query = "SELECT event_type, event_text, created_at FROM events \
                     WHERE order_id = ANY($1) ORDER BY sequence";
        let statement = connection.prepare_cached(query).await?;
        read(&connection.query(&statement, &[&self.0]).await?)
    }
}

/// All events of all orders that have not ended.
pub(super) struct ReadOpen;

impl Work for ReadOpen {
    type Output = Vec<Past>;
    const NAME: &'static str = "read-open";

    async fn run(&mut self, connection: &Connection) -> Result<Vec<Past>, DatabaseError> {
        let query = "SELECT event_type, event_text, events.created_at \
                     FROM orders JOIN events USING (order_id) WHERE NOT ended ORDER BY sequence";
        read(&connection.query(query, &[]).await?)
    }
}

fn read(rows: &[Row]) -> Result<Vec<Past>, DatabaseError> {
    let mut history = Vec::with_capacity(rows.len());
    for row in rows {
        let (event_type, text, at): (&str, String, Timestamp) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        // Rows were events that this program could read; a newer one may have written others since.
        let Ok(event) = Event::decode(Some(event_type), text.as_bytes()) else { continue };
        history.push(Past { event, version: header::CURRENT_VERSION, at, text });
    }
    Ok(history)
}
