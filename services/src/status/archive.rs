//! Where orders are read from that have left memory.

use std::sync::Arc;

use contract::ids::OrderId;

use super::kept::{self, PastFile};
use super::postgres;
use super::view::{Past, SharedView};
use crate::kit::http::ApiError;

/// Cheap to clone.
#[derive(Clone)]
pub(super) enum Archive {
    Tables(postgres::Archive),
    File(Arc<PastFile>),
    /// All orders stay in memory.
    Nowhere,
}

impl Archive {
    /// Everything that is known of an order which is not in memory; nothing when it is not known.
    ///
    /// # Errors
    /// When the database or the file cannot tell.
    pub(super) async fn read(
        &self,
        view: &SharedView,
        order: OrderId,
    ) -> Result<Vec<Past>, ApiError> {
        match self {
            Self::Tables(tables) => Ok(tables.read(order).await?),
            Self::File(file) => {
                let Some(place) = view.lock().place(order) else { return Ok(Vec::new()) };
                let file = Arc::clone(file);
                let read = tokio::task::spawn_blocking(move || kept::read(&file, order, place));
                read.await.map_err(std::io::Error::other).flatten().map_err(|error| {
                    tracing::error!(%order, %error, "an order that has ended cannot be read");
                    ApiError::internal(
                        "the order cannot be read",
                        "this instance's file is damaged or cannot be read",
                    )
                })
            }
            Self::Nowhere => Ok(Vec::new()),
        }
    }
}
