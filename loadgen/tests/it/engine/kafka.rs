//! The pipe through a broker.

use super::perform;
use super::shop::targets;

#[test]
fn every_message_comes_back_once() {
    let broker = sim::Broker::start().unwrap();
    let toml = r#"
[scenarios.pipe]
executor = "constant-arrival-rate"
exec = "kafka-pipe"
rate = 50
duration = "1s"
preAllocatedVUs = 50
[scenarios.pipe.params]
messages = 40
"#;
    let outcome = perform(toml, &targets("http://127.0.0.1:1", &broker.address().to_string()));
    assert_eq!(outcome.count("kafka_messages_sent", &[]), 2000);
    assert_eq!(outcome.count("kafka_messages_received", &[]), 2000);
    assert_eq!(outcome.count("kafka_latency", &[]), 2000);
    for never in ["kafka_messages_lost", "kafka_messages_duplicated", "kafka_errors"] {
        assert_eq!(outcome.count(never, &[]), 0, "{never}");
    }
    assert_eq!(outcome.rate("checks", &[]), (50, 50));
}
