//! Kafka's error codes under the name that Kafka uses for them.

pub(crate) use kafka_protocol::error::ResponseError as ErrorCode;

/// `NONE`.
pub(crate) const NONE: i16 = 0;

/// The code for a response field: 0 where all went well.
pub(crate) fn code_of<T>(result: &Result<T, ErrorCode>) -> i16 {
    match result {
        Ok(_) => NONE,
        Err(error) => error.code(),
    }
}
