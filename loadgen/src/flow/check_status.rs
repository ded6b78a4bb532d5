//! `check-status`: reads the status of a random order of this shard, live or ended. A 404 before the
//! order's first event has reached the status service is no failure and counted by itself; a 404 after
//! the order has once been shown is a violation.

use std::rc::Rc;

use bytes::Bytes;
use contract::ids::OrderId;
use futures_util::future::LocalBoxFuture;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

use super::context::Context;
use super::history::History;
use super::known_orders::Pick;
use super::params::ReadParams;
use super::request::Asking;
use super::samples::{Check, RequestSamples};
use super::update::Events;
use crate::journal::ViolationEntry;
use crate::metrics::{CounterId, names};
use crate::vu::{Iteration, VirtualUser, Work};

pub(crate) struct CheckStatus(Rc<Reader>);

struct Reader {
    context: Rc<Context>,
    params: ReadParams,
    samples: RequestSamples,
    not_yet: CounterId,
    is_answered: Check,
    is_consistent: Check,
    stays_known: Check,
}

impl CheckStatus {
    pub(crate) fn new(context: Rc<Context>, params: &ReadParams) -> Self {
        Self(Rc::new(Reader {
            params: params.clone(),
            samples: RequestSamples::new(&context, "status", "GET"),
            not_yet: context.registry().counter(names::STATUS_NOT_YET, &context.tags(&[])),
            is_answered: Check::new(&context, "status is answered"),
            is_consistent: Check::new(&context, "status is consistent"),
            stays_known: Check::new(&context, "order stays known"),
            context,
        }))
    }
}

impl Work for CheckStatus {
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

/// A [`contract::order::Order`], borrowed and only as far as it is checked.
#[derive(Deserialize)]
struct StatusBody<'a> {
    order_id: OrderId,
    #[serde(borrow)]
    events: Events<'a>,
}

impl Reader {
    async fn check(&self, iteration: Iteration) {
        let shared = &self.context.shared;
        let pick = shared.orders.borrow().pick(&mut *shared.rng.borrow_mut());
        // Before the first order there is only one nobody has placed: the answer must be 404.
        let order_id = pick.map_or_else(|| OrderId(Uuid::nil()), |pick| pick.order_id);
        let target = &shared.services.status;
        let path = target.path(format_args!("/status/{order_id}"));
        let Ok(request) = Request::get(path).body(Full::<Bytes>::default()) else { return };
        let asking = Asking {
            context: &self.context,
            samples: &self.samples,
            target,
            client: shared.lease(),
            patience: self.params.patience,
            expected: |status| matches!(status, StatusCode::OK | StatusCode::NOT_FOUND),
        };
        let answer = asking.ask(&request, iteration.intended_start).await;
        match (answer.status(), pick) {
            (Some(StatusCode::OK), Some(pick)) => {
                self.is_answered.that(true);
                let body = answer.reply.map(|reply| reply.body).unwrap_or_default();
                self.is_consistent.that(is_consistent(pick, &body));
                shared.orders.borrow_mut().mark_seen(pick);
            }
            (Some(StatusCode::NOT_FOUND), _) => {
                self.context.registry().add(self.not_yet, 1);
                self.judge_absence(pick);
            }
            _ => {
                self.is_answered.that(false);
            }
        }
    }

    fn judge_absence(&self, pick: Option<Pick>) {
        let Some(Pick { order_id, seen, .. }) = pick else { return };
        if !self.stays_known.that(!seen) {
            let violation = "the status service no longer knows an order that it has shown".into();
            let entry = ViolationEntry { violation, order_id: Some(order_id) };
            self.context.shared.note(&entry);
        }
    }
}

/// The order that was asked for, with a history that can be.
fn is_consistent(pick: Pick, body: &[u8]) -> bool {
    serde_json::from_slice::<StatusBody<'_>>(body).is_ok_and(|order| {
        order.order_id == pick.order_id
            && order.events.count() > 0
            && History::default().extend(&order.events, |_, _| {}).is_ok()
    })
}
