//! The document at `/openapi.json`: against the specification, and against what services really answer.

mod document;
mod doors;
mod routes;
mod specification;
