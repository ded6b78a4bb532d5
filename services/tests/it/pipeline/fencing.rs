//! Processes that stand still longer than their session, and go on when others have their work.

use contract::events::EventType;
use contract::http::Charge;
use contract::ids::OrderId;
use contract::topics::Step;

use super::history::History;
use super::metrics::until_metric;
use super::shop::{Shop, names};
use crate::edge::child::Service;
use crate::edge::client::{HERE, get, send_from};

/// Short enough to be waited out, long enough for a busy machine's heartbeats.
const SESSION_MS: &str = "3000";

fn records_of(history: &History, order: OrderId, step: Step) -> usize {
    history.orders[&order].iter().filter(|event| event.step() == step).count()
}

/// What its connections bring it while it is stopped it decides as soon as it goes on, before it can hear that
/// it has no partitions any more.
#[tokio::test]
async fn a_stopped_inventory_that_goes_on_writes_nothing_that_its_successor_has_decided() {
    let shop = Shop::open_with_short_sessions("0.0").await;
    let inventory = |instance| {
        [
            "inventory",
            "--stock",
            "product-2=30",
            "--session-timeout-ms",
            SESSION_MS,
            "--instance",
            instance,
        ]
    };
    let mut first = shop.service(&inventory("1")).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;
    let before = shop.order(names("before", 4)).await;
    shop.reader.all_ended(&before).await;

    first.stop();
    // Its fetches are answered into its sockets.
    let meanwhile = shop.order(names("meanwhile", 20)).await;
    // Waits for the end of the session, and decides all that stands in the log.
    let _second = shop.service(&inventory("2")).await;
    shop.reader.all_ended(&meanwhile).await;
    first.go_on();
    // It hears that it is out, and that there is another writer.
    assert!(!first.ended().await.success());

    let history = shop.reader.history().await;
    for order in &meanwhile {
        assert_eq!(records_of(&history, *order, Step::Inventory), 1, "{order} was decided again");
    }
    // Thirty pieces are ten orders of three.
    let confirmed = |order: &&OrderId| history.count(**order, EventType::InventoryConfirmed) > 0;
    assert_eq!(before.iter().chain(&meanwhile).filter(confirmed).count(), 10);
}

#[tokio::test]
async fn a_stopped_worker_falls_out_of_its_group_and_comes_back_when_it_goes_on() {
    let shop = Shop::open_with_short_sessions("0.0").await;
    let _inventory = shop.inventory(3_000).await;
    let _delivery = shop.delivery().await;
    let gateway = format!("http://{}", shop.gateway.address);
    let payment = async |instance| {
        let session = ["--session-timeout-ms", SESSION_MS, "--instance", instance];
        shop.service(&[&["payment", "--gateway", &gateway], &session[..]].concat()).await
    };
    let first = payment("1").await;
    let second = payment("2").await;
    until_metric(&first, "group_partitions", |count| count == 2.0).await;
    let mut orders = shop.order(names("together", 20)).await;
    shop.reader.all_ended(&orders).await;

    first.stop();
    orders.extend(shop.order(names("alone", 20)).await);
    shop.reader.all_ended(&orders).await;
    until_metric(&second, "group_partitions", |count| count == 4.0).await;

    first.go_on();
    until_metric(&first, r#"group_changes_total{kind="lost"}"#, |count| count == 1.0).await;
    until_metric(&first, "group_partitions", |count| count == 2.0).await;
    orders.extend(shop.order(names("together-again", 20)).await);
    let history = shop.reader.all_ended(&orders).await;
    for order in orders {
        assert_eq!(records_of(&history, order, Step::Payment), 1, "{order} was charged again");
        let charge = send_from(HERE, shop.gateway.address, get(&format!("/charges/{order}"))).await;
        assert_eq!(charge.json::<Charge>().captures, 1);
    }
    let lag = r#"consumer_lag_records{consumer="payment-service""#;
    until_metric(&first, lag, |lag| lag == 0.0).await;
}

/// One that stands still still has its name: a second one that took its place would write beside it as soon
/// as it goes on.
#[tokio::test]
async fn a_second_process_under_the_same_name_is_kept_out_while_the_first_stands_still() {
    let shop = Shop::open("0.0").await;
    let data = tempfile::tempdir().unwrap();
    let kafka = shop.kafka().to_string();
    let arguments = ["inventory", "--kafka", &kafka, "--port", "0", "--data-dir"];
    let arguments = [&arguments[..], &[data.path().to_str().unwrap()]].concat();
    let first = Service::start(&arguments).await;
    first.stop();
    let (message, status) = Service::fail(&arguments).await;
    assert!(!status.success());
    assert!(message.contains("another process runs as inventory-1"), "{message}");
    first.kill().await;
    Service::start(&arguments).await;
}
