//! Payments whose outcome is unknown: pure, time passed in.
//!
//! A parked payment is asked about from time to time and settles itself when the gateway answers
//! definitely. The list is a fold of the log (see [`super::domain::Payments`]), so that it needs no file.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use contract::events::EventType;
use contract::ids::OrderId;
use contract::management::{GatewayAnswer, ParkedPayment};

use super::charge::{GATEWAY_DOWN, Outcome, Settled};
use super::domain::Due;
use crate::kit::first_wins::ByOrder;
use crate::kit::trace::TraceContext;

/// How parked payments are asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParkedSettings {
    /// Pause between two questions about one payment.
    pub(crate) pause: Duration,
    /// How long no charge must have been sent for "no such charge" to be the last word: longer than any
    /// request can be on its way.
    pub(crate) quiet: Duration,
}

/// What is known of the attempts so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) attempts: u32,
    pub(crate) last: GatewayAnswer,
}

impl Tried {
    pub(crate) const NEVER: Self = Self { attempts: 0, last: GatewayAnswer::NotAsked };

    pub(crate) fn again(&mut self, outcome: &Outcome) {
        self.attempts = self.attempts.saturating_add(1);
        self.last = answer(outcome);
    }
}

pub(crate) const fn answer(outcome: &Outcome) -> GatewayAnswer {
    match outcome {
        Outcome::Captured => GatewayAnswer::Captured,
        Outcome::Declined(_) => GatewayAnswer::Declined,
        Outcome::NotFound => GatewayAnswer::NotFound,
        Outcome::Failed => GatewayAnswer::Error,
        Outcome::Unknown => GatewayAnswer::Silent,
        Outcome::NeverSent => GatewayAnswer::Unreachable,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// The gateway is being asked, by itself or by hand.
    Asked,
    /// How it ended is known and on its way into the log.
    Settling,
}

/// One parked payment; `P` is its place among those that there is room for.
#[derive(Debug)]
struct Ticket<P> {
    due: Due,
    tried: Tried,
    /// When the last charge may have been sent.
    quiet_from: Duration,
    stage: Stage,
    /// Stands in the queue: once at most.
    queued: bool,
    _place: P,
}

/// Why a payment cannot be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unresolvable {
    NotParked,
    Settling,
}

/// The parked payments of the assigned partitions.
#[derive(Debug)]
pub(crate) struct Parked<P> {
    settings: ParkedSettings,
    tickets: BTreeMap<OrderId, Ticket<P>>,
    /// When each is asked about next, the soonest first: all wait equally long.
    queue: VecDeque<(Duration, OrderId)>,
    /// Published here, and not yet read back from the log.
    published: ByOrder<EventType>,
}

impl<P> Parked<P> {
    pub(crate) fn new(settings: ParkedSettings) -> Self {
        let (tickets, queue) = (BTreeMap::new(), VecDeque::new());
        Self { settings, tickets, queue, published: ByOrder::default() }
    }

    /// Takes in a payment, the last charge of which may have been sent just now.
    pub(crate) fn park(&mut self, due: Due, tried: Tried, now: Duration, place: P) {
        let stage = Stage::Waiting;
        let ticket = Ticket { due, tried, quiet_from: now, stage, queued: false, _place: place };
        self.tickets.insert(due.order_id, ticket);
        self.enqueue(due.order_id, now);
    }

    /// The next payment to ask about, if one is due.
    pub(crate) fn next_due(&mut self, now: Duration) -> Option<OrderId> {
        while let Some((at, order)) = self.queue.front().copied()
            && at <= now
        {
            self.queue.pop_front();
            let Some(ticket) = self.tickets.get_mut(&order) else { continue };
            ticket.queued = false;
            if ticket.stage == Stage::Waiting {
                ticket.stage = Stage::Asked;
                return Some(order);
            }
            self.enqueue(order, now);
        }
        None
    }

    fn enqueue(&mut self, order: OrderId, now: Duration) {
        if let Some(ticket) = self.tickets.get_mut(&order)
            && !std::mem::replace(&mut ticket.queued, true)
        {
            self.queue.push_back((now + self.settings.pause, order));
        }
    }

    /// What is asked and told about a payment belongs under this.
    pub(crate) fn trace(&self, order: OrderId) -> Option<TraceContext> {
        self.tickets.get(&order).and_then(|ticket| ticket.due.trace)
    }

