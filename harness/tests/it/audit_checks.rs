//! Each check against a bug planted in a healthy shop: the right one must catch it and name the order.

use std::collections::BTreeSet;

use contract::events::{Event, EventType};
use contract::http::ChargeOutcome;
use contract::ids::ProductId;
use contract::money::Cents;
use contract::order::OrderStatus;
use contract::topics::{Topic, header};
use doorbuster::audit::journal::{Outcome, ViolationEntry};
use doorbuster::audit::{AuditReport, Evidence, audit};

use crate::draft::{PARTITIONS, REJECTED, SHIPPED, Shop, UNPAID, at, draft, id, key, names};

/// Plants one bug and demands that `check` fails, naming `order` where the bug has one.
pub(crate) fn caught(
    check: &str,
    order: impl Into<Option<usize>>,
    plant: impl FnOnce(&mut Shop),
) -> AuditReport {
    let mut shop = Shop::healthy();
    plant(&mut shop);
    let report = shop.audit();
    let found = report.check(check).unwrap_or_else(|| panic!("{check} was not listed"));
    assert!(!found.passed, "{check} did not notice");
    assert!(found.violations > 0, "{check} failed only for want of something to look at");
    if let Some(order) = order.into() {
        let wanted = id(order).to_string();
        let example = found.examples.iter().find(|e| e.order_id.as_deref() == Some(&wanted));
        let example = example.unwrap_or_else(|| panic!("{check} does not name {wanted}"));
        assert!(!example.timeline.is_empty(), "{check} prints no timeline");
    }
    assert!(!report.passed());
    report
}

#[test]
fn a_healthy_shop_passes_every_check() {
    let report = Shop::healthy().audit();
    assert_eq!(report.checks.len(), names().len(), "every check is listed");
    assert!(report.passed(), "{:#?}", report.lines());
    assert_eq!((report.orders, report.ended), (12, 12));
    assert_eq!(BTreeSet::from_iter(names()).len(), names().len(), "names are unique");
}

#[test]
fn a_check_that_looked_at_nothing_fails() {
    let evidence = Evidence { journal: Some(Default::default()), ..Evidence::default() };
    let report = audit(&evidence);
    assert!(!report.passed());
    assert!(report.checks.iter().all(|check| !check.passed && check.violations == 0));
    assert!(report.check("gateway-ledger").is_none(), "a shop without a gateway has no ledger");
}

#[test]
fn an_accepted_order_that_was_lost() {
    caught("accepted-orders", SHIPPED, |shop| shop.records.retain(|d| d.event.order_id() != id(0)));
}

#[test]
fn an_accepted_order_with_other_content() {
    caught("accepted-orders", SHIPPED, |shop| shop.requests[SHIPPED].quantity = 3);
    caught("accepted-orders", REJECTED, |shop| {
        shop.requests[REJECTED].product_id = ProductId::Product3;
    });
}

#[test]
fn an_accepted_order_under_another_id() {
    caught("accepted-orders", 7, |shop| shop.requests[SHIPPED].order_id = Some(id(7)));
}

#[test]
fn one_request_that_became_two_orders() {
    let twice = |shop: &mut Shop| {
        let mut second = draft(77, EventType::OrderCreated, 5);
        let Event::Order(event) = &mut second.event else { panic!("not an order") };
        event.request_id = Some(key(SHIPPED));
        shop.records.push(second);
    };
    caught("accepted-orders", SHIPPED, twice);
    caught("unaccepted-requests", SHIPPED, |shop| {
        twice(shop);
        shop.requests[SHIPPED].outcome = Outcome::Unknown;
    });
}

#[test]
fn a_refused_request_that_left_an_order() {
    caught("unaccepted-requests", UNPAID, |shop| {
        shop.requests[UNPAID].outcome = Outcome::Refused;
        shop.requests[UNPAID].status = Some(429);
    });
}

#[test]
fn an_unanswered_request_may_be_in_the_log_once_or_not_at_all() {
    let mut shop = Shop::healthy();
    shop.requests[SHIPPED].outcome = Outcome::Unknown;
    shop.requests[SHIPPED].order_id = None;
    let mut lost = shop.requests[REJECTED].clone();
    (lost.key, lost.outcome, lost.socket) = ("never-arrived".into(), Outcome::Unknown, None);
    shop.requests.push(lost);
    let report = shop.audit();
    assert!(report.passed(), "{:#?}", report.lines());
}

#[test]
fn an_order_that_nobody_asked_for() {
    caught("no-phantoms", UNPAID, |shop| drop(shop.requests.remove(UNPAID)));
    caught("no-phantoms", SHIPPED, |shop| {
        let created = shop.record(SHIPPED, EventType::OrderCreated);
        let Event::Order(event) = &mut created.event else { panic!("not an order") };
        event.request_id = None;
    });
}

#[test]
fn an_order_that_hangs() {
    caught("orders-end", SHIPPED, |shop| shop.remove(SHIPPED, EventType::Shipped));
    caught("orders-end", REJECTED, |shop| shop.remove(REJECTED, EventType::NotificationSent));
    caught("orders-end", UNPAID, |shop| shop.remove(UNPAID, EventType::InventoryReleased));
}

