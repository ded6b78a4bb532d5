//! Reading a JSON body within its bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::ApiError;

/// The largest body that is read. An order has less than 100 bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A body too large is read and thrown away up to here, since a client that is still sending when
/// the connection closes would see a reset in place of the 413.
const MAX_DRAINED_BYTES: usize = 8 * 1024 * 1024;

/// Time for the whole body to arrive: half of the request's, so that the answer says why.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The bytes of a JSON body.
///
/// # Errors
/// 415 for another content type, 413 for more than [`MAX_BODY_BYTES`], 408 for a body that takes longer
/// than [`BODY_TIMEOUT`], 400 when the client breaks off.
pub(crate) async fn json_body(request: Request) -> Result<Bytes, ApiError> {
    let (parts, body) = request.into_parts();
    check_content_type(&parts.headers)?;
    let announced = announced_length(&parts.headers);
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) && waits_for_continue(&parts.headers)
    {
        // Nothing has been sent yet, and now nothing will be.
        return Err(ApiError::too_large(MAX_BODY_BYTES));
    }
    read_within(BODY_TIMEOUT, body).await
}

async fn read_within(patience: Duration, body: Body) -> Result<Bytes, ApiError> {
    tokio::time::timeout(patience, read(body))
        .await
        .unwrap_or_else(|_| Err(ApiError::too_slow(patience.as_secs())))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let found = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("(not text)"));
    let essence = found.and_then(|value| value.split(';').next()).unwrap_or("").trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || essence.to_ascii_lowercase().ends_with("+json");
    if is_json { Ok(()) } else { Err(ApiError::wrong_content_type(found)) }
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn waits_for_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn read(mut body: Body) -> Result<Bytes, ApiError> {
    let mut seen = 0_usize;
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            ApiError::invalid("request body broken off", format!("it could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen > MAX_DRAINED_BYTES {
            break;
        }
        if seen > MAX_BODY_BYTES {
            continue;
        }
        // Nearly every body is one frame: it is not copied.
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    if seen > MAX_BODY_BYTES {
        return Err(ApiError::too_large(MAX_BODY_BYTES));
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn request(content_type: Option<&str>, body: Body) -> Request {
        let mut request = Request::new(body);
        if let Some(content_type) = content_type {
            request.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        request
    }

    fn pieces(pieces: Vec<Vec<u8>>) -> Body {
        Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))
    }

    #[tokio::test]
    async fn json_in_any_dress_is_read_whole() {
        for content_type in ["application/json", "Application/JSON; charset=utf-8", "a/b+json"] {
            let body = pieces(vec![b"{\"a\"".to_vec(), b":1".to_vec(), b"}".to_vec()]);
            let bytes = json_body(request(Some(content_type), body)).await.unwrap();
            assert_eq!(bytes.as_ref(), b"{\"a\":1}");
        }
    }

    #[tokio::test]
    async fn other_content_types_are_refused() {
        for content_type in [None, Some("text/plain"), Some("application/jsonp")] {
            let error = json_body(request(content_type, Body::from("{}"))).await.unwrap_err();
            assert_eq!(error, ApiError::wrong_content_type(content_type));
        }
    }

    #[tokio::test]
    async fn the_limit_is_exact() {
        let largest = Body::from(vec![b' '; MAX_BODY_BYTES]);
        let bytes = json_body(request(Some("application/json"), largest)).await.unwrap();
        assert_eq!(bytes.len(), MAX_BODY_BYTES);
        let larger = pieces(vec![vec![b' '; MAX_BODY_BYTES], vec![b' ']]);
        let error = json_body(request(Some("application/json"), larger)).await.unwrap_err();
        assert_eq!(error, ApiError::too_large(MAX_BODY_BYTES));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let error = read_within(Duration::from_millis(1), body).await.unwrap_err();
        assert_eq!(error, ApiError::too_slow(0));
    }
}
