//! What every service with clients outside is told about them.

use std::time::Duration;

use anyhow::Context;

use super::AllowedOrigins;
use super::door::{CONNECTIONS_PER_ADDRESS, Door, HEADER_TIMEOUT_MS, MAX_CONNECTIONS};
use crate::kit::client_address::TrustedProxies;

/// Settings of the public door.
#[derive(Debug, Clone, clap::Args)]
pub struct EdgeArgs {
    /// Proxies whose X-Forwarded-For is believed: address blocks, separated by commas.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,
    /// Origins whose pages may use the service, separated by commas.
    #[arg(long, env = "ALLOWED_ORIGINS", default_value = "http://localhost:3000")]
    pub allowed_origins: String,
    /// Connections at once from all addresses; whoever comes then waits to be accepted. WebSockets do not count.
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = MAX_CONNECTIONS,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
    /// Connections at once from one address that is no trusted proxy; 0 for no limit.
    #[arg(long, env = "CONNECTIONS_PER_ADDRESS", default_value_t = CONNECTIONS_PER_ADDRESS)]
    pub connections_per_address: u32,
    /// Time for a request's headers to arrive, and for an idle connection to send its next request, in
    /// milliseconds.
    #[arg(long, default_value_t = HEADER_TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    pub header_timeout_ms: u64,
}

impl EdgeArgs {
    /// # Errors
    /// When a block of addresses is none.
    pub(crate) fn proxies(&self) -> anyhow::Result<TrustedProxies> {
        self.trusted_proxies.parse().context("--trusted-proxies")
    }

    /// # Errors
    /// When a block of addresses is none.
    pub(crate) fn door(&self) -> anyhow::Result<Door> {
        Ok(Door {
            header_timeout: Duration::from_millis(self.header_timeout_ms),
            connections: self.max_connections as usize,
            per_address: self.connections_per_address,
            proxies: self.proxies()?,
        })
    }

    pub(crate) fn origins(&self) -> AllowedOrigins {
        let Ok(origins) = self.allowed_origins.parse();
        origins
    }
}
