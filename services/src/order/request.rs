//! A request body to an order, or to a message that says what to change. Pure.

use contract::events::QUANTITY;
use contract::http::CreateOrderRequest;
use contract::ids::ProductId;
use serde_json::{Map, Value};

/// Longest `Idempotency-Key`.
const MAX_KEY_LENGTH: usize = 255;

/// Why a request is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("the body is not JSON: {0}")]
    Json(String),
    #[error("the body is {0}: send an object like {EXAMPLE}")]
    NotAnObject(&'static str),
    #[error("{0} is missing: send an object like {EXAMPLE}")]
    Missing(&'static str),
    #[error("product_id is {0}: send a string, product-1, product-2 or product-3")]
    ProductType(&'static str),
    #[error("{0}")]
    Product(String),
    #[error("quantity is {0}: send a whole number from {min} to {max}",
            min = QUANTITY.start(), max = QUANTITY.end())]
    Quantity(String),
    #[error("Idempotency-Key has to be 1 to {MAX_KEY_LENGTH} printable ASCII characters")]
    Key,
}

const EXAMPLE: &str = r#"{"product_id": "product-1", "quantity": 2}"#;

impl Invalid {
    /// What is wrong, in a few words.
    pub(super) const fn summary(&self) -> &'static str {
        match self {
            Self::Json(_) => "invalid JSON",
            Self::NotAnObject(_) => "invalid request body",
            Self::Missing(_) => "missing field",
            Self::ProductType(_) => "invalid product_id",
            Self::Product(_) => "unknown product",
            Self::Quantity(_) => "invalid quantity",
            Self::Key => "invalid Idempotency-Key",
        }
    }
}

/// Reads the body of `POST /order`. Unknown fields are ignored.
///
/// # Errors
/// [`Invalid`], naming the first field that is wrong.
pub(super) fn parse(body: &[u8]) -> Result<CreateOrderRequest, Invalid> {
    match serde_json::from_slice::<CreateOrderRequest>(body) {
        Ok(order) if QUANTITY.contains(&order.quantity) => Ok(order),
        Ok(order) => Err(Invalid::Quantity(order.quantity.to_string())),
        // Only a wrong body is looked at again: what the decoder says names no field.
        Err(error) => parse_slowly(body, &error),
    }
}

fn parse_slowly(body: &[u8], error: &serde_json::Error) -> Result<CreateOrderRequest, Invalid> {
    let fields = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => fields,
        Ok(other) => return Err(Invalid::NotAnObject(kind(&other))),
        Err(_) if body.is_empty() => return Err(Invalid::NotAnObject("empty")),
        Err(_) => return Err(Invalid::Json(error.to_string())),
    };
    Ok(CreateOrderRequest { product_id: product_id(&fields)?, quantity: quantity(&fields)? })
}

fn product_id(fields: &Map<String, Value>) -> Result<ProductId, Invalid> {
    let value = fields.get("product_id").ok_or(Invalid::Missing("product_id"))?;
    let text = value.as_str().ok_or_else(|| Invalid::ProductType(kind(value)))?;
    let text: String = text.chars().take(MAX_QUOTED).collect();
    text.parse()
        .map_err(|unknown: contract::ids::UnknownProduct| Invalid::Product(unknown.to_string()))
}

/// Longest piece of the body that a message repeats.
const MAX_QUOTED: usize = 40;

fn quantity(fields: &Map<String, Value>) -> Result<u32, Invalid> {
    let value = fields.get("quantity").ok_or(Invalid::Missing("quantity"))?;
    let quantity = value.as_u64().and_then(|quantity| u32::try_from(quantity).ok());
    quantity.filter(|quantity| QUANTITY.contains(quantity)).ok_or_else(|| {
        Invalid::Quantity(match value {
            Value::Number(number) => number.to_string(),
            other => kind(other).to_owned(),
        })
    })
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Reads an `Idempotency-Key`.
///
/// # Errors
/// [`Invalid::Key`] for one that is empty, too long or not printable.
pub(super) fn idempotency_key(header: &[u8]) -> Result<&str, Invalid> {
    let printable = header.iter().all(|byte| (b' '..=b'~').contains(byte));
    if header.is_empty() || header.len() > MAX_KEY_LENGTH || !printable {
        return Err(Invalid::Key);
    }
    std::str::from_utf8(header).map_err(|_| Invalid::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_and_unknown_fields_are_ignored() {
        let body = br#"{"product_id":"product-2","quantity":100,"gift":true}"#;
        let order = CreateOrderRequest { product_id: ProductId::Product2, quantity: 100 };
        assert_eq!(parse(body), Ok(order));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("", "invalid request body", "empty"),
            ("{\"product_id\":", "invalid JSON", "line 1"),
            ("[1]", "invalid request body", "an array"),
            ("null", "invalid request body", "null"),
            (r#"{"quantity":1}"#, "missing field", "product_id"),
            (r#"{"product_id":"product-1"}"#, "missing field", "quantity"),
            (r#"{"product_id":"product-9","quantity":1}"#, "unknown product", "product-9"),
            (r#"{"product_id":7,"quantity":1}"#, "invalid product_id", "a number"),
            (r#"{"product_id":"product-1","quantity":0}"#, "invalid quantity", "is 0"),
            (r#"{"product_id":"product-1","quantity":101}"#, "invalid quantity", "is 101"),
            (r#"{"product_id":"product-1","quantity":1.5}"#, "invalid quantity", "is 1.5"),
            (r#"{"product_id":"product-1","quantity":-1}"#, "invalid quantity", "is -1"),
            (r#"{"product_id":"product-1","quantity":1e99}"#, "invalid quantity", "is 1e"),
            (r#"{"product_id":"product-1","quantity":"2"}"#, "invalid quantity", "a string"),
            (r#"{"product_id":"product-1","quantity":null}"#, "invalid quantity", "null"),
        ];
        for (body, summary, details) in wrong {
            let invalid = parse(body.as_bytes()).unwrap_err();
            assert_eq!(invalid.summary(), summary, "{body}");
            assert!(invalid.to_string().contains(details), "{body}: {invalid}");
        }
    }

    #[test]
    fn a_message_does_not_repeat_a_whole_body() {
        let body = format!(r#"{{"product_id":"{}","quantity":1}}"#, "x".repeat(50_000));
        assert!(parse(body.as_bytes()).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn keys_are_printable_and_bounded() {
        assert_eq!(idempotency_key(b"attempt 1"), Ok("attempt 1"));
        assert!(idempotency_key(&[b'k'; MAX_KEY_LENGTH]).is_ok());
        for wrong in [&b""[..], &[b'k'; MAX_KEY_LENGTH + 1], b"tab\t", "schlüssel".as_bytes()] {
            assert_eq!(idempotency_key(wrong), Err(Invalid::Key));
        }
    }
}
