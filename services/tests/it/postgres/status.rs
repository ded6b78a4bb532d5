//! The status service on tables: its projection, its restarts, and the database going away.

use contract::events::{Event, EventType};
use contract::ids::OrderId;
use contract::order::{EventPage, Order};
use contract::topics::{DEFAULT_PARTITIONS, Topic, partition_for_key};
use tokio_postgres::Client;

use super::away::database_is;
use super::server::{number, server};
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::{HERE, open, read};
use crate::edge::records::{SAGA, Topics, event};
use crate::pipeline::history::PAUSE;
use crate::pipeline::metrics::until_metric;

/// An event of a saga, with a tracking number of the order's own.
fn of(order: OrderId, event_type: EventType) -> Event {
    let mut event = event(order, event_type);
    if let Event::Shipping(shipping) = &mut event {
        shipping.tracking_number = format!("TRK{}", &order.to_string()[..8]);
    }
    event
}

async fn write(topics: &Topics, order: OrderId, event_types: &[EventType]) {
    for event_type in event_types {
        topics.write(&of(order, *event_type)).await;
    }
}

/// Waits until the tables hold so many events.
async fn events_are(client: &Client, expected: i64) {
    let projected = async {
        while number(client, "SELECT count(*) FROM events").await != expected {
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(DEADLINE, projected).await.is_err() {
        let found = number(client, "SELECT count(*) FROM events").await;
        panic!("{expected} events: never, but {found}");
    }
}

async fn order_is(status: &Service, order: OrderId, events: usize) -> Order {
    let shown = async {
        loop {
            let answer = read(status.address, &format!("/status/{order}")).await;
            if answer.status == 200 && answer.json::<Order>().events.len() == events {
                return answer.json();
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, shown).await.expect("shown in time")
}

fn order(name: &str) -> OrderId {
    OrderId::for_idempotency_key(name)
}

#[tokio::test]
async fn a_restart_shows_old_orders_without_reading_the_log_again() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("restart").await;
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let arguments = ["status", "--database", &url, "--status-limit", "0"];
    let status = Service::on(broker.address(), &arguments).await;
    let [whole, half] = [order("whole"), order("half")];
    write(&topics, whole, &SAGA).await;
    write(&topics, half, &SAGA[..2]).await;
    order_is(&status, whole, 5).await;
    order_is(&status, half, 2).await;
    events_are(&client, 7).await;
    let path = format!("/status/{whole}");
    let before = read(status.address, &path).await.body;
    status.kill().await;

    // The log has deleted its oldest records: what is shown now comes from the tables.
    topics.delete_all().await;
    let status = Service::on(broker.address(), &arguments).await;
    assert_eq!(read(status.address, &path).await.body, before, "the same bytes");
    let mut socket = open(HERE, status.address, &whole.to_string()).await.unwrap();
    let shown: Order = serde_json::from_slice(&before).unwrap();
    assert_eq!(socket.update().await, shown);
    status.kill().await;

    // It goes on in the middle of an order.
    let status = Service::on(broker.address(), &arguments).await;
    write(&topics, half, &SAGA[2..]).await;
    let ended = order_is(&status, half, 5).await;
    assert!(ended.tracking_number.is_some() && ended.payment_amount.is_some());
    events_are(&client, 10).await;
    let shipped = "SELECT count(*) FROM orders JOIN shipments USING (order_id, tracking_number) \
                   WHERE status = 'shipped' AND ended AND payment_amount = 149.97";
    assert_eq!(number(&client, shipped).await, 2);
}

#[tokio::test]
async fn orders_that_have_left_memory_are_read_from_the_tables() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("retired").await;
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let arguments = ["status", "--database", &url, "--status-limit", "0", "--recent-orders", "0"];
    let status = Service::on(broker.address(), &arguments).await;
    let orders: Vec<OrderId> = (0..30).map(|n| order(&format!("retired-{n}"))).collect();
    for order in &orders {
        write(&topics, *order, &SAGA).await;
    }
    let open_order = order("open");
    write(&topics, open_order, &SAGA[..3]).await;
    until_metric(&status, "orders_retired_total", |it| it >= 30.0).await;
    for order in &orders {
        order_is(&status, *order, 5).await;
    }
    // A repeat changes nothing, and a socket is shown all of it.
    write(&topics, orders[3], &SAGA).await;
    let mut socket = open(HERE, status.address, &orders[3].to_string()).await.unwrap();
    assert_eq!(socket.update().await.events.len(), 5);
    write(&topics, open_order, &SAGA[3..]).await;
    order_is(&status, open_order, 5).await;
    events_are(&client, 155).await;
}

#[tokio::test]
async fn tables_of_another_log_are_refused_and_left_alone() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("another").await;
    let before = sim::Broker::start().unwrap();
    let arguments = ["status", "--database", &url, "--status-limit", "0"];
    let status = Service::on(before.address(), &arguments).await;
    write(&Topics::at(before.address()).await, order("before"), &SAGA).await;
    events_are(&client, 5).await;
    status.kill().await;

    // One whose topics are empty, and one with another order's records at the same offsets.
    for (reason, other_order) in [("has no record at offset", false), ("has another record", true)]
    {
        let other = sim::Broker::start().unwrap();
        let _makes_the_topics = Service::on(other.address(), &["status"]).await;
        if other_order {
            let topics = Topics::at(other.address()).await;
            let place = |name: &str| {
                partition_for_key(order(name).to_string().as_bytes(), DEFAULT_PARTITIONS)
            };
            let names = (0..).map(|number| format!("after-{number}"));
            let name = names.into_iter().find(|name| place(name) == place("before")).unwrap();
            write(&topics, order(&name), &SAGA).await;
        }
        let kafka = other.address().to_string();
        let arguments = [&arguments[..], &["--kafka", &kafka, "--port", "0"]].concat();
        let (message, status) = Service::fail(&arguments).await;
        assert_eq!(status.code(), Some(104));
        assert!(message.contains(reason) && message.contains("--database"), "{message}");
        assert_eq!(number(&client, "SELECT count(*) FROM events").await, 5);
    }
}

#[tokio::test]
async fn instances_write_one_projection_whatever_comes_first() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("shared").await;
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let open = async |instance: &str| {
        let arguments = ["status", "--instance", instance, "--database", &url];
        Service::on(broker.address(), &arguments).await
    };
    let (first, second) = tokio::join!(open("1"), open("2"));
    let orders: Vec<OrderId> = (0..40).map(|n| order(&format!("shared-{n}"))).collect();
    // Effects before their causes, repeats, and second decisions that lost.
    for event_type in SAGA.into_iter().rev() {
        topics.write_all(orders.iter().map(|order| of(*order, event_type))).await;
    }
    topics.write_all(orders.iter().map(|order| of(*order, EventType::PaymentFailed))).await;
    topics.write_all(orders.iter().map(|order| of(*order, EventType::OrderCreated))).await;
    events_are(&client, 200).await;
    for (status, id) in [(&first, orders[0]), (&second, orders[39])] {
        let seen = order_is(status, id, 5).await;
        assert_eq!(seen.status, contract::order::OrderStatus::Shipped);
    }
    let end = async {
        let moved = "SELECT sum(next_offset)::bigint FROM status_offsets";
        while number(&client, moved).await != 280 {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, end).await.expect("all is projected in time");
    events_are(&client, 200).await;
    let shipped = "SELECT count(*) FROM orders WHERE status = 'shipped' AND ended";
    assert_eq!(number(&client, shipped).await, 40);
    let lost = "SELECT count(*) FROM events WHERE event_type = 'PaymentFailed'";
    assert_eq!(number(&client, lost).await, 0);
}

#[tokio::test]
async fn memory_goes_on_while_the_database_is_away_and_the_tables_catch_up() {
    let Some(mut server) = server().await else { return };
    let (url, client) = server.schema("catch_up").await;
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let arguments = ["status", "--database", &url, "--status-limit", "0"];
    let status = Service::on(broker.address(), &arguments).await;
    let known = order("known");
    write(&topics, known, &SAGA[..1]).await;
    order_is(&status, known, 1).await;
    events_are(&client, 1).await;
    server.down();
    database_is(&status, "disconnected").await;
    assert_eq!(read(status.address, "/ready").await.status, 503);
    write(&topics, known, &SAGA[1..]).await;
    order_is(&status, known, 5).await;
    let refused = read(status.address, &format!("/status/{}", order("old"))).await;
    assert!(refused.error(503).error.contains("database"));
    assert!(refused.number("retry-after") > 0);

    server.up().await;
    database_is(&status, "connected").await;
    let (_, client) = server.schema("unused").await;
    client.batch_execute("SET search_path = catch_up").await.unwrap();
    events_are(&client, 5).await;
    read(status.address, &format!("/status/{}", order("old"))).await.error(404);
}

#[tokio::test]
async fn strange_events_hold_nothing_up() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("strange").await;
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let status = Service::on(broker.address(), &["status", "--database", &url]).await;
    let [nul, long, good] = [order("nul"), order("long"), order("good")];
    let created = of(nul, EventType::OrderCreated);
    let mut value: serde_json::Value = serde_json::from_slice(&created.encode()).unwrap();
    value["request_id"] = "a\0b".into();
    topics.write_value(&created, value.to_string().into_bytes()).await;
    let mut shipped = of(long, EventType::Shipped);
    let Event::Shipping(shipping) = &mut shipped else { panic!("not shipped") };
    shipping.tracking_number = "T".repeat(100);
    topics.write(&shipped).await;
    write(&topics, good, &SAGA).await;
    order_is(&status, good, 5).await;
    // One created, five of the good order; the one that does not fit is counted instead.
    events_are(&client, 6).await;
    let metrics = read(status.management.unwrap(), "/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let set_aside = format!("projection_set_aside_total{{topic=\"{}\"}} 1", Topic::Shipping.name());
    assert!(metrics.contains(&set_aside), "{metrics}");
}

#[tokio::test]
async fn events_come_in_pages_with_and_without_a_database() {
    let broker = sim::Broker::start().unwrap();
    let topics = Topics::at(broker.address()).await;
    let status = Service::on(broker.address(), &["status", "--status-limit", "0"]).await;
    let whole = order("pages");
    write(&topics, whole, &SAGA).await;
    let shown = order_is(&status, whole, 5).await;
    let (mut path, mut events) = (format!("/status/{whole}/events?limit=2"), Vec::new());
    let mut pages = 0;
    loop {
        let page: EventPage = read(status.address, &path).await.json();
        events.extend(page.events);
        pages += 1;
        let Some(next) = page.next else { break };
        path = format!("/status/{whole}/events?limit=2&after={next}");
    }
    assert_eq!((pages, &events), (3, &shown.events));
    for (wrong, code) in [
        (format!("/status/{whole}/events?limit=0"), 400),
        (format!("/status/{whole}/events?after={whole}"), 400),
        (format!("/status/{whole}/events?page=2"), 400),
        ("/status/nothing/events".to_owned(), 400),
        (format!("/status/{}/events", order("nobody")), 404),
    ] {
        read(status.address, &wrong).await.error(code);
    }
}
