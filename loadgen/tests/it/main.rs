//! Integration tests of the load generator.

mod engine;
mod faces;
