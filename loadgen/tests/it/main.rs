//! Integration tests of the load generator.

mod endurance;
mod engine;
mod faces;
