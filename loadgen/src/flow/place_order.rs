//! `place-order`: places an order with an idempotency key, and notes what became of it.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use contract::Timestamp;
use contract::events::QUANTITY;
use contract::http::IDEMPOTENCY_KEY;
use contract::ids::{OrderId, ProductId};
use futures_util::future::LocalBoxFuture;
use http::StatusCode;
use rand::RngExt;
use serde::Deserialize;

use super::context::Context;
use super::params::OrderParams;
use super::request::{Answer, Asking};
use super::samples::{Check, RequestSamples};
use crate::client::request::Request;
use crate::journal::{OrderEntry, Outcome, SocketEntry};
use crate::metrics::{CounterId, names};
use crate::vu::{Iteration, VirtualUser, Work};

pub(crate) struct PlaceOrder(Rc<Buyer>);

impl PlaceOrder {
    pub(crate) fn new(context: Rc<Context>, params: &OrderParams) -> Self {
        Self(Rc::new(Buyer::new(context, params)))
    }
}

impl Work for PlaceOrder {
    fn virtual_user(&self) -> Box<dyn VirtualUser> {
        Box::new(User(Rc::clone(&self.0)))
    }
}

struct User(Rc<Buyer>);

impl VirtualUser for User {
    fn run(&mut self, iteration: Iteration) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            let client = self.0.context.shared.lease();
            self.0.buy(iteration, client).await;
        })
    }
}

/// Places orders: the first half of `watch-order` as well.
pub(crate) struct Buyer {
    pub(crate) context: Rc<Context>,
    params: OrderParams,
    samples: RequestSamples,
    is_created: Check,
    is_what_was_ordered: Check,
    created: CounterId,
    unknown: CounterId,
}

impl Buyer {
    pub(crate) fn new(context: Rc<Context>, params: &OrderParams) -> Self {
        let counter = |name| context.registry().counter(name, &context.tags(&[]));
        Self {
            params: params.clone(),
            samples: RequestSamples::new(&context, "order", "POST"),
            is_created: Check::new(&context, "order is created"),
            is_what_was_ordered: Check::new(&context, "order is what was ordered"),
            created: counter(names::ORDERS_CREATED),
            unknown: counter(names::ORDERS_UNKNOWN),
            context,
        }
    }

    /// Places the iteration's order. The receipt goes into the journal when it is dropped, so also when the
    /// iteration is cut off.
    pub(crate) async fn buy(&self, iteration: Iteration, client: IpAddr) -> Receipt {
        let mut receipt = self.order_form(iteration);
        let OrderEntry { product_id, quantity, key, .. } = &receipt.entry;
        let body = format!(r#"{{"product_id":"{product_id}","quantity":{quantity}}}"#);
        let headers = [("content-type", "application/json"), (IDEMPOTENCY_KEY, key.as_str())];
        let request =
            Request { method: "POST", path: "/order", headers: &headers, body: body.as_bytes() };
        let asking = Asking {
            context: &self.context,
            samples: &self.samples,
            turn: self.context.shared.services.order.turn(),
            client,
            patience: self.params.patience,
            expected: |status| status == StatusCode::CREATED,
        };
        let answer = asking.ask(&request, iteration.intended_start).await;
        self.take_answer(&mut receipt.entry, &answer);
        receipt
    }

    fn order_form(&self, iteration: Iteration) -> Receipt {
        let rng = &mut *self.context.shared.rng.borrow_mut();
        let [least, most] = self.params.quantity;
        let product = rng.random_range(0..self.params.products.len());
        let entry = OrderEntry {
            key: self.context.idempotency_key(iteration.number),
            product_id: self.params.products.get(product).copied().unwrap_or(ProductId::Product1),
            quantity: rng.random_range(least..=most).clamp(*QUANTITY.start(), *QUANTITY.end()),
            // Until there is an answer.
            outcome: Outcome::Unknown,
            order_id: None,
            status: None,
            sent_at: Timestamp::from(SystemTime::now()),
            socket: None,
        };
        Receipt { context: Rc::clone(&self.context), unknown: self.unknown, entry }
    }

    fn take_answer(&self, entry: &mut OrderEntry, answer: &Answer) {
        entry.status = answer.status().map(|status| status.as_u16());
        entry.outcome = Outcome::Refused;
        if answer.in_doubt {
            entry.outcome = Outcome::Unknown;
        }
        let created = answer.status() == Some(StatusCode::CREATED);
        if !self.is_created.that(created) {
            return;
        }
        let order = answer.reply.as_ref().and_then(|reply| read(&reply.body));
        let same = |order: &Created| {
            order.product_id == entry.product_id
                && order.quantity == entry.quantity
                && order.status == "created"
        };
        self.is_what_was_ordered.that(order.as_ref().is_some_and(same));
        entry.outcome = Outcome::Created;
        self.context.registry().add(self.created, 1);
        if let Some(Created { order_id, .. }) = order {
            entry.order_id = Some(order_id);
            self.context.shared.orders.borrow_mut().push(order_id);
        }
    }
}

/// A [`contract::http::CreateOrderResponse`], borrowed.
#[derive(Deserialize)]
struct Created<'a> {
    order_id: OrderId,
    product_id: ProductId,
    quantity: u32,
    status: &'a str,
}

fn read(body: &Bytes) -> Option<Created<'_>> {
    serde_json::from_slice(body).ok()
}

/// An order as its user knows it.
pub(crate) struct Receipt {
    context: Rc<Context>,
    unknown: CounterId,
    entry: OrderEntry,
}

impl Receipt {
    pub(crate) fn order_id(&self) -> Option<OrderId> {
        self.entry.order_id
    }

    /// What was seen at the order's sockets.
    pub(crate) fn socket(&mut self) -> &mut SocketEntry {
        self.entry.socket.get_or_insert_default()
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.entry.outcome == Outcome::Unknown {
            self.context.registry().add(self.unknown, 1);
        }
        self.context.shared.note(&self.entry);
    }
}
