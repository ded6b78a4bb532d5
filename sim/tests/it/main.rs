//! Tests over real sockets: rskafka as the client that the services use, and raw frames for the
//! rest of the protocol.

mod rskafka_client;
