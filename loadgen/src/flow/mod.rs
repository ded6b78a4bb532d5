//! What virtual users do: with the shop, and with any other service.
//!
//! | flow | an iteration |
//! |---|---|
//! | `place_order` | places an order |
//! | `watch_order` | places an order and watches it live until it has ended, and longer |
//! | `check_status` | reads the status of an order that some user of this shard placed |
//! | `check_inventory` | reads a product's stock |
//! | `http` | asks any service, in steps that the scenario describes |
//! | `websocket` | talks to any service over a socket, in steps likewise |
//! | `kafka_pipe` | produces a batch of messages, every one of which must come back |

mod address;
mod check_inventory;
mod check_status;
pub(crate) mod context;
mod expect;
mod history;
mod http;
mod json_place;
mod kafka_pipe;
mod known_orders;
mod numbers;
mod order_samples;
mod params;
mod place_order;
mod read;
mod request;
mod samples;
pub(crate) mod shop_urls;
mod socket_samples;
mod template;
mod update;
mod watch_order;
mod websocket;

use std::rc::Rc;

pub use self::http::{Body, HttpParams, HttpStep, Once};
pub use context::Targets;
pub use expect::{Capture, Demands};
pub use params::{
    Flow, InventoryParams, NAMES, Needs, OrderParams, Patience, PipeParams, ReadParams, WatchParams,
};

pub use websocket::{Act, SocketStep, WebsocketParams};

use crate::vu::Work;
use context::Context;

/// Values that were captured before the load began, with their names.
pub type Given = Vec<(String, String)>;

impl Flow {
    /// The work of a scenario's virtual users.
    ///
    /// # Errors
    /// Something that the flow looks up is not there.
    pub(crate) fn work(&self, context: Context) -> anyhow::Result<Rc<dyn Work>> {
        let context = Rc::new(context);
        Ok(match self {
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
            Self::Http(params) => Rc::new(http::Http::new(context, params)?),
            Self::Websocket(params) => Rc::new(websocket::Websocket::new(context, params)?),
        })
    }
}
