//! The services' edge, over real sockets: the services run as processes of their own.

pub(crate) mod child;
pub(crate) mod client;
mod doors;
mod errors;
mod gateway;
mod idempotency;
mod instances;
mod limits;
mod management;
#[cfg(target_os = "linux")]
mod memory;
pub(crate) mod port;
mod queue;
mod recent;
pub(crate) mod records;
mod rush;
mod sockets;
mod sockets_bounds;
mod stuck;
mod traces;
