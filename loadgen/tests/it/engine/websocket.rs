//! The `websocket` flow.

use super::any_service::Service;
use super::shop::targets;
use super::{Outcome, perform, perform_with};

fn toml(service: &Service, vus: u32, params: &str) -> String {
    format!(
        "[scenarios.any]\nexecutor = \"per-vu-iterations\"\nexec = \"websocket\"\nvus = {vus}\n[scenarios.any.params]\n\
         url = \"ws://{}/talk?user=${{vu}}\"\n{params}",
        service.address
    )
}

fn run(service: &Service, vus: u32, params: &str) -> Outcome {
    perform(&toml(service, vus, params), &targets("http://127.0.0.1:1", "127.0.0.1:1"))
}

const TALK: &str = r#"
headers = { x-user = "${vu}" }
rounds = 2
hold = ["10ms", "20ms"]
[[scenarios.any.params.steps]]
name = "echo"
sendJson = { n = "${seq}" }
[[scenarios.any.params.steps]]
name = "echo"
expect = { json = { "$.type" = "echo" }, capture = { said = "json $.text" } }
[[scenarios.any.params.steps]]
pause = "1ms"
[[scenarios.any.params.steps]]
send = "again: ${said}"
[[scenarios.any.params.steps]]
name = "echo again"
expect = { contains = "again: ", within = "5s" }
"#;

#[test]
fn a_conversation_sends_and_waits_and_holds_and_closes() {
    let service = Service::open();
    let outcome = run(&service, 5, TALK);
    let (passed, total) = outcome.rate("checks", &[]);
    assert_eq!((passed, total), (25, 25));
    assert_eq!(outcome.rate("checks", &[("check", "echo again comes")]), (10, 10));
    assert_eq!(outcome.count("ws_sessions", &[]), 5);
    assert_eq!(outcome.count("ws_errors", &[]), 0);
    assert_eq!(outcome.count("ws_msgs_sent", &[]), 20);
    assert_eq!(outcome.count("ws_expect_duration", &[("name", "echo")]), 10);
    assert_eq!(outcome.count("ws_msgs_received", &[]), 5 + 40);
    assert_eq!(outcome.gauge_max("ws_open"), 5.0);
    let seen = service.seen.lock().unwrap();
    let again: Vec<&String> =
        seen.messages.iter().filter(|text| text.starts_with("again: {\"n\":")).collect();
    assert_eq!(again.len(), 10, "{:?}", seen.messages);
    let mut users: Vec<&str> = seen.headers.iter().map(|h| h["x-user"].to_str().unwrap()).collect();
    users.sort_unstable();
    assert_eq!(users, ["1", "2", "3", "4", "5"]);
}

#[test]
fn what_came_before_it_was_waited_for_is_not_lost() {
    let service = Service::open();
    let outcome = run(
        &service,
        1,
        "[[scenarios.any.params.steps]]\npause = \"50ms\"\n[[scenarios.any.params.steps]]\nname = \"welcome\"\n\
         expect = { json = { \"$.type\" = \"welcome\" }, capture = { s = \"json $.session\" } }\n\
         [[scenarios.any.params.steps]]\nsend = \"${s}\"\n[[scenarios.any.params.steps]]\n\
         expect = { contains = \"s-1\" }\n",
    );
    let (passed, total) = outcome.rate("checks", &[]);
    assert_eq!((passed, total), (3, 3));
}

#[test]
fn silence_and_a_server_that_leaves_are_told_apart() {
    let service = Service::open();
    let silence = run(
        &service,
        1,
        "[[scenarios.any.params.steps]]\nname = \"never\"\nexpect = { contains = \"never\", within = \"50ms\" }\n",
    );
    assert_eq!(silence.rate("checks", &[("check", "never comes")]), (0, 1));
    assert_eq!(silence.count("ws_errors", &[]), 0);
    let left = run(&service, 1, "hold = \"20s\"\n[[scenarios.any.params.steps]]\nsend = \"bye\"\n");
    assert_eq!(left.count("ws_errors", &[]), 1);
    let refused = toml(&service, 1, "").replace("/talk", "/status/403");
    let refused = perform(&refused, &targets("http://127.0.0.1:1", "127.0.0.1:1"));
    assert_eq!(refused.count("ws_errors", &[("error", "refused")]), 1);
    assert_eq!(refused.rate("checks", &[("check", "socket opens")]), (0, 1));
}

#[test]
fn a_test_that_ends_early_lets_go_of_what_is_only_held() {
    let service = Service::open();
    let held = toml(&service, 3, "hold = \"10m\"\n");
    let told = std::cell::Cell::new(false);
    let outcome = perform_with(&held, &targets("http://127.0.0.1:1", "127.0.0.1:1"), |_, give| {
        if service.seen.lock().unwrap().requests.len() == 3 && !told.replace(true) {
            give(loadgen::shard::Order::Stop);
        }
    });
    assert_eq!(outcome.count("iterations", &[]), 3);
    assert_eq!(outcome.count("ws_errors", &[]), 0);
}
