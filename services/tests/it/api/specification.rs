//! Nothing of the specification's §5.1 (`specification.json` holds its facts) is missing from our document,
//! and nothing differs. More than it may be there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::Document;

fn specification() -> Value {
    serde_json::from_str(include_str!("specification.json")).unwrap()
}

/// Lists in which the order says nothing.
const SETS: [&str; 3] = ["enum", "required", "tags"];

/// Walks the specification's side and says where ours differs.
struct Comparison<'a> {
    specification: &'a Value,
    ours: &'a Value,
    differences: Vec<String>,
}

impl<'a> Comparison<'a> {
    fn of(specification: &'a Value, ours: &'a Value) -> Vec<String> {
        let mut comparison = Self { specification, ours, differences: Vec::new() };
        comparison.compare("", specification, ours);
        comparison.differences
    }

    fn compare(&mut self, at: &str, wanted: &'a Value, found: &'a Value) {
        let wanted = resolve(self.specification, wanted);
        let found = resolve(self.ours, found);
        match (wanted, found) {
            (Value::Object(wanted), Value::Object(found)) => {
                for (key, value) in wanted {
                    let at = format!("{at}/{key}");
                    match found.get(key) {
                        Some(found) => self.compare(&at, value, found),
                        None => self.differences.push(format!("{at} is missing")),
                    }
                }
            }
            (Value::Array(wanted), Value::Array(found)) => self.lists(at, wanted, found),
            (wanted, found) if wanted == found => (),
            (wanted, found) => self.differences.push(format!("{at}: {found}, not {wanted}")),
        }
    }

    fn lists(&mut self, at: &str, wanted: &'a [Value], found: &'a [Value]) {
        let key = at.rsplit('/').next().unwrap_or_default();
        if key == "parameters" {
            for parameter in wanted {
                let same = |other: &&Value| {
                    ["name", "in"].iter().all(|field| other[field] == parameter[field])
                };
                let at = format!("{at}/{}", parameter["name"]);
                match found.iter().find(same) {
                    Some(found) => self.compare(&at, parameter, found),
                    None => self.differences.push(format!("{at} is missing")),
                }
            }
        } else if SETS.contains(&key) {
            let texts = |list: &[Value]| list.iter().map(Value::to_string).collect::<BTreeSet<_>>();
            let (wanted, found) = (texts(wanted), texts(found));
            // What a request must have is the same, neither less nor more; an answer may promise more.
            let exact = key != "required" || at.contains("Request");
            if found != wanted && (exact || !found.is_superset(&wanted)) {
                self.differences.push(format!("{at}: {found:?}, not {wanted:?}"));
            }
        } else if wanted.len() == found.len() {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                self.compare(&format!("{at}/{index}"), wanted, found);
            }
        } else {
            self.differences.push(format!("{at}: {} entries, not {}", found.len(), wanted.len()));
        }
    }
}

/// What a reference stands for.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null)
        }
        None => value,
    }
}

#[tokio::test]
async fn nothing_of_the_specifications_api_is_missing_or_differs() {
    let gateway = crate::edge::child::Service::start(&["gateway", "--port", "0"]).await;
    let document = Document::of(gateway.address).await;
    let specification = specification();
    let differences = Comparison::of(&specification, document.json());
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Every single fact of the specification, changed, is a difference: none is overlooked.
#[test]
fn each_fact_of_the_specification_is_compared() {
    let ours = specification();
    let mut facts = 0;
    for fact in leaves("", &ours) {
        let mut changed = ours.clone();
        let leaf = changed.pointer_mut(&fact).unwrap();
        // A reference is followed: what it names is changed in its own place.
        if fact.ends_with("$ref") {
            continue;
        }
        *leaf = "planted".into();
        assert!(!Comparison::of(&changed, &ours).is_empty(), "{fact} is not compared");
        facts += 1;
    }
    assert!(facts > 75, "only {facts} facts");
}

/// Where the document's values stand that have none inside.
fn leaves(at: &str, value: &Value) -> Vec<String> {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (escaped(key), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => return vec![at.to_owned()],
    };
    inside.into_iter().flat_map(|(key, value)| leaves(&format!("{at}/{key}"), value)).collect()
}

/// As RFC 6901 writes a key.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
