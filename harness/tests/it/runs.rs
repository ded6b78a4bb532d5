//! Whole runs with real processes: the shop under load, ended in every way, and killed piece by piece.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use doorbuster::settings::ShopSettings;
use doorbuster::supervise::{Shop, ShopPlan};
use serde_json::Value;

use crate::process::{Running, one_shop, run, summary, text, wait_for, wait_until_gone};

/// Broker, gateway, six services and one load process.
const CHILDREN: usize = 9;

/// A load that would last far longer than the test.
const LONG: &str = "\
name = \"long\"
sendLagLimit = \"60s\"
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 20
duration = \"10m\"
preAllocatedVUs = 50
gracefulStop = \"5s\"
";

/// The gateway is slow, so that every kill lands among some hundred orders on their way. Clients go on
/// asking while the order service is away. The load outlasts the last kill by twenty seconds, for slow
/// machines, where a kill waits until its victim is back from the one before.
const KILLS: &str = "\
name = \"kills\"
sendLagLimit = \"60s\"
[shop]
stock = { product-1 = 1000000, product-2 = 1000000, product-3 = 1000000 }
declineRate = 0.1
gatewayLatencyMedian = \"1500ms\"
gatewayLatencyP99 = \"1700ms\"
[chaos]
kill = [\"order\", \"inventory\", \"payment\", \"shipping\", \"notification\", \"status\"]
first = \"4s\"
every = \"1500ms\"
rounds = 10
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 120
duration = \"115s\"
preAllocatedVUs = 2000
maxVUs = 6000
gracefulStop = \"30s\"
[scenarios.orders.params]
retryFor = \"20s\"
[thresholds]
orders_created = [\"count>=5000\"]
";
const KILLS_PER_SERVICE: usize = 10;
const IN_FLIGHT: u64 = 100;

fn checks(audit: &Value) -> &Vec<Value> {
    audit["checks"].as_array().expect("the audit lists its checks")
}

#[test]
fn the_smoke_scenario_passes_and_its_summary_is_complete() {
    let _turn = one_shop();
    let smoke = text(&crate::process::output(&["scenarios", "show", "smoke"]).stdout);
    // The tests' build is slow and its machine busy: the times are judged elsewhere.
    let untimed = |line: &&str| !line.contains("p(95)");
    let smoke = smoke.lines().filter(untimed).collect::<Vec<_>>().join("\n");
    let smoke = smoke.replace("name = \"shop\"", "name = \"shop\"\nsendLagLimit = \"60s\"");
    let smoke = smoke.replace("name = \"kafka\"", "name = \"kafka\"\nsendLagLimit = \"60s\"");
    let (code, summary, said) = run(&smoke);
    assert_eq!(code, Some(0), "{said}");
    let shop = &summary["phases"]["shop"];
    for part in ["metrics", "thresholds", "audit", "generator", "processes", "pipeline"] {
        assert!(!shop[part].is_null(), "no {part}: {summary}");
    }
    assert_eq!(summary["exit_code"], 0);
    assert!(summary["environment"]["cores"].as_u64().unwrap() > 0);
    assert_eq!(shop["audit"]["verdict"], "pass");
    assert!(shop["audit"]["orders"].as_u64().unwrap() >= 600, "{}", shop["audit"]);
    assert!(checks(&shop["audit"]).len() >= 20);
    for name in ["broker", "order", "status", "gateway", "load-0", "harness"] {
        assert!(shop["processes"].to_string().contains(name), "{}", shop["processes"]);
    }
    assert!(summary["phases"]["kafka"]["audit"].is_null(), "a phase without orders has no audit");
}

/// A gateway that takes the money or not and says nothing, and does not always answer when it is asked.
const SILENT_GATEWAY: &str = "\
name = \"silent-gateway\"
sendLagLimit = \"60s\"
[shop]
stock = { product-1 = 100000, product-2 = 100000, product-3 = 100000 }
declineRate = 0.1
errorRate = 0.1
silentRate = 0.2
queryErrorRate = 0.3
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 20
duration = \"8s\"
preAllocatedVUs = 100
gracefulStop = \"30s\"
";

#[test]
fn a_gateway_that_does_not_say_what_it_did_leaves_every_cent_accounted_for() {
    let _turn = one_shop();
    let (code, summary, said) = run(SILENT_GATEWAY);
    let audit = &summary["audit"];
    assert_eq!(audit["verdict"], "pass", "{said}");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(audit["orders"], audit["ended"]);
    for name in ["gateway-ledger", "money-adds-up"] {
        let check = checks(audit).iter().find(|check| check["name"] == name);
        let check = check.unwrap_or_else(|| panic!("no {name}: {audit}"));
        assert!(check["looked_at"]["orders"].as_u64().unwrap() >= 100, "{check}");
    }
}

#[test]
fn every_service_killed_ten_times_under_load_loses_and_doubles_nothing() {
    let _turn = one_shop();
    let (code, summary, said) = run(KILLS);
    let audit = &summary["audit"];
    assert_eq!(audit["verdict"], "pass", "{said}");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(audit["orders"], audit["ended"]);
    let kills = audit["kills"].as_array().expect("the kills are listed");
    for service in ["order", "inventory", "payment", "shipping", "notification", "status"] {
        let of_service = kills.iter().filter(|kill| kill["service"] == service);
        let mut count = 0;
        for kill in of_service {
            assert!(kill["orders_in_flight"].as_u64().unwrap() >= IN_FLIGHT, "{kill}");
            assert!(kill["recovered_in_ms"].is_u64(), "{kill}");
            count += 1;
        }
        assert!(count >= KILLS_PER_SERVICE, "{service} was killed {count} times");
    }
}

/// Two of each that can be two. Nobody retries: what fails once has failed.
const ROLL: &str = "\
name = \"roll\"
sendLagLimit = \"60s\"
[shop]
stock = { product-1 = 1000000, product-2 = 1000000, product-3 = 1000000 }
replicas = { order = 2, payment = 2, shipping = 2, notification = 2, status = 2 }
[chaos]
roll = [\"order\", \"payment\", \"shipping\", \"notification\", \"inventory\", \"status\"]
first = \"2s\"
every = \"500ms\"
away = \"500ms\"
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 60
duration = \"50s\"
preAllocatedVUs = 200
maxVUs = 2000
[scenarios.watched]
executor = \"constant-arrival-rate\"
exec = \"watch-order\"
rate = 10
duration = \"50s\"
preAllocatedVUs = 200
maxVUs = 2000
params = { hold = \"1s\", retryFor = \"20s\" }
[thresholds]
\"http_req_failed\" = [\"rate==0\"]
\"orders_unknown\" = [\"count==0\"]
\"availability\" = [\"rate==1\"]
";

#[test]
fn instances_restarted_in_order_under_load_are_missed_by_nobody() {
    let _turn = one_shop();
    let (code, summary, said) = run(ROLL);
    let audit = &summary["audit"];
    assert_eq!(audit["verdict"], "pass", "{said}");
    assert_eq!(code, Some(0), "{said}");
    let restarts = audit["restarts"].as_array().expect("the restarts are listed");
    for name in
        ["order-1", "order-2", "payment-1", "payment-2", "inventory", "status-1", "status-2"]
    {
        let of_name: Vec<_> = restarts.iter().filter(|restart| restart["name"] == name).collect();
        assert_eq!(of_name.len(), 1, "{name}: {restarts:?}");
        assert_eq!(of_name[0]["in_order"], true, "{restarts:?}");
    }
    let failovers = summary["metrics"]["failovers"].to_string();
    assert!(failovers.contains("count"), "nobody was sent on: {}", summary["metrics"]);
}

/// Starts the long load, sends the signal while it runs, and waits for every child's end.
fn ended_by(signal: &str) -> (std::process::ExitStatus, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.toml");
    fs::write(&file, LONG).unwrap();
    let out = folder.path().join("reports");
    let arguments = ["run", file.to_str().unwrap(), "--no-tui", "--reports", out.to_str().unwrap()];
    let mut running = Running::start(&arguments);
    let children = running.children(CHILDREN);
    wait_for("the first order", || {
        let run = fs::read_dir(&out).ok()?.next()?.ok()?.path();
        let journal = run.join("long/journal/shard-0.jsonl").metadata().ok()?;
        (journal.len() > 0).then_some(())
    });
    running.signal(signal);
    let status = running.0.wait().unwrap();
    wait_until_gone(&children);
    (status, out, folder)
}

#[test]
fn children_end_with_a_parent_that_was_killed() {
    let _turn = one_shop();
    let (status, ..) = ended_by("-KILL");
    assert_eq!(status.signal(), Some(9));
}

#[test]
fn interrupt_and_terminate_end_the_load_early_but_not_the_audit() {
    let _turn = one_shop();
    for signal in ["-INT", "-TERM"] {
        let (status, out, _folder) = ended_by(signal);
        assert_eq!(status.code(), Some(105), "{signal}");
        let summary = summary(&out);
        assert_eq!(summary["exit_code"], 105);
        assert_eq!(summary["audit"]["verdict"], "pass", "{summary}");
    }
}

#[test]
fn a_panic_of_the_parent_ends_its_children() {
    let _turn = one_shop();
    let folder = tempfile::tempdir().unwrap();
    let plan = ShopPlan {
        program: env!("CARGO_BIN_EXE_doorbuster").into(),
        settings: ShopSettings::default(),
        kafka: None,
        database: None,
        known_ports: false,
        log_folder: folder.path().to_owned(),
        state_folder: folder.path().join("state"),
        seed: 1,
    };
    let (told, pids) = std::sync::mpsc::channel();
    let parent = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (notices, _) = tokio::sync::mpsc::unbounded_channel();
            let shop = Shop::open(&plan, notices).await.unwrap();
            told.send(shop.processes()).unwrap();
            panic!("planted by the test");
        });
    });
    let children = pids.recv().unwrap().into_iter().map(|(_, pid)| pid).collect();
    assert!(parent.join().is_err(), "the parent panicked");
    wait_until_gone(&children);
    assert_eq!(children.len(), CHILDREN - 1, "all but the load process, which nobody started");
}
