//! What a wrong command line, a wrong file and a wrong environment get: a clear message and 104.

use std::net::TcpListener;

use crate::process::{output, text};

/// The one line on standard error of a command that must end with 104.
fn refused(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert_eq!(output.status.code(), Some(104), "{arguments:?}: {}", text(&output.stderr));
    let message = text(&output.stderr);
    assert_eq!(message.trim_end().lines().count(), 1, "not one line: {message}");
    assert!(message.starts_with("error: "), "{message}");
    message
}

#[test]
fn a_scenario_that_does_not_exist() {
    let message = refused(&["run", "no-such-sale", "--no-tui"]);
    assert!(message.contains("no-such-sale") && message.contains("smoke"), "{message}");
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port().to_string();
    for arguments in [
        &["broker", "--listen", &address][..],
        &["service", "gateway", "--port", &port],
        &["service", "order", "--port", &port],
    ] {
        let message = refused(arguments);
        assert!(message.contains(&port), "{message}");
    }
}

#[test]
fn a_kafka_that_is_not_there() {
    // Bound, but nobody listens: the port stays free for the whole test.
    let nobody = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    nobody.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let address = nobody.local_addr().unwrap().as_socket().unwrap().to_string();
    for arguments in [
        &["run", "smoke", "--no-tui", "--kafka", &address][..],
        &["up", "--kafka", &address],
        &["audit", "--kafka", &address],
    ] {
        let message = refused(arguments);
        assert!(message.contains(&address), "{message}");
    }
}

#[test]
fn a_scenario_with_mistakes_is_told_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.toml");
    let scenario = "\
name = \"bad\"
[shop]
declineRate = 7
[chaos]
kill = [\"cashier\"]
first = \"1s\"
every = \"1s\"
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 1
duration = \"1s\"
preAllocatedVUs = 1
";
    std::fs::write(&path, scenario).unwrap();
    let path = path.to_str().unwrap();
    for arguments in [&["run", path, "--no-tui"][..], &["scenarios", "check", path]] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(104));
        let message = text(&output.stderr);
        for part in ["line 3", "declineRate", "line 5", "cashier"] {
            assert!(message.contains(part), "no {part:?} in {message}");
        }
    }
}

#[test]
fn a_second_inventory_without_a_database_is_refused_before_anything_starts() {
    for arguments in [&["run", "smoke", "--no-tui"][..], &["up"]]
        .map(|command| [command, &["--replicas", "inventory=2"]].concat())
    {
        let message = refused(&arguments);
        assert!(message.contains("PostgreSQL") && message.contains("single writer"), "{message}");
    }
}

#[test]
fn a_flag_that_does_not_exist_gets_claps_message() {
    let output = output(&["run", "smoke", "--scal", "2"]);
    assert_eq!(output.status.code(), Some(104));
    assert!(text(&output.stderr).contains("--scale"), "{}", text(&output.stderr));
}

#[test]
fn flags_that_fit_no_scenario_and_outputs_that_cannot_be_had() {
    for (arguments, told) in [
        (&["run", "smoke", "-d", "1s"][..], "--duration is for a file with one scenario"),
        (&["run", "flash-sale", "-u", "5"], "give --duration as well"),
        (&["run", "flash-sale", "-s", "1s:5", "-i", "3"], "exclude each other"),
        (&["run", "flash-sale", "-o", "json=/no/such/folder/x"], "cannot open the output json="),
        (&["scenarios", "new", "a/b"], "is no name for a scenario"),
    ] {
        let message = refused(arguments);
        assert!(message.contains(told), "{message}");
    }
    let output = output(&["run", "smoke", "--out", "jsn=x"]);
    assert_eq!(output.status.code(), Some(104));
    let message = text(&output.stderr);
    assert!(
        message.contains("did you mean \"json\"") && message.contains("hlog=FILE"),
        "{message}"
    );
}

#[test]
fn a_new_scenario_can_be_checked_and_looked_at_before_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().to_str().unwrap();
    let new = ["scenarios", "new", "mine", "--kind", "spike", "--folder", made];
    let written = output(&new);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    assert!(refused(&new).contains("is not overwritten"));
    let path = format!("{made}/mine.toml");
    let checked = output(&["scenarios", "check", &path, "smoke"]);
    let said = text(&checked.stdout);
    assert!(
        said.contains("mine.toml: good, 1 phase") && said.contains("smoke: good, 2 phases"),
        "{said}"
    );
    let plan = text(&output(&["scenarios", "show", &path, "--plan"]).stdout);
    for part in [
        "phase mine",
        "settling",
        "peak rate",
        "file descriptors",
        "iterations{stage:spike}: rate>=99%",
    ] {
        assert!(plan.contains(part), "no {part:?} in {plan}");
    }
}

#[test]
fn help_and_scenarios_explain_themselves() {
    let help = output(&["run", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Examples:"));
    let list = output(&["scenarios", "list"]);
    assert_eq!(list.status.code(), Some(0), "{}", text(&list.stderr));
    let shipped = [
        "targets",
        "smoke",
        "flash-sale",
        "flash-sale-declines",
        "replicas",
        "kafka-away",
        "gateway-silent",
        "kills",
        "load",
        "stress",
        "spike",
        "endurance",
        "spec-load-test",
    ];
    for name in shipped {
        assert!(text(&list.stdout).contains(name));
        let shown = output(&["scenarios", "show", name]);
        assert!(
            text(&shown.stdout).contains("[phases") || text(&shown.stdout).contains("[scenarios")
        );
    }
}
