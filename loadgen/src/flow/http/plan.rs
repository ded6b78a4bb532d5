//! The steps of a flow, compiled: each text read once, each captured value a number.

use std::collections::BTreeMap;

use super::super::address;
use super::super::expect::{Demand, Finder, place};
use super::super::template::{Escape, Names, Template, parse, parse_form, parse_json};
use super::params::{Body, HttpParams, HttpStep};
use crate::scenario::Span;

/// What a user does, over and over.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) steps: Vec<Step>,
    /// `http://host:port` of every service asked.
    pub(super) origins: Vec<String>,
    /// Names of what is captured before the first step and by the steps.
    pub(super) values: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) group: Option<String>,
    pub(super) method: String,
    /// Its place among the origins.
    pub(super) origin: usize,
    pub(super) path: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) body: Option<Template>,
    /// Each with the name of its check.
    pub(super) demands: Vec<(String, Demand)>,
    pub(super) captures: Vec<(usize, Finder)>,
    /// Whether a request that met no server may be sent again: the method allows it (RFC 9110 §9.2.2), or a key.
    pub(super) may_repeat: bool,
    pub(super) pause: Span,
    pub(super) go_on: bool,
}

impl Plan {
    /// Without `env`, whatever is looked up there counts as known. `given` is captured before the first step.
    ///
    /// # Errors
    /// What is wrong with a step, in words.
    pub(crate) fn compile(
        params: &HttpParams,
        env: Option<&BTreeMap<String, String>>,
        given: &[String],
    ) -> Result<Self, String> {
        let mut captured = given.to_vec();
        let mut plan = Self { steps: Vec::new(), origins: Vec::new(), values: Vec::new() };
        for step in &params.steps {
            let wrong = |error| format!("step {:?}: {error}", step.name);
            let step = plan.compile_step(params, step, env, &mut captured).map_err(wrong)?;
            plan.steps.push(step);
        }
        plan.values = captured;
        Ok(plan)
    }

    fn compile_step(
        &mut self,
        params: &HttpParams,
        step: &HttpStep,
        env: Option<&BTreeMap<String, String>>,
        captured: &mut Vec<String>,
    ) -> Result<Step, String> {
        let names = Names { env, captured };
        let (origin, path) = self.split_url(&params.base_url, &step.url, names)?;
        let (content_type, body) = body(step.body.as_ref(), names)?;
        let headers = headers(&[&step.headers, &params.headers], content_type, names)?;
        let demands = Demand::compile(&step.demands, names)?;
        let finders = step.captures.iter().map(|capture| Finder::new(&capture.from));
        let finders = finders.collect::<Result<Vec<_>, _>>()?;
        let captures = step.captures.iter().zip(finders);
        let captures = captures.map(|(capture, finder)| (place(&capture.name, captured), finder));
        let has_key = is_named("idempotency-key", &step.headers);
        Ok(Step {
            name: step.name.clone(),
            group: step.group.clone(),
            method: step.method.clone(),
            origin,
            path,
            headers,
            body,
            demands,
            captures: captures.collect(),
            may_repeat: has_key || !matches!(step.method.as_str(), "POST" | "PATCH"),
            pause: step.pause,
            go_on: step.go_on,
        })
    }

    /// The service's place among the origins, and what is asked of it.
    fn split_url(
        &mut self,
        base: &str,
        url: &str,
        names: Names<'_>,
    ) -> Result<(usize, Template), String> {
        let url = if url.starts_with('/') { format!("{base}{url}") } else { url.to_owned() };
        let (origin, path) = address::split(&url, &address::HTTP, names)?;
        if let Some(at) = self.origins.iter().position(|known| *known == origin) {
            return Ok((at, path));
        }
        self.origins.push(origin);
        Ok((self.origins.len() - 1, path))
    }
}

/// Those of the first list that names one; `content_type` where none does.
fn headers(
    lists: &[&[(String, String)]],
    content_type: Option<&str>,
    names: Names<'_>,
) -> Result<Vec<(String, Template)>, String> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    for list in lists {
        let known = headers.len();
        for (name, value) in *list {
            let name = name.to_ascii_lowercase();
            if !headers[..known].iter().any(|(before, _)| *before == name) {
                headers.push((name, parse(value, Escape::Header, names)?));
            }
        }
    }
    let is_said = headers.iter().any(|(name, _)| name == "content-type");
    if let Some(content_type) = content_type.filter(|_| !is_said) {
        headers.push(("content-type".into(), parse(content_type, Escape::Header, names)?));
    }
    Ok(headers)
}

/// A body's usual content type, and the body.
fn body(
    body: Option<&Body>,
    names: Names<'_>,
) -> Result<(Option<&'static str>, Option<Template>), String> {
    Ok(match body {
        None => (None, None),
        Some(Body::Json(value)) => (Some("application/json"), Some(parse_json(value, names)?)),
        Some(Body::Text(text)) => {
            (Some("text/plain; charset=utf-8"), Some(parse(text, Escape::Nothing, names)?))
        }
        Some(Body::Form(fields)) => {
            (Some("application/x-www-form-urlencoded"), Some(parse_form(fields, names)?))
        }
    })
}

fn is_named(name: &str, headers: &[(String, String)]) -> bool {
    headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}
