//! What every service with clients outside is told about them.

use anyhow::Context;

use super::AllowedOrigins;
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
}

impl EdgeArgs {
    /// # Errors
    /// When a block of addresses is none.
    pub(crate) fn proxies(&self) -> anyhow::Result<TrustedProxies> {
        self.trusted_proxies.parse().context("--trusted-proxies")
    }

    pub(crate) fn origins(&self) -> AllowedOrigins {
        let Ok(origins) = self.allowed_origins.parse();
        origins
    }
}
