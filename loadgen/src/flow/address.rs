//! URLs of generic flows, taken apart: which service, known before the load begins, and what is asked of it.

use http::Uri;

use super::template::{Escape, Names, Template, parse};

/// What a URL of a flow begins with, what the same begins with under TLS, and what an example looks like.
pub(super) struct Scheme {
    plain: &'static str,
    secure: &'static str,
    example: &'static str,
}

pub(super) const HTTP: Scheme =
    Scheme { plain: "http", secure: "https", example: "http://127.0.0.1:8080/path" };
pub(super) const WEBSOCKET: Scheme =
    Scheme { plain: "ws", secure: "wss", example: "ws://127.0.0.1:8085/path" };

/// The service as `scheme://host:port`, and the path with its query. Only `env` may stand in what names the service.
///
/// # Errors
/// What is wrong with the URL, in words.
pub(super) fn split(
    url: &str,
    scheme: &Scheme,
    names: Names<'_>,
) -> Result<(String, Template), String> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let known = Names { captured: &[], ..names };
    let service = parse(&url[..end], Escape::Nothing, known)?;
    let Some(service) = service.as_constant() else {
        return Err(format!("{:?} must be known before the load begins", &url[..end]));
    };
    if names.env.is_some() || !url[..end].contains("${") {
        scheme.check(service, url)?;
    }
    // The value of an environment's name may bring along what stands before the path.
    let (origin, prefix) = split_prefix(service);
    let path = format!("{prefix}{}", &url[end..]);
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    Ok((origin.to_owned(), parse(&path, Escape::Url, names)?))
}

impl Scheme {
    fn check(&self, service: &str, url: &str) -> Result<(), String> {
        let uri: Uri = service.parse().map_err(|_| format!("{url:?} is no URL"))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some(scheme), Some(_)) if scheme == self.plain => Ok(()),
            (Some(scheme), _) if scheme == self.secure => Err(format!(
                "{url:?}: TLS is not spoken here; load the service behind what ends its TLS, over {}://",
                self.plain
            )),
            _ => Err(format!(
                "{url:?} is no URL like {}: give the step a whole one, or the flow a `baseUrl`",
                self.example
            )),
        }
    }
}

fn split_prefix(service: &str) -> (&str, &str) {
    let start = service.find("://").map_or(0, |at| at + 3);
    let end = service[start..].find('/').map_or(service.len(), |at| start + at);
    (&service[..end], service[end..].trim_end_matches('/'))
}
