//! What stands in the shop's PostgreSQL tables after the drain.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use contract::ids::{OrderId, ProductId};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// A row of `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    pub product: String,
    pub quantity: i32,
    pub status: String,
    pub payment_cents: Option<i64>,
    pub tracking_number: Option<String>,
    pub ended: bool,
}

/// A row of `events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    pub event_id: Uuid,
    pub event_type: String,
    /// The record's value.
    pub text: String,
}

/// A row of `shipments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipmentRow {
    pub tracking_number: String,
    pub carrier: String,
    pub days: i32,
}

/// A row of `reservations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationRow {
    pub product: String,
    pub quantity: i32,
    pub decision: Option<String>,
    pub payment: Option<String>,
    pub released: bool,
}

/// A row of `inventory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockRow {
    pub current: i32,
    pub reserved: i32,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Tables {
    pub orders: HashMap<OrderId, OrderRow>,
    pub events: HashMap<OrderId, Vec<EventRow>>,
    pub shipments: HashMap<OrderId, ShipmentRow>,
    pub reservations: HashMap<OrderId, ReservationRow>,
    pub stock: BTreeMap<ProductId, StockRow>,
}

/// How far the tables are: events projected, and pieces that are still reserved.
///
/// # Errors
/// The database does not answer, or these are not the shop's tables.
pub async fn progress(client: &Client) -> anyhow::Result<(i64, i64)> {
    let query = "SELECT (SELECT count(*) FROM events), \
                 (SELECT coalesce(sum(reserved_stock), 0)::bigint FROM inventory)";
    let row = client.query_one(query, &[]).await.context("the shop's tables")?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

impl Tables {
    /// # Errors
    /// The database does not answer, or these are not the shop's tables.
    pub async fn read(client: &Client) -> anyhow::Result<Self> {
        let mut tables = Self::default();
        let orders = "SELECT order_id, product_id, quantity, status, \
                      (payment_amount * 100)::bigint, tracking_number, ended FROM orders";
        for row in rows(client, orders).await? {
            tables.orders.insert(
                id(&row)?,
                OrderRow {
                    product: row.try_get(1)?,
                    quantity: row.try_get(2)?,
                    status: row.try_get(3)?,
                    payment_cents: row.try_get(4)?,
                    tracking_number: row.try_get(5)?,
                    ended: row.try_get(6)?,
                },
            );
        }
        let events =
            "SELECT order_id, event_id, event_type, event_text FROM events ORDER BY sequence";
        for row in rows(client, events).await? {
            tables.events.entry(id(&row)?).or_default().push(EventRow {
                event_id: row.try_get(1)?,
                event_type: row.try_get(2)?,
                text: row.try_get(3)?,
            });
        }
        let shipments = "SELECT order_id, tracking_number, carrier, estimated_days FROM shipments";
        for row in rows(client, shipments).await? {
            tables.shipments.insert(
                id(&row)?,
                ShipmentRow {
                    tracking_number: row.try_get(1)?,
                    carrier: row.try_get(2)?,
                    days: row.try_get(3)?,
                },
            );
        }
        let reservations =
            "SELECT order_id, product_id, quantity, decision, payment, released FROM reservations";
        for row in rows(client, reservations).await? {
            tables.reservations.insert(
                id(&row)?,
                ReservationRow {
                    product: row.try_get(1)?,
                    quantity: row.try_get(2)?,
                    decision: row.try_get(3)?,
                    payment: row.try_get(4)?,
                    released: row.try_get(5)?,
                },
            );
        }
        for row in
            rows(client, "SELECT product_id, current_stock, reserved_stock FROM inventory").await?
        {
            let product: &str = row.try_get(0)?;
            let stock = StockRow { current: row.try_get(1)?, reserved: row.try_get(2)? };
            tables.stock.insert(product.parse().context("the table inventory")?, stock);
        }
        Ok(tables)
    }
}

async fn rows(client: &Client, query: &str) -> anyhow::Result<Vec<Row>> {
    client.query(query, &[]).await.context("the shop's tables")
}

fn id(row: &Row) -> anyhow::Result<OrderId> {
    Ok(OrderId(row.try_get(0)?))
}
