//! How the gateway fails, as a setting at its start and, for tests, while it runs: `GET` and `POST /faults` on
//! the management port.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use contract::http::ErrorResponse;
use contract::management::Faults;
use rand::{Rng, RngExt};
use tracing::info;
use utoipa::OpenApi;

use super::Args;
use crate::kit::http::{ApiError, Reply, json};

/// Shares of what fails in which way.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rates {
    error: f64,
    silent: f64,
    query_error: f64,
}

/// What becomes of one new charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// Answered with an error, and the money is taken or not.
    Fails {
        taken: bool,
    },
    /// Never answered, and the money is taken or not.
    Silent {
        taken: bool,
    },
}

/// The rates that hold now.
#[derive(Debug)]
pub(super) struct Failures(Mutex<Rates>);

impl Failures {
    pub(super) fn new(args: &Args) -> Arc<Self> {
        let Args { error_rate: error, silent_rate: silent, query_error_rate, .. } = *args;
        Arc::new(Self(Mutex::new(Rates { error, silent, query_error: query_error_rate })))
    }

    fn lock(&self) -> MutexGuard<'_, Rates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fate(&self, rng: &mut impl Rng) -> Fate {
        let rates = *self.lock();
        let (fails, taken) = (rng.random_bool(rates.error), !rng.random_bool(0.5));
        if rates.silent > 0.0 && rng.random_bool(rates.silent) {
            Fate::Silent { taken }
        } else if fails {
            Fate::Fails { taken }
        } else {
            Fate::Answered
        }
    }

    /// Whether a question about a charge is answered with an error.
    pub(super) fn query_fails(&self, rng: &mut impl Rng) -> bool {
        let rate = self.lock().query_error;
        rate > 0.0 && rng.random_bool(rate)
    }

    /// Fails no more from so long from now on; never returns, so that it can wait beside what does.
    pub(super) async fn end(&self, after: Option<Duration>) -> Infallible {
        if let Some(after) = after {
            tokio::time::sleep(after).await;
            *self.lock() = Rates { error: 0.0, silent: 0.0, query_error: 0.0 };
            info!("the gateway fails no more");
        }
        std::future::pending().await
    }

    /// Changes the rates that `faults` names; all that hold then.
    fn change(&self, faults: Faults) -> Result<Faults, ApiError> {
        let named = [faults.error_rate, faults.silent_rate, faults.query_error_rate];
        if named.into_iter().flatten().any(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err(ApiError::invalid("a rate is no share", "send numbers from 0 to 1"));
        }
        let mut rates = self.lock();
        let Rates { error, silent, query_error } = *rates;
        *rates = Rates {
            error: faults.error_rate.unwrap_or(error),
            silent: faults.silent_rate.unwrap_or(silent),
            query_error: faults.query_error_rate.unwrap_or(query_error),
        };
        Ok(Faults {
            error_rate: Some(rates.error),
            silent_rate: Some(rates.silent),
            query_error_rate: Some(rates.query_error),
        })
    }
}

pub(super) fn routes(failures: Arc<Failures>) -> Router {
    Router::new().route("/faults", get(read_faults).post(change_faults)).with_state(failures)
}

/// What the gateway adds to `/openapi.json` for management.
#[derive(OpenApi)]
#[openapi(paths(read_faults, change_faults))]
pub(crate) struct Api;

#[utoipa::path(
    get,
    path = "/faults",
    tag = "Gateway",
    summary = "Read how often the gateway fails",
    responses((status = 200, description = "All rates", body = Faults)),
)]
async fn read_faults(State(failures): State<Arc<Failures>>) -> Result<Reply<Faults>, ApiError> {
    failures.change(Faults::default()).map(Reply::Ok)
}

#[utoipa::path(
    post,
    path = "/faults",
    tag = "Gateway",
    summary = "Change how often the gateway fails",
    description = "Changes the rates that are named",
    request_body = Faults,
    responses(
        (status = 200, description = "All rates, as they are now", body = Faults),
        (status = 400, description = "Not rates", body = ErrorResponse),
        (status = 408, description = "The body did not arrive within 5 s", body = ErrorResponse),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorResponse),
        (status = 415, description = "The body is not declared as JSON", body = ErrorResponse),
    ),
)]
async fn change_faults(
    State(failures): State<Arc<Failures>>,
    request: Request,
) -> Result<Reply<Faults>, ApiError> {
    failures.change(json(request, "no faults").await?).map(Reply::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::rng;

    fn failures(error: f64, silent: f64, query_error: f64) -> Failures {
        Failures(Mutex::new(Rates { error, silent, query_error }))
    }

    #[test]
    fn the_rates_are_those_asked_for_and_half_of_the_money_is_taken() {
        let (failures, mut rng) = (failures(0.2, 0.1, 0.3), rng::seeded(7));
        let fates: Vec<_> = (0..20_000).map(|_| failures.fate(&mut rng)).collect();
        let count = |fate| fates.iter().filter(|it| **it == fate).count();
        for (fate, expected) in [
            (Fate::Silent { taken: true }, 1_000),
            (Fate::Silent { taken: false }, 1_000),
            (Fate::Fails { taken: true }, 1_800),
            (Fate::Fails { taken: false }, 1_800),
        ] {
            assert!(count(fate).abs_diff(expected) < 200, "{fate:?}: {}", count(fate));
        }
        let queries = (0..20_000).filter(|_| failures.query_fails(&mut rng)).count();
        assert!(queries.abs_diff(6_000) < 300, "{queries}");
    }

    #[test]
    fn only_what_is_named_changes_and_nonsense_changes_nothing() {
        let failures = failures(0.5, 0.0, 0.0);
        let silent = Faults { silent_rate: Some(1.0), ..Faults::default() };
        let all = failures.change(silent).unwrap();
        assert_eq!((all.error_rate, all.silent_rate), (Some(0.5), Some(1.0)));
        for wrong in [-0.1, 1.1, f64::NAN] {
            let wrong = Faults { error_rate: Some(wrong), silent_rate: Some(0.0), ..silent };
            assert!(failures.change(wrong).is_err());
        }
        assert_eq!(failures.change(Faults::default()), Ok(all));
    }
}
