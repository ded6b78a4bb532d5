//! The steps of a conversation, compiled.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::address;
use super::super::expect::{Capture, Demand, Finder, place};
use super::super::template::{Escape, Names, Template, parse, parse_json};
use super::params::{Act, SocketStep, WebsocketParams};
use crate::scenario::Span;

#[derive(Debug)]
pub(super) struct Plan {
    /// `http://host:port`, as the handshake asks for it.
    pub(super) origin: String,
    pub(super) path: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) steps: Vec<Step>,
    /// Values that are captured by the steps.
    pub(super) values: usize,
    /// Whether messages are kept that come before somebody waits for them.
    pub(super) expects: bool,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) deed: Deed,
}

#[derive(Debug)]
pub(super) enum Deed {
    Send(Template),
    Expect(Expectation),
    Pause(Span),
}

#[derive(Debug)]
pub(super) struct Expectation {
    pub(super) demands: Vec<(String, Demand)>,
    pub(super) captures: Vec<(usize, Finder)>,
    pub(super) within: Duration,
}

impl Plan {
    /// As [`super::super::http::plan::Plan::compile`].
    pub(super) fn compile(
        params: &WebsocketParams,
        env: Option<&BTreeMap<String, String>>,
        given: &[String],
    ) -> Result<Self, String> {
        let mut captured = given.to_vec();
        let names = Names { env, captured: &captured };
        let (origin, path) = address::split(&params.url, &address::WEBSOCKET, names)?;
        let header = |(name, value): &(String, String)| {
            Ok((name.to_ascii_lowercase(), parse(value, Escape::Header, names)?))
        };
        let headers = params.headers.iter().map(header).collect::<Result<_, String>>()?;
        let mut steps = Vec::new();
        for SocketStep { name, act } in &params.steps {
            let deed = Deed::compile(act, env, &mut captured);
            let deed = deed.map_err(|error| format!("step {name:?}: {error}"))?;
            steps.push(Step { name: name.clone(), deed });
        }
        let expects = steps.iter().any(|step| matches!(step.deed, Deed::Expect(_)));
        let origin = origin.replacen("ws", "http", 1);
        Ok(Self { origin, path, headers, steps, values: captured.len(), expects })
    }
}

impl Deed {
    fn compile(
        act: &Act,
        env: Option<&BTreeMap<String, String>>,
        captured: &mut Vec<String>,
    ) -> Result<Self, String> {
        let names = Names { env, captured };
        Ok(match act {
            Act::SendText(text) => Self::Send(parse(text, Escape::Nothing, names)?),
            Act::SendJson(value) => Self::Send(parse_json(value, names)?),
            Act::Pause(span) => Self::Pause(*span),
            Act::Expect { demands, captures, within } => {
                let demands = Demand::compile(demands, names)?;
                let found = captures
                    .iter()
                    .map(|Capture { name, from }| Ok((place(name, captured), Finder::new(from)?)));
                let captures = found.collect::<Result<Vec<_>, String>>()?;
                Self::Expect(Expectation { demands, captures, within: *within })
            }
        })
    }
}
