//! What a child process and its parent say to each other (DESIGN §1).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The one line that a child prints on standard output when it does its work:
/// `{"ready":"order","address":"127.0.0.1:8080","management":"127.0.0.1:9080"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    pub ready: String,
    pub address: SocketAddr,
    /// Where metrics and management are, on loopback; the broker has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management: Option<SocketAddr>,
}

/// The ports of the specification's deployments, and ours for what it does not name.
pub mod port {
    pub const ORDER: u16 = 8080;
    pub const INVENTORY: u16 = 8081;
    pub const PAYMENT: u16 = 8082;
    pub const NOTIFICATION: u16 = 8083;
    pub const SHIPPING: u16 = 8084;
    pub const STATUS: u16 = 8085;
    pub const GATEWAY: u16 = 8086;
    pub const BROKER: u16 = 9092;
    /// A process's management port, as far above its own.
    pub const MANAGEMENT_OFFSET: u16 = 1000;
}
