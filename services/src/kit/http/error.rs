//! The one place that knows HTTP status codes, and the one shape of every error
//! ([`contract::http::ErrorResponse`]).

use std::borrow::Cow;

use axum::Json;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::Timestamp;
use contract::http::ErrorResponse;
use serde::Serialize;

/// An error on its way to the client. [`finish`] gives it its body, for only the server knows the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    /// What is wrong, in a few words.
    error: Cow<'static, str>,
    /// What to do about it.
    details: Cow<'static, str>,
    retry_after_seconds: Option<u64>,
}

type Text = Cow<'static, str>;

impl ApiError {
    fn new(status: StatusCode, error: impl Into<Text>, details: impl Into<Text>) -> Self {
        Self { status, error: error.into(), details: details.into(), retry_after_seconds: None }
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// 400: the request itself is wrong, and will be however often it is sent.
    pub(crate) fn invalid(error: impl Into<Text>, details: impl Into<Text>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, details)
    }

    /// 403.
    pub(crate) fn forbidden(error: impl Into<Text>, details: impl Into<Text>) -> Self {
        Self::new(StatusCode::FORBIDDEN, error, details)
    }

    /// 404: the path is right, what it names does not exist.
    pub(crate) fn not_found(error: impl Into<Text>, details: impl Into<Text>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, details)
    }

    /// 404: no such path.
    pub(crate) fn unknown_path(path: &str) -> Self {
        Self::not_found("unknown path", format!("nothing is served at {}", shortened(path)))
    }

    /// 405. The `Allow` header is the router's.
    pub(crate) fn wrong_method(method: &Method, path: &str) -> Self {
        let details = format!(
            "{} does not take {}: see the Allow header for what it takes",
            shortened(path),
            shortened(method.as_str())
        );
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed", details)
    }

    /// 408: the client did not send its request in time.
    pub(crate) fn too_slow(seconds: u64) -> Self {
        let details = format!("the body has to arrive within {seconds} s: send it again");
        Self::new(StatusCode::REQUEST_TIMEOUT, "request timed out", details)
    }

    /// 409: not as things stand.
    pub(crate) fn conflict(error: impl Into<Text>, details: impl Into<Text>) -> Self {
        Self::new(StatusCode::CONFLICT, error, details)
    }

    /// 413.
    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        let details = format!("send at most {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request body too large", details)
    }

    /// 415.
    pub(crate) fn wrong_content_type(found: Option<&str>) -> Self {
        let details = match found {
            Some(found) => {
                format!("send Content-Type: application/json instead of {}", shortened(found))
            }
            None => "send Content-Type: application/json".to_owned(),
        };
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported content type", details)
    }

    /// 422: well formed, but it contradicts what an earlier request said.
    pub(crate) fn contradiction(error: impl Into<Text>, details: impl Into<Text>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error, details)
    }

    /// 426: a WebSocket path was asked for without the handshake's headers.
    pub(crate) fn upgrade_required() -> Self {
        let details = "this path speaks WebSocket: connect with ws:// and the upgrade headers";
        Self::new(StatusCode::UPGRADE_REQUIRED, "WebSocket handshake expected", details)
    }

    /// 429.
    pub(crate) fn too_many(
        error: impl Into<Text>,
        details: impl Into<Text>,
        retry_after_seconds: u64,
    ) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, error, details).retry_after(retry_after_seconds)
    }

    /// 500: the fault is ours, and whether the request took effect is not known.
    pub(crate) fn internal(error: impl Into<Text>, details: impl Into<Text>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error, details)
    }

    /// 503: not now; the same request may well succeed later.
    pub(crate) fn unavailable(
        error: impl Into<Text>,
        details: impl Into<Text>,
        retry_after_seconds: u64,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, details).retry_after(retry_after_seconds)
    }

    /// The whole answer as it stands on the wire, for a connection that is closed with it.
    pub(super) fn raw(self, now: Timestamp) -> Vec<u8> {
        let (status, retry_after) = (self.status, self.retry_after_seconds.unwrap_or_default());
        // Serializing plain structs into memory has no way to fail.
        let body = serde_json::to_vec(&self.body(now)).unwrap_or_default();
        let mut answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             retry-after: {retry_after}\r\nconnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        answer
    }

    fn body(self, now: Timestamp) -> ErrorResponse {
        ErrorResponse {
            error: self.error.into_owned(),
            details: self.details.into_owned(),
            timestamp: now,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The answers that are no errors and still not 200.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    Ok(T),
    /// 402: the card was declined; the body is the same charge.
    PaymentRequired(T),
    /// 503 with a body of its own: `GET /ready` before the service is ready.
    Unavailable(T),
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Ok(body) => Json(body).into_response(),
            Self::PaymentRequired(body) => {
                (StatusCode::PAYMENT_REQUIRED, Json(body)).into_response()
            }
            Self::Unavailable(body) => {
                let again = [(RETRY_AFTER, HeaderValue::from_static("1"))];
                (StatusCode::SERVICE_UNAVAILABLE, again, Json(body)).into_response()
            }
        }
    }
}

/// 201.
#[derive(Debug)]
pub(crate) struct FreshlyCreated<T>(pub T);

impl<T: Serialize> IntoResponse for FreshlyCreated<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

/// Gives an error its body. Errors that axum made by itself (a path that is not UTF-8, say) get the
/// same shape, so that a client needs one parser only.
pub(super) fn finish(mut response: Response, now: Timestamp) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None if is_json(&response) => return response,
        None => ApiError::new(
            status,
            status.canonical_reason().unwrap_or("error").to_lowercase(),
            "the request could not be understood: check its path and headers",
        ),
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Serializing plain structs into memory has no way to fail.
    let body = serde_json::to_vec(&error.body(now)).unwrap_or_default();
    Response::from_parts(parts, Body::from(body))
}

fn is_json(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|found| found == "application/json")
}

/// Longest piece of a request that an error repeats.
const MAX_QUOTED: usize = 120;

/// `text`, short enough to be repeated in an error.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_QUOTED) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn body_of(response: Response) -> ErrorResponse {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_timestamp_millis(1_750_000_000_123).unwrap()
    }

    #[tokio::test]
    async fn an_error_gets_the_specifications_body_and_its_retry_after() {
        let response = finish(ApiError::unavailable("a", "b", 3).into_response(), now());
        assert_eq!(response.headers()[RETRY_AFTER], "3");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let expected = ErrorResponse { error: "a".into(), details: "b".into(), timestamp: now() };
        assert_eq!(body_of(response).await, expected);
    }

    #[tokio::test]
    async fn errors_of_the_framework_get_the_same_body() {
        let foreign = (StatusCode::BAD_REQUEST, "Invalid URL").into_response();
        assert_eq!(body_of(finish(foreign, now())).await.error, "bad request");
    }

    #[tokio::test]
    async fn bodies_of_our_own_stay_as_they_are() {
        let response = finish(Reply::PaymentRequired("declined").into_response(), now());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(bytes.as_ref(), b"\"declined\"");
    }

    #[test]
    fn what_is_repeated_is_bounded() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"ü".repeat(500)).chars().count(), MAX_QUOTED + 1);
    }
}