#[test]
fn an_event_without_its_cause() {
    for missing in [EventType::OrderCreated, EventType::InventoryConfirmed] {
        caught("legal-paths", SHIPPED, |shop| shop.remove(SHIPPED, missing));
    }
    caught("legal-paths", UNPAID, |shop| shop.remove(UNPAID, EventType::PaymentFailed));
}

#[test]
fn outcomes_that_exclude_each_other() {
    caught("exclusive-outcomes", SHIPPED, |shop| {
        shop.records.push(draft(SHIPPED, EventType::InventoryReleased, 900));
    });
    caught("exclusive-outcomes", UNPAID, |shop| {
        shop.records.push(draft(UNPAID, EventType::Shipped, 900));
    });
    caught("exclusive-outcomes", REJECTED, |shop| {
        shop.records.push(draft(REJECTED, EventType::PaymentCompleted, 900));
    });
}

#[test]
fn a_step_decided_in_two_places() {
    caught("effects-once", SHIPPED, |shop| {
        let mut second = draft(SHIPPED, EventType::Shipped, 900);
        second.partition = (second.partition + 1) % PARTITIONS;
        shop.undisturbed = false;
        shop.records.push(second);
    });
}

#[test]
fn a_second_decision_needs_a_lost_process_and_a_repeat_does_not() {
    let decided_twice = |shop: &mut Shop| {
        shop.records.push(draft(SHIPPED, EventType::PaymentFailed, 900));
    };
    caught("effects-once", SHIPPED, decided_twice);

    let mut shop = Shop::healthy();
    decided_twice(&mut shop);
    shop.undisturbed = false;
    let again = shop.record(SHIPPED, EventType::Shipped).clone();
    shop.records.push(again);
    let report = shop.audit();
    assert!(report.passed(), "{:#?}", report.lines());
    assert_eq!((report.lost_races, report.repeats), (1, 1));
}

#[test]
fn an_event_about_something_else() {
    caught("same-content", UNPAID, |shop| {
        let released = shop.record(UNPAID, EventType::InventoryReleased);
        let Event::Inventory(event) = &mut released.event else { panic!("not inventory") };
        event.quantity = 1;
    });
}

#[test]
fn a_wrong_amount() {
    let cent_more = |shop: &mut Shop| {
        let paid = shop.record(SHIPPED, EventType::PaymentCompleted);
        let Event::Payment(event) = &mut paid.event else { panic!("not a payment") };
        event.amount = event.amount + Cents(1);
    };
    caught("amounts", SHIPPED, cent_more);
    caught("money-adds-up", None, cent_more);
    caught("gateway-ledger", SHIPPED, |shop| shop.charges[0].amount = Cents(1));
}

#[test]
fn money_taken_twice_or_for_nothing_or_not_at_all() {
    caught("gateway-ledger", SHIPPED, |shop| shop.charges[0].captures = 2);
    caught("gateway-ledger", SHIPPED, |shop| {
        shop.charges.retain(|charge| charge.order_id != id(SHIPPED));
    });
    caught("gateway-ledger", UNPAID, |shop| {
        let charge = shop.charges.iter_mut().find(|charge| charge.order_id == id(UNPAID)).unwrap();
        (charge.outcome, charge.captures) = (ChargeOutcome::Captured, 1);
    });
    caught("gateway-ledger", SHIPPED, |shop| shop.charges.push(shop.charges[0].clone()));
    caught("money-adds-up", None, |shop| shop.charges[0].captures = 2);
}

#[test]
fn tracking_numbers_shared_or_misshapen() {
    let number = |shop: &mut Shop, number: &str| {
        let shipped = shop.record(SHIPPED, EventType::Shipped);
        let Event::Shipping(event) = &mut shipped.event else { panic!("not shipping") };
        event.tracking_number = number.into();
    };
    caught("tracking-numbers", 3, |shop| number(shop, "TRK00000003"));
    caught("tracking-numbers", SHIPPED, |shop| number(shop, "TRK123"));
    caught("tracking-numbers", SHIPPED, |shop| number(shop, "TRK0000000G"));
}

#[test]
fn an_effect_older_than_its_cause() {
    caught("causes-first", SHIPPED, |shop| {
        shop.record(SHIPPED, EventType::PaymentCompleted).at = at(-50);
    });
    caught("causes-first", REJECTED, |shop| {
        let stamp = at(-50).to_rfc3339().into_bytes();
        let sent = shop.record(REJECTED, EventType::NotificationSent);
        sent.headers.insert(header::TIMESTAMP.into(), stamp);
    });
}

#[test]
fn a_record_in_the_wrong_place() {
    caught("partitions", SHIPPED, |shop| {
        let shipped = shop.record(SHIPPED, EventType::Shipped);
        shipped.partition = (shipped.partition + 1) % PARTITIONS;
    });
    caught("partitions", UNPAID, |shop| {
        shop.record(UNPAID, EventType::PaymentFailed).topic = Topic::Inventory;
    });
    caught("partitions", REJECTED, |shop| {
        shop.record(REJECTED, EventType::InventoryRejected).key = "somebody-else".into();
    });
}

