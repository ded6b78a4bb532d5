//! Children: started with this very executable, restarted on their port when they die, always ended.
//!
//! | module | what it does |
//! |---|---|
//! | [`child`] | one process: start, await its ready line, kill, stop |
//! | [`keeper`] | one child for as long as the shop is open: restarts it whenever it dies |
//! | [`ports`] | ports that nobody takes while a child is dead |
//! | [`replicas`] | how many processes of each service, and what they are called |
//! | [`shop`] | the broker, the gateway and the six services with their arguments |
//! | [`signals`] | Ctrl-C and SIGTERM to ourselves |
//!
//! Nothing outlives the parent, however it dies: each child holds the reading end of a pipe to it as
//! standard input, and stops when that closes. Each is in a process group of its own, so that a
//! Ctrl-C in the terminal reaches the parent alone, which then ends them in order.

pub mod child;
pub mod keeper;
pub mod ports;
pub mod replicas;
pub mod shop;
pub mod signals;

use std::path::PathBuf;

use anyhow::Context as _;

pub use child::{ChildSpec, StartError};
pub use keeper::{Kill, Restart};
pub use replicas::{Instance, Replicas, Target};
pub use shop::{Endpoints, Shop, ShopPlan};

/// The binary that is running: every child is started with it.
///
/// # Errors
/// The system does not tell where it is.
pub fn this_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find this very program")
}
