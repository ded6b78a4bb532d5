//! The payment gateway's ledger: the truth about money, since the gateway is an outside party.

use std::collections::HashMap;

use contract::http::Charge;
use contract::ids::OrderId;

/// Every charge that the gateway knows, by order.
#[derive(Debug, Default)]
pub struct Ledger {
    pub charges: HashMap<OrderId, Charge>,
    /// Orders that stand in the ledger more than once.
    pub repeated: Vec<OrderId>,
}

impl Ledger {
    /// Reads the body of `GET /ledger`: a charge in JSON on each line.
    ///
    /// # Errors
    /// Something in it is no charge.
    pub fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::Deserializer::from_slice(body).into_iter::<Charge>().collect()
    }
}

impl FromIterator<Charge> for Ledger {
    fn from_iter<I: IntoIterator<Item = Charge>>(charges: I) -> Self {
        let mut ledger = Self::default();
        for charge in charges {
            let order_id = charge.order_id;
            if ledger.charges.insert(order_id, charge).is_some() {
                ledger.repeated.push(order_id);
            }
        }
        ledger
    }
}
