//! From OpenAPI 3.1, which utoipa writes, to the specification's 3.0.3.
//!
//! What the document uses differs in two places only: 3.1 writes `null` as one of several types, and a
//! schema's example in a list. Our optional fields are left out and never null, so that goes.

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
