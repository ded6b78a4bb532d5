//! The `http` flow.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::Value;

use super::any_service::Service;
use super::shop::targets;
use super::{Outcome, perform};

fn run(service: &Service, iterations: u32, vus: u32, params: &str) -> Outcome {
    let toml = format!(
        "[scenarios.any]\nexecutor = \"per-vu-iterations\"\nexec = \"http\"\nvus = {vus}\niterations = {iterations}\n\
         env = {{ WHO = \"me\", BASE = \"http://{}\" }}\n[scenarios.any.params]\nbaseUrl = \"${{env.BASE}}\"\n{params}",
        service.address
    );
    perform(&toml, &targets("http://127.0.0.1:1", "127.0.0.1:1"))
}

const LOGIN: &str = r#"
headers = { X-General = "general", X-Both = "general" }
[[scenarios.any.params.steps]]
name = "login"
group = "session"
method = "POST"
url = "/login"
headers = { x-both = "own ${vu}" }
json = { user = "${env.WHO}", number = "${random(3,3)}" }
capture = { token = "json $.token", second = "json $.items[1].id", tag = "header ETag", count = 'regex "count":(\d)' }
[scenarios.any.params.steps.check]
status = 201
headers = { content-type = "json" }
json = { "$.items[0].id" = 7, "$.count" = 2, "$.token" = 't"${env.WHO}' }
exists = ["$.items"]
contains = "token"
time = "10s"
[[scenarios.any.params.steps]]
name = "item"
group = "session"
url = "/items/${second}?t=${token}&n=${seq}"
headers = { if-match = "${tag}" }
check = { json = { "$.id" = "eight", "$.query.t" = "${token}" } }
"#;

#[test]
fn steps_follow_each_other_with_what_the_ones_before_have_captured() {
    let service = Service::open();
    let outcome = run(&service, 3, 2, LOGIN);
    let (passed, total) = outcome.rate("checks", &[]);
    assert_eq!((passed, total), (6 * 14, 6 * 14));
    assert_eq!(outcome.rate("checks", &[("check", "login: status is 201")]), (6, 6));
    assert_eq!(outcome.rate("http_req_failed", &[]), (0, 12));
    assert_eq!(outcome.count("http_reqs", &[("name", "login"), ("status", "201")]), 6);
    assert_eq!(outcome.count("http_req_duration", &[("name", "item")]), 6);
    assert_eq!(outcome.count("group_duration", &[("group", "session")]), 6);
    let seen = service.seen.lock().unwrap();
    let (method, path, body) = &seen.requests[0];
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/login"));
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, serde_json::json!({ "user": "me", "number": 3 }));
    let items: HashSet<&str> = seen
        .requests
        .iter()
        .map(|(_, path, _)| path.as_str())
        .filter(|path| path.starts_with("/items/"))
        .collect();
    let wanted: Vec<String> = (1..=6).map(|n| format!("/items/eight?t=t%22me&n={n}")).collect();
    assert_eq!(items, wanted.iter().map(String::as_str).collect());
    let header = |at: usize, name: &str| seen.headers[at][name].to_str().unwrap().to_owned();
    assert_eq!(
        (header(0, "x-general"), header(0, "content-type")),
        ("general".into(), "application/json".into())
    );
    assert!(header(0, "x-both").starts_with("own "));
    let matches = seen.headers.iter().filter_map(|headers| headers.get("if-match"));
    assert_eq!(matches.map(|value| value.to_str().unwrap()).collect::<Vec<_>>(), ["v-1"; 6]);
}

