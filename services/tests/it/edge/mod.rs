//! The services' edge, over real sockets: the services run as processes of their own.

mod child;
mod client;
mod errors;
mod gateway;
mod idempotency;
mod limits;
#[cfg(target_os = "linux")]
mod memory;
mod records;
mod sockets;
mod sockets_bounds;
