//! The bytes of the protocol: bounded reading, responses that carry record batches by reference,
//! and the shapes that guard `kafka-protocol` against lying lengths.

pub(crate) mod outbox;
pub(crate) mod reader;
pub(crate) mod shape;

pub(crate) use outbox::Outbox;
pub(crate) use reader::Reader;

/// Why a connection is closed instead of answered, as Kafka does it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fatal {
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    #[error("undecodable {api} request: {cause}")]
    Undecodable { api: &'static str, cause: String },
    #[error("unknown API key {0}")]
    UnknownApi(i16),
    #[error("API key {key} does not serve version {version}")]
    UnsupportedVersion { key: i16, version: i16 },
    #[error("a frame of {length} bytes exceeds the limit of {limit}")]
    FrameTooLarge { length: i64, limit: usize },
    #[error("what the response promises could not be synced to disk")]
    Unsynced,
    #[error("cannot encode the response: {0}")]
    Unencodable(String),
}
