//! Records that nobody can read do not stop the others.

use std::collections::BTreeMap;

use contract::events::EventType;
use contract::ids::OrderId;
use contract::topics::{DEFAULT_PARTITIONS, Topic, header, partition_for_key};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::record::Record;

use super::history::PAUSE;
use super::shop::{Shop, names};
use crate::edge::child::DEADLINE;
use crate::edge::client::read;
use crate::edge::records::{at, event};

async fn write(shop: &Shop, topic: Topic, key: &str, value: &[u8], headers: &[(&str, &str)]) {
    let client = ClientBuilder::new(vec![shop.kafka().to_string()]).build().await.unwrap();
    let partition = partition_for_key(key.as_bytes(), DEFAULT_PARTITIONS);
    let client = client.partition_client(topic.name(), partition, UnknownTopicHandling::Retry);
    let headers: BTreeMap<String, Vec<u8>> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let (key, value) = (Some(key.as_bytes().to_vec()), Some(value.to_vec()));
    let record = Record { key, value, headers, timestamp: at() };
    client.await.unwrap().produce(vec![record], Compression::NoCompression).await.unwrap();
}

#[tokio::test]
async fn dead_letters_say_where_they_come_from_and_why() {
    let shop = Shop::open("0.0").await;
    let inventory = shop.inventory(1_000).await;
    let _payment = shop.payment("1").await;
    let _delivery = shop.delivery().await;

    write(&shop, Topic::Orders, "torn", b"{\"order_id\":", &[]).await;
    let newer = [(header::EVENT_TYPE, "PaymentCompleted"), (header::EVENT_VERSION, "v2")];
    write(&shop, Topic::Payment, "newer", b"{}", &newer).await;
    let unknown = [(header::EVENT_TYPE, "OrderGiftWrapped")];
    write(&shop, Topic::Orders, "unknown", b"{}", &unknown).await;
    // An event that could be read, were it not too large to be kept and shown.
    let large = event(OrderId::for_idempotency_key("large"), EventType::InventoryConfirmed);
    let large = [large.encode(), vec![b' '; 64 * 1024]].concat();
    write(&shop, Topic::Inventory, "large", &large, &[]).await;
    // Enough orders to pass through every partition.
    let orders: Vec<OrderId> = shop.order(names("behind", 20)).await;
    let history = shop.reader.all_ended(&orders).await;
    assert!(orders.iter().all(|order| history.count(*order, EventType::Shipped) == 1));

    for (topic, key, value, reason) in [
        (Topic::Orders, "torn", &b"{\"order_id\":"[..], "EOF"),
        (Topic::Payment, "newer", &b"{}"[..], "v2"),
        (Topic::Inventory, "large", &large[..], "at most 65536 bytes"),
    ] {
        let letters = shop.reader.until_some(topic.dead_letter()).await;
        assert_eq!(letters.len(), 1, "{topic:?}");
        let letter = &letters[0].record;
        assert_eq!(letter.key.as_deref(), Some(key.as_bytes()));
        assert_eq!(letter.value.as_deref(), Some(value));
        let text = |name| String::from_utf8(letter.headers[name].clone()).unwrap();
        assert_eq!(text(header::ORIGIN_TOPIC), topic.name());
        let partition = partition_for_key(key.as_bytes(), DEFAULT_PARTITIONS);
        assert_eq!(text(header::ORIGIN_PARTITION), partition.to_string());
        assert!(text(header::ORIGIN_OFFSET).parse::<i64>().is_ok());
        assert!(text(header::DEAD_LETTER_REASON).contains(reason));
    }
    let lines =
        ["unknown_event_types_total{topic=\"orders\"} 1", "dead_letters_total{topic=\"orders\"} 1"];
    let counted = async {
        loop {
            let metrics = read(inventory.management.unwrap(), "/metrics").await;
            let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
            // Counted a moment after it stands in the log.
            if lines.iter().all(|line| metrics.lines().any(|it| it == *line)) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, counted).await.expect("counted in time");
}
