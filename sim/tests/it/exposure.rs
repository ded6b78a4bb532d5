//! Who can reach the broker, and that it goes on when it runs out of descriptors.

use kafka_protocol::messages as m;
use sim::Broker;

use crate::process::BrokerProcess;
use crate::wire::Wire;

#[test]
fn by_default_only_this_machine_reaches_it() {
    assert!(Broker::start().unwrap().address().ip().is_loopback());
    let process = BrokerProcess::start_on("127.0.0.1:0", None, &[]);
    assert!(process.address.ip().is_loopback());
    assert_eq!(process.stop(), "", "there is nothing to warn of");
}

#[test]
fn a_wider_bind_is_warned_of_in_one_line() {
    let process = BrokerProcess::start_on("0.0.0.0:0", None, &[]);
    let address = process.address.to_string();
    let errors = process.stop();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("warning: ") && errors.contains(&address), "{errors}");
}

#[tokio::test]
async fn without_descriptors_the_listener_waits_and_goes_on() {
    let process = BrokerProcess::start_on("127.0.0.1:0", Some(40), &[]);
    let mut connections = Vec::new();
    for _ in 0..60 {
        connections.push(Wire::connect(process.address).await);
    }
    connections[0].call(0, &m::ApiVersionsRequest::default()).await;
    connections.drain(..45);
    // The last one's turn comes when the first ones have gone.
    let last = connections.last_mut().unwrap();
    last.call(0, &m::ApiVersionsRequest::default()).await;
}
