//! A batch as one transaction.
//!
//! The isolation is serializable, as the specification wants it for stock, and the lock on `inventory` is
//! taken before the transaction's snapshot: so transactions of several instances come one after the
//! other, each sees all that was decided before, and none fails because of another. Readers do not wait.

use std::collections::{BTreeMap, HashMap};

use contract::Timestamp;
use contract::ids::{OrderId, ProductId};
use contract::topics::Topic;
use futures_util::future::{join3, join4};
use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::super::StartingStock;
use super::super::standing::{Inventory, Payment, Standing};
use super::super::stock::Levels;
use super::batch::{Entry, Impossible, Plan, Row, Tables, plan};
use crate::kit::postgres::{Connection, DatabaseError, Work};

/// Where the fold of a topic's partition stands.
pub(super) type Places = BTreeMap<(Topic, i32), i64>;

const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; \
                     LOCK TABLE inventory IN SHARE ROW EXCLUSIVE MODE";

const READ_LEVELS: &str = "SELECT product_id, current_stock, reserved_stock FROM inventory";

const READ_ROWS: &str = "SELECT order_id, product_id, quantity, decision, logged, payment, released, \
                         decided_at, release_decided_at \
                         FROM reservations WHERE order_id = ANY($1)";

const WRITE_ROWS: &str = "INSERT INTO reservations (order_id, product_id, quantity, decision, logged, \
     payment, released, decided_at, release_decided_at) \
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::bool[], $6::text[], \
     $7::bool[], $8::timestamptz[], $9::timestamptz[]) \
     ON CONFLICT (order_id) DO UPDATE SET product_id = excluded.product_id, \
     quantity = excluded.quantity, decision = excluded.decision, logged = excluded.logged, \
     payment = excluded.payment, released = excluded.released, decided_at = excluded.decided_at, \
     release_decided_at = excluded.release_decided_at";

const WRITE_LEVELS: &str = "UPDATE inventory SET current_stock = new.current, \
     reserved_stock = new.reserved, updated_at = new.at \
     FROM unnest($1::text[], $2::int[], $3::int[], $4::timestamptz[]) AS new (product, current, reserved, at) \
     WHERE product_id = new.product";

const WRITE_PLACES: &str = "INSERT INTO inventory_offsets (topic, partition, next_offset) \
     SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) \
     ON CONFLICT (topic, partition) DO UPDATE \
     SET next_offset = GREATEST(inventory_offsets.next_offset, excluded.next_offset)";

/// Takes a batch in. The output: what it comes to, or why it cannot be; then nothing is changed.
pub(super) struct TakeIn<'a> {
    pub(super) entries: Vec<&'a Entry>,
    pub(super) places: &'a Places,
}

impl Work for TakeIn<'_> {
    type Output = Result<Plan, Impossible>;
    const NAME: &'static str = "take-in";

    async fn run(&mut self, connection: &Connection) -> Result<Self::Output, DatabaseError> {
        let orders: Vec<Uuid> = self.entries.iter().map(|entry| entry.event.order_id().0).collect();
        let (read_levels, read_rows) = (
            connection.prepare_cached(READ_LEVELS).await?,
            connection.prepare_cached(READ_ROWS).await?,
        );
        // Sent together, carried out one after the other.
        let (begun, levels, rows) = join3(
            connection.batch_execute(BEGIN),
            connection.query(&read_levels, &[]),
            connection.query(&read_rows, &[&orders]),
        )
        .await;
        begun?;
        let before = tables(&levels?, &rows?)?;
        let planned = match plan(self.entries.iter().copied(), before.clone()) {
            Ok(planned) => planned,
            Err(impossible) => {
                connection.batch_execute("ROLLBACK").await?;
                return Ok(Err(impossible));
            }
        };
        self.write(connection, &before, &planned.tables).await?;
        Ok(Ok(planned))
    }
}

