//! PostgreSQL, for the services that keep their state there when they are told to.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | where the database is |
//! | [`error`] | what went wrong, and whether trying again can help |
//! | [`migrations`] | bringing a service's tables up to date |
//!
//! [`Database`] is a pool. A piece of [`Work`] gets one connection, has a limit in time, and is written so
//! that it can be done again: a connection that breaks leaves nobody knowing whether it was.

mod args;
mod error;
pub(crate) mod migrations;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::task::JoinHandle;
use tracing::{info, warn};

pub use self::args::DatabaseArgs;
pub(crate) use self::error::DatabaseError;
use super::clock::Clock;
use super::health::Health;
use super::metrics::{
    DATABASE_CONNECTIONS, DATABASE_CONNECTIONS_IN_USE, DATABASE_ERRORS,
    DATABASE_TRANSACTION_SECONDS, DATABASE_WAIT_SECONDS,
};

/// How long anything may take (specification §9.1): waiting for a connection, and the work on it.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Pause after a failure, doubled up to the maximum while the failures go on.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How often somebody who waits for an answer is served again after a failure.
const READ_ATTEMPTS: u32 = 3;

/// How often the database is asked whether it is there, so that it is known while nobody needs it too.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// A connection, with its statements prepared once.
pub(crate) type Connection = deadpool_postgres::ClientWrapper;

/// Something to do on a connection. Whoever does it twice has the same as once.
pub(crate) trait Work: Send {
    type Output: Send;
    /// As metrics and the log name it.
    const NAME: &'static str;

    fn run(
        &mut self,
        connection: &Connection,
    ) -> impl Future<Output = Result<Self::Output, DatabaseError>> + Send;
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    health: Arc<Health>,
    clock: Clock,
    /// Without the password.
    place: Arc<str>,
}

impl Database {
    /// A pool for the database that `args` name, if they name one. Nothing connects yet.
    ///
    /// # Errors
    /// When the URL is none, or asks for what this client cannot do.
    pub(crate) fn open(
        args: &DatabaseArgs,
        service: &'static str,
        health: &Arc<Health>,
        clock: &Clock,
    ) -> anyhow::Result<Option<Self>> {
        let Some((config, place)) = args.config(service)? else { return Ok(None) };
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tokio_postgres::NoTls, recycling);
        let pool = Pool::builder(manager)
            .max_size(usize::from(args.database_connections))
            .timeouts(Timeouts { wait: Some(LIMIT), create: Some(LIMIT), recycle: Some(LIMIT) })
            .runtime(Runtime::Tokio1)
            .build()?;
        health.uses_database();
        let (health, clock) = (Arc::clone(health), clock.clone());
        Ok(Some(Self { pool, health, clock, place: place.into() }))
    }

    /// Does `work` once.
    ///
    /// # Errors
    /// Whatever keeps it from being done.
    pub(crate) async fn once<W: Work>(&self, work: &mut W) -> Result<W::Output, DatabaseError> {
        let done = match tokio::time::timeout(LIMIT, self.on_a_connection(work)).await {
            Ok(done) => done,
            Err(_) => {
                Err(DatabaseError::Unavailable(format!("no answer within {} s", LIMIT.as_secs())))
            }
        };
        if let Err(error) = &done {
            DATABASE_ERRORS.add_to(&[("kind", error.kind())], 1);
        }
        match &done {
            Ok(_) => self.health.set_database_connected(true),
            Err(DatabaseError::Unavailable(_)) => self.health.set_database_connected(false),
            Err(DatabaseError::Conflict(_) | DatabaseError::Refused(_)) => {}
        }
        done
    }

    async fn on_a_connection<W: Work>(&self, work: &mut W) -> Result<W::Output, DatabaseError> {
        let began = self.clock.monotonic();
        let taken = self.pool.get().await;
        let status = self.pool.status();
        let (size, free) = (status.size, status.available);
        DATABASE_CONNECTIONS.set(count(size));
        DATABASE_CONNECTIONS_IN_USE.set(count(size.saturating_sub(free)));
        let mut lease = Lease { connection: Some(taken?), whole: false };
        let connected = self.clock.monotonic();
        DATABASE_WAIT_SECONDS.record_of(&[], connected.saturating_sub(began));
        let Some(connection) = &lease.connection else {
            return Err(DatabaseError::Unavailable("the pool gave no connection".to_owned()));
        };
        let done = work.run(connection).await;
        lease.whole = done.is_ok();
        drop(lease);
        DATABASE_CONNECTIONS_IN_USE.set(count(size.saturating_sub(free + 1)));
        let took = self.clock.monotonic().saturating_sub(connected);
        DATABASE_TRANSACTION_SECONDS.record_of(&[("work", W::NAME)], took);
        done
    }

    /// Does `work` however long that takes: the records that it is for are held, nothing is committed.
    ///
    /// # Errors
    /// Only what trying again does not help against.
    pub(crate) async fn persist<W: Work>(&self, work: &mut W) -> Result<W::Output, DatabaseError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.once(work).await {
                Ok(output) => {
                    if pause > FIRST_PAUSE {
                        info!(database = &*self.place, work = W::NAME, "the database is back");
                    }
                    return Ok(output);
                }
                Err(error @ DatabaseError::Refused(_)) => return Err(error),
                Err(error) => error,
            };
            warn!(database = &*self.place, work = W::NAME, %error, "trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Does `work` for somebody who waits: tries again a few times, and not at all while the database is
    /// known to be away.
    ///
    /// # Errors
    /// Whatever keeps it from being done.
    pub(crate) async fn read<W: Work>(&self, work: &mut W) -> Result<W::Output, DatabaseError> {
        let reading = async {
            let mut pause = FIRST_PAUSE;
            for _ in 1..READ_ATTEMPTS {
                if !self.health.is_database_connected() {
                    break;
                }
                match self.once(work).await {
                    Err(DatabaseError::Unavailable(_) | DatabaseError::Conflict(_)) => {}
                    done => return done,
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            self.once(work).await
        };
        match tokio::time::timeout(LIMIT, reading).await {
            Ok(done) => done,
            Err(_) => Err(DatabaseError::Unavailable("no answer in time".to_owned())),
        }
    }

    /// Keeps what is known of the database up to date while nobody needs it. Ends with the handle.
    pub(crate) fn probe(&self) -> Probe {
        let database = self.clone();
        Probe(tokio::spawn(async move {
            loop {
                tokio::time::sleep(PROBE_INTERVAL).await;
                if let Err(error) = database.once(&mut Ping).await {
                    info!(database = &*database.place, %error, "the database does not answer");
                }
            }
        }))
    }
}

/// Keeps the health up to date for as long as it lives.
pub(crate) struct Probe(JoinHandle<()>);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Ping;

impl Work for Ping {
    type Output = ();
    const NAME: &'static str = "probe";

    async fn run(&mut self, connection: &Connection) -> Result<(), DatabaseError> {
        Ok(connection.batch_execute("").await?)
    }
}

/// A connection on loan. One whose work was cut short may hold half a transaction: it is closed.
struct Lease {
    connection: Option<Object>,
    whole: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.whole
        {
            drop(Object::take(connection));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "pools are small")]
const fn count(number: usize) -> f64 {
    number as f64
}
