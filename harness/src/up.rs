//! `doorbuster up`: the shop on its known ports, to stay.

mod folder;

use std::time::Instant;

use anyhow::Context as _;
use folder::{ShopFolder, Wanted};
use tokio::sync::mpsc;

use crate::audit::reader;
use crate::cli::{Stock, UpArgs, database_url};
use crate::database;
use crate::exit::Outcome;
use crate::run::kafka;
use crate::say;
use crate::settings::ShopSettings;
use crate::supervise::signals::Signals;
use crate::supervise::{Shop, ShopPlan, this_program};

/// Opens the shop, says so in one line, and closes it on Ctrl-C or SIGTERM.
///
/// # Errors
/// The folder cannot be used, a port is occupied, Kafka does not answer, a process does not start.
pub async fn up(args: UpArgs) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let replicas = args.replicas.clone().unwrap_or_default();
    let database = database_url(args.database.as_ref());
    replicas.check(database.is_some()).map_err(anyhow::Error::msg)?;
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    if let Some(kafka) = &args.kafka {
        reader::connect(kafka, kafka::PATIENCE).await?;
    }
    if let Some(url) = &database {
        database::connect(url).await?;
    }
    let wanted =
        Wanted { stock: args.stock.map(|Stock(pieces)| pieces), partitions: args.partitions };
    let folder = ShopFolder::open(args.data.as_deref(), args.logs.as_deref(), wanted)?;
    let plan = ShopPlan {
        program: this_program()?,
        settings: ShopSettings {
            durable: folder.is_kept(),
            stock: folder.foundation.stock.clone(),
            decline_rate: args.decline_rate,
            order_limit: args.order_limit,
            status_limit: args.status_limit,
            sockets_per_address: args.sockets_per_address,
            partitions: folder.foundation.partitions,
            replicas,
            ..ShopSettings::default()
        },
        kafka: args.kafka,
        database,
        known_ports: !args.free_ports,
        log_folder: folder.logs.clone(),
        state_folder: folder.path.clone(),
        seed: 1,
    };
    let (notices, mut heard) = mpsc::unbounded_channel();
    let shop = tokio::select! {
        biased;
        () = signals.next() => return Ok(Outcome::Done),
        shop = Shop::open(&plan, notices) => shop?,
    };
    announce(&shop, &folder, began);
    loop {
        tokio::select! {
            biased;
            () = signals.next() => break,
            Some(notice) = heard.recv() => say::line(notice),
        }
    }
    say::line("closing");
    shop.stop().await;
    Ok(Outcome::Done)
}

fn announce(shop: &Shop, folder: &ShopFolder, began: Instant) {
    for (name, address) in shop.addresses() {
        say::line(format_args!("{name:13} {address}"));
    }
    say::line(format_args!("{:13} {}", "logs", folder.logs.display()));
    if folder.is_kept() {
        say::line(format_args!("{:13} {}", "kept in", folder.path.display()));
    }
    if let Some(order) = shop.endpoints.order.first() {
        say::line(format_args!(
            "\nPlace an order:\n  curl -i {order}/order -H 'Content-Type: application/json' \
             -d '{{\"product_id\":\"product-1\",\"quantity\":1}}'\n"
        ));
    }
    let took = began.elapsed().as_millis();
    say::line(format_args!("ready for orders after {took} ms; Ctrl-C closes the shop"));
}