#[test]
fn each_user_keeps_its_connection_unless_it_is_told_not_to() {
    let service = Service::open();
    let step = "[[scenarios.any.params.steps]]\nurl = \"/items/1\"\n";
    let connections = |service: &Service| {
        service.seen.lock().unwrap().clients.drain(..).collect::<HashSet<_>>().len()
    };
    let kept = run(&service, 5, 3, step);
    assert_eq!((connections(&service), kept.count("http_req_connecting", &[])), (3, 3));
    let opened = run(&service, 5, 3, &format!("reuseConnections = false\n{step}"));
    assert_eq!((connections(&service), opened.count("http_req_connecting", &[])), (15, 15));
    let own = run(&service, 2, 4, &format!("ownAddresses = true\n{step}"));
    assert_eq!(own.count("http_reqs", &[]), 8);
    let clients: HashSet<_> =
        service.seen.lock().unwrap().clients.iter().map(std::net::SocketAddr::ip).collect();
    assert_eq!(clients.len(), 4);
}

#[test]
fn bodies_of_every_kind_arrive() {
    let service = Service::open();
    let steps = r#"
[[scenarios.any.params.steps]]
method = "POST"
url = "/form"
form = { "a b" = "${env.WHO}&", c = "ü" }
check = { contains = "a%20b=me%26&c=%C3%BC" }
[[scenarios.any.params.steps]]
method = "PUT"
url = "/status/204"
body = "plain ${iteration}"
check = { status = "2xx" }
[[scenarios.any.params.steps]]
url = "/chunks"
check = { json = { "$.a" = 1 } }
[[scenarios.any.params.steps]]
method = "HEAD"
url = "/items/1"
[[scenarios.any.params.steps]]
method = "DELETE"
url = "/status/200"
[[scenarios.any.params.steps]]
url = "/redirect"
check = { status = 302, headers = { location = "/items/9" } }
"#;
    let outcome = run(&service, 2, 1, steps);
    let (passed, total) = outcome.rate("checks", &[]);
    assert_eq!((passed, total), (10, 10));
    assert_eq!(outcome.rate("http_req_failed", &[]), (0, 12));
    let seen = service.seen.lock().unwrap();
    let puts = seen.requests.iter().filter(|(method, ..)| method == "PUT");
    assert_eq!(puts.map(|(_, _, body)| body.as_str()).collect::<Vec<_>>(), ["plain 0", "plain 1"]);
    assert_eq!(
        seen.clients.iter().collect::<HashSet<_>>().len(),
        1,
        "one connection carried them all"
    );
}

#[test]
fn a_step_that_fails_ends_its_iteration_unless_it_is_to_go_on() {
    let service = Service::open();
    let steps = |go_on: bool| {
        format!(
            "[[scenarios.any.params.steps]]\nname = \"bad\"\nurl = \"/status/503\"\ngoOn = {go_on}\n\
             [[scenarios.any.params.steps]]\nname = \"next\"\nurl = \"/items/1\"\n"
        )
    };
    let ended = run(&service, 2, 1, &steps(false));
    assert_eq!(ended.count("http_reqs", &[("name", "next")]), 0);
    assert_eq!(ended.rate("http_req_failed", &[]), (2, 2));
    assert_eq!(ended.count("iterations", &[]), 2);
    let went_on = run(&service, 2, 1, &steps(true));
    assert_eq!(went_on.count("http_reqs", &[("name", "next")]), 2);
    let unmet = "[[scenarios.any.params.steps]]\nname = \"x\"\nurl = \"/items/1\"\n\
                 capture = { nothing = \"json $.nothing\" }\n\
                 [[scenarios.any.params.steps]]\nurl = \"/items/${nothing}\"\n";
    let without = run(&service, 1, 1, unmet);
    assert_eq!(without.rate("checks", &[("check", "x: nothing is found")]), (0, 1));
    assert_eq!(without.count("http_reqs", &[]), 1);
    assert_eq!(without.rate("http_req_failed", &[]), (0, 1), "the answer itself was good");
}

/// Answers a request, and closes the connection when the next one has come, as a server does that times out.
fn forgetful() -> (std::net::SocketAddr, std::thread::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = std::thread::spawn(move || {
        let mut connections = 0;
        // Two users of two iterations: a connection for each request.
        for stream in listener.incoming().take(2) {
            let stream = stream.unwrap();
            connections += 1;
            let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            // The client's next request, if it comes over this connection, is read and never answered.
            if connections == 1 {
                while lines.next().is_some_and(|line| !line.is_empty()) {}
            }
        }
        connections
    });
    (address, serve)
}

