//! Integration tests of the services, over real sockets.

mod edge;
