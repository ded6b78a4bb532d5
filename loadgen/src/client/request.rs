//! HTTP/1.1 requests as a client writes them (RFC 9112 §3). No I/O.

use super::http::Route;

/// Tells a proxy's or a remote service's limits which client asks, where the source address cannot.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// A request of one's own making: its parts hold no line breaks but in the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// With its query.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) const fn get(path: &'a str) -> Self {
        Self { method: "GET", path, headers: &[], body: &[] }
    }

    /// The request as it goes over the wire to `route`.
    pub(crate) fn encode(&self, route: &Route<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.body.len());
        begin(&mut out, self.method.as_bytes(), route, self.path.as_bytes());
        for (name, value) in self.headers {
            header(&mut out, name.as_bytes(), value.as_bytes());
        }
        if !self.body.is_empty() || self.method == "POST" {
            content_length(&mut out, self.body.len());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body);
        out
    }
}

/// Writes the first line, and the headers that say who asks whom.
pub(crate) fn begin(out: &mut Vec<u8>, method: &[u8], route: &Route<'_>, path: &[u8]) {
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(route.target.prefix().as_bytes());
    out.extend_from_slice(path);
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(route.target.host.as_bytes());
    out.extend_from_slice(b"\r\n");
    if !route.target.is_local()
        && let Some(client) = route.client
    {
        header(out, FORWARDED_FOR.as_bytes(), client.to_string().as_bytes());
    }
}

pub(crate) fn header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    header_with(out, name, |out| out.extend_from_slice(value));
}

/// A header whose value `write` appends.
pub(crate) fn header_with(out: &mut Vec<u8>, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    write(out);
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn content_length(out: &mut Vec<u8>, length: usize) {
    header(out, b"content-length", itoa::Buffer::new().format(length).as_bytes());
}
