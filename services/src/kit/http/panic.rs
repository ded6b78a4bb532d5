//! A handler that panics answers 500, and nothing else ends with it.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::ApiError;

/// Middleware for [`axum::middleware::from_fn`]. Without it the connection would end without a word. What a
/// handler shares with others lies behind locks that outlive a panic, so nothing half done is seen.
pub(super) async fn answered(request: Request, next: Next) -> Response {
    let route = request.uri().path().to_owned();
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answered.unwrap_or_else(|_| {
        tracing::error!(route, "the handler panicked");
        let details = "the fault is ours, and whether the request took effect is not known: ask before \
                       sending it again, or send it with the same Idempotency-Key";
        ApiError::internal("internal server error", details).into_response()
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::Service;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_500_and_ends_nothing_else() {
        let panics = async || -> &'static str { panic!("planted by the test") };
        let routes =
            Router::new().route("/panics", get(panics)).route("/works", get(async || "ok"));
        let mut routes = routes.layer(from_fn(answered));
        for (path, status) in [
            ("/panics", StatusCode::INTERNAL_SERVER_ERROR),
            ("/works", StatusCode::OK),
            ("/panics", StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            assert_eq!(routes.call(request).await.unwrap().status(), status);
        }
    }
}
