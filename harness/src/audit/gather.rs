//! Brings the evidence together: waits for the pipeline to drain, then asks everybody.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use contract::http::InventoryItem;
use contract::ids::{OrderId, ProductId};
use contract::order::Order;
use hyper::StatusCode;
use tokio::time::Instant;

use super::committed::{Commits, consumed};
use super::drain::{Progress, drain};
use super::evidence::Evidence;
use super::journal::Journal;
use super::ledger::Ledger;
use super::model::Model;
use super::reader::LogReader;
use super::stock::Shelf;
use super::tables::{self, Tables};
use super::view::Views;
use crate::database;
use crate::http::{self, Connection};

/// Orders whose status is compared with the log.
const SAMPLED_VIEWS: usize = 2_500;
/// Requests from one client address: below the 60 a minute of the specification.
const REQUESTS_PER_ADDRESS: u32 = 50;
/// How long a service may need to have folded the last records, or to have come back from a crash.
const CATCH_UP: Duration = Duration::from_secs(15);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Where the evidence is.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `HOST:PORT`, several joined by commas.
    pub kafka: String,
    pub journals: Option<Vec<PathBuf>>,
    /// Base URLs, such as `http://127.0.0.1:8086`.
    pub gateway: Option<String>,
    /// Of each instance, as the next ones are.
    pub inventory: Vec<String>,
    pub status: Vec<String>,
    pub initial_stock: Option<BTreeMap<ProductId, u64>>,
    /// The URL of the shop's own tables.
    pub database: Option<String>,
    pub sockets_expected: bool,
    pub undisturbed: bool,
    pub sole_clients: bool,
    /// The shop's groups work on this cluster; elsewhere they are judged only if they ever committed.
    pub groups_expected: bool,
    /// See [`super::drain::STUCK_AFTER`].
    pub stuck_after: Duration,
}

/// Gathers all of it. Takes as long as the pipeline needs to drain, and then some seconds.
///
/// # Errors
/// The log, a journal or the ledger cannot be read. A status or inventory service that does not answer
/// is evidence, not an error.
pub async fn gather(
    sources: &Sources,
    on_progress: impl FnMut(Progress),
) -> anyhow::Result<Evidence> {
    let mut reader = LogReader::open(&sources.kafka).await?;
    drain(&mut reader, sources.stuck_after, on_progress).await?;
    let model = reader.finish().await?;
    let journal = sources.journals.as_deref().map(Journal::read).transpose()?;
    let ledger = match &sources.gateway {
        Some(base) => Some(read_ledger(base).await.context("the gateway's ledger")?),
        None => None,
    };
    let mut shelves = Vec::with_capacity(sources.inventory.len());
    for base in &sources.inventory {
        shelves.push(read_shelf(base, sources.initial_stock.as_ref()).await);
    }
    let mut views = Vec::with_capacity(sources.status.len());
    for base in &sources.status {
        views.push(sample_views(base, &model).await);
    }
    let tables = match &sources.database {
        Some(url) => Some(read_tables(url, &model).await.context("the shop's database")?),
        None => None,
    };
    let commits = read_commits(&sources.kafka, &model).await.context("the groups' commits")?;
    let commits = Some(commits).filter(|found| sources.groups_expected || !found.0.is_empty());
    Ok(Evidence {
        model,
        journal,
        ledger,
        initial_stock: sources.initial_stock.clone(),
        shelves,
        views,
        commits,
        tables,
        sockets_expected: sources.sockets_expected,
        undisturbed: sources.undisturbed,
        sole_clients: sources.sole_clients,
    })
}

/// Commits follow the work after a moment: asks until they have, for as long as services may need.
async fn read_commits(kafka: &str, model: &Model) -> anyhow::Result<Commits> {
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let commits = Commits::read(kafka).await?;
        let is_behind =
            consumed(&model.ends).any(|(place, end)| commits.0.get(&place) != Some(&end));
        if !is_behind || commits.0.is_empty() || Instant::now() >= deadline {
            return Ok(commits);
        }
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
    }
}

