//! What a service says to the process that started it.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context;
use contract::process::Ready;

/// Prints the one line that says that `name` does its work at `address` from now on.
///
/// # Errors
/// When standard output is closed: nobody would ever learn the address.
pub(crate) fn print_ready(name: &str, address: SocketAddr) -> anyhow::Result<()> {
    write_ready(std::io::stdout().lock(), name, address).context("cannot print the ready line")
}

fn write_ready(mut out: impl Write, name: &str, address: SocketAddr) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(&Ready { ready: name.to_owned(), address })?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_one_line_of_json() {
        let mut out = Vec::new();
        write_ready(&mut out, "order", "127.0.0.1:8080".parse().unwrap()).unwrap();
        assert_eq!(out, b"{\"ready\":\"order\",\"address\":\"127.0.0.1:8080\"}\n");
    }
}
