//! A port for somebody who starts later.

use std::net::{SocketAddr, TcpListener, TcpStream};

/// A port of this machine that is free, and that the kernel gives to nobody for the next minute: a connection
/// that has just been closed on it keeps it from being picked, and from nobody who asks for it by its number.
pub(crate) fn reserved() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    // Whoever closes first keeps the port.
    drop(listener.accept().unwrap());
    drop(client);
    address
}
