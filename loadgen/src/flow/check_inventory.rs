//! `check-inventory`: reads the stock of a random product.

use std::rc::Rc;

use bytes::Bytes;
use contract::http::InventoryItem;
use contract::ids::ProductId;
use futures_util::future::LocalBoxFuture;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use rand::RngExt;

use super::context::Context;
use super::params::InventoryParams;
use super::request::Asking;
use super::samples::{Check, RequestSamples};
use crate::vu::{Iteration, VirtualUser, Work};

pub(crate) struct CheckInventory(Rc<Reader>);

struct Reader {
    context: Rc<Context>,
    params: InventoryParams,
    samples: RequestSamples,
    is_answered: Check,
    is_possible: Check,
}

impl CheckInventory {
    pub(crate) fn new(context: Rc<Context>, params: &InventoryParams) -> Self {
        Self(Rc::new(Reader {
            params: params.clone(),
            samples: RequestSamples::new(&context, "inventory", "GET"),
            is_answered: Check::new(&context, "stock is answered"),
            is_possible: Check::new(&context, "stock is possible"),
            context,
        }))
    }
}

impl Work for CheckInventory {
    fn virtual_user(&self) -> Box<dyn VirtualUser> {
        Box::new(User(Rc::clone(&self.0)))
    }
}

struct User(Rc<Reader>);

impl VirtualUser for User {
    fn run(&mut self, iteration: Iteration) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.0.check(iteration))
    }
}

impl Reader {
    async fn check(&self, iteration: Iteration) {
        let shared = &self.context.shared;
        let place = shared.rng.borrow_mut().random_range(0..self.params.products.len());
        let product = self.params.products.get(place).copied().unwrap_or(ProductId::Product1);
        let target = &shared.services.inventory;
        let path = target.path(format_args!("/inventory/{product}"));
        let Ok(request) = Request::get(path).body(Full::<Bytes>::default()) else { return };
        let asking = Asking {
            context: &self.context,
            samples: &self.samples,
            target,
            client: shared.lease(),
            patience: self.params.patience,
            expected: |status| status == StatusCode::OK,
        };
        let answer = asking.ask(&request, iteration.intended_start).await;
        if self.is_answered.that(answer.status() == Some(StatusCode::OK)) {
            let item = answer
                .reply
                .and_then(|reply| serde_json::from_slice::<InventoryItem>(&reply.body).ok());
            self.is_possible.that(item.is_some_and(|item| {
                item.product_id == product && item.reserved_stock <= item.current_stock
            }));
        }
    }
}
