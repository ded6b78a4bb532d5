//! Which orders are known and which are on their way to the log. Pure.

use std::collections::HashMap;

use contract::http::CreateOrderRequest;
use contract::ids::OrderId;
use foldhash::fast::RandomState;

use super::known::KnownOrders;

/// What to do with a request for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision<T> {
    /// It stands in the log or in the queue with this content: answer as the first time.
    Repeat,
    /// The id stands for another order.
    Contradiction,
    /// The same order is on its way: wait for its outcome.
    Join(T),
    /// Nobody knows it: publish it.
    Publish(T),
}

/// All orders by id. `T` is a handle on an order on its way, by which others can wait for it.
#[derive(Debug)]
pub(super) struct Orders<T> {
    known: KnownOrders,
    on_their_way: HashMap<OrderId, (CreateOrderRequest, T), RandomState>,
}

impl<T> Default for Orders<T> {
    fn default() -> Self {
        Self { known: KnownOrders::default(), on_their_way: HashMap::default() }
    }
}

impl<T: Clone> Orders<T> {
    /// Decides what to do with a request; `handle` makes a handle when it is to be published.
    pub(super) fn request(
        &mut self,
        order_id: OrderId,
        order: &CreateOrderRequest,
        handle: impl FnOnce() -> T,
    ) -> Decision<T> {
        if let Some(known) = self.known.get(order_id) {
            return if known.is(order) { Decision::Repeat } else { Decision::Contradiction };
        }
        if let Some((other, handle)) = self.on_their_way.get(&order_id) {
            return if other == order {
                Decision::Join(handle.clone())
            } else {
                Decision::Contradiction
            };
        }
        let handle = handle();
        self.on_their_way.insert(order_id, (order.clone(), handle.clone()));
        Decision::Publish(handle)
    }

    /// An order has left: it stands in the log or in the queue when `taken`, else nobody knows.
    pub(super) fn settle(&mut self, order_id: OrderId, taken: bool) {
        if let Some((order, _)) = self.on_their_way.remove(&order_id)
            && taken
        {
            self.known.note(order_id, &order);
        }
    }

    /// An order waits in the queue since before this process began.
    pub(super) fn fold_queued(&mut self, order_id: OrderId, order: &CreateOrderRequest) {
        self.known.note(order_id, order);
    }

    /// Folds one record of the log: the first of an order is the truth, later ones are repeats.
    pub(super) fn fold(&mut self, order_id: OrderId, order: &CreateOrderRequest) {
        self.known.fold(order_id, order);
    }

    /// What is known, for snapshots and replay.
    pub(super) const fn known(&mut self) -> &mut KnownOrders {
        &mut self.known
    }
}

#[cfg(test)]
mod tests {
    use contract::ids::ProductId;

    use super::*;

    fn order(quantity: u32) -> CreateOrderRequest {
        CreateOrderRequest { product_id: ProductId::Product1, quantity }
    }

    fn id() -> OrderId {
        OrderId::for_idempotency_key("key")
    }

    fn ask(orders: &mut Orders<u8>, quantity: u32) -> Decision<u8> {
        orders.request(id(), &order(quantity), || 7)
    }

    #[test]
    fn the_first_request_publishes_and_the_same_one_meanwhile_joins_it() {
        let mut orders = Orders::default();
        assert_eq!(ask(&mut orders, 1), Decision::Publish(7));
        assert_eq!(ask(&mut orders, 1), Decision::Join(7));
        assert_eq!(ask(&mut orders, 2), Decision::Contradiction);
    }

    #[test]
    fn a_published_order_is_answered_again_and_contradicted_never() {
        let mut orders = Orders::default();
        ask(&mut orders, 1);
        orders.settle(id(), true);
        assert_eq!(ask(&mut orders, 1), Decision::Repeat);
        assert_eq!(ask(&mut orders, 2), Decision::Contradiction);
    }

    #[test]
    fn a_failed_order_can_be_tried_again_even_with_another_content() {
        let mut orders = Orders::default();
        ask(&mut orders, 1);
        orders.settle(id(), false);
        assert_eq!(ask(&mut orders, 2), Decision::Publish(7));
    }

    #[test]
    fn an_order_that_failed_for_its_client_and_still_reached_the_log_is_known() {
        let mut orders = Orders::default();
        ask(&mut orders, 1);
        orders.settle(id(), false);
        orders.fold(id(), &order(1));
        assert_eq!(ask(&mut orders, 1), Decision::Repeat);
    }

    #[test]
    fn the_first_record_of_the_log_is_the_truth() {
        let mut orders = Orders::default();
        orders.fold(id(), &order(1));
        orders.fold(id(), &order(2));
        assert_eq!(ask(&mut orders, 1), Decision::Repeat);
    }

    #[test]
    fn a_queued_order_is_known_after_a_restart_and_yields_to_the_log() {
        let mut orders = Orders::default();
        orders.fold_queued(id(), &order(1));
        assert_eq!(ask(&mut orders, 1), Decision::Repeat);
        assert_eq!(ask(&mut orders, 2), Decision::Contradiction);
        orders.fold(id(), &order(2));
        assert_eq!(ask(&mut orders, 2), Decision::Repeat);
    }

    #[test]
    fn the_log_overrules_what_this_process_published() {
        let mut orders = Orders::default();
        ask(&mut orders, 2);
        orders.settle(id(), true);
        orders.fold(id(), &order(1));
        orders.fold(id(), &order(2));
        assert_eq!(ask(&mut orders, 1), Decision::Repeat);
    }
}
