//! What a scenario with `exec = "http"` says in its `params`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::expect::{Capture, Demands};
use super::super::{Needs, shop_urls};
use super::plan::Plan;
use crate::scenario::reader::TableReader;
use crate::scenario::{Span, suggest};

/// k6's default.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A flow of more steps than this is written by a machine.
const MOST_STEPS: usize = 1_000;
/// The largest body that is read, unless a scenario says otherwise, and at all.
const LARGEST_BODY_BYTES: u32 = 16 << 20;

/// The methods of RFC 9110 §9 and RFC 5789.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpParams {
    /// In front of every step's `url` that begins with a slash.
    pub base_url: String,
    /// On every request.
    pub headers: Vec<(String, String)>,
    pub timeout: Duration,
    /// Whether a user keeps its connections from one request to the next.
    pub reuse_connections: bool,
    /// Whether each user comes from an address of its own, where the service is on this machine.
    pub own_addresses: bool,
    pub largest_body_bytes: u32,
    pub steps: Vec<HttpStep>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpStep {
    /// The tag `name` of its samples.
    pub name: String,
    pub group: Option<String>,
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Body>,
    pub demands: Demands,
    pub captures: Vec<Capture>,
    /// How long the user thinks after it.
    pub pause: Span,
    /// Whether the iteration goes on when the step failed.
    pub go_on: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    Json(Value),
    Text(String),
    Form(Vec<(String, String)>),
}

impl HttpParams {
    /// `given` is captured before the first step.
    pub(crate) fn read(reader: &mut TableReader<'_>, given: &[String]) -> Self {
        let base_url = reader.or("baseUrl", String::new());
        let headers = reader.or("headers", Vec::new());
        let timeout = reader.or("timeout", TIMEOUT);
        reader.ensure("timeout", !timeout.is_zero(), "must be longer than nothing");
        let reuse_connections = reader.or("reuseConnections", true);
        let own_addresses = reader.or("ownAddresses", false);
        let largest_body_bytes = reader.or("largestBodyBytes", LARGEST_BODY_BYTES);
        let steps = reader.tables("steps", HttpStep::read);
        reader.ensure("steps", !steps.is_empty(), "must name at least one request");
        reader.ensure("steps", steps.len() <= MOST_STEPS, "are more than 1,000");
        if !reader.has("steps") {
            reader.reject("steps", "is missing: a flow needs at least one request".into());
        }
        let params = Self {
            base_url,
            headers,
            timeout,
            reuse_connections,
            own_addresses,
            largest_body_bytes,
            steps,
        };
        if !reader.is_broken("steps")
            && let Err(mistake) = Plan::compile(&params, None, given)
        {
            reader.reject("steps", mistake);
        }
        params
    }

    pub(crate) fn needs(&self) -> Needs {
        if self.urls().any(shop_urls::mentions) { Needs::Services } else { Needs::Nothing }
    }

    /// Names of what its steps capture.
    pub(crate) fn captured(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| &step.captures).map(|capture| capture.name.as_str())
    }

    /// Where it asks, as the file says it.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        let steps = self.steps.iter().map(|step| step.url.as_str());
        steps.chain([self.base_url.as_str()])
    }

    /// What cannot be done with the values of `env`.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self, env: &BTreeMap<String, String>, given: &[String]) -> Result<(), String> {
        Plan::compile(self, Some(env), given).map(drop)
    }
}

impl HttpStep {
    fn read(reader: &mut TableReader<'_>) -> Self {
        let method = reader.or("method", "GET".to_owned());
        if !METHODS.contains(&method.as_str()) {
            let hint = suggest::did_you_mean(&method, METHODS);
            reader.reject("method", format!("{method:?} is none of {}{hint}", METHODS.join(", ")));
        }
        let url: String = reader.required("url");
        let name = reader.or("name", format!("{method} {url}"));
        let group = reader.optional("group");
        let headers: Vec<(String, String)> = reader.or("headers", Vec::new());
        let plain = |name: &str| !name.is_empty() && name.bytes().all(is_token);
        let named = headers.iter().all(|(name, _)| plain(name));
        reader.ensure("headers", named, "must have names of letters, digits and `-`");
        let body = Self::read_body(reader);
        let demands = if reader.has("check") {
            reader.table("check", Demands::read).unwrap_or_default()
        } else {
            reader.absent("check", Demands::read)
        };
        let captures = Capture::read_all(reader);
        let pause = reader.or("pause", Span::default());
        let go_on = reader.or("goOn", false);
        Self { name, group, method, url, headers, body, demands, captures, pause, go_on }
    }

    fn read_body(reader: &mut TableReader<'_>) -> Option<Body> {
        let json = reader.optional("json").map(Body::Json);
        let text = reader.optional("body").map(Body::Text);
        let form = reader.optional("form").map(Body::Form);
        let count = [&json, &text, &form].into_iter().flatten().count();
        reader.ensure("body", count <= 1, "is one of `json`, `body` and `form`, not several");
        json.or(text).or(form)
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
