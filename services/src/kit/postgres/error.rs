//! What goes wrong with a database, and whether trying again can help.

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::kit::http::ApiError;

/// Why a piece of work was not done, as far as anybody knows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// Nobody answers, or nobody who could help: the same work may succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// Others were at the same rows: the same work may succeed at once.
    #[error("{0}")]
    Conflict(String),
    /// Trying again unchanged is in vain.
    #[error("{0}")]
    Refused(String),
}

impl DatabaseError {
    /// As a metric's label.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Conflict(_) => "conflict",
            Self::Refused(_) => "refused",
        }
    }
}

/// Classes of SQLSTATE that say "not now": connection, resources, shutting down or starting.
const NOT_NOW: [&str; 3] = ["08", "53", "57"];

/// Single states that do: a standby that is about to be promoted, a lock that others hold for too long,
/// a transaction that stood still for too long.
const NOT_NOW_EITHER: [SqlState; 3] = [
    SqlState::READ_ONLY_SQL_TRANSACTION,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
];

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        let text = describe(&error);
        let Some(state) = error.code() else {
            let is_io = std::error::Error::source(&error)
                .is_some_and(|source| source.downcast_ref::<std::io::Error>().is_some());
            return if error.is_closed() || is_io {
                Self::Unavailable(text)
            } else {
                Self::Refused(text)
            };
        };
        match *state {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
                Self::Conflict(text)
            }
            _ if NOT_NOW.iter().any(|class| state.code().starts_with(class))
                || NOT_NOW_EITHER.contains(state) =>
            {
                Self::Unavailable(text)
            }
            _ => Self::Refused(text),
        }
    }
}

/// One line, with what the server says.
fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => {
            let detail = said.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{}{detail} [{}]", said.message(), said.code().code())
        }
        None => {
            let (mut text, mut cause) = (error.to_string(), std::error::Error::source(error));
            while let Some(inner) = cause {
                let said = inner.to_string();
                if !text.contains(&said) {
                    text = format!("{text}: {said}");
                }
                cause = inner.source();
            }
            text
        }
    }
}

impl From<PoolError> for DatabaseError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(kind) => {
                Self::Unavailable(format!("no connection in time ({kind:?})"))
            }
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Refused(error.to_string())
            }
        }
    }
}

/// When a client that met a database out of reach should come again.
const RETRY_AFTER_SECONDS: u64 = 1;

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        tracing::warn!(%error, "a read failed");
        let details = "it is tried again and again: come back in a moment";
        Self::unavailable("the database does not answer", details, RETRY_AFTER_SECONDS)
    }
}