#[test]
fn headers_missing_or_wrong() {
    for name in
        [header::EVENT_TYPE, header::EVENT_VERSION, header::PRODUCER_SERVICE, header::TIMESTAMP]
    {
        caught("headers", SHIPPED, |shop| {
            shop.record(SHIPPED, EventType::PaymentCompleted).headers.remove(name);
        });
    }
    caught("headers", SHIPPED, |shop| {
        let shipped = shop.record(SHIPPED, EventType::Shipped);
        shipped.headers.insert(header::PRODUCER_SERVICE.into(), b"order-service".to_vec());
    });
}

#[test]
fn records_that_nobody_can_read() {
    caught("no-dead-letters", None, |shop| shop.values.push((Topic::Payment, b"{".to_vec())));
    caught("no-dead-letters", None, |shop| {
        let letter = "from payment/0 offset 7: not an event".to_owned();
        shop.dead_letters.insert("payment.dead-letter".into(), vec![letter]);
    });
}

#[test]
fn a_group_that_has_not_read_all_or_skipped_something() {
    let place = ("shipping-service", Topic::Payment);
    type Edit = fn(&mut i64);
    let edits: [Edit; 2] = [|offset| *offset -= 1, |offset| *offset += 1];
    for edit in edits {
        caught("no-lag", None, |shop| {
            shop.edit_commits = Box::new(move |commits| {
                let mut commits = commits.0.iter_mut();
                let found = commits.find(|((group, topic, _), _)| (*group, *topic) == place);
                edit(found.expect("shipping reads payments").1);
            });
        });
    }
    caught("no-lag", None, |shop| {
        shop.edit_commits = Box::new(move |commits| {
            commits.0.retain(|(group, topic, _), _| (*group, *topic) != place);
        });
    });
}

#[test]
fn sockets_that_did_not_tell_all() {
    let events = |shop: &mut Shop, order: usize, edit: &dyn Fn(&mut Vec<EventType>)| {
        edit(&mut shop.requests[order].socket.as_mut().unwrap().events);
    };
    caught("sockets", SHIPPED, |shop| events(shop, SHIPPED, &|seen| seen.truncate(4)));
    caught("sockets", SHIPPED, |shop| events(shop, SHIPPED, &|seen| seen.swap(1, 2)));
    caught("sockets", UNPAID, |shop| events(shop, UNPAID, &|seen| seen.push(EventType::Shipped)));
    caught("sockets", REJECTED, |shop| {
        events(shop, REJECTED, &|seen| seen[2] = EventType::OrderCreated);
    });
    caught("sockets", REJECTED, |shop| {
        let socket = shop.requests[REJECTED].socket.as_mut().unwrap();
        socket.violations.push("frame 2 has fewer events than frame 1".into());
    });
}

#[test]
fn shipping_and_notification_may_be_seen_in_either_order() {
    let mut shop = Shop::healthy();
    shop.requests[SHIPPED].socket.as_mut().unwrap().events.swap(3, 4);
    let report = shop.audit();
    assert!(report.passed(), "{:#?}", report.lines());
}

#[test]
fn a_phase_that_expects_sockets_and_sees_none_fails() {
    let mut shop = Shop::healthy();
    shop.requests.iter_mut().for_each(|request| request.socket = None);
    let report = shop.audit();
    let sockets = report.check("sockets").unwrap();
    assert!(!sockets.passed && sockets.violations == 0);
}

#[test]
fn a_status_view_that_differs_from_the_log() {
    type Edit = fn(&mut contract::order::Order);
    let edits: [Edit; 6] = [
        |view| view.status = OrderStatus::PaymentCompleted,
        |view| drop(view.events.pop()),
        |view| view.tracking_number = Some("TRKffffffff".into()),
        |view| view.events[1].data.push(' '),
        |view| view.events[2].timestamp = at(77),
        |view| view.events[2].event_id = view.events[1].event_id,
    ];
    for edit in edits {
        caught("status-view", SHIPPED, |shop| {
            shop.edit_views = Box::new(move |views| edit(&mut views.orders[SHIPPED]));
        });
    }
    caught("status-view", REJECTED, |shop| {
        shop.edit_views = Box::new(|views| {
            views.failures.push((id(REJECTED), "answers 404 Not Found".into()));
        });
    });
}

#[test]
fn something_a_client_saw() {
    caught("clients", UNPAID, |shop| {
        let violation = "200, then 404".to_owned();
        shop.journal
            .sightings
            .push(ViolationEntry { violation: violation.into(), order_id: Some(id(UNPAID)) });
    });
}

#[test]
fn every_check_of_the_register_has_a_bug_that_it_catches() {
    // The tests above, by name: a check that is added without one fails here.
    let source = concat!(
        include_str!("audit_checks.rs"),
        include_str!("stock_checks.rs"),
        include_str!("table_checks.rs")
    );
    let untested: Vec<_> = names()
        .into_iter()
        .filter(|name| !source.contains(&format!("caught(\"{name}\"")))
        .collect();
    assert!(untested.is_empty(), "no planted bug for {untested:?}");
}
