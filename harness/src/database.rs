//! A database that is not ours: a schema of its own for each phase, made before and dropped after it.
//!
//! A phase needs empty tables, and whatever else is in the database is none of its business.

use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use tokio_postgres::{Client, Config, NoTls};

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects.
///
/// # Errors
/// The URL is none, or nobody answers it.
pub async fn connect(url: &str) -> anyhow::Result<Client> {
    let config = config(url)?;
    let connecting = tokio::time::timeout(PATIENCE, config.connect(NoTls));
    let (client, connection) = connecting
        .await
        .context("the database does not answer")?
        .context("cannot use the database of --database (DATABASE_URL)")?;
    tokio::spawn(async move {
        // The client hears of it with its next query.
        let _ = connection.await;
    });
    Ok(client)
}

fn config(url: &str) -> anyhow::Result<Config> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        bail!("--database must be like postgres://USER:PASSWORD@HOST:5432/DATABASE");
    }
    Config::from_str(url)
        .context("--database must be like postgres://USER:PASSWORD@HOST:5432/DATABASE")
}

/// A schema that nobody else uses.
#[derive(Debug)]
pub struct Schema {
    base: String,
    name: String,
    /// The URL of the database, with this schema for everything that is not named in full.
    pub url: String,
}

impl Schema {
    /// # Errors
    /// The database does not answer, or the user may not create schemas there.
    pub async fn create(base: &str) -> anyhow::Result<Self> {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let name = format!("doorbuster_{}_{}", std::process::id(), now.as_micros());
        let client = connect(base).await?;
        client.batch_execute(&format!("CREATE SCHEMA {name}")).await.context(
            "a phase needs a schema of its own in the database, which this user may not create",
        )?;
        let url = within(base, &name)?;
        Ok(Self { base: base.to_owned(), name, url })
    }

    /// Drops the schema with all that is in it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn drop(self) -> anyhow::Result<()> {
        let client = connect(&self.base).await?;
        let statement = format!("DROP SCHEMA {} CASCADE", self.name);
        client.batch_execute(&statement).await.context("cannot drop the phase's schema")
    }
}

/// `url` with a search path; whatever else its options say stays.
fn within(url: &str, schema: &str) -> anyhow::Result<String> {
    let config = config(url)?;
    let options = config.get_options().unwrap_or_default();
    let options = format!("{options} -c search_path={schema}");
    let separator = if url.contains('?') { '&' } else { '?' };
    // Of two options the last one counts.
    Ok(format!("{url}{separator}options={}", encoded(options.trim_start())))
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let byte = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_keeps_the_other_options() {
        let url = within("postgres://u@h/d?options=-c%20work_mem%3D1MB", "mine").unwrap();
        let config = Config::from_str(&url).unwrap();
        assert_eq!(config.get_options(), Some("-c work_mem=1MB -c search_path=mine"));
        let url = within("postgresql://u@h/d", "mine").unwrap();
        assert_eq!(Config::from_str(&url).unwrap().get_options(), Some("-c search_path=mine"));
    }

    #[test]
    fn anything_else_is_no_database() {
        for wrong in ["mysql://h/d", "host=h dbname=d", "postgres://h:port/d"] {
            let error = within(wrong, "mine").unwrap_err();
            assert!(error.to_string().contains("postgres://USER"), "{error:#}");
        }
    }
}
