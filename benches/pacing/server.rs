//! A server that answers every request alike, on a thread of its own.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// A stock that the flow takes for sound.
const BODY: &str = r#"{"product_id":"product-1","current_stock":1000,"reserved_stock":0,"last_updated":"2025-01-01T00:00:00Z"}"#;

/// Starts it and gives its URL.
pub(crate) fn start() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let answer = service_fn(|_: Request<hyper::body::Incoming>| async {
                        let mut response =
                            Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
                        let json = hyper::header::HeaderValue::from_static("application/json");
                        response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
                        Ok::<_, Infallible>(response)
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    // A client that goes is no mistake.
                    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
    });
    Ok(url)
}