impl TakeIn<'_> {
    async fn write(
        &self,
        connection: &Connection,
        before: &Tables,
        after: &Tables,
    ) -> Result<(), DatabaseError> {
        let rows = RowColumns::of_changed(before, after);
        let at = self.entries.iter().map(|entry| entry.at).max().unwrap_or_default();
        let levels = LevelColumns::of_changed(before, after, at);
        let (topics, partitions, offsets) = place_columns(self.places);
        let write_rows = connection.prepare_cached(WRITE_ROWS).await?;
        let write_levels = connection.prepare_cached(WRITE_LEVELS).await?;
        let write_places = connection.prepare_cached(WRITE_PLACES).await?;
        let row_parameters = rows.parameters();
        let level_parameters = levels.parameters();
        let (rows, levels, places, committed) = join4(
            connection.execute(&write_rows, &row_parameters),
            connection.execute(&write_levels, &level_parameters),
            connection.execute(&write_places, &[&topics, &partitions, &offsets]),
            connection.batch_execute("COMMIT"),
        )
        .await;
        // A commit of a transaction that failed before "succeeds" as a rollback: each is asked.
        rows?;
        levels?;
        places?;
        Ok(committed?)
    }
}

type Parameters<'a, const N: usize> = [&'a (dyn tokio_postgres::types::ToSql + Sync); N];

/// Rows, column by column.
#[derive(Default)]
struct RowColumns {
    order: Vec<Uuid>,
    product: Vec<&'static str>,
    quantity: Vec<i32>,
    decision: Vec<Option<&'static str>>,
    logged: Vec<bool>,
    payment: Vec<Option<&'static str>>,
    released: Vec<bool>,
    decided_at: Vec<Option<Timestamp>>,
    release_decided_at: Vec<Option<Timestamp>>,
}

impl RowColumns {
    fn of_changed(before: &Tables, after: &Tables) -> Self {
        let mut columns = Self::default();
        for (order, row) in &after.rows {
            if before.rows.get(order) != Some(row) {
                columns.push(*order, row);
            }
        }
        columns
    }

    fn push(&mut self, order: OrderId, row: &Row) {
        let Standing { product, quantity, inventory, payment, released } = row.standing;
        let (decision, logged) = match inventory {
            Inventory::Open => (None, false),
            Inventory::Decided { confirmed } => (Some(decision_name(confirmed)), false),
            Inventory::Logged { confirmed } => (Some(decision_name(confirmed)), true),
        };
        self.order.push(order.0);
        self.product.push(product.as_str());
        self.quantity.push(i32::from(quantity));
        self.decision.push(decision);
        self.logged.push(logged);
        self.payment.push(match payment {
            Payment::Open => None,
            Payment::Completed => Some(COMPLETED),
            Payment::Failed => Some(FAILED),
        });
        self.released.push(released);
        self.decided_at.push(row.decided_at);
        self.release_decided_at.push(row.release_decided_at);
    }

    fn parameters(&self) -> Parameters<'_, 9> {
        [
            &self.order,
            &self.product,
            &self.quantity,
            &self.decision,
            &self.logged,
            &self.payment,
            &self.released,
            &self.decided_at,
            &self.release_decided_at,
        ]
    }
}

/// Levels, column by column.
#[derive(Default)]
struct LevelColumns {
    product: Vec<&'static str>,
    current: Vec<i32>,
    reserved: Vec<i32>,
    at: Vec<Timestamp>,
}

impl LevelColumns {
    fn of_changed(before: &Tables, after: &Tables, at: Timestamp) -> Self {
        let mut columns = Self::default();
        for product in ProductId::ALL {
            let [old, new] = [before, after].map(|tables| tables.levels[product as usize]);
            if old != new {
                columns.product.push(product.as_str());
                // Never more than what the table held at the beginning, which was an INTEGER too.
                columns.current.push(i32::try_from(new.current).unwrap_or(i32::MAX));
                let reserved = new.current - new.available;
                columns.reserved.push(i32::try_from(reserved).unwrap_or(i32::MAX));
                columns.at.push(at);
            }
        }
        columns
    }

    fn parameters(&self) -> Parameters<'_, 4> {
        [&self.product, &self.current, &self.reserved, &self.at]
    }
}

