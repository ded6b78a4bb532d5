//! Integration tests of the load generator.

mod faces;