#[test]
fn a_connection_that_the_server_has_closed_costs_no_request_that_may_be_repeated() {
    let (address, serve) = forgetful();
    let toml = format!(
        "[scenarios.any]\nexecutor = \"per-vu-iterations\"\nexec = \"http\"\niterations = 2\n[scenarios.any.params]\n\
         baseUrl = \"http://{address}\"\n[[scenarios.any.params.steps]]\nurl = \"/\"\n"
    );
    let outcome = perform(&toml, &targets("http://127.0.0.1:1", "127.0.0.1:1"));
    assert_eq!(outcome.rate("http_req_failed", &[]), (0, 2));
    assert_eq!(serve.join().unwrap(), 2);
}

#[test]
fn and_one_that_may_not_is_told_as_broken() {
    let (address, serve) = forgetful();
    let toml = format!(
        "[scenarios.any]\nexecutor = \"per-vu-iterations\"\nexec = \"http\"\niterations = 3\n[scenarios.any.params]\n\
         baseUrl = \"http://{address}\"\n[[scenarios.any.params.steps]]\nmethod = \"POST\"\nurl = \"/\"\n"
    );
    let outcome = perform(&toml, &targets("http://127.0.0.1:1", "127.0.0.1:1"));
    assert_eq!(outcome.count("http_reqs", &[("error", "broken")]), 1);
    assert_eq!(outcome.rate("http_req_failed", &[]), (1, 3));
    assert_eq!(serve.join().unwrap(), 2);
}

#[test]
fn a_service_that_is_not_there_and_one_that_is_silent_are_told_apart() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let toml = |address: std::net::SocketAddr| {
        format!(
            "[scenarios.any]\nexecutor = \"per-vu-iterations\"\nexec = \"http\"\n[scenarios.any.params]\n\
             timeout = \"200ms\"\nbaseUrl = \"http://{address}\"\n[[scenarios.any.params.steps]]\nurl = \"/\"\n\
             check = {{ status = 200 }}\n"
        )
    };
    let targets = targets("http://127.0.0.1:1", "127.0.0.1:1");
    let outcome = perform(&toml(gone), &targets);
    assert_eq!(outcome.count("http_reqs", &[("error", "connect")]), 1);
    let outcome = perform(&toml(silent.local_addr().unwrap()), &targets);
    assert_eq!(outcome.count("http_reqs", &[("error", "timeout")]), 1);
    assert_eq!(outcome.rate("checks", &[]), (0, 1));
}

#[test]
fn steps_that_are_taken_once_give_their_values_away_or_say_which_of_them_failed() {
    let service = Service::open();
    let once = |check: &str| {
        let toml = format!(
            "[setup]\nbaseUrl = \"http://{}\"\n[[setup.steps]]\nname = \"login\"\nmethod = \"POST\"\nurl = \"/login\"\n\
             json = {{ user = \"u\" }}\ncapture = {{ token = \"json $.token\" }}\n{check}\n\
             [scenarios.a]\nexecutor = \"per-vu-iterations\"\nexec = \"http\"\n[[scenarios.a.params.steps]]\n\
             url = \"http://127.0.0.1:1/${{token}}\"\n",
            service.address
        );
        let phase = super::phase(&toml);
        assert_eq!(phase.given(), ["token"]);
        let targets = targets("http://127.0.0.1:1", "127.0.0.1:1");
        let (params, env, given) = (phase.setup.unwrap(), phase.env, Vec::new());
        loadgen::flow::Once { params, env, given, targets, seed: 1 }.run()
    };
    assert_eq!(once("").unwrap(), [("token".to_owned(), "t\"u".to_owned())]);
    let error = once("check = { contains = \"nothing of it\" }").unwrap_err();
    assert_eq!(error.to_string(), "step \"login\" does not hold: it was answered 201");
}
