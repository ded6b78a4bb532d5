//! `doorbuster up`: the shop on its known ports, to stay.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use tokio::sync::mpsc;

use crate::audit::reader;
use crate::cli::{UpArgs, database_url};
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
/// A port is occupied, Kafka does not answer, a process does not start.
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
    let logs = LogFolder::create(args.logs.clone())?;
    let plan = ShopPlan {
        program: this_program()?,
        settings: ShopSettings {
            stock: args.stock.0,
            decline_rate: args.decline_rate,
            order_limit: args.order_limit,
            status_limit: args.status_limit,
            sockets_per_address: args.sockets_per_address,
            partitions: args.partitions,
            replicas,
            ..ShopSettings::default()
        },
        kafka: args.kafka,
        database,
        known_ports: true,
        log_folder: logs.path.clone(),
        state_folder: logs.path.join("state"),
        seed: 1,
    };
    let (notices, mut heard) = mpsc::unbounded_channel();
    let shop = tokio::select! {
        biased;
        () = signals.next() => return Ok(Outcome::Done),
        shop = Shop::open(&plan, notices) => shop?,
    };
    announce(&shop, &logs, began);
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

fn announce(shop: &Shop, logs: &LogFolder, began: Instant) {
    for (name, address) in shop.addresses() {
        say::line(format_args!("{name:13} {address}"));
    }
    say::line(format_args!("{:13} {}", "logs", logs.path.display()));
    if let Some(order) = shop.endpoints.order.first() {
        say::line(format_args!(
            "\nPlace an order:\n  curl -i {order}/order -H 'Content-Type: application/json' \
             -d '{{\"product_id\":\"product-1\",\"quantity\":1}}'\n"
        ));
    }
    let took = began.elapsed().as_millis();
    say::line(format_args!("ready for orders after {took} ms; Ctrl-C closes the shop"));
}

/// Where the children's logs are; deleted in the end unless the user named it.
struct LogFolder {
    path: PathBuf,
    temporary: bool,
}

impl LogFolder {
    fn create(named: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = named.is_none();
        let own = || std::env::temp_dir().join(format!("doorbuster-up-{}", std::process::id()));
        let path = named.unwrap_or_else(own);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot create the folder {}", path.display()))?;
        Ok(Self { path, temporary })
    }
}

impl Drop for LogFolder {
    fn drop(&mut self) {
        if self.temporary {
            // A folder that stays behind in /tmp is no reason to fail.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
