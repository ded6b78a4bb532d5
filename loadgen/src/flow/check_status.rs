//! `check-status`: reads the status of a random order of this shard, live or ended. A 404 before the
//! order's first event has reached the status service is no failure and counted by itself; a 404 after
//! the same instance has once shown the order is a violation.

use contract::ids::OrderId;
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::context::{Context, Services};
use super::history::History;
use super::known_orders::Pick;
use super::read::Question;
use super::request::Answer;
use super::samples::Check;
use super::update::Events;
use crate::client::instances::Instances;
use crate::journal::ViolationEntry;
use crate::metrics::{CounterId, names};

pub(crate) struct CheckStatus {
    not_yet: CounterId,
    is_answered: Check,
    is_consistent: Check,
    stays_known: Check,
}

impl CheckStatus {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            not_yet: context.registry().counter(names::STATUS_NOT_YET, &context.tags(&[])),
            is_answered: Check::new(context, "status is answered"),
            is_consistent: Check::new(context, "status is consistent"),
            stays_known: Check::new(context, "order stays known"),
        }
    }

    fn judge_absence(&self, context: &Context, pick: Option<Pick>, instance: usize) {
        let Some(pick) = pick else { return };
        if !self.stays_known.that(!pick.is_seen_by(instance)) {
            let violation = "the status service no longer knows an order that it has shown".into();
            let entry = ViolationEntry { violation, order_id: Some(pick.order_id) };
            context.shared.note(&entry);
        }
    }
}

impl Question for CheckStatus {
    type Asked = Option<Pick>;
    const NAME: &'static str = "status";

    fn instances(services: &Services) -> &Instances {
        &services.status
    }

    fn expected(status: StatusCode) -> bool {
        matches!(status, StatusCode::OK | StatusCode::NOT_FOUND)
    }

    fn ask(&self, context: &Context) -> (String, Option<Pick>) {
        let shared = &context.shared;
        let pick = shared.orders.borrow().pick(&mut *shared.rng.borrow_mut());
        // Before the first order there is only one nobody has placed: the answer must be 404.
        let order_id = pick.map_or_else(|| OrderId(Uuid::nil()), |pick| pick.order_id);
        (format!("/status/{order_id}"), pick)
    }

    fn judge(&self, context: &Context, pick: Option<Pick>, answer: Answer) {
        match (answer.status(), pick) {
            (Some(StatusCode::OK), Some(pick)) => {
                self.is_answered.that(true);
                let instance = answer.instance;
                let body = answer.reply.map(|reply| reply.body).unwrap_or_default();
                self.is_consistent.that(is_consistent(pick, &body));
                context.shared.orders.borrow_mut().mark_seen(pick, instance);
            }
            (Some(StatusCode::NOT_FOUND), _) => {
                context.registry().add(self.not_yet, 1);
                self.judge_absence(context, pick, answer.instance);
            }
            _ => {
                self.is_answered.that(false);
            }
        }
    }
}

/// A [`contract::order::Order`], borrowed and only as far as it is checked.
#[derive(Deserialize)]
struct StatusBody<'a> {
    order_id: OrderId,
    #[serde(borrow)]
    events: Events<'a>,
}

/// The order that was asked for, with a history that can be.
fn is_consistent(pick: Pick, body: &[u8]) -> bool {
    serde_json::from_slice::<StatusBody<'_>>(body).is_ok_and(|order| {
        order.order_id == pick.order_id
            && order.events.count() > 0
            && History::default().extend(&order.events, |_, _| {}).is_ok()
    })
}
