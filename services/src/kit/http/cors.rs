//! Which pages of other origins may use the services (specification §5.2).

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use contract::http::{IDEMPOTENCY_KEY, limit_header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember the answer to a preflight request.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

/// Origins as a browser writes them, separated by commas: `http://localhost:3000,https://shop.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllowedOrigins(Vec<HeaderValue>);

impl FromStr for AllowedOrigins {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let origins = text.split(',').map(|origin| origin.trim().trim_end_matches('/'));
        let origins = origins.filter(|origin| !origin.is_empty());
        Ok(Self(origins.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect()))
    }
}

impl AllowedOrigins {
    /// Whether a WebSocket handshake may proceed. CORS does not cover it, so that any page could open one
    /// in its visitor's name; programs that are no browser send no `Origin`.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        headers.get_all(ORIGIN).iter().all(|origin| self.0.contains(origin))
    }

    /// The layer that answers preflight requests and marks answers as readable for these origins.
    pub(crate) fn layer(&self) -> CorsLayer {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(self.0.iter().cloned()))
            .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
            .allow_headers([CONTENT_TYPE, AUTHORIZATION, HeaderName::from_static(IDEMPOTENCY_KEY)])
            .expose_headers([
                HeaderName::from_static(limit_header::LIMIT),
                HeaderName::from_static(limit_header::REMAINING),
                HeaderName::from_static(limit_header::RESET),
                RETRY_AFTER,
            ])
            .max_age(PREFLIGHT_MAX_AGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: Option<&str>) -> HeaderMap {
        origin.map(|origin| (ORIGIN, origin.parse().unwrap())).into_iter().collect()
    }

    #[test]
    fn only_listed_origins_and_programs_without_one_are_admitted() {
        let Ok(origins) = "http://localhost:3000, https://shop.example/".parse::<AllowedOrigins>();
        for admitted in [None, Some("http://localhost:3000"), Some("https://shop.example")] {
            assert!(origins.admits(&from(admitted)), "{admitted:?}");
        }
        for refused in ["http://localhost:3001", "null", "https://shop.example.evil.example"] {
            assert!(!origins.admits(&from(Some(refused))), "{refused}");
        }
    }
}
