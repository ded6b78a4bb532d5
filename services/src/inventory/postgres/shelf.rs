//! The stock as the outside sees it: the table's rows, read at most every few moments however many ask.

use std::time::Duration;

use contract::http::InventoryItem;
use contract::ids::ProductId;
use tokio::sync::Mutex;

use super::tables::read_levels;
use crate::kit::clock::Clock;
use crate::kit::postgres::{Connection, Database, DatabaseError, Work};

/// How old an answer may be. Far below what anybody can tell from the time it travels.
const FRESH_FOR: Duration = Duration::from_millis(20);

/// The table, read for those who ask.
pub(in crate::inventory) struct Shelf {
    database: Database,
    clock: Clock,
    /// One reads, the others wait for what it brings.
    read: Mutex<Option<(Duration, Vec<InventoryItem>)>>,
}

impl Shelf {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock, read: Mutex::new(None) }
    }

    /// # Errors
    /// When the database cannot tell.
    pub(in crate::inventory) async fn item(
        &self,
        product: ProductId,
    ) -> Result<InventoryItem, DatabaseError> {
        let mut read = self.read.lock().await;
        let now = self.clock.monotonic();
        let items = match &*read {
            Some((at, items)) if now.saturating_sub(*at) < FRESH_FOR => items,
            _ => {
                *read = None;
                let items = self.database.read(&mut ReadShelf).await?;
                &read.insert((self.clock.monotonic(), items)).1
            }
        };
        let found = items.iter().find(|item| item.product_id == product);
        found.cloned().ok_or_else(|| {
            DatabaseError::Refused(format!("the table inventory has lost its row of {product}"))
        })
    }
}

struct ReadShelf;

impl Work for ReadShelf {
    type Output = Vec<InventoryItem>;
    const NAME: &'static str = "read-shelf";

    async fn run(&mut self, connection: &Connection) -> Result<Vec<InventoryItem>, DatabaseError> {
        let query = "SELECT product_id, current_stock, reserved_stock, updated_at FROM inventory";
        let statement = connection.prepare_cached(query).await?;
        let mut items = Vec::new();
        for row in connection.query(&statement, &[]).await? {
            let (product_id, levels) = read_levels(&row)?;
            items.push(InventoryItem {
                product_id,
                current_stock: u64::try_from(levels.current).unwrap_or(0),
                reserved_stock: u64::try_from(levels.current - levels.available).unwrap_or(0),
                last_updated: row.try_get(3)?,
            });
        }
        Ok(items)
    }
}
