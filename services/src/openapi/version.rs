//! From OpenAPI 3.1, which utoipa writes, to the specification's 3.0.3.
//!
//! What the document uses differs in one way only: 3.1 writes `null` as one of several types. Our optional
//! fields are left out and never null, so that goes.

use serde_json::Value;

const VERSION: &str = "3.0.3";

pub(super) fn to_3_0(mut document: Value) -> Value {
    document["openapi"] = VERSION.into();
    downgrade(&mut document);
    document
}

fn downgrade(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(kind) = fields.get_mut("type") {
                without_null(kind);
            }
            if let Some(only) = fields.get_mut("oneOf").and_then(without_null_schema) {
                *value = only;
                return downgrade(value);
            }
            fields.values_mut().for_each(downgrade);
        }
        Value::Array(items) => items.iter_mut().for_each(downgrade),
        _ => (),
    }
}

fn without_null(kind: &mut Value) {
    let Value::Array(kinds) = kind else { return };
    kinds.retain(|kind| kind != "null");
    if let [only] = kinds.as_slice() {
        *kind = only.clone();
    }
}

/// What is left of two schemas when one of them is null.
fn without_null_schema(schemas: &mut Value) -> Option<Value> {
    let schemas = schemas.as_array_mut()?;
    schemas.retain(|schema| schema["type"] != "null");
    if let [only] = schemas.as_mut_slice() { Some(only.take()) } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_goes_and_everything_else_stays() {
        let newer = json!({"openapi": "3.1.0", "schemas": [
            {"type": ["string", "null"], "format": "uuid"},
            {"oneOf": [{"type": "null"}, {"$ref": "#/a"}], "description": "optional"},
            {"oneOf": [{"$ref": "#/a"}, {"$ref": "#/b"}]},
        ]});
        let older = json!({"openapi": "3.0.3", "schemas": [
            {"type": "string", "format": "uuid"},
            {"$ref": "#/a"},
            {"oneOf": [{"$ref": "#/a"}, {"$ref": "#/b"}]},
        ]});
        assert_eq!(to_3_0(newer), older);
    }
}
