//! What virtual users do with the shop.
//!
//! | flow | an iteration |
//! |---|---|
//! | `place_order` | places an order |
//! | `watch_order` | places an order and watches it live until it has ended, and longer |
//! | `check_status` | reads the status of an order that some user of this shard placed |
//! | `check_inventory` | reads a product's stock |
//! | `kafka_pipe` | produces a batch of messages, every one of which must come back |

mod check_inventory;
mod check_status;
pub(crate) mod context;
mod history;
mod kafka_pipe;
mod known_orders;
mod params;
mod place_order;
mod read;
mod request;
mod samples;
mod socket_samples;
mod update;
mod watch_order;

use std::rc::Rc;

pub use context::Targets;
pub use params::{
    Flow, InventoryParams, OrderParams, Patience, PipeParams, ReadParams, WatchParams,
};

use crate::vu::Work;
use context::Context;

impl Flow {
    /// The work of a scenario's virtual users.
    pub(crate) fn work(&self, context: Context) -> Rc<dyn Work> {
        let context = Rc::new(context);
        match self {
            Self::PlaceOrder(params) => Rc::new(place_order::PlaceOrder::new(context, params)),
            Self::WatchOrder(params) => Rc::new(watch_order::WatchOrder::new(context, params)),
            Self::CheckStatus(params) => {
                let question = check_status::CheckStatus::new(&context);
                Rc::new(read::Reads::new(context, params.patience, question))
            }
            Self::CheckInventory(params) => {
                let question = check_inventory::CheckInventory::new(&context, &params.products);
                Rc::new(read::Reads::new(context, params.patience, question))
            }
            Self::KafkaPipe(params) => Rc::new(kafka_pipe::KafkaPipe::new(context, params)),
        }
    }
}