    /// The gateway answered a question asked at `asked_at`. Some when that is definite: the payment is
    /// [`Stage::Settling`] then, and otherwise waits for the next question.
    pub(crate) fn answered(
        &mut self,
        order: OrderId,
        outcome: Outcome,
        asked_at: Duration,
        now: Duration,
    ) -> Option<(Due, Settled)> {
        let ticket = self.tickets.get_mut(&order)?;
        ticket.tried.again(&outcome);
        if ticket.stage == Stage::Settling {
            return None;
        }
        let settled = definite(outcome, asked_at.saturating_sub(ticket.quiet_from), self.settings);
        match settled {
            Some(settled) => {
                ticket.stage = Stage::Settling;
                Some((ticket.due, settled))
            }
            None => {
                self.wait(order, now);
                None
            }
        }
    }

    /// Somebody wants to resolve a payment by hand, and asks the gateway first.
    ///
    /// # Errors
    /// When there is nothing to resolve.
    pub(crate) fn look_into(&self, order: OrderId) -> Result<Due, Unresolvable> {
        match self.tickets.get(&order) {
            None => Err(Unresolvable::NotParked),
            Some(ticket) if ticket.stage == Stage::Settling => Err(Unresolvable::Settling),
            Some(ticket) => Ok(ticket.due),
        }
    }

    /// What `outcome`, asked for at `asked_at`, definitely says about a payment.
    pub(crate) fn word(
        &self,
        order: OrderId,
        outcome: Outcome,
        asked_at: Duration,
    ) -> Option<Settled> {
        let ticket = self.tickets.get(&order)?;
        definite(outcome, asked_at.saturating_sub(ticket.quiet_from), self.settings)
    }

    /// Somebody said how the payment ended.
    ///
    /// # Errors
    /// When there is nothing to resolve (any more).
    pub(crate) fn resolve(&mut self, order: OrderId) -> Result<Due, Unresolvable> {
        let due = self.look_into(order)?;
        if let Some(ticket) = self.tickets.get_mut(&order) {
            ticket.stage = Stage::Settling;
        }
        Ok(due)
    }

    /// Nothing definite came of it, or the event could not be published: it waits again.
    pub(crate) fn wait(&mut self, order: OrderId, now: Duration) {
        if let Some(ticket) = self.tickets.get_mut(&order) {
            ticket.stage = Stage::Waiting;
            self.enqueue(order, now);
        }
    }

    /// The log has the event.
    pub(crate) fn published(&mut self, order: OrderId, event_type: EventType) {
        if self.tickets.remove(&order).is_some() {
            self.published.insert(order, event_type);
        }
    }

    /// The log says, first, how a payment ended. Whether something else was published here.
    pub(crate) fn fold(&mut self, order: OrderId, event_type: EventType) -> bool {
        self.tickets.remove(&order);
        self.published.remove(&order).is_some_and(|published| published != event_type)
    }

    pub(crate) fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Up to `limit` payments with ids above `after`.
    pub(crate) fn page(&self, after: Option<OrderId>, limit: usize) -> Vec<ParkedPayment> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = self.tickets.range((from, Bound::Unbounded)).take(limit);
        let view = |(order_id, ticket): (&OrderId, &Ticket<P>)| ParkedPayment {
            order_id: *order_id,
            amount: ticket.due.amount(),
            since: ticket.due.since,
            attempts: ticket.tried.attempts,
            last_answer: ticket.tried.last,
            settling: ticket.stage == Stage::Settling,
        };
        page.map(view).collect()
    }

    /// Other partitions are assigned, or none.
    pub(crate) fn clear(&mut self) {
        self.tickets.clear();
        self.queue.clear();
        self.published.clear();
    }
}

/// What an answer proves, when the last charge may have been sent `quiet` before the question.
fn definite(outcome: Outcome, quiet: Duration, settings: ParkedSettings) -> Option<Settled> {
    match outcome {
        Outcome::Captured => Some(Settled::Paid),
        Outcome::Declined(reason) => Some(Settled::NotPaid(reason)),
        Outcome::NotFound if quiet >= settings.quiet => {
            Some(Settled::NotPaid(GATEWAY_DOWN.to_owned()))
        }
        Outcome::NotFound | Outcome::Failed | Outcome::Unknown | Outcome::NeverSent => None,
    }
}

#[cfg(test)]
#[path = "parked_tests.rs"]
mod tests;
