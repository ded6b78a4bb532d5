//! Reading a JSON body into a type.

use axum::extract::Request;
use serde::de::DeserializeOwned;

use super::{ApiError, json_body};

/// The body of `request`, a JSON object. `wrong` says in a few words what it is when it is not a `T`.
///
/// # Errors
/// As [`json_body`], and 400 with `wrong` for what is no `T`.
pub(crate) async fn json<T: DeserializeOwned>(
    request: Request,
    wrong: &'static str,
) -> Result<T, ApiError> {
    read(&json_body(request).await?).map_err(|details| ApiError::invalid(wrong, details))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    // A struct would be read from a list too.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err("send a JSON object: /openapi.json describes it".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use contract::management::Faults;

    use super::*;

    #[test]
    fn only_objects_are_read_and_what_is_wrong_is_named() {
        let faults = read::<Faults>(b" {\"error_rate\":0.5}").unwrap();
        assert_eq!(faults, Faults { error_rate: Some(0.5), ..Faults::default() });
        for no_object in ["", "[0.5]", "null", "\"{}\"", "0.5"] {
            let wrong = read::<Faults>(no_object.as_bytes()).unwrap_err();
            assert!(wrong.contains("JSON object"), "{no_object}: {wrong}");
        }
        let wrong = read::<Faults>(b"{\"error_rate\":\"often\"}").unwrap_err();
        assert!(wrong.contains("often") && wrong.contains("line 1"), "{wrong}");
    }
}
