//! `check-inventory`: reads the stock of a random product.

use contract::http::InventoryItem;
use contract::ids::ProductId;
use http::StatusCode;
use rand::RngExt;

use super::context::{Context, Services};
use super::read::Question;
use super::request::Answer;
use super::samples::Check;
use crate::client::instances::Instances;

pub(crate) struct CheckInventory {
    products: Vec<ProductId>,
    is_answered: Check,
    is_possible: Check,
}

impl CheckInventory {
    pub(crate) fn new(context: &Context, products: &[ProductId]) -> Self {
        Self {
            products: products.to_vec(),
            is_answered: Check::new(context, "stock is answered"),
            is_possible: Check::new(context, "stock is possible"),
        }
    }
}

impl Question for CheckInventory {
    type Asked = ProductId;
    const NAME: &'static str = "inventory";

    fn instances(services: &Services) -> &Instances {
        &services.inventory
    }

    fn expected(status: StatusCode) -> bool {
        status == StatusCode::OK
    }

    fn ask(&self, context: &Context) -> (String, ProductId) {
        let place = context.shared.rng.borrow_mut().random_range(0..self.products.len());
        let product = self.products.get(place).copied().unwrap_or(ProductId::Product1);
        (format!("/inventory/{product}"), product)
    }

    fn judge(&self, _context: &Context, product: ProductId, answer: Answer) {
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