/// The tables follow the log after a moment: asks until they have, for as long as services may need.
async fn read_tables(url: &str, model: &Model) -> anyhow::Result<Tables> {
    let client = database::connect(url).await?;
    let logged: usize = model.orders().map(|order| model.history(order).count()).sum();
    let logged = i64::try_from(logged).unwrap_or(i64::MAX);
    let deadline = Instant::now() + CATCH_UP;
    while tables::progress(&client).await? != (logged, 0) && Instant::now() < deadline {
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
    }
    Tables::read(&client).await
}

async fn read_ledger(base: &str) -> anyhow::Result<Ledger> {
    let (status, body) = http::get(base, "/ledger").await?;
    anyhow::ensure!(status == StatusCode::OK, "GET {base}/ledger answers {status}");
    Ledger::parse(&body).with_context(|| format!("GET {base}/ledger"))
}

async fn read_shelf(base: &str, stock: Option<&BTreeMap<ProductId, u64>>) -> Shelf {
    let mut shelf = Shelf { instance: base.to_owned(), ..Shelf::default() };
    let mut asker = Asker::new(base);
    let deadline = Instant::now() + CATCH_UP;
    let products = ProductId::ALL.into_iter();
    for product in products.filter(|p| stock.is_none_or(|stock| stock.contains_key(p))) {
        let path = format!("/inventory/{product}");
        let settled = |item: &InventoryItem| item.reserved_stock == 0;
        match asker.ask_until(&path, deadline, settled).await {
            Ok(item) => drop(shelf.items.insert(product, item)),
            Err(reason) => shelf.failures.push((product, reason)),
        }
    }
    shelf
}

async fn sample_views(base: &str, model: &Model) -> Views {
    let mut views = Views { instance: base.to_owned(), ..Views::default() };
    let mut asker = Asker::new(base);
    let deadline = Instant::now() + CATCH_UP;
    let step = model.orders().len().div_ceil(SAMPLED_VIEWS).max(1);
    for order in model.orders().step_by(step) {
        let id: OrderId = model.id(order);
        let logged = model.history(order).count();
        let folded = |view: &Order| view.events.len() >= logged;
        match asker.ask_until(&format!("/status/{id}"), deadline, folded).await {
            Ok(view) => views.orders.push(view),
            Err(reason) => views.failures.push((id, reason)),
        }
    }
    views
}

/// Asks one service many times, from so many client addresses that its limits never bite.
struct Asker<'a> {
    base: &'a str,
    connection: Option<Connection>,
    sent: u32,
}

impl<'a> Asker<'a> {
    const fn new(base: &'a str) -> Self {
        Self { base, connection: None, sent: 0 }
    }

    /// Asks until the answer is `settled` or `deadline` has passed; then takes it as it is.
    async fn ask_until<T: serde::de::DeserializeOwned>(
        &mut self,
        path: &str,
        deadline: Instant,
        settled: impl Fn(&T) -> bool,
    ) -> Result<T, String> {
        loop {
            let answer = self.ask::<T>(path).await;
            let late = Instant::now() >= deadline;
            match answer {
                Ok(found) if late || settled(&found) => return Ok(found),
                Err(reason) if late => return Err(reason),
                _ => tokio::time::sleep(ASK_AGAIN_AFTER).await,
            }
        }
    }

    async fn ask<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Result<T, String> {
        if self.sent.is_multiple_of(REQUESTS_PER_ADDRESS) {
            self.connection = None;
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let source = auditor_address(self.sent / REQUESTS_PER_ADDRESS);
                let opened = Connection::open(self.base, Some(source)).await;
                opened.map_err(|error| format!("{error:#}"))?
            }
        };
        self.sent += 1;
        let (status, body) = connection.get(path).await.map_err(|error| format!("{error:#}"))?;
        // Kept only after a whole answer: a connection that failed is not used again.
        self.connection = Some(connection);
        if status != StatusCode::OK {
            return Err(format!("answers {status}"));
        }
        serde_json::from_slice(&body).map_err(|error| format!("cannot be read: {error}"))
    }
}

/// The auditor's own client addresses, 127.254.0.1 and up: no virtual user leases them.
fn auditor_address(at: u32) -> Ipv4Addr {
    let [_, _, high, low] = (at % 60_000 + 1).to_be_bytes();
    Ipv4Addr::new(127, 254, high, low)
}
