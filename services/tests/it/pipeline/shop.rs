//! A shop without its edge: broker, gateway and workers.

use std::net::SocketAddr;

use contract::events::EventType;
use contract::http::InventoryItem;
use contract::ids::OrderId;

use super::history::{PAUSE, Reader};
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::{HERE, get, send_from};
use crate::edge::records::{Topics, event};

pub(crate) struct Shop {
    kafka: SocketAddr,
    /// Unless it is a process of its own.
    _broker: Option<sim::Broker>,
    pub(crate) gateway: Service,
    pub(crate) topics: Topics,
    pub(crate) reader: Reader,
}

impl Shop {
    /// A broker, a gateway that declines so many charges, and no service yet.
    pub(crate) async fn open(decline_rate: &str) -> Self {
        Self::on(sim::Broker::start().unwrap(), decline_rate).await
    }

    /// The same, with members of groups that may be given up after a second.
    pub(super) async fn open_with_short_sessions(decline_rate: &str) -> Self {
        let config = vec![("group.min.session.timeout.ms".to_owned(), "1000".to_owned())];
        let options = sim::Options { config, ..sim::Options::default() };
        Self::on(sim::Broker::start_with(options).unwrap(), decline_rate).await
    }

    async fn on(broker: sim::Broker, decline_rate: &str) -> Self {
        let shop = Self::at(broker.address(), decline_rate).await;
        Self { _broker: Some(broker), ..shop }
    }

    /// The same around a broker that is somewhere else.
    pub(super) async fn at(kafka: SocketAddr, decline_rate: &str) -> Self {
        let gateway = ["gateway", "--decline-rate", decline_rate, "--latency-median-ms", "5"];
        let gateway = Service::start(&[&gateway[..], &["--port", "0"]].concat()).await;
        let (topics, reader) = (Topics::at(kafka).await, Reader::at(kafka).await);
        Self { kafka, _broker: None, gateway, topics, reader }
    }

    /// The broker is a new one.
    pub(super) async fn reconnect(&mut self) {
        self.topics = Topics::at(self.kafka).await;
        self.reader = Reader::at(self.kafka).await;
    }

    pub(crate) fn kafka(&self) -> SocketAddr {
        self.kafka
    }

    pub(crate) async fn service(&self, arguments: &[&str]) -> Service {
        Service::on(self.kafka(), arguments).await
    }

    pub(crate) async fn inventory(&self, pieces: u32) -> Service {
        let stock = format!("product-2={pieces}");
        self.service(&["inventory", "--stock", &stock]).await
    }

    pub(crate) async fn payment(&self, instance: &str) -> Service {
        let gateway = format!("http://{}", self.gateway.address);
        self.service(&["payment", "--gateway", &gateway, "--instance", instance]).await
    }

    /// What follows a payment.
    pub(crate) async fn delivery(&self) -> [Service; 2] {
        [self.service(&["shipping"]).await, self.service(&["notification"]).await]
    }

    /// Places orders of three pieces of product-2, past the order service.
    pub(crate) async fn order(&self, names: impl IntoIterator<Item = String>) -> Vec<OrderId> {
        let mut orders = Vec::new();
        for name in names {
            let order = OrderId::for_idempotency_key(&name);
            self.topics.write(&event(order, EventType::OrderCreated)).await;
            orders.push(order);
        }
        orders
    }
}

/// What the inventory says of product-2.
pub(crate) async fn shelf(inventory: &Service) -> InventoryItem {
    send_from(HERE, inventory.address, get("/inventory/product-2")).await.json()
}

/// Looks until the shelf holds so many pieces of product-2 with none reserved: it folds what stands in
/// the log a moment later.
pub(crate) async fn shelf_settles(inventory: &Service, current_stock: u64) {
    let settled = async {
        loop {
            let item = shelf(inventory).await;
            if (item.current_stock, item.reserved_stock) == (current_stock, 0) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(DEADLINE, settled).await.is_err() {
        panic!("{current_stock} pieces and none reserved: never, but {:?}", shelf(inventory).await);
    }
}

pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}
