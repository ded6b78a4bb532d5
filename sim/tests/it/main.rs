//! Tests over real sockets: rskafka as the client that the services use, and raw frames for the
//! rest of the protocol.

mod java_tools;
mod rskafka_client;
