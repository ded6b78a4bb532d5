//! Every record that a run leaves behind fits the specification's schemas (§3.1, §3.2).

use std::fs;

use crate::process::{doorbuster, one_shop, text};
use crate::schemas::judge_all;

/// Short of stock, with payments declined and workers killed: every type of event comes about, some of
/// them more than once.
const EVERYTHING: &str = "\
name = \"everything\"
sendLagLimit = \"60s\"
[shop]
stock = { product-1 = 200, product-2 = 0, product-3 = 0 }
declineRate = 0.3
[chaos]
kill = [\"inventory\", \"payment\", \"shipping\", \"notification\"]
first = \"1s\"
every = \"1s\"
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 60
duration = \"8s\"
preAllocatedVUs = 100
maxVUs = 1000
gracefulStop = \"30s\"
[scenarios.orders.params]
products = [\"product-1\"]
quantity = [1, 3]
";

#[test]
fn every_record_of_a_run_with_kills_fits_its_schema() {
    let _turn = one_shop();
    let broker = sim::Broker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    fs::write(&file, EVERYTHING).unwrap();
    let (kafka, out) = (broker.address().to_string(), folder.path().join("reports"));
    let arguments = ["run", file.to_str().unwrap(), "--no-tui", "--kafka", &kafka, "--reports"];
    let arguments = [&arguments[..], &[out.to_str().unwrap()]].concat();
    let ended = doorbuster(&arguments).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}\n{}", text(&ended.stdout), text(&ended.stderr));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counts = runtime.block_on(judge_all(broker.address(), &[]));
    for event_type in contract::events::EventType::ALL {
        assert!(counts.contains_key(event_type.name()), "no {event_type:?}: {counts:?}");
    }
    assert!(!counts.contains_key("dead letter"), "{counts:?}");
}
