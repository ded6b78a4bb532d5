//! What clients ask Metadata for.

use kafka_protocol::messages as m;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::protocol::StrBytes;
use sim::Broker;
use uuid::Uuid;

use crate::wire::Wire;

const VERSION: i16 = 12;

async fn ask(wire: &mut Wire, wanted: MetadataRequestTopic) -> (i16, Uuid, Option<String>) {
    let request = m::MetadataRequest::default().with_topics(Some(vec![wanted]));
    let response = wire.call(VERSION, &request).await;
    let topic = &response.topics[0];
    (topic.error_code, topic.topic_id, topic.name.as_ref().map(|name| name.to_string()))
}

#[tokio::test]
async fn a_topic_is_found_by_its_id_whatever_name_comes_with_it() {
    let broker = Broker::start().unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    let name = |name: &'static str| Some(TopicName(StrBytes::from_static_str(name)));
    let wanted = MetadataRequestTopic::default().with_name(name("orders"));
    let (_, id, _) = ask(&mut wire, wanted).await;
    // kafka-clients 4.1 sends an empty name, others send none.
    for beside in [name(""), None] {
        let wanted = MetadataRequestTopic::default().with_name(beside).with_topic_id(id);
        assert_eq!(ask(&mut wire, wanted).await, (0, id, Some("orders".to_owned())));
    }
    let unknown = Uuid::from_u128(7);
    let wanted = MetadataRequestTopic::default().with_name(name("")).with_topic_id(unknown);
    let (error, id, _) = ask(&mut wire, wanted).await;
    assert_eq!((error, id), (100, unknown), "UNKNOWN_TOPIC_ID");
}
