//! Integration tests of the load generator.

mod docs;
mod endurance;
mod engine;
mod faces;
mod outputs;
