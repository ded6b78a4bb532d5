//! Where in a JSON document something stands.
//!
//! Nearly every path names one place (`$.items[0].id`). Such a one is found by reading past everything else:
//! a document as a tree costs more than the request that brought it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json_path::JsonPath;

/// A JSON path (RFC 9535), read.
#[derive(Debug)]
pub(super) enum JsonPlace {
    One(Vec<Segment>),
    Any(Box<JsonPath>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Segment {
    Member(String),
    Item(usize),
}

impl JsonPlace {
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let path = JsonPath::parse(text)
            .map_err(|error| format!("{text:?} is no JSON path like \"$.items[0].id\": {error}"))?;
        Ok(segments(text).map_or_else(|| Self::Any(Box::new(path)), Self::One))
    }

    /// What stands there first; nothing either where the text is no JSON.
    pub(super) fn find(&self, text: &[u8]) -> Option<Value> {
        match self {
            Self::One(segments) => {
                let mut reader = serde_json::Deserializer::from_slice(text);
                let found = Seek(segments).deserialize(&mut reader).ok()?;
                reader.end().ok().and(found)
            }
            Self::Any(path) => {
                let document = serde_json::from_slice(text).ok()?;
                path.query(&document).first().cloned()
            }
        }
    }
}

/// The names and indices of a path that is made of nothing else.
fn segments(text: &str) -> Option<Vec<Segment>> {
    let mut rest = text.strip_prefix('$')?;
    let mut segments = Vec::new();
    while !rest.is_empty() {
        let (segment, after) = if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            let mut letters = name.chars();
            let begins = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !begins || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return None;
            }
            (Segment::Member(name.into()), after)
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            (Segment::Item(index.parse().ok()?), after)
        };
        segments.push(segment);
        rest = after;
    }
    Some(segments)
}

/// Reads a value and gives what stands at the place in it.
struct Seek<'a>(&'a [Segment]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            return serde::Deserialize::deserialize(reader).map(Some);
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(self.0.first()))? {
            if is_it {
                // Of two members with one name the last counts, as in a tree.
                found = map.next_value_seed(Seek(self.0.get(1..).unwrap_or_default()))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        for at in 0.. {
            let more = if matches!(self.0.first(), Some(Segment::Item(wanted)) if *wanted == at) {
                let item = items.next_element_seed(Seek(self.0.get(1..).unwrap_or_default()))?;
                item.map(|item| found = item)
            } else {
                items.next_element::<IgnoredAny>()?.map(drop)
            };
            if more.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a member has the name that is looked for.
struct Is<'a>(Option<&'a Segment>);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(matches!(self.0, Some(Segment::Member(wanted)) if wanted == name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn find(path: &str, document: &Value) -> Option<Value> {
        JsonPlace::new(path).unwrap().find(document.to_string().as_bytes())
    }

    #[test]
    fn a_place_is_found_past_everything_else() {
        let document = json!({
            "a": { "b": [1, { "c": "x" }, null], "b2": true }, "n": -1.5, "a b": 3, "text": "\"a\": 1",
        });
        assert_eq!(find("$.a.b[1].c", &document), Some(json!("x")));
        assert_eq!(find("$.a.b[2]", &document), Some(Value::Null));
        assert_eq!(find("$.n", &document), Some(json!(-1.5)));
        assert_eq!(find("$", &document), Some(document.clone()));
        for nothing in ["$.a.b[3]", "$.a.c", "$.n.x", "$.text[0]", "$[0]", "$.a.b.c"] {
            assert_eq!(find(nothing, &document), None, "{nothing}");
        }
        // What names more than one place is left to the library.
        assert_eq!(find("$['a b']", &document), Some(json!(3)));
        assert_eq!(find("$..c", &document), Some(json!("x")));
        assert_eq!(find("$.a.b[-1]", &document), Some(Value::Null));
        let place = JsonPlace::new("$.a").unwrap();
        assert_eq!(place.find(b"{\"a\": 1"), None, "what is cut off is no document");
        assert_eq!(place.find(b"{\"a\": 1} {}"), None);
        assert_eq!(place.find(b"{\"a\": 1, \"a\": 2}"), Some(json!(2)));
        assert!(JsonPlace::new("a.b").unwrap_err().contains("no JSON path"));
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ab\"]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ab]", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_where_the_library_finds_it(document in documents(), path in "(\\.[ab]|\\[[012]\\]){0,3}") {
            let path = format!("${path}");
            prop_assert!(segments(&path).is_some());
            let library = JsonPath::parse(&path).unwrap();
            prop_assert_eq!(find(&path, &document), library.query(&document).first().cloned());
        }
    }
}
