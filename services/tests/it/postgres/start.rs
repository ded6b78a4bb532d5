//! Starting on a database: tables are made once, and what is wrong is said in one line.

use contract::replay::ReplayStatus;

use super::server::{number, server};
use crate::edge::child::Service;
use crate::edge::client::{HERE, JSON, get, post, send_from};
use crate::pipeline::shop::Shop;

const OWNERS: [&str; 2] = ["inventory", "status"];

#[tokio::test]
async fn instances_that_start_at_once_make_the_tables_once() {
    let Some(server) = server().await else { return };
    let (url, client) = server.schema("at_once").await;
    let shop = Shop::open("0.0").await;
    for owner in OWNERS {
        let start = async |instance: &str| {
            shop.service(&[owner, "--instance", instance, "--database", &url]).await
        };
        let _all = tokio::join!(start("1"), start("2"), start("3"));
        let applied = format!(
            "SELECT count(*) FROM schema_migrations WHERE owner = '{owner}' AND version = 1"
        );
        assert_eq!(number(&client, &applied).await, 1);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_in_one_line() {
    let Some(server) = server().await else { return };
    let (_, client) = server.schema("anothers").await;
    client
        .batch_execute("CREATE TABLE inventory (old TEXT); CREATE TABLE orders (old TEXT)")
        .await
        .unwrap();
    let broker = sim::Broker::start().unwrap();
    let kafka = broker.address().to_string();
    let cases = [
        ("mysql://nowhere/shop".to_owned(), "postgres://"),
        (format!("{}&sslmode=require", server.url("public")), "sslmode"),
        (server.url_with("wrong", "public"), "password"),
        (server.url("public").replace("/postgres?", "/nowhere?"), "nowhere"),
        (server.url("missing"), "schema"),
        (server.url("anothers"), "empty schema"),
    ];
    for owner in OWNERS {
        for (url, reason) in &cases {
            let arguments = [owner, "--kafka", &kafka, "--port", "0", "--database", url];
            let (message, status) = Service::fail(&arguments).await;
            assert!(!status.success(), "{url}");
            let last = message.trim().lines().last().unwrap_or_default();
            assert!(last.contains(reason), "{url}: {message}");
            assert!(!message.contains("a-password"), "{message}");
        }
    }
}

#[tokio::test]
async fn tables_are_not_replayed() {
    let Some(server) = server().await else { return };
    let (url, _) = server.schema("not_replayed").await;
    let shop = Shop::open("0.0").await;
    for owner in OWNERS {
        let service = shop.service(&[owner, "--database", &url]).await;
        let management = service.management.unwrap();
        let refused = send_from(HERE, management, post("/replay", &[JSON], "{}".to_owned())).await;
        let refused = refused.error(409);
        assert_eq!(refused.error, "nothing to replay");
        assert!(refused.details.contains("doorbuster audit --database"), "{}", refused.details);
        let known: ReplayStatus = send_from(HERE, management, get("/replay")).await.json();
        assert_eq!(known.replay, None);
    }
}
