//! A state that a follower alone feeds: snapshots of it, and replays.

use std::sync::Arc;
use std::time::Duration;

use contract::topics::Topic;
use tracing::warn;

use super::follower::Follower;
use super::replay::{Replacement, Request, Subject};
use super::snapshot::state::Undone;
use super::snapshot::{Content, Cut, Export, Start, State, Unit};
use super::worker::Upkeep;

/// Between two looks at whether there is something to do.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// A state that is shared with those who answer requests.
pub(crate) trait Fed {
    fn with(&self, work: &mut dyn FnMut(&mut dyn State));
    /// Takes the orders of `content`, and of its own those that are newer than `live`.
    fn replace(&self, content: &dyn Content, live: &dyn Content);
    /// Whether snapshots are written of it.
    fn is_kept(&self) -> bool {
        true
    }
}

/// Puts into `state` what the last usable snapshot holds, and follows `topics` from there on. `consumer` is whose
/// lag that is.
pub(crate) async fn begin(
    upkeep: &Upkeep,
    state: &mut dyn State,
    topics: &[Topic],
    consumer: &'static str,
) -> (Follower, Start) {
    let finder = &upkeep.keeper.finder;
    let start = finder.restore(state, [Unit::Whole], |_| Ok(())).await;
    let follower = Follower::start(&finder.log, topics, start.cut.clone());
    (follower.with_lag(consumer), start)
}

/// Everything that stood in the log at the start is in.
pub(crate) fn caught_up(upkeep: &Upkeep, start: &Start, follower: &Follower) {
    upkeep.replays.started(start, follower.records());
}

/// Tells the lag, and writes a snapshot when it is time to: not on the way to the end of the log, where the next one
/// would follow at once.
pub(crate) fn tick(upkeep: &mut Upkeep, fed: &dyn Fed, follower: &Follower, is_caught_up: bool) {
    upkeep.replays.observe_lag(follower.lag());
    let records = follower.records();
    if is_caught_up && fed.is_kept() && upkeep.keeper.is_due(records) {
        upkeep.keeper.write(vec![export(fed, follower)], records);
    }
}

/// Does what a replay asks for. Where the state stands that took the place of the live one, if one did.
pub(crate) async fn serve(
    request: Request,
    upkeep: &mut Upkeep,
    fed: &dyn Fed,
    follower: &Follower,
    ready: bool,
) -> Option<Cut> {
    match request {
        Request::Export(reply) => {
            let mut fresh = None;
            fed.with(&mut |state| fresh = Some(state.fresh()));
            let subject = fresh
                .filter(|_| ready)
                .map(|fresh| Subject { exports: vec![export(fed, follower)], fresh });
            // Whoever asked may have lost patience.
            drop(reply.send(subject));
            None
        }
        Request::Replace(Replacement { exports, live }, reply) => {
            let mut outcome = Ok(());
            let cut = exports.first().map(|export| export.cut.clone());
            for (export, live) in exports.into_iter().zip(live) {
                warn!(unit = ?export.unit, "the state is replaced");
                fed.replace(&*export.content, &*live);
                if fed.is_kept() {
                    let written = upkeep.keeper.replace(export).await;
                    outcome = outcome.and(written.map_err(|error| error.to_string()));
                }
            }
            drop(reply.send(outcome));
            cut
        }
    }
}

fn export(fed: &dyn Fed, follower: &Follower) -> Export {
    let mut content: Option<Arc<dyn Content>> = None;
    fed.with(&mut |state| content = Some(state.lend(Unit::Whole, Undone::default())));
    let content = content.unwrap_or_else(|| Arc::new(Nothing));
    Export { unit: Unit::Whole, cut: follower.read().clone(), content }
}

/// No orders.
struct Nothing;

impl Content for Nothing {
    fn visit(&self, _each: &mut dyn FnMut(contract::ids::OrderId, &[u8])) {}

    fn entry(&self, _order: contract::ids::OrderId, _out: &mut Vec<u8>) {}
}
