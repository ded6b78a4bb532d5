//! Where the database is.

use std::str::FromStr;

use anyhow::{Context, bail};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::LIMIT;

/// The database of a service that can do without one.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseArgs {
    /// `PostgreSQL` to keep the state in: postgres://USER:PASSWORD@HOST:PORT/DATABASE. Without one it is in
    /// memory, read from the log at every start.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: Option<String>,
    /// Connections to the database at once.
    #[arg(long, env = "DATABASE_CONNECTIONS", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub database_connections: u16,
}

impl DatabaseArgs {
    /// Whether there is one.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.url().is_some()
    }

    /// An empty variable is none.
    fn url(&self) -> Option<&str> {
        self.database.as_deref().filter(|url| !url.trim().is_empty())
    }

    /// How to connect, and the place without its password.
    pub(super) fn config(&self, service: &str) -> anyhow::Result<Option<(Config, String)>> {
        let Some(url) = self.url() else { return Ok(None) };
        let mut config = Config::from_str(url).context(
            "--database (DATABASE_URL) must be like postgres://USER:PASSWORD@HOST:5432/DATABASE",
        )?;
        if config.get_ssl_mode() == SslMode::Require {
            bail!(
                "--database asks for sslmode=require, which this program cannot do: reach the database \
                 over loopback, a private network or a tunnel"
            );
        }
        let place = place(&config);
        // A process that stands still within a transaction must not hold the others up for longer.
        let limit = LIMIT.as_millis();
        let mut options = config.get_options().unwrap_or_default().to_owned();
        for setting in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
        {
            options.push_str(&format!(" -c {setting}={limit}"));
        }
        // A plan made while the tables were empty would scan them whole ever after.
        options.push_str(" -c plan_cache_mode=force_custom_plan");
        config
            .options(options.trim_start())
            .application_name(format!("doorbuster-{service}"))
            .connect_timeout(LIMIT)
            .tcp_user_timeout(LIMIT);
        Ok(Some((config, place)))
    }
}

fn place(config: &Config) -> String {
    let host = config.get_hosts().first().map_or_else(
        || "localhost".to_owned(),
        |host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        },
    );
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("{host}:{port}/{}", config.get_dbname().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: &str) -> DatabaseArgs {
        DatabaseArgs { database: Some(url.to_owned()), database_connections: 4 }
    }

    #[test]
    fn a_url_keeps_its_options_and_gains_limits() {
        let url = "postgres://u:secret@h:5433/d?options=-c%20search_path%3Da";
        let (config, place) = args(url).config("status").unwrap().unwrap();
        assert_eq!(place, "h:5433/d");
        let options = config.get_options().unwrap();
        assert!(options.starts_with("-c search_path=a -c statement_timeout=10000"), "{options}");
        assert_eq!(config.get_application_name(), Some("doorbuster-status"));
    }

    #[test]
    fn an_empty_variable_is_no_database() {
        assert!(!args(" ").is_given());
        assert!(args("").config("status").unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_telling_the_password() {
        let wrong = args("mysql://u:secret@h/d").config("status").unwrap_err();
        let tls = args("postgres://u:secret@h/d?sslmode=require").config("status").unwrap_err();
        assert!(format!("{wrong:#}").contains("postgres://"), "{wrong:#}");
        assert!(format!("{tls:#}").contains("sslmode"), "{tls:#}");
        assert!(!format!("{wrong:#} {tls:#}").contains("secret"));
    }
}
