//! The specification's schemas of events (§3.1), with those of our own, and its structure of records (§3.2):
//! a judge of every record that tests find on the shop's topics. `events.json` holds them.

mod topics;

use std::collections::BTreeMap;

use contract::topics::Topic;
use jsonschema::Validator;
use rskafka::record::Record;
use serde_json::{Map, Value, json};

pub(crate) use topics::judge_all;

/// Suffix of the topics for what nobody can read.
const DEAD_LETTER: &str = ".dead-letter";

pub(crate) struct Schemas {
    events: BTreeMap<String, Validator>,
    headers: Validator,
    dead_letter_headers: Validator,
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).unwrap()
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let whole: Value = serde_json::from_str(include_str!("events.json")).unwrap();
        let mut events = BTreeMap::new();
        for part in ["event_schemas", "extensions"] {
            for schema in whole[part].as_object().unwrap().values() {
                let types = schema["properties"]["event_type"]["enum"].as_array().unwrap();
                for event_type in types {
                    events.insert(event_type.as_str().unwrap().to_owned(), validator(schema));
                }
            }
        }
        let headers = validator(&whole["headers"]);
        let dead_letter_headers = validator(&whole["dead_letter_headers"]);
        Self { events, headers, dead_letter_headers }
    }

    /// The type of event that a record on `topic` holds.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn judge(&self, topic: &str, record: &Record) -> Result<String, String> {
        let headers = record.headers.iter().map(|(name, value)| {
            (name.clone(), Value::from(String::from_utf8_lossy(value).into_owned()))
        });
        let headers = Value::Object(headers.collect::<Map<_, _>>());
        if topic.ends_with(DEAD_LETTER) {
            return check(&self.dead_letter_headers, &headers).map(|()| "dead letter".to_owned());
        }
        check(&self.headers, &headers)?;
        let value = record.value.as_deref().ok_or("no value")?;
        let event: Value = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let event_type = event["event_type"].as_str().ok_or("no event_type")?;
        let schema = self.events.get(event_type).ok_or(format!("{event_type} has no schema"))?;
        check(schema, &event)?;
        let same = |what: &str, wanted: &Value, found: Value| {
            let wrong = || format!("{what} is {found}, and the event says {wanted}");
            if *wanted == found { Ok(()) } else { Err(wrong()) }
        };
        let key = record.key.as_deref().map(String::from_utf8_lossy);
        same("the key", &event["order_id"], json!(key))?;
        same("event-type", &event["event_type"], headers["event-type"].clone())?;
        let producer =
            Topic::ALL.into_iter().find(|known| known.name() == topic).map(Topic::producer);
        match (producer, headers["producer-service"].as_str()) {
            (Some(wanted), Some(found)) if wanted == found => Ok(event_type.to_owned()),
            (wanted, found) => Err(format!("{found:?} wrote to {topic}, which is {wanted:?}'s")),
        }
    }
}

fn check(schema: &Validator, value: &Value) -> Result<(), String> {
    let wrong: Vec<_> = schema.iter_errors(value).map(|error| error.to_string()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:?} in {value}")) }
}
