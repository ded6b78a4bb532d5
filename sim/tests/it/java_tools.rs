//! Kafka's own command-line tools. They need Java and a directory of jars in
//! KAFKA_TOOLS_CLASSPATH (see `tests/clients/pom.xml`); without it the tests say so and pass.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use sim::Broker;

const RECORDS: usize = 50;

struct Tools {
    classpath: String,
    address: String,
}

impl Tools {
    fn for_broker(broker: &Broker) -> Option<Self> {
        let Ok(directory) = std::env::var("KAFKA_TOOLS_CLASSPATH") else {
            println!("skipped: KAFKA_TOOLS_CLASSPATH names no directory of jars");
            return None;
        };
        Some(Self { classpath: format!("{directory}/*"), address: broker.address().to_string() })
    }

    fn run(&self, class: &str, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new("java")
            .args(["-XX:TieredStopAtLevel=1", "-cp", &self.classpath])
            .arg(format!("org.apache.kafka.tools.{class}"))
            .args(["--bootstrap-server", &self.address])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("java starts");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    fn succeed(&self, class: &str, arguments: &[&str], input: &str) -> String {
        let output = self.run(class, arguments, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{class} {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn kafka_topics_creates_lists_describes_and_deletes() {
    let broker = Broker::start().unwrap();
    let Some(tools) = Tools::for_broker(&broker) else { return };
    let topics = |arguments: &[&str]| tools.succeed("TopicCommand", arguments, "");
    let create = ["--create", "--topic", "orders", "--partitions", "3"];
    topics(&[&create[..], &["--config", "retention.ms=60000"]].concat());
    assert!(!tools.run("TopicCommand", &create, "").status.success(), "it exists already");
    assert_eq!(topics(&["--list"]).trim(), "orders");
    let described = topics(&["--describe", "--topic", "orders"]);
    assert!(described.contains("PartitionCount: 3"), "{described}");
    assert!(described.contains("retention.ms=60000"), "{described}");
    topics(&["--delete", "--topic", "orders"]);
    assert_eq!(topics(&["--list"]).trim(), "");
}

#[test]
fn the_console_producer_and_a_console_consumer_group_exchange_records() {
    let broker = Broker::start().unwrap();
    let Some(tools) = Tools::for_broker(&broker) else { return };
    let lines: Vec<String> = (0..RECORDS).map(|at| format!("record-{at:03}")).collect();
    tools.succeed("ConsoleProducer", &["--topic", "orders"], &(lines.join("\n") + "\n"));
    let count = RECORDS.to_string();
    let consume = |count: &str| {
        let arguments = ["--topic", "orders", "--group", "readers", "--from-beginning"];
        let limit = ["--max-messages", count, "--timeout-ms", "30000"];
        let arguments = [&arguments[..], &limit].concat();
        let read = tools.succeed("consumer.ConsoleConsumer", &arguments, "");
        let mut read: Vec<String> = read.lines().map(str::to_owned).collect();
        read.sort();
        read
    };
    assert_eq!(consume(&count), lines);
    // The group has committed: it goes on behind what it has read.
    tools.succeed("ConsoleProducer", &["--topic", "orders"], "one more\n");
    assert_eq!(consume("1"), ["one more"]);
    let described = tools.succeed(
        "consumer.group.ConsumerGroupCommand",
        &["--describe", "--group", "readers"],
        "",
    );
    assert!(described.contains("orders"), "{described}");
}