fn place_columns(places: &Places) -> (Vec<&'static str>, Vec<i32>, Vec<i64>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for ((topic, partition), next_offset) in places {
        columns.0.push(topic.name());
        columns.1.push(*partition);
        columns.2.push(*next_offset);
    }
    columns
}

const CONFIRMED: &str = "confirmed";
const REJECTED: &str = "rejected";
const COMPLETED: &str = "completed";
const FAILED: &str = "failed";

const fn decision_name(confirmed: bool) -> &'static str {
    if confirmed { CONFIRMED } else { REJECTED }
}

fn tables(levels: &[SqlRow], rows: &[SqlRow]) -> Result<Tables, DatabaseError> {
    let mut tables = Tables {
        rows: HashMap::with_capacity(rows.len()),
        levels: [Levels { current: 0, available: 0 }; ProductId::ALL.len()],
    };
    for row in levels {
        let (product, levels) = read_levels(row)?;
        tables.levels[product as usize] = levels;
    }
    for row in rows {
        let (order, row) = read_row(row)?;
        tables.rows.insert(order, row);
    }
    Ok(tables)
}

pub(super) fn read_levels(row: &SqlRow) -> Result<(ProductId, Levels), DatabaseError> {
    let (current, reserved): (i32, i32) = (row.try_get(1)?, row.try_get(2)?);
    let levels =
        Levels { current: i64::from(current), available: i64::from(current) - i64::from(reserved) };
    Ok((product(row.try_get(0)?)?, levels))
}

fn product(name: &str) -> Result<ProductId, DatabaseError> {
    name.parse().map_err(|error| DatabaseError::Refused(format!("the tables hold an {error}")))
}

fn read_row(row: &SqlRow) -> Result<(OrderId, Row), DatabaseError> {
    let quantity: i32 = row.try_get(2)?;
    let decision: Option<&str> = row.try_get(3)?;
    let logged: bool = row.try_get(4)?;
    let payment: Option<&str> = row.try_get(5)?;
    let inventory = match (decision, logged) {
        (None, _) => Inventory::Open,
        (Some(name), false) => Inventory::Decided { confirmed: name == CONFIRMED },
        (Some(name), true) => Inventory::Logged { confirmed: name == CONFIRMED },
    };
    let standing = Standing {
        product: product(row.try_get(1)?)?,
        quantity: u8::try_from(quantity).unwrap_or(u8::MAX),
        inventory,
        payment: match payment {
            None => Payment::Open,
            Some(COMPLETED) => Payment::Completed,
            Some(_) => Payment::Failed,
        },
        released: row.try_get(6)?,
    };
    let (decided_at, release_decided_at) = (row.try_get(7)?, row.try_get(8)?);
    Ok((OrderId(row.try_get(0)?), Row { standing, decided_at, release_decided_at }))
}

/// Puts the stock on the shelf that the shop starts with, unless somebody has, and tells how far the log
/// has been folded.
pub(super) struct Begin {
    pub(super) stock: StartingStock,
}

impl Work for Begin {
    type Output = Places;
    const NAME: &'static str = "begin";

    async fn run(&mut self, connection: &Connection) -> Result<Places, DatabaseError> {
        for product in ProductId::ALL {
            let pieces = self.stock.of(product);
            let pieces = i32::try_from(pieces).map_err(|_| {
                let most = i32::MAX;
                DatabaseError::Refused(format!(
                    "--stock: {pieces} pieces of {product} do not fit the table's INTEGER (at most {most})"
                ))
            })?;
            let seed = "INSERT INTO inventory (product_id, current_stock) VALUES ($1, $2) \
                        ON CONFLICT (product_id) DO NOTHING";
            connection.execute(seed, &[&product.as_str(), &pieces]).await?;
        }
        let read = "SELECT topic, partition, next_offset FROM inventory_offsets";
        let rows = connection.query(read, &[]).await?;
        let mut places = Places::new();
        for row in rows {
            let name: &str = row.try_get(0)?;
            if let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.name() == name) {
                places.insert((topic, row.try_get(1)?), row.try_get(2)?);
            }
        }
        Ok(places)
    }
}
