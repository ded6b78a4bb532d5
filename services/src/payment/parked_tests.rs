use contract::Timestamp;
use contract::ids::ProductId;

use super::*;

const SETTINGS: ParkedSettings =
    ParkedSettings { pause: Duration::from_secs(15), quiet: Duration::from_secs(30) };

fn due(name: &str) -> Due {
    Due {
        order_id: OrderId::for_idempotency_key(name),
        product_id: ProductId::Product2,
        quantity: 3,
        since: Timestamp::from_timestamp_millis(0).unwrap(),
        trace: None,
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn parked(names: &[&str]) -> Parked<()> {
    let mut parked = Parked::new(SETTINGS);
    for name in names {
        parked.park(due(name), Tried::NEVER, seconds(0), ());
    }
    parked
}

#[test]
fn each_is_asked_about_after_a_pause_and_again_after_the_next() {
    let mut parked = parked(&["a", "b"]);
    let [a, b] = ["a", "b"].map(|name| due(name).order_id);
    assert_eq!(parked.next_due(seconds(14)), None);
    assert_eq!([parked.next_due(seconds(15)), parked.next_due(seconds(15))], [Some(a), Some(b)]);
    assert_eq!(parked.next_due(seconds(15)), None);
    assert_eq!(parked.answered(a, Outcome::Failed, seconds(15), seconds(16)), None);
    assert_eq!(parked.next_due(seconds(30)), None);
    assert_eq!(parked.next_due(seconds(31)), Some(a), "and b still has no answer");
}

#[test]
fn a_definite_answer_settles_and_no_such_charge_is_one_when_none_can_be_on_its_way() {
    let ask = |outcome, at| {
        let mut parked = parked(&["a"]);
        parked.answered(due("a").order_id, outcome, seconds(at), seconds(at))
    };
    assert_eq!(ask(Outcome::Captured, 1), Some((due("a"), Settled::Paid)));
    let declined = ask(Outcome::Declined("no funds".into()), 1);
    assert_eq!(declined, Some((due("a"), Settled::NotPaid("no funds".into()))));
    assert_eq!(ask(Outcome::NotFound, 29), None);
    let never = ask(Outcome::NotFound, 30);
    assert_eq!(never, Some((due("a"), Settled::NotPaid(GATEWAY_DOWN.into()))));
    for unclear in [Outcome::Unknown, Outcome::Failed, Outcome::NeverSent] {
        assert_eq!(ask(unclear, 1_000), None);
    }
}

#[test]
fn what_is_on_its_way_into_the_log_is_not_settled_twice() {
    let mut parked = parked(&["a"]);
    let a = due("a").order_id;
    assert_eq!(parked.next_due(seconds(15)), Some(a));
    assert_eq!(parked.resolve(a), Ok(due("a")));
    assert_eq!(parked.answered(a, Outcome::Captured, seconds(16), seconds(16)), None);
    assert_eq!(parked.resolve(a), Err(Unresolvable::Settling));
    assert!(parked.page(None, 1)[0].settling);
    // The log was out of reach: it is parked as before.
    parked.wait(a, seconds(20));
    assert_eq!(parked.look_into(a), Ok(due("a")));
    assert_eq!(parked.next_due(seconds(35)), Some(a));
    assert_eq!(parked.next_due(seconds(35)), None, "once, however it came to wait");
}

#[test]
fn the_log_ends_it_and_a_contradiction_is_noticed() {
    let mut parked = parked(&["a", "b", "c"]);
    let [a, b, c] = ["a", "b", "c"].map(|name| due(name).order_id);
    parked.resolve(a).unwrap();
    parked.published(a, EventType::PaymentCompleted);
    assert_eq!(parked.look_into(a), Err(Unresolvable::NotParked));
    assert!(!parked.fold(a, EventType::PaymentCompleted));
    parked.resolve(b).unwrap();
    parked.published(b, EventType::PaymentCompleted);
    assert!(parked.fold(b, EventType::PaymentFailed), "another process was first");
    assert!(!parked.fold(c, EventType::PaymentFailed), "another process settled it");
    assert_eq!((parked.len(), parked.next_due(seconds(100))), (0, None));
}

#[test]
fn pages_together_are_the_list() {
    let names = ["a", "b", "c", "d", "e"];
    let mut parked = parked(&names);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = parked.page(after, 2);
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.order_id);
        seen.extend(page.iter().map(|payment| payment.order_id));
    }
    let mut expected = names.map(|name| due(name).order_id).to_vec();
    expected.sort();
    assert_eq!(seen, expected);
    assert_eq!(parked.page(None, 1)[0].amount, due("a").amount());
    parked.clear();
    assert!(parked.page(None, 2).is_empty());
}

#[test]
fn attempts_are_counted_with_what_came_last() {
    let mut tried = Tried::NEVER;
    for outcome in [Outcome::NeverSent, Outcome::Unknown] {
        tried.again(&outcome);
    }
    assert_eq!(tried, Tried { attempts: 2, last: GatewayAnswer::Silent });
}
