//! Generic flows through the whole program: at the shop, and at a service that is no shop.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::process::{doorbuster, one_shop, run, text};

/// The setup places an order; everybody else looks at it.
const AT_THE_SHOP: &str = r#"
name = "at-the-shop"
sendLagLimit = "60s"

[setup]
baseUrl = "${env.ORDER_URL}"
[[setup.steps]]
name = "place"
method = "POST"
url = "/order"
json = { product_id = "product-1", quantity = 3 }
check = { status = 201 }
capture = { order_id = "json $.order_id" }

[scenarios.status]
executor = "constant-arrival-rate"
exec = "http"
rate = 20
duration = "2s"
preAllocatedVUs = 5
maxVUs = 50
[scenarios.status.params]
baseUrl = "${env.STATUS_URL}"
ownAddresses = true
[[scenarios.status.params.steps]]
name = "status"
url = "/status/${order_id}"
check = { json = { "$.order_id" = "${order_id}", "$.quantity" = 3 } }

[scenarios.live]
executor = "per-vu-iterations"
exec = "websocket"
vus = 4
[scenarios.live.params]
url = "${env.STATUS_WS_URL}/ws/${order_id}"
ownAddresses = true
hold = "500ms"
[[scenarios.live.params.steps]]
name = "the order"
expect = { json = { "$.type" = "order_update", "$.order_id" = "${order_id}" } }

[teardown]
baseUrl = "${env.INVENTORY_URL}"
[[teardown.steps]]
url = "/inventory/product-1"
check = { exists = ["$.current_stock"] }

[thresholds]
checks = ["rate==1"]
http_req_failed = ["rate==0"]
http_reqs = ["count==40"]
ws_sessions = ["count==4"]
ws_errors = ["count==0"]
"#;

#[test]
fn a_scenario_of_generic_flows_loads_the_shop_that_it_names() {
    let _turn = one_shop();
    let (code, summary, said) = run(AT_THE_SHOP);
    assert_eq!(code, Some(0), "{said}");
    assert!(summary["processes"]["status"].is_object(), "{summary}");
    let (code, said) =
        refused(&AT_THE_SHOP.replace("quantity = 3 }\ncheck", "quantity = 0 }\ncheck"));
    assert_eq!(code, Some(104), "{said}");
    assert!(
        said.contains("the setup failed: step \"place\" does not hold: it was answered 400"),
        "{said}"
    );
}

/// Runs a scenario that is not carried out.
fn refused(scenario: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("refused.toml"), scenario).unwrap();
    let mut command = doorbuster(&["run", "refused.toml", "--no-tui"]);
    let output = command.current_dir(folder.path()).output().unwrap();
    (output.status.code(), text(&output.stderr))
}

/// Answers every request on as many connections as come.
fn serve(listener: TcpListener) {
    let answer = |stream: TcpStream| {
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            if line.is_empty()
                && (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").is_err()
            {
                return;
            }
        }
    };
    for stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || answer(stream));
    }
}

fn elsewhere(address: SocketAddr) -> String {
    format!(
        "name = \"elsewhere\"\nsendLagLimit = \"60s\"\nenv = {{ BASE = \"http://{address}\" }}\n[scenarios.any]\n\
         executor = \"per-vu-iterations\"\nexec = \"http\"\nvus = 3\niterations = 10\n[scenarios.any.params]\n\
         baseUrl = \"${{env.BASE}}\"\n[[scenarios.any.params.steps]]\nurl = \"/\"\ncheck = {{ contains = \"hi\" }}\n\
         [thresholds]\nchecks = [\"rate==1\"]\nhttp_reqs = [\"count==30\"]\n"
    )
}

#[test]
fn a_service_that_is_no_shop_is_loaded_without_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || serve(listener));
    let (code, summary, said) = run(&elsewhere(address));
    assert_eq!(code, Some(0), "{said}");
    let processes: Vec<_> = summary["processes"].as_object().unwrap().keys().collect();
    assert_eq!(processes, ["harness", "load-0"]);
    assert!(summary["audit"].is_null(), "{summary}");
}

#[test]
fn a_flow_that_cannot_be_understood_is_told_where_it_is_wrong() {
    let right = elsewhere("127.0.0.1:9".parse().unwrap());
    for (from, to, said) in [
        ("url = \"/\"", "url = \"/${oder_id}\"", "line 11"),
        ("url = \"/\"", "url = \"/${rando(1,2)}\"", "did you mean \"random\""),
        ("url = \"/\"", "ulr = \"/\"", "did you mean \"url\""),
        ("contains", "contain", "did you mean \"contains\""),
        ("env.BASE", "env.BAES", "did you mean \"BASE\""),
        ("http://127.0.0.1:9", "https://127.0.0.1:9", "TLS is not spoken here"),
    ] {
        let (code, error) = refused(&right.replacen(from, to, 1));
        assert_eq!(code, Some(104), "{to}: {error}");
        assert!(error.contains(said), "{to}: {error}");
    }
}
