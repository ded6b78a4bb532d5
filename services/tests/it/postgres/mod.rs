//! Services that keep their state in PostgreSQL, with a real server.

mod away;
mod inventory;
mod server;
mod start;
mod status;
