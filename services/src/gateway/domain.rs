//! The ledger: what was asked, what was decided, how often money was taken. Pure.

use std::collections::HashMap;

use contract::http::{Charge, ChargeOutcome, ChargeRequest};
use contract::ids::OrderId;
use contract::money::Cents;
use foldhash::fast::RandomState;

/// What was decided about an order's charge. Decided once.
#[derive(Debug, Clone, Copy)]
struct Decided {
    order_id: OrderId,
    amount: Cents,
    outcome: ChargeOutcome,
    attempts: u32,
    captures: u32,
}

/// Every charge ever decided, in the order of deciding.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    decided: Vec<Decided>,
    index: HashMap<OrderId, usize, RandomState>,
    /// Requests for orders about which nothing is decided yet, since each of them failed before.
    undecided: HashMap<OrderId, u32, RandomState>,
}

/// An order was charged before, with another amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OtherAmount(pub Cents);

impl Ledger {
    /// Counts a request. What was decided before, if anything was: the answer to every repeat.
    ///
    /// # Errors
    /// [`OtherAmount`] when the order was charged with another amount.
    pub(super) fn request(
        &mut self,
        request: &ChargeRequest,
    ) -> Result<Option<Charge>, OtherAmount> {
        let Some(decided) =
            self.index.get(&request.order_id).and_then(|at| self.decided.get_mut(*at))
        else {
            *self.undecided.entry(request.order_id).or_default() += 1;
            return Ok(None);
        };
        decided.attempts = decided.attempts.saturating_add(1);
        if decided.amount != request.amount {
            return Err(OtherAmount(decided.amount));
        }
        Ok(Some(charge(decided)))
    }

    /// Decides a requested charge, and takes the money unless the card is declined. What another
    /// request decided in the meantime stands.
    pub(super) fn decide(&mut self, request: &ChargeRequest, declined: bool) -> Charge {
        if let Some(decided) = self.get(request.order_id) {
            return decided;
        }
        let attempts = self.undecided.remove(&request.order_id).unwrap_or(1);
        let (outcome, captures) =
            if declined { (ChargeOutcome::Declined, 0) } else { (ChargeOutcome::Captured, 1) };
        let decided = Decided {
            order_id: request.order_id,
            amount: request.amount,
            outcome,
            attempts,
            captures,
        };
        self.index.insert(request.order_id, self.decided.len());
        self.decided.push(decided);
        charge(&decided)
    }

    pub(super) fn get(&self, order_id: OrderId) -> Option<Charge> {
        self.index.get(&order_id).and_then(|at| self.decided.get(*at)).map(charge)
    }

    /// Up to `count` charges from the `first` on, in the order of deciding: it only grows at its end.
    pub(super) fn page(&self, first: usize, count: usize) -> impl Iterator<Item = Charge> {
        self.decided.iter().skip(first).take(count).map(charge)
    }
}

fn charge(decided: &Decided) -> Charge {
    let declined = decided.outcome == ChargeOutcome::Declined;
    Charge {
        order_id: decided.order_id,
        amount: decided.amount,
        outcome: decided.outcome,
        reason: declined.then(|| "card declined".to_owned()),
        attempts: decided.attempts,
        captures: decided.captures,
    }
}

/// Whether the card of an order is declined: depends on the order, the seed and the rate only, so that a
/// repeat, a restart and another run of the same orders decide alike.
pub(super) fn is_declined(order_id: OrderId, seed: u64, rate: f64) -> bool {
    let (high, low) = order_id.0.as_u64_pair();
    let hash = scramble(scramble(high ^ scramble(seed)) ^ low);
    // The upper 53 bits, as many as a double holds, as a number from 0 up to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let share = (hash >> 11) as f64 / (1_u64 << 53) as f64;
    share < rate
}

/// The finalizer of splitmix64: each bit of the input changes half of the output's.
const fn scramble(input: u64) -> u64 {
    let mut mixed = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: &str, amount: i64) -> ChargeRequest {
        ChargeRequest { order_id: OrderId::for_idempotency_key(key), amount: Cents(amount) }
    }

    #[test]
    fn a_repeat_gets_the_same_answer_and_takes_no_money() {
        let mut ledger = Ledger::default();
        let request = request("a", 2999);
        assert_eq!(ledger.request(&request), Ok(None));
        let first = ledger.decide(&request, false);
        assert_eq!((first.outcome, first.captures), (ChargeOutcome::Captured, 1));
        let again = ledger.request(&request).unwrap().unwrap();
        assert_eq!(again, Charge { attempts: 2, ..first });
        assert_eq!(ledger.get(request.order_id), Some(again));
    }

    #[test]
    fn a_declined_card_stays_declined_and_takes_no_money() {
        let mut ledger = Ledger::default();
        let request = request("a", 2999);
        assert_eq!(ledger.request(&request), Ok(None));
        ledger.decide(&request, true);
        let again = ledger.request(&request).unwrap().unwrap();
        assert_eq!((again.outcome, again.captures), (ChargeOutcome::Declined, 0));
        assert!(again.reason.is_some());
    }

    #[test]
    fn attempts_that_failed_before_the_decision_are_counted_and_no_charge() {
        let mut ledger = Ledger::default();
        let asked = request("a", 2999);
        for _ in 0..3 {
            assert_eq!(ledger.request(&asked), Ok(None));
        }
        assert_eq!(ledger.get(asked.order_id), None);
        assert_eq!(ledger.decide(&asked, false).attempts, 3);
        assert!(ledger.undecided.is_empty());
    }

    #[test]
    fn another_amount_for_the_same_order_is_refused() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.request(&request("a", 2999)), Ok(None));
        ledger.decide(&request("a", 2999), false);
        assert_eq!(ledger.request(&request("a", 1)), Err(OtherAmount(Cents(2999))));
    }

    #[test]
    fn pages_together_are_the_ledger() {
        let mut ledger = Ledger::default();
        for number in 0..10 {
            ledger.decide(&request(&number.to_string(), number), false);
        }
        let paged: Vec<_> = [0, 4, 8].into_iter().flat_map(|first| ledger.page(first, 4)).collect();
        assert_eq!(
            paged.iter().map(|charge| charge.amount.0).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        );
    }

    #[test]
    fn the_share_of_declined_cards_is_the_rate_and_the_seed_chooses_them() {
        let ids: Vec<_> =
            (0..20_000).map(|n| OrderId::for_idempotency_key(&n.to_string())).collect();
        let declined = |seed| ids.iter().filter(move |id| is_declined(**id, seed, 0.1)).count();
        assert!((1850..2150).contains(&declined(1)), "{}", declined(1));
        assert!(ids.iter().any(|id| is_declined(*id, 1, 0.1) != is_declined(*id, 2, 0.1)));
        assert!(ids.iter().all(|id| !is_declined(*id, 1, 0.0) && is_declined(*id, 1, 1.0)));
    }
}
